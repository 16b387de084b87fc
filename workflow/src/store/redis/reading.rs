//! What a server says, read from any bytes: the doors through which tests come to the readers of this store.
//!
//! Nothing else uses them. Each calls readers that the store itself calls, and none connects, waits or writes. Whatever
//! the bytes are, each gives something or a typed error: never a panic, and never more memory than a small part above
//! what the bytes take.

use std::sync::Arc;
use std::time::Duration;

use super::pack::Unpacker;
use super::scripts::claim::Answered;
use super::scripts::{
    Answer, Misread, Said, Way, claim, control, create, limit, look, own, read_published, send, session,
};
use super::url::Target;
use super::{listing, stored};
use crate::journal::command::{Create, InstanceSpec};
use crate::journal::head::Head;
use crate::journal::wire::Damaged;
use crate::store::{Overview, StoreError};
use crate::words::id::{InstanceId, QueueName, RequestId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// A url, as messages show it.
///
/// # Errors
/// When it is none.
pub fn url(text: &str) -> Result<String, StoreError> {
    Target::parse(text).map(|target| target.shown().to_owned())
}

/// Bytes in the protocol of the server, given to every reader of answers: how many made sense of them.
#[must_use]
pub fn answer(bytes: &[u8]) -> usize {
    let Ok(value) = redis::parse_redis_value(bytes) else { return 0 };
    let mut read = Readers::default();
    if let Ok(answer) = Answer::read(value.clone()) {
        read.understood += 1;
        for way in answer.replies {
            read.shortly(&way, answer.now);
            if let Ok(said) = way.said() {
                read.reply(&said, answer.now);
                read.claim(said, answer.now);
            }
        }
    }
    if let Ok(said) = Said::read(value.clone()) {
        read.look(&said);
        read.reply(&said, Timestamp::default());
    }
    if let Ok(said) = Said::read(value) {
        read.claim(said, Timestamp::default());
    }
    read.understood
}

/// The fields of an instance, in the order in which they are read; and its old runs.
///
/// # Errors
/// When they are no instance.
pub fn instance(fields: &[Option<Vec<u8>>]) -> Result<(Head, Vec<u32>), Damaged> {
    stored::read_head(fields, Vec::new())
}

/// The names of the fields that [`instance`] reads.
pub const FIELDS: [&str; 12] = stored::FIELDS;

/// What another process published: how many hints it has.
#[must_use]
pub fn published(message: &[u8]) -> Option<usize> {
    read_published(message, b"12345678").map(|hints| hints.len())
}

#[derive(Debug, Default)]
struct Readers {
    understood: usize,
}

impl Readers {
    fn saw<T, E>(&mut self, read: Result<T, E>) {
        self.understood += usize::from(read.is_ok());
    }

    /// The answer to one command that went the short way.
    fn shortly(&mut self, way: &Way, now: Timestamp) {
        if let Way::Short(said) = way {
            self.saw(create::read_short(&asked(), *said, now));
            self.saw(own::read_short(*said, now));
        }
    }

    /// The answer to one command.
    fn reply(&mut self, said: &Said, now: Timestamp) {
        self.saw(create::read(&asked(), said, now));
        self.saw(control::read(said));
        self.saw(own::read(said));
        self.saw(send::read(said));
        self.saw(limit::read(said));
        self.saw(session::read_fence(said));
        self.saw(session::read_more(said));
        self.saw(session::read_skipped(said));
        self.saw(session::read_count(said));
        self.saw(said.timer(2));
    }

    fn claim(&mut self, said: Said, now: Timestamp) {
        let read = claim::read(said, now);
        if let Ok(Answered::Given(given)) = &read {
            self.understood += given.instances.len();
        }
        self.saw(read);
    }

    /// The answer to a look.
    fn look(&mut self, said: &Said) {
        let candidates = claim::read_candidates(said);
        if let Ok(Some(candidates)) = &candidates {
            self.saw(candidates.nothing(false, None).ok_or(()));
        }
        self.saw(candidates);
        self.saw(look::read_found(said));
        self.saw(look::read_runs(said, 1));
        self.saw(look::read_shelves(said));
        self.saw(look::read_workflows(said));
        self.saw(look::add_counts(said, &mut Overview::default()));
        for index in listing::INDEXES {
            self.saw(listing::named(index, said).map_err(|Misread(what)| what));
        }
        if let Ok(member) = said.bytes(0) {
            self.saw(listing::ready_of(member).map(|_| ()));
            self.saw(Unpacker::new(member).medium());
        }
    }
}

/// A create, to read answers to.
fn asked() -> Create {
    let spec = InstanceSpec {
        workflow: WorkflowName::new("order").expect("a valid name"),
        version: 1,
        queue: QueueName::new("default").expect("a valid name"),
        priority: 0,
        input: Payload::default(),
        seed: 0,
        start_at: None,
        keep_complete: Duration::ZERO,
        keep_failed: Duration::ZERO,
        parent: None,
    };
    let id = InstanceId::new("order-1").expect("a valid id");
    Create { request: RequestId(1), id, spec: Arc::new(spec), local: None, message: None }
}
