//! The keys of tokens: Ed25519, by `ring`, which is in the tree for TLS as well.
//!
//! A signature and not a keyed hash, so that a front end needs no secret: what it holds can only tell good tokens from others. A key is
//! named by the digest of its public half, so no two keys share a name and none needs to be given one.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::hex;
use super::token::{Claim, Subject, Token};
use crate::protocol::time::Instant;

/// What is signed begins with this, so that a signature means nothing elsewhere.
const CONTEXT: &[u8] = b"dsms token\0";

/// The first words of a key's text, so that neither half is taken for the other.
const SECRET: &str = "dsms-token-secret-key";
const PUBLIC: &str = "dsms-token-public-key";

/// The name of a key: the beginning of its public half's BLAKE3 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl FromStr for KeyId {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<KeyId, NotAKey> {
        hex::decode(text).map(KeyId).ok_or(NotAKey::Other)
    }
}

/// The text is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// The secret half stands where the public one belongs.
    #[error(
        "this is the secret half of a key, which belongs to whoever issues tokens and nowhere else; name its .pub file"
    )]
    Secret,
    /// Something else.
    #[error("not a token key; `dsms token init` makes one")]
    Other,
}

/// The half that issues tokens.
pub struct SigningKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

/// The half that tells whether a token was issued by the other one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl SigningKey {
    /// The key of a seed, which must have been drawn at random.
    pub fn from_seed(seed: [u8; 32]) -> SigningKey {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed");
        SigningKey { seed, pair }
    }

    /// Reads the text of a key file.
    pub fn read(text: &str) -> Result<SigningKey, NotAKey> {
        let seed = text.trim_end().strip_prefix(SECRET).and_then(|rest| hex::decode(rest.strip_prefix(' ')?));
        seed.map(SigningKey::from_seed).ok_or(NotAKey::Other)
    }

    /// The text for its file and nowhere else.
    pub fn to_text(&self) -> String {
        format!("{SECRET} {}\n", hex::encode(&self.seed))
    }

    /// The other half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.pair.public_key().as_ref().try_into().expect("a public key has 32 bytes"))
    }

    /// A token for this id, good until that second since the Unix epoch.
    pub fn issue(&self, subject: Subject, expires_at: u64) -> Token {
        let claim = Claim { subject, expires_at, key: self.public().id() };
        let signature = self.pair.sign(&signed_bytes(&claim));
        Token { claim, signature: signature.as_ref().try_into().expect("a signature has 64 bytes") }
    }
}

/// A secret is never printed.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

impl PublicKey {
    /// Reads the text of a public key's file.
    pub fn read(text: &str) -> Result<PublicKey, NotAKey> {
        let text = text.trim_end();
        if text.starts_with(SECRET) {
            return Err(NotAKey::Secret);
        }
        let bytes = text.strip_prefix(PUBLIC).and_then(|rest| hex::decode(rest.strip_prefix(' ')?));
        bytes.map(PublicKey).ok_or(NotAKey::Other)
    }

    /// The text for its file.
    pub fn to_text(self) -> String {
        format!("{PUBLIC} {}\n", hex::encode(&self.0))
    }

    /// Its name.
    pub fn id(self) -> KeyId {
        KeyId(*blake3::hash(&self.0).as_bytes().first_chunk().expect("a hash is longer than a name"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

fn signed_bytes(claim: &Claim) -> Vec<u8> {
    [CONTEXT, claim.to_string().as_bytes()].concat()
}

/// Why a token is not good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It is of a key that does not count, or not any more.
    #[error(
        "the token of {subject} is signed with the key {key}, which this front end does not accept (any more); \
         have a new one issued with: dsms token issue {subject}"
    )]
    UnknownKey {
        /// Whose.
        subject: Subject,
        /// Which.
        key: KeyId,
    },
    /// The signature is not that of the key.
    #[error(
        "the token of {subject} is forged or damaged: its signature is not that of the key {key}; \
         have a new one issued with: dsms token issue {subject}"
    )]
    Forged {
        /// Whose.
        subject: Subject,
        /// Which.
        key: KeyId,
    },
    /// Its time is over.
    #[error("the token of {subject} has expired; have a new one issued with: dsms token issue {subject}")]
    Expired {
        /// Whose.
        subject: Subject,
    },
}

/// The public keys that a front end accepts.
#[derive(Clone, Debug, Default)]
pub struct TokenKeys(BTreeMap<KeyId, PublicKey>);

impl TokenKeys {
    /// Whether tokens of this key are good at all.
    pub fn accepts(&self, key: KeyId) -> bool {
        self.0.contains_key(&key)
    }

    /// The names of the keys, in their order.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.keys().copied()
    }

    /// Whether a token is good now. What it says of its subject is worth nothing otherwise.
    pub fn verify(&self, token: &Token, now: Instant) -> Result<(), BadToken> {
        let Claim { subject, key, .. } = token.claim;
        let Some(public) = self.0.get(&key) else { return Err(BadToken::UnknownKey { subject, key }) };
        let verified = UnparsedPublicKey::new(&ED25519, public.0).verify(&signed_bytes(&token.claim), &token.signature);
        if verified.is_err() {
            return Err(BadToken::Forged { subject, key });
        }
        if token.claim.expires() <= now { Err(BadToken::Expired { subject }) } else { Ok(()) }
    }
}

impl FromIterator<PublicKey> for TokenKeys {
    fn from_iter<T: IntoIterator<Item = PublicKey>>(keys: T) -> TokenKeys {
        TokenKeys(keys.into_iter().map(|key| (key.id(), key)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRES_AT: u64 = 1_800_000_000;
    const BEFORE: Instant = Instant((EXPIRES_AT - 1) * 1_000_000);
    const THEN: Instant = Instant(EXPIRES_AT * 1_000_000);

    fn subject(text: &str) -> Subject {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_is_good_with_its_key_until_it_expires() {
        let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let keys = TokenKeys::from_iter([key.public(), other.public()]);
        let token = key.issue(subject("NYKA1001"), EXPIRES_AT);
        assert_eq!(keys.verify(&token, BEFORE), Ok(()));
        assert_eq!(keys.verify(&token, THEN), Err(BadToken::Expired { subject: subject("NYKA1001") }));
        let rotated = TokenKeys::from_iter([other.public()]);
        assert!(matches!(rotated.verify(&token, BEFORE), Err(BadToken::UnknownKey { .. })));
        assert_eq!(rotated.verify(&other.issue(Subject::Operator, EXPIRES_AT), BEFORE), Ok(()));
    }

    #[test]
    fn a_token_that_says_something_else_than_was_signed_is_forged() {
        let key = SigningKey::from_seed([1; 32]);
        let keys = TokenKeys::from_iter([key.public()]);
        let good = key.issue(subject("NYKB1001"), EXPIRES_AT);
        let mut forged = vec![
            Token { claim: Claim { subject: Subject::Operator, ..good.claim }, ..good.clone() },
            Token { claim: Claim { expires_at: EXPIRES_AT + 1, ..good.claim }, ..good.clone() },
        ];
        for place in 0..good.signature.len() {
            let mut altered = good.clone();
            altered.signature[place] ^= 1;
            forged.push(altered);
        }
        let mut of_a_stranger = SigningKey::from_seed([2; 32]).issue(subject("NYKB1001"), EXPIRES_AT);
        of_a_stranger.claim.key = key.public().id();
        forged.push(of_a_stranger);
        for token in forged {
            assert!(matches!(keys.verify(&token, BEFORE), Err(BadToken::Forged { .. })), "{}", token.to_text());
        }
    }

    #[test]
    fn keys_are_read_back_from_their_files_and_never_taken_for_each_other() {
        let key = SigningKey::from_seed(std::array::from_fn(|index| index as u8 * 7));
        let public = key.public();
        assert_eq!(SigningKey::read(&key.to_text()).unwrap().public(), public);
        assert_eq!(PublicKey::read(&public.to_text()), Ok(public));
        assert_eq!(PublicKey::read(&key.to_text()), Err(NotAKey::Secret));
        assert_eq!(SigningKey::read(&public.to_text()).unwrap_err(), NotAKey::Other);
        for text in ["", "dsms-token-public-key", "dsms-token-public-key zz"] {
            assert_eq!(PublicKey::read(text), Err(NotAKey::Other), "{text:?}");
        }
        let digits = key.to_text().split(' ').next_back().unwrap().trim_end().to_owned();
        assert!(!format!("{key:?}").contains(&digits));
    }
}
