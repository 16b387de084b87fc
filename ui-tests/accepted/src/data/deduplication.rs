//! Long pure code between two steps: nested functions, local types with impls, shadowing, slices and strings.

use crate::remote;
use std::collections::BTreeMap;
use std::io;
use workflow::prelude::*;

async fn contacts() -> io::Result<Vec<(String, String)>> {
    let contact = |name: &str, address: &str| (name.to_owned(), address.to_owned());
    remote::answer(vec![
        contact("Ada Lovelace", "ada@example.com"),
        contact("ada  lovelace", "ADA@example.com "),
        contact("Grace Hopper", "grace@example.com"),
    ])
    .await
}

async fn merge(kept: &str, others: &[String]) -> io::Result<usize> {
    remote::answer(kept.len() + others.len()).await
}

/// Finds contacts that are there twice.
#[workflow]
async fn deduplicate() -> workflow::Result<Vec<usize>> {
    /// How contacts are compared.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
    struct Fingerprint {
        words: Vec<String>,
        address: String,
    }

    impl Fingerprint {
        fn of(name: &str, address: &str) -> Self {
            fn clean(text: &str) -> String {
                text.trim().to_lowercase()
            }
            let words = name.split_whitespace().map(clean).collect();
            Self { words, address: clean(address) }
        }

        fn initials(&self) -> impl Iterator<Item = char> {
            self.words.iter().filter_map(|word| word.chars().next())
        }
    }

    enum Size {
        Single,
        Several(usize),
    }

    const MOST: usize = 10;

    let contacts = step!("contacts", contacts()).await?;
    let mut found: BTreeMap<Fingerprint, Vec<String>> = BTreeMap::new();
    for (name, address) in contacts {
        let fingerprint = Fingerprint::of(&name, &address);
        found.entry(fingerprint).or_default().push(name);
    }
    let mut merged = vec![];
    for (fingerprint, names) in &found {
        let size = match names.len() {
            0 | 1 => Size::Single,
            many => Size::Several(many.min(MOST)),
        };
        let Size::Several(2..) = size else { continue };
        let [kept, others @ ..] = names.as_slice() else { continue };
        let key: String = fingerprint.initials().collect();
        merged.push(step!("merge", key = key, merge(kept, others)).await?);
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_there_twice() {
        assert_eq!(deduplicate::test().run().result, Ok(vec![13]));
    }
}
