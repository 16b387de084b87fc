//! How much a command adds to a transaction, in bytes: what bounds a group beside its count.

use crate::journal::command::{Command, Outgoing, OwnerWrite, Then};

/// What any command costs beside its payloads.
const BASE: usize = 256;

/// The bytes a command is likely to write.
pub(super) fn weigh(command: &Command) -> usize {
    let payload = match command {
        Command::Create(create) => create.spec.input.as_bytes().len(),
        Command::Send(send) => send.message.payload.as_bytes().len(),
        Command::Own(write) => weigh_write(write),
        Command::Claim(claim) => claim.limit.saturating_mul(BASE),
        Command::Recover { limit, .. }
        | Command::WakeDue { limit }
        | Command::Unstick { limit, .. }
        | Command::Expire { limit } => limit.saturating_mul(BASE),
        _ => 0,
    };
    BASE.saturating_add(payload)
}

fn weigh_write(write: &OwnerWrite) -> usize {
    let records: usize = write.write.records.iter().map(|record| record.as_bytes().len()).sum();
    let outgoing: usize = write.write.outgoing.iter().map(weigh_outgoing).sum();
    let output = match &write.write.then {
        Then::Finish(ending) => ending.result.as_ref().map_or(0, |output| output.as_bytes().len()),
        _ => 0,
    };
    records + outgoing + output
}

fn weigh_outgoing(outgoing: &Outgoing) -> usize {
    BASE + match outgoing {
        Outgoing::CreateChild { spec, .. } => spec.input.as_bytes().len(),
        Outgoing::Deliver { message, .. } => message.payload.as_bytes().len(),
        Outgoing::Close { .. } => 0,
    }
}
