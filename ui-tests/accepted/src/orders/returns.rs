//! Pattern matching on an event with variants, with guards, bindings and nested patterns.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "warehouse.inspection")]
enum Inspection {
    Fine { grade: u8 },
    Damaged { photos: Vec<String>, by_customer: bool },
    Empty,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Decision {
    Refund(u64),
    Replace { with: String },
    Refuse(String),
}

struct Desk;

impl Desk {
    async fn send_label(&self, order: &str) -> io::Result<usize> {
        remote::answer(order.len()).await
    }

    async fn repay(&self, order: &str, cents: u64) -> io::Result<u64> {
        assert!(!order.is_empty());
        remote::answer(cents).await
    }
}

/// Decides on what a customer sent back.
#[workflow(name = "shop.return")]
async fn send_back(order: String, cents: u64, #[resource] desk: &Desk) -> workflow::Result<Decision> {
    step!("send label", desk.send_label(&order)).await?;
    let inspection = wait_for::<Inspection>("inspection").key(&order).timeout(30d).await;
    let decision = match inspection {
        Ok(Inspection::Fine { grade: grade @ 8..=10 }) => {
            let share = cents * u64::from(grade) / 10;
            Decision::Refund(step!("repay", desk.repay(&order, share)).await?)
        }
        Ok(Inspection::Fine { grade }) => Decision::Refuse(format!("grade {grade} is too low")),
        Ok(Inspection::Damaged { by_customer: false, .. }) => Decision::Replace { with: format!("{order}-again") },
        Ok(Inspection::Damaged { photos, .. }) if photos.is_empty() => Decision::Refund(cents / 2),
        Ok(Inspection::Damaged { photos, by_customer: _ }) => match photos.as_slice() {
            [only] => Decision::Refuse(only.clone()),
            [first, .., last] => Decision::Refuse(format!("{first} to {last}")),
            [] => unreachable!("an arm above took it"),
        },
        Ok(Inspection::Empty) | Err(TimedOut { .. }) => Decision::Refuse("nothing came back".to_owned()),
    };
    Ok(decision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(inspection: Inspection) -> Decision {
        let test = send_back::test("o-1".to_owned(), 1_000).resource(Desk).event_keyed("o-1", inspection);
        test.run().result.expect("a decision")
    }

    #[test]
    fn each_inspection_has_its_decision() {
        assert_eq!(decided(Inspection::Fine { grade: 9 }), Decision::Refund(900));
        assert_eq!(decided(Inspection::Fine { grade: 2 }), Decision::Refuse("grade 2 is too low".to_owned()));
        let photos = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let damaged = Inspection::Damaged { photos, by_customer: true };
        assert_eq!(decided(damaged), Decision::Refuse("a to c".to_owned()));
        assert_eq!(decided(Inspection::Empty), Decision::Refuse("nothing came back".to_owned()));
    }

    #[test]
    fn nothing_comes_back() {
        let report = send_back::test("o-1".to_owned(), 1_000).resource(Desk).run();
        assert_eq!(report.result, Ok(Decision::Refuse("nothing came back".to_owned())));
    }
}
