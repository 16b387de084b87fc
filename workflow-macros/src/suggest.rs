//! "Did you mean": the nearest of a few valid words, and how lists of words are written.

/// The valid word nearest to `word`, when it is near enough to be what was meant.
pub(crate) fn nearest<'a>(word: &str, valid: &[&'a str]) -> Option<&'a str> {
    let (distance, best) = valid.iter().map(|candidate| (distance(word, candidate), *candidate)).min()?;
    let tolerance = (word.len().max(best.len()) / 3).max(1);
    (distance <= tolerance).then_some(best)
}

/// "unknown … `word`", with the nearest word and the whole list.
pub(crate) fn unknown(what: &str, word: &str, valid: &[&str]) -> String {
    let list = list(valid);
    match nearest(word, valid) {
        Some(best) => format!("unknown {what} `{word}`: did you mean `{best}`? valid are {list}"),
        None => format!("unknown {what} `{word}`: valid are {list}"),
    }
}

/// The words between backquotes, separated by commas.
pub(crate) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::{nearest, unknown};

    const VALID: &[&str] = &["key", "retries", "delay", "backoff", "max_delay"];

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        assert_eq!(nearest("retry", VALID), None);
        assert_eq!(nearest("retires", VALID), Some("retries"));
        assert_eq!(nearest("dealy", VALID), Some("delay"));
        assert_eq!(nearest("colour", VALID), None);
    }

    #[test]
    fn the_whole_list_is_named() {
        let message = unknown("option", "bakoff", VALID);
        assert_eq!(
            message,
            "unknown option `bakoff`: did you mean `backoff`? valid are `key`, `retries`, `delay`, `backoff`, `max_delay`"
        );
    }
}
