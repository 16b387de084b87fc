//! The fields of an instance's hash as values, and back: the Rust half of what `scripts/prelude.lua` says of heads.
//!
//! | field | what |
//! |---|---|
//! | `h` | the head's numbers, packed: 42 bytes; then 16 of the session that holds it, has it in its inbox, or in memory |
//! | `t` | its traffic: messages, commands for others, time it was paused; only where one of them is not zero |
//! | `b` | birth: the request that created it, its seed, when |
//! | `m` | what it is, packed; `i` its input |
//! | `w` | what it waits for; `p` why it is paused; `o` how it ended |
//! | `q` | the newest owner's write and its answer; `k` the newest controls; `a` the old runs |
//! | `f` | where the run comes from, if it was restarted from an operation |
//! | `0`, `1`, … | the records of run 1; `2:0`, … those of run 2 |
//! | `x1`, `x2`, … | commands for other instances |
//!
//! Values stay below 64 bytes where they can, so that Redis keeps the hash as one compact list.

use std::sync::Arc;
use std::time::Duration;

use crate::journal::command::{
    ControlReply, Ending, Granted, InstanceSpec, OwnReply, Parent, ParentClose, PauseReason, Wait,
};
use crate::journal::head::{End, Fork, Head, Place, State, Suspect};
use crate::journal::message::{Channel, ChildEnd, Message, NewMessage};
use crate::journal::path::Path;
use crate::journal::wire::Damaged;
use crate::store::{Outcome, Stands};
use crate::words::id::{InstanceId, QueueName, RequestId, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::{Timestamp, millis_rounded_up};

use super::pack::{Packer, Unpacker};

/// The fields a whole head is read from, in order.
pub(super) const FIELDS: [&str; 12] = ["h", "t", "b", "m", "i", "w", "p", "o", "q", "k", "a", "f"];

/// The fields that say what became of an instance, in order.
pub(super) const OUTCOME_FIELDS: [&str; 4] = ["h", "m", "p", "o"];

/// The states, numbered from 1 as scripts number them.
pub(super) const STATES: [State; 7] = State::ALL;

/// The queue that is stored as an empty text: most instances are in the one that is the default.
pub(super) const COMMON_QUEUE: &str = "default";
/// Added to the place of a head that has traffic.
const TRAFFIC_FLAG: u8 = 16;

/// The packed head, with the traffic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) place: u8,
    pub(super) notice: bool,
    pause: bool,
    pub(super) begun: bool,
    suspect: u8,
    crashes: u8,
    pub(super) ending: u8,
    pub(super) run: u32,
    pub(super) v: u64,
    pub(super) started_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) records: u32,
    journal_bytes: u64,
    pub(super) arrivals: u64,
    unread: u32,
    pub(super) outgoing: u64,
    /// Of those, how many are not acknowledged.
    pub(super) unsent: u32,
    pub(super) shift_ms: i64,
    pub(super) since: i64,
    /// That holds it, has it in its inbox, or in memory while it sleeps.
    pub(super) session: Option<SessionId>,
    pub(super) has_traffic: bool,
}

impl Numbers {
    /// Reads both. The traffic may be empty where it does not matter.
    pub(super) fn read(head: &[u8], traffic: &[u8]) -> Result<Self, Damaged> {
        let mut from = Unpacker::new(head);
        let place = from.byte()?;
        let (has_traffic, place) = (place >= TRAFFIC_FLAG, place % TRAFFIC_FLAG);
        let (notice, pause, begun) = (from.flag()?, from.flag()?, from.flag()?);
        let (suspect, crashes, ending) = (from.byte()?, from.byte()?, from.byte()?);
        let (started_at, since, updated_at) = (from.moment()?, from.signed_six()?, from.moment()?);
        let (records, journal_bytes) = (from.small(3)?, u64::from(from.small(4)?));
        let (run, v) = (from.small(4)?, from.six()?);
        let session = if from.is_at_end() { None } else { Some(SessionId(from.wide()?)) };
        if !from.is_at_end() {
            return Err(from.damaged("the end of a head"));
        }
        let (mut arrivals, mut unread, mut outgoing, mut unsent, mut shift_ms) = (0, 0, 0, 0, 0);
        if !traffic.is_empty() {
            let mut from = Unpacker::new(traffic);
            (arrivals, unread) = (u64::from(from.small(4)?), from.small(3)?);
            outgoing = u64::from(from.small(4)?);
            unsent = from.small(3)?;
            shift_ms = from.signed_six()?;
        }
        Ok(Self {
            place,
            notice,
            pause,
            begun,
            suspect,
            crashes,
            ending,
            run,
            v,
            started_at,
            updated_at,
            records,
            journal_bytes,
            arrivals,
            unread,
            outgoing,
            unsent,
            shift_ms,
            since,
            session,
            has_traffic,
        })
    }

    /// The state as users see it.
    pub(super) fn state(&self) -> Result<State, Damaged> {
        Ok(match (self.place, self.ending) {
            (1 | 2, _) => State::Queued,
            (5, _) if !self.begun => State::Queued,
            (3 | 4, _) => State::Running,
            (5, _) => State::Waiting,
            (6, _) => State::Paused,
            (7, 1) => State::Complete,
            (7, 2) => State::Errored,
            (7, 3) => State::Terminated,
            _ => return Err(Damaged { at: 0, what: "a place" }),
        })
    }

    /// Whether it is on a shelf.
    pub(super) const fn is_shelved(&self) -> bool {
        self.place == 2
    }

    pub(super) fn suspect(&self) -> Result<Suspect, Damaged> {
        Ok(match self.suspect {
            0 => Suspect::No,
            1 => Suspect::Yes { crashes: self.crashes },
            2 => Suspect::Marked { crashes: self.crashes },
            _ => return Err(Damaged { at: 4, what: "a suspicion" }),
        })
    }

    pub(super) const fn pause(&self) -> bool {
        self.pause
    }
}

/// The request that created it, the seed, and when.
pub(super) fn read_birth(bytes: &[u8]) -> Result<(RequestId, u128, Timestamp), Damaged> {
    let mut from = Unpacker::new(bytes);
    Ok((RequestId(from.wide()?), from.wide()?, from.moment()?))
}

/// What it is, without input and seed.
pub(super) fn pack_meta(spec: &InstanceSpec) -> Vec<u8> {
    let mut to = Packer::new();
    let keep = |duration: Duration| millis_rounded_up(duration).cast_unsigned();
    to.four(spec.version).byte(spec.priority).five(keep(spec.keep_complete)).five(keep(spec.keep_failed));
    to.flag(spec.start_at.is_some());
    if let Some(start_at) = spec.start_at {
        to.signed_six(start_at.as_millis());
    }
    let parent = spec.parent.as_ref();
    let queue = if spec.queue.as_str() == COMMON_QUEUE { "" } else { spec.queue.as_str() };
    for text in [spec.workflow.as_str(), queue, parent.map_or("", |parent| parent.id.as_str())] {
        to.raw(text.as_bytes()).byte(0);
    }
    if let Some(parent) = parent {
        to.four(parent.run).flag(parent.on_close == ParentClose::Abandon);
    }
    to.into_bytes()
}

fn read_start(from: &mut Unpacker<'_>) -> Result<Option<Timestamp>, Damaged> {
    Ok(if from.flag()? { Some(Timestamp::from_millis(from.signed_six()?)) } else { None })
}

fn read_workflow(from: &mut Unpacker<'_>) -> Result<WorkflowName, Damaged> {
    WorkflowName::new(from.zero_ended()?).map_err(|_| from.damaged("a workflow name"))
}

/// Reads what [`pack_meta`] wrote.
pub(super) fn read_spec(meta: &[u8], seed: u128, input: &[u8]) -> Result<InstanceSpec, Damaged> {
    let mut from = Unpacker::new(meta);
    let (version, priority) = (from.small(4)?, from.byte()?);
    let (keep_complete, keep_failed) = (Duration::from_millis(from.five()?), Duration::from_millis(from.five()?));
    let (start_at, workflow) = (read_start(&mut from)?, read_workflow(&mut from)?);
    let queue = Some(from.zero_ended()?).filter(|queue| !queue.is_empty()).unwrap_or(COMMON_QUEUE);
    let queue = QueueName::new(queue).map_err(|_| from.damaged("a queue name"))?;
    let parent = match from.zero_ended()? {
        "" => None,
        text => Some(Parent {
            id: InstanceId::new(text).map_err(|_| from.damaged("an instance id"))?,
            run: from.small(4)?,
            on_close: if from.flag()? { ParentClose::Abandon } else { ParentClose::Terminate },
        }),
    };
    let input = Payload::from_bytes(input);
    Ok(InstanceSpec { workflow, version, queue, priority, input, seed, start_at, keep_complete, keep_failed, parent })
}

/// What an instance waits for.
pub(super) fn pack_waits(waits: &[Wait]) -> Vec<u8> {
    let mut to = Packer::new();
    to.raw(&u16::try_from(waits.len()).expect("branches are bounded").to_be_bytes());
    for wait in waits {
        to.medium(wait.path.as_str().as_bytes());
        to.medium(wait.channel.as_ref().map_or("", Channel::as_str).as_bytes());
        to.flag(wait.due.is_some()).flag(wait.shifts);
        to.signed_six(wait.due.unwrap_or_default().as_millis());
    }
    to.into_bytes()
}

pub(super) fn read_waits(bytes: &[u8]) -> Result<Vec<Wait>, Damaged> {
    let mut from = Unpacker::new(bytes);
    let count = from.small(2)?;
    (0..count)
        .map(|_| {
            let path = read_text(from.medium()?)?;
            let channel = read_text(from.medium()?)?;
            let (timed, shifts, due) = (from.flag()?, from.flag()?, from.signed_six()?);
            Ok(Wait {
                path: Path::from_recorded(path),
                channel: (!channel.is_empty()).then(|| Channel::from_stored(channel)),
                due: timed.then(|| Timestamp::from_millis(due)),
                shifts,
            })
        })
        .collect()
}

fn read_text(bytes: &[u8]) -> Result<&str, Damaged> {
    std::str::from_utf8(bytes).map_err(|_| Damaged { at: 0, what: "text in UTF-8" })
}

/// A reason as it is stored: a byte that scripts look at, and JSON.
pub(super) fn pack_reason(reason: &PauseReason) -> Vec<u8> {
    let kind = match reason {
        PauseReason::Operator => b'o',
        PauseReason::Quarantined { .. } => b'q',
        _ => b'-',
    };
    let json = serde_json::to_vec(reason).expect("a reason has only text, numbers and lists");
    [&[kind], json.as_slice()].concat()
}

fn read_reason(bytes: &[u8]) -> Result<PauseReason, Damaged> {
    let json = bytes.get(1..).unwrap_or_default();
    serde_json::from_slice(json).map_err(|_| Damaged { at: 1, what: "the reason of a pause" })
}

/// A message of a mailbox, without its position: what a send brings. Scripts put the time before it.
pub(super) fn pack_message(message: &NewMessage) -> Vec<u8> {
    let mut to = Packer::new();
    to.medium(message.channel.as_str().as_bytes()).medium(message.event_id.as_bytes());
    to.raw(message.payload.as_bytes());
    to.into_bytes()
}

/// A message of a mailbox.
pub(super) fn read_message(seq: u64, bytes: &[u8]) -> Result<Message, Damaged> {
    let mut from = Unpacker::new(bytes);
    let at = from.moment()?;
    let channel = Channel::from_stored(read_text(from.medium()?)?);
    let event_id = read_text(from.medium()?)?.into();
    let payload = Payload::from_bytes(from.rest());
    Ok(Message { seq, at, message: NewMessage { channel, event_id, payload } })
}

/// How a run ended, as `finish` in the prelude takes it.
pub(super) fn pack_ending(ending: &Ending) -> (u8, Vec<u8>) {
    let (tag, end) = match &ending.result {
        Ok(output) => (1, ChildEnd::Complete(output.clone())),
        Err(failure) => (2, ChildEnd::Errored(failure.clone())),
    };
    (tag, end.encode().as_bytes().to_vec())
}

fn read_end(bytes: &[u8]) -> Result<End, Damaged> {
    Ok(match ChildEnd::decode(&Payload::from_bytes(bytes))? {
        ChildEnd::Complete(output) => End::Returned(Ending { result: Ok(output) }),
        ChildEnd::Errored(failure) => End::Returned(Ending { result: Err(failure) }),
        ChildEnd::Terminated { reason } => End::Terminated { reason },
        ChildEnd::NotCreated { .. } => return Err(Damaged { at: 0, what: "how a run ended" }),
    })
}

fn read_last_write(bytes: &[u8]) -> Result<(RequestId, OwnReply), Damaged> {
    let mut from = Unpacker::new(bytes);
    let request = RequestId(from.wide()?);
    // One bit each, as `own.lua` adds them.
    let (pause, goes_on) = match from.byte()? {
        flags @ 0..4 => (flags & 1 == 1, flags & 2 == 2),
        _ => return Err(from.damaged("flags")),
    };
    let granted = Granted { v: from.six()?, now: from.moment()?, pause, messages: Vec::new() };
    Ok((request, if goes_on { OwnReply::Continue(granted) } else { OwnReply::Ok(granted) }))
}

fn read_controls(bytes: &[u8]) -> Result<Vec<(RequestId, ControlReply)>, Damaged> {
    let mut from = Unpacker::new(bytes);
    let mut controls = Vec::new();
    while !from.is_at_end() {
        let (request, number) = (RequestId(from.wide()?), usize::from(from.byte()?));
        let state = number.checked_sub(1).and_then(|index| STATES.get(index)).ok_or(from.damaged("a state"))?;
        controls.push((request, ControlReply::Done(*state)));
    }
    Ok(controls)
}

/// Where a run comes from: open 1, source 4, streams 4, the path.
pub(super) fn read_fork(bytes: &[u8]) -> Result<Fork, Damaged> {
    let mut from = Unpacker::new(bytes);
    let (open, source, streams) = (from.flag()?, from.small(4)?, from.small(4)?);
    Ok(Fork { source, streams, path: Path::from_recorded(read_text(from.rest())?), open })
}

/// A run that was replaced and is still kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct OldRun {
    pub(super) run: u32,
    pub(super) records: u32,
    pub(super) expires_at: Timestamp,
}

/// The runs that were replaced and are still kept.
pub(super) fn read_old(bytes: &[u8]) -> Result<Vec<OldRun>, Damaged> {
    let mut from = Unpacker::new(bytes);
    let mut runs = Vec::new();
    while !from.is_at_end() {
        let (run, records) = (from.small(4)?, from.small(3)?);
        let expires_at = Timestamp::from_millis(i64::try_from(from.six()?).expect("six bytes"));
        runs.push(OldRun { run, records, expires_at });
    }
    Ok(runs)
}

/// The same, with the number of their records only.
pub(super) fn read_old_runs(bytes: &[u8]) -> Result<Vec<(u32, u32)>, Damaged> {
    Ok(read_old(bytes)?.into_iter().map(|old| (old.run, old.records)).collect())
}

/// The name of a record's field.
pub(super) fn record_field(run: u32, number: u32) -> String {
    if run == 1 { number.to_string() } else { format!("{run}:{number}") }
}

/// What became of an instance, from its fields, in the order of [`OUTCOME_FIELDS`]; `None` when there is none.
pub(super) fn read_outcome(fields: &[Option<Vec<u8>>]) -> Result<Option<Outcome>, Damaged> {
    let field = |index: usize| fields.get(index).and_then(Option::as_deref);
    let needed = |index| field(index).ok_or(Damaged { at: 0, what: "a field of an instance" });
    let Some(head) = field(0) else { return Ok(None) };
    let mut meta = Unpacker::new(needed(1)?);
    // Version, priority, and how long it is kept.
    meta.skip(4 + 1 + 5 + 5)?;
    read_start(&mut meta)?;
    let stands = match Numbers::read(head, &[])?.place {
        6 => Stands::Paused(read_reason(needed(2)?)?),
        7 => Stands::Ended(read_end(needed(3)?)?),
        1..=5 => Stands::Open,
        _ => return Err(Damaged { at: 0, what: "a place" }),
    };
    Ok(Some(Outcome { workflow: read_workflow(&mut meta)?, stands }))
}

/// The head of an instance from its fields, in the order of [`FIELDS`]; and its old runs.
pub(super) fn read_head(fields: &[Option<Vec<u8>>], children: Vec<InstanceId>) -> Result<(Head, Vec<u32>), Damaged> {
    let field = |name: &str| {
        let index = FIELDS.iter().position(|known| *known == name).expect("a field of the table");
        fields.get(index).and_then(Option::as_deref)
    };
    let needed = |name: &'static str| field(name).ok_or(Damaged { at: 0, what: "a field of an instance" });
    let numbers = Numbers::read(needed("h")?, field("t").unwrap_or_default())?;
    if numbers.has_traffic {
        needed("t")?;
    }
    let (created_by, seed, created_at) = read_birth(needed("b")?)?;
    let spec = Arc::new(read_spec(needed("m")?, seed, needed("i")?)?);
    let session = numbers.session;
    let waits = || field("w").map_or(Ok(Vec::new()), read_waits);
    let of_session = || session.ok_or(Damaged { at: 0, what: "the session of an instance" });
    let since = Timestamp::from_millis(numbers.since);
    let place = match numbers.place {
        1 => Place::Ready { score: numbers.since },
        2 => Place::Shelved,
        3 => Place::Inbox { session: of_session()?, since, waits: waits()? },
        4 => Place::Held { session: of_session()?, notice: numbers.notice },
        5 => Place::Asleep { waits: waits()?, sticky: session },
        6 => Place::Paused { reason: read_reason(needed("p")?)?, since, waits: waits()? },
        7 => {
            // Nothing changes it after its end.
            Place::Done { end: read_end(needed("o")?)?, at: numbers.updated_at, expires_at: since }
        }
        _ => return Err(Damaged { at: 0, what: "a place" }),
    };
    let old = field("a").map_or(Ok(Vec::new()), read_old_runs)?;
    let head = Head {
        spec,
        created_by,
        created_at,
        run: numbers.run,
        started_at: numbers.started_at,
        updated_at: numbers.updated_at,
        v: numbers.v,
        place,
        pause: numbers.pause,
        begun: numbers.begun,
        records: numbers.records,
        journal_bytes: numbers.journal_bytes,
        arrivals: numbers.arrivals,
        unread: numbers.unread,
        outgoing: numbers.outgoing,
        shift_ms: numbers.shift_ms,
        suspect: numbers.suspect()?,
        last_write: field("q").map(read_last_write).transpose()?,
        last_controls: field("k").map_or(Ok(Vec::new()), read_controls)?,
        fork: field("f").map(read_fork).transpose()?,
        children,
    };
    Ok((head, old.into_iter().map(|(run, _)| run).collect()))
}
