use workflow::prelude::*;

const WEEK: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 60 * 60);

#[workflow(keep_complete = WEEK)]
async fn computed() {}

#[workflow(keep_complete = "7 dayz")]
async fn misspelt() {}

#[workflow(keep_failed = 30)]
async fn no_unit() {}

#[workflow(keep_failed = -1d)]
async fn negative() {}

#[workflow(keep_failed = 11_000d)]
async fn too_long() {}

#[workflow(keep_complete = true)]
async fn no_duration() {}

#[workflow(retention = 7d)]
async fn called_otherwise() {}

fn main() {}
