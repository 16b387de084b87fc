//! What nearly every test names.

pub use std::time::{Duration, Instant};

pub use serde::{Deserialize, Serialize};
pub use workflow::journal::divergence::Divergence;
pub use workflow::prelude::*;
pub use workflow::words::failure::FailureKind;
pub use workflow::{PauseReason, Shelf, Subject, WaitTarget};

pub use crate::stage::{self, CrashableEngine, Stage, StoreKind};
pub use crate::wait;
pub use crate::witness::{Go, Oops, Witness};
pub use crate::{TestResult, on_every_shared_store, on_every_store};
