//! The gate of one connection: which message needs which token, and what the connection has shown.
//!
//! | Message | Needs, where tokens are required |
//! |---|---|
//! | a request | a token of the caller that it names |
//! | the status of the nodes | nothing, so that anybody can watch whether the service is up |
//! | digest, why, history, events, faults, swap | a token of the operator: they change something, cost everybody, or show others' requests |
//!
//! A request whose caller is no id at all passes: the front end refuses it in its own words.

use std::collections::BTreeMap;

use super::key::TokenKeys;
use super::token::{Claim, Subject, Token};
use crate::market::Caller;
use crate::protocol::client_message::{ClientMessage, TokenText};
use crate::protocol::time::Instant;

/// Most ids that one connection may speak for. Clients control it; each takes some 50 us to be looked at. It is enough for a load that
/// speaks for every buyer of `dsms bench`.
pub const SUBJECTS_LEN_MAX: usize = 512;

/// What clients have to show.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Nothing: whoever reaches the client port may speak for anybody.
    Open,
    /// A token of each id that they speak for, signed with one of these keys.
    TokensRequired(TokenKeys),
}

/// A message that may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is answered with these words, and the connection goes on.
    Unauthorized(String),
    /// The connection ends for this reason.
    Ends(String),
}

/// What one connection has shown so far.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// The best token of each subject that it has shown.
    shown: BTreeMap<Subject, Claim>,
}

impl Gate {
    /// Whether a message may pass now.
    pub fn check(&mut self, policy: &Policy, message: &ClientMessage, now: Instant) -> Result<(), Refusal> {
        let Policy::TokensRequired(keys) = policy else { return Ok(()) };
        let needed = match message {
            ClientMessage::Hello { .. } | ClientMessage::Status { .. } => return Ok(()),
            ClientMessage::Tokens { tokens } => return self.show(keys, tokens, now).map_err(Refusal::Ends),
            ClientMessage::Request { words, .. } => match words.first().and_then(|word| word.parse::<Caller>().ok()) {
                Some(caller) => Subject::Caller(caller),
                None => return Ok(()),
            },
            ClientMessage::Digest { .. }
            | ClientMessage::Why { .. }
            | ClientMessage::Events { .. }
            | ClientMessage::Faults { .. }
            | ClientMessage::Swap { .. }
            | ClientMessage::History { .. } => Subject::Operator,
        };
        let message = match self.shown.get(&needed) {
            Some(claim) if now < claim.expires() && keys.accepts(claim.key) => return Ok(()),
            Some(claim) => format!(
                "the token of {needed} {}; connect again with a new one, issued with: dsms token issue {needed}",
                if keys.accepts(claim.key) { "has expired" } else { "is of a key that is not accepted any more" }
            ),
            None => format!(
                "this needs a token of {needed}, and this connection has {}; name the file of one with --token-file or \
                 DSMS_TOKEN_FILE, issued with: dsms token issue {needed}",
                self.shown_words()
            ),
        };
        Err(Refusal::Unauthorized(message))
    }

    /// Takes tokens in; the first one that is not good is told of.
    fn show(&mut self, keys: &TokenKeys, tokens: &[TokenText], now: Instant) -> Result<(), String> {
        for TokenText(text) in tokens {
            let token = Token::read(text).map_err(|error| error.to_string())?;
            keys.verify(&token, now).map_err(|error| error.to_string())?;
            let shown = self.shown.entry(token.claim.subject).or_insert(token.claim);
            if token.claim.expires_at > shown.expires_at || !keys.accepts(shown.key) {
                *shown = token.claim;
            }
            if self.shown.len() > SUBJECTS_LEN_MAX {
                return Err(format!(
                    "a connection may speak for {SUBJECTS_LEN_MAX} ids at most; share them out to several"
                ));
            }
        }
        Ok(())
    }

    fn shown_words(&self) -> String {
        match self.shown.len() {
            0 => "shown none".to_owned(),
            1 => format!("shown one of {}", self.shown.keys().next().expect("there is one")),
            len => format!("shown {len} others"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::key::SigningKey;
    use crate::protocol::client_message::FaultAsk;
    use crate::protocol::id::{ClientId, ReplicaId, RequestNumber};
    use crate::protocol::swap::{SwapAsk, SwapId};

    const NOW: Instant = Instant(1_000_000_000_000);
    const LATER: Instant = Instant(1_000_100_000_000);
    const NUMBER: RequestNumber = RequestNumber(1);

    fn key() -> SigningKey {
        SigningKey::from_seed([1; 32])
    }

    fn tokens(subjects: &[&str]) -> ClientMessage {
        let issue = |subject: &&str| TokenText(key().issue(subject.parse().unwrap(), 1_000_050).to_text());
        ClientMessage::Tokens { tokens: subjects.iter().map(issue).collect() }
    }

    fn request(words: &str) -> ClientMessage {
        ClientMessage::Request { number: NUMBER, words: words.split_whitespace().map(str::to_owned).collect() }
    }

    fn operators() -> Vec<ClientMessage> {
        let replica = ReplicaId::new(1).unwrap();
        vec![
            ClientMessage::Digest { number: NUMBER },
            ClientMessage::Why { number: NUMBER, sequence: 1 },
            ClientMessage::Events { number: NUMBER, after: 0 },
            ClientMessage::History { number: NUMBER, after: 0 },
            ClientMessage::Faults { number: NUMBER, ask: FaultAsk::List },
            ClientMessage::Swap { number: NUMBER, ask: SwapAsk::Look { replica, swap: SwapId(1) } },
        ]
    }

    /// A gate that was shown tokens of these ids.
    fn gate(subjects: &[&str]) -> (Gate, Policy) {
        let policy = Policy::TokensRequired(TokenKeys::from_iter([key().public()]));
        let mut gate = Gate::default();
        assert_eq!(gate.check(&policy, &tokens(subjects), NOW), Ok(()));
        (gate, policy)
    }

    #[track_caller]
    fn check_refused(gate: &mut Gate, policy: &Policy, message: &ClientMessage, now: Instant, words: &str) {
        let Err(Refusal::Unauthorized(told)) = gate.check(policy, message, now) else {
            panic!("{message:?} passes");
        };
        assert!(told.contains(words) && told.contains("dsms token issue"), "{told}");
    }

    #[test]
    fn whoever_shows_no_token_may_only_look_whether_the_service_is_up() {
        let (mut gate, policy) = gate(&[]);
        for message in [ClientMessage::Hello { client: ClientId(1) }, ClientMessage::Status { number: NUMBER }] {
            assert_eq!(gate.check(&policy, &message, NOW), Ok(()));
        }
        check_refused(&mut gate, &policy, &request("NYKA1001 add-share"), NOW, "a token of NYKA1001");
        for message in operators() {
            check_refused(&mut gate, &policy, &message, NOW, "a token of operator");
        }
        assert_eq!(
            gate.check(&policy, &request("nobody get-shares"), NOW),
            Ok(()),
            "the front end refuses that itself"
        );
        assert_eq!(gate.check(&policy, &request(""), NOW), Ok(()));
    }

    #[test]
    fn a_token_is_good_for_its_id_alone_in_any_case_and_until_it_expires() {
        let (mut gate, policy) = gate(&["NYKA1001", "LONB2001"]);
        for words in ["NYKA1001 get-shares --buyer NYKB1001", "nyka1001 x", "LONB2001 get-shares"] {
            assert_eq!(gate.check(&policy, &request(words), NOW), Ok(()), "{words}");
        }
        check_refused(&mut gate, &policy, &request("NYKA1002 get-shares"), NOW, "shown 2 others");
        check_refused(&mut gate, &policy, &request("NYKA1001 get-shares"), LATER, "has expired");
        for message in operators() {
            check_refused(&mut gate, &policy, &message, NOW, "a token of operator");
        }
    }

    #[test]
    fn a_token_whose_key_is_not_accepted_any_more_is_good_for_nothing_also_where_it_was_shown() {
        let (mut gate, policy) = gate(&["NYKA1001"]);
        assert_eq!(gate.check(&policy, &request("NYKA1001 get-shares"), NOW), Ok(()));
        let other = SigningKey::from_seed([2; 32]);
        let rotated = Policy::TokensRequired(TokenKeys::from_iter([other.public()]));
        check_refused(&mut gate, &rotated, &request("NYKA1001 get-shares"), NOW, "not accepted any more");
        let text = other.issue("NYKA1001".parse().unwrap(), 1_000_020).to_text();
        assert_eq!(gate.check(&rotated, &ClientMessage::Tokens { tokens: vec![TokenText(text)] }, NOW), Ok(()));
        assert_eq!(gate.check(&rotated, &request("NYKA1001 get-shares"), NOW), Ok(()));
    }

    #[test]
    fn an_operator_may_look_at_and_change_everything_but_speak_for_nobody() {
        let (mut gate, policy) = gate(&["operator"]);
        for message in operators() {
            assert_eq!(gate.check(&policy, &message, NOW), Ok(()), "{message:?}");
        }
        check_refused(&mut gate, &policy, &request("NYKA1001 get-shares"), NOW, "shown one of operator");
    }

    #[test]
    fn a_token_that_is_not_good_ends_the_connection() {
        let (mut gate, policy) = gate(&[]);
        let of_a_stranger = SigningKey::from_seed([2; 32]).issue(Subject::Operator, 1_000_050).to_text();
        for (text, now, words) in [
            ("hello".to_owned(), NOW, "not a token"),
            (of_a_stranger, NOW, "does not accept"),
            (key().issue(Subject::Operator, 1_000_000).to_text(), NOW, "has expired"),
            (key().issue(Subject::Operator, 1_000_050).to_text().replace("50.", "51."), NOW, "forged"),
        ] {
            let shown = gate.check(&policy, &ClientMessage::Tokens { tokens: vec![TokenText(text)] }, now);
            assert!(matches!(&shown, Err(Refusal::Ends(told)) if told.contains(words)), "{shown:?}");
        }
        let many: Vec<String> = (0..=SUBJECTS_LEN_MAX).map(|number| format!("NYKB{number:04}")).collect();
        let many = tokens(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(matches!(gate.check(&policy, &many, NOW), Err(Refusal::Ends(told)) if told.contains("at most")));
    }

    #[test]
    fn where_nothing_is_required_everything_passes() {
        let mut gate = Gate::default();
        let garbage = ClientMessage::Tokens { tokens: vec![TokenText("garbage".to_owned())] };
        for message in operators().into_iter().chain([garbage, request("NYKA1001 get-shares")]) {
            assert_eq!(gate.check(&Policy::Open, &message, NOW), Ok(()));
        }
    }
}
