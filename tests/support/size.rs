//! How much is tried: one variable makes every random and every repeated test larger.
//!
//! `WORKFLOW_TEST_SIZE` is `pr` (what every change must pass, the default), `nightly` or `release`.
//! `WORKFLOW_TEST_CASES=<n>` tries just so many of whatever is run, for one test at a time. A word that is neither is
//! refused: a night of tests must not turn out to have been a small one.

const SIZE_VARIABLE: &str = "WORKFLOW_TEST_SIZE";
const CASES_VARIABLE: &str = "WORKFLOW_TEST_CASES";

/// How much is tried in each size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// For every change.
    pub pr: u64,
    /// Once a night.
    pub nightly: u64,
    /// Before a release.
    pub release: u64,
}

impl Amount {
    /// So many for every change, a night and a release.
    #[must_use]
    pub const fn of(pr: u64, nightly: u64, release: u64) -> Self {
        Self { pr, nightly, release }
    }

    /// As much as the environment asks for.
    ///
    /// # Panics
    /// When it asks for what is no size, or no number.
    #[must_use]
    pub fn wanted(self) -> u64 {
        if let Ok(text) = std::env::var(CASES_VARIABLE) {
            return text.parse().unwrap_or_else(|_| panic!("{CASES_VARIABLE} is a number"));
        }
        match std::env::var(SIZE_VARIABLE).as_deref() {
            Err(_) | Ok("" | "pr") => self.pr,
            Ok("nightly") => self.nightly,
            Ok("release") => self.release,
            Ok(_) => panic!("{SIZE_VARIABLE} is pr, nightly or release"),
        }
    }
}
