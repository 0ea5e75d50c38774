#![no_main]

use dsms_fuzz::guests;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    guests::hostile_component(bytes);
});
