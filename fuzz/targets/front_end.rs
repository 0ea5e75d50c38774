#![no_main]

use dsms_fuzz::cores;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    cores::front_end(bytes);
});
