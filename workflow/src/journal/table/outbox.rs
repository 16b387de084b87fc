//! Outgoing commands as commands: what whoever empties the outbox sends.
//!
//! Of one source they are sent in the order of their numbers, each when the one before was answered: a child must be
//! created before it is closed. Any number of workers may send them, any number of times; when one was answered, with
//! whatever reply, it is acknowledged with [`Command::Sent`].

use crate::journal::command::{Action, Command, Control, Create, Outgoing, Send};
use crate::words::id::{InstanceId, RequestId};

/// The command that carries `outgoing` out. Its request id is the same for every sender.
#[must_use]
pub fn command(source: &InstanceId, number: u64, outgoing: &Outgoing) -> Command {
    match outgoing {
        Outgoing::CreateChild { id, spec } => Command::Create(Create {
            // The child's seed is random for each life of the parent: a parent that was deleted and created anew
            // does not take an older child of the same id for its own.
            request: request(&[b"create", source.as_str().as_bytes(), &number.to_be_bytes(), &spec.seed.to_be_bytes()]),
            id: id.clone(),
            spec: spec.clone(),
            local: None,
            message: None,
        }),
        Outgoing::Deliver { to, run, message } => {
            Command::Send(Send { id: to.clone(), run: Some(*run), message: message.clone() })
        }
        Outgoing::Close { child, reason } => Command::Control(Control {
            request: request(&[b"close", source.as_str().as_bytes(), &number.to_be_bytes()]),
            id: child.clone(),
            run: None,
            action: Action::Terminate { reason: reason.clone() },
        }),
    }
}

fn request(parts: &[&[u8]]) -> RequestId {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let bytes: [u8; 16] = digest.as_bytes()[..16].try_into().expect("a digest has 32 bytes");
    RequestId(u128::from_be_bytes(bytes))
}
