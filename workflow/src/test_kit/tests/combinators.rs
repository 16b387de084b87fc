//! Joins, races and timeouts.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use super::{Counter, OnDrop, flow, go, step};
use crate::__private::{Block, Ctx, Durable, Raced2, Raced3, race};
use crate::authoring::join::{join_all, try_join_all};
use crate::authoring::sleep::sleep;
use crate::authoring::timeout::timeout;
use crate::definition::{Definition, Resources};
use crate::error::{BlockError, TimedOut};
use crate::test_kit::block_on;
use crate::test_kit::world::World;

async fn value<T>(value: T) -> Result<T, BlockError> {
    Ok(value)
}

flow!(Joins() -> (u32, String, u64), |cx, _resources| {
    let slow = Duration::from_secs(5);
    let (number, text, sum) = go!(cx, crate::join!(
        step!("number", |_| value(1_u32)).retries(1).delay(slow),
        step!("text", |_| value("two".to_owned())),
        Block({
            let cx = cx.clone();
            async move {
                go!(cx, sleep(Duration::from_secs(2)));
                go!(cx, step!("after", |_| value(3_u64)))
            }
        }),
    ));
    Ok((number?, text?, sum?))
});

#[test]
fn a_join_gives_all_outputs_in_written_order() {
    let report = Joins::test().fail("number", 1, "first try").run();
    assert_eq!(report.result, Ok((1, "two".to_owned(), 3)));
    assert_eq!(report.names().collect::<Vec<_>>(), ["number", "text", "after"]);
    assert_eq!(report.records.last().map(|record| record.at), Some(Duration::from_secs(5)), "the delays overlap");
}

flow!(TryJoins() -> String, |cx, resources| {
    let dropped = resources.get::<Counter>().map_err(|error| crate::Error::msg(error.to_string()))?;
    let guarded = |_| {
        let guard = OnDrop(dropped.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok::<u32, BlockError>(0)
        }
    };
    let joined = crate::try_join!(step!("never", guarded), step!("fails", |_| async { Err::<u32, _>("no") }));
    let error = go!(cx, joined).expect_err("one fails");
    assert_eq!(dropped.get(), 1, "the other is dropped when the first fails");
    Ok(error.name().to_owned())
});

#[test]
fn a_try_join_ends_with_the_first_error_and_drops_the_rest() {
    let counter = Arc::new(Counter::default());
    let report = TryJoins::test().resource(counter.clone()).run();
    assert_eq!(report.result, Ok("fails".to_owned()));
    assert_eq!(report.records.len(), 1, "nothing of the dropped one is left: {:?}", report.records);
    assert_eq!(counter.get(), 1);
}

flow!(Races() -> Vec<String>, |cx, resources| {
    let dropped = resources.get::<Counter>().map_err(|error| crate::Error::msg(error.to_string()))?;
    let guarded = |_| {
        let guard = OnDrop(dropped.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok::<u32, BlockError>(0)
        }
    };
    let mut won = Vec::new();
    won.push(match go!(cx, race((step!("loser", guarded), step!("winner", |_| value(7_u32))))) {
        Raced2::A(_) => "loser".to_owned(),
        Raced2::B(value) => format!("winner {}", value?),
    });
    assert_eq!(dropped.get(), 1, "the loser is dropped before the race's output is seen");
    let long = Duration::from_secs(60);
    won.push(match go!(cx, race((sleep(long), sleep(Duration::from_secs(1)), sleep(long)))) {
        Raced3::A(()) | Raced3::C(()) => "late".to_owned(),
        Raced3::B(()) => "early".to_owned(),
    });
    Ok(won)
});

#[test]
fn a_race_is_won_by_the_first_and_leaves_nothing_of_the_others() {
    let report = Races::test().resource(Counter::default()).run();
    assert_eq!(report.result, Ok(vec!["winner 7".to_owned(), "early".to_owned()]));
    assert_eq!(report.records.last().map(|record| record.at), Some(Duration::from_secs(1)));
    let ends = report.records.iter().filter(|record| record.what == "end").count();
    assert_eq!(ends, 2, "{:?}", report.records);
}

flow!(Timeouts() -> (Result<u32, TimedOut>, bool), |cx, _resources| {
    let quick = go!(cx, timeout(Duration::from_secs(10), step!("quick", |_| value(1_u32))));
    let slow = go!(cx, timeout(Duration::from_secs(10), sleep(Duration::from_secs(11))));
    Ok((quick.map(|value| value.expect("it succeeds")), slow.is_err()))
});

#[test]
fn a_timeout_gives_what_is_in_time_and_drops_what_is_not() {
    let report = Timeouts::test().run();
    assert_eq!(report.result, Ok((Ok(1), true)));
    let report = Timeouts::test().hang("quick").run();
    let (quick, _) = report.result.expect("it ends");
    assert_eq!(quick.expect_err("too late").after, Duration::from_secs(10));
}

flow!(All(count: u32) -> u64, |cx, _resources| {
    let steps = (0..count).map(|index| step!("each", move |_| value(u64::from(index))).key(index));
    let values = go!(cx, try_join_all(steps))?;
    assert!(values.iter().enumerate().all(|(index, value)| index as u64 == *value), "outputs are in written order");
    Ok(values.iter().sum())
});

#[test]
fn any_number_of_operations_can_be_joined() {
    assert_eq!(All::test(0).run().result, Ok(0));
    assert_eq!(All::test(100).run().result, Ok(4_950));
    let report = All::test(20).fail_keyed("each", 13, 1, "unlucky").run();
    assert!(report.result.is_err());
}

/// Counts the polls of an operation, by the branch it is.
struct Polled<D> {
    operation: D,
    index: usize,
    polls: Arc<Mutex<Vec<u32>>>,
}

impl<D: Durable + Send> Durable for Polled<D> {
    type Output = D::Output;

    async fn run(self, cx: Ctx) -> D::Output {
        let Self { operation, index, polls } = self;
        let mut operation = pin!(operation.run(cx));
        std::future::poll_fn(|task| {
            polls.lock().expect("no poll panics")[index] += 1;
            operation.as_mut().poll(task)
        })
        .await
    }
}

flow!(Wide(count: u32) -> u32, |cx, resources| {
    let polls = resources.get::<Mutex<Vec<u32>>>().map_err(|error| crate::Error::msg(error.to_string()))?;
    let steps = (0..count).map(|index| Polled {
        operation: step!("each", move |_| value(index)).key(index),
        index: index as usize,
        polls: polls.clone(),
    });
    let values = go!(cx, join_all(steps));
    Ok(u32::try_from(values.len()).unwrap_or(0))
});

#[test]
fn each_of_ten_thousand_branches_is_polled_a_few_times_only() {
    const COUNT: u32 = 10_000;
    let polls = Arc::new(Mutex::new(vec![0_u32; COUNT as usize]));
    let mut resources = Resources::default();
    resources.insert(polls.clone());
    let mut world = World::new(resources, None, Vec::new());
    let input = Wide::inputs(COUNT).into_payload().expect("writes");
    world.create(Wide::registration(), input, 0).expect("is created");
    block_on(std::future::poll_fn(|cx| world.poll(cx)));
    assert_eq!(world.broken(), None);
    assert_eq!(world.journal(world.subject()).map(|records| records.len()), Ok(COUNT as usize));
    let polls = polls.lock().expect("no poll panics");
    // When it is asked for, when its body starts (and ends), when its result is delivered.
    assert!(polls.iter().all(|polls| *polls == 3), "most polls of a branch: {:?}", polls.iter().max());
}
