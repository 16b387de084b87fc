//! A store that has lost one of its guards: what a simulation must notice.

use std::sync::Arc;

use workflow::journal::command::{
    Claim, Command, Control, Create, CreateReply, OwnReply, Owner, OwnerWrite, Reply, Send, SendReply, Then, Write,
};
use workflow::journal::head::Place;
use workflow::journal::lease::Lease;
use workflow::journal::message::NewMessage;
use workflow::store::model::ModelStore;
use workflow::words::id::{RequestId, random_u128};

/// The guard that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// A stale or fenced owner writes.
    StaleWrites,
    /// A repeated request is carried out again.
    RequestsForgotten,
    /// An event that is sent twice is accepted twice.
    EventsForgotten,
    /// A claim that is repeated gives something else.
    ClaimsUnnumbered,
    /// An owner that has not seen every message suspends all the same.
    ContinueUnsaid,
    /// What is due is not woken.
    TimersUnswept,
    /// What a lost session held stays with it.
    Unrecovered,
    /// What instances want of each other is not found.
    OutboxUnread,
    /// The end of a child is acknowledged and not delivered.
    EndsUndelivered,
    /// A claim gives more than it has tokens for.
    TokensUncounted,
    /// More tokens are leased than there are.
    LeasesUncounted,
    /// A create is acknowledged and not kept.
    CreatesLost,
    /// A result is acknowledged and not kept.
    RecordsLost,
    /// An event is acknowledged and not kept.
    EventsLost,
    /// A message is not consumed with its record.
    EventsUnconsumed,
}

pub(crate) const ALL: [Sabotage; 15] = [
    Sabotage::StaleWrites,
    Sabotage::RequestsForgotten,
    Sabotage::EventsForgotten,
    Sabotage::ClaimsUnnumbered,
    Sabotage::ContinueUnsaid,
    Sabotage::TimersUnswept,
    Sabotage::Unrecovered,
    Sabotage::OutboxUnread,
    Sabotage::EndsUndelivered,
    Sabotage::TokensUncounted,
    Sabotage::LeasesUncounted,
    Sabotage::CreatesLost,
    Sabotage::RecordsLost,
    Sabotage::EventsLost,
    Sabotage::EventsUnconsumed,
];

/// Carries a command out as the store does, less the guard.
pub(crate) fn carry_out(lost: Option<Sabotage>, store: &ModelStore, command: &Command) -> Reply {
    let Some(lost) = lost else { return store.apply(command) };
    match (lost, command) {
        (Sabotage::StaleWrites, Command::Own(write)) => stale_write(store, write),
        (Sabotage::RequestsForgotten, Command::Create(create)) => {
            store.apply(&Command::Create(Create { request: RequestId::generate(), ..create.clone() }))
        }
        (Sabotage::RequestsForgotten, Command::Own(write)) => {
            store.apply(&Command::Own(OwnerWrite { request: RequestId::generate(), ..write.clone() }))
        }
        (Sabotage::RequestsForgotten, Command::Control(control)) => {
            store.apply(&Command::Control(Control { request: RequestId::generate(), ..control.clone() }))
        }
        (Sabotage::EventsForgotten, Command::Send(send)) => {
            let event_id: Arc<str> = format!("{:x}", random_u128()).into();
            let message = NewMessage { event_id, ..send.message.clone() };
            store.apply(&Command::Send(Send { message, ..send.clone() }))
        }
        (Sabotage::ClaimsUnnumbered, Command::Claim(claim)) => {
            let newest = store.look(|data| {
                data.sessions
                    .get(&claim.session)
                    .map_or(0, |session| session.claim.as_ref().map_or(0, |memory| memory.number))
            });
            store.apply(&Command::Claim(Claim { number: newest.max(claim.number) + 1, ..claim.clone() }))
        }
        (Sabotage::ContinueUnsaid, Command::Own(write)) if matches!(write.write.then, Then::Suspend { .. }) => {
            store.apply(&with_write(write, |write| write.seen = u64::MAX))
        }
        (Sabotage::TimersUnswept, Command::WakeDue { .. }) | (Sabotage::Unrecovered, Command::Recover { .. }) => {
            Reply::Count { done: 0, next_due: None }
        }
        (Sabotage::EndsUndelivered, Command::Send(Send { run: Some(_), .. }))
        | (Sabotage::EventsLost, Command::Send(Send { run: None, .. })) => Reply::Send(SendReply::Accepted),
        (Sabotage::TokensUncounted, Command::Claim(claim)) => {
            let limits = claim.limits.iter().map(|(name, _)| (name.clone(), 1_000)).collect();
            store.apply(&Command::Claim(Claim { limits, ..claim.clone() }))
        }
        (Sabotage::LeasesUncounted, Command::Lease(lease)) => {
            store.apply(&Command::Lease(Lease { limit: 1_000, ..lease.clone() }))
        }
        (Sabotage::CreatesLost, Command::Create(_)) => Reply::Create(CreateReply::Created { claimed: None }),
        (Sabotage::RecordsLost, Command::Own(write)) => store.apply(&with_write(write, |write| write.records.clear())),
        (Sabotage::EventsUnconsumed, Command::Own(write)) => {
            store.apply(&with_write(write, |write| write.consumed.clear()))
        }
        _ => store.apply(command),
    }
}

fn with_write(of: &OwnerWrite, change: impl FnOnce(&mut Write)) -> Command {
    let mut changed = of.clone();
    change(&mut changed.write);
    Command::Own(changed)
}

/// As if whoever writes held the instance as it is.
fn stale_write(store: &ModelStore, write: &OwnerWrite) -> Reply {
    let reply = store.apply(&Command::Own(write.clone()));
    if !matches!(reply, Reply::Own(OwnReply::Fenced | OwnReply::Stale)) {
        return reply;
    }
    let holder = store.look(|data| {
        let head = &data.instances.get(&write.owner.id)?.head;
        match head.place {
            Place::Held { session, .. } => {
                Some(Owner { id: write.owner.id.clone(), session, run: head.run, v: head.v })
            }
            _ => None,
        }
    });
    match holder {
        Some(owner) => store.apply(&Command::Own(OwnerWrite { owner, ..write.clone() })),
        None => reply,
    }
}
