//! Checks in parallel, a human when they disagree, documents asked for again: a labelled loop with `continue` and `break`.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Event, Serialize, Deserialize)]
struct Documents {
    pages: Vec<String>,
}

#[derive(Debug, Event, Serialize, Deserialize)]
struct Review {
    officer: String,
    verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Verdict {
    Accepted,
    Rejected(String),
    MoreDocuments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Level {
    Clear,
    Unsure,
    Listed,
}

struct Registry;

impl Registry {
    async fn sanctions(&self, name: &str) -> io::Result<Level> {
        remote::answer(if name.starts_with('X') { Level::Listed } else { Level::Clear }).await
    }

    async fn identity(&self, pages: &[String]) -> io::Result<Level> {
        remote::answer(if pages.len() < 2 { Level::Unsure } else { Level::Clear }).await
    }

    async fn ask_for_documents(&self, name: &str, round: u8) -> io::Result<usize> {
        remote::answer(name.len() * usize::from(round)).await
    }
}

/// Lets a customer in, or says why not.
#[workflow(name = "compliance.kyc", version = 2)]
async fn know_your_customer(name: String, #[resource] registry: &Registry) -> workflow::Result<Verdict> {
    let mut round = 0_u8;
    let verdict = 'rounds: loop {
        round += 1;
        if round > 3 {
            break Verdict::Rejected("too many rounds".to_owned());
        }
        step!("ask for documents", registry.ask_for_documents(&name, round)).await?;
        let Ok(Documents { pages }) = wait_for::<Documents>("documents").timeout(14d).await else {
            break 'rounds Verdict::Rejected("no documents".to_owned());
        };
        if pages.is_empty() {
            continue 'rounds;
        }
        let (sanctions, identity) = try_join!(
            step!("sanctions", retries = 5, delay = 1m, jitter = 0.2, registry.sanctions(&name)),
            step!("identity", timeout = 10m, registry.identity(&pages)),
        )
        .await?;
        break match sanctions.max(identity) {
            Level::Clear => Verdict::Accepted,
            Level::Listed => Verdict::Rejected("listed".to_owned()),
            Level::Unsure => match wait_for::<Review>("review").await {
                Review { verdict: Verdict::MoreDocuments, .. } => continue,
                Review { officer, verdict: Verdict::Rejected(reason) } => {
                    Verdict::Rejected(format!("{reason} ({officer})"))
                }
                Review { verdict, .. } => verdict,
            },
        };
    };
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(count: usize) -> Documents {
        Documents { pages: vec!["page".to_owned(); count] }
    }

    #[test]
    fn clear_customers_are_accepted() {
        let report = know_your_customer::test("Ada".to_owned()).resource(Registry).event(documents(2)).run();
        assert_eq!(report.result, Ok(Verdict::Accepted));
    }

    #[test]
    fn an_officer_asks_for_more() {
        let report = know_your_customer::test("Ada".to_owned())
            .resource(Registry)
            .event(documents(1))
            .event(Review { officer: "Grace".to_owned(), verdict: Verdict::MoreDocuments })
            .event(documents(0))
            .event(documents(2))
            .run();
        assert_eq!(report.result, Ok(Verdict::Accepted));
        assert_eq!(report.names().filter(|name| *name == "ask for documents").count(), 3);
    }
}
