//! The options of an engine as the environment says them: `WORKFLOW_STORE`, `WORKFLOW_LEASE` and so on.
//!
//! Owns the variables' names, how each is read, and the words of a bad one. Pure: what it reads is handed to it, so only
//! the builder touches the process's own environment. What the program says comes before what is read here, and is the
//! builder's affair. A variable that is set and empty counts as not set.

use std::ffi::OsString;
use std::time::Duration;

use super::bounds;
use super::error::EngineError;
use crate::engine::{Mode, VerifyReplay};
use crate::words::duration;
use crate::words::id::{Namespace, QueueName};
use crate::words::limits::QUEUE_WEIGHT_MAX;
use crate::words::spelling;

/// What every variable of ours begins with.
const PREFIX: &str = "WORKFLOW_";
/// What this library's own tests use.
const OF_TESTS: &str = "WORKFLOW_TEST_";
/// Most characters of a bad value that are shown.
const SHOWN_MAX: usize = 100;

/// The variable that names the store.
pub(super) const STORE: &str = "WORKFLOW_STORE";

/// What the environment says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Environment {
    pub(super) store: Option<Url>,
    pub(super) namespace: Option<String>,
    pub(super) mode: Option<Mode>,
    pub(super) concurrency: Option<usize>,
    /// With the weights of those that have one.
    pub(super) queues: Option<Vec<(String, Option<u32>)>>,
    pub(super) lease: Option<Duration>,
    pub(super) retention_success: Option<Duration>,
    pub(super) retention_failure: Option<Duration>,
    pub(super) sticky: Option<usize>,
    pub(super) patience: Option<Duration>,
    pub(super) verify_replay: Option<VerifyReplay>,
}

/// A url that may hold a password: never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Url(pub(super) String);

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<url>")
    }
}

/// Reads one value into its place; what is wrong with it, and what is allowed.
type Read = fn(&mut Environment, &str) -> Result<(), String>;

/// Every variable.
const VARIABLES: [(&str, Read); 11] = [
    (STORE, |to, text| keep(&mut to.store, Ok(Url(text.to_owned())))),
    ("WORKFLOW_NAMESPACE", |to, text| keep(&mut to.namespace, read_namespace(text))),
    ("WORKFLOW_MODE", |to, text| keep(&mut to.mode, read_mode(text))),
    ("WORKFLOW_CONCURRENCY", |to, text| keep(&mut to.concurrency, read_number(text, bounds::concurrency))),
    ("WORKFLOW_QUEUES", |to, text| keep(&mut to.queues, read_queues(text))),
    ("WORKFLOW_LEASE", |to, text| keep(&mut to.lease, read_duration(text, bounds::lease))),
    ("WORKFLOW_RETENTION_SUCCESS", |to, text| keep(&mut to.retention_success, read_duration(text, bounds::retention))),
    ("WORKFLOW_RETENTION_FAILURE", |to, text| keep(&mut to.retention_failure, read_duration(text, bounds::retention))),
    ("WORKFLOW_STICKY", |to, text| keep(&mut to.sticky, read_number(text, bounds::sticky))),
    ("WORKFLOW_PATIENCE", |to, text| keep(&mut to.patience, read_duration(text, bounds::patience))),
    ("WORKFLOW_VERIFY_REPLAY", |to, text| keep(&mut to.verify_replay, read_verify_replay(text))),
];

impl Environment {
    /// Reads the variables that are ours; the names of those that look like ours and are not.
    ///
    /// # Errors
    /// [`EngineError::Variable`]: one is not what it must be, whether the program says otherwise or not: a mistake shall
    /// not wait for the day on which it counts.
    pub(super) fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Vec<String>), EngineError> {
        let (mut read, mut strangers) = (Self::default(), Vec::new());
        for (name, value) in variables {
            let name = name.to_string_lossy();
            if !name.starts_with(PREFIX) || name.starts_with(OF_TESTS) || value.is_empty() {
                continue;
            }
            match VARIABLES.iter().find(|(known, _)| *known == name) {
                Some((known, place)) => take(&mut read, known, *place, &value)?,
                None => strangers.push(name.into_owned()),
            }
        }
        Ok((read, strangers))
    }
}

/// What is said of a variable that looks like ours and is not.
pub(super) fn stranger(name: &str) -> String {
    let known = VARIABLES.iter().map(|(known, _)| *known);
    match spelling::nearest(name, known) {
        Some(known) => format!("the environment variable {name} means nothing to an engine; did you mean {known}?"),
        None => format!("the environment variable {name} means nothing to an engine"),
    }
}

fn take(to: &mut Environment, variable: &'static str, place: Read, value: &OsString) -> Result<(), EngineError> {
    let bad = |value: Option<String>, message: String| EngineError::Variable { variable, value, message };
    let text = value.to_str().ok_or_else(|| bad(None, "it is not Unicode text".to_owned()))?;
    place(to, text).map_err(|message| bad(showable(variable, text), message))
}

/// What may be shown of a bad value. What looks like a url may hold a password, wherever it got to.
fn showable(variable: &str, text: &str) -> Option<String> {
    let secret = variable == STORE || text.contains("://") || text.contains('@');
    (!secret).then(|| text.chars().take(SHOWN_MAX).collect())
}

fn keep<T>(place: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    *place = Some(value?);
    Ok(())
}

fn read_namespace(text: &str) -> Result<String, String> {
    Namespace::new(text).map(|namespace| namespace.as_str().to_owned()).map_err(|error| error.to_string())
}

fn read_mode(text: &str) -> Result<Mode, String> {
    match text.to_ascii_lowercase().as_str() {
        "all" => Ok(Mode::All),
        "client" => Ok(Mode::Client),
        "worker" => Ok(Mode::Worker),
        _ => Err("write all, client or worker".to_owned()),
    }
}

fn read_number(text: &str, bounds: fn(usize) -> Result<(), String>) -> Result<usize, String> {
    // What `parse` takes besides digits is a sign.
    let digits = !text.starts_with('+') && text.chars().all(|c| c.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    // A number that does not fit is out of every bound.
    let number = number.or_else(|| digits.then_some(usize::MAX)).ok_or("write a whole number")?;
    bounds(number).map(|()| number)
}

fn read_duration(text: &str, bounds: fn(Duration) -> Result<(), String>) -> Result<Duration, String> {
    let duration = duration::parse(text).map_err(|error| match error {
        duration::InvalidDuration::TooLong(_) => "it is longer than ten years, the longest there is".to_owned(),
        _ => "write a whole number and a unit, such as 30s, 15m, 24h, 7d or \"2 years\"".to_owned(),
    })?;
    bounds(duration).map(|()| duration)
}

/// Names between commas, each with its weight or without; spaces around a name or weight do not count.
fn read_queues(text: &str) -> Result<Vec<(String, Option<u32>)>, String> {
    let queue = |text: &str| {
        let (name, weight) = text.split_once('=').map_or((text, None), |(name, weight)| (name, Some(weight)));
        let name = QueueName::new(name.trim()).map_err(|error| {
            format!("{error}; write names with commas between them, with weights or without: default,mail=3")
        })?;
        let read = |weight: &str| weight.trim().parse().ok().filter(|weight| (1..=QUEUE_WEIGHT_MAX).contains(weight));
        let weight =
            weight.map(|weight| read(weight).ok_or(format!("a weight is from 1 to {QUEUE_WEIGHT_MAX}: mail=3")));
        Ok((name.as_str().to_owned(), weight.transpose()?))
    };
    let queues: Vec<_> = text.split(',').map(queue).collect::<Result<_, String>>()?;
    // One of two weights would count, and nobody could tell which was meant.
    match queues.iter().enumerate().find(|(at, (name, _))| queues[..*at].iter().any(|(before, _)| before == name)) {
        Some((_, (name, _))) => Err(format!("it names `{name}` twice")),
        None => Ok(queues),
    }
}

fn read_verify_replay(text: &str) -> Result<VerifyReplay, String> {
    const ALLOWED: &str = "write always, never or the part of all runs from 0.0 to 1.0, such as 0.01";
    let which = match text.to_ascii_lowercase().as_str() {
        "always" => VerifyReplay::Always,
        "never" => VerifyReplay::Never,
        part => VerifyReplay::Sampled(part.parse().map_err(|_| ALLOWED)?),
    };
    bounds::verify_replay(which).map(|()| which).map_err(|_| ALLOWED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<(Environment, Vec<String>), EngineError> {
        Environment::read(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn every_variable_is_read_into_its_option() {
        let (read, strangers) = read(&[
            ("PATH", "/bin"),
            ("WORKFLOW_STORE", "sqlite:a"),
            ("WORKFLOW_NAMESPACE", "shop"),
            ("WORKFLOW_MODE", "Worker"),
            ("WORKFLOW_CONCURRENCY", "12"),
            ("WORKFLOW_QUEUES", "default, mail = 3"),
            ("WORKFLOW_LEASE", "30s"),
            ("WORKFLOW_RETENTION_SUCCESS", "2 days"),
            ("WORKFLOW_RETENTION_FAILURE", "1 year"),
            ("WORKFLOW_STICKY", "0"),
            ("WORKFLOW_PATIENCE", "500ms"),
            ("WORKFLOW_VERIFY_REPLAY", "0.25"),
            ("WORKFLOW_TEST_SIZE", "pr"),
        ])
        .expect("every value is good");
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        let expected = Environment {
            store: Some(Url("sqlite:a".to_owned())),
            namespace: Some("shop".to_owned()),
            mode: Some(Mode::Worker),
            concurrency: Some(12),
            queues: Some(vec![("default".to_owned(), None), ("mail".to_owned(), Some(3))]),
            lease: Some(Duration::from_secs(30)),
            retention_success: Some(days(2)),
            retention_failure: Some(days(365)),
            sticky: Some(0),
            patience: Some(Duration::from_millis(500)),
            verify_replay: Some(VerifyReplay::Sampled(0.25)),
        };
        assert_eq!((read, strangers), (expected, Vec::new()));
    }

    #[test]
    fn a_variable_that_is_empty_is_not_set() {
        for (name, _) in VARIABLES {
            assert_eq!(read(&[(name, "")]).expect(name).0, Environment::default());
        }
    }

    #[test]
    fn a_bad_value_is_told_with_its_variable_and_what_is_allowed() {
        for (variable, value, allowed) in [
            ("WORKFLOW_NAMESPACE", "a b", "allowed are letters, digits"),
            ("WORKFLOW_MODE", "both", "all, client or worker"),
            ("WORKFLOW_CONCURRENCY", "0", "from 1 to 100000"),
            ("WORKFLOW_CONCURRENCY", "100001", "from 1 to 100000"),
            ("WORKFLOW_CONCURRENCY", "99999999999999999999999", "from 1 to 100000"),
            ("WORKFLOW_CONCURRENCY", "+5", "whole number"),
            ("WORKFLOW_CONCURRENCY", "-1", "whole number"),
            ("WORKFLOW_CONCURRENCY", "many", "whole number"),
            ("WORKFLOW_QUEUES", ",", "the queue name is empty"),
            ("WORKFLOW_QUEUES", "a,,b", "with commas between"),
            ("WORKFLOW_QUEUES", "a=0", "from 1 to 100"),
            ("WORKFLOW_QUEUES", "a b", "with commas between"),
            ("WORKFLOW_QUEUES", "a=3,b,a=4", "it names `a` twice"),
            ("WORKFLOW_LEASE", "499ms", "from 500ms to 10m"),
            ("WORKFLOW_LEASE", "601s", "from 500ms to 10m"),
            ("WORKFLOW_LEASE", "10", "a whole number and a unit"),
            ("WORKFLOW_LEASE", "11 years", "longer than ten years"),
            ("WORKFLOW_RETENTION_SUCCESS", "for ever", "a whole number and a unit"),
            ("WORKFLOW_RETENTION_FAILURE", "3651d", "longer than ten years"),
            ("WORKFLOW_STICKY", "1000001", "at most 1000000"),
            ("WORKFLOW_PATIENCE", "0s", "more than zero"),
            ("WORKFLOW_VERIFY_REPLAY", "sometimes", "always, never or the part"),
            ("WORKFLOW_VERIFY_REPLAY", "1.1", "always, never or the part"),
            ("WORKFLOW_VERIFY_REPLAY", "NaN", "always, never or the part"),
        ] {
            let error = read(&[(variable, value)]).expect_err(value);
            assert_eq!(error.code(), "variable", "{variable}={value}");
            let said = error.to_string();
            for part in [variable, allowed, value] {
                assert!(said.contains(part), "{variable}={value}: {part:?} is missing: {said}");
            }
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        use std::os::unix::ffi::OsStringExt as _;
        for (variable, value) in [
            ("WORKFLOW_NAMESPACE", "redis://u:s3cret@h/0"),
            ("WORKFLOW_MODE", "u:s3cret@h"),
            ("WORKFLOW_QUEUES", "redis://:s3cret@h/0 "),
        ] {
            let error = read(&[(variable, value)]).expect_err(value);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
            assert!(error.to_string().contains(variable), "{error}");
        }
        let odd = OsString::from_vec(b"redis://u:s3cret@h/\xff".to_vec());
        let error = Environment::read([(STORE.into(), odd)]).expect_err("not Unicode");
        assert!(error.to_string().contains("not Unicode") && error.to_string().contains(STORE), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        let (read, _) = read(&[(STORE, "redis://u:s3cret@h/0")]).expect("a url");
        assert!(!format!("{read:?}").contains("s3cret"), "{read:?}");
    }

    #[test]
    fn a_long_value_is_cut() {
        let error = read(&[("WORKFLOW_MODE", "x".repeat(5_000).as_str())]).expect_err("no mode");
        assert!(error.to_string().len() < 300, "{error}");
    }

    #[test]
    fn a_stranger_is_told_with_what_may_have_been_meant() {
        let (_, strangers) = read(&[("WORKFLOW_LEASES", "1s"), ("WORKFLOW_COLOUR", "red"), ("OTHER_LEASES", "1s")])
            .expect("strangers are no error");
        assert_eq!(strangers, ["WORKFLOW_LEASES", "WORKFLOW_COLOUR"]);
        assert!(stranger("WORKFLOW_LEASES").ends_with("did you mean WORKFLOW_LEASE?"));
        assert!(stranger("WORKFLOW_CONCURENCY").ends_with("did you mean WORKFLOW_CONCURRENCY?"));
        assert!(!stranger("WORKFLOW_COLOUR").contains("did you mean"));
    }
}
