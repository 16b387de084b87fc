//! The context: what connects a durable operation with its run.

use std::fmt;
use std::sync::Arc;

use super::run::Run;
use crate::journal::machine::{Machine, ScopeId};

/// The run and the scope an operation belongs to. Handed over by generated code at each await; users never see one.
#[derive(Clone)]
pub struct Ctx {
    run: Arc<Run>,
    scope: ScopeId,
}

impl Ctx {
    /// The context of the workflow function itself.
    pub(super) const fn root(run: Arc<Run>) -> Self {
        Self { run, scope: Machine::ROOT }
    }

    /// The same run, in another scope.
    pub(super) fn within(&self, scope: ScopeId) -> Self {
        Self { run: self.run.clone(), scope }
    }

    pub(super) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    pub(super) const fn scope(&self) -> ScopeId {
        self.scope
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx").field("scope", &self.scope).finish_non_exhaustive()
    }
}
