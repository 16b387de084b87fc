//! `.fatal()` on errors and on results, in calls and in blocks, through groups with retries.

use crate::remote;
use std::io;
use thiserror::Error;
use workflow::prelude::*;

#[derive(Debug, Error)]
enum Upload {
    #[error("{0} bytes are too many")]
    TooLarge(usize),
    #[error(transparent)]
    Io(#[from] io::Error),
}

async fn upload(bytes: usize) -> Result<usize, Fatal<Upload>> {
    if bytes > 100 {
        Err(Upload::TooLarge(bytes).fatal())?;
    }
    if bytes == 13 {
        return Ok(remote::down("the target").await.map_err(Upload::from)?);
    }
    Ok(remote::answer(bytes).await.map_err(Upload::Io)?)
}

/// Uploads some bytes, at most three times.
#[workflow]
async fn upload_all(sizes: Vec<usize>) -> Vec<Result<usize, StepError>> {
    join_all(sizes.iter().map(|size| {
        group!("file", key = size, retries = 2, delay = 1m, {
            let limit = step!("limit", {
                let limit: usize = "100".parse::<usize>().fatal()?;
                if *size == 0 {
                    return Err(io::Error::other("nothing to upload").fatal().into());
                }
                Ok(limit)
            })
            .await?;
            Ok(step!("upload", upload(*size)).await?.min(limit))
        })
    }))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let report = upload_all::test(vec![5, 13, 500, 0]).run();
        let uploaded = report.result.as_ref().expect("it fails never");
        assert_eq!(uploaded[0].as_ref().ok(), Some(&5));
        let fatal: Vec<_> =
            uploaded[1..].iter().map(|result| result.as_ref().is_err_and(StepError::is_fatal)).collect();
        assert_eq!(fatal, [false, true, true]);
        assert_eq!(uploaded[1].as_ref().map_err(StepError::attempts), Err(3));
    }
}
