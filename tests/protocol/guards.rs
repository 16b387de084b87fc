//! Guards switched off, to show that the properties see what each guard prevents.
//!
//! The table itself has no switches: a guard is off when the fact or the input that it looks at is forged, so that it
//! always passes.

use std::time::Duration;

use workflow::journal::command::{Command, Reply, Then};
use workflow::journal::head::{Head, Place};
use workflow::journal::table::session::Session;
use workflow::store::model::Data;
use workflow::words::id::{InstanceId, RequestId, SessionId};
use workflow::words::time::Timestamp;

/// One guard of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Guard {
    /// A revoked session writes nothing.
    SessionAlive,
    /// An owner's write names the state version.
    Version,
    /// An owner's write names the run.
    Run,
    /// An owner's write names the session that holds the instance.
    Holder,
    /// A suspend with an unseen message goes on.
    UnseenMessages,
    /// A suspend for a pause that was taken back goes on.
    PauseTakenBack,
    /// The newest write is remembered.
    WriteMemory,
    /// A session's newest claim is remembered.
    ClaimMemory,
    /// The request that created an instance is remembered.
    CreateMemory,
    /// The newest controls are remembered.
    ControlMemory,
    /// Event ids stay as tombstones.
    EventIds,
    /// The end of a child names the parent's run.
    ChildRun,
    /// Fencing looks at the beat counter.
    FenceBeats,
    /// Fencing looks at the lease.
    FenceLease,
    /// Recovery is of revoked sessions only.
    RecoverRevoked,
    /// A wake goes to an inbox only if the session lives.
    StickyAlive,
    /// A message for a held instance leaves a notice.
    Notice,
    /// A pause that waits for an owner survives the owner.
    PendingPause,
    /// An instance with unacknowledged outgoing commands is not deleted.
    Unsent,
}

/// Puts back what was forged for one command.
type Restore = Box<dyn FnOnce(&mut Data)>;

/// Carries `command` out with the guards `off` switched off.
pub(crate) fn apply(data: &mut Data, off: &[Guard], command: &Command, now: Timestamp) -> Reply {
    let mut forged = command.clone();
    let mut after: Vec<Restore> = Vec::new();
    for guard in off {
        if let Some(restore) = forge(data, *guard, &mut forged, now) {
            after.push(restore);
        }
    }
    let reply = data.apply(&forged, now, &mut Vec::new());
    for restore in after {
        restore(data);
    }
    reply
}

fn head<'a>(data: &'a mut Data, id: &InstanceId) -> Option<&'a mut Head> {
    data.instances.get_mut(id).map(|instance| &mut instance.head)
}

/// Forges what `guard` looks at; what has to be put back afterwards is returned.
fn forge(data: &mut Data, guard: Guard, command: &mut Command, now: Timestamp) -> Option<Restore> {
    match (guard, command) {
        (Guard::SessionAlive, Command::Own(request)) => return revive(data, request.owner.session),
        (Guard::Version, Command::Own(request)) => {
            request.owner.v = head(data, &request.owner.id).map_or(0, |head| head.v);
        }
        (Guard::Run, Command::Own(request)) => {
            request.owner.run = head(data, &request.owner.id).map_or(0, |head| head.run);
        }
        (Guard::Holder, Command::Own(request)) => {
            if let Some(Place::Held { session, .. }) = head(data, &request.owner.id).map(|head| &head.place) {
                request.owner.session = *session;
            }
        }
        (Guard::UnseenMessages, Command::Own(request)) => request.write.seen = u64::MAX,
        (Guard::PauseTakenBack, Command::Own(request)) => {
            if let Then::Suspend { paused, .. } = &mut request.write.then {
                *paused = false;
            }
        }
        (Guard::WriteMemory, Command::Own(request)) => {
            if let Some(head) = head(data, &request.owner.id) {
                head.last_write = None;
            }
        }
        (Guard::ClaimMemory, Command::Claim(claim)) => {
            if let Some(session) = data.sessions.get_mut(&claim.session) {
                session.claim = None;
            }
        }
        (Guard::CreateMemory, Command::Create(create)) => {
            if let Some(head) = head(data, &create.id) {
                head.created_by = RequestId(u128::MAX);
            }
        }
        (Guard::ControlMemory, Command::Control(control)) => {
            if let Some(head) = head(data, &control.id) {
                head.last_controls.clear();
            }
        }
        (Guard::EventIds, Command::Send(send)) => {
            if let Some(instance) = data.instances.get_mut(&send.id) {
                instance.event_ids.clear();
            }
        }
        (Guard::ChildRun, Command::Send(send)) => send.run = None,
        (Guard::FenceBeats, Command::Fence { session, beats }) => {
            *beats = data.sessions.get(session).map_or(0, |session| session.beats);
        }
        (Guard::FenceLease, Command::Fence { session, .. }) => {
            if let Some(session) = data.sessions.get_mut(session) {
                session.expires_at = now;
            }
        }
        (Guard::RecoverRevoked, Command::Recover { session, .. }) => {
            let session = *session;
            let revoked = std::mem::replace(&mut data.sessions.get_mut(&session)?.revoked, true);
            return Some(Box::new(move |data| {
                if let Some(session) = data.sessions.get_mut(&session) {
                    session.revoked = revoked;
                }
            }));
        }
        (Guard::StickyAlive, Command::Send(send)) => {
            let session = head(data, &send.id)?.session()?;
            return revive(data, session);
        }
        (Guard::Notice, Command::Send(send)) => {
            let id = send.id.clone();
            return Some(Box::new(move |data| {
                if let Some(Place::Held { notice, .. }) = head(data, &id).map(|head| &mut head.place) {
                    *notice = false;
                }
            }));
        }
        (Guard::PendingPause, Command::Recover { session, .. }) => {
            for instance in data.instances.values_mut() {
                instance.head.pause &= !instance.head.held_by(*session);
            }
        }
        (Guard::Unsent, Command::Expire { .. }) => {
            for instance in data.instances.values_mut() {
                instance.outbox.clear();
            }
        }
        _ => {}
    }
    None
}

/// Makes a session alive, until it is put back as it was.
fn revive(data: &mut Data, session: SessionId) -> Option<Restore> {
    let before = data.sessions.get(&session).cloned();
    if before.as_ref().is_some_and(Session::alive) {
        return None;
    }
    let alive = match &before {
        Some(known) => Session { revoked: false, ..known.clone() },
        None => Session::open(None, Duration::ZERO, Timestamp::from_millis(0))?,
    };
    data.sessions.insert(session, alive);
    Some(Box::new(move |data| {
        match before {
            Some(before) => data.sessions.insert(session, before),
            None => data.sessions.remove(&session),
        };
    }))
}
