//! What a name may be, and where each name of a scope was first used.
//!
//! A name is an operation's identity in the journal and on screens, so it is a literal, it is readable, and within one
//! scope it is one place in the source. The runtime checks the same again: the macro cannot see through other macros.

use crate::errors::{Errors, place};
use proc_macro2::Span;
use std::collections::HashMap;
use syn::LitStr;

/// The longest name in bytes.
const LONGEST: usize = 256;

/// What an operation is called in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Step,
    Group,
    Wait,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Group => "group",
            Self::Wait => "wait",
        }
    }
}

/// Why `name` cannot be the name of a `what`, if it cannot.
fn problem(name: &str, what: &str) -> Option<String> {
    let what = if what.starts_with(['a', 'e', 'i', 'o']) { format!("an {what}") } else { format!("a {what}") };
    if name.trim().is_empty() {
        return Some(format!("the name of {what} is empty: say in a few words what it does"));
    }
    if name.len() > LONGEST {
        return Some(format!("the name of {what} is {} bytes long, more than {LONGEST}", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Some(format!("the name of {what} holds a control character: write it on one line, without escapes"));
    }
    if name.contains(['{', '}']) {
        return Some(format!(
            "the name of {what} is not a format string: keep it constant, and tell occurrences apart with a key"
        ));
    }
    None
}

/// Reports what is wrong with the name itself.
pub(crate) fn check(name: &LitStr, what: &str, errors: &mut Errors) {
    if let Some(problem) = problem(&name.value(), what) {
        errors.push(name, problem);
    }
}

/// The names used so far: one table for the function and one for each group that encloses the current place.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    open: Vec<HashMap<String, (Kind, Span)>>,
}

impl Scopes {
    /// The scope of a function.
    pub(crate) fn new() -> Self {
        Self { open: vec![HashMap::new()] }
    }

    /// Enters the scope of a group.
    pub(crate) fn enter(&mut self) {
        self.open.push(HashMap::new());
    }

    /// Leaves the scope of a group.
    pub(crate) fn leave(&mut self) {
        self.open.pop();
    }

    /// Notes the name; a second place with the same name is a mistake, reported there, naming the first.
    ///
    /// Also in branches that exclude each other: code moved out of one would otherwise clash silently.
    pub(crate) fn declare(&mut self, kind: Kind, name: &LitStr, errors: &mut Errors) {
        let scope = self.open.last_mut().expect("a walk keeps the scope of its function open");
        match scope.get(&name.value()) {
            None => {
                scope.insert(name.value(), (kind, name.span()));
            }
            Some((first, span)) => errors.push(name, duplicate(kind, *first, &name.value(), place(*span))),
        }
    }
}

fn duplicate(kind: Kind, first: Kind, name: &str, place: Option<String>) -> String {
    let clash = if kind == first {
        format!("two {}s are named `{name}`", kind.word())
    } else {
        format!("this {} and a {} are both named `{name}`", kind.word(), first.word())
    };
    let place = place.map(|place| format!("; the first is at {place}")).unwrap_or_default();
    format!("{clash}{place}\na name is its identity in the journal, one place in the source: rename one")
}

#[cfg(test)]
mod tests {
    use super::{Kind, Scopes, problem};
    use crate::errors::Errors;
    use proc_macro2::Span;
    use syn::LitStr;

    #[test]
    fn names_are_short_readable_and_constant() {
        assert_eq!(problem("fetch user", "step"), None);
        assert_eq!(problem(&"x".repeat(256), "step"), None);
        for bad in ["", "  ", "a\nb", "a\u{7}", "item {sku}", "}"] {
            assert!(problem(bad, "step").is_some(), "{bad:?}");
        }
        assert!(problem(&"x".repeat(257), "step").is_some());
    }

    #[test]
    fn a_group_is_a_scope_of_its_own() {
        let name = LitStr::new("a", Span::call_site());
        let mut errors = Errors::new();
        let mut scopes = Scopes::new();
        scopes.declare(Kind::Step, &name, &mut errors);
        scopes.enter();
        scopes.declare(Kind::Step, &name, &mut errors);
        scopes.leave();
        assert_eq!(errors.len(), 0);
        scopes.declare(Kind::Wait, &name, &mut errors);
        let message = errors.into_result().expect_err("the name is taken").to_string();
        assert!(message.starts_with("this wait and a step are both named `a`"), "{message}");
    }
}
