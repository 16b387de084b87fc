//! Carries out what instances have queued for others: children to create, ends to deliver, children to close.
//!
//! What is queued stays with its instance until it is acknowledged, so it is carried out at least once; whom it is for
//! knows repeats by their request or event id. The worker that queued something sends it at once; what is left over,
//! by whomever, is found by the sweep. Commands of one instance are carried out in their order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::backoff::{Backoff, jittered};
use super::worker::Worker;
use crate::journal::command::{
    Action, Command, Control, Create, CreateReply, InstanceSpec, Outgoing, ParentClose, Reply, Send,
};
use crate::journal::message::{Channel, ChildEnd, NewMessage};
use crate::store::{Pending, StoreError};
use crate::words::id::{InstanceId, RequestId};
use crate::words::time::Timestamp;

/// How many commands are read at once; more when those at the front cannot be carried out now.
const PAGE: usize = 100;
/// The most.
const PAGE_MAX: usize = 10_000;
/// How long the worker that queued a command has before others send it too.
const GRACE: Duration = Duration::from_millis(20);
/// How often what is left over is looked for, after some was found.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often at least.
const SWEEP_LONGEST: Duration = Duration::from_secs(4);

/// Sends what is queued until the worker closes.
pub(super) async fn deliver(worker: Arc<Worker>) -> Result<(), StoreError> {
    let bells = &worker.bells;
    let elsewhere = || async {
        bells.outbox.notified().await;
        tokio::time::sleep(GRACE + jittered(GRACE)).await;
    };
    let mut pauses = Backoff::new(SWEEP_EVERY, SWEEP_LONGEST);
    loop {
        let before = tokio::select! {
            biased;
            () = worker.until_closed() => return Ok(()),
            () = bells.outbox_here.notified() => Timestamp::MAX,
            () = elsewhere() => worker.time.now().shifted(-millis(GRACE)),
            () = tokio::time::sleep(pauses.next()) => worker.time.now().shifted(-millis(GRACE)),
        };
        if send_before(&worker, before).await? {
            pauses.reset();
        }
    }
}

fn millis(duration: Duration) -> i64 {
    crate::words::time::millis_rounded_up(duration)
}

/// Sends everything queued before a time, and says whether there was anything.
pub(super) async fn send_before(worker: &Arc<Worker>, before: Timestamp) -> Result<bool, StoreError> {
    let mut page = PAGE;
    let mut any = false;
    loop {
        let pending = worker.store.outbox(before, page).await?;
        let found = pending.len();
        any |= found > 0;
        let sent = send_page(worker, pending).await?;
        if found < page || page >= PAGE_MAX {
            return Ok(any);
        }
        if sent == 0 {
            // All of the page must wait; what is behind it need not.
            page *= 10;
        }
    }
}

/// Sends one page: instances beside each other, the commands of each in order. How many were acknowledged.
async fn send_page(worker: &Arc<Worker>, pending: Vec<Pending>) -> Result<usize, StoreError> {
    let mut sources: BTreeMap<InstanceId, Vec<Pending>> = BTreeMap::new();
    for item in pending {
        sources.entry(item.source.clone()).or_default().push(item);
    }
    let mut queues: Vec<_> = sources.into_values().map(Queue::new).collect();
    loop {
        let mut under_way = Vec::new();
        for queue in &mut queues {
            if let Some(item) = queue.left.pop() {
                let begun = begin(worker, &item).await?;
                under_way.push((queue, item, begun));
            }
        }
        if under_way.is_empty() {
            break;
        }
        for (queue, item, begun) in under_way {
            if finish(worker, &item, begun).await? {
                queue.sent.push(item.number);
            } else {
                // What comes after it may need it.
                queue.left.clear();
            }
        }
    }
    acknowledge(worker, queues).await
}

/// The commands of one instance.
struct Queue {
    source: InstanceId,
    /// Last first.
    left: Vec<Pending>,
    sent: Vec<u64>,
}

impl Queue {
    fn new(mut items: Vec<Pending>) -> Self {
        items.sort_by_key(|item| std::cmp::Reverse(item.number));
        let source = items.first().expect("a queue is made for a command").source.clone();
        Self { source, left: items, sent: Vec::new() }
    }
}

async fn acknowledge(worker: &Worker, queues: Vec<Queue>) -> Result<usize, StoreError> {
    let mut under_way = Vec::new();
    for queue in queues.into_iter().filter(|queue| !queue.sent.is_empty()) {
        let count = queue.sent.len();
        let command = Command::Sent { source: queue.source, numbers: queue.sent };
        under_way.push((count, worker.commands.begin(command).await));
    }
    let mut sent = 0;
    for (count, answered) in under_way {
        if let Ok(Ok(_)) = answered.await {
            sent += count;
        }
    }
    Ok(sent)
}

/// A command that was begun.
enum Begun {
    /// It is on its way.
    Create(oneshot::Receiver<Result<CreateReply, StoreError>>),
    Command(oneshot::Receiver<Result<Reply, StoreError>>),
    /// There is nothing to do.
    Needless,
}

async fn begin(worker: &Arc<Worker>, item: &Pending) -> Result<Begun, StoreError> {
    Ok(match &item.outgoing {
        Outgoing::CreateChild { id, spec } => {
            // The seed names the request: every worker that sends this sends the same.
            let request = RequestId(spec.seed);
            let create = Create { request, id: id.clone(), spec: spec.clone(), local: None, message: None };
            Begun::Create(worker.begin_create(create).await)
        }
        Outgoing::Deliver { to, run, message } => {
            let send = Send { id: to.clone(), run: Some(*run), message: message.clone() };
            Begun::Command(worker.commands.begin(Command::Send(send)).await)
        }
        Outgoing::Close { child, reason } => {
            if is_child(worker, child, &item.source).await? {
                let action = Action::Terminate { reason: reason.clone() };
                let control = Control { request: request_of(item), id: child.clone(), run: None, action };
                Begun::Command(worker.commands.begin(Command::Control(control)).await)
            } else {
                Begun::Needless
            }
        }
    })
}

/// Whether the instance is this parent's to close: another one may have taken the child's id before it.
async fn is_child(worker: &Worker, child: &InstanceId, parent: &InstanceId) -> Result<bool, StoreError> {
    let snapshot = worker.store.inspect(child.clone()).await?;
    let named = snapshot.and_then(|snapshot| snapshot.head.spec.parent.clone());
    Ok(named.is_some_and(|named| named.id == *parent && named.on_close == ParentClose::Terminate))
}

/// Names the request of a command that has no name of its own: the same for every worker that sends it.
fn request_of(item: &Pending) -> RequestId {
    let mut hash = blake3::Hasher::new();
    hash.update(item.source.as_str().as_bytes());
    hash.update(&item.number.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    RequestId(u128::from_be_bytes(*digest.first_chunk().expect("a digest has more than sixteen bytes")))
}

/// Waits for the answer; whether the command is done and can be forgotten.
async fn finish(worker: &Worker, item: &Pending, begun: Begun) -> Result<bool, StoreError> {
    match begun {
        Begun::Needless => Ok(true),
        Begun::Create(answered) => match answered.await {
            Ok(Ok(CreateReply::Created { .. })) => Ok(true),
            Ok(Ok(CreateReply::Exists { .. })) => tell_not_created(worker, item).await.map(|()| true),
            Ok(Err(error)) => Ok(later(item, &error)),
            Err(_) => Ok(false),
        },
        Begun::Command(answered) => match answered.await {
            // Whatever it is: the end of a child finds room in every mailbox.
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) => Ok(later(item, &error)),
            Err(_) => Ok(false),
        },
    }
}

fn later(item: &Pending, error: &StoreError) -> bool {
    tracing::warn!(
        instance = %item.source,
        number = item.number,
        %error,
        "what this instance asked of another (a child to begin or end, or its result) did not reach the store; it is sent \
         again"
    );
    false
}

/// Another instance has the child's id: the parent gets that as the child's end.
async fn tell_not_created(worker: &Worker, item: &Pending) -> Result<(), StoreError> {
    let Outgoing::CreateChild { id, spec } = &item.outgoing else { return Ok(()) };
    let Some(send) = not_created(id, spec) else { return Ok(()) };
    worker.commands.send(Command::Send(send)).await.map(drop)
}

fn not_created(id: &InstanceId, spec: &InstanceSpec) -> Option<Send> {
    let parent = spec.parent.as_ref()?;
    let end = ChildEnd::NotCreated { reason: format!("there is another instance with the id {id}") };
    let message =
        NewMessage { channel: Channel::child(id), event_id: format!("{id}:not-created").into(), payload: end.encode() };
    Some(Send { id: parent.id.clone(), run: Some(parent.run), message })
}
