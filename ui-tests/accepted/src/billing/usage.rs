//! Arithmetic of all kinds in the body, with literals that look like durations and are none.

use serde::{Deserialize, Serialize};
use std::num::NonZeroU64;
use workflow::prelude::*;

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Usage {
    requests: u64,
    gigabytes: f64,
    errors: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bill {
    cents: u64,
    share: f64,
    flags: u8,
}

/// What a month costs.
#[workflow]
async fn usage(days: Vec<Usage>, divisor: Option<NonZeroU64>) -> Bill {
    let Usage { requests, gigabytes, errors } = days.iter().fold(Usage::default(), |sum, day| Usage {
        requests: sum.requests + day.requests,
        gigabytes: sum.gigabytes + day.gigabytes,
        errors: sum.errors + day.errors,
    });
    let per_thousand = 12_u64;
    let divisor = divisor.map_or(1_000u64, NonZeroU64::get);
    let mut cents = requests.div_ceil(divisor) * per_thousand;
    cents += u64::from(errors > 0x0d) * 1_00;
    let share = if gigabytes > 1e3 { 1.0 } else { (gigabytes / 1e3f64).clamp(0.0, 1.0) };
    let flags = 0b1010_0000_u8 >> 2 | u8::try_from(days.len() & 0b11).unwrap_or(u8::MAX) ^ 1;
    if share > 0.5 {
        sleep(1d).await;
    }
    Bill { cents, share, flags }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_summed() {
        let day = Usage { requests: 10_500, gigabytes: 300.0, errors: 9 };
        let report = usage::test(vec![day; 2], None).run();
        assert_eq!(report.result, Ok(Bill { cents: 21 * 12 + 100, share: 0.6, flags: 0b10_1011 }));
    }
}
