//! Whole journals: whatever is recorded, a run stands somewhere in the end, and stands there again the next time.

use workflow::__private::EncodedInputs;
use workflow::journal::machine::Stand;
use workflow::journal::record::Record;
use workflow::prelude::*;
use workflow::test_kit;
use workflow::words::time::Timestamp;

/// Most records that are replayed of one input.
const RECORDS_MAX: usize = 200;

/// Something of everything that is recorded.
#[workflow(name = "fuzzed")]
pub async fn fuzzed() -> workflow::Result<u64> {
    let first = step!("first", retries = 3, delay = 2s, async { Ok::<u64, Nothing>(1) }).await?;
    let wide = changed("wide").await;
    let early = wait_for_type::<u64>("early", "news").timeout(20s).await.unwrap_or(3);
    let mut sum = first + early + u64::from(wide);
    for number in 0..3_u64 {
        sum += step!("each", key = number, async { Ok::<u64, Nothing>(2) }).await?;
    }
    let packed = group!("pack", retries = 2, delay = 1s, timeout = 1h, {
        let boxes = step!("boxes", async { Ok::<u64, Nothing>(2) }).await?;
        let (one, other) = join!(step!("one", async { Ok::<u64, Nothing>(1) }), inner(boxes)).await;
        sleep(1s).await;
        Ok(one? + other?)
    })
    .await;
    sum += packed.unwrap_or(9);
    let raced = race! {
        () = sleep(10s) => 1_u64,
        value = step!("racer", async { Ok::<u64, Nothing>(5) }) => value.unwrap_or(6),
    }
    .await;
    let limited = timeout(5s, step!("limited", async { Ok::<u64, Nothing>(4) })).await;
    let child = fuzzed_child(raced).await.unwrap_or(0);
    let last = wait_for_type::<u64>("last", "news").key(sum).await;
    let chance: u64 = random().await;
    Ok(sum.wrapping_add(child).wrapping_add(last).wrapping_add(chance).wrapping_add(u64::from(limited.is_ok())))
}

/// Its child.
#[workflow(name = "fuzzed.child")]
pub async fn fuzzed_child(number: u64) -> u64 {
    number
}

#[part]
async fn inner(boxes: u64) -> workflow::Result<u64> {
    let mut filled = 0;
    for number in 0..boxes.min(5) {
        filled += step!("fill", key = number, async { Ok::<u64, Nothing>(1) }).await?;
    }
    Ok(filled)
}

/// An error that is not made.
#[derive(Debug, thiserror::Error)]
#[error("nothing")]
pub struct Nothing;

/// A journal: a byte that says how many edits follow, edits of three bytes each, then each record after its length in two
/// bytes. What is no record is left out.
pub fn journals(bytes: &[u8]) {
    let Some((edits, rest)) = bytes.split_first() else { return };
    let (edits, rest) = rest.split_at((usize::from(*edits % 16) * 3).min(rest.len()));
    let mut records: Vec<Record> = split(rest).iter().filter_map(|record| Record::decode(record).ok()).collect();
    records.truncate(RECORDS_MAX);
    edits.chunks_exact(3).for_each(|edit| change(&mut records, edit[0], edit[1], edit[2]));
    let stand = stand(&records, usize::MAX);
    assert_eq!(stand, self::stand(&records, usize::MAX), "the same journal was replayed to another end");
    if let Stand::Parked(reason) = &stand {
        assert!(!matches!(reason, workflow::PauseReason::Panic { .. }), "{reason:?}");
    }
    // The blocks of groups are entered, and each operation is one that could be restarted from.
    let _entered = self::stand(&records, 0);
    if let Some(record) = edits.first().and_then(|at| records.get(usize::from(*at) % records.len().max(1))) {
        let path = record.path.clone();
        let kept = test_kit::fork::<fuzzed>(EncodedInputs::new(), records.clone(), path).expect("there are no inputs");
        // Beside what was recorded it holds at most the pause since then.
        assert!(kept.map_or(0, |kept| kept.len()) <= records.len() + 1, "more is kept than there was");
    }
}

fn stand(records: &[Record], enter_from: usize) -> Stand {
    test_kit::replay::<fuzzed>(EncodedInputs::new(), records.to_vec(), enter_from).expect("there are no inputs")
}

fn change(records: &mut Vec<Record>, what: u8, one: u8, other: u8) {
    if records.is_empty() {
        return;
    }
    let (one, other) = (usize::from(one) % records.len(), usize::from(other) % records.len());
    match what % 8 {
        0 => records.swap(one, other),
        1 => drop(records.remove(one)),
        2 if records.len() < RECORDS_MAX => records.insert(other, records[one].clone()),
        3 => records[one].path = records[other].path.clone(),
        4 => records[one].entry = records[other].entry.clone(),
        5 => records[one].time = Timestamp::MAX,
        6 => records[one].time = Timestamp::from_millis(i64::MIN),
        _ => records.truncate(one + 1),
    }
}

fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut rest = bytes;
    let mut parts = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (part, after) = after.split_at(usize::from(u16::from_be_bytes(*length)).min(after.len()));
        parts.push(part);
        rest = after;
    }
    parts
}

/// A journal as [`journals`] reads it, without edits.
#[must_use]
pub fn join(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0];
    for record in records {
        bytes.extend(u16::try_from(record.len()).expect("a record of a seed is short").to_be_bytes());
        bytes.extend(record);
    }
    bytes
}
