//! Bodies that use anyhow: with context, `bail!` and `ensure!` in functions, and mixed with other errors in blocks.

use crate::remote;
use anyhow::{Context as _, anyhow, bail, ensure};
use workflow::prelude::*;

async fn parse(text: &str) -> anyhow::Result<u32> {
    ensure!(!text.is_empty(), "there is no text");
    let text = remote::answer(text.trim()).await.context("asking")?;
    if text == "infinite" {
        bail!("{text} is too much");
    }
    text.parse().with_context(|| format!("{text:?} is no number"))
}

/// Parses numbers and adds them up.
#[workflow]
async fn sum(texts: Vec<String>) -> workflow::Result<u32> {
    let mut sum = 0;
    for text in &texts {
        sum += step!("parse", key = text, parse(text)).await?;
    }
    let limit = step!("limit", {
        let limit: u32 = "100".parse()?;
        let more = parse("7").await.map_err(|error| error.context("of the limit"))?;
        if limit < more {
            return Err(anyhow!("{limit} is less than {more}").into());
        }
        Ok(limit + more)
    })
    .await?;
    let checked = step!("check", async {
        ensure!(sum <= limit, "{sum} is more than {limit}");
        anyhow::Ok(remote::answer(sum).await?)
    })
    .await;
    let half = checked.as_ref().ok().and_then(|sum| sum.checked_div(2)).context("no sum")?;
    if half > 50 {
        return Err(anyhow!("half is {half}").context("a large half").into());
    }
    Ok(half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use workflow::test_kit::TestError;

    fn of(texts: &[&str]) -> Result<u32, String> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        sum::test(texts).run().result.map_err(|error| match error {
            TestError::Failed(error) => format!("{error:#}"),
            other => other.to_string(),
        })
    }

    #[test]
    fn errors_keep_their_context() {
        assert_eq!(of(&["1", " 3"]), Ok(2));
        assert!(of(&["x"]).is_err_and(|error| error.contains("\"x\" is no number: invalid digit")));
        assert!(of(&["infinite"]).is_err_and(|error| error.contains("infinite is too much")));
        assert!(of(&["106"]).is_err_and(|error| error.contains("a large half")));
        assert!(of(&["108"]).is_err_and(|error| error.contains("no sum")));
    }
}
