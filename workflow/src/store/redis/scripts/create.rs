//! The twin of `create.lua`.

use super::claim::read_claimed;
use super::{Call, Misread, Said};
use crate::journal::command::{Claimed, Create, CreateReply, Granted};
use crate::journal::head::State;
use crate::journal::message::Message;
use crate::store::redis::keys::Keys;
use crate::store::redis::pack::Packer;
use crate::store::redis::stored::{pack_message, pack_meta};
use crate::words::id::{SessionId, WorkflowName};
use crate::words::time::Timestamp;

/// The letter of a create on the short way.
pub(super) const SHORT: u8 = b'c';

/// The create as a call that goes the short way, if it has it: see `short.lua`.
pub(in super::super) fn short(keys: &Keys, create: &Create) -> Option<Call> {
    (create.message.is_none() && create.spec.start_at.is_none())
        .then(|| Call::new(SHORT, vec![keys.instance(&create.id)], |to| pack(to, create)))
}

/// What was done on the short way: 1 made, 2 made and held.
pub(in super::super) fn read_short(create: &Create, said: i64, now: Timestamp) -> Result<CreateReply, Misread> {
    match said {
        1 => Ok(CreateReply::Created { claimed: None }),
        2 => Ok(CreateReply::Created { claimed: Some(Box::new(started(create, now))) }),
        other => Err(Misread(format!("a create was answered {other}"))),
    }
}

fn pack(to: &mut Packer, create: &Create) {
    to.wide(create.request.0).wide(create.spec.seed).session(create.local.unwrap_or(SessionId(0)));
    to.id(&create.id).medium(&pack_meta(&create.spec)).long(create.spec.input.as_bytes());
}

/// The create as a call.
pub(in super::super) fn call(keys: &Keys, create: &Create) -> Call {
    let mut needed = vec![keys.instance(&create.id), keys.mailbox(&create.id)];
    needed.extend(create.message.as_ref().map(|_| keys.events(&create.id)));
    Call::new(b'C', needed, |to| {
        pack(to, create);
        match &create.message {
            Some(message) => to.medium(message.event_id.as_bytes()).long(&pack_message(message)),
            None => to.medium(b"").long(b""),
        };
    })
}

/// Its answer.
pub(in super::super) fn read(create: &Create, said: &Said, now: Timestamp) -> Result<CreateReply, Misread> {
    Ok(match said.word()? {
        "CREATED" => CreateReply::Created { claimed: None },
        "STARTED" => CreateReply::Created { claimed: Some(Box::new(started(create, now))) },
        "CLAIMED" => CreateReply::Created { claimed: Some(Box::new(read_claimed(said, now)?)) },
        "EXISTS" => CreateReply::Exists {
            workflow: WorkflowName::new(said.text(1)?).map_err(|error| Misread(error.to_string()))?,
            state: read_state(said.text(2)?)?,
        },
        other => return Err(Misread(format!("a create was answered {other}"))),
    })
}

/// What was made and handed over in one: nothing happened to it before.
fn started(create: &Create, now: Timestamp) -> Claimed {
    let messages: Vec<_> =
        create.message.iter().map(|message| Message { seq: 1, at: now, message: message.clone() }).collect();
    let v = u64::try_from(now.as_millis()).unwrap_or(0) + 1;
    Claimed {
        id: create.id.clone(),
        run: 1,
        v,
        records: 0,
        spec: create.spec.clone(),
        created_at: now,
        started_at: now,
        fork: None,
        suspect: false,
        shift_ms: 0,
        arrivals: messages.len() as u64,
        granted: Granted { v, now, pause: false, messages },
    }
}

/// A state by its word.
pub(super) fn read_state(word: &str) -> Result<State, Misread> {
    let state = super::STATES.iter().find(|state| state.word() == word);
    state.copied().ok_or_else(|| Misread(format!("{word} is no state")))
}
