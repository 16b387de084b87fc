//! An approval with reminders: the wait has a deadline, and each reminder begins the next.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

/// What a manager decided.
#[derive(Debug, Event, Serialize, Deserialize)]
enum Decision {
    Granted { by: String },
    Refused { by: String, reason: Option<String> },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claim {
    employee: String,
    manager: String,
    cents: u64,
}

struct Mail;

impl Mail {
    async fn remind(&self, manager: &str, reminder: u32) -> io::Result<usize> {
        remote::answer(manager.len() + reminder as usize).await
    }

    async fn tell(&self, employee: &str, text: &str) -> io::Result<usize> {
        remote::answer(employee.len() + text.len()).await
    }
}

const REMINDERS: u32 = 3;

/// Asks a manager, and reminds them every other day.
#[workflow]
async fn expense(claim: Claim, #[resource] mail: &Mail) -> Result<bool, StepError> {
    let mut reminder = 0;
    let decision = loop {
        match wait_for::<Decision>("decision").timeout(2d).await {
            Ok(decision) => break Some(decision),
            Err(_) if reminder < REMINDERS => {
                reminder += 1;
                step!("remind", mail.remind(&claim.manager, reminder)).await?;
            }
            Err(_) => break None,
        }
    };
    let (granted, text) = match decision {
        Some(Decision::Granted { by }) => (true, format!("{by} granted {}", claim.cents)),
        Some(Decision::Refused { by, reason: Some(reason) }) => (false, format!("{by} refused: {reason}")),
        Some(Decision::Refused { by, reason: None }) => (false, format!("{by} refused")),
        None => (false, format!("{} did not answer {REMINDERS} reminders", claim.manager)),
    };
    step!("tell", mail.tell(&claim.employee, &text)).await?;
    Ok(granted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn claim() -> Claim {
        Claim { employee: "Ada".to_owned(), manager: "Grace".to_owned(), cents: 1_200 }
    }

    #[test]
    fn a_reminder_helps() {
        let report = expense::test(claim())
            .resource(Mail)
            .advance(Duration::from_secs(3 * 24 * 60 * 60))
            .event(Decision::Granted { by: "Grace".to_owned() })
            .run();
        assert_eq!(report.result, Ok(true));
        assert_eq!(report.names().collect::<Vec<_>>(), ["remind", "tell"]);
    }

    #[test]
    fn silence_is_a_refusal() {
        let report = expense::test(claim()).resource(Mail).run();
        assert_eq!(report.result, Ok(false));
        assert_eq!(report.names().filter(|name| *name == "remind").count(), 3);
    }
}
