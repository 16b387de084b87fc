//! A layer that writes down spans and events as a tree, in the order in which they came.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// What was seen so far. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<Line>>>);

/// A span or event.
#[derive(Debug, Clone)]
struct Line {
    depth: usize,
    span: Option<u64>,
    ours: bool,
    text: String,
}

impl Capture {
    /// Writes down what this thread does up to a level, until the guard is dropped.
    pub(crate) fn up_to(level: Level) -> (Self, DefaultGuard) {
        let capture = Self::default();
        let filter = tracing_subscriber::filter::LevelFilter::from_level(level);
        // Another layer wants everything: what is made for it must not hide what this one sees.
        let other = Self::default().with_filter(tracing_subscriber::filter::LevelFilter::TRACE);
        let subscriber = tracing_subscriber::registry().with(capture.clone().with_filter(filter)).with(other);
        (capture, support::logs::heard_by(subscriber))
    }

    fn lines(&self) -> Vec<Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans of the framework and the events of the tests, each indented by its depth.
    pub(crate) fn tree(&self) -> String {
        let lines = self.lines().into_iter().filter(|line| line.ours);
        lines.map(|line| format!("{:indent$}{}\n", "", line.text, indent = line.depth * 2)).collect()
    }

    /// Everything, whoever said it.
    pub(crate) fn everything(&self) -> String {
        self.lines().into_iter().map(|line| line.text + "\n").collect()
    }
}

/// Fields as text.
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(attributes.metadata().name().to_owned());
        attributes.record(&mut fields);
        let depth = context.span_scope(id).map_or(0, |scope| scope.count() - 1);
        let ours = attributes.metadata().target() == "workflow";
        let line = Line { depth, span: Some(id.into_u64()), ours, text: fields.0 };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Ids are given again once a span is closed.
        if let Some(line) = lines.iter_mut().rfind(|line| line.span == Some(id.into_u64())) {
            line.text.push_str(&fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields(format!("- {}", event.metadata().level()));
        event.record(&mut fields);
        let depth = context.event_scope(event).map_or(0, Iterator::count);
        let ours = event.metadata().target().starts_with("observing");
        let line = Line { depth, span: None, ours, text: fields.0 };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.iter_mut().rfind(|line| line.span == Some(id.into_u64())) {
            line.span = None;
        }
    }
}

impl Capture {
    /// The spans that are still open.
    pub(crate) fn open(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.ours && line.span.is_some()).map(|line| line.text).collect()
    }
}
