//! The bytes of heads, instance specs, outgoing commands and sessions, for stores that keep them as blobs.
//!
//! The first byte is the format. A head does not contain its spec, which never changes and may be large: stores keep it
//! beside the head, written once.

use std::sync::Arc;
use std::time::Duration;

use super::command::{
    ControlReply, Ending, Granted, InstanceSpec, Outgoing, OwnReply, Parent, ParentClose, PauseReason, Wait,
};
use super::head::{End, Fork, Head, Place, State, Suspect};
use super::message::{Channel, NewMessage};
use super::path::Path;
use super::record::{read_failure, read_instance, write_failure};
use super::table::session::{ClaimMemory, Session};
use super::wire::{Damaged, Reader, Writer};
use crate::words::id::{QueueName, RequestId, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// The version every blob of this module starts with.
pub(crate) const FORMAT: u8 = 1;

impl InstanceSpec {
    /// The spec as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        blob(|to| self.write(to))
    }

    /// Reads a spec.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer format.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, Self::read)
    }

    fn write(&self, to: &mut Writer) {
        to.text(self.workflow.as_str());
        to.number(u64::from(self.version));
        to.text(self.queue.as_str());
        to.byte(self.priority);
        to.bytes(self.input.as_bytes());
        to.wide(self.seed);
        to.optional(self.start_at, write_time);
        write_duration(to, self.keep_complete);
        write_duration(to, self.keep_failed);
        to.optional(self.parent.as_ref(), |to, parent| {
            to.text(parent.id.as_str());
            to.number(u64::from(parent.run));
            to.flag(parent.on_close == ParentClose::Abandon);
        });
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self {
            workflow: WorkflowName::new(from.text()?).map_err(|_| from.damaged("a workflow name"))?,
            version: from.small()?,
            queue: QueueName::new(from.text()?).map_err(|_| from.damaged("a queue name"))?,
            priority: from.byte()?,
            input: Payload::from_bytes(from.bytes()?),
            seed: from.wide()?,
            start_at: from.optional(read_time)?,
            keep_complete: read_duration(from)?,
            keep_failed: read_duration(from)?,
            parent: from.optional(|from| {
                let (id, run) = (read_instance(from)?, from.small()?);
                let on_close = if from.flag()? { ParentClose::Abandon } else { ParentClose::Terminate };
                Ok(Parent { id, run, on_close })
            })?,
        })
    }
}

impl Outgoing {
    /// The command as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        blob(|to| match self {
            Self::CreateChild { id, spec } => {
                to.byte(1);
                to.text(id.as_str());
                spec.write(to);
            }
            Self::Deliver { to: target, run, message } => {
                to.byte(2);
                to.text(target.as_str());
                to.number(u64::from(*run));
                to.text(message.channel.as_str());
                to.text(&message.event_id);
                to.bytes(message.payload.as_bytes());
            }
            Self::Close { child, reason } => {
                to.byte(3);
                to.text(child.as_str());
                to.text(reason);
            }
        })
    }

    /// Reads a command.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer format.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, |from| {
            Ok(match from.byte()? {
                1 => Self::CreateChild { id: read_instance(from)?, spec: Arc::new(InstanceSpec::read(from)?) },
                2 => Self::Deliver {
                    to: read_instance(from)?,
                    run: from.small()?,
                    message: NewMessage {
                        channel: Channel::from_stored(from.text()?),
                        event_id: from.text()?.into(),
                        payload: Payload::from_bytes(from.bytes()?),
                    },
                },
                3 => Self::Close { child: read_instance(from)?, reason: from.text()?.to_owned() },
                _ => return Err(from.damaged("a kind of outgoing command")),
            })
        })
    }
}

impl Session {
    /// The session as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        blob(|to| {
            to.number(self.beats);
            write_time(to, self.expires_at);
            to.flag(self.revoked);
            to.optional(self.claim.as_ref(), |to, claim| {
                to.number(claim.number);
                to.list(&claim.given, |to, (id, v)| {
                    to.text(id.as_str());
                    to.number(*v);
                });
                to.list(&claim.notices, |to, id| to.text(id.as_str()));
            });
            to.list(&self.lost, |to, id| to.text(id.as_str()));
        })
    }

    /// Reads a session.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer format.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        whole(bytes, |from| {
            Ok(Self {
                beats: from.number()?,
                expires_at: read_time(from)?,
                revoked: from.flag()?,
                claim: from.optional(|from| {
                    Ok(ClaimMemory {
                        number: from.number()?,
                        given: from.list(|from| Ok((read_instance(from)?, from.number()?)))?,
                        notices: from.list(read_instance)?,
                    })
                })?,
                lost: from.list(read_instance)?,
            })
        })
    }
}

impl Head {
    /// The head as bytes, without its spec.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        blob(|to| {
            to.wide(self.created_by.0);
            write_time(to, self.created_at);
            to.number(u64::from(self.run));
            write_time(to, self.started_at);
            write_time(to, self.updated_at);
            to.number(self.v);
            write_place(to, &self.place);
            to.flag(self.pause);
            to.flag(self.begun);
            to.number(u64::from(self.records));
            to.number(self.journal_bytes);
            to.number(self.arrivals);
            to.number(u64::from(self.unread));
            to.number(self.outgoing);
            to.signed(self.shift_ms);
            write_suspect(to, self.suspect);
            to.optional(self.last_write.as_ref(), |to, (request, reply)| {
                to.wide(request.0);
                write_own_reply(to, reply);
            });
            to.list(&self.last_controls, |to, (request, reply)| {
                to.wide(request.0);
                write_control_reply(to, reply);
            });
            to.list(&self.children, |to, id| to.text(id.as_str()));
            if let Some(fork) = &self.fork {
                write_fork(to, fork);
            }
        })
    }

    /// Reads a head; its spec comes from beside it.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer format.
    pub fn decode(bytes: &[u8], spec: Arc<InstanceSpec>) -> Result<Self, Damaged> {
        whole(bytes, |from| {
            Ok(Self {
                spec,
                created_by: RequestId(from.wide()?),
                created_at: read_time(from)?,
                run: from.small()?,
                started_at: read_time(from)?,
                updated_at: read_time(from)?,
                v: from.number()?,
                place: read_place(from)?,
                pause: from.flag()?,
                begun: from.flag()?,
                records: from.small()?,
                journal_bytes: from.number()?,
                arrivals: from.number()?,
                unread: from.small()?,
                outgoing: from.number()?,
                shift_ms: from.signed()?,
                suspect: read_suspect(from)?,
                last_write: from.optional(|from| Ok((RequestId(from.wide()?), read_own_reply(from)?)))?,
                last_controls: from.list(|from| Ok((RequestId(from.wide()?), read_control_reply(from)?)))?,
                children: from.list(read_instance)?,
                // At the end, and only where there is one: most heads have none, and older ones do not know of it.
                fork: if from.is_at_end() { None } else { Some(read_fork(from)?) },
            })
        })
    }
}

fn blob(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut to = Writer::new();
    to.byte(FORMAT);
    write(&mut to);
    to.into_bytes()
}

fn whole<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, Damaged>) -> Result<T, Damaged> {
    let mut from = Reader::new(bytes);
    if from.byte()? != FORMAT {
        return Err(from.damaged("a format this version knows"));
    }
    let value = read(&mut from)?;
    from.end()?;
    Ok(value)
}

fn write_fork(to: &mut Writer, fork: &Fork) {
    to.number(u64::from(fork.source));
    to.number(u64::from(fork.streams));
    to.text(fork.path.as_str());
    to.flag(fork.open);
}

fn read_fork(from: &mut Reader<'_>) -> Result<Fork, Damaged> {
    Ok(Fork {
        source: from.small()?,
        streams: from.small()?,
        path: Path::from_recorded(from.text()?),
        open: from.flag()?,
    })
}

fn write_time(to: &mut Writer, time: Timestamp) {
    to.signed(time.as_millis());
}

fn read_time(from: &mut Reader<'_>) -> Result<Timestamp, Damaged> {
    Ok(Timestamp::from_millis(from.signed()?))
}

fn write_duration(to: &mut Writer, duration: Duration) {
    to.number(duration.as_secs());
    to.number(u64::from(duration.subsec_nanos()));
}

fn read_duration(from: &mut Reader<'_>) -> Result<Duration, Damaged> {
    let (seconds, nanos) = (from.number()?, from.small()?);
    if nanos >= 1_000_000_000 {
        return Err(from.damaged("a duration"));
    }
    Ok(Duration::new(seconds, nanos))
}

fn read_session(from: &mut Reader<'_>) -> Result<SessionId, Damaged> {
    Ok(SessionId(from.wide()?))
}

fn write_waits(to: &mut Writer, waits: &[Wait]) {
    to.list(waits, |to, wait| {
        to.text(wait.path.as_str());
        to.optional(wait.channel.as_ref(), |to, channel| to.text(channel.as_str()));
        to.optional(wait.due, write_time);
        to.flag(wait.shifts);
    });
}

fn read_waits(from: &mut Reader<'_>) -> Result<Vec<Wait>, Damaged> {
    from.list(|from| {
        Ok(Wait {
            path: Path::from_recorded(from.text()?),
            channel: from.optional(|from| Ok(Channel::from_stored(from.text()?)))?,
            due: from.optional(read_time)?,
            shifts: from.flag()?,
        })
    })
}

fn write_place(to: &mut Writer, place: &Place) {
    match place {
        Place::Ready { score } => {
            to.byte(1);
            to.signed(*score);
        }
        Place::Shelved => to.byte(2),
        Place::Inbox { session, since, waits } => {
            to.byte(3);
            to.wide(session.0);
            write_time(to, *since);
            write_waits(to, waits);
        }
        Place::Held { session, notice } => {
            to.byte(4);
            to.wide(session.0);
            to.flag(*notice);
        }
        Place::Asleep { waits, sticky } => {
            to.byte(5);
            write_waits(to, waits);
            to.optional(*sticky, |to, session| to.wide(session.0));
        }
        Place::Paused { reason, since, waits } => {
            to.byte(6);
            write_reason(to, reason);
            write_time(to, *since);
            write_waits(to, waits);
        }
        Place::Done { end, at, expires_at } => {
            to.byte(7);
            write_end(to, end);
            write_time(to, *at);
            write_time(to, *expires_at);
        }
    }
}

fn read_place(from: &mut Reader<'_>) -> Result<Place, Damaged> {
    Ok(match from.byte()? {
        1 => Place::Ready { score: from.signed()? },
        2 => Place::Shelved,
        3 => Place::Inbox { session: read_session(from)?, since: read_time(from)?, waits: read_waits(from)? },
        4 => Place::Held { session: read_session(from)?, notice: from.flag()? },
        5 => Place::Asleep { waits: read_waits(from)?, sticky: from.optional(read_session)? },
        6 => Place::Paused { reason: read_reason(from)?, since: read_time(from)?, waits: read_waits(from)? },
        7 => Place::Done { end: read_end(from)?, at: read_time(from)?, expires_at: read_time(from)? },
        _ => return Err(from.damaged("a place")),
    })
}

/// Reasons are for people and hold nested text: they are kept as JSON.
fn write_reason(to: &mut Writer, reason: &PauseReason) {
    to.bytes(&serde_json::to_vec(reason).expect("a reason has only text, numbers and lists"));
}

fn read_reason(from: &mut Reader<'_>) -> Result<PauseReason, Damaged> {
    let bytes = from.bytes()?;
    serde_json::from_slice(bytes).map_err(|_| from.damaged("the reason of a pause"))
}

fn write_end(to: &mut Writer, end: &End) {
    match end {
        End::Returned(Ending { result: Ok(output) }) => {
            to.byte(1);
            to.bytes(output.as_bytes());
        }
        End::Returned(Ending { result: Err(failure) }) => {
            to.byte(2);
            write_failure(to, failure);
        }
        End::Terminated { reason } => {
            to.byte(3);
            to.text(reason);
        }
    }
}

fn read_end(from: &mut Reader<'_>) -> Result<End, Damaged> {
    Ok(match from.byte()? {
        1 => End::Returned(Ending { result: Ok(Payload::from_bytes(from.bytes()?)) }),
        2 => End::Returned(Ending { result: Err(read_failure(from)?) }),
        3 => End::Terminated { reason: from.text()?.to_owned() },
        _ => return Err(from.damaged("how a run ended")),
    })
}

fn write_suspect(to: &mut Writer, suspect: Suspect) {
    match suspect {
        Suspect::No => to.byte(0),
        Suspect::Yes { crashes } => {
            to.byte(1);
            to.byte(crashes);
        }
        Suspect::Marked { crashes } => {
            to.byte(2);
            to.byte(crashes);
        }
    }
}

fn read_suspect(from: &mut Reader<'_>) -> Result<Suspect, Damaged> {
    Ok(match from.byte()? {
        0 => Suspect::No,
        1 => Suspect::Yes { crashes: from.byte()? },
        2 => Suspect::Marked { crashes: from.byte()? },
        _ => return Err(from.damaged("a suspicion")),
    })
}

/// Only what was written is remembered, and without its messages.
fn write_own_reply(to: &mut Writer, reply: &OwnReply) {
    let (tag, granted) = match reply {
        OwnReply::Ok(granted) => (1, Some(granted)),
        OwnReply::Continue(granted) => (2, Some(granted)),
        OwnReply::Fenced => (3, None),
        OwnReply::Stale => (4, None),
        OwnReply::Behind => (5, None),
        OwnReply::Gone => (6, None),
        OwnReply::Full => (7, None),
    };
    to.byte(tag);
    if let Some(granted) = granted {
        to.number(granted.v);
        write_time(to, granted.now);
        to.flag(granted.pause);
    }
}

fn read_own_reply(from: &mut Reader<'_>) -> Result<OwnReply, Damaged> {
    Ok(match from.byte()? {
        1 => OwnReply::Ok(read_granted(from)?),
        2 => OwnReply::Continue(read_granted(from)?),
        3 => OwnReply::Fenced,
        4 => OwnReply::Stale,
        5 => OwnReply::Behind,
        6 => OwnReply::Gone,
        7 => OwnReply::Full,
        _ => return Err(from.damaged("the answer to a write")),
    })
}

fn read_granted(from: &mut Reader<'_>) -> Result<Granted, Damaged> {
    Ok(Granted { v: from.number()?, now: read_time(from)?, pause: from.flag()?, messages: Vec::new() })
}

fn write_state(to: &mut Writer, state: State) {
    let index = State::ALL.iter().position(|known| *known == state).expect("every state is in the table");
    to.number(index as u64);
}

fn read_state(from: &mut Reader<'_>) -> Result<State, Damaged> {
    let index = usize::try_from(from.number()?).ok();
    index.and_then(|index| State::ALL.get(index).copied()).ok_or_else(|| from.damaged("a state"))
}

fn write_control_reply(to: &mut Writer, reply: &ControlReply) {
    match reply {
        ControlReply::Done(state) => {
            to.byte(1);
            write_state(to, *state);
        }
        ControlReply::Unknown => to.byte(2),
        ControlReply::Refused(state) => {
            to.byte(3);
            write_state(to, *state);
        }
    }
}

fn read_control_reply(from: &mut Reader<'_>) -> Result<ControlReply, Damaged> {
    Ok(match from.byte()? {
        1 => ControlReply::Done(read_state(from)?),
        2 => ControlReply::Unknown,
        3 => ControlReply::Refused(read_state(from)?),
        _ => return Err(from.damaged("the answer to a control")),
    })
}

#[cfg(test)]
mod tests;
