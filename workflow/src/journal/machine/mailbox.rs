//! Messages that reached the run, and the waits they meet: first in, first out within each channel.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::OpId;
use crate::journal::message::{Channel, Message};
use crate::words::time::Timestamp;

/// The messages not yet consumed, and the operations that wait for some.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    channels: HashMap<Channel, Meeting>,
    /// Channels in which a message and a wait have met, by the message's time and position.
    met: BTreeMap<(Timestamp, u64), Channel>,
    waits: usize,
    seen: u64,
}

#[derive(Debug, Default)]
struct Meeting {
    messages: VecDeque<Message>,
    waits: BTreeSet<OpId>,
}

impl Mailbox {
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether any operation waits for a message.
    pub(super) const fn is_awaited(&self) -> bool {
        self.waits > 0
    }

    /// Takes a message; one that is known already changes nothing.
    pub(super) fn arrive(&mut self, message: Message) {
        if message.seq <= self.seen {
            return;
        }
        self.seen = message.seq;
        let channel = message.message.channel.clone();
        let meeting = self.channels.entry(channel.clone()).or_default();
        meeting.messages.push_back(message);
        self.note(&channel);
    }

    pub(super) fn wait(&mut self, channel: &Channel, op: OpId) {
        if self.channels.entry(channel.clone()).or_default().waits.insert(op) {
            self.waits += 1;
        }
        self.note(channel);
    }

    pub(super) fn leave(&mut self, channel: &Channel, op: OpId) {
        let Some(meeting) = self.channels.get_mut(channel) else { return };
        if meeting.waits.remove(&op) {
            self.waits -= 1;
        }
        if meeting.waits.is_empty()
            && let Some(first) = meeting.messages.front()
        {
            self.met.remove(&(first.at, first.seq));
        }
        if meeting.waits.is_empty() && meeting.messages.is_empty() {
            self.channels.remove(channel);
        }
    }

    fn note(&mut self, channel: &Channel) {
        let Some(meeting) = self.channels.get(channel) else { return };
        if let (Some(message), false) = (meeting.messages.front(), meeting.waits.is_empty()) {
            self.met.insert((message.at, message.seq), channel.clone());
        }
    }

    /// The earliest message that a wait has met, and the wait that asked first.
    pub(super) fn first(&self) -> Option<(Timestamp, OpId)> {
        let ((at, _), channel) = self.met.first_key_value()?;
        let wait = self.channels.get(channel)?.waits.first()?;
        Some((*at, *wait))
    }

    /// Takes the message of [`Self::first`] out of the mailbox. The wait stays until it leaves.
    pub(super) fn take_first(&mut self) -> Option<Message> {
        let (_, channel) = self.met.pop_first()?;
        let message = self.channels.get_mut(&channel)?.messages.pop_front()?;
        self.note(&channel);
        Some(message)
    }
}
