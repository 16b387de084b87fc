//! Random commands, on the model store and on this one: every reply and every view must be the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::support::{LEASE, NUMBERS, START, bytes, clock, folder, id, namespace, queue, sound, spec, url, workflow};
use crate::journal::command::{
    Action, Claim, Command, Control, Create, Ending, InstanceSpec, Outgoing, Owner, OwnerWrite, Parent, ParentClose,
    PauseReason, Send, Then, Wait, Write,
};
use crate::journal::head::{Place, State};
use crate::journal::message::{Channel, NewMessage};
use crate::journal::path::Path;
use crate::store::model::ModelStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{ListQuery, Store};
use crate::words::failure::{FailureData, FailureKind};
use crate::words::id::{InstanceId, RequestId, SessionId};
use crate::words::time::{ManualClock, Timestamp};

/// A command by its numbers; what they mean depends on what there is when it is its turn.
#[derive(Debug, Clone)]
struct Step {
    kind: u8,
    instance: u8,
    session: u8,
    request: u8,
    choice: u8,
    amount: u16,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..40_u8, 0..6_u8, 0..3_u8, 0..200_u8, any::<u8>(), any::<u16>()).prop_map(
        |(kind, instance, session, request, choice, amount)| Step { kind, instance, session, request, choice, amount },
    );
    proptest::collection::vec(step, 1..90)
}

fn name(number: u8) -> InstanceId {
    id(&format!("i{number}"))
}

fn channel(number: u8) -> Channel {
    Channel::event("t", if number.is_multiple_of(2) { "" } else { "k" })
}

impl Step {
    fn request(&self) -> RequestId {
        RequestId(u128::from(self.request))
    }

    fn session(&self) -> SessionId {
        SessionId(u128::from(self.session) + 1)
    }

    fn of(&self, parts: u8) -> u8 {
        self.choice % parts
    }

    fn spec(&self) -> InstanceSpec {
        InstanceSpec {
            workflow: workflow(["order", "refund", "other"][usize::from(self.of(3))]),
            version: 1 + u32::from(self.of(7) / 6),
            queue: queue(["default", "slow"][usize::from(self.amount % 2)]),
            priority: self.of(4),
            start_at: self.amount.is_multiple_of(5).then(|| START.shifted(i64::from(self.amount))),
            keep_complete: Duration::from_secs(u64::from(self.amount % 100)),
            parent: self.amount.is_multiple_of(3).then(|| Parent {
                id: name(self.of(6)),
                run: 1,
                on_close: if self.of(2) == 0 { ParentClose::Terminate } else { ParentClose::Abandon },
            }),
            ..spec()
        }
    }

    fn message(&self) -> NewMessage {
        let channel = if self.of(5) == 0 { Channel::child(&name(self.of(6))) } else { channel(self.choice) };
        NewMessage { channel, event_id: format!("e{}", self.amount % 12).into(), payload: bytes("p") }
    }

    fn waits(&self) -> Vec<Wait> {
        let due = (self.of(3) > 0).then(|| START.shifted(i64::from(self.amount % 4_000)));
        vec![
            Wait { path: Path::root(), channel: Some(channel(self.choice)), due: None, shifts: true },
            Wait { path: Path::root(), channel: None, due, shifts: self.of(2) == 0 },
        ]
    }

    fn then(&self) -> Then {
        match self.amount % 16 {
            0..=4 => Then::Hold,
            5..=8 => Then::Suspend { waits: self.waits(), paused: self.of(9) == 0 },
            9 | 10 => Then::Finish(Ending { result: Ok(bytes("out")) }),
            11 => Then::Finish(Ending { result: Err(FailureData::new(FailureKind::Failed, "E", "no")) }),
            12 => Then::Park(PauseReason::Panic { message: "oh".to_owned() }),
            13 => Then::Release,
            14 => Then::Clear,
            _ => Then::Mark,
        }
    }

    /// A write of whoever holds the instance, sometimes a little wrong.
    fn own(&self, model: &ModelStore) -> Command {
        let (id, data) = (name(self.instance), model.dump());
        let instance = data.instances.get(&id);
        let held_by = instance.and_then(|instance| match instance.head.place {
            Place::Held { session, .. } => Some(session),
            _ => None,
        });
        let (run, v) = instance.map_or((1, 1), |instance| (instance.head.run, instance.head.v));
        let unread: Vec<u64> = instance.map_or_else(Vec::new, |i| i.mailbox.keys().copied().collect());
        let consumed: Vec<u64> = unread.into_iter().take(usize::from(self.of(3))).collect();
        let outgoing = match self.of(6) {
            0 => vec![Outgoing::CreateChild { id: name(self.of(5)), spec: Arc::new(self.spec()) }],
            1 => vec![Outgoing::Deliver { to: name(self.of(5)), run: 1, message: self.message() }],
            _ => Vec::new(),
        };
        let write = Write {
            records: (0..self.of(3)).map(|number| bytes(&format!("r{number}"))).collect(),
            seen: if self.of(4) == 0 { 0 } else { instance.map_or(0, |instance| instance.head.arrivals) },
            consumed,
            outgoing,
            shifted_ms: 0,
            then: self.then(),
        };
        let owner = Owner {
            id,
            session: if self.of(11) == 0 { self.session() } else { held_by.unwrap_or_else(|| self.session()) },
            run: if self.of(13) == 0 { run + 1 } else { run },
            v: if self.of(17) == 0 { v - 1 } else { v },
        };
        Command::Own(OwnerWrite { request: self.request(), owner, write })
    }

    fn control(&self) -> Command {
        let action = match self.of(7) {
            0 | 1 => Action::Pause,
            2 | 3 => Action::Resume,
            4 => Action::Terminate { reason: "why not".to_owned() },
            5 => Action::Delete,
            _ => Action::Restart,
        };
        let run = self.amount.is_multiple_of(5).then_some(1);
        Command::Control(Control { request: self.request(), id: name(self.instance), run, action })
    }

    fn claim(&self) -> Command {
        let queues = if self.of(3) == 0 { vec![queue("slow")] } else { vec![queue("default"), queue("slow")] };
        let mut known = vec![(workflow("order"), 1), (workflow("refund"), 1)];
        if self.of(4) == 0 {
            known.push((workflow("other"), 1));
        }
        Command::Claim(Claim {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed) - u64::from(self.of(3)),
            session: self.session(),
            limit: usize::from(self.amount % 4),
            queues: queues.into(),
            known: known.into(),
        })
    }

    fn sent(&self, model: &ModelStore) -> Command {
        let data = model.dump();
        let id = name(self.instance);
        let numbers = data.instances.get(&id).map_or_else(Vec::new, |i| i.outbox.keys().copied().collect());
        Command::Sent { source: id, numbers }
    }

    fn command(&self, model: &ModelStore) -> Command {
        let limit = usize::from(self.amount % 5);
        match self.kind {
            0..=4 => Command::Create(Create {
                request: self.request(),
                id: name(self.instance),
                spec: Arc::new(self.spec()),
                local: (self.of(2) == 0).then(|| self.session()),
                message: self.amount.is_multiple_of(5).then(|| self.message()),
            }),
            5..=9 => Command::Send(Send {
                id: name(self.instance),
                run: self.amount.is_multiple_of(7).then_some(1),
                message: self.message(),
            }),
            10..=12 => self.control(),
            13..=15 => Command::OpenSession { session: self.session(), lease: LEASE },
            16 => Command::CloseSession { session: self.session() },
            17 => Command::Fence { session: self.session(), beats: 0 },
            18 | 19 => Command::Recover { session: self.session(), limit },
            20..=24 => self.claim(),
            25 => Command::WakeDue { limit },
            26 => Command::Unstick { older_than: Duration::from_millis(u64::from(self.amount % 300)), limit },
            27 => self.sent(model),
            28 => Command::Expire { limit },
            _ => self.own(model),
        }
    }
}

async fn same_views(model: &ModelStore, store: &SqliteStore, step: &Step) {
    let data = model.dump();
    for number in 0..6 {
        let id = name(number);
        assert_eq!(store.inspect(id.clone()).await.expect("read"), model.inspect(id.clone()).await.expect("read"));
        for run in 1..=3 {
            let from = u32::from(step.of(3));
            let journal = store.journal(id.clone(), run, from).await.expect("read");
            assert_eq!(journal, model.journal(id.clone(), run, from).await.expect("read"));
        }
    }
    assert_eq!(store.overview().await.expect("read"), model.overview().await.expect("read"));
    assert_eq!(store.sessions().await.expect("read"), model.sessions().await.expect("read"));
    for before in [START, Timestamp::MAX] {
        let limit = usize::from(step.of(5));
        let outbox = store.outbox(before, limit).await.expect("read");
        assert_eq!(outbox, model.outbox(before, limit).await.expect("read"));
    }
    let mut listed = BTreeSet::new();
    let mut query = ListQuery {
        workflow: (step.of(2) == 0).then(|| workflow("order")),
        state: (step.of(3) == 0).then_some(State::Running),
        created_from: (step.of(5) == 0).then(|| START.shifted(500)),
        created_to: (step.of(7) == 0).then(|| START.shifted(2_000)),
        id_prefix: (step.of(4) == 0).then(|| id("i")),
        ..ListQuery::newest(2)
    };
    loop {
        let page = store.list(query.clone()).await.expect("read");
        assert_eq!(page, model.list(query.clone()).await.expect("read"));
        listed.extend(page.rows.into_iter().map(|row| row.id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert!(listed.len() <= data.instances.len());
}

async fn play(steps: &[Step], stores: &[&SqliteStore], model: &ModelStore, clock: &ManualClock) {
    for (number, step) in steps.iter().enumerate() {
        if step.kind == 39 {
            clock.advance(Duration::from_millis(u64::from(step.amount)));
            continue;
        }
        let command = step.command(model);
        let store = stores[number % stores.len()];
        let replies = store.execute(0, vec![command.clone()]).await.expect("carried out");
        assert_eq!(replies, [model.apply(&command)], "step {number}: {command:?}");
    }
    let last = steps.last().expect("there is a step");
    for store in stores {
        same_views(model, store, last).await;
        sound(store).await;
    }
}

fn compare(cases: u32, in_files: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&steps(), |steps| {
        runtime.block_on(async {
            let (folder, clock) = (folder(), clock());
            let url =
                if in_files { format!("{}?synchronous=normal", url(&folder)) } else { "sqlite::memory:".to_owned() };
            let namespace = namespace("default");
            let open = || SqliteStore::open(&url, &namespace, clock.clone());
            let model = ModelStore::new(clock.clone());
            let first = open().await.expect("it opens");
            if in_files {
                // Two on one file, in turn: what each has in its cache is always out of date.
                let second = open().await.expect("it opens");
                play(&steps, &[&first, &second], &model, &clock).await;
            } else {
                play(&steps, &[&first], &model, &clock).await;
            }
        });
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn in_memory_every_command_does_what_the_model_does() {
    compare(400, false);
}

#[test]
fn two_stores_on_one_file_do_together_what_the_model_does() {
    compare(60, true);
}
