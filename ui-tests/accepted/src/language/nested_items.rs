//! Items inside of a workflow: functions, types, impls, constants, traits, modules' imports, and another workflow.

use crate::remote;
use workflow::prelude::*;

/// Declares what it needs where it needs it.
#[workflow]
async fn declares(text: String) -> workflow::Result<usize> {
    use std::collections::BTreeMap as Map;
    use std::fmt;

    const LONGEST: usize = 4;
    static SEPARATORS: [char; 2] = [' ', '-'];

    type Counts<'a> = Map<&'a str, usize>;

    trait Shout {
        fn shout(&self) -> String;
    }

    impl Shout for str {
        fn shout(&self) -> String {
            self.to_uppercase()
        }
    }

    struct Word<'a>(&'a str);

    impl fmt::Display for Word<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0.shout())
        }
    }

    fn words(text: &str) -> impl Iterator<Item = &str> {
        text.split(|c| SEPARATORS.contains(&c)).filter(|word| !word.is_empty())
    }

    async fn look_up(word: &str) -> std::io::Result<usize> {
        remote::answer(word.len().min(LONGEST)).await
    }

    /// Counts one word.
    #[workflow]
    async fn count(word: String) -> workflow::Result<usize> {
        Ok(step!("look up", look_up(&word)).await?)
    }

    let mut counts = Counts::new();
    for word in words(&text) {
        *counts.entry(word).or_insert(0) += count(Word(word).to_string()).await?;
    }
    Ok(counts.into_values().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted() {
        assert_eq!(declares::test("the quick-brown the".to_owned()).run().result, Ok(3 + 4 + 4 + 3));
    }
}
