//! Tells what happens in a run, one line a happening, for people.

use crate::protocol::id::NodeId;
use crate::protocol::message::{Message, Response};
use crate::protocol::recipients::Recipients;
use crate::protocol::swap::{Candidate, Stage};
use crate::protocol::time::Instant;

/// The lines of a run so far, if anybody wants them.
#[derive(Debug)]
pub struct Narrator {
    /// Times are told as the time since then.
    started: Instant,
    is_wanted: bool,
    lines: Vec<String>,
    /// When the last line was said.
    pub said_at: Instant,
}

impl Narrator {
    /// A narrator that tells, or does not.
    pub fn new(started: Instant, is_wanted: bool) -> Narrator {
        Narrator { started, is_wanted, lines: Vec::new(), said_at: started }
    }

    /// Whether anybody wants to know.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Forgets what was said, and tells times as the time since now.
    pub fn begin_anew(&mut self, now: Instant) {
        self.started = now;
        self.lines.clear();
    }

    /// Says what happens; the words are made only if somebody wants them.
    pub fn say(&mut self, now: Instant, who: &str, words: impl FnOnce() -> String) {
        if !self.is_wanted {
            return;
        }
        self.said_at = now;
        let after = now.since(self.started).as_millis();
        self.lines.push(format!("{after:>6} ms  {who:<11} {}", words().replace("\n ", ";")));
    }

    /// The same, of a node.
    pub fn say_of(&mut self, now: Instant, node: NodeId, words: impl FnOnce() -> String) {
        if self.is_wanted {
            self.say(now, &node.to_string(), words);
        }
    }

    /// The lines since this was last asked.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Says what a node tells others, if it is not one of the messages that only keep the cluster going.
    pub fn say_message(&mut self, now: Instant, node: NodeId, message: &Message, to: Recipients) {
        if self.is_wanted
            && let Some(words) = message_words(message, to)
        {
            self.say_of(now, node, || words);
        }
    }
}

/// What a message says, for those that are not heartbeats and that no event tells of.
fn message_words(message: &Message, to: Recipients) -> Option<String> {
    let to = match to {
        Recipients::One(node) => node.to_string(),
        Recipients::ReplicaManagers => "all replicas".to_owned(),
        Recipients::FrontEnds => "all front ends".to_owned(),
        Recipients::Watchers | Recipients::All => "all".to_owned(),
    };
    match message {
        Message::Submit { id, .. } => Some(format!("submit request {} to {to}", id.number.0)),
        Message::Order(order) => Some(format!("order #{} = request {} to {to}", order.sequence, order.id.number.0)),
        Message::Accuse(charge) => Some(format!("accuse {} of #{} to {to}", charge.replica, charge.sequence)),
        Message::Suspect(charge) => {
            Some(format!("suspect {} of silence at #{} to {to}", charge.replica, charge.sequence))
        }
        Message::Void { sequence } => Some(format!("void #{sequence} to {to}")),
        Message::CheckpointVote { sequence, digest } => Some(format!("checkpoint #{sequence} is {}", digest.short())),
        Message::WantCheckpoint => Some(format!("want a checkpoint to {to}")),
        Message::FetchLog { after } => Some(format!("fetch the log after #{after} from {to}")),
        Message::Log { after, orders } => Some(format!("{} orders after #{after} to {to}", orders.len())),
        Message::FetchOffer => Some(format!("fetch any checkpoint from {to}")),
        Message::Offer(certificate) => Some(format!("offer checkpoint #{} to {to}", certificate.sequence)),
        Message::FetchState { sequence, offset } => {
            Some(format!("fetch checkpoint #{sequence} from byte {offset} from {to}"))
        }
        Message::State { sequence, bytes, len, .. } => {
            Some(format!("checkpoint #{sequence}, {} of {len} bytes to {to}", bytes.len()))
        }
        Message::Reply(reply) => Some(format!("reply #{} {}", reply.sequence, response_words(&reply.response))),
        Message::FetchEnd { ordered, .. } => Some(format!("how far is your log? #{ordered} is known, to {to}")),
        Message::LogEnd { sequence, .. } => Some(format!("my log ends at #{sequence}, to {to}")),
        Message::Missing { after } => Some(format!("nobody has the order after #{after}, to {to}")),
        Message::Resume { after, .. } => Some(format!("the order goes on after #{after}, to {to}")),
        Message::Swap { candidate: Candidate::File { path, .. }, .. } => Some(format!("swap to {path:?}, to {to}")),
        Message::Swap { candidate: Candidate::Previous, .. } => Some(format!("swap back, to {to}")),
        Message::SwapReport { stage, .. } => Some(stage_words(stage)),
        Message::ShadowReply { sequence, response, .. } => {
            Some(format!("the shadow says #{sequence} {}", response_words(response)))
        }
        Message::Promote { .. } => Some(format!("let the shadow take over, to {to}")),
        Message::EndSwap { .. } => Some(format!("end the swap, to {to}")),
        Message::Sequenced { .. }
        | Message::Resumed { .. }
        | Message::Progress(_)
        | Message::Event { .. }
        | Message::CrashVote { .. }
        | Message::Join
        | Message::Joined { .. }
        | Message::AddFault { .. }
        | Message::RemoveFault { .. }
        | Message::FaultReport { .. } => None,
    }
}

fn response_words(response: &Response) -> String {
    match response {
        Response::Executed { outcome, .. } => outcome.to_string(),
        Response::StateDigest(digest) => digest.short(),
        Response::Forgotten => "forgotten".to_owned(),
        Response::Fault(fault) => fault.to_string(),
    }
}

fn stage_words(stage: &Stage) -> String {
    match stage {
        Stage::Loading => "the swap: loading".to_owned(),
        Stage::Importing => "the swap: importing the state".to_owned(),
        Stage::Following { executed, target } => format!("the swap: #{executed} of #{target} is executed"),
        Stage::Promoted { incarnation, sequence } => {
            format!("the swap: done after #{sequence}, life {incarnation} begins")
        }
        Stage::Failed(reason) => format!("the swap: failed, {reason}"),
    }
}
