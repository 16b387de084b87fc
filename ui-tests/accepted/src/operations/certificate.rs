//! A renewal that lives for years: `sleep_until` computed from the recorded time, and a version of the workflow's code.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, SystemTime};
use workflow::prelude::*;

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Certificate {
    serial: u64,
    not_after: SystemTime,
}

#[derive(Debug, Event, Serialize, Deserialize)]
struct Revoked {
    serial: u64,
}

async fn issue(domain: &str, now: SystemTime, days: u32) -> io::Result<Certificate> {
    remote::answer(Certificate { serial: domain.len() as u64, not_after: now + DAY * days }).await
}

/// Keeps a domain's certificate fresh, this many times.
#[workflow(name = "tls.certificate", version = 4)]
async fn certificate(domain: String, renewals: u32) -> workflow::Result<Vec<u64>> {
    let mut serials = Vec::new();
    for _ in 0..renewals {
        let days = if changed("short-lived certificates").await { 47 } else { 90 };
        let today = now().await;
        let certificate = step!("issue", retries = 50, delay = 1h, jitter = 0.5, issue(&domain, today, days)).await?;
        serials.push(certificate.serial);
        let renew_at = certificate.not_after.checked_sub(DAY * 10).unwrap_or(today);
        race! {
            () = sleep_until(renew_at) => {}
            Revoked { serial } = wait_for("revoked") => serials.retain(|known| *known != serial),
        }
        .await;
    }
    Ok(serials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_renewed() {
        let report = certificate::test("a.example".to_owned(), 3).event(Revoked { serial: 9 }).run();
        assert_eq!(report.result, Ok(vec![9, 9]));
    }
}
