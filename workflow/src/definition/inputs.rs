//! The inputs of a workflow: recorded as a map by name, so that later code may add some with defaults.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use super::WorkflowInput;
use crate::words::mismatch::Mismatch;
use crate::words::payload::{Payload, read, write};

/// Why a run cannot start with what it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The recorded inputs are no map of values.
    #[error("the recorded inputs cannot be read: {message}")]
    Damaged {
        /// What is wrong with them.
        message: String,
    },
    /// An input is not among the recorded ones, and has no default.
    #[error("the input `{name}` is not recorded; give it a `#[default]` if it was added later")]
    Missing {
        /// The input.
        name: &'static str,
    },
    /// A recorded input is of another type.
    #[error("the recorded input `{name}` cannot be read: {message}")]
    Unreadable {
        /// The input.
        name: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// An input cannot be written.
    #[error("the input `{name}` cannot be recorded: {message}")]
    NotRecordable {
        /// The input.
        name: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The inputs together are larger than a payload may be.
    #[error("the inputs cannot be recorded: {message}")]
    TooLarge {
        /// Their size and the limit.
        message: String,
    },
    /// A `#[resource]` was not given to the engine.
    #[error("the resource `{name}` is missing; give it with `.resource(…)`")]
    NoResource {
        /// Its type.
        name: &'static str,
    },
}

/// One input of a workflow: its name, and how its values are written and read.
///
/// Made once for each input by [`input`], the only place where the compiler asks whether its type is recordable.
pub struct Input<T> {
    name: &'static str,
    write: fn(&T) -> serde_json::Result<Vec<u8>>,
    read: fn(&[u8]) -> serde_json::Result<T>,
}

/// The input of this name and type.
#[must_use]
pub const fn input<T: WorkflowInput>(name: &'static str) -> Input<T> {
    Input { name, write: write::<T>, read: read::<T> }
}

impl<T> Input<T> {
    /// Adds a value to the inputs of a new instance. What is wrong with it is told by [`EncodedInputs::into_payload`].
    pub fn encode(&self, value: &T, inputs: &mut EncodedInputs) {
        inputs.put(self.name, (self.write)(value));
    }

    /// The recorded value.
    ///
    /// # Errors
    /// When it is not recorded, or is of another type.
    pub fn decode(&self, inputs: &mut Inputs) -> Result<T, InputError> {
        match inputs.take(self.name) {
            Some(raw) => self.read(&raw),
            None => Err(InputError::Missing { name: self.name }),
        }
    }

    /// The recorded value, or the default when none is recorded.
    ///
    /// # Errors
    /// When one is recorded and is of another type.
    pub fn decode_or(&self, inputs: &mut Inputs, default: impl FnOnce() -> T) -> Result<T, InputError> {
        match inputs.take(self.name) {
            Some(raw) => self.read(&raw),
            None => Ok(default()),
        }
    }

    fn read(&self, raw: &RawValue) -> Result<T, InputError> {
        (self.read)(raw.get().as_bytes()).map_err(|error| unreadable(self.name, &error))
    }
}

#[cold]
fn unreadable(name: &'static str, error: &serde_json::Error) -> InputError {
    InputError::Unreadable { name, message: Mismatch::of(error).to_string() }
}

impl<T> fmt::Debug for Input<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The inputs of one instance, encoded one by one as the workflow's function names them.
#[derive(Default)]
#[must_use]
pub struct EncodedInputs {
    /// Each as JSON.
    values: BTreeMap<&'static str, Vec<u8>>,
    error: Option<InputError>,
}

impl EncodedInputs {
    /// No inputs.
    pub fn new() -> Self {
        Self::default()
    }

    fn put(&mut self, name: &'static str, value: serde_json::Result<Vec<u8>>) {
        match value {
            Ok(json) => {
                self.values.insert(name, json);
            }
            Err(error) => {
                let message = error.to_string();
                self.error.get_or_insert(InputError::NotRecordable { name, message });
            }
        }
    }

    /// All of them as a payload.
    ///
    /// # Errors
    /// When one of them could not be written, or they take more than 1 MiB together.
    pub fn into_payload(self) -> Result<Payload, InputError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut map = Vec::with_capacity(self.values.iter().map(|(name, json)| name.len() + json.len() + 4).sum());
        for (name, json) in self.values {
            map.push(if map.is_empty() { b'{' } else { b',' });
            // A name is an identifier, in which nothing has to be escaped.
            map.push(b'"');
            map.extend_from_slice(name.as_bytes());
            map.extend_from_slice(b"\":");
            map.extend_from_slice(&json);
        }
        if map.is_empty() {
            map.push(b'{');
        }
        map.push(b'}');
        Payload::of_json(map).map_err(|error| InputError::TooLarge { message: error.to_string() })
    }
}

impl fmt::Debug for EncodedInputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As of [`Inputs`].
        f.debug_struct("EncodedInputs").field("names", &self.values.keys()).finish_non_exhaustive()
    }
}

/// The recorded inputs of a run.
pub struct Inputs {
    values: BTreeMap<String, Box<RawValue>>,
}

impl Inputs {
    /// Reads recorded inputs.
    ///
    /// # Errors
    /// When they are no map.
    pub fn decode(payload: &Payload) -> Result<Self, InputError> {
        match payload.decode() {
            Ok(values) => Ok(Self { values }),
            Err(error) => Err(InputError::Damaged { message: error.to_string() }),
        }
    }

    fn take(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.values.remove(name)
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Inputs may hold secrets: only their names reach logs.
        f.debug_set().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<T: WorkflowInput>(name: &'static str, value: &T) -> Result<Payload, InputError> {
        let mut inputs = EncodedInputs::new();
        input::<T>(name).encode(value, &mut inputs);
        inputs.into_payload()
    }

    #[test]
    fn inputs_read_back_by_name_and_later_ones_have_defaults() {
        let mut inputs = EncodedInputs::new();
        input("b").encode(&2_u32, &mut inputs);
        input("a").encode(&"x".to_owned(), &mut inputs);
        let payload = inputs.into_payload().expect("encodes");
        assert_eq!(payload.as_bytes(), br#"{"a":"x","b":2}"#);
        let mut inputs = Inputs::decode(&payload).expect("decodes");
        assert_eq!(input::<u32>("b").decode(&mut inputs), Ok(2));
        assert_eq!(input::<String>("a").decode_or(&mut inputs, String::new), Ok("x".to_owned()));
        assert_eq!(input::<u8>("c").decode_or(&mut inputs, || 7), Ok(7));
        assert_eq!(input::<u8>("d").decode(&mut inputs), Err(InputError::Missing { name: "d" }));
    }

    #[test]
    fn an_input_that_cannot_be_written_is_a_typed_error() {
        let map = BTreeMap::from([((1_u8, 2_u8), 3_u8)]);
        assert!(matches!(encoded("map", &map), Err(InputError::NotRecordable { name: "map", .. })));
        assert!(matches!(encoded("large", &"x".repeat(2_000_000)), Err(InputError::TooLarge { .. })));
    }

    #[test]
    fn an_input_of_another_type_is_a_typed_error() {
        let payload = encoded("n", &"x".to_owned()).expect("encodes");
        let mut inputs = Inputs::decode(&payload).expect("decodes");
        assert!(matches!(input::<u32>("n").decode(&mut inputs), Err(InputError::Unreadable { name: "n", .. })));
    }
}
