//! [`Command::Send`](crate::journal::command::Command::Send).

use super::moves::wake;
use super::{Effects, Hint, Transition};
use crate::journal::command::{Send, SendReply};
use crate::journal::head::{Head, Place};
use crate::journal::message::{Channel, Message};
use crate::words::id::InstanceId;
use crate::words::limits::{EVENTS_MAX, MAILBOX_MAX};
use crate::words::time::Timestamp;

/// What a store looks up for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The run has accepted a message of this id before.
    pub known: bool,
    /// The session of [`Head::session`] lives.
    pub alive: bool,
}

/// Puts a message into the mailbox, and wakes who waits for it.
///
/// It does not raise `v` unless it wakes: an owner's write goes through all the same, and brings the message in its
/// answer.
pub fn send(head: Option<&Head>, send: &Send, facts: Facts, now: Timestamp) -> Transition<SendReply> {
    let Some(head) = head else { return Transition::refuse(SendReply::Unknown) };
    match refusal(head, send, facts) {
        Some(reply) => Transition::refuse(reply),
        None => accept(head, send, facts, now),
    }
}

fn refusal(head: &Head, send: &Send, facts: Facts) -> Option<SendReply> {
    if send.run.is_some_and(|run| run != head.run) {
        return Some(SendReply::Unknown);
    }
    if matches!(head.place, Place::Done { .. }) {
        return Some(SendReply::Finished);
    }
    if facts.known {
        return Some(SendReply::Accepted);
    }
    // The end of a child answers what the run itself asked for: refusing it would leave the run waiting for ever.
    let full = head.unread >= MAILBOX_MAX || head.arrivals >= EVENTS_MAX;
    (full && send.message.channel.as_child().is_none()).then_some(SendReply::Full)
}

fn accept(head: &Head, send: &Send, facts: Facts, now: Timestamp) -> Transition<SendReply> {
    let mut next = head.clone();
    next.updated_at = now;
    next.arrivals += 1;
    next.unread += 1;
    if let Some(child) = send.message.channel.as_child() {
        forget_child(&mut next, child);
    }
    let message = Message { seq: next.arrivals, at: now, message: send.message.clone() };
    let hint = tell(&mut next, &send.message.channel, facts.alive, now);
    Transition {
        head: Some(next),
        reply: SendReply::Accepted,
        effects: Effects { deliver: Some(message), hints: hint.into_iter().collect(), ..Effects::default() },
    }
}

/// A child that has ended need not be closed: a parent of many children in a row stays small.
fn forget_child(head: &mut Head, ended: &str) {
    head.children.retain(|child: &InstanceId| child.as_str() != ended);
}

/// Wakes it, or tells its owner. In every other place the message is found by whoever claims the instance next.
fn tell(head: &mut Head, channel: &Channel, alive: bool, now: Timestamp) -> Option<Hint> {
    match &mut head.place {
        Place::Asleep { waits, .. } if waits.iter().any(|wait| wait.channel.as_ref() == Some(channel)) => {
            Some(wake(head, alive, now))
        }
        Place::Held { session, notice } => {
            *notice = true;
            Some(Hint::Inbox(*session))
        }
        _ => None,
    }
}
