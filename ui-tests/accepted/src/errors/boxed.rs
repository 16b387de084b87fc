//! Boxed errors, texts as errors, and errors of one's own without a library.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;
use workflow::prelude::*;

type Boxed = Box<dyn Error + Send + Sync>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failed {
    what: String,
    why: Option<Box<Self>>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.what)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.why.as_deref().map(|why| why as _)
    }
}

impl From<StepError> for Failed {
    fn from(error: StepError) -> Self {
        Self { what: error.name().to_owned(), why: None }
    }
}

impl From<TimedOut> for Failed {
    fn from(_: TimedOut) -> Self {
        Self { what: "waiting".to_owned(), why: None }
    }
}

async fn boxed(n: u32) -> Result<u32, Boxed> {
    match n {
        0 => Err("zero".into()),
        1 => Err(Box::new(Failed { what: "one".to_owned(), why: None })),
        2 => Err(format!("{n} is too small"))?,
        _ => Ok(remote::answer(n).await?),
    }
}

async fn text(n: u32) -> Result<u32, String> {
    if n > 100 { Err(format!("{n} is too large")) } else { remote::answer(n).await.map_err(|error| error.to_string()) }
}

async fn fixed(n: u32) -> Result<u32, &'static str> {
    remote::answer(n).await.map_err(|_| "it is down")
}

/// Calls them all.
#[workflow]
async fn call_all(n: u32) -> Result<u32, Failed> {
    let a = step!("boxed", boxed(n)).await?;
    let b = step!("text", text(a)).await?;
    let c = step!("fixed", fixed(b))
        .await
        .map_err(|error| Failed { what: "the last".to_owned(), why: Some(Box::new(error.into())) })?;
    let d = timeout(1m, step!("nested", { Ok(boxed(c).await? + text(c).await? + fixed(c).await?) })).await??;
    wait_for_type::<u32>("more", "more").timeout(1s).await.or(Ok(d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use workflow::test_kit::TestError;

    #[test]
    fn errors_are_converted() {
        assert_eq!(call_all::test(3).run().result, Ok(9));
        for n in 0..3 {
            let failed = Failed { what: "boxed".to_owned(), why: None };
            assert_eq!(call_all::test(n).run().result, Err(TestError::Failed(failed)));
        }
    }
}
