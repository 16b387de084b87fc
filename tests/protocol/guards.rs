//! Guards switched off, to show that the properties see what each guard prevents.
//!
//! The table itself has no switches: a guard is off when the fact or the input that it looks at is forged, so that it
//! always passes.

use std::collections::BTreeMap;
use std::time::Duration;

use workflow::journal::command::{Action, Command, Reply, Then};
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
    /// An owner ahead of the store is refused.
    Behind,
    /// A worker that hears from a store that lost writes begins anew.
    LossNoticed,
    /// A store that loses writes comes back later than it gave the last of them.
    LossTakesTime,
    /// A late copy of a request for tokens changes nothing.
    LeaseNumber,
    /// A revoked session leases nothing.
    LeaseAlive,
    /// A revoked session has its tokens until what it held is taken over.
    LeaseKnown,
    /// A claim gives no more than it has tokens.
    Tokens,
    /// A restart from an operation names the run in whose journal that was found.
    ForkSource,
    /// What an open fork comes from is kept.
    ForkKept,
    /// What has ended is not ended again.
    Ended,
    /// The children of a run are known until they have ended.
    Children,
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
        (Guard::Behind, Command::Own(request)) => {
            let head = head(data, &request.owner.id)?;
            request.owner.v = request.owner.v.min(head.v);
            request.owner.run = request.owner.run.min(head.run);
        }
        (Guard::LeaseNumber, Command::Lease(lease)) => {
            let newest =
                data.limits.get(&lease.name).into_iter().flat_map(|limit| &limit.shares).map(|share| share.number);
            lease.number = newest.max().unwrap_or(0) + 1;
        }
        (Guard::LeaseAlive, Command::Lease(lease)) => return revive(data, lease.session),
        (Guard::LeaseKnown, Command::Lease(_)) => {
            let (revoked, living) =
                std::mem::take(&mut data.sessions).into_iter().partition(|(_, known)| known.revoked);
            data.sessions = living;
            let revoked: BTreeMap<SessionId, Session> = revoked;
            return Some(Box::new(move |data| data.sessions.extend(revoked)));
        }
        (Guard::Tokens, Command::Claim(claim)) => claim.limits.clear(),
        (Guard::ForkSource, Command::Control(control)) => {
            let head = head(data, &control.id)?;
            if let Action::RestartFrom { source, .. } = &mut control.action {
                *source = head.fork.as_ref().filter(|fork| fork.open).map_or(head.run, |fork| fork.source);
            }
        }
        (Guard::ForkKept, Command::Control(control)) => {
            let id = control.id.clone();
            return Some(Box::new(move |data| {
                let archives =
                    data.instances.get_mut(&id).into_iter().flat_map(|instance| instance.archives.values_mut());
                archives.for_each(|expires_at| *expires_at = (*expires_at).min(now));
            }));
        }
        (Guard::Ended, Command::Control(control)) => {
            let head = head(data, &control.id)?;
            let ended = matches!(head.place, Place::Done { .. });
            if ended && matches!(control.action, Action::Terminate { .. }) {
                head.place = Place::Ready { score: 0 };
            }
        }
        (Guard::Children, Command::Own(request)) => {
            let id = request.owner.id.clone();
            return Some(Box::new(move |data| head(data, &id).into_iter().for_each(|head| head.children.clear())));
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
