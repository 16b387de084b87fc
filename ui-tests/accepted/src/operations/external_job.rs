//! Polling a job elsewhere with growing pauses, in a `while let` and a `loop` with a deadline around it.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;
use workflow::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Job {
    Queued,
    Running { percent: u8 },
    Done { rows: u64 },
    Failed { reason: String },
}

struct Cluster;

impl Cluster {
    async fn submit(&self, query: &str) -> io::Result<u64> {
        remote::answer(query.len() as u64).await
    }

    async fn poll(&self, job: u64, poll: u32) -> io::Result<Job> {
        remote::answer(match poll {
            0 => Job::Queued,
            1..=3 => Job::Running { percent: u8::try_from(poll * 25).unwrap_or(100) },
            _ if job == 13 => Job::Failed { reason: "bad luck".to_owned() },
            _ => Job::Done { rows: job },
        })
        .await
    }

    async fn cancel(&self, job: u64) -> io::Result<()> {
        assert!(job > 0);
        remote::answer(()).await
    }
}

/// Runs a query on a cluster and waits for its end, for a day at most.
#[workflow]
async fn query(text: String, #[resource] cluster: &Cluster) -> workflow::Result<u64> {
    let job = step!("submit", |cx| {
        assert_eq!(cx.name(), "submit");
        Ok(cluster.submit(&text).await?)
    })
    .await?;
    let mut polls = 0;
    let end = timeout(1d, async {
        let mut pause = 1s;
        while let unfinished @ (Job::Queued | Job::Running { .. }) = step!("poll", cluster.poll(job, polls)).await? {
            polls += 1;
            if matches!(unfinished, Job::Running { percent } if percent > 50) {
                pause = 1s;
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(60));
        }
        step!("poll the end", cluster.poll(job, polls)).await
    })
    .await;
    let Ok(end) = end else {
        step!("cancel", cluster.cancel(job)).await?;
        return Err("it took longer than a day".into());
    };
    match end? {
        Job::Done { rows } => Ok(rows),
        Job::Failed { reason } => Err(reason.into()),
        other @ (Job::Queued | Job::Running { .. }) => Err(format!("it went on: {other:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends() {
        assert_eq!(query::test("select 1".to_owned()).resource(Cluster).run().result, Ok(8));
        assert!(query::test("select 1 or 2".to_owned()).resource(Cluster).run().result.is_err());
    }

    #[test]
    fn it_never_ends() {
        let report =
            query::test("select 1".to_owned()).resource(Cluster).step("poll", Ok(Job::Running { percent: 1 })).run();
        assert!(report.step("cancel").is_some());
    }
}
