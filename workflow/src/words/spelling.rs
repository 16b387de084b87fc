//! What somebody may have meant: the nearest of the names that are known.
//!
//! Never repeats what was written, so it can be asked about what may be a secret.

/// The known name that is nearest to what was written, if one is near: for "did you mean".
pub(crate) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    let scored = known.into_iter().map(|name| (distance(&written, &name.to_ascii_lowercase()), name));
    // A third of the name may be wrong, and at least one letter.
    let near = scored.filter(|(distance, name)| *distance <= (name.len() / 3).max(1));
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// How many letters must be added, dropped or changed to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    // Nothing near is much longer; what is, need not be compared.
    if one.len().abs_diff(other.len()) > other.len() {
        return usize::MAX;
    }
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (place, wanted) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *wanted);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_found_and_something_else_is_not() {
        let known = ["partitions", "synchronous", "ca", "mode"];
        assert_eq!(nearest("partition", known), Some("partitions"));
        assert_eq!(nearest("Synchronus", known), Some("synchronous"));
        assert_eq!(nearest("mod", known), Some("mode"));
        assert_eq!(nearest("cs", known), Some("ca"));
        assert_eq!(nearest("password", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
    }

    #[test]
    fn the_nearest_of_several_is_given() {
        assert_eq!(nearest("WORKFLOW_STOR", ["WORKFLOW_STICKY", "WORKFLOW_STORE"]), Some("WORKFLOW_STORE"));
    }
}
