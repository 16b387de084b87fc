//! Holds what was told against what there is in the end. Pure: it asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use super::crew::Ends;
use super::work::{EVENTS, FIRST, place_of_event};
use super::{Receipt, Told};

/// Something that was done to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What, for people.
    pub what: String,
    /// When it was over: what was told after that is none of its.
    pub at_us: u64,
    /// What was told before this must be kept: nothing, for 0; everything, for [`u64::MAX`].
    pub safe_us: u64,
}

/// What one fault took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loss {
    /// Receipts that it could have taken: those since the fault before.
    pub told: usize,
    /// Receipts of them that nothing is left of.
    pub lost: usize,
    /// How long before the fault the oldest of those was told; 0 without one.
    pub oldest_us: u64,
    /// How long after it the newest of them was told.
    pub span_us: u64,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// What each fault took, in their order.
    pub losses: Vec<Loss>,
    /// What must not be, in words.
    pub broken: Vec<String>,
}

/// How long a process takes at most from an answer to its receipt, on a machine that does much else.
const LATE_US: u64 = 500_000;
/// Most complaints: more tell nothing more.
const COMPLAINTS_MAX: usize = 20;

/// Compares.
///
/// `faults` are in the order of time. A store loses the newest writes or none, so that nothing is kept which was asked for
/// after something was told that is lost.
#[must_use]
pub fn audit(receipts: &[Receipt], ends: &Ends, faults: &[Fault]) -> Audit {
    let mut audit = Audit { losses: vec![Loss::default(); faults.len()], broken: Vec::new() };
    let mut stale = BTreeSet::new();
    let mut lost: BTreeMap<usize, Vec<&Receipt>> = BTreeMap::new();
    let mut kept: Vec<(usize, &Receipt)> = Vec::new();
    for receipt in receipts {
        let fault = faults.iter().position(|fault| is_of(receipt, fault));
        if let Some(fault) = fault {
            audit.losses[fault].told += 1;
        }
        if is_kept(receipt, ends) {
            kept.extend(fault.map(|fault| (fault, receipt)));
        } else if let Some(fault) = faults.iter().position(|fault| takes(fault, receipt)) {
            lost.entry(fault).or_default().push(receipt);
        } else if !begins_after_a_fault(receipt, faults, &mut stale) {
            let why = fault.map_or("lost without a fault", |_| "it was safe and is lost");
            audit.complain(format!("{why}: {receipt:?}, {:?}", ends.get(&receipt.id)));
        }
        if let Told::Odd(what) = &receipt.told {
            audit.complain(format!("{}: {what}", receipt.id));
        }
    }
    for (index, lost) in &lost {
        let fault = &faults[*index];
        audit.losses[*index].lost = lost.len();
        eprintln!("{}: {} receipts are lost, as {:?}", fault.what, lost.len(), lost[0]);
        let first = lost.iter().min_by_key(|receipt| receipt.told_us).expect("a list that was made has an item");
        audit.losses[*index].oldest_us = fault.at_us.saturating_sub(first.told_us);
        let newest_us = lost.iter().map(|receipt| receipt.told_us).max().unwrap_or_default();
        audit.losses[*index].span_us = newest_us - first.told_us;
        // What was told after the fault was done after it.
        let newer = kept.iter().filter(|(of, kept)| of == index && is_a_request(kept) && kept.told_us <= fault.at_us);
        for (_, kept) in newer.filter(|(_, kept)| kept.asked_us > first.told_us) {
            audit.complain(format!("{}: {kept:?} is kept and {first:?}, which is older, is lost", fault.what));
        }
    }
    for (id, lines) in ends {
        let wrong = lines.len() != 2 * EVENTS + 1 || lines.iter().collect::<BTreeSet<_>>().len() < EVENTS + 2;
        if wrong {
            audit.complain(format!("{id} came to {lines:?}"));
        }
    }
    audit
}

impl Audit {
    fn complain(&mut self, what: String) {
        if self.broken.len() < COMPLAINTS_MAX {
            self.broken.push(what);
        }
    }

    /// All that was lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.losses.iter().map(|loss| loss.lost).sum()
    }
}

/// Whether the fault could have taken it. A process that had its answer when the fault came may write it down after that.
const fn is_of(receipt: &Receipt, fault: &Fault) -> bool {
    let late = receipt.asked_us <= fault.at_us && receipt.told_us <= fault.at_us + LATE_US;
    receipt.told_us <= fault.at_us || late
}

/// Whether the fault may have taken it.
const fn takes(fault: &Fault, receipt: &Receipt) -> bool {
    is_of(receipt, fault) && receipt.told_us >= fault.safe_us
}

fn is_kept(receipt: &Receipt, ends: &Ends) -> bool {
    let Some(lines) = ends.get(&receipt.id) else { return false };
    match &receipt.told {
        Told::Created | Told::Odd(_) => true,
        Told::Accepted(number) => lines.get(place_of_event(*number)) == Some(&FIRST),
        Told::Recorded(before) => lines.starts_with(before),
        Told::Ended(with) => lines == with,
    }
}

/// Whether something was asked for and done, once: what is done again after a fault proves nothing.
const fn is_a_request(receipt: &Receipt) -> bool {
    matches!(receipt.told, Told::Created | Told::Accepted(_))
}

/// A worker that was told before the fault may begin what follows from that a moment after it, once for each instance: it
/// learns that it is lost when it writes.
fn begins_after_a_fault<'a>(
    receipt: &'a Receipt,
    faults: &[Fault],
    stale: &mut BTreeSet<(usize, u32, &'a str)>,
) -> bool {
    let before = faults.iter().rposition(|fault| fault.at_us < receipt.told_us);
    let Some(before) = before.filter(|before| faults[*before].safe_us < u64::MAX) else { return false };
    matches!(receipt.told, Told::Recorded(_)) && stale.insert((before, receipt.process, &receipt.id))
}

/// That the audit sees what it is for.
#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = 1 << 24;

    fn lines(events: [u64; 2]) -> Vec<u64> {
        vec![STEP, events[0], STEP + 1, events[1], STEP + 2]
    }

    /// Those who got an answer as the power went are no witnesses of another loss.
    #[test]
    fn a_receipt_that_was_written_late_is_of_the_fault_that_came_between() {
        let late = Receipt { told_us: 120, ..receipt(Told::Accepted(1), 90) };
        let audit = audit(&[late], &ends([FIRST, 2]), &[fault(100, 50), fault(1_000_000, 500_000)]);
        assert_eq!((audit.losses[0].lost, audit.broken), (1, vec![]));
    }

    fn receipt(told: Told, asked_us: u64) -> Receipt {
        Receipt { id: "a".to_owned(), told, process: 1, asked_us, told_us: asked_us + 1 }
    }

    fn fault(at_us: u64, safe_us: u64) -> Fault {
        Fault { what: "a cut".to_owned(), at_us, safe_us }
    }

    fn ends(events: [u64; 2]) -> Ends {
        Ends::from([("a".to_owned(), lines(events))])
    }

    fn told() -> Vec<Receipt> {
        vec![
            receipt(Told::Created, 10),
            receipt(Told::Recorded(vec![]), 15),
            receipt(Told::Accepted(0), 20),
            receipt(Told::Accepted(1), 30),
            receipt(Told::Recorded(vec![STEP, FIRST]), 40),
            receipt(Told::Ended(lines([FIRST, FIRST])), 50),
        ]
    }

    #[test]
    fn what_is_there_is_kept() {
        let audit = audit(&told(), &ends([FIRST, FIRST]), &[fault(100, u64::MAX)]);
        assert_eq!(audit, Audit { losses: vec![Loss { told: 6, ..Loss::default() }], broken: vec![] });
    }

    #[test]
    fn what_is_not_is_lost_and_its_age_is_told() {
        let audit = audit(&told(), &ends([FIRST, 2]), &[fault(100, 25)]);
        // The second event, and the end with it.
        assert_eq!(
            audit,
            Audit { losses: vec![Loss { told: 6, lost: 2, oldest_us: 69, span_us: 20 }], broken: vec![] }
        );
    }

    #[test]
    fn an_instance_that_is_gone_takes_all_that_was_told_of_it() {
        assert_eq!(audit(&told(), &Ends::new(), &[fault(100, 0)]).lost(), 6);
    }

    #[test]
    fn what_was_safe_may_not_be_lost() {
        let audit = audit(&told(), &ends([FIRST, 2]), &[fault(100, 40)]);
        assert!(matches!(&audit.broken[..], [broken] if broken.contains("safe and is lost")), "{:?}", audit.broken);
    }

    #[test]
    fn what_one_fault_leaves_a_later_one_may_take() {
        let audit = audit(&told(), &ends([FIRST, 2]), &[fault(60, u64::MAX), fault(100, 0)]);
        assert_eq!((audit.losses[0].lost, audit.losses[1].lost, audit.broken), (0, 2, vec![]));
    }

    #[test]
    fn what_is_older_may_not_be_lost_where_newer_is_kept() {
        let audit = audit(&told(), &ends([2, FIRST]), &[fault(100, 0)]);
        assert!(audit.broken.iter().any(|broken| broken.contains("which is older")), "{:?}", audit.broken);
    }

    #[test]
    fn what_was_done_again_after_the_fault_is_newer_and_proves_nothing() {
        let lost = receipt(Told::Accepted(1), 30);
        let again = Receipt { told_us: 110, ..receipt(Told::Accepted(0), 90) };
        let audit = audit(&[lost, again], &ends([FIRST, 2]), &[fault(100, 0)]);
        assert_eq!((audit.lost(), audit.broken), (1, vec![]));
    }

    #[test]
    fn nothing_is_lost_without_a_fault() {
        for faults in [vec![], vec![fault(15, 0)]] {
            let audit = audit(&told(), &ends([FIRST, 2]), &faults);
            assert!(audit.broken.iter().any(|broken| broken.contains("without a fault")), "{:?}", audit.broken);
        }
    }

    #[test]
    fn a_worker_may_begin_one_body_on_what_a_fault_has_taken() {
        let late = |at| receipt(Told::Recorded(vec![9, FIRST]), at);
        let once = audit(&[late(60)], &ends([FIRST, FIRST]), &[fault(50, 0)]);
        assert_eq!(once.broken, Vec::<String>::new());
        assert!(!audit(&[late(60), late(70)], &ends([FIRST, FIRST]), &[fault(50, 0)]).broken.is_empty());
        assert!(!audit(&[late(60)], &ends([FIRST, FIRST]), &[fault(50, u64::MAX)]).broken.is_empty());
    }

    #[test]
    fn an_end_that_no_ledger_has_is_told() {
        let one = Ends::from([("a".to_owned(), vec![STEP, FIRST, STEP, FIRST, STEP])]);
        assert!(!audit(&[], &one, &[]).broken.is_empty(), "one result thrice");
        let odd = audit(&[receipt(Told::Odd("why".to_owned()), 1)], &ends([1, 1]), &[]);
        assert_eq!(odd.broken, ["a: why"]);
    }
}
