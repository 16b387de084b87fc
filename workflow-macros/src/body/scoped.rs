//! Which of the names in scope are marked: the innermost of a name counts.

use syn::Ident;

/// Names, innermost last, each with whether it is marked.
#[derive(Debug, Default)]
pub(super) struct Scoped(Vec<(String, bool)>);

impl Scoped {
    /// From now on the name is this one.
    pub(super) fn bind(&mut self, name: &Ident, marked: bool) {
        // What hides nothing and is not marked needs no place.
        if marked || self.0.iter().any(|(known, _)| name == known) {
            self.0.push((name.to_string(), marked));
        }
    }

    /// How many there are: what comes after them is forgotten by [`Self::forget`].
    pub(super) fn known(&self) -> usize {
        self.0.len()
    }

    pub(super) fn forget(&mut self, known: usize) {
        self.0.truncate(known);
    }

    pub(super) fn has(&self, name: &Ident) -> bool {
        self.0.iter().rev().find(|(known, _)| name == known).is_some_and(|(_, marked)| *marked)
    }

    /// All that are marked.
    pub(super) fn marked(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, marked)| *marked).map(|(name, _)| name.as_str())
    }
}
