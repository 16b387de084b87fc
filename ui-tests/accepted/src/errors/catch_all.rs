//! `workflow::Result`: any error by `?`, in workflows, parts, blocks and children; looked into, wrapped, and made of texts.

use crate::remote;
use std::num::{ParseIntError, TryFromIntError};
use workflow::prelude::*;

#[part]
async fn number(text: &str) -> workflow::Result<u8> {
    let length = step!("length", remote::answer(text.len())).await?;
    if length > 9 {
        return Err(format!("{text} is too long").into());
    }
    let number: i64 = text.parse()?;
    Ok(u8::try_from(number)?)
}

/// One number.
#[workflow]
async fn one_number(text: String) -> workflow::Result<u8> {
    number(&text).await
}

/// All numbers, and why some are none.
#[workflow]
async fn numbers(texts: Vec<String>) -> workflow::Result<(u32, Vec<String>)> {
    let mut sum = 0;
    let mut reasons = Vec::new();
    for text in texts {
        match one_number(text).await {
            Ok(number) => sum += u32::from(number),
            Err(ChildError::Failed(error)) if error.class() == std::any::type_name::<ParseIntError>() => {
                reasons.push("no number".to_owned());
            }
            Err(ChildError::Failed(error)) if error.class() == std::any::type_name::<TryFromIntError>() => {
                reasons.push("not small".to_owned());
            }
            Err(error) => reasons.push(error.to_string()),
        }
    }
    let late = group!("late", {
        timeout(1s, sleep(2s)).await?;
        Ok(number("1").await?)
    })
    .await;
    let late = late.map_err(workflow::Error::from);
    reasons.extend(late.err().map(|error| error.message().to_owned()));
    let boxed = async { Err::<u8, _>(workflow::Error::msg("boxed").into_boxed()) }.await;
    reasons.extend(boxed.err().map(|error| error.to_string()));
    Ok((sum, reasons))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_apart() {
        let texts = ["7", "x", "300", "1234567890", "8"].map(str::to_owned).to_vec();
        let (sum, reasons) = numbers::test(texts).run().result.expect("it fails never");
        assert_eq!(sum, 15);
        assert_eq!(reasons[..2], ["no number", "not small"]);
        assert_eq!(reasons[2], "the child workflow failed: 1234567890 is too long");
        assert_eq!(reasons.len(), 5);
    }
}
