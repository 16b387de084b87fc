//! Settings that decide what a workflow does: read in a step, so that a run keeps to those it began with.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;
use workflow::prelude::*;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Settings {
    limit: u32,
    patience: Duration,
}

struct Service {
    settings: Settings,
}

impl Service {
    async fn settings(&self) -> io::Result<Settings> {
        remote::answer(self.settings).await
    }

    async fn call(&self, n: u32) -> io::Result<u32> {
        remote::answer(n * self.settings.limit).await
    }
}

/// Calls within the limit.
#[workflow]
async fn limited(n: u32, #[resource] service: &Service) -> workflow::Result<u32> {
    let Settings { limit, patience } = step!("settings", service.settings()).await?;
    if n > limit {
        return Err(format!("{n} is over {limit}").into());
    }
    Ok(step!("call", retries = limit, timeout = patience, delay = patience / 2, service.call(n)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_kept() {
        let service = || Service { settings: Settings { limit: 3, patience: Duration::from_secs(9) } };
        assert_eq!(limited::test(2).resource(service()).run().result, Ok(6));
        assert!(limited::test(4).resource(service()).run().result.is_err());
    }
}
