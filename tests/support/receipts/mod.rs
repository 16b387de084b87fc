//! What clients and workers were told is done, written down outside of the store, and what is left of it after a fault.
//!
//! [`work`] is the workflow and the processes that press on with it, [`crew`] starts and kills them, [`audit`] holds what
//! they wrote down against what the store has in the end. A receipt is written after the answer came: what it tells of was
//! acknowledged.

pub mod audit;
pub mod crew;
pub mod pair;
pub mod stand;
pub mod work;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// What was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An instance was created.
    Created,
    /// An event was accepted: the wait that it is for.
    Accepted(usize),
    /// A body begins, so that these results and events before it are recorded.
    Recorded(Vec<u64>),
    /// The instance has ended with this.
    Ended(Vec<u64>),
    /// Something came that nobody can explain: what.
    Odd(String),
}

/// One thing that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The instance.
    pub id: String,
    /// What was.
    pub told: Told,
    /// The process that was told.
    pub process: u32,
    /// When it was asked for, in microseconds of the system's clock. For what nobody asked for: when it was written down.
    pub asked_us: u64,
    /// When it was written down.
    pub told_us: u64,
}

/// The system's clock: the only one that all processes of a test share.
#[must_use]
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Receipt {
    pub(crate) fn line(&self) -> String {
        let numbers = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let (kind, detail) = match &self.told {
            Told::Created => ("created", String::new()),
            Told::Accepted(number) => ("accepted", number.to_string()),
            Told::Recorded(lines) => ("recorded", numbers(lines)),
            Told::Ended(lines) => ("ended", numbers(lines)),
            Told::Odd(what) => ("odd", what.replace(['\t', '\n'], " ")),
        };
        format!("{kind}\t{}\t{detail}\t{}\t{}\t{}\n", self.id, self.process, self.asked_us, self.told_us)
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, id, detail, process, asked_us, told_us] = fields[..] else { return None };
        let numbers = || detail.split(',').filter(|part| !part.is_empty()).map(str::parse).collect::<Result<_, _>>();
        let told = match kind {
            "created" => Told::Created,
            "accepted" => Told::Accepted(detail.parse().ok()?),
            "recorded" => Told::Recorded(numbers().ok()?),
            "ended" => Told::Ended(numbers().ok()?),
            "odd" => Told::Odd(detail.to_owned()),
            _ => return None,
        };
        let (asked_us, told_us) = (asked_us.parse().ok()?, told_us.parse().ok()?);
        Some(Self { id: id.to_owned(), told, process: process.parse().ok()?, asked_us, told_us })
    }
}

/// Reads a file of receipts; one that is not there has none.
///
/// # Panics
/// When a line is not one.
#[must_use]
pub fn read(file: &Path) -> Vec<Receipt> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| Receipt::parse(line).unwrap_or_else(|| panic!("not a receipt: {line:?}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_as_it_was_written() {
        for told in [
            Told::Created,
            Told::Accepted(1),
            Told::Recorded(vec![]),
            Told::Recorded(vec![7, 1, u64::MAX]),
            Told::Ended(vec![3]),
            Told::Odd("a line\twith tabs".to_owned()),
        ] {
            let receipt = Receipt { id: "a-1".to_owned(), told, process: 3, asked_us: 4, told_us: 5 };
            let read = Receipt::parse(receipt.line().trim_end_matches('\n')).expect("it is one");
            let expected = match receipt.told {
                Told::Odd(_) => Told::Odd("a line with tabs".to_owned()),
                told => told,
            };
            assert_eq!(read, Receipt { told: expected, ..read.clone() });
        }
        assert_eq!(Receipt::parse("created\tid"), None);
    }
}
