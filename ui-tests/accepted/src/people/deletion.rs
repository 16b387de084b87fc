//! A request that can be taken back for thirty days, then one step a system, in the order of an enum.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use workflow::prelude::*;

#[derive(Debug, Event, Serialize, Deserialize)]
struct TakenBack;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum System {
    Search,
    Warehouse,
    Accounts,
}

impl System {
    const ALL: &'static [Self] = &[Self::Search, Self::Warehouse, Self::Accounts];
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Search => "search",
            Self::Warehouse => "warehouse",
            Self::Accounts => "accounts",
        })
    }
}

trait Eraser: Send + Sync {
    fn erase(&self, system: System, user: u64) -> impl Future<Output = io::Result<u32>> + Send;
}

struct Systems;

impl Eraser for Systems {
    async fn erase(&self, system: System, user: u64) -> io::Result<u32> {
        remote::answer(system as u32 + u32::try_from(user).unwrap_or_default()).await
    }
}

/// Forgets a user, unless they change their mind.
#[workflow]
async fn delete_user(user: u64, #[resource] systems: &Systems) -> workflow::Result<u32> {
    if wait_for::<TakenBack>("taken back").timeout(30d).await.is_ok() {
        return Ok(0);
    }
    let mut erased = 0;
    for system in System::ALL {
        erased += step!("erase", key = system, retries = 20, delay = 1m, backoff = exponential, max_delay = 6h, {
            Ok(systems.erase(*system, user).await?)
        })
        .await?;
    }
    Ok(erased)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_erased_after_a_month() {
        let report = delete_user::test(5).resource(Systems).fail_keyed("erase", "warehouse", 7, "locked").run();
        assert_eq!(report.result, Ok(5 + 6 + 7));
    }

    #[test]
    fn nothing_is_when_it_was_taken_back() {
        assert_eq!(delete_user::test(5).resource(Systems).event(TakenBack).run().result, Ok(0));
    }
}
