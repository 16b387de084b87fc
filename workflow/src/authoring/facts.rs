//! Deterministic facts: the time, which run this is, and which side of a code change it is on.

use std::future::Future;
use std::time::SystemTime;

use super::context::Ctx;
use super::durable::Durable;

/// The time, the same in every replay: see [`now`].
#[derive(Debug, Clone, Copy)]
#[must_use = "must be awaited: `now().await`"]
pub struct NowToAwaitInWorkflow(());

/// The time of the newest thing that happened to this run (of its start, before anything has), by the store's clock.
/// It stands still between two awaits.
pub const fn now() -> NowToAwaitInWorkflow {
    NowToAwaitInWorkflow(())
}

#[diagnostic::do_not_recommend]
impl Durable for NowToAwaitInWorkflow {
    type Output = SystemTime;

    async fn run(self, cx: Ctx) -> SystemTime {
        cx.run().machine(|machine| machine.now()).to_system_time()
    }
}

/// Which run this is: see [`info`].
#[derive(Debug, Clone, Copy)]
#[must_use = "must be awaited: `info().await`"]
pub struct GetInfo(());

/// Which run this is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The instance's id.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: u32,
    /// The run, from 1; a restart begins the next.
    pub run: u32,
    /// When the instance was created.
    pub created_at: SystemTime,
    /// When this run began.
    pub started_at: SystemTime,
    /// The id of the instance that created this one, if one did.
    pub parent: Option<String>,
}

/// Which run this is: its instance's id, its workflow, its number, its times, its parent.
pub const fn info() -> GetInfo {
    GetInfo(())
}

#[diagnostic::do_not_recommend]
impl Durable for GetInfo {
    type Output = Info;

    fn run(self, cx: Ctx) -> impl Future<Output = Info> + Send {
        let run = &cx.run().info;
        std::future::ready(Info {
            id: run.id.to_string(),
            workflow: run.spec.workflow.to_string(),
            version: run.spec.version,
            run: run.run,
            created_at: run.created_at.to_system_time(),
            started_at: run.started_at.to_system_time(),
            parent: run.spec.parent.as_ref().map(|parent| parent.id.to_string()),
        })
    }
}

/// Which side of a code change this run is on: see [`changed`].
#[derive(Debug, Clone, Copy)]
#[must_use = "must be awaited: `changed(\"…\").await`"]
pub struct Changed(&'static str);

/// Whether this run takes the new branch of a change in its code: `if changed("new-tax").await { … } else { … }`.
///
/// # Durability
/// Runs whose journal went past this place before the change was made stay on the old branch; all others take the new
/// one, and that is recorded when they first ask. (A run that had reached this place and recorded nothing after it takes
/// the new one too: nothing it did differs.)
pub const fn changed(id: &'static str) -> Changed {
    Changed(id)
}

#[diagnostic::do_not_recommend]
impl Durable for Changed {
    type Output = bool;

    async fn run(self, cx: Ctx) -> bool {
        cx.run().machine(|machine| machine.changed(self.0))
    }
}
