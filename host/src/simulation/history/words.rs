//! A request within a file: the words of a command line.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use crate::market::{Request, parse_request};

pub(super) fn serialize<S: Serializer>(request: &Request, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(request)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Request, D::Error> {
    let words = String::deserialize(deserializer)?;
    parse_request(&words.split_whitespace().collect::<Vec<_>>()).map_err(D::Error::custom)
}
