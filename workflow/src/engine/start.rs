//! What is checked before an engine runs anything: that the program's workflows can be served.

use std::collections::BTreeMap;

use crate::definition::{Registration, Resources};
use crate::store::StoreError;
use crate::words::id::{InvalidId, WorkflowName};
use crate::words::location::Location;

/// Why an engine did not start. Nothing was run or written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Two workflows have one name and version, so a run could not tell which is its code.
    #[error(
        "two workflows are called `{name}` version {version}: at {first} and at {second}; rename one of them, or give \
         the newer one another `version`"
    )]
    SameName {
        /// Their name.
        name: String,
        /// Their version.
        version: u32,
        /// Where one is.
        first: Location,
        /// Where the other is.
        second: Location,
    },
    /// A workflow needs a resource that the engine was not given.
    #[error(
        "the workflow `{workflow}` ({at}) takes a `#[resource]` of type `{resource}`, which the engine was not given; \
         call `.resource(…)` on the builder, or `.only::<…>()` to leave the workflow out"
    )]
    MissingResource {
        /// The workflow.
        workflow: String,
        /// Where it is.
        at: Location,
        /// The resource's type.
        resource: String,
    },
    /// A workflow's name is not one.
    #[error("the workflow at {at}: {source}")]
    InvalidName {
        /// Where it is.
        at: Location,
        /// What is wrong.
        source: InvalidId,
    },
    /// The store did not answer.
    #[error(transparent)]
    Store(StoreError),
}

/// The workflows that can be run, by name and version.
pub(super) type Registry = BTreeMap<(WorkflowName, u32), &'static Registration>;

/// Makes the registry, or says what is wrong.
pub(super) fn check(workflows: &[&'static Registration], resources: &Resources) -> Result<Registry, StartError> {
    let mut registry: Registry = BTreeMap::new();
    for workflow in workflows {
        let name =
            WorkflowName::new(workflow.name).map_err(|source| StartError::InvalidName { at: workflow.at, source })?;
        let before = registry.insert((name, workflow.version), workflow);
        // The same one may be named twice.
        if let Some(before) = before.filter(|before| !std::ptr::eq(*before, *workflow)) {
            return Err(StartError::SameName {
                name: workflow.name.to_owned(),
                version: workflow.version,
                first: before.at,
                second: workflow.at,
            });
        }
        if let Some(missing) = (workflow.resources)().iter().find(|key| !resources.contains(key)) {
            return Err(StartError::MissingResource {
                workflow: workflow.name.to_owned(),
                at: workflow.at,
                resource: missing.name().to_owned(),
            });
        }
    }
    Ok(registry)
}
