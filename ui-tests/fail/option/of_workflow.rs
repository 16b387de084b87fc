use workflow::prelude::*;

#[workflow(verison = 2)]
async fn misspelt() {}

#[workflow(version = "2")]
async fn quoted() {}

#[workflow(version = 0)]
async fn zero() {}

#[workflow(queue = "a", queue = "b")]
async fn twice() {}

fn main() {}
