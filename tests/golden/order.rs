//! The workflow of the golden orders: something of everything that is recorded.
//!
//! Its code must go on fitting the journals in `orders/`. What is new goes into a workflow, and a file, of its own.

use std::time::SystemTime;

use support::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) user: String,
    pub(crate) items: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) paid: u64,
    pub(crate) reserved: Vec<u64>,
    pub(crate) boxes: u64,
    pub(crate) carrier: String,
    pub(crate) refused: String,
    pub(crate) vouchers: u64,
    pub(crate) fees: bool,
    pub(crate) number: u32,
    pub(crate) token: String,
    pub(crate) at: SystemTime,
}

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "golden.payment")]
pub(crate) struct Paid {
    pub(crate) amount: u64,
}

#[workflow(name = "golden.order")]
pub(crate) async fn order(order: Order, #[resource] shop: &Witness) -> workflow::Result<Receipt> {
    let user = step!("fetch user", shop.ok("fetch user", order.user.to_uppercase())).await?;
    let intent = step!(
        "create payment intent",
        retries = 3,
        delay = 10ms,
        backoff = exponential,
        timeout = 30s,
        shop.flaky("create payment intent", 2, format!("intent of {user}"))
    )
    .await?;
    if wait_for::<Go>("early news").timeout(20ms).await.is_err() {
        step!("remind", shop.ok("remind", ())).await?;
    }
    let paid = wait_for::<Paid>("payment").key(&intent).timeout(10m).await?;
    let mut reserved = Vec::new();
    for item in &order.items {
        reserved.push(step!("reserve", key = item, shop.ok(item, item.len() as u64)).await?);
    }
    let boxes = group!("pack", retries = 1, delay = 10ms, timeout = 1h, {
        let boxes = step!("choose boxes", shop.ok("choose boxes", 2)).await?;
        step!("fill boxes", shop.flaky("fill boxes", 1, ())).await?;
        Ok(boxes)
    })
    .await?;
    let refused = step!("gift wrap", shop.fails("gift wrap")).typed().await.expect_err("nobody wraps gifts");
    let (mail, label, ()) = join!(
        step!("confirmation mail", shop.ok("confirmation mail", ())),
        step!("shipping label", shop.ok("shipping label", ())),
        sleep(20ms),
    )
    .await;
    mail?;
    label?;
    let vouchers = voucher(order.items.len() as u64, shop).await?;
    let carrier = race! {
        () = sleep(20ms) => "slow",
        answer = step!("fast carrier", shop.held_until_dropped("fast carrier")) => answer.map(|()| "fast")?,
    }
    .await;
    let stamps = (0..3_u64).map(|number| step!("stamp", key = number, shop.ok("stamp", number)));
    try_join_all(stamps).await?;
    let fees = changed("fees").await;
    hand_over(carrier, shop).await?;
    sleep(20ms).await;
    let number = random().await;
    Ok(Receipt {
        paid: paid.amount,
        reserved,
        boxes,
        carrier: carrier.to_owned(),
        refused: refused.error().map(|oops| oops.step.clone()).unwrap_or_default(),
        vouchers,
        fees,
        number,
        token: uuid().await.to_string(),
        at: now().await,
    })
}

/// The child.
#[workflow(name = "golden.voucher")]
pub(crate) async fn voucher(items: u64, #[resource] shop: &Witness) -> workflow::Result<u64> {
    Ok(step!("print voucher", shop.ok("print voucher", items * 10)).await?)
}

#[part]
async fn hand_over(carrier: &str, shop: &Witness) -> workflow::Result<()> {
    if timeout(1h, step!("hand over", key = carrier, shop.ok("hand over", ()))).await.is_err() {
        step!("call the carrier", shop.ok("call the carrier", ())).await?;
    }
    Ok(())
}
