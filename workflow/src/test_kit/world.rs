//! A world for one test: a store that is the transition table itself, a clock that stands still, and one worker.
//!
//! Owns virtual time and the order of what comes from outside. Every decision is the table's and the machine's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::authoring::run::StandIn;
use crate::authoring::task::{Action, RunTask};
use crate::authoring::verify::Code;
use crate::definition::{Registration, Resources};
use crate::journal::command::{
    self, Claim, ClaimReply, Claimed, Command, Control, Create, Granted, InstanceSpec, Outgoing, OwnReply, Owner,
    OwnerWrite, Reply, Then, Write,
};
use crate::journal::head::{Head, Place};
use crate::journal::machine::{Compared, Lived, RunInfo, RunStart};
use crate::journal::message::{Channel, NewMessage};
use crate::journal::record::Record;
use crate::store::model::Data;
use crate::words::id::{InstanceId, Namespace, QueueName, RequestId, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::{Clock, ManualClock, Timestamp};

/// When every test begins: 2030-01-01T00:00:00Z.
pub(super) const BEGINNING: Timestamp = Timestamp::from_millis(1_893_456_000_000);

const SESSION: SessionId = SessionId(1);

/// How long a session of the worker lives. Nobody ever fences it.
const LEASE: Duration = Duration::from_secs(3_600);

/// Delays shorter than this are waited for in memory, as a worker does.
const SHORT_DELAY: Duration = Duration::from_secs(1);

/// Something that comes from outside.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// An event.
    Event(NewMessage),
    /// Time passes.
    Advance(Duration),
}

impl Item {
    pub(super) fn event(event_type: &str, key: &str, payload: Payload) -> Self {
        // The id is given when it is sent: each is a message of its own.
        let message = NewMessage { channel: Channel::event(event_type, key), event_id: Arc::from(""), payload };
        Self::Event(message)
    }
}

/// See the module.
pub(super) struct World {
    data: Data,
    clock: Arc<ManualClock>,
    tasks: BTreeMap<InstanceId, Task>,
    registrations: BTreeMap<(String, u32), &'static Registration>,
    resources: Resources,
    stand_in: Option<Arc<dyn StandIn>>,
    script: std::vec::IntoIter<Item>,
    /// Time passes up to here, as the script said.
    advancing: Option<Timestamp>,
    requests: u128,
    claims: u64,
    /// Suspended runs stay in memory; else each wake replays the journal.
    pub(super) sticky: bool,
    subject: InstanceId,
    /// The runs that ended, by their instance.
    lived: BTreeMap<InstanceId, Lived>,
    /// What should be impossible, and happened.
    broken: Option<String>,
}

struct Task {
    run: RunTask,
    owner: Owner,
    /// When to look again at the latest.
    until: Option<Timestamp>,
    suspended: bool,
    /// Messages that were accepted before the run was last claimed. A replay knows no position of those that are
    /// consumed, and must not be told of them again.
    arrivals: u64,
}

impl World {
    pub(super) fn new(resources: Resources, stand_in: Option<Arc<dyn StandIn>>, script: Vec<Item>) -> Self {
        let registrations = Registration::all().map(|known| ((known.name.to_owned(), known.version), known));
        let mut world = Self {
            data: Data::default(),
            clock: Arc::new(ManualClock::starting_at(BEGINNING)),
            tasks: BTreeMap::new(),
            registrations: registrations.collect(),
            resources,
            stand_in,
            script: script.into_iter(),
            advancing: None,
            requests: 0,
            claims: 0,
            sticky: true,
            subject: InstanceId::new("test").expect("the id of the tested instance is valid"),
            lived: BTreeMap::new(),
            broken: None,
        };
        world.apply(&Command::OpenSession { session: SESSION, lease: LEASE });
        world
    }

    /// Creates the instance that is tested.
    pub(super) fn create(
        &mut self,
        registration: &'static Registration,
        input: Payload,
        seed: u128,
    ) -> Result<(), String> {
        // A workflow defined in a test's own module is known even if inventory has not seen it.
        self.registrations.insert((registration.name.to_owned(), registration.version), registration);
        let spec = InstanceSpec {
            workflow: WorkflowName::new(registration.name).map_err(|error| error.to_string())?,
            version: registration.version,
            queue: QueueName::new(registration.queue).map_err(|error| error.to_string())?,
            priority: 0,
            input,
            seed,
            start_at: None,
            keep_complete: Duration::MAX,
            keep_failed: Duration::MAX,
            parent: None,
        };
        let request = self.request();
        let id = self.subject.clone();
        self.apply(&Command::Create(Create { request, id, spec: Arc::new(spec), local: None, message: None }));
        Ok(())
    }

    /// Until the tested run is over, or nothing can happen any more.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.settle();
            if self.is_over() {
                return Poll::Ready(());
            }
            match self.poll_bodies(cx) {
                Some(Poll::Ready(())) => {}
                Some(Poll::Pending) => return Poll::Pending,
                None if self.happen() => {}
                None => return Poll::Ready(()),
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        let place = self.head().map(|head| &head.place);
        self.broken.is_some() || matches!(place, Some(Place::Done { .. } | Place::Paused { .. }))
    }

    /// Does what can be done at this moment without a body or the outside.
    pub(super) fn settle(&mut self) {
        loop {
            for id in self.held() {
                while let Some(write) = self.advance(&id) {
                    self.write(&id, write);
                }
            }
            if !self.exchange() {
                return;
            }
        }
    }

    /// The runs in memory that do not wait.
    pub(super) fn held(&self) -> Vec<InstanceId> {
        self.tasks.iter().filter(|(_, task)| !task.suspended).map(|(id, _)| id.clone()).collect()
    }

    /// Drives one run to its next write; `None` when it waits, or is not in memory any more.
    pub(super) fn advance(&mut self, id: &InstanceId) -> Option<Write> {
        let task = self.tasks.get_mut(id).filter(|task| !task.suspended)?;
        match task.run.advance() {
            Action::Write(write) => Some(write),
            Action::Idle { until } => {
                task.until = until;
                None
            }
        }
    }

    /// Carries commands between instances, wakes what is due, and takes what is ready. Whether anything happened.
    pub(super) fn exchange(&mut self) -> bool {
        let sent = self.send_outgoing();
        self.apply(&Command::WakeDue { limit: usize::MAX });
        let claimed = self.claim();
        self.broken.is_none() && (sent || claimed)
    }

    /// Sends a run's write to the store, and its answer back.
    pub(super) fn write(&mut self, id: &InstanceId, mut write: Write) {
        let request = self.request();
        let Some(task) = self.tasks.get(id) else { return };
        let owner = task.owner.clone();
        write.seen = write.seen.max(task.arrivals);
        let then = write.then.clone();
        if let Some(lived) = task.run.lived() {
            self.lived.insert(id.clone(), lived);
        }
        let reply = self.apply(&Command::Own(OwnerWrite { request, owner, write }));
        let (granted, goes_on): (Granted, bool) = match reply {
            Reply::Own(OwnReply::Ok(granted)) => (granted, matches!(then, Then::Hold)),
            Reply::Own(OwnReply::Continue(granted)) => (granted, true),
            // Terminated in between, as a child whose parent has closed is.
            Reply::Own(OwnReply::Stale) => {
                self.tasks.remove(id);
                return;
            }
            other => {
                self.broken = Some(format!("the store answered {other:?} to {then:?}"));
                self.tasks.remove(id);
                return;
            }
        };
        let keep = matches!(then, Then::Suspend { .. }) && self.sticky;
        let Some(task) = self.tasks.get_mut(id) else { return };
        task.owner.v = granted.v;
        if goes_on {
            task.run.granted(granted);
        } else if keep {
            task.suspended = true;
        } else {
            self.tasks.remove(id);
        }
    }

    /// Carries out the commands that instances have for each other.
    fn send_outgoing(&mut self) -> bool {
        let pending: Vec<(InstanceId, u64, Outgoing)> = self
            .data
            .instances
            .iter()
            .flat_map(|(id, instance)| {
                instance.outbox.iter().map(|(number, entry)| (id.clone(), *number, entry.1.clone()))
            })
            .collect();
        for (source, number, outgoing) in &pending {
            let command = self.command_of(outgoing.clone());
            self.apply(&command);
            self.apply(&Command::Sent { source: source.clone(), numbers: vec![*number] });
        }
        !pending.is_empty()
    }

    fn command_of(&mut self, outgoing: Outgoing) -> Command {
        let request = self.request();
        match outgoing {
            Outgoing::CreateChild { id, spec } => {
                Command::Create(Create { request, id, spec, local: None, message: None })
            }
            Outgoing::Deliver { to, run, message } => Command::Send(command::Send { id: to, run: Some(run), message }),
            Outgoing::Close { child, reason } => {
                self.tasks.remove(&child);
                let action = command::Action::Terminate { reason };
                Command::Control(Control { request, id: child, run: None, action })
            }
        }
    }

    /// Takes what is ready, and looks at what happened to what is held.
    fn claim(&mut self) -> bool {
        let known =
            self.registrations.values().filter_map(|known| Some((WorkflowName::new(known.name).ok()?, known.version)));
        let queues = self.data.instances.values().map(|instance| instance.head.spec.queue.clone());
        let (known, queues): (Arc<[_]>, Arc<[_]>) = (known.collect(), queues.collect());
        self.claims += 1;
        let claim = Claim {
            number: self.claims,
            session: SESSION,
            limit: usize::MAX,
            queues,
            known,
            quotas: Vec::new(),
            limits: Vec::new(),
        };
        let Reply::Claim(ClaimReply::Given { instances, notices, .. }) = self.apply(&Command::Claim(claim)) else {
            self.broken = Some("the store refused a claim".to_owned());
            return false;
        };
        let any = !instances.is_empty() || !notices.is_empty();
        instances.into_iter().for_each(|claimed| self.take(claimed));
        for id in &notices {
            if let Some(look) = self.tasks.get(id).map(|task| task.run.look()) {
                self.write(id, look);
            }
        }
        any
    }

    fn take(&mut self, claimed: Claimed) {
        let Claimed { id, run, v, spec, created_at, started_at, shift_ms, granted, .. } = claimed;
        let arrivals = self.data.instances.get(&id).map_or(0, |instance| instance.head.arrivals);
        if let Some(task) = self.tasks.get_mut(&id).filter(|task| task.owner.run == run) {
            task.owner.v = v;
            task.arrivals = arrivals;
            task.suspended = false;
            task.run.reclaimed(shift_ms, granted);
            return;
        }
        let Some(registration) = self.registrations.get(&(spec.workflow.to_string(), spec.version)) else { return };
        let records = match self.records(&id, run) {
            Ok(records) => records,
            Err(message) => return self.broken = Some(message),
        };
        let owner = Owner { id: id.clone(), session: SESSION, run, v };
        let info = RunInfo { namespace: namespace(), id: id.clone(), run, streams: run, spec, created_at, started_at };
        let journal_bytes = self.data.instances.get(&id).map_or(0, |instance| instance.head.journal_bytes);
        let start = RunStart {
            info,
            shift_ms,
            journal_bytes,
            granted,
            short_delay: SHORT_DELAY,
            compared: Compared::Run,
            holds_results: true,
        };
        let run = RunTask::new(
            start,
            records,
            registration,
            self.resources.clone(),
            self.stand_in.clone(),
            self.clock.clone(),
        );
        self.tasks.insert(id, Task { run, owner, until: None, suspended: false, arrivals });
    }

    /// `None` when no body runs; else whether one was woken.
    fn poll_bodies(&mut self, cx: &mut Context<'_>) -> Option<Poll<()>> {
        let mut running = false;
        for task in self.tasks.values_mut().filter(|task| task.run.bodies() > 0) {
            running = true;
            if task.run.poll_woken(cx).is_ready() {
                return Some(Poll::Ready(()));
            }
        }
        running.then_some(Poll::Pending)
    }

    /// Lets the next thing happen: what is due within the time that passes, the next item, or the next timer.
    pub(super) fn happen(&mut self) -> bool {
        let due = self.next_due();
        if let Some(end) = self.advancing {
            match due.filter(|due| *due <= end) {
                Some(due) => self.clock.advance_to(due),
                None => {
                    self.clock.advance_to(end);
                    self.advancing = None;
                }
            }
            return true;
        }
        match (self.script.next(), due) {
            (Some(Item::Advance(by)), _) => self.advancing = Some(self.clock.now().after(by)),
            (Some(Item::Event(message)), _) => self.send(self.subject.clone(), message),
            (None, Some(due)) => self.clock.advance_to(due),
            (None, None) => return false,
        }
        true
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let asleep = self.data.instances.values().filter_map(|instance| instance.head.due());
        let held = self.tasks.values().filter(|task| !task.suspended).filter_map(|task| task.until);
        asleep.chain(held).filter(|due| *due < Timestamp::MAX).min()
    }

    pub(super) fn send(&mut self, id: InstanceId, message: NewMessage) {
        let event_id = Arc::from(format!("event-{}", self.request().0));
        self.apply(&Command::Send(command::Send { id, run: None, message: NewMessage { event_id, ..message } }));
    }

    fn apply(&mut self, command: &Command) -> Reply {
        self.data.apply(command, self.clock.now(), &mut Vec::new())
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// The head of the tested instance.
    pub(super) fn head(&self) -> Option<&Head> {
        self.data.instances.get(&self.subject).map(|instance| &instance.head)
    }

    /// The id of the tested instance.
    pub(super) const fn subject(&self) -> &InstanceId {
        &self.subject
    }

    /// The records of an instance's newest run.
    pub(super) fn journal(&self, id: &InstanceId) -> Result<Vec<Record>, String> {
        self.records(id, self.data.instances.get(id).map_or(1, |instance| instance.head.run))
    }

    fn records(&self, id: &InstanceId, run: u32) -> Result<Vec<Record>, String> {
        let journal = self.data.instances.get(id).and_then(|instance| instance.journals.get(&run));
        let records = journal.into_iter().flatten().map(|bytes| Record::decode(bytes.as_bytes()));
        records.collect::<Result<_, _>>().map_err(|damaged| damaged.to_string())
    }

    /// The run of an instance that ended, as it is compared with its replay.
    pub(super) fn lived(&self, id: &InstanceId) -> Option<&Lived> {
        self.lived.get(id)
    }

    /// The newest run of an instance, and its code.
    pub(super) fn code(&self, id: &InstanceId) -> Option<(RunInfo, Code)> {
        let head = &self.data.instances.get(id)?.head;
        let registration = self.registrations.get(&(head.spec.workflow.to_string(), head.spec.version))?;
        let info = RunInfo {
            namespace: namespace(),
            id: id.clone(),
            run: head.run,
            streams: head.fork.as_ref().map_or(head.run, |fork| fork.streams),
            spec: head.spec.clone(),
            created_at: head.created_at,
            started_at: head.started_at,
        };
        Some((info, Code { registration, resources: self.resources.clone() }))
    }

    /// What should be impossible, and happened.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }
}

#[cfg(test)]
impl World {
    /// The worker is gone with everything in its memory, and another takes its place.
    pub(super) fn crash(&mut self) {
        self.tasks.clear();
        self.apply(&Command::CloseSession { session: SESSION });
        self.apply(&Command::OpenSession { session: SESSION, lease: LEASE });
    }

    /// Whether the code of an instance ran: a child may be closed before it begins.
    pub(super) fn begun(&self, id: &InstanceId) -> bool {
        self.data.instances.get(id).is_some_and(|instance| instance.head.begun)
    }

    /// The head of any instance.
    pub(super) fn head_of(&self, id: &InstanceId) -> Option<&Head> {
        self.data.instances.get(id).map(|instance| &instance.head)
    }

    /// Every instance there is: the tested one and its children.
    pub(super) fn instances(&self) -> Vec<InstanceId> {
        self.data.instances.keys().cloned().collect()
    }
}

fn namespace() -> Namespace {
    Namespace::new("test").expect("the namespace of tests is valid")
}
