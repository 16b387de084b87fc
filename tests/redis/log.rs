//! The warnings and errors that a thread logs.

use std::fmt;
use std::sync::{Arc, Mutex};

use support::logs::heard_by;
use tracing::Subscriber;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, filter};

/// What was logged by the threads that listen for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics with the lock").clone()
    }

    /// What this thread logs is written down here, until what is given is dropped.
    pub(super) fn listen(&self) -> DefaultGuard {
        let layer = self.clone().with_filter(filter::LevelFilter::WARN);
        heard_by(tracing_subscriber::registry().with(layer))
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = event.metadata().level().to_string();
        event.record(&mut |field: &tracing::field::Field, value: &dyn fmt::Debug| {
            text.push_str(&format!(" {}={value:?}", field.name()));
        });
        self.0.lock().expect("nobody panics with the lock").push(text);
    }
}
