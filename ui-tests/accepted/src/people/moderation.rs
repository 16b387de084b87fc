//! Several deciders, of whom the first two that agree win: `wait_for` by key in `join_all` and in a counting loop.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use workflow::prelude::*;

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "moderation.vote")]
struct Vote {
    moderator: String,
    keep: bool,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tally {
    keep: bool,
    votes: BTreeMap<String, bool>,
}

/// Two of three decide whether a post stays.
#[workflow]
async fn moderate(post: String) -> Tally {
    let mut votes = BTreeMap::new();
    while votes.len() < 3 {
        let Vote { moderator, keep } = wait_for("vote").key(&post).await;
        votes.entry(moderator).or_insert(keep);
        let agreeing = votes.values().filter(|other| **other == keep).count();
        if agreeing >= 2 {
            return Tally { keep, votes };
        }
    }
    Tally { keep: true, votes }
}

/// Everybody is asked, and everybody has a day.
#[workflow]
async fn poll(question: String, voters: Vec<String>) -> (usize, usize) {
    let answers = join_all(
        voters.iter().map(|voter| wait_for::<Vote>("answer").key(format_args!("{question}/{voter}")).timeout(1d)),
    )
    .await;
    let (yes, no): (Vec<_>, Vec<_>) = answers.into_iter().flatten().partition(|vote| vote.keep);
    (yes.len(), no.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(moderator: &str, keep: bool) -> Vote {
        Vote { moderator: moderator.to_owned(), keep }
    }

    #[test]
    fn two_agree() {
        let report = moderate::test("p".to_owned())
            .event_keyed("p", vote("Ada", true))
            .event_keyed("p", vote("Ada", true))
            .event_keyed("p", vote("Grace", false))
            .event_keyed("p", vote("Barbara", false))
            .run();
        assert_eq!(report.result.map(|tally| (tally.keep, tally.votes.len())), Ok((false, 3)));
    }

    #[test]
    fn who_is_late_is_not_counted() {
        let report = poll::test("q".to_owned(), vec!["Ada".to_owned(), "Grace".to_owned()])
            .event_keyed("q/Grace", vote("Grace", true))
            .run();
        assert_eq!(report.result, Ok((1, 0)));
    }
}
