//! Durations as people write them: `500ms`, `30s`, `15m`, `24h`, `7d`, `2 seconds`, `1 year`.
//!
//! Owns the units and the words of their mistakes, for what is read while a program runs: variables of the environment,
//! flags. The same texts mean the same inside of workflows: the macros have a twin of this, which a test of theirs holds
//! against it. So this file names nothing of its crate.

use std::fmt;
use std::time::Duration;

/// The longest duration there is: ten years of 365 days, in milliseconds.
pub(crate) const LONGEST_MS: u64 = 10 * 365 * DAY;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Short units, in milliseconds, the longest first.
const SHORT: [(&str, u64); 5] = [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)];

/// Words, in milliseconds; each may end in `s`.
const WORDS: [(&str, u64); 8] = [
    ("millisecond", 1),
    ("second", SECOND),
    ("minute", MINUTE),
    ("hour", HOUR),
    ("day", DAY),
    ("week", 7 * DAY),
    ("month", 30 * DAY),
    ("year", 365 * DAY),
];

/// Why a text is no duration. It repeats the text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidDuration {
    /// It is not a whole number with a unit.
    Malformed(String),
    /// It is a number alone.
    NoUnit(String),
    /// It is longer than ten years.
    TooLong(String),
}

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => write!(
                f,
                "`{text}` is not a duration: write a whole number and a unit, such as \"30s\", \"15 minutes\" or \"24h\""
            ),
            Self::NoUnit(text) => {
                write!(f, "`{text}` has no unit: write `{text}ms`, `{text}s`, `{text}m` or `{text} hours`")
            }
            Self::TooLong(text) => write!(f, "`{text}` is longer than ten years, the longest a workflow waits"),
        }
    }
}

impl std::error::Error for InvalidDuration {}

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`, or a word from `millisecond` to `year`, in the
/// singular or plural. A month has 30 days, a year 365.
///
/// # Errors
/// When it is anything else, or longer than ten years.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = text.split_at(digits);
    let word = rest.trim_start();
    if number.is_empty() {
        return Err(InvalidDuration::Malformed(text.to_owned()));
    }
    if word.is_empty() {
        return Err(InvalidDuration::NoUnit(text.to_owned()));
    }
    let singular = word.strip_suffix('s').filter(|rest| rest.len() > 1).unwrap_or(word);
    let unit = unit(&SHORT, word).or_else(|| unit(&WORDS, singular));
    let unit = unit.ok_or_else(|| InvalidDuration::Malformed(text.to_owned()))?;
    // A number that does not fit is too long in any unit.
    let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let millis = millis.filter(|millis| *millis <= LONGEST_MS);
    millis.map(Duration::from_millis).ok_or_else(|| InvalidDuration::TooLong(text.to_owned()))
}

/// Writes a duration as [`parse`] reads it, in the longest unit that loses nothing; less than a millisecond is dropped.
#[must_use]
pub fn write(duration: Duration) -> String {
    let millis = duration.as_millis();
    let exact = SHORT.iter().find(|(_, unit)| {
        let unit = u128::from(*unit);
        millis >= unit && millis.is_multiple_of(unit)
    });
    match exact {
        Some((name, unit)) => format!("{}{name}", millis / u128::from(*unit)),
        None => "0ms".to_owned(),
    }
}

fn unit(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, millis) in [
            ("500ms", 500),
            ("250 ms", 250),
            ("30s", 30_000),
            ("0s", 0),
            ("007s", 7_000),
            ("15m", 900_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("1 millisecond", 1),
            ("2 seconds", 2_000),
            ("1 second", 1_000),
            ("5minutes", 300_000),
            ("2 hours", 7_200_000),
            ("1 day", 86_400_000),
            ("3 weeks", 1_814_400_000),
            ("1 month", 2_592_000_000),
            ("10 years", LONGEST_MS),
            ("3650d", LONGEST_MS),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn anything_else_says_what_to_write() {
        for text in
            ["", " 5s", "-5s", "1.5 hours", "soon", "5 s s", "30 sceonds", "5S", "5 s ", "s", "5 ss", "٣s", "5µs"]
        {
            assert_eq!(parse(text), Err(InvalidDuration::Malformed(text.to_owned())), "{text}");
        }
        assert_eq!(parse("30"), Err(InvalidDuration::NoUnit("30".to_owned())));
        for text in ["11 years", "315360000001ms", "3651d", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse(text), Err(InvalidDuration::TooLong(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (millis, text) in
            [(0, "0ms"), (1, "1ms"), (1_500, "1500ms"), (90_000, "90s"), (900_000, "15m"), (86_400_000, "1d")]
        {
            let duration = Duration::from_millis(millis);
            assert_eq!((write(duration).as_str(), parse(text)), (text, Ok(duration)));
        }
    }
}
