//! A recorder that keeps everything, and what it has recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use support::wait;

use crate::table::Metric;

/// Labels, in the order of their names.
type Labels = BTreeMap<String, String>;

/// What was recorded. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Recorded(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    series: BTreeMap<(String, Labels), Value>,
    units: BTreeMap<(&'static str, String), Unit>,
}

/// The value of one metric with one set of labels.
#[derive(Clone)]
enum Value {
    Counter(Arc<AtomicU64>),
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Values>),
}

/// What a histogram was given.
#[derive(Default)]
struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }
}

impl Value {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Counter(count) => u32::try_from(count.load(Ordering::SeqCst)).ok().map(f64::from),
            Self::Gauge(bits) => Some(f64::from_bits(bits.load(Ordering::SeqCst))),
            Self::Histogram(_) => None,
        }
    }
}

impl Recorded {
    /// Records everything from now on.
    pub(crate) fn install() -> Self {
        let recorded = Self::default();
        assert!(metrics::set_global_recorder(recorded.clone()).is_ok(), "nobody else records");
        recorded
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, key: &Key, new: Value) -> Value {
        let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        let value = self.kept().series.entry((key.name().to_owned(), labels)).or_insert(new.clone()).clone();
        assert_eq!(value.kind(), new.kind(), "{} is of one kind", key.name());
        value
    }

    fn describe(&self, kind: &'static str, name: &KeyName, unit: Option<Unit>) {
        let unit = unit.expect("every metric has a unit");
        self.kept().units.insert((kind, name.as_str().to_owned()), unit);
    }

    fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<Value> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.kept().series.get(&(name.to_owned(), labels)).cloned()
    }

    /// The value of a counter or gauge.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.find(name, labels)?.number()
    }

    /// The values of a histogram.
    pub(crate) fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        match self.find(name, labels) {
            Some(Value::Histogram(values)) => values.0.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            _ => Vec::new(),
        }
    }

    /// Waits until a counter or gauge has a value.
    pub(crate) async fn shows(&self, name: &str, labels: &[(&str, &str)], wanted: f64) {
        let what = format!("{name} {labels:?} is {wanted}");
        wait::until(&what, async || (self.value(name, labels) == Some(wanted)).then_some(())).await;
    }

    /// Every metric that was measured.
    pub(crate) fn seen(&self) -> BTreeSet<Metric> {
        let kept = self.kept();
        let metric = |((name, labels), value): (&(String, Labels), &Value)| {
            let kind = value.kind();
            let unit = kept.units.get(&(kind, name.clone())).unwrap_or_else(|| panic!("{name} was not described"));
            let labels = labels.keys().cloned().collect();
            Metric { name: name.clone(), kind: kind.to_owned(), in_seconds: *unit == Unit::Seconds, labels }
        };
        kept.series.iter().map(metric).collect()
    }

    /// Every value of a label.
    pub(crate) fn label_values(&self) -> BTreeSet<String> {
        self.kept().series.keys().flat_map(|(_, labels)| labels.values().cloned()).collect()
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe("counter", &name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe("gauge", &name, unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe("histogram", &name, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match self.register(key, Value::Counter(Arc::default())) {
            Value::Counter(count) => Counter::from_arc(count),
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        match self.register(key, Value::Gauge(Arc::default())) {
            Value::Gauge(bits) => Gauge::from_arc(bits),
            _ => Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        match self.register(key, Value::Histogram(Arc::default())) {
            Value::Histogram(values) => Histogram::from_arc(values),
            _ => Histogram::noop(),
        }
    }
}
