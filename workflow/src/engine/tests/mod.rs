//! The engine on the model store, with a fault between the two and bodies that end when the test says so.

mod children;
mod commands;
mod control;
mod faults;
mod flow;
mod fork;
mod limits;
mod prompt;
mod recovery;
mod shutdown;
mod stage;
mod sweeps;
mod time;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use crate::journal::command::{Claimed, Granted, InstanceSpec};
use crate::words::id::{InstanceId, QueueName, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// An instance as a claim gives it.
pub(super) fn claimed(id: &str, run: u32, v: u64) -> Claimed {
    let spec = InstanceSpec {
        workflow: WorkflowName::new("w").expect("valid"),
        version: 1,
        queue: QueueName::new("default").expect("valid"),
        priority: 0,
        input: Payload::default(),
        seed: 7,
        start_at: None,
        keep_complete: Duration::ZERO,
        keep_failed: Duration::ZERO,
        parent: None,
    };
    Claimed {
        id: InstanceId::new(id).expect("valid"),
        run,
        v,
        records: 3,
        spec: Arc::new(spec),
        created_at: Timestamp::from_millis(1),
        started_at: Timestamp::from_millis(1),
        fork: None,
        suspect: false,
        shift_ms: 0,
        arrivals: 0,
        granted: Granted { v, now: Timestamp::from_millis(2), pause: false, messages: Vec::new() },
    }
}
