//! Whoever has modules replaced: asks for the swaps of the plan, one at a time of each replica, and ends those that take too long.

use std::collections::BTreeMap;

use super::super::next_module::NextModule;
use super::World;
use crate::protocol::client_message::ClientMessage;
use crate::protocol::id::{ReplicaId, RequestNumber};
use crate::protocol::swap::{Candidate, SwapAsk, SwapId, SwapStatus};

/// What an operator has asked for last, of each replica.
#[derive(Debug, Default)]
pub(super) struct Operator {
    asked: BTreeMap<ReplicaId, Asked>,
}

#[derive(Debug)]
struct Asked {
    /// Its place in the plan.
    index: usize,
    to: NextModule,
    shadow_len: u64,
    /// The number of the last message about it.
    number: RequestNumber,
    /// Once the front end has said which swap it is.
    swap: Option<SwapId>,
    /// The replica's manager has begun with it.
    is_taken_up: bool,
    is_over: bool,
}

impl Operator {
    /// The front end has answered; without a status, there is no such swap.
    pub(super) fn on_told(&mut self, number: RequestNumber, status: Option<&SwapStatus>) {
        let Some(asked) = self.asked.values_mut().find(|asked| asked.number == number) else { return };
        asked.swap = status.map(|status| status.swap);
        asked.is_over = status.is_none_or(|status| status.stage.is_over());
    }

    /// The front end's process has ended, and with it what it knew of swaps.
    pub(super) fn on_disconnected(&mut self) {
        self.asked.values_mut().for_each(|asked| asked.is_over = true);
    }
}

impl World {
    /// Whether somebody can ask for a swap of this replica now.
    pub(super) fn can_ask_for_swap(&self, replica: ReplicaId) -> bool {
        let is_free = self.operator.asked.get(&replica).is_none_or(|asked| asked.is_over);
        is_free && self.clients.last().is_some_and(|client| client.connection.is_some())
    }

    /// The operator asks for a swap.
    pub(super) fn begin_swap(&mut self, index: usize, replica: ReplicaId, to: NextModule, shadow_len: u64) {
        let candidate = match to {
            NextModule::Previous => Candidate::Previous,
            _ => Candidate::File { path: to.name().to_owned(), digest: to.digest() },
        };
        self.narrator.say(self.now, "operator", || {
            format!("swap the module of {replica} to {:?} after {shadow_len} equal outcomes", to.name())
        });
        let number = self.ask_about_swap(SwapAsk::Begin { replica, candidate, shadow_len });
        let asked = Asked { index, to, shadow_len, number, swap: None, is_taken_up: false, is_over: false };
        self.operator.asked.insert(replica, asked);
    }

    /// The time for the swap at this place of the plan is over.
    pub(super) fn end_swap(&mut self, index: usize) {
        let of_plan = self.operator.asked.iter().find(|(_, asked)| asked.index == index);
        if let Some(replica) = of_plan.map(|(replica, _)| *replica) {
            self.ask_again(replica, |swap| SwapAsk::End { replica, swap });
        }
    }

    /// The time for all swaps is over.
    pub(super) fn end_swaps(&mut self) {
        for replica in self.operator.asked.keys().copied().collect::<Vec<_>>() {
            self.ask_again(replica, |swap| SwapAsk::End { replica, swap });
        }
    }

    /// Asks how far the swap of a replica is.
    pub(super) fn look_at_swap(&mut self, replica: ReplicaId) {
        self.ask_again(replica, |swap| SwapAsk::Look { replica, swap });
    }

    fn ask_again(&mut self, replica: ReplicaId, ask: impl FnOnce(SwapId) -> SwapAsk) {
        let asked = self.operator.asked.get(&replica).filter(|asked| !asked.is_over);
        let Some(swap) = asked.and_then(|asked| asked.swap) else { return };
        let number = self.ask_about_swap(ask(swap));
        self.operator.asked.get_mut(&replica).expect("it was found above").number = number;
    }

    /// The swaps of which it is not known that they are over.
    pub(super) fn unended_swaps(&self) -> Vec<String> {
        let unended = self.operator.asked.iter().filter(|(_, asked)| !asked.is_over);
        unended.map(|(replica, asked)| format!("the swap of {replica} to {:?} goes on", asked.to.name())).collect()
    }

    /// The front end hands a swap to a replica's manager.
    pub(super) fn note_swap_begun(&mut self, replica: ReplicaId, swap: SwapId) {
        let asked = self.operator.asked.get(&replica).expect("nobody else asks for swaps");
        self.laws.on_swap_begun(replica, swap, asked.to.is_right(), asked.shadow_len);
    }

    /// A manager has begun with a swap.
    pub(super) fn note_swap_taken_up(&mut self, replica: ReplicaId) {
        let asked = self.operator.asked.get_mut(&replica).expect("nobody else asks for swaps");
        if !std::mem::replace(&mut asked.is_taken_up, true) {
            let index = asked.index;
            self.note_struck(&[index]);
        }
    }

    fn ask_about_swap(&mut self, ask: SwapAsk) -> RequestNumber {
        let operator = self.clients.len() - 1;
        let number = self.clients[operator].ask(|number| ClientMessage::Swap { number, ask });
        self.send_from(operator);
        number
    }
}
