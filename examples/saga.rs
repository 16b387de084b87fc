//! A journey is booked in three places. When one of them says no, what was booked before is taken back, newest first. That
//! happens also if the process dies in the middle of it: what was booked and what was taken back is in the store.
//!
//! Run it with `cargo run --example saga`. It prints two journeys, one booked and one taken back; run it again, and it
//! prints only what they came to. With `-- --crash` the process dies while it takes back; run it once more without, and
//! it goes on there (one to two seconds later, when the dead process has lost its lease).
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use workflow::prelude::*;

/// Books flight, hotel and car, or nothing.
#[workflow]
async fn journey(to: String, #[resource] agency: &Agency) -> workflow::Result<String> {
    let mut booked = Vec::new();
    for what in ["flight", "hotel", "car"] {
        match step!("book", key = what, retries = 1, delay = 50ms, agency.book(what, &to)).await {
            Ok(booking) => booked.push(booking),
            Err(no) => {
                take_back(booked, agency).await?;
                return Ok(format!("nothing booked: {}", no.message()));
            }
        }
    }
    Ok(format!("booked {}", booked.join(", ")))
}

/// Takes back what was booked, newest first. It must come to an end, so it is tried for long.
#[part]
async fn take_back(booked: Vec<String>, agency: &Agency) -> workflow::Result<()> {
    for booking in booked.iter().rev() {
        step!("cancel", key = booking, retries = 100, delay = 1s, backoff = exponential, max_delay = 1h, |cx| agency
            .cancel(cx, booking))
        .await?;
    }
    Ok(())
}

/// Where journeys are booked.
struct Agency {
    /// Die instead of cancelling a flight.
    crash: bool,
}

impl Agency {
    async fn book(&self, what: &str, to: &str) -> Result<String, String> {
        println!("  booking a {what} to {to}");
        if (what, to) == ("car", "Venice") {
            Err("there are no cars in Venice".to_owned())
        } else {
            Ok(format!("{what} to {to}"))
        }
    }

    async fn cancel(&self, cx: StepContext, booking: &str) -> Result<(), String> {
        // A body runs again when its process died before the result was kept: the agency tells that by this key.
        let _key = cx.idempotency_key();
        if self.crash && booking.starts_with("flight") {
            println!("  (the process dies)");
            std::process::abort();
        }
        println!("  cancelling the {booking}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> workflow::Result<()> {
    let agency = Agency { crash: std::env::args().any(|argument| argument == "--crash") };
    let store = "sqlite:saga.db";
    let engine = Engine::builder().store(store).resource(agency).lease(Duration::from_secs(1)).start().await?;
    for to in ["Lisbon", "Venice"] {
        let instance = journey::create(&engine, to.to_owned()).id(format!("journey-{to}")).attach().await?;
        println!("{to}: {}", instance.result().await?);
    }
    engine.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
