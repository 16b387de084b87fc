//! Sleeping until a date that is an input, with `let … else` and a branch of a version.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, SystemTime};
use workflow::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Copy {
    number: u32,
    signed: bool,
}

struct Press {
    editions: u32,
}

impl Press {
    async fn draw_copy(&self, reader: &str) -> io::Result<Option<Copy>> {
        let number = u32::try_from(reader.len()).unwrap_or_default();
        remote::answer((number <= self.editions).then_some(Copy { number, signed: false })).await
    }

    async fn sign(&self, copy: &Copy) -> io::Result<Copy> {
        remote::answer(Copy { signed: true, ..copy.clone() }).await
    }
}

/// Waits for the day of publication, then sends a copy.
#[workflow]
async fn preorder(reader: String, published: SystemTime, #[resource] press: &Press) -> workflow::Result<Option<Copy>> {
    let Ok(left) = published.duration_since(now().await) else {
        return Ok(None);
    };
    if left > Duration::from_secs(7 * 24 * 60 * 60) {
        sleep_until(published - 7d).await;
        step!("remind", remote::answer(reader.len())).await?;
    }
    sleep_until(published).await;
    let Some(copy) = step!("draw a copy", press.draw_copy(&reader)).await? else {
        return Ok(None);
    };
    let copy = if changed("signed copies").await { step!("sign", press.sign(&copy)).await? } else { copy };
    Ok(Some(copy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_comes_on_the_day() {
        let published = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        let report = preorder::test("Ada".to_owned(), published).resource(Press { editions: 9 }).run();
        assert_eq!(report.result, Ok(Some(Copy { number: 3, signed: true })));
    }

    #[test]
    fn a_day_that_is_past_gives_nothing() {
        let report = preorder::test("Ada".to_owned(), SystemTime::UNIX_EPOCH).resource(Press { editions: 9 }).run();
        assert_eq!(report.result, Ok(None));
    }
}
