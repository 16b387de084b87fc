//! A token made of `uuid`, an expiry made of `now`, and an event with that token as its key.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::SystemTime;
use uuid::Uuid;
use workflow::prelude::*;

#[derive(Debug, Event, Serialize, Deserialize)]
#[event(name = "invitation.accepted")]
struct Accepted {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Invitation {
    token: Uuid,
    expires: SystemTime,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Answer {
    Joined { name: String },
    Expired,
}

struct Accounts;

impl Accounts {
    async fn invite(&self, address: &str, invitation: &Invitation) -> io::Result<usize> {
        remote::answer(address.len() + invitation.token.to_string().len()).await
    }

    async fn join(&self, team: u64, name: &str) -> io::Result<u64> {
        remote::answer(team + name.len() as u64).await
    }
}

/// Invites somebody to a team.
#[workflow]
async fn invite(team: u64, address: String, #[resource] accounts: &Accounts) -> workflow::Result<Answer> {
    let token = uuid().await;
    let expires = now().await + 7d;
    let invitation = Invitation { token, expires };
    step!("invite", accounts.invite(&address, &invitation)).await?;
    let Invitation { token, expires } = invitation;
    let left = expires.duration_since(now().await)?;
    match wait_for::<Accepted>("acceptance").key(token).timeout(left).await {
        Ok(Accepted { name }) => {
            step!("join", accounts.join(team, &name)).await?;
            Ok(Answer::Joined { name })
        }
        Err(TimedOut { .. }) => Ok(Answer::Expired),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_expires() {
        let report = invite::test(1, "ada@example.com".to_owned()).resource(Accounts).run();
        assert_eq!(report.result, Ok(Answer::Expired));
    }
}
