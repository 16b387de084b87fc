//! A sequence of messages over weeks that stops early, with `if let` chains and a step for each of a constant list.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;
use workflow::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct User {
    name: String,
    plan: Option<Plan>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Plan {
    Free,
    Paid { seats: u32 },
}

#[derive(Debug, Clone, Copy)]
struct Lesson {
    title: &'static str,
    after: Duration,
}

const LESSONS: [Lesson; 3] = [
    Lesson { title: "welcome", after: Duration::ZERO },
    Lesson { title: "your first project", after: Duration::from_secs(24 * 60 * 60) },
    Lesson { title: "inviting others", after: Duration::from_secs(5 * 24 * 60 * 60) },
];

static SENDER: &str = "hello@example.com";

struct Mailer;

impl Mailer {
    async fn send(&self, from: &str, to: &str, title: &str) -> io::Result<usize> {
        remote::answer(from.len() + to.len() + title.len()).await
    }

    async fn reload(&self, user: &User) -> io::Result<User> {
        let plan = user.plan.or(Some(Plan::Paid { seats: 12 }));
        remote::answer(User { plan, ..user.clone() }).await
    }
}

/// Teaches a new user, until they need no teaching.
#[workflow]
async fn onboard(user: User, #[resource] mailer: &Mailer) -> workflow::Result<Vec<String>> {
    let mut user = user;
    let mut sent = Vec::with_capacity(LESSONS.len());
    for Lesson { title, after } in LESSONS {
        if !after.is_zero() {
            sleep(after).await;
        }
        step!("send", key = title, mailer.send(SENDER, &user.name, title)).await?;
        sent.push(title.to_owned());
        user = step!("reload", key = title, mailer.reload(&user)).await?;
        if let Some(Plan::Paid { seats }) = user.plan
            && seats > 10
            && let Some(last) = sent.last_mut()
        {
            last.push_str(", then a call");
            break;
        }
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_customer_gets_a_call() {
        let report = onboard::test(User { name: "Ada".to_owned(), plan: None }).resource(Mailer).run();
        assert_eq!(report.result, Ok(vec!["welcome, then a call".to_owned()]));
    }

    #[test]
    fn a_small_one_gets_all_lessons() {
        let report = onboard::test(User { name: "Ada".to_owned(), plan: Some(Plan::Free) }).resource(Mailer).run();
        assert_eq!(report.result.map(|sent| sent.len()), Ok(3));
    }
}
