//! The twin of `send.lua`.

use super::{Call, Misread, Said};
use crate::journal::command::{Send, SendReply};
use crate::store::redis::keys::Keys;
use crate::store::redis::stored::pack_message;

/// The message as a call.
pub(in super::super) fn call(keys: &Keys, send: &Send) -> Call {
    let message = &send.message;
    Call::new(b'S', keys.of_instance(&send.id).to_vec(), |to| {
        to.four(send.run.unwrap_or(0)).id(&send.id).short(message.channel.as_child().unwrap_or_default());
        to.medium(message.channel.as_str().as_bytes()).medium(message.event_id.as_bytes());
        to.long(&pack_message(message));
    })
}

/// Its answer.
pub(in super::super) fn read(said: &Said) -> Result<SendReply, Misread> {
    Ok(match said.word()? {
        "ACCEPTED" => SendReply::Accepted,
        "UNKNOWN" => SendReply::Unknown,
        "FINISHED" => SendReply::Finished,
        "FULL" => SendReply::Full,
        other => return Err(Misread(format!("a message was answered {other}"))),
    })
}
