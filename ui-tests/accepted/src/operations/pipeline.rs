//! A deployment in stages: groups in groups, an approval between two of them, a rollback in the reverse order.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Environment {
    Staging,
    Production,
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format!("{self:?}").to_lowercase())
    }
}

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "deploy.approved")]
struct Approved {
    by: String,
}

/// The machines that are deployed to.
trait Fleet: Send + Sync {
    /// The machines of an environment.
    fn machines(&self, environment: Environment) -> Vec<String>;

    /// Whether this build runs there now.
    fn is_healthy(&self, machine: &str, build: &str) -> bool;
}

async fn install(fleet: &dyn Fleet, machine: &str, build: &str) -> io::Result<()> {
    if fleet.is_healthy(machine, build) { remote::answer(()).await } else { remote::down(machine).await }
}

#[part]
async fn roll_out(fleet: &dyn Fleet, environment: Environment, build: &str) -> Result<usize, StepError> {
    let machines = step!("machines", key = environment, { Ok(fleet.machines(environment)) }).await?;
    let mut installed: Vec<&str> = Vec::new();
    for machine in &machines {
        let result = group!("machine", key = machine, retries = 1, delay = 30s, {
            step!("drain", remote::answer(machine.len())).await?;
            step!("install", timeout = 5m, install(fleet, machine, build)).await?;
            sleep(10s).await;
            Ok(step!("admit", remote::answer(machine.len())).await?)
        })
        .await;
        match result {
            Ok(_) => installed.push(machine),
            Err(error) => {
                for machine in installed.drain(..).rev() {
                    step!("roll back", key = machine, retries = 100, delay = 1m, remote::answer(machine.len())).await?;
                }
                return Err(error);
            }
        }
    }
    Ok(installed.len())
}

/// Brings a build to production.
#[workflow(name = "deploy.pipeline")]
async fn pipeline(build: String, #[resource] fleet: &dyn Fleet) -> workflow::Result<String> {
    let staging = roll_out(fleet, Environment::Staging, &build).await?;
    let Approved { by } = wait_for("approval").key(&build).timeout(2d).await?;
    let production = roll_out(fleet, Environment::Production, &build).await?;
    Ok(format!("{build} on {} machines, approved by {by}", staging + production))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    struct Small;

    impl Fleet for Small {
        fn machines(&self, environment: Environment) -> Vec<String> {
            ["a", "b"].map(|name| format!("{environment}-{name}")).to_vec()
        }

        fn is_healthy(&self, machine: &str, build: &str) -> bool {
            !(build == "bad" && machine == "production-b")
        }
    }

    fn deployed(build: &str) -> workflow::test_kit::Report<pipeline> {
        let fleet: Arc<dyn Fleet> = Arc::new(Small);
        let approved = Approved { by: "Ada".to_owned() };
        pipeline::test(build.to_owned()).resource(fleet).event_keyed(build, approved).run()
    }

    #[test]
    fn it_reaches_production() {
        assert_eq!(deployed("good").result, Ok("good on 4 machines, approved by Ada".to_owned()));
    }

    #[test]
    fn a_bad_build_is_rolled_back() {
        let report = deployed("bad");
        assert!(report.result.is_err());
        assert_eq!(report.step("roll back").and_then(|step| step.key.clone()), Some("production-a".to_owned()));
    }
}
