//! What a token says, and its text: `dsms1.NYKA1001.1798761600.3f2a91c05e7d8b14.` and the signature.
//!
//! Version, id, the second since the Unix epoch at which it expires, the key that it is signed with, and 128 digits of signature over
//! all that precedes it. Every token has exactly one text, and whatever is no such text is refused: reading is total.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::hex;
use super::key::KeyId;
use crate::market::Caller;
use crate::protocol::time::Instant;

/// The first word of a token, which names its version.
const VERSION: &str = "dsms1";

/// What stands for the operator in place of an id.
const OPERATOR: &str = "operator";

/// Bytes of a signature.
pub(super) const SIGNATURE_LEN: usize = 64;

/// Longest text that is looked at. A token has some 170 bytes; clients control the length.
pub const TOKEN_LEN_MAX: usize = 256;

/// The latest second at which a token may expire, the end of the year 9999.
pub const EXPIRES_AT_MAX: u64 = 253_402_300_799;

/// For whom somebody may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An admin or a buyer.
    Caller(Caller),
    /// Whoever runs the cluster.
    Operator,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Caller(caller) => caller.fmt(f),
            Subject::Operator => f.write_str(OPERATOR),
        }
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Subject, String> {
        if text == OPERATOR {
            return Ok(Subject::Operator);
        }
        let caller = text.parse().map(Subject::Caller);
        caller.map_err(|_| {
            format!(
                "{text:?} is neither an admin id such as NYKA1001, nor a buyer id such as NYKB1001, nor {OPERATOR:?}"
            )
        })
    }
}

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// For whom the bearer may speak.
    pub subject: Subject,
    /// In seconds since the Unix epoch, [`EXPIRES_AT_MAX`] at most; from then on it is not good any more.
    pub expires_at: u64,
    /// With which key it is signed.
    pub key: KeyId,
}

impl Claim {
    /// When it expires.
    pub fn expires(&self) -> Instant {
        Instant(0) + Duration::from_secs(self.expires_at)
    }
}

/// The part of a token's text that is signed.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}.{}.{}.{}", self.subject, self.expires_at, self.key)
    }
}

/// A token as somebody shows it: whether the signature is good, a key has to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What it says.
    pub claim: Claim,
    pub(super) signature: [u8; SIGNATURE_LEN],
}

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token: one is a single line such as dsms1.NYKA1001.1798761600.… from `dsms token issue`")]
pub struct NotAToken;

impl Token {
    /// The text, for its bearer and nobody else.
    pub fn to_text(&self) -> String {
        format!("{}.{}", self.claim, hex::encode(&self.signature))
    }

    /// Reads a text.
    pub fn read(text: &str) -> Result<Token, NotAToken> {
        Token::parts(text).ok_or(NotAToken)
    }

    fn parts(text: &str) -> Option<Token> {
        if text.len() > TOKEN_LEN_MAX {
            return None;
        }
        let [VERSION, subject, expires_at, key, signature] = *text.splitn(6, '.').collect::<Vec<_>>() else {
            return None;
        };
        let claim =
            Claim { subject: subject.parse().ok()?, expires_at: expires_at.parse().ok()?, key: key.parse().ok()? };
        let token = Token { claim, signature: hex::decode(signature)? };
        // Ids are read in any case, numbers with any zeros in front; a token has one text.
        (claim.expires_at <= EXPIRES_AT_MAX && token.to_text() == text).then_some(token)
    }
}

/// What it says, without the signature that makes it worth something.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}.…)", self.claim)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(subject: &str, expires_at: u64) -> Token {
        let claim = Claim { subject: subject.parse().unwrap(), expires_at, key: KeyId([7; 8]) };
        Token { claim, signature: [0xab; SIGNATURE_LEN] }
    }

    #[test]
    fn a_token_is_one_printable_line_and_is_read_back() {
        for (subject, expires_at) in [("NYKA1001", 0), ("TOKB9999", 1_798_761_600), ("operator", EXPIRES_AT_MAX)] {
            let token = token(subject, expires_at);
            let text = token.to_text();
            assert!(text.len() <= TOKEN_LEN_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            assert_eq!(Token::read(&text), Ok(token));
        }
        assert!(!format!("{:?}", token("NYKA1001", 1)).contains("abab"));
    }

    #[test]
    fn what_differs_from_the_one_text_of_a_token_is_none() {
        let good = token("NYKA1001", 1_798_761_600).to_text();
        let altered = [
            good.replace("dsms1", "dsms2"),
            good.replace("NYKA1001", "nyka1001"),
            good.replace("NYKA1001", "NYKX1001"),
            good.replace("NYKA1001", ""),
            good.replace(".1798761600", ".01798761600"),
            good.replace(".1798761600", ".+1798761600"),
            good.replace(".1798761600", ".-1"),
            good.replace(".1798761600", ".253402300800"),
            good.replace("0707070707070707", "07070707070707"),
            good.to_uppercase(),
            good[..good.len() - 1].to_owned(),
            format!("{good} "),
            format!("{good}\n"),
            format!("{good}."),
            good.repeat(1000),
            String::new(),
        ];
        for text in altered {
            assert_eq!(Token::read(&text), Err(NotAToken), "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_text_is_a_token_or_none_and_a_token_is_written_as_it_was_read(
            parts in prop::collection::vec(prop_oneof![
                Just("dsms1".to_owned()), Just("NYKA1001".to_owned()), Just("operator".to_owned()), r"[0-9]{0,20}",
                r"[0-9a-f]{16}", r"[0-9a-f]{126,130}", r"\PC{0,40}",
            ], 0..7),
        ) {
            let text = parts.join(".");
            if let Ok(token) = Token::read(&text) {
                prop_assert_eq!(token.to_text(), text);
            }
        }
    }
}
