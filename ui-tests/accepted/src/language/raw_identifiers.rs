//! Raw identifiers as workflow, input, variable, field, part and event.

use crate::remote;
use serde::{Deserialize, Serialize};
use workflow::prelude::*;

#[derive(Debug, Event, Serialize, Deserialize)]
struct Matched {
    r#type: String,
    r#in: u32,
}

#[part]
async fn r#try(r#ref: &str) -> Result<usize, StepError> {
    step!("try", key = r#ref, remote::answer(r#ref.len())).await
}

/// Is called by a keyword.
#[workflow]
async fn r#match(r#type: String, r#fn: Vec<u32>) -> workflow::Result<usize> {
    let Matched { r#type: kind, r#in } = wait_for("matched").key(&r#type).await;
    let r#loop = r#try(&kind).await?;
    let r#while = join_all(r#fn.iter().map(|r#as| step!("each", key = r#as, { Ok(r#as + r#in) }))).await;
    Ok(r#loop + r#while.len() + format!("{type}{in}").len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_recorded_without_the_prefix() {
        assert_eq!(r#match::NAME, "match");
        let matched = Matched { r#type: "abc".to_owned(), r#in: 1 };
        let report = r#match::test("x".to_owned(), vec![1, 2]).event_keyed("x", matched).run();
        assert_eq!(report.result, Ok(3 + 2 + 2));
    }
}
