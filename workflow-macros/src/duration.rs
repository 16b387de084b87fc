//! Durations as they are written inside workflows: `30s` as a bare literal, `"2 seconds"` as a checked string.
//!
//! Owns the units and the words of their mistakes. The bare form is a number with a suffix that rustc would refuse, but
//! it looks at suffixes only after expansion, when the literal is gone.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{LitFloat, LitInt};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Ten years: the longest wait a store accepts.
const LONGEST: u64 = 10 * 365 * DAY;

/// Suffixes of bare literals, in milliseconds.
const SUFFIXES: &[(&str, u64)] = &[("ms", 1), ("s", SECOND), ("m", MINUTE), ("h", HOUR), ("d", DAY)];

/// Words of strings, in milliseconds; each may end in `s`.
const WORDS: &[(&str, u64)] = &[
    ("millisecond", 1),
    ("second", SECOND),
    ("minute", MINUTE),
    ("hour", HOUR),
    ("day", DAY),
    ("week", 7 * DAY),
    ("month", 30 * DAY),
    ("year", 365 * DAY),
];

/// Milliseconds of a bare literal such as `30s`; nothing when it is an ordinary number.
pub(crate) fn of_literal(literal: &LitInt) -> Option<Result<u64, String>> {
    let unit = unit(SUFFIXES, literal.suffix())?;
    let written = format!("{}{}", literal.base10_digits(), literal.suffix());
    Some(match literal.base10_parse::<u64>() {
        Ok(number) => scale(number, unit, &written),
        Err(_) => Err(too_long(&written)),
    })
}

/// Why a literal such as `1.5h` is none; nothing when it is an ordinary number.
pub(crate) fn of_fraction(literal: &LitFloat) -> Option<Result<u64, String>> {
    unit(SUFFIXES, literal.suffix()).map(|_| Err(malformed(&literal.to_string())))
}

/// Milliseconds of a string such as `"2 seconds"` or `"30s"`.
pub(crate) fn of_string(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, word) = (&text[..digits], text[digits..].trim_start());
    if number.is_empty() || text[digits..].starts_with('.') {
        return Err(malformed(text));
    }
    if word.is_empty() {
        return Err(format!("`{text}` has no unit: write `{text}ms`, `{text}s`, `{text}m` or `{text} hours`"));
    }
    let singular = word.strip_suffix('s').filter(|rest| rest.len() > 1).unwrap_or(word);
    let unit = unit(SUFFIXES, word).or_else(|| unit(WORDS, singular)).ok_or_else(|| malformed(text))?;
    match number.parse::<u64>() {
        Ok(number) => scale(number, unit, text),
        Err(_) => Err(too_long(text)),
    }
}

/// `Duration` of that many milliseconds.
pub(crate) fn tokens(milliseconds: u64, span: Span) -> TokenStream {
    quote_spanned!(span=> ::core::time::Duration::from_millis(#milliseconds))
}

fn unit(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units.iter().find(|(word, _)| *word == name).map(|(_, unit)| *unit)
}

fn scale(number: u64, unit: u64, written: &str) -> Result<u64, String> {
    match number.checked_mul(unit) {
        Some(milliseconds) if milliseconds <= LONGEST => Ok(milliseconds),
        _ => Err(too_long(written)),
    }
}

fn too_long(written: &str) -> String {
    format!("`{written}` is longer than ten years, the longest a workflow waits")
}

fn malformed(text: &str) -> String {
    format!("`{text}` is not a duration: write a whole number and a unit, such as \"30s\", \"15 minutes\" or \"24h\"")
}

/// The runtime's own reader of durations: this crate cannot depend on the runtime, so a test holds the two together.
#[cfg(test)]
#[path = "../../workflow/src/words/duration.rs"]
#[expect(unreachable_pub, reason = "a test needs its reader only")]
mod runtime;

#[cfg(test)]
mod tests {
    use super::{of_literal, of_string};
    use syn::parse_str;

    fn literal(text: &str) -> Option<Result<u64, String>> {
        of_literal(&parse_str(text).expect("a number"))
    }

    #[test]
    fn literals_with_a_unit_are_durations_and_others_are_not() {
        assert_eq!(literal("500ms"), Some(Ok(500)));
        assert_eq!(literal("30s"), Some(Ok(30_000)));
        assert_eq!(literal("1_0m"), Some(Ok(600_000)));
        assert_eq!(literal("24h"), Some(Ok(86_400_000)));
        assert_eq!(literal("7d"), Some(Ok(604_800_000)));
        assert_eq!(literal("7u64"), None);
        assert_eq!(literal("7"), None);
    }

    #[test]
    fn strings_take_words_and_suffixes() {
        assert_eq!(of_string("2 seconds"), Ok(2_000));
        assert_eq!(of_string("1 second"), Ok(1_000));
        assert_eq!(of_string("3 weeks"), Ok(1_814_400_000));
        assert_eq!(of_string("1 month"), Ok(2_592_000_000));
        assert_eq!(of_string("1 year"), Ok(31_536_000_000));
        assert_eq!(of_string("30s"), Ok(30_000));
        assert_eq!(of_string("250 ms"), Ok(250));
    }

    #[test]
    fn wrong_strings_say_what_to_write() {
        for text in ["30 sceonds", "", " 5s", "-5s", "1.5 hours", "soon", "5 s s"] {
            assert!(of_string(text).is_err_and(|message| message.contains("is not a duration")), "{text}");
        }
        assert!(of_string("30").is_err_and(|message| message.contains("has no unit")));
        assert!(of_string("11 years").is_err_and(|message| message.contains("longer than ten years")));
        assert!(of_string("99999999999999999999s").is_err_and(|message| message.contains("longer than ten years")));
        assert!(literal("99999999d").is_some_and(|result| result.is_err()));
    }

    #[test]
    fn a_text_means_the_same_to_the_runtime() {
        let numbers =
            ["", "0", "1", "2", "007", "30", "3650", "3651", "315360000000", "99999999999999999999", "-1", "1.5"];
        let units = [
            "",
            "ms",
            "s",
            "m",
            "h",
            "d",
            "w",
            "millisecond",
            "milliseconds",
            "second",
            "seconds",
            "minutes",
            "hours",
            "day",
            "week",
            "weeks",
            "month",
            "months",
            "year",
            "years",
            "Years",
            "ss",
            "s s",
            "sceonds",
            "µs",
        ];
        for number in numbers {
            for unit in units {
                for text in [format!("{number}{unit}"), format!("{number} {unit}"), format!("{number}{unit} ")] {
                    let here = of_string(&text);
                    let there = super::runtime::parse(&text);
                    let there = there.map(|duration| duration.as_millis() as u64).map_err(|error| error.to_string());
                    assert_eq!(here, there, "{text:?}");
                }
            }
        }
    }
}
