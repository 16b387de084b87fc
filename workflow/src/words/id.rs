//! Ids and names: validated once, here, and then trusted everywhere.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use super::chance;
use super::limits::{INSTANCE_ID_BYTES_MAX, NAME_BYTES_MAX};

/// Why a string is not an id or a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidId {
    /// The string is empty.
    #[error("{what} is empty")]
    Empty {
        /// What was being named.
        what: &'static str,
    },
    /// The string is longer than allowed.
    #[error("{what} has {bytes} bytes; the limit is {max}")]
    TooLong {
        /// What was being named.
        what: &'static str,
        /// How long it is, in bytes.
        bytes: usize,
        /// How long it may be, in bytes.
        max: usize,
    },
    /// The string has a character that is not allowed.
    #[error("{what} has the character {found:?} at byte {at}; allowed are letters, digits and any of . _ ~ : @ + -")]
    Character {
        /// What was being named.
        what: &'static str,
        /// The character found.
        found: char,
        /// Its byte offset.
        at: usize,
    },
}

fn check(what: &'static str, text: &str, max: usize) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty { what });
    }
    if text.len() > max {
        return Err(InvalidId::TooLong { what, bytes: text.len(), max });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._~:@+-".contains(c);
    match text.char_indices().find(|(_, c)| !allowed(*c)) {
        Some((at, found)) => Err(InvalidId::Character { what, found, at }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Validates `text`.
            ///
            /// # Errors
            /// When it is empty, too long, or has a character outside `A-Z a-z 0-9 . _ ~ : @ + -`.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                check($what, text, $max)?;
                Ok(Self(Arc::from(text)))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// The id of one instance of a workflow, chosen by the user or generated: 1 to 200 bytes.
    InstanceId, "the instance id", INSTANCE_ID_BYTES_MAX
}
name! {
    /// The name a workflow is registered under: 1 to 100 bytes.
    WorkflowName, "the workflow name", NAME_BYTES_MAX
}
name! {
    /// The name of a queue: 1 to 100 bytes.
    QueueName, "the queue name", NAME_BYTES_MAX
}
name! {
    /// The name of a namespace, which keeps two systems on one store apart: 1 to 100 bytes.
    Namespace, "the namespace", NAME_BYTES_MAX
}

impl InstanceId {
    /// A new id that sorts by time: the milliseconds of `now` and 80 random bits, as 26 characters.
    #[must_use]
    pub fn generate(now: super::time::Timestamp) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut bits = (u128::from(now.as_millis().unsigned_abs() & 0xFFFF_FFFF_FFFF) << 80) | (random_u128() >> 48);
        let mut text = [0_u8; 26];
        for place in text.iter_mut().rev() {
            *place = ALPHABET[usize::try_from(bits & 31).expect("five bits fit a usize")];
            bits >>= 5;
        }
        Self(Arc::from(std::str::from_utf8(&text).expect("the alphabet is ASCII")))
    }

    /// The id of a child: stable for a parent's run, path and how often that path ended before. The parent's `seed` is
    /// part of it, so that a parent created anew under the id of a deleted one does not meet its children.
    #[must_use]
    pub fn of_child(parent: &Self, seed: u128, run: u32, path: &str, turn: u32) -> Self {
        let (seed, run, turn) = (seed.to_be_bytes(), run.to_be_bytes(), turn.to_be_bytes());
        let mut hash = blake3::Hasher::new();
        for part in [parent.as_str().as_bytes(), &seed, &run, path.as_bytes(), &turn] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize().to_hex();
        // The parent stays readable in front unless that would make the id too long.
        let room = INSTANCE_ID_BYTES_MAX - 33;
        let shown = &parent.as_str()[..parent.as_str().len().min(room)];
        Self(Arc::from(format!("{shown}~{}", &digest[..32])))
    }
}

/// 128 random bits from the operating system; in a simulation, those that follow from its seed.
#[must_use]
pub fn random_u128() -> u128 {
    let [number] = chance::draw();
    number
}

/// One worker session: random for each start of a process, never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u128);

impl SessionId {
    /// A new random session id.
    #[must_use]
    pub fn generate() -> Self {
        Self(random_u128())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {:08x}", self.0 >> 96)
    }
}

/// Names one request, so that sending it again is answered with the first outcome.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RequestId(pub u128);

impl RequestId {
    /// A new random request id.
    ///
    /// Drawn from the operating system many at a time, as every write has one. (A process that forks has the same ones
    /// twice; requests of two processes meet only where they have the same session, which is never drawn ahead.)
    #[must_use]
    pub fn generate() -> Self {
        if chance::is_repeated() {
            return Self(random_u128());
        }
        thread_local! {
            static DRAWN: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
        }
        DRAWN.with_borrow_mut(|drawn| {
            if drawn.is_empty() {
                drawn.extend(chance::draw::<DRAWN_AT_ONCE>());
            }
            Self(drawn.pop().expect("some were drawn"))
        })
    }
}

/// Request ids that a thread draws at once.
const DRAWN_AT_ONCE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::time::Timestamp;

    #[test]
    fn ids_are_checked_once() {
        assert!(InstanceId::new("order-001").is_ok());
        assert_eq!(InstanceId::new(""), Err(InvalidId::Empty { what: "the instance id" }));
        assert!(matches!(InstanceId::new("a b"), Err(InvalidId::Character { found: ' ', at: 1, .. })));
        assert!(InstanceId::new("x".repeat(200)).is_ok());
        assert!(matches!(InstanceId::new("x".repeat(201)), Err(InvalidId::TooLong { .. })));
        for hostile in ["a/b", "a\0b", "{tag}", "ä", "a\n", "*", "a,b"] {
            assert!(InstanceId::new(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn generated_ids_sort_by_time() {
        let early = InstanceId::generate(Timestamp::from_millis(1_700_000_000_000));
        let late = InstanceId::generate(Timestamp::from_millis(1_700_000_000_001));
        assert!(early < late);
        assert_eq!(early.as_str().len(), 26);
    }

    #[test]
    fn a_childs_id_names_the_creation_run_path_and_turn() {
        let parent = InstanceId::new("p").expect("valid");
        let base = InstanceId::of_child(&parent, 7, 1, "c:x", 0);
        assert_eq!(base, InstanceId::of_child(&parent, 7, 1, "c:x", 0));
        assert_ne!(base, InstanceId::of_child(&parent, 8, 1, "c:x", 0));
        assert_ne!(base, InstanceId::of_child(&parent, 7, 2, "c:x", 0));
        assert_ne!(base, InstanceId::of_child(&parent, 7, 1, "c:y", 0));
        assert_ne!(base, InstanceId::of_child(&parent, 7, 1, "c:x", 1));
        let long = InstanceId::new("x".repeat(200)).expect("valid");
        assert!(InstanceId::new(InstanceId::of_child(&long, 7, 1, "c:x", 0).as_str()).is_ok());
    }
}
