//! One scenario over a row of values: what each costs, and how costs grow from the first to the last. Each value has a
//! process and, where the store is the run's own, a store of its own.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::AnyError;
use crate::cli::{Arguments, Results, Start, Sweep};

/// How many bytes all inputs of a point of the payload sweep take.
const BYTES: u32 = 32 * 1024 * 1024;
/// How many steps all instances of a point of the journal sweep have, more or less.
const STEPS: u32 = 100_000;
/// How many of them there are at a time, and at least: the same for each value, for what is written together costs less.
const LONG_ONES: u32 = 10;
/// More instances wait only if that is asked for: to create them takes minutes, and a GiB.
const WAITING_MOST: u32 = 100_000;

/// One value of a row.
struct Point {
    value: u32,
    figures: Value,
}

impl Sweep {
    /// What each is run as, the name of its values in the table, and they.
    const fn row(self) -> (&'static str, &'static str, &'static [u32]) {
        match self {
            Self::InFlight => ("wf3", "in flight", &[1, 10, 100, 1_000, 10_000]),
            Self::Journal => ("long", "steps", &[10, 100, 1_000, 10_000]),
            Self::Payload => ("payload", "bytes", &[1, 16, 256, 4_096, 65_536, 262_144]),
            Self::Waiting => ("wf3", "waiting", &[100, 1_000, 10_000, 100_000, 1_000_000]),
            Self::Workers => ("wf3", "workers", &[1, 2, 4, 8]),
            Self::Partitions => ("wf3", "partitions", &[1, 2, 4, 8, 16]),
        }
    }

    /// How many workflows make a point last some seconds.
    fn workflows(self, value: u32) -> u32 {
        match self {
            Self::InFlight => value.saturating_mul(3).clamp(5_000, 30_000),
            Self::Journal => (STEPS / value).clamp(LONG_ONES, 2_000),
            Self::Payload => (BYTES / value).clamp(100, 5_000),
            Self::Waiting => 10_000,
            Self::Workers | Self::Partitions => 20_000,
        }
    }

    /// How many are under way at a time, unless that is what changes.
    fn in_flight(self, asked: usize) -> String {
        if self == Self::Journal { LONG_ONES.to_string() } else { asked.to_string() }
    }

    /// The option that sets the value; of partitions, which are part of the url, nothing.
    const fn option(self) -> Option<&'static str> {
        match self {
            Self::InFlight => Some("--in-flight"),
            Self::Journal => Some("--steps"),
            Self::Payload => Some("--bytes"),
            Self::Waiting => Some("--waiting"),
            Self::Workers => Some("--processes"),
            Self::Partitions => None,
        }
    }
}

/// Measures each value up to `--most`, and prints a table, or the figures of each as they come.
///
/// # Errors
/// When one cannot be measured.
pub(crate) fn run(sweep: Sweep, arguments: &Arguments) -> Result<(), AnyError> {
    let (scenario, name, values) = sweep.row();
    let mut points = Vec::new();
    let most = arguments.most.unwrap_or(if sweep == Sweep::Waiting { WAITING_MOST } else { u32::MAX });
    for &value in values.iter().filter(|value| **value <= most) {
        let figures = measure(sweep, scenario, value, arguments)?;
        if arguments.json {
            println!("{figures}");
        }
        points.push(Point { value, figures });
    }
    if !arguments.json {
        print!("{}", table(name, &points));
    }
    Ok(())
}

fn measure(sweep: Sweep, scenario: &str, value: u32, arguments: &Arguments) -> Result<Value, AnyError> {
    let store = match sweep {
        Sweep::Partitions => with_partitions(&arguments.store, value)?,
        _ => arguments.store.clone(),
    };
    let workflows = arguments.workflows.unwrap_or_else(|| sweep.workflows(value));
    let mut options =
        vec![("--scenario", scenario.to_owned()), ("--store", store), ("--workflows", workflows.to_string())];
    options.push(("--start", if arguments.start == Start::Local { "local" } else { "queued" }.to_owned()));
    let others =
        [("--in-flight", sweep.in_flight(arguments.in_flight)), ("--processes", arguments.processes.to_string())];
    options.extend(others.into_iter().filter(|(option, _)| Some(*option) != sweep.option()));
    options.extend(arguments.threads.map(|threads| ("--threads", threads.to_string())));
    options.extend((arguments.results == Results::Alone).then(|| ("--results", "alone".to_owned())));
    options.extend(sweep.option().map(|option| (option, value.to_string())));
    let mut command = Command::new(std::env::current_exe()?);
    command.args(options.iter().flat_map(|(option, value)| [*option, value.as_str()])).arg("--json");
    let ended = command.stderr(Stdio::inherit()).output()?;
    if !ended.status.success() {
        return Err(format!("{name} {value} cannot be measured: {}", ended.status, name = sweep.row().1).into());
    }
    Ok(serde_json::from_slice(&ended.stdout)?)
}

fn with_partitions(store: &str, partitions: u32) -> Result<String, AnyError> {
    if store.starts_with("sqlite") || store.contains("partitions=") {
        return Err("the sweep of partitions needs Redis, and sets their number itself".into());
    }
    let joint = if store.contains('?') { '&' } else { '?' };
    Ok(format!("{store}{joint}partitions={partitions}"))
}

/// What the columns of the table are called, and which figures they are. Those that have an exponent are costs.
const COLUMNS: [(&str, &str, bool); 6] = [
    ("per s", "per_s", false),
    ("store CPU, µs", "store_cpu_us", true),
    ("worker CPU, µs", "worker_cpu_us", true),
    ("store bytes", "store_bytes", true),
    ("p50, ms", "p50_ms", true),
    ("p99, ms", "p99_ms", true),
];

/// The table as Markdown. Where instances have so many steps, CPU per step follows.
fn table(name: &str, points: &[Point]) -> String {
    let mut text = String::new();
    let mut line = |first: &str, cells: &mut dyn Iterator<Item = String>| {
        text.push_str(&format!("| {first} |"));
        for cell in cells {
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    };
    let by_step = points.iter().any(|point| point.figures["steps"].is_u64());
    let steps: &[_] = if by_step {
        &[("store CPU per step, µs", "store_cpu_us"), ("worker CPU per step, µs", "worker_cpu_us")]
    } else {
        &[]
    };
    let headings = COLUMNS.iter().map(|(heading, ..)| *heading).chain(steps.iter().map(|(heading, _)| *heading));
    line(name, &mut headings.clone().map(str::to_owned));
    line("---:", &mut headings.map(|_| "---:".to_owned()));
    for point in points {
        let whole = COLUMNS.iter().map(|(_, figure, _)| point.figure(figure));
        let per_step = steps.iter().map(|(_, figure)| point.per_step(figure));
        line(&point.value.to_string(), &mut whole.chain(per_step).map(shown));
    }
    if let [first, .., last] = points {
        let whole = COLUMNS
            .iter()
            .map(|(_, figure, costs)| costs.then(|| exponent(first, last, |point| point.figure(figure))).flatten());
        let per_step = steps.iter().map(|(_, figure)| exponent(first, last, |point| point.per_step(figure)));
        line(
            "grows by the power of",
            &mut whole.chain(per_step).map(|power| power.map_or("–".to_owned(), |power| format!("{power:.2}"))),
        );
    }
    text
}

impl Point {
    fn figure(&self, name: &str) -> Option<f64> {
        self.figures[name].as_f64()
    }

    fn per_step(&self, name: &str) -> Option<f64> {
        Some(self.figure(name)? / self.figure("steps")?)
    }
}

/// The power of the value by which a cost grows, by the first and the last: 0 where it stays the same, 1 where it grows
/// as the value does.
fn exponent(first: &Point, last: &Point, cost: impl Fn(&Point) -> Option<f64>) -> Option<f64> {
    let costs = cost(last)? / cost(first)?;
    let power = costs.ln() / (f64::from(last.value) / f64::from(first.value)).ln();
    power.is_finite().then_some(power)
}

fn shown(figure: Option<f64>) -> String {
    match figure {
        None => "–".to_owned(),
        Some(figure) if figure.abs() < 10.0 => format!("{figure:.2}"),
        Some(figure) => format!("{figure:.0}"),
    }
}
