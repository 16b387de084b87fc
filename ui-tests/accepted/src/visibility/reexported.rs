//! The framework by way of a crate that re-exports it: `crate = …` takes a path of any length.

use self::platform::workflow::prelude::*;
use crate::remote;
use serde::{Deserialize, Serialize};

/// What a company gives to its teams.
mod platform {
    pub(super) use workflow;
}

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(crate = crate::visibility::reexported::platform::workflow)]
struct Continued;

#[part(crate = self::platform::workflow)]
async fn prepare(n: u64) -> Result<u64, StepError> {
    step!("prepare", remote::answer(n)).await
}

/// Comes from far away.
#[workflow(crate = self::platform::workflow)]
async fn from_afar(n: u64) -> platform::workflow::Result<u64> {
    let prepared = prepare(n).await?;
    let Continued = wait_for("continued").await;
    Ok(group!("all", { Ok(step!("one", remote::answer(prepared)).await? + 1) }).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes() {
        assert_eq!(from_afar::test(1).event(Continued).run().result, Ok(2));
    }
}
