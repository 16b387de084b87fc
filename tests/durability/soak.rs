//! Hours of mixed work with some trouble every few seconds: nothing grows, nothing waits for ever, and in the end nothing
//! is left. Only at night, or for as many minutes as `WORKFLOW_TEST_CASES` says.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use support::chance::Chance;
use support::load::{Paid, delivered, delivery, parcel, total, trip};
use support::prelude::*;
use support::redis::RedisServer;
use support::size::Amount;

use super::fleet::Fleet;

on_every_shared_store!(nothing_grows_while_there_is_work_and_trouble,);

/// Minutes.
const MINUTES: Amount = Amount::of(0, 120, 1_440);
/// How often something goes wrong.
const TROUBLE_EVERY: Duration = Duration::from_secs(5);
/// How often everything is measured.
const MEASURED_EVERY: Duration = Duration::from_secs(2);
/// Who works at a time.
const CUSTOMERS: u64 = 8;
/// One in so many is a delivery, which has a child.
const DELIVERIES_EVERY: u64 = 8;
/// How long results are kept: longer than a customer needs to fetch one. Children are kept for ten minutes all the same.
const KEPT: Duration = Duration::from_secs(20);
/// How long what was kept long enough may be there still.
const DELETED_WITHIN: Duration = Duration::from_secs(60);
/// The longest that anything waits, on a machine that does much else.
const LONGEST: Duration = Duration::from_secs(180);
/// The most that the memory of a worker grows in an hour, once it is warm, in KiB.
const GROWTH_PER_HOUR_KIB: f64 = 1_024.0;
/// What pages come and go besides, in KiB.
const NOISE_KIB: f64 = 3_072.0;
/// What connections come and go.
const NOISE_FILES: usize = 6;

async fn nothing_grows_while_there_is_work_and_trouble(mut stage: Stage) -> TestResult {
    let time = Duration::from_secs(60 * MINUTES.wanted());
    if time.is_zero() {
        eprintln!("only at night: it takes hours to see that nothing grows");
        return Ok(());
    }
    if stage.kind == StoreKind::Redis {
        // What it wrote is made small again early: it is read whole at every restart.
        let settings = [("appendonly", "yes"), ("appendfsync", "always"), ("auto-aof-rewrite-min-size", "1mb")];
        stage.server = Some(RedisServer::start_with(&settings));
    }
    let mut fleet = Fleet::new(stage, 16, Duration::from_millis(5)).await;
    let client = fleet.stage.builder().retention(KEPT, KEPT).patience(LONGEST).mode(Mode::Client).start().await?;
    for _ in 0..3 {
        fleet.start_worker();
    }
    let mut server = fleet.stage.server.take();
    let begun = Instant::now();
    let (until, served) = (begun + time, Cell::new(0));
    let customers = (0..CUSTOMERS).map(|customer| serve(&client, customer, until, &served));
    let customers = async {
        let ended = futures_of(customers.collect()).await;
        ended.into_iter().collect::<Result<(), _>>()
    };
    let veteran = fleet.workers[0].id();
    let measures = RefCell::new(Vec::new());
    let watch = async {
        let mut ticks = tokio::time::interval(MEASURED_EVERY);
        while Instant::now() < until {
            ticks.tick().await;
            let measured = Measure::of(veteran, &client, begun, &served).await;
            measures.borrow_mut().push(measured);
            if measures.borrow().len() % 30 == 0 {
                eprintln!("{} served, {measured:?}", served.get());
            }
        }
    };
    let trouble = async {
        let mut chance = Chance::new("soak");
        while Instant::now() + TROUBLE_EVERY < until {
            wait::moment(Instant::now() + TROUBLE_EVERY).await;
            suffer(&mut fleet, &mut chance, &mut server).await;
            fleet.check_workers();
        }
    };
    let (ended, (), ()) = tokio::join!(customers, watch, trouble);
    ended.map_err(|why| format!("{why}\n{}", fleet.log()))?;
    check(&measures.into_inner());
    let gone = async || {
        let left = instances(&client).await;
        (left == 0).then_some(())
    };
    wait::until("everything is deleted that is no child", gone).await;
    Ok(())
}

/// All of them, side by side on this task.
async fn futures_of<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut ended: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, ended) in futures.iter_mut().zip(&mut ended).filter(|(_, ended)| ended.is_none()) {
            if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
                *ended = Some(output);
            }
        }
        if ended.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    ended.into_iter().flatten().collect()
}

/// One customer, who waits for nothing longer than anything may take.
async fn serve(client: &Engine, customer: u64, until: Instant, served: &Cell<u64>) -> TestResult {
    for number in (customer..).step_by(CUSTOMERS as usize) {
        if Instant::now() > until {
            break;
        }
        if number % DELIVERIES_EVERY == customer {
            let handle = delivery::create(client, number).id(format!("delivery-{number}")).await?;
            handle.send(Paid { amount: 1 }).id("first").await?;
            handle.send(Paid { amount: 2 }).id("second").await?;
            let result = handle.result_within(LONGEST).await;
            if !matches!(result, Ok(sum) if sum == delivered(number, 1, 2)) {
                return Err(format!("{}: {result:?}", handle.id()).into());
            }
        } else {
            let handle = parcel::create(client, number, number % 2 == 0).id(format!("parcel-{number}")).await?;
            handle.send(Paid { amount: 5 }).id("paid").await?;
            let result = handle.result_within(LONGEST).await;
            if !matches!(result, Ok(sum) if sum == total(number, 5)) {
                return Err(format!("{}: {result:?}", handle.id()).into());
            }
        }
        served.set(served.get() + 1);
    }
    Ok(())
}

/// Something goes wrong, but never the end of the first worker.
async fn suffer(fleet: &mut Fleet, chance: &mut Chance, server: &mut Option<RedisServer>) {
    let victim = 1 + chance.index(fleet.workers.len() - 1);
    match (chance.index(6), &*server) {
        (0, Some(_)) => {
            let mut killed = server.take().expect("it is there");
            // Beside the others, who have to do without it meanwhile.
            let restarted = tokio::task::spawn_blocking(move || {
                killed.restart();
                killed
            });
            *server = Some(restarted.await.expect("a server starts again"));
        }
        (1, Some(server)) => {
            server.command(&["SCRIPT", "FLUSH"]);
        }
        (2, Some(server)) => {
            for kind in ["normal", "pubsub"] {
                server.command(&["CLIENT", "KILL", "TYPE", kind]);
            }
        }
        (3, _) => {
            fleet.workers[victim].ready().await;
            fleet.workers[victim].freeze();
            wait::moment(Instant::now() + 3 * stage::SHORT_LEASE).await;
            fleet.workers[victim].thaw();
        }
        (4, _) => {
            fleet.workers[victim].ready().await;
            fleet.start_worker().ready().await;
            let worker = fleet.workers.remove(victim);
            worker.ask_to_end();
            assert!(worker.end().await, "it did not end in order:\n{}", fleet.log());
        }
        _ => fleet.replace_worker(victim),
    }
}

/// What must not grow.
#[derive(Debug, Clone, Copy)]
struct Measure {
    /// When, since the beginning.
    at: Duration,
    /// How many were served until then.
    served: u64,
    /// The memory of the first worker, in KiB.
    memory: f64,
    /// Its open files, connections among them.
    files: usize,
    /// Instances in the store that are no children.
    instances: u64,
}

impl Measure {
    async fn of(process: u32, client: &Engine, begun: Instant, served: &Cell<u64>) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has a memory");
        let memory = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number of KiB");
        let files = std::fs::read_dir(format!("/proc/{process}/fd")).expect("it lives").count();
        let instances = instances(client).await;
        Self { at: begun.elapsed(), served: served.get(), memory, files, instances }
    }
}

async fn instances(client: &Engine) -> u64 {
    let count = async || -> Result<u64, EngineError> {
        let mut children = 0;
        let mut list = client.list().of::<trip>().limit(1_000).await?;
        loop {
            children += list.instances.len() as u64;
            let Some(next) = list.next else { break };
            list = client.list().of::<trip>().limit(1_000).after(next).await?;
        }
        // The children first: one that comes meanwhile is not counted twice.
        Ok(client.overview().await?.total().saturating_sub(children))
    };
    count().await.expect("the store of a test answers within the patience of a client")
}

/// The first quarter is warming up; what the second has of files at most, the last may have too. Of instances there are
/// those that were served a short time ago.
fn check(measures: &[Measure]) {
    assert!(measures.len() >= 16, "{} measures say nothing", measures.len());
    let quarter = measures.len() / 4;
    let (early, late) = (&measures[quarter..2 * quarter], &measures[3 * quarter..]);
    let memory: Vec<f64> = measures[quarter..].iter().map(|measure| measure.memory).collect();
    let hours = MEASURED_EVERY.as_secs_f64() * memory.len() as f64 / 3_600.0;
    let growth = slope(&memory) * memory.len() as f64;
    eprintln!("{growth:.0} KiB in {hours:.2} hours, from {:.0} KiB", memory[0]);
    assert!(growth <= GROWTH_PER_HOUR_KIB * hours + NOISE_KIB, "its memory grew: {memory:?}");
    let most = |of: &[Measure], what: fn(&Measure) -> usize| of.iter().map(what).max().unwrap_or(0);
    let files = [most(early, |m| m.files), most(late, |m| m.files)];
    assert!(files[1] <= files[0] + NOISE_FILES, "open files grew: {files:?}");
    for measure in &measures[quarter..] {
        let long_before = measure.at.saturating_sub(KEPT + DELETED_WITHIN);
        let before = measures.iter().take_while(|before| before.at <= long_before).last().map_or(0, |m| m.served);
        let may_be_there = measure.served - before + 2 * CUSTOMERS;
        assert!(measure.instances <= may_be_there, "they are kept for longer than they should: {measure:?}, {before}");
    }
}

/// How much it grows from one to the next, by least squares.
fn slope(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let (mean_at, mean) = ((count - 1.0) / 2.0, values.iter().sum::<f64>() / count);
    let of = |(at, value): (usize, &f64)| ((at as f64 - mean_at) * (value - mean), (at as f64 - mean_at).powi(2));
    let (both, square) =
        values.iter().enumerate().map(of).fold((0.0, 0.0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
    both / square
}

/// That the checks see what they are for.
#[cfg(test)]
mod tests {
    use super::*;

    fn measures(of: impl Fn(usize) -> Measure) -> Vec<Measure> {
        let timed = |at: usize| Measure { at: MEASURED_EVERY * at as u32, served: 10 * at as u64, ..of(at) };
        (0..1_800).map(timed).collect()
    }

    const STILL: Measure = Measure { at: Duration::ZERO, served: 0, memory: 20_000.0, files: 20, instances: 300 };

    #[test]
    fn what_stays_as_it_is_is_good() {
        check(&measures(|at| Measure { memory: 20_000.0 + (at % 7) as f64 * 100.0, ..STILL }));
        assert!((slope(&[1.0, 3.0, 5.0]) - 2.0).abs() < 1e-9);
    }

    #[test]
    #[should_panic(expected = "its memory grew")]
    fn memory_must_not_grow() {
        check(&measures(|at| Measure { memory: 20_000.0 + at as f64 * 4.0, ..STILL }));
    }

    #[test]
    #[should_panic(expected = "open files grew")]
    fn files_must_not_grow() {
        check(&measures(|at| Measure { files: 20 + at / 100, ..STILL }));
    }

    #[test]
    #[should_panic(expected = "they are kept for longer")]
    fn instances_must_not_grow() {
        check(&measures(|at| Measure { instances: at as u64, ..STILL }));
    }
}
