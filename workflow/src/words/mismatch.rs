//! Why JSON is not the value that was asked for, without the value.
//!
//! What serde says of a mistake repeats what it found, a whole text if it found a text. Payloads may hold secrets and be
//! large, and what is wrong with them is recorded, shown in status, and part of errors that programs log.

use std::fmt;

/// Why JSON is not the value that was asked for: what kind of value was found, what was expected, and where. Never the
/// value, nor what a type's own code says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    words: String,
    line: usize,
    column: usize,
}

/// What serde calls the values it finds, before it shows them.
const KINDS: [&str; 15] = [
    "boolean",
    "integer",
    "floating point",
    "character",
    "string",
    "byte array",
    "unit value",
    "null",
    "Option value",
    "newtype struct",
    "sequence",
    "map",
    "enum",
    "unit variant",
    "newtype variant",
];
/// Most characters of what was expected: types say it of themselves.
const EXPECTED_CHARS_MAX: usize = 200;

impl Mismatch {
    /// From what the reader of JSON says.
    pub(crate) fn of(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let said = error.to_string();
        let place = format!(" at line {line} column {column}");
        let said = said.strip_suffix(&place).unwrap_or(&said);
        let words = match error.classify() {
            serde_json::error::Category::Data => without_value(said),
            // These are about the form, and are always the same words.
            _ => said.to_owned(),
        };
        Self { words, line, column }
    }
}

fn without_value(said: &str) -> String {
    // What follows is a name of the code's, not of the value.
    if ["missing field `", "duplicate field `", "data did not match any variant"]
        .iter()
        .any(|form| said.starts_with(form))
    {
        return short(said);
    }
    for form in ["invalid type: ", "invalid value: "] {
        if let Some((value, expected)) = said.strip_prefix(form).and_then(|rest| rest.rsplit_once(", expected ")) {
            let kind = KINDS.into_iter().find(|kind| value.starts_with(kind)).unwrap_or("another value");
            return format!("{form}{kind}, expected {}", short(expected));
        }
    }
    if let Some((_, expected)) = said.strip_prefix("invalid length ").and_then(|rest| rest.rsplit_once(", expected ")) {
        return format!("invalid length, expected {}", short(expected));
    }
    for (form, found) in [("unknown variant `", "an unknown variant"), ("unknown field `", "an unknown field")] {
        if let Some((_, known)) = said.strip_prefix(form).and_then(|rest| rest.rsplit_once("`, ")) {
            return format!("{found}, {}", short(known));
        }
    }
    "its type does not take it".to_owned()
}

fn short(expected: &str) -> String {
    expected.chars().take(EXPECTED_CHARS_MAX).collect()
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)?;
        // A value that was taken apart before has no place.
        if self.line > 0 { write!(f, " at line {} column {}", self.line, self.column) } else { Ok(()) }
    }
}

impl std::error::Error for Mismatch {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::de::{DeserializeOwned, Error as _};

    use super::*;

    fn said<T: DeserializeOwned>(json: &str) -> String {
        match serde_json::from_str::<T>(json) {
            Ok(_) => panic!("{json} was read"),
            Err(error) => Mismatch::of(&error).to_string(),
        }
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Login {
        #[serde(rename = "user")]
        _user: String,
    }

    #[derive(Debug, Deserialize)]
    enum Kind {
        Card,
        Cash,
    }

    /// A type that repeats what it is given.
    #[derive(Debug)]
    struct Talks;

    impl<'de> Deserialize<'de> for Talks {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let text = String::deserialize(from)?;
            Err(D::Error::custom(format!("{text} is nothing to me")))
        }
    }

    #[test]
    fn what_is_found_is_named_by_its_kind_alone() {
        for (said, wanted) in [
            (said::<u64>("\"s3cret, expected nothing\""), "invalid type: string, expected u64 at line 1 column 26"),
            (said::<String>("7777"), "invalid type: integer, expected a string at line 1 column 4"),
            (said::<String>("7.5"), "invalid type: floating point, expected a string at line 1 column 3"),
            (said::<u8>("70000"), "invalid value: integer, expected u8 at line 1 column 5"),
            (said::<String>("{}"), "invalid type: map, expected a string at line 1 column 0"),
            (said::<String>("null"), "invalid type: null, expected a string at line 1 column 4"),
            (said::<char>("\"s3cret\""), "invalid value: string, expected a character at line 1 column 8"),
            (said::<(u8, u8)>("[1]"), "invalid length, expected a tuple of size 2 at line 1 column 3"),
            (said::<Kind>("\"s3cret\""), "an unknown variant, expected `Card` or `Cash` at line 1 column 8"),
            (said::<Login>("{\"s3cret\":1}"), "an unknown field, expected `user` at line 1 column 9"),
            (said::<Login>("{}"), "missing field `user` at line 1 column 2"),
            (said::<Talks>("\"s3cret\""), "its type does not take it"),
            (said::<BTreeMap<String, u8>>("{\"a\":"), "EOF while parsing a value at line 1 column 5"),
        ] {
            assert_eq!(said, wanted);
        }
        assert!(matches!(serde_json::from_str("\"Card\""), Ok(Kind::Card)));
        assert!(matches!(serde_json::from_str("\"Cash\""), Ok(Kind::Cash)));
    }
}
