//! Variables, fields and inputs with the names that generated code or our macros use.

use crate::remote;
use serde::{Deserialize, Serialize};
use workflow::prelude::*;

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Settings {
    step: u32,
    group: u32,
    timeout: u32,
    key: u32,
    retries: u32,
}

/// Adds everything up.
#[workflow]
async fn add_up(
    step: u32,
    group: u32,
    race: u32,
    cx: u32,
    durable: u32,
    result: u32,
    handed: u32,
    kept: u32,
    winner: u32,
    engine: u32,
    settings: Settings,
) -> workflow::Result<u32> {
    let Settings { step: s, group: g, timeout, key, retries } = settings;
    let workflow = if step != 3 && group != (4) { race } else { cx };
    let event = step + group + timeout;
    let join = step!("add", key = key, retries = retries, |cx| remote::answer(cx.attempt() + event)).await?;
    let sleep_for = 1s;
    let context = step!("more", {
        let result = remote::answer(result).await?;
        let retries = retries + handed;
        Ok(result + retries + kept + winner)
    })
    .await?;
    let each = try_join_all((0..3_u32).map(|kept| step!("each", key = kept, remote::answer(kept + handed)))).await?;
    let won = race! {
        () = sleep(sleep_for) => winner,
        result = step!("won", remote::answer(winner)) => result?,
    }
    .await;
    let part = each.into_iter().map(|step| step + s + g).sum::<u32>();
    Ok(workflow + durable + join + context + won + part + engine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_added() {
        let report = add_up::test(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, Settings::default()).run();
        assert_eq!(report.result, Ok(3 + 5 + (1 + 3) + (6 + 7 + 8 + 9) + 9 + (3 + 21) + 10));
    }
}
