//! A share of traffic that grows while measurements are good: floats, ranges without keys, and random draws.

use crate::remote;
use std::io;
use workflow::prelude::*;

struct Router {
    breaks_at: f64,
}

impl Router {
    async fn set_share(&self, share: f64) -> io::Result<f64> {
        remote::answer(share).await
    }

    async fn error_rate(&self, share: f64, sample: u16) -> io::Result<f64> {
        remote::answer(if share < self.breaks_at { 0.0 } else { f64::from(sample) }).await
    }
}

/// Gives a new version more and more traffic.
#[workflow]
async fn canary(steps: u32, #[resource] router: &Router) -> workflow::Result<f64> {
    let mut reached = 0.0;
    for round in 1..=steps {
        let share = f64::from(round) / f64::from(steps);
        step!("set share", router.set_share(share)).await?;
        let pause = 1m + 1s * u32::from(random::<u8>().await % 10);
        sleep(pause).await;
        let samples: [u16; 2] = random().await;
        let mut worst = 0.0_f64;
        for sample in samples {
            let sample = sample | 1;
            worst = worst.max(step!("error rate", key = sample, router.error_rate(share, sample)).await?);
        }
        if worst > 0.5 {
            step!("back to none", router.set_share(0.0)).await?;
            break;
        }
        reached = share;
    }
    Ok(reached)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stops_where_it_breaks() {
        assert_eq!(canary::test(4).resource(Router { breaks_at: 0.7 }).seed(5).run().result, Ok(0.5));
        assert_eq!(canary::test(4).resource(Router { breaks_at: 7.0 }).seed(6).run().result, Ok(1.0));
    }
}
