//! A draft and its reviews until they are good enough or the budget is spent; the budget is a value with methods.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::ops::ControlFlow;
use workflow::prelude::*;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Budget {
    tokens: u32,
    spent: u32,
}

impl Budget {
    fn spend(&mut self, tokens: u32) -> ControlFlow<u32> {
        self.spent += tokens;
        if self.spent > self.tokens { ControlFlow::Break(self.spent) } else { ControlFlow::Continue(()) }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Review {
    score: f32,
    remarks: Vec<String>,
}

async fn write(topic: &str, remarks: &[String]) -> io::Result<(String, u32)> {
    let draft = format!("{topic}, {}", remarks.join(", "));
    let tokens = u32::try_from(draft.len()).unwrap_or(u32::MAX);
    remote::answer((draft, tokens)).await
}

async fn review(draft: &str, reviewer: u8) -> io::Result<Review> {
    let score = f32::from(u8::try_from(draft.len()).unwrap_or(u8::MAX)) / 30.0;
    remote::answer(Review { score, remarks: vec![format!("remark {reviewer}")] }).await
}

/// Writes a text that several reviewers like.
#[workflow]
async fn article(topic: String, tokens: u32) -> workflow::Result<(String, u32)> {
    let mut budget = Budget { tokens, ..Budget::default() };
    let mut remarks: Vec<String> = Vec::new();
    let mut best: Option<(String, f32)> = None;
    loop {
        let (draft, tokens) = step!("write", write(&topic, &remarks)).await?;
        if let ControlFlow::Break(spent) = budget.spend(tokens) {
            let (text, _) = best.ok_or("the budget is too small for a draft")?;
            return Ok((text, spent));
        }
        let reviews =
            try_join_all((0..3).map(|reviewer| step!("review", key = reviewer, review(&draft, reviewer)))).await?;
        let score = reviews.iter().map(|review| review.score).fold(f32::INFINITY, f32::min);
        if best.as_ref().is_none_or(|(_, known)| score > *known) {
            best = Some((draft.clone(), score));
        }
        if score >= 1.0 {
            return Ok((draft, budget.spent));
        }
        remarks.extend(reviews.into_iter().flat_map(|review| review.remarks).take(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gets_better() {
        let report = article::test("cats".to_owned(), 1_000).run();
        assert_eq!(report.result, Ok(("cats, remark 0, remark 0, remark 0".to_owned(), 6 + 14 + 24 + 34)));
    }

    #[test]
    fn a_budget_ends_it() {
        assert_eq!(article::test("cats".to_owned(), 30).run().result, Ok(("cats, remark 0".to_owned(), 44)));
    }
}
