//! The twin of `control.lua`.

use super::create::read_state;
use super::{Call, Misread, Said};
use crate::journal::command::{Action, Control, ControlReply};
use crate::store::redis::keys::Keys;

/// The control as a call.
pub(in super::super) fn call(keys: &Keys, control: &Control) -> Call {
    let (action, reason) = match &control.action {
        Action::Pause => (b'P', Vec::new()),
        Action::Resume => (b'R', Vec::new()),
        Action::Terminate { reason } => (b'T', reason.as_bytes().to_vec()),
        Action::Restart => (b'S', Vec::new()),
        Action::RestartFrom { path, source } => (b'G', [&source.to_be_bytes()[..], path.as_str().as_bytes()].concat()),
        Action::Delete => (b'D', Vec::new()),
    };
    Call::new(b'K', keys.of_instance(&control.id).to_vec(), |to| {
        to.wide(control.request.0).four(control.run.unwrap_or(0)).byte(action).id(&control.id);
        to.long(&reason);
    })
}

/// Its answer.
pub(in super::super) fn read(said: &Said) -> Result<ControlReply, Misread> {
    Ok(match said.word()? {
        "DONE" => ControlReply::Done(read_state(said.text(1)?)?),
        "REFUSED" => ControlReply::Refused(read_state(said.text(1)?)?),
        "UNKNOWN" => ControlReply::Unknown,
        other => return Err(Misread(format!("a control was answered {other}"))),
    })
}
