//! A journey is booked in three places. When one of them says no, what was booked before is taken back, also if the
//! process dies in the middle of that.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use workflow::Engine;
use workflow::prelude::*;

/// Books flight, hotel and car, or nothing.
#[workflow]
async fn journey(to: String) -> workflow::Result<String> {
    let flight = step!("book flight", book("flight", &to)).await?;
    let hotel = match step!("book hotel", retries = 2, delay = 200ms, book("hotel", &to)).await {
        Ok(hotel) => hotel,
        Err(no) => {
            step!("cancel flight", retries = 10, delay = 200ms, cancel(&flight)).await?;
            return Ok(format!("no journey: {no}"));
        }
    };
    match step!("book car", retries = 2, delay = 200ms, book("car", &to)).await {
        Ok(car) => Ok(format!("booked: {flight}, {hotel}, {car}")),
        Err(no) => {
            step!("cancel hotel of journey", retries = 10, delay = 200ms, cancel(&hotel)).await?;
            step!("cancel flight of journey", retries = 10, delay = 200ms, cancel(&flight)).await?;
            Ok(format!("no journey: {no}"))
        }
    }
}

async fn book(what: &str, to: &str) -> Result<String, String> {
    println!("booking a {what} to {to}");
    if what == "car" && to == "Venice" {
        Err("there are no cars in Venice".to_owned())
    } else {
        Ok(format!("{what} to {to}"))
    }
}

async fn cancel(booking: &str) -> Result<(), String> {
    println!("cancelling the {booking}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().store("sqlite::memory:").start().await?;
    for to in ["Lisbon", "Venice"] {
        let instance = journey::create(&engine, to.to_owned()).await?;
        println!("{to}: {}\n", instance.result().await?);
    }
    Ok(())
}
