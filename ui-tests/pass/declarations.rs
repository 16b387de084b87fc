//! How a workflow may be declared.
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations)]

use std::time::Duration;
use workflow::prelude::*;

/// In a module of its own.
pub mod shop {
    use super::*;

    /// Every option.
    #[workflow(name = "shop.nightly", version = 3, queue = "slow", crate = ::workflow)]
    pub async fn nightly(
        mut date: String,
        #[default] limit: u32,
        #[default = 90s] patience: Duration,
        #[default = vec!["eu".to_owned()]] regions: Vec<String>,
    ) -> (String, u32) {
        date.push('!');
        sleep(patience).await;
        (date, limit + regions.len() as u32)
    }

    /// With the catch-all error.
    #[workflow]
    pub(crate) async fn catch_all(r#type: String) -> workflow::Result<u32> {
        let n: u32 = r#type.parse()?;
        timeout(5s, sleep(1s)).await?;
        Ok(n)
    }
}

/// Nothing in, nothing out.
#[workflow]
async fn nothing() {}

/// Names that generated code uses too.
#[workflow]
async fn names(engine: u32, id: u32, inputs: u32, items: u32, start: u32, cx: u32, resources: u32) -> u32 {
    sleep(1s).await;
    engine + id + inputs + items + start + cx + resources
}

/// Compiled away.
#[workflow]
#[cfg(any())]
async fn absent(id: Missing) {}

fn main() {
    /// In a body.
    #[workflow]
    async fn local(n: u8) -> u8 {
        n
    }

    assert_eq!((shop::nightly::NAME, shop::nightly::VERSION), ("shop.nightly", 3));
    let _tests = (
        shop::nightly::test(String::new(), 1, 5 * Duration::from_secs(1), Vec::new()),
        shop::catch_all::test("7".to_owned()),
        nothing::test(),
        names::test(1, 2, 3, 4, 5, 6, 7),
        local::test(1),
    );
    let _items = [shop::catch_all::new(String::new())];
}
