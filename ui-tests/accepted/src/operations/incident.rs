//! Escalation along a list of people, each paged a few times, in labelled nested loops over slices and ranges.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "pager.acknowledged")]
struct Acknowledged;

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "pager.resolved")]
struct Resolved {
    note: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Incident {
    paged: u32,
    note: Option<String>,
}

async fn page(person: &str, attempt: u32) -> io::Result<u32> {
    remote::answer(attempt + u32::from(person.is_empty())).await
}

/// Pages people until one of them takes the incident, then waits for its end.
#[workflow]
async fn incident(people: Vec<String>, pages: u32) -> workflow::Result<Incident> {
    let mut paged = 0;
    let taken_by = 'search: {
        for person in &people {
            for attempt in 1..=pages {
                step!("page", key = format!("{person} {attempt}"), page(person, attempt)).await?;
                paged += 1;
                let answered =
                    wait_for::<Acknowledged>("acknowledged").key(person).timeout(5m).await.map(|Acknowledged| person);
                if let Ok(person) = answered {
                    break 'search Some(person);
                }
            }
        }
        None
    };
    let note = match taken_by {
        Some(person) => {
            let Resolved { note } = wait_for("resolved").await;
            Some(format!("{person}: {note}"))
        }
        None => None,
    };
    Ok(Incident { paged, note })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_answers() {
        let report = incident::test(vec!["Ada".to_owned(), "Grace".to_owned()], 2)
            .event_keyed("Grace", Acknowledged)
            .event(Resolved { note: "a cable".to_owned() })
            .run();
        assert_eq!(report.result, Ok(Incident { paged: 3, note: Some("Grace: a cable".to_owned()) }));
    }
}
