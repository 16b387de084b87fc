use workflow::prelude::*;

#[derive(Event, serde::Serialize, serde::Deserialize)]
#[event(nmae = "paid")]
struct Misspelt;

#[derive(Event, serde::Serialize, serde::Deserialize)]
#[event(name = "")]
struct Empty;

#[derive(Event, serde::Serialize, serde::Deserialize)]
#[event = "paid"]
struct Odd;

fn main() {}
