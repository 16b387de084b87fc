//! `Option` and `Result` put together: `?` on both, `map`, `and_then`, `transpose`, `zip`, collecting into results.

use crate::remote;
use std::num::ParseIntError;
use workflow::prelude::*;

/// Looks numbers up.
#[workflow]
async fn combined(texts: Vec<String>, fallback: Option<String>) -> workflow::Result<i64> {
    let parsed = texts.iter().map(|text| text.parse::<i64>()).collect::<Result<Vec<_>, ParseIntError>>()?;
    let first = step!("first", remote::answer(parsed.first().copied())).await?;
    let checked = first.map(|n| n.checked_mul(2).ok_or("it overflows")).transpose()?;
    let looked_up = match &fallback {
        Some(text) => Some(step!("fallback", remote::answer(text.len())).await?),
        None => None,
    };
    let zipped = checked.zip(looked_up).map(|(a, b)| i64::try_from(b).map(|b| a + b)).transpose()?;
    let total = step!("total", remote::answer(zipped.or(first).unwrap_or_default()))
        .await
        .map(|total| total + 1)
        .or_else(|error| if error.is_fatal() { Err(error) } else { Ok(0) })
        .inspect_err(|error| assert!(error.is_fatal()))?;
    let known = step!("known", remote::answer(total)).await.is_ok_and(|known| known == total);
    known.then_some(total).ok_or_else(|| format!("{total} is not known").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_put_together() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(combined::test(texts(&["4", "5"]), Some("abc".to_owned())).run().result, Ok(12));
        assert_eq!(combined::test(texts(&[]), None).run().result, Ok(1));
        assert!(combined::test(texts(&["x"]), None).run().result.is_err());
    }
}
