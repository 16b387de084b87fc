//! Collections with an order, iterated over in every way; and hash maps that are given one first.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::io;
use workflow::prelude::*;

use crate::remote;

async fn refresh(shard: &str, level: u32) -> io::Result<u32> {
    remote::answer(level + u32::from(!shard.is_empty())).await
}

/// Goes over shards, each in its turn.
#[workflow]
async fn refresh_all(levels: HashMap<String, u32>, skipped: HashSet<String>) -> workflow::Result<Vec<u32>> {
    let skipped = skipped.into_iter().collect::<BTreeSet<_>>();
    let ordered = levels.iter().map(|(shard, level)| (shard.as_str(), *level)).collect::<BTreeMap<_, _>>();
    let mut refreshed = Vec::new();
    for (shard, level) in &ordered {
        if skipped.contains(*shard) {
            continue;
        }
        refreshed.push(step!("refresh", key = shard, refresh(shard, *level)).await?);
    }
    for (shard, level) in ordered.range("b"..) {
        refreshed.push(step!("refresh again", key = shard, refresh(shard, *level)).await?);
    }
    let mut queue: VecDeque<_> = ordered.into_keys().collect();
    while let Some(shard) = queue.pop_front() {
        let level = step!("refresh in turn", refresh(shard, 0)).await?;
        if level > 5 {
            queue.push_back(shard);
        }
    }
    let mut heap: BinaryHeap<u32> = refreshed.drain(..).collect();
    while let Some(highest) = heap.pop() {
        refreshed.push(highest);
    }
    refreshed.iter_mut().for_each(|level| *level += 1);
    for pair in refreshed.windows(2) {
        assert!(pair[0] >= pair[1]);
    }
    Ok(refreshed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_refreshed_in_order() {
        let levels = HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2), ("c".to_owned(), 3)]);
        let report = refresh_all::test(levels, HashSet::from(["a".to_owned()])).run();
        assert_eq!(report.result, Ok(vec![5, 5, 4, 4]));
    }
}
