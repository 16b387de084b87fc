//! Hash maps and sets that are only looked into, which needs no order: built, filled, counted, asked.

use crate::remote;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use workflow::prelude::*;

async fn price_list(region: &str) -> io::Result<HashMap<String, u64>> {
    let factor = region.len() as u64;
    remote::answer(HashMap::from([("mug".to_owned(), 4 * factor), ("tea".to_owned(), factor)])).await
}

/// What a basket costs, each article looked up once.
#[workflow]
async fn price(basket: Vec<String>, excluded: HashSet<String>, region: String) -> workflow::Result<Option<u64>> {
    let prices = step!("price list", price_list(&region)).await?;
    let mut counts: HashMap<&str, u64> = HashMap::with_capacity(basket.len());
    let mut seen = HashSet::new();
    for article in &basket {
        if excluded.contains(article) {
            continue;
        }
        *counts.entry(article).or_default() += 1;
        if !seen.insert(article.as_str()) && counts[article.as_str()] > 10 {
            return Ok(None);
        }
    }
    let mut cheapest = HashMap::new();
    let mut total = 0;
    for article in basket.iter().filter(|article| counts.contains_key(article.as_str())) {
        let Some(price) = prices.get(article) else { return Ok(None) };
        match cheapest.entry(article.len()) {
            Entry::Occupied(entry) => total += u64::min(*price, *entry.get()),
            Entry::Vacant(entry) => total += *entry.insert(*price),
        }
    }
    counts.retain(|_, count| *count > 1);
    let discount = u64::from(!counts.is_empty());
    let most: u64 = counts.values().copied().max().unwrap_or_default();
    assert!(counts.values().all(|count| *count <= most) && counts.len() <= basket.len());
    counts.clear();
    Ok(total.checked_sub(discount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basket_is_priced() {
        let basket = ["mug", "tea", "tea", "cup"].map(str::to_owned).to_vec();
        let report = price::test(basket, HashSet::from(["cup".to_owned()]), "eu".to_owned()).run();
        assert_eq!(report.result, Ok(Some(8 + 2 + 2 - 1)));
    }
}
