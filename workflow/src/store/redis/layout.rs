//! How a namespace is laid out on its server: fixed by who comes first, and the same for all that follow.
//!
//! Owns the one key outside of partitions. A server that has lost its data, or another one in its place, may be laid out
//! anew by a process that knows of nothing else; so whoever works with a layout looks at it again on every connection.
//! Called by the store when it opens, and by [`super::check`].

use redis::{Pipeline, Value};

use super::keys;
use super::topology::Slot;
use crate::store::StoreError;
use crate::words::id::Namespace;

/// The version of the layout of keys and fields.
const SCHEMA: &str = "2";

/// What is fixed by who comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// How many partitions there are.
    pub(super) partitions: usize,
    /// Whether the ids of all instances are kept in order. Only from the first instance on: so it cannot be turned on later.
    pub(super) ids: bool,
}

/// The layout of one namespace on one server.
#[derive(Debug)]
pub(super) struct Layout {
    shown: String,
    namespace: String,
    key: Vec<u8>,
}

impl Layout {
    pub(super) fn of(namespace: &Namespace, shown: &str) -> Self {
        Self { shown: shown.to_owned(), namespace: namespace.as_str().to_owned(), key: keys::meta(namespace) }
    }

    /// The slot of the key in which it stands.
    pub(super) fn slot(&self) -> Slot {
        Slot::of(&self.key)
    }

    /// Lays the namespace out so, if nobody has yet, and asks how it is: the last answer, of which [`Self::read`] makes sense.
    pub(super) fn settle(&self, pipeline: &mut Pipeline, shape: Shape) {
        pipeline.cmd("HSETNX").arg(&self.key).arg("schema").arg(SCHEMA);
        pipeline.cmd("HSETNX").arg(&self.key).arg("partitions").arg(shape.partitions);
        pipeline.cmd("HSETNX").arg(&self.key).arg("ids").arg(u8::from(shape.ids));
        pipeline.cmd("HMGET").arg(&self.key).arg("schema").arg("partitions").arg("ids");
    }

    /// How it is laid out.
    pub(super) fn read(&self, answer: Option<Value>) -> Result<Shape, StoreError> {
        let found = answer.and_then(|value| redis::from_redis_value::<(String, usize, u8)>(value).ok());
        let Some((schema, partitions, ids)) = found else {
            return Err(self.refuse("cannot be read".to_owned()));
        };
        if schema != SCHEMA {
            let what = format!("was written by another version of this library (layout {schema}, this is {SCHEMA})");
            return Err(self.refuse(what));
        }
        Ok(Shape { partitions, ids: ids != 0 })
    }

    pub(super) fn refuse(&self, what: String) -> StoreError {
        StoreError::Refused { store: self.shown.clone(), message: format!("the namespace {} {what}", self.namespace) }
    }
}
