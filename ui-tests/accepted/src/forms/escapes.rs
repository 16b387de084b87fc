//! What is allowed on purpose.

use workflow::prelude::*;

/// A clock of the user's own.
mod sim {
    pub(super) struct Instant;

    impl Instant {
        pub(super) fn now() -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs() {
        assert_eq!(order::test(7).step("read", Ok(true)).run().result, Ok(7));
        assert_eq!(order::test(7).step("read", Ok(false)).run().result, Ok(1));
    }
}
