//! What is allowed on purpose.
#![deny(warnings)]

use workflow::prelude::*;

/// A clock of the user's own.
mod sim {
    pub struct Instant;

    impl Instant {
        pub fn now() -> u64 {
            1
        }
    }
}

#[workflow]
async fn order(id: u64) -> u64 {
    #[allow_nondeterminism]
    let started = std::time::Instant::now();
    #[allow_nondeterminism]
    if std::env::var("VERBOSE").is_ok() {
        let _ = started.elapsed();
    }
    let simulated = sim::Instant::now();
    let read = step!("read", { Ok(std::env::var("REGION").is_ok()) }).await.unwrap_or(false);
    if read { id } else { simulated }
}

fn main() {
    let _test = order::test(1);
}
