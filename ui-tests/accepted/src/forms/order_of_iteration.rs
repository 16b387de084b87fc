//! Iteration that is as it was before, and unordered ones whose order is forgotten.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use workflow::prelude::*;

#[workflow]
async fn order(stock: HashMap<String, u64>, mut names: Vec<String>) -> u64 {
    let mut sum: u64 = stock.values().sum();
    sum += stock.keys().filter(|name| name.len() > 2).count() as u64;
    for (name, count) in stock.iter().collect::<BTreeMap<_, _>>() {
        sum += count + name.len() as u64;
    }
    #[allow_nondeterminism]
    for count in stock.values() {
        sum += count;
    }
    for name in &mut names {
        name.push('x');
    }
    for name in &names {
        sum += name.len() as u64;
    }
    for (index, name) in names.iter().enumerate() {
        sum += (index * name.len()) as u64;
    }
    for i in 0..3 {
        sum += i;
    }
    let mut collected = Vec::new();
    collected.extend(names.into_iter().map(|name| name.len()));
    for length in collected {
        sum += length as u64;
    }
    for step in each(vec![1_u64, 2].into_iter().chain([3])).await {
        sum += step;
    }
    sum
}

#[part]
async fn each(all: impl Iterator<Item = u64> + Send) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    for one in all {
        sleep(1s).await;
        seen.insert(one);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs() {
        let stock = HashMap::from([("mug".to_owned(), 1), ("tea".to_owned(), 2)]);
        assert_eq!(order::test(stock, vec!["a".to_owned(), "b".to_owned()]).run().result, Ok(36));
    }
}
