use workflow::prelude::*;

#[workflow(name = "")]
async fn unnamed() {}

#[workflow(name = NAME)]
async fn constant() {}

#[workflow(queue = "{region}")]
async fn queued() {}

fn main() {}
