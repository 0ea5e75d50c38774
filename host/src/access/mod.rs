//! Who may ask what: tokens, the keys that sign them, and the gate of a connection.
//!
//! A token says that its bearer may speak for one id until a certain time, and is signed with Ed25519. Whoever has the secret key
//! issues tokens, anywhere and without asking anybody; a front end has public keys only, so that what it holds is of no use to a thief.
//!
//! This stands outside the protocol: a front end's driver looks at every client message before its core does, and neither the order nor
//! a replica ever hears of a token. There is no clock, socket or file in here.
//!
//! | File | Its part |
//! |---|---|
//! | `token.rs` | what a token says, and its text |
//! | `key.rs` | secret and public keys, and what was signed with them |
//! | `gate.rs` | which message needs which token, and what a connection has shown |

mod gate;
mod hex;
mod key;
mod token;

pub use gate::{Gate, Policy, Refusal};
pub use key::{BadToken, KeyId, NotAKey, PublicKey, SigningKey, TokenKeys};
pub use token::{Claim, EXPIRES_AT_MAX, NotAToken, Subject, TOKEN_LEN_MAX, Token};
