//! Wakes, panics and drops: what the driver of a run must survive.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use super::{Counter, OnDrop, flow, go, step};
use crate::__private::{Block, Raced2, race};
use crate::authoring::sleep::sleep;
use crate::error::BlockError;
use crate::test_kit::TestError;

/// Ready at its second poll, which it asks for itself.
fn yields() -> impl Future<Output = ()> + Send {
    let mut yielded = false;
    poll_fn(move |task| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
}

flow!(Foreign() -> u32, |cx, _resources| {
    yields().await;
    go!(cx, sleep(Duration::from_secs(1)));
    Ok(1)
});

#[test]
fn awaiting_something_foreign_parks_the_run() {
    let report = Foreign::test().run();
    let Err(TestError::Parked { message }) = &report.result else { panic!("{report:?}") };
    assert!(message.contains("not durable"), "{message}");
}

flow!(ForeignInBranch() -> u32, |cx, _resources| {
    let foreign = Block(async {
        yields().await;
        1
    });
    match go!(cx, race((foreign, sleep(Duration::from_secs(1))))) {
        Raced2::A(value) => Ok(value),
        Raced2::B(()) => Ok(2),
    }
});

#[test]
fn awaiting_something_foreign_in_a_branch_parks_the_run() {
    let report = ForeignInBranch::test().run();
    assert!(matches!(report.result, Err(TestError::Parked { .. })), "{report:?}");
}

flow!(BodyYields() -> u32, |cx, _resources| {
    let body = |_| async {
        yields().await;
        yields().await;
        Ok::<_, BlockError>(5_u32)
    };
    let (first, second) = go!(cx, crate::join!(step!("first", body), step!("second", body)));
    Ok(first? + second?)
});

#[test]
fn a_body_may_await_whatever_it_likes() {
    assert_eq!(BodyYields::test().run().result, Ok(10));
}

flow!(OtherThread() -> u32, |cx, _resources| {
    let body = |_| async {
        let done = Arc::new(AtomicBool::new(false));
        let mut thread = None;
        poll_fn(|task| {
            if done.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            let (waker, done) = (task.waker().clone(), done.clone());
            thread.get_or_insert_with(|| {
                std::thread::Builder::new().spawn(move || {
                    done.store(true, Ordering::SeqCst);
                    waker.wake();
                })
            });
            Poll::Pending
        })
        .await;
        Ok::<_, BlockError>(1_u32)
    };
    Ok(go!(cx, step!("elsewhere", body))?)
});

#[test]
fn a_body_may_be_woken_from_another_thread() {
    assert_eq!(OtherThread::test().run().result, Ok(1));
}

flow!(Panics(late: bool) -> u32, |cx, _resources| {
    if late {
        go!(cx, sleep(Duration::from_secs(1)));
    }
    panic!("the code is wrong")
});

#[test]
fn a_panic_of_workflow_code_parks_the_run() {
    for late in [false, true] {
        let report = Panics::test(late).run();
        let Err(TestError::Parked { message }) = &report.result else { panic!("{report:?}") };
        assert_eq!(message, "the workflow panicked: the code is wrong");
    }
}

/// Panics when it is dropped.
struct Grumpy;

impl Drop for Grumpy {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

flow!(PanicsInDrop() -> u32, |cx, _resources| {
    let grumpy = |_| {
        let guard = Grumpy;
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok::<u32, BlockError>(0)
        }
    };
    match go!(cx, race((step!("grumpy", grumpy), sleep(Duration::ZERO)))) {
        Raced2::A(_) => Ok(1),
        Raced2::B(()) => Ok(2),
    }
});

#[test]
fn a_body_that_panics_when_it_is_dropped_is_not_the_workflows_fault() {
    assert_eq!(PanicsInDrop::test().run().result, Ok(2));
}

flow!(Holds() -> u32, |cx, resources| {
    let dropped = resources.get::<Counter>().map_err(|error| crate::Error::msg(error.to_string()))?;
    let body = |_| {
        let guard = OnDrop(dropped.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok::<u32, BlockError>(0)
        }
    };
    Ok(go!(cx, step!("never", body))?)
});

#[test]
fn dropping_a_test_drops_every_body_at_once() {
    let counter = Arc::new(Counter::default());
    let mut run = Box::pin(Holds::test().resource(counter.clone()).run_async());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(counter.get(), 0);
    drop(run);
    assert_eq!(counter.get(), 1);
}

thread_local! {
    static RUNS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

flow!(DependsOnMemory() -> u32, |cx, _resources| {
    let run = RUNS.replace(RUNS.get() + 1);
    if run.is_multiple_of(2) {
        go!(cx, sleep(Duration::from_secs(1)));
    } else {
        go!(cx, step!("odd", |_| async { Ok::<_, BlockError>(1_u32) }))?;
    }
    Ok(run)
});

#[test]
fn code_that_differs_when_it_is_replayed_is_found() {
    let report = DependsOnMemory::test().run();
    let Err(TestError::Differs { message, .. }) = &report.result else { panic!("{report:?}") };
    assert!(
        message.contains("\n> 1. sleep over (") && message.contains("\n> 1. step \"odd\" not ended ("),
        "{message}"
    );
}
