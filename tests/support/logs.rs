//! Hearing what one thread logs, while other tests of the process log on others.

use std::sync::OnceLock;

use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Subscriber};

/// Gives all that this thread logs to `subscriber`, until what is given back is dropped.
///
/// While a process has one subscriber, `tracing` asks only the thread that comes first to a place whether anybody wants
/// what is logged there, and remembers a no for all threads. So there are always more of them.
pub fn heard_by(subscriber: impl Subscriber + Send + Sync + 'static) -> DefaultGuard {
    static OTHERS: OnceLock<[Dispatch; 2]> = OnceLock::new();
    OTHERS.get_or_init(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::new())));
    tracing::subscriber::set_default(subscriber)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};

    use super::*;

    #[derive(Clone, Default)]
    struct Counts(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Counts {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn log() {
        tracing::warn!("something happened");
    }

    #[test]
    fn a_thread_is_heard_though_one_that_nobody_hears_was_there_first() {
        let counts = Counts::default();
        let _heard = heard_by(tracing_subscriber::registry().with(counts.clone()));
        std::thread::spawn(log).join().expect("it ends");
        log();
        assert_eq!(counts.0.load(Ordering::SeqCst), 1);
    }
}
