//! `info` and `uuid`: ids for other systems, made of the run and of the place in it.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use uuid::Uuid;
use workflow::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ticket {
    id: Uuid,
    reference: String,
}

async fn file(ticket: &Ticket, key: &str) -> io::Result<usize> {
    remote::answer(ticket.reference.len() + key.len()).await
}

/// Files tickets.
#[workflow(version = 2)]
async fn tickets(count: usize) -> workflow::Result<Vec<Ticket>> {
    let this = info().await;
    let namespace = Uuid::from_u128(this.id.len() as u128);
    let mut tickets = vec![];
    for number in 0..count {
        let ticket =
            Ticket { id: uuid().await, reference: format!("{}/{}/{}/{number}", this.workflow, this.version, this.run) };
        step!("file", |cx| async {
            let key = format!("{}-{}-{namespace}", cx.instance_id(), cx.idempotency_key());
            file(&ticket, &key).await
        })
        .await?;
        tickets.push(ticket);
    }
    let ids: BTreeSet<Uuid> = tickets.iter().map(|ticket| ticket.id).collect();
    assert_eq!((ids.len(), this.parent), (count, None));
    Ok(tickets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_an_id() {
        let tickets = tickets::test(2).run().result.expect("two tickets");
        assert_eq!(tickets[1].reference, "tickets/2/1/1");
        assert_eq!(tickets[1].id.get_version_num(), 4);
    }
}
