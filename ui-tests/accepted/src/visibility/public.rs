//! A public module of a library: every item is documented, and every public one can be reached.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use thiserror::Error;
use workflow::prelude::*;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// By whom.
    pub from: String,
    /// How urgent it is, from 0.
    pub urgency: u8,
}

/// Somebody answered.
#[derive(Debug, Clone, PartialEq, Eq, Event, Serialize, Deserialize)]
#[event(name = "public.answered")]
#[non_exhaustive]
pub struct Answered {
    /// What they said.
    pub text: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RequestError {
    /// A step failed.
    #[error("it could not be asked")]
    Step(#[from] StepError),
    /// Nobody answered.
    #[error("nobody answered")]
    TimedOut(#[from] TimedOut),
}

/// Where requests go.
pub trait Desk: Send + Sync {
    /// Shows a request to people.
    #[part]
    async fn show(&self, request: &Request) -> Result<u64, StepError>;
}

/// A desk that is always there.
#[derive(Debug, Clone, Copy, Default)]
pub struct StandardDesk {
    _private: (),
}

async fn post(request: &Request) -> io::Result<u64> {
    remote::answer(u64::from(request.urgency)).await
}

impl Desk for StandardDesk {
    #[part]
    async fn show(&self, request: &Request) -> Result<u64, StepError> {
        step!("post", post(request)).await
    }
}

/// Waits for the answer to something that was shown.
#[part]
pub async fn answer(number: u64) -> Result<String, TimedOut> {
    let Answered { text } = wait_for("answer").key(number).timeout(1d).await?;
    Ok(text)
}

/// Asks people.
///
/// # Errors
/// When it cannot be shown, or nobody answers within a day.
#[workflow(name = "public.ask", version = 2, queue = "people")]
pub async fn ask(request: Request, #[resource] desk: &StandardDesk) -> Result<String, RequestError> {
    let number = desk.show(&request).await?;
    Ok(answer(number).await?)
}

/// Asks again and again.
#[workflow]
pub async fn insist(
    request: Request,
    #[default = 3] times: u32,
    #[resource] desk: &StandardDesk,
) -> workflow::Result<String> {
    for _ in 0..times {
        if let Ok(text) = ask(request.clone(), desk).await {
            return Ok(text);
        }
    }
    Err("nobody ever answers".into())
}

/// A workflow without inputs and outputs.
#[workflow]
pub async fn rest() {
    sleep(8h).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_answer() {
        let request = Request { from: "Ada".to_owned(), urgency: 3 };
        let answered = Answered { text: "yes".to_owned() };
        let report = ask::test(request.clone()).resource(StandardDesk::default()).event_keyed(3, answered).run();
        assert_eq!(report.result, Ok("yes".to_owned()));
        let report = insist::test(request, 2).resource(StandardDesk::default()).run();
        assert!(report.result.is_err());
        assert_eq!(rest::test().run().result, Ok(()));
    }
}
