use workflow::prelude::*;

async fn stamp() -> bool {
    now().await > std::time::SystemTime::UNIX_EPOCH
}

fn main() {}
