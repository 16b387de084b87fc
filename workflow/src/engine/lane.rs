//! The queue of one partition: commands that wait to be sent, and batches of those that are being sent.
//!
//! Bounded in count and bytes. A command leaves it only with an answer: a batch whose worker panics puts its commands
//! back.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::meter;
use super::supervise::lock;
use crate::journal::command::{Command, Outgoing, Reply, Then};
use crate::store::{BoxFuture, StoreError};

/// While a batch is on its way, the next sets out only with so many commands: what follows each other one by one costs the
/// store most, and what waits for a batch to come back waits for no more than that.
const GATHERED: usize = 32;
/// Most commands that are queued or being sent; more callers wait.
const COMMANDS_MAX: usize = 16_384;
/// Most commands in one batch.
const BATCH_COMMANDS_MAX: usize = 512;
/// Most bytes of payloads in one batch (a larger single command goes alone).
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A command whose batches panicked this often is answered with an error.
const PANICS_MAX: u8 = 3;

/// Who gets the answer.
pub(super) enum Answer {
    /// A caller that waits, unless it went away.
    Caller(oneshot::Sender<Result<Reply, StoreError>>),
    /// The same, who is also told whether the command was sent more than once.
    Claimer(oneshot::Sender<Result<(Reply, bool), StoreError>>),
    /// A function, always.
    Call(Box<dyn FnOnce(Result<Reply, StoreError>) + Send>),
}

/// How a command is sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sending {
    /// Not sent again after this.
    pub(super) deadline: Option<Instant>,
    /// The store may have answered its request before.
    pub(super) again: bool,
}

/// One command on its way.
pub(super) struct Item {
    command: Command,
    bytes: usize,
    answer: Answer,
    /// Not sent again after this.
    deadline: Option<Instant>,
    /// It, or another command with its request id, was sent before: its answer may be one that the store gave then.
    sent: bool,
    /// It was sent more than once: its answer may be one to an earlier try.
    resent: bool,
    /// How many workers panicked while they sent it.
    panics: u8,
    _room: OwnedSemaphorePermit,
}

/// Most troubles that are told apart until a batch is carried out.
const TROUBLES_MAX: usize = 16;

/// The queue of one partition.
pub(super) struct Lane {
    waiting: Mutex<Waiting>,
    /// What was said of batches that were not carried out, since the last one that was.
    troubles: Mutex<BTreeSet<String>>,
    filled: Notify,
    room: Arc<Semaphore>,
}

/// What a lane has to send.
#[derive(Default)]
struct Waiting {
    queue: VecDeque<Item>,
    /// How many batches are on their way and soon to come back.
    under_way: usize,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            troubles: Mutex::default(),
            filled: Notify::new(),
            room: Arc::new(Semaphore::new(COMMANDS_MAX)),
        }
    }

    /// Queues a command at once, or gives what must be awaited for it, as the lane is full.
    ///
    /// No `async fn`: the futures of its callers would hold the command in each layer twice.
    pub(super) fn push(&self, command: Command, answer: Answer, sending: Sending) -> Option<BoxFuture<'_, ()>> {
        let item = move |room| Item {
            bytes: bytes_of(&command),
            command,
            answer,
            deadline: sending.deadline,
            sent: sending.again,
            resent: false,
            panics: 0,
            _room: room,
        };
        if let Ok(room) = self.room.clone().try_acquire_owned() {
            self.add(item(room));
            return None;
        }
        Some(Box::pin(async move {
            let room = self.room.clone().acquire_owned().await.expect("the lane's semaphore is never closed");
            self.add(item(room));
        }))
    }

    fn add(&self, item: Item) {
        lock(&self.waiting).queue.push_back(item);
        self.filled.notify_one();
    }

    /// Whether this was not said since a batch was last carried out: one line for each new kind of trouble, not one for
    /// each try, also where the tries meet several kinds in turn.
    pub(super) fn is_new_trouble(&self, message: &str) -> bool {
        let mut troubles = lock(&self.troubles);
        troubles.len() < TROUBLES_MAX && troubles.insert(message.to_owned())
    }

    /// A batch was carried out.
    pub(super) fn is_out_of_trouble(&self) {
        lock(&self.troubles).clear();
    }

    /// What is queued now, up to the bounds of a batch; waits while nothing is, or little is and another is on its way.
    pub(super) async fn next_batch(&self) -> Batch<'_> {
        loop {
            if let Some(batch) = self.take_batch() {
                return batch;
            }
            self.filled.notified().await;
        }
    }

    fn take_batch(&self) -> Option<Batch<'_>> {
        let mut waiting = lock(&self.waiting);
        let Waiting { queue, under_way } = &mut *waiting;
        if queue.is_empty() || (*under_way > 0 && queue.len() < GATHERED) {
            return None;
        }
        let mut bytes = 0;
        let mut items = VecDeque::new();
        while let Some(next) = queue.front() {
            bytes += next.bytes;
            let full = items.len() >= BATCH_COMMANDS_MAX || bytes > BATCH_BYTES_MAX;
            // What made a worker panic goes alone, so that it takes no other with it again.
            if !items.is_empty() && (full || next.panics > 0) {
                break;
            }
            let alone = next.panics > 0;
            items.extend(queue.pop_front());
            if alone {
                break;
            }
        }
        if !queue.is_empty() {
            self.filled.notify_one();
        }
        *under_way += 1;
        Some(Batch { lane: self, items, counts: true })
    }

    fn put_back(&self, items: impl DoubleEndedIterator<Item = Item>) {
        let mut waiting = lock(&self.waiting);
        for item in items.rev() {
            waiting.queue.push_front(item);
        }
        self.filled.notify_one();
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("queued", &lock(&self.waiting).queue.len()).finish_non_exhaustive()
    }
}

/// Commands that are being sent. They belong to the lane: they go back to it if this is dropped by a panic.
pub(super) struct Batch<'a> {
    lane: &'a Lane,
    items: VecDeque<Item>,
    /// It is one of those that the next waits for: on its way for the first time, and no part of another.
    counts: bool,
}

impl<'a> Batch<'a> {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// A copy to send; the originals stay for the next try.
    pub(super) fn commands(&self) -> Vec<Command> {
        self.items.iter().map(|item| item.command.clone()).collect()
    }

    /// Notes that all are sent now. For each, in order, whether it is the first time: only then the answer was made
    /// after this moment.
    pub(super) fn set_out(&mut self) -> Vec<bool> {
        let set_out = |item: &mut Item| {
            item.resent = item.sent;
            item.sent = true;
            !item.resent
        };
        self.items.iter_mut().map(set_out).collect()
    }

    /// Answers every command, in order.
    pub(super) fn answer(&mut self, replies: Vec<Reply>) {
        for (item, reply) in self.items.drain(..).zip(replies) {
            meter::answered(&item.command, &reply);
            item.answer(Ok(reply));
        }
    }

    /// Answers every command with this error.
    pub(super) fn fail(mut self, error: &StoreError) {
        for item in self.items.drain(..) {
            item.answer(Err(error.clone()));
        }
    }

    /// Answers those whose deadline has passed with this error.
    pub(super) fn forget_late(&mut self, error: &StoreError) {
        let now = Instant::now();
        let late = |item: &Item| item.deadline.is_some_and(|deadline| deadline <= now);
        let (over, rest): (VecDeque<_>, VecDeque<_>) = self.items.drain(..).partition(late);
        self.items = rest;
        for item in over {
            item.answer(Err(error.clone()));
        }
    }

    /// It is sent again, nobody knows for how long: others need not wait for it.
    pub(super) fn is_held_up(&mut self) {
        self.no_longer_counts();
    }

    fn no_longer_counts(&mut self) {
        if std::mem::take(&mut self.counts) {
            let mut waiting = lock(&self.lane.waiting);
            waiting.under_way -= 1;
            if !waiting.queue.is_empty() {
                self.lane.filled.notify_one();
            }
        }
    }

    /// The first command as a batch of its own.
    pub(super) fn split_first(&mut self) -> Option<Self> {
        let item = self.items.pop_front()?;
        Some(Self { lane: self.lane, items: VecDeque::from([item]), counts: false })
    }

    /// Takes the commands out.
    pub(super) fn take(mut self) -> VecDeque<Item> {
        std::mem::take(&mut self.items)
    }

    /// Puts commands in.
    pub(super) fn restore(&mut self, items: Vec<Item>) {
        self.items.extend(items);
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.no_longer_counts();
        // Dropped with commands left: by a panic, which another try may not meet, or because the engine is gone.
        if !std::thread::panicking() {
            return;
        }
        let (failed, rest): (Vec<_>, Vec<_>) = self
            .items
            .drain(..)
            .map(|item| Item { panics: item.panics + 1, ..item })
            .partition(|item| item.panics >= PANICS_MAX);
        self.lane.put_back(rest.into_iter());
        for item in failed {
            let message = "the store's code panicked while it carried this command out".to_owned();
            item.answer(Err(StoreError::Damaged { store: String::new(), message }));
        }
    }
}

impl Item {
    fn answer(self, reply: Result<Reply, StoreError>) {
        match self.answer {
            // A caller that went away has no use for its answer; the write is done all the same.
            Answer::Caller(caller) => drop(caller.send(reply)),
            Answer::Claimer(caller) => drop(caller.send(reply.map(|reply| (reply, self.resent)))),
            Answer::Call(call) => call(reply),
        }
    }
}

/// Roughly how many bytes a command takes on its way to the store: its payloads.
fn bytes_of(command: &Command) -> usize {
    match command {
        Command::Create(create) => {
            let message = create.message.as_ref().map_or(0, |message| message.payload.as_bytes().len());
            create.spec.input.as_bytes().len() + message
        }
        Command::Send(send) => send.message.payload.as_bytes().len(),
        Command::Own(own) => {
            let records: usize = own.write.records.iter().map(|record| record.as_bytes().len()).sum();
            let outgoing: usize = own.write.outgoing.iter().map(bytes_of_outgoing).sum();
            records + outgoing + bytes_of_end(&own.write.then)
        }
        _ => 0,
    }
}

fn bytes_of_outgoing(outgoing: &Outgoing) -> usize {
    match outgoing {
        Outgoing::CreateChild { spec, .. } => spec.input.as_bytes().len(),
        Outgoing::Deliver { message, .. } => message.payload.as_bytes().len(),
        Outgoing::Close { .. } => 0,
    }
}

fn bytes_of_end(then: &Then) -> usize {
    match then {
        Then::Finish(ending) => ending.result.as_ref().map_or(0, |output| output.as_bytes().len()),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::engine::holding::nothing;
    use crate::engine::tests::claimed;
    use crate::journal::command::{Create, Ending, InstanceSpec, Owner, OwnerWrite, Send, Write};
    use crate::journal::message::{Channel, NewMessage};
    use crate::words::id::{InstanceId, RequestId, SessionId};
    use crate::words::payload::Payload;

    #[test]
    fn each_trouble_is_told_once_until_it_is_over() {
        let lane = Lane::new();
        for told in [true, false] {
            assert_eq!(lane.is_new_trouble("nobody listens"), told);
            assert_eq!(lane.is_new_trouble("the cluster is down"), told);
        }
        lane.is_out_of_trouble();
        assert!(lane.is_new_trouble("nobody listens"), "another time it is told again");
        for number in 0..100 {
            lane.is_new_trouble(&number.to_string());
        }
        assert!(!lane.is_new_trouble("one of very many"), "however many there are");
    }

    /// An instance with an input and a first message of so many bytes.
    fn create(input: usize, message: usize) -> Command {
        let spec = InstanceSpec { input: Payload::from_bytes(vec![0; input]), ..(*claimed("a", 1, 1).spec).clone() };
        let message = (message > 0).then(|| of_bytes(message));
        let (request, id) = (RequestId(1), InstanceId::new("a").expect("valid"));
        Command::Create(Create { request, id, spec: Arc::new(spec), local: None, message })
    }

    fn of_bytes(payload: usize) -> NewMessage {
        let payload = Payload::from_bytes(vec![0; payload]);
        NewMessage { channel: Channel::event("a", ""), event_id: "1".into(), payload }
    }

    #[test]
    fn what_a_command_carries_is_the_sum_of_its_payloads() {
        let id = InstanceId::new("a").expect("valid");
        assert_eq!(bytes_of(&create(7, 0)), 7);
        assert_eq!(bytes_of(&create(7, 20)), 27);
        assert_eq!(bytes_of(&Command::Send(Send { id: id.clone(), run: None, message: of_bytes(20) })), 20);
        let Command::Create(Create { spec, .. }) = create(100, 0) else { panic!("as made") };
        let outgoing = vec![
            Outgoing::CreateChild { id: id.clone(), spec },
            Outgoing::Deliver { to: id.clone(), run: 1, message: of_bytes(1_000) },
            Outgoing::Close { child: id.clone(), reason: "enough".to_owned() },
        ];
        let records = vec![Payload::from_bytes(vec![0; 1]), Payload::from_bytes(vec![0; 2])];
        let end = Then::Finish(Ending { result: Ok(Payload::from_bytes(vec![0; 10_000])) });
        let write = Write { records, outgoing, ..nothing(end) };
        let owner = Owner { id, session: SessionId(1), run: 1, v: 1 };
        assert_eq!(bytes_of(&Command::Own(OwnerWrite { request: RequestId(1), owner, write })), 11_103);
    }

    /// A lane of creates with inputs of so many bytes.
    fn filled(inputs: impl IntoIterator<Item = usize>) -> Lane {
        let lane = Lane::new();
        for input in inputs {
            let answer = Answer::Call(Box::new(|_| {}));
            assert!(lane.push(create(input, 0), answer, Sending::default()).is_none(), "there is room");
        }
        lane
    }

    /// How many commands each batch has.
    fn batches(lane: &Lane) -> Vec<usize> {
        std::iter::from_fn(|| lane.take_batch().map(|batch| batch.len())).collect()
    }

    #[test]
    fn a_batch_has_no_more_commands_and_bytes_than_it_may() {
        assert!(filled([]).take_batch().is_none());
        assert_eq!(batches(&filled(vec![1; BATCH_COMMANDS_MAX + 3])), [BATCH_COMMANDS_MAX, 3]);
        let half = BATCH_BYTES_MAX / 2;
        assert_eq!(batches(&filled([half, half, 1])), [2, 1]);
        assert_eq!(batches(&filled([half, half + 1, 1])), [1, 2]);
        assert_eq!(batches(&filled([1, BATCH_BYTES_MAX + 1, 1])), [1, 1, 1], "what is larger goes alone");
    }

    fn fill(lane: &Lane, commands: usize) {
        for _ in 0..commands {
            let answer = Answer::Call(Box::new(|_| {}));
            assert!(lane.push(create(1, 0), answer, Sending::default()).is_none(), "there is room");
        }
    }

    #[test]
    fn while_a_batch_is_on_its_way_the_next_waits_until_enough_is_gathered() {
        let lane = filled([1]);
        let first = lane.take_batch().expect("nothing is on its way");
        fill(&lane, GATHERED - 1);
        assert!(lane.take_batch().is_none());
        fill(&lane, 1);
        let second = lane.take_batch().expect("enough is gathered");
        assert_eq!(second.len(), GATHERED);
        fill(&lane, 1);
        drop(second);
        assert!(lane.take_batch().is_none(), "the first is still on its way");
        drop(first);
        assert_eq!(lane.take_batch().map(|batch| batch.len()), Some(1));
    }

    #[test]
    fn what_is_sent_again_is_not_waited_for() {
        let lane = filled([1]);
        let mut first = lane.take_batch().expect("nothing is on its way");
        fill(&lane, 1);
        first.is_held_up();
        assert_eq!(lane.take_batch().map(|batch| batch.len()), Some(1));
        fill(&lane, 1);
        drop(first);
        assert_eq!(lane.take_batch().map(|batch| batch.len()), Some(1), "it is counted once");
    }

    #[test]
    fn parts_of_a_batch_that_come_back_are_not_the_batch() {
        let lane = filled([1, 1]);
        let mut batch = lane.take_batch().expect("nothing is on its way");
        drop(batch.split_first());
        fill(&lane, 1);
        assert!(lane.take_batch().is_none());
    }

    #[test]
    fn who_waits_for_enough_is_told_when_nothing_is_on_its_way_any_more() {
        let lane = filled([1]);
        let first = lane.take_batch().expect("nothing is on its way");
        fill(&lane, 1);
        let mut next = pin!(lane.next_batch());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert!(matches!(next.as_mut().poll(&mut cx), Poll::Ready(batch) if batch.len() == 1));
    }

    #[test]
    fn what_made_a_worker_panic_goes_alone() {
        let lane = filled([1; 5]);
        lock(&lane.waiting).queue[2].panics = 1;
        assert_eq!(batches(&lane), [2, 1, 2]);
    }
}
