//! The twin of `own.lua`.

use super::claim::read_messages;
use super::{Call, Misread, Said};
use crate::journal::command::{
    Granted, Outgoing, OwnReply, Owner, OwnerWrite, ParentClose, PauseReason, Then, Wait, Write,
};
use crate::store::redis::keys::Keys;
use crate::store::redis::pack::Packer;
use crate::store::redis::stored::{pack_ending, pack_reason, pack_waits};
use crate::words::id::RequestId;
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// The letter of an append on the short way.
pub(super) const APPEND: u8 = b'a';
/// That of an end.
pub(super) const END: u8 = b'e';
/// That of a suspend.
pub(super) const SUSPEND: u8 = b'w';

/// The write as a call that goes the short way, if it may be one that has it: see `short.lua`.
pub(in super::super) fn short(keys: &Keys, request: &OwnerWrite) -> Option<Call> {
    let (owner, write) = (&request.owner, &request.write);
    // Who has seen messages is not undisturbed, and would be refused.
    if write.seen > 0 || write.shifted_ms != 0 || !write.consumed.is_empty() || !write.outgoing.is_empty() {
        return None;
    }
    let call = |letter, body: &dyn Fn(&mut Packer)| {
        Call::new(letter, vec![keys.instance(&owner.id)], |to| {
            to.four(owner.run).six(owner.v).session(owner.session).wide(request.request.0);
            body(to);
        })
    };
    match (&write.then, write.records.as_slice()) {
        (Then::Hold, [record]) => Some(call(APPEND, &|to| {
            to.raw(Payload::as_bytes(record));
        })),
        (Then::Finish(ending), records) => Some(call(END, &|to| {
            let (tag, end) = pack_ending(ending);
            to.id(&owner.id).byte(tag).long(&end);
            pack_records(to, records);
        })),
        (Then::Suspend { waits, paused: false }, records) => Some(call(SUSPEND, &|to| {
            to.id(&owner.id).time(first_due(waits)).long(&pack_waits(waits));
            pack_records(to, records);
        })),
        _ => None,
    }
}

fn pack_records(to: &mut Packer, records: &[Payload]) {
    to.three(records.len());
    for record in records {
        to.long(record.as_bytes());
    }
}

fn first_due(waits: &[Wait]) -> Option<Timestamp> {
    waits.iter().filter_map(|wait| wait.due).min()
}

/// What was done on the short way: the state version after it.
pub(in super::super) fn read_short(v: i64, now: Timestamp) -> Result<OwnReply, Misread> {
    let v = u64::try_from(v).map_err(|_| Misread("a state version is below zero".to_owned()))?;
    Ok(OwnReply::Ok(Granted { v, pause: false, now, messages: Vec::new() }))
}

/// The write as a call.
pub(in super::super) fn call(keys: &Keys, request: &OwnerWrite) -> Call {
    let (owner, write) = (&request.owner, &request.write);
    Call::new(b'O', needed(keys, request), |to| {
        let bytes: usize = write.records.iter().map(|record| record.as_bytes().len()).sum();
        to.byte(letter(write)).wide(request.request.0).four(owner.run).six(owner.v).session(owner.session);
        to.six(write.seen);
        to.signed_six(write.shifted_ms).four(u32::try_from(bytes).unwrap_or(u32::MAX)).id(&owner.id);
        pack_records(to, &write.records);
        to.three(write.consumed.len());
        for position in &write.consumed {
            to.six(*position);
        }
        to.three(write.outgoing.len());
        for outgoing in &write.outgoing {
            to.short(closed_with(outgoing)).long(&outgoing.encode());
        }
        pack_then(to, &write.then);
    })
}

/// Most writes touch the hash and look into the mailbox; only an end, and what starts children, need all keys.
fn needed(keys: &Keys, request: &OwnerWrite) -> Vec<Vec<u8>> {
    let id = &request.owner.id;
    let all = matches!(request.write.then, Then::Finish(_)) || !request.write.outgoing.is_empty();
    if all { keys.of_instance(id).to_vec() } else { vec![keys.instance(id), keys.mailbox(id)] }
}

/// The child that is to be closed when this run ends.
fn closed_with(outgoing: &Outgoing) -> &str {
    match outgoing {
        Outgoing::CreateChild { id, spec }
            if spec.parent.as_ref().is_some_and(|parent| parent.on_close == ParentClose::Terminate) =>
        {
            id.as_str()
        }
        _ => "",
    }
}

/// How the write is called in `own.lua`.
fn letter(write: &Write) -> u8 {
    match &write.then {
        Then::Hold => b'H',
        Then::Clear => b'C',
        Then::Mark => b'M',
        Then::Forked => b'K',
        Then::Release => b'L',
        Then::Suspend { .. } => b'W',
        Then::Finish(_) => b'F',
        Then::Park(_) => b'P',
    }
}

fn pack_then(to: &mut Packer, then: &Then) {
    match then {
        Then::Hold | Then::Clear | Then::Mark | Then::Forked | Then::Release => {}
        Then::Suspend { waits, paused } => {
            to.flag(*paused).time(first_due(waits)).long(&pack_waits(waits));
        }
        Then::Finish(ending) => {
            let (tag, end) = pack_ending(ending);
            to.byte(tag).long(&end);
        }
        Then::Park(reason) => {
            to.long(&pack_reason(reason));
        }
    }
}

/// Putting aside what its owner cannot read, as a call: nothing is lost, and someone may repair it.
pub(in super::super) fn park(keys: &Keys, owner: Owner, message: String) -> Call {
    let then = Then::Park(PauseReason::Unreadable { message });
    let (records, consumed, outgoing) = (Vec::new(), Vec::new(), Vec::new());
    let write = Write { records, consumed, seen: 0, outgoing, shifted_ms: 0, then };
    call(keys, &OwnerWrite { request: RequestId::generate(), owner, write })
}

/// Its answer.
pub(in super::super) fn read(said: &Said) -> Result<OwnReply, Misread> {
    Ok(match said.word()? {
        "OK" => OwnReply::Ok(read_granted(said)?),
        "CONTINUE" => OwnReply::Continue(read_granted(said)?),
        "FENCED" => OwnReply::Fenced,
        "STALE" => OwnReply::Stale,
        "BEHIND" => OwnReply::Behind,
        "GONE" => OwnReply::Gone,
        "FULL" => OwnReply::Full,
        other => return Err(Misread(format!("an owner's write was answered {other}"))),
    })
}

fn read_granted(said: &Said) -> Result<Granted, Misread> {
    Ok(Granted {
        v: said.natural(1)?,
        pause: said.int(2)? != 0,
        now: Timestamp::from_millis(said.int(3)?),
        messages: read_messages(said, 4)?,
    })
}
