//! Which imports a replica may have, and why it may not have the others.

use super::bindings::{LOG_INTERFACE, TYPES_INTERFACE};

/// The WASI 0.2 interfaces that language runtimes bring along; `wasi` answers them.
const WASI_INTERFACES: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Packages that are asked for often enough to deserve a reason of their own.
const REASONS: [(&str, &str); 9] = [
    (
        "wasi:sockets/",
        "it asks for network sockets; a replica may not reach the network, where each replica would hear something else",
    ),
    (
        "wasi:http/",
        "it asks for HTTP; a replica may not reach the network, where each replica would hear something else",
    ),
    ("wasi:tls/", "it asks for TLS connections; a replica may not reach the network"),
    ("wasi:keyvalue/", "it asks for a key-value store; a replica keeps its state in its own memory, and exports it"),
    ("wasi:blobstore/", "it asks for a blob store; a replica keeps its state in its own memory, and exports it"),
    ("wasi:messaging/", "it asks for a message queue; requests reach a replica only through the total order"),
    ("wasi:config/", "it asks for configuration; all replicas are alike, and are told nothing but requests"),
    ("wasi:nn/", "it asks for a neural network, whose results differ between machines"),
    ("wasi:threads/", "it asks for threads, whose interleaving differs from run to run"),
];

/// Why a component may not import this, in words that continue "imports NAME: "; `None` when it may.
pub(super) fn reason_against(name: &str) -> Option<String> {
    if name == LOG_INTERFACE || name == TYPES_INTERFACE {
        return None;
    }
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    if WASI_INTERFACES.contains(&interface) {
        return match version {
            version if version.starts_with("0.2.") => None,
            "" => Some("it names no version; a replica may have WASI 0.2".to_owned()),
            version => Some(format!(
                "it asks for WASI {version}; a replica may have WASI 0.2: build for the target wasm32-wasip2"
            )),
        };
    }
    if let Some(("", rest)) = interface.split_once("dsms:replica/") {
        return Some(match rest {
            "log" | "types" => format!(
                "it was built against the contract dsms:replica@{version}; this host speaks {}",
                super::bindings::CONTRACT_VERSION
            ),
            _ => format!("the contract has no interface {rest} that a module may call; it has {LOG_INTERFACE}"),
        });
    }
    if let Some((_, reason)) = REASONS.iter().find(|(prefix, _)| interface.starts_with(prefix)) {
        return Some((*reason).to_owned());
    }
    Some(format!(
        "a replica may import nothing but {LOG_INTERFACE} and the WASI 0.2 of language runtimes (cli, clocks, filesystem, \
         io, random): whatever else answered it could answer each replica differently"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runtimes_carry_is_allowed_and_the_outside_is_not() {
        #[track_caller]
        fn check(name: &str, expected: Option<&str>) {
            let reason = reason_against(name);
            match expected {
                None => assert_eq!(reason, None, "{name}"),
                Some(words) => assert!(reason.as_deref().is_some_and(|r| r.contains(words)), "{name}: {reason:?}"),
            }
        }
        check("dsms:replica/log@1.0.0", None);
        check("dsms:replica/types@1.0.0", None);
        check("wasi:cli/environment@0.2.0", None);
        check("wasi:io/poll@0.2.6", None);
        check("wasi:sockets/tcp@0.2.3", Some("network sockets"));
        check("wasi:http/outgoing-handler@0.2.0", Some("HTTP"));
        check("wasi:clocks/monotonic-clock@0.3.0", Some("wasm32-wasip2"));
        check("wasi:nn/tensor@0.2.0-rc-2024-10-28", Some("neural"));
        check("dsms:replica/log@2.0.0", Some("dsms:replica@2.0.0"));
        check("dsms:replica/market@1.0.0", Some("no interface market"));
        check("acme:database/query@1.0.0", Some("nothing but"));
        check("host-function", Some("nothing but"));
    }
}
