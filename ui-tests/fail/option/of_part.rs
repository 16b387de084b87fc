use workflow::prelude::*;

#[part(retries = 3)]
async fn helper() {}

fn main() {}
