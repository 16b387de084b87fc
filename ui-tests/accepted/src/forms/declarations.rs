//! How a workflow may be declared.

use std::time::Duration;
use workflow::prelude::*;

/// In a module of its own.
pub(crate) mod shop {
    use super::*;

    /// Every option.
    #[workflow(name = "shop.nightly", version = 3, queue = "slow", crate = ::workflow)]
    pub(crate) async fn nightly(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_declaration_runs() {
        /// In a body.
        #[workflow]
        async fn local(n: u8) -> u8 {
            n
        }

        let nightly = shop::nightly::test("today".to_owned(), 1, Duration::from_secs(5), vec!["us".to_owned()]);
        assert_eq!(nightly.run().result, Ok(("today!".to_owned(), 2)));
        assert_eq!(shop::catch_all::test("7".to_owned()).run().result, Ok(7));
        assert_eq!(nothing::test().run().result, Ok(()));
        assert_eq!(names::test(1, 2, 3, 4, 5, 6, 7).run().result, Ok(28));
        assert_eq!(local::test(1).run().result, Ok(1));
    }

    #[test]
    fn names_and_versions_are_constants() {
        assert_eq!((shop::nightly::NAME, shop::nightly::VERSION), ("shop.nightly", 3));
        let _items = [shop::catch_all::new(String::new())];
    }
}
