//! The workflows that worker processes run while something fails, and the bodies that leave a trace of themselves.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow::prelude::*;

use crate::effects::Effects;

/// The resource of the workflows: writes down each execution of a body, then takes its time.
#[derive(Debug)]
pub struct Hands {
    /// Where executions are written down.
    pub effects: Effects,
    /// How long a body takes after that.
    pub step_time: Duration,
}

impl Hands {
    #[expect(clippy::disallowed_methods, reason = "this is the work: it takes as long as it takes")]
    pub(crate) async fn work(&self, cx: StepContext, step: &str, value: u64) -> std::io::Result<u64> {
        self.effects.begin(cx.instance_id(), step, cx.attempt())?;
        tokio::time::sleep(self.step_time).await;
        Ok(value)
    }

    /// The same by a body that does not let go of its thread.
    #[expect(clippy::disallowed_methods, reason = "it is to block the executor")]
    fn block(&self, cx: &StepContext, step: &str) -> std::io::Result<()> {
        self.effects.begin(cx.instance_id(), step, cx.attempt())?;
        std::thread::sleep(self.step_time);
        Ok(())
    }
}

/// A body that holds its thread, and another after it.
#[workflow]
pub async fn stone(#[resource] hands: &Hands) -> workflow::Result<()> {
    step!("lie", |cx| async move { hands.block(&cx, "lie") }).await?;
    step!("roll", |cx| hands.work(cx, "roll", 0)).await?;
    Ok(())
}

/// Somebody paid.
#[derive(Debug, Event, Serialize, Deserialize)]
pub struct Paid {
    /// How much.
    pub amount: u64,
}

/// The steps of a parcel that is not wide, in the order of their execution.
pub const STEPS: &[&str] = &["pick 0", "pick 1", "pick 2", "weigh", "label", "send"];

/// What a parcel with this number and payment comes to.
#[must_use]
pub const fn total(number: u64, paid: u64) -> u64 {
    number + 3 + 10 + 20 + paid
}

/// Something of everything: steps in a loop, a sleep, two steps one after the other or (`wide`) side by side, an event,
/// a last step.
#[workflow]
pub async fn parcel(number: u64, wide: bool, #[resource] hands: &Hands) -> workflow::Result<u64> {
    let mut sum = number;
    for round in 0..3_u64 {
        sum += step!("pick", key = round, |cx| hands.work(cx, PICKS[round as usize], round)).await?;
    }
    sleep(20ms).await;
    let weigh = step!("weigh", |cx| hands.work(cx, "weigh", 10));
    let label = step!("label", |cx| hands.work(cx, "label", 20));
    if wide {
        let (weight, label) = join!(weigh, label).await;
        sum += weight? + label?;
    } else {
        sum += weigh.await?;
        sum += label.await?;
    }
    let paid = wait_for::<Paid>("paid").await;
    step!("send", |cx| hands.work(cx, "send", 0)).await?;
    Ok(sum + paid.amount)
}

const PICKS: [&str; 3] = ["pick 0", "pick 1", "pick 2"];

/// What a delivery with this number comes to, paid twice.
#[must_use]
pub const fn delivered(number: u64, first: u64, second: u64) -> u64 {
    1 + number + 10 * first + second
}

/// Steps, a sleep, a child, and two events of one type: a child or an event too many gives another result or another
/// journal.
#[workflow]
pub async fn delivery(number: u64, #[resource] hands: &Hands) -> workflow::Result<u64> {
    let packed = step!("pack", |cx| hands.work(cx, "pack", 1)).await?;
    sleep(10ms).await;
    let brought = trip(number, hands).await?;
    let first = wait_for::<Paid>("first").await;
    let second = wait_for::<Paid>("second").await;
    step!("sign", |cx| hands.work(cx, "sign", 0)).await?;
    Ok(packed + brought + 10 * first.amount + second.amount)
}

/// The child of a delivery.
#[workflow]
pub async fn trip(number: u64, #[resource] hands: &Hands) -> workflow::Result<u64> {
    step!("drive", |cx| hands.work(cx, "drive", 0)).await?;
    Ok(step!("hand over", |cx| hands.work(cx, "hand over", number)).await?)
}
