//! Paths that a workflow's own code must not use: what they give differs in a replay.
//!
//! By path, so it is a courtesy: module-level renames, methods and helpers are seen by clippy with the `clippy.toml` that
//! comes with the crate, and the rest by the comparison that every replay makes. A path that is clearly the user's own,
//! such as `sim::Instant::now`, is never refused.

mod aliases;
mod macros;
mod table;

pub(super) use aliases::Aliases;

use super::Walker;
use super::operations::written;
use super::tokens::matters;
use quote::ToTokens;
use syn::{Expr, ExprCall, ExprMethodCall, Path};
use table::{
    FOREIGN_POLLS, HARMLESS, REFUSED, REFUSED_METHODS, REFUSED_SHORT, REFUSED_UNCALLED, REFUSED_VALUES, REFUSED_WORDS,
    Reason,
};

/// Why the path that these words make is refused, if it is.
fn reason(words: &[String]) -> Option<Reason> {
    let last = words.last()?;
    if HARMLESS.iter().any(|harmless| matches(harmless, words)) {
        return None;
    }
    let in_table = |table: &[(&str, Reason)]| table.iter().find(|(path, _)| matches(path, words)).map(|(_, why)| *why);
    let by_word = |table: &[(&str, Reason)]| table.iter().find(|(word, _)| last == word).map(|(_, why)| *why);
    let is_own = words.len() > 1 && is_own(words);
    in_table(REFUSED)
        .or_else(|| if words.len() == 2 { in_table(REFUSED_SHORT) } else { None })
        .or_else(|| if words.len() > 1 && !is_own { by_word(REFUSED_WORDS) } else { None })
        .or_else(|| if is_own { None } else { by_word(REFUSED_VALUES) })
}

/// Whether a pattern of the table means these words.
fn matches(pattern: &str, words: &[String]) -> bool {
    let mut words = words.iter();
    for part in pattern.split("::") {
        let word = words.next();
        match (part, word) {
            ("**", word) => return word.is_some(),
            ("*", Some(word)) if word.starts_with(char::is_lowercase) => {}
            (part, Some(word)) if part == word => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

/// Whether the path says itself that it is the user's own: from the crate, or through a module that no library of the
/// table has.
fn is_own(words: &[String]) -> bool {
    let first = words[0].as_str();
    if ["crate", "self", "super", "Self"].contains(&first) {
        return true;
    }
    let is_module = first.starts_with(char::is_lowercase);
    let is_known = |(path, _): &(&str, Reason)| path.split("::").next() == Some(first);
    is_module && !REFUSED.iter().any(is_known) && !REFUSED_SHORT.iter().any(is_known)
}

impl Walker<'_> {
    /// Reports a path that is refused outside of steps.
    pub(in crate::body) fn check_path(&mut self, path: &Path, called: bool) {
        if self.allowed {
            return;
        }
        let words = self.aliases.resolve(path);
        let uncalled = || {
            let known = REFUSED_UNCALLED.iter().find(|(known, _)| matches(known, &words));
            known.filter(|_| !called).map(|(_, reason)| *reason)
        };
        if let Some(reason) = reason(&words).or_else(uncalled) {
            self.refuse(path, &written(path), reason);
        }
    }

    /// Whether what is called was reported by its path.
    pub(in crate::body) fn is_refused(&self, called: &Expr) -> bool {
        matches!(called, Expr::Path(path) if reason(&self.aliases.resolve(&path.path)).is_some())
    }

    /// Reports a method whose name leaves no doubt.
    pub(in crate::body) fn check_method(&mut self, call: &ExprMethodCall) {
        let known = REFUSED_METHODS.iter().find(|(name, _)| call.method == name);
        if let Some((name, reason)) = known
            && !self.allowed
        {
            self.refuse(&call.method, &format!(".{name}()"), *reason);
        }
    }

    fn refuse(&mut self, tokens: impl ToTokens, what: &str, reason: Reason) {
        let (why, instead) = reason.says();
        let escape = if reason.is_work() {
            ""
        } else if instead.contains("`step!`") {
            ", or put `#[allow_nondeterminism]` on the statement if it cannot change the outcome"
        } else {
            ", move it into a `step!`, or put `#[allow_nondeterminism]` on the statement if it cannot change the outcome"
        };
        let error = syn::Error::new_spanned(tokens, format!("`{what}` {why}\n{instead}{escape}"));
        match reason {
            // What is spawned or received is no durable value either, and rustc would say so at its `.await`.
            Reason::Spawn | Reason::Channel => self.errors.push_losing_body(error),
            _ => self.errors.push_error(error),
        }
    }

    /// Reports another library's fn that would poll durable operations by itself, which by type would be many mistakes.
    pub(in crate::body) fn refuse_foreign_poll(&mut self, call: &ExprCall) -> bool {
        let Expr::Path(path) = &*call.func else { return false };
        let words = self.aliases.resolve(&path.path);
        let Some((why, ours)) = polls(&words) else { return false };
        if !matters(&call.args.to_token_stream()) {
            return false;
        }
        self.errors.push_losing_body(syn::Error::new_spanned(
            path,
            format!("`{}` {why}\nuse `workflow::{ours}`", written(&path.path)),
        ));
        true
    }

    /// `tokio::time::sleep(..).await`, for which a step would be the wrong advice.
    pub(in crate::body) fn refuse_awaited_timer(&mut self, call: &ExprCall) -> bool {
        let Expr::Path(path) = &*call.func else { return false };
        let is_timer = reason(&self.aliases.resolve(&path.path)) == Some(Reason::Timer);
        if is_timer && !self.allowed {
            self.check_path(&path.path, true);
            self.errors.lose_body();
        }
        is_timer && !self.allowed
    }
}

/// Why the fn cannot be given a durable operation, and what takes its place.
fn polls(words: &[String]) -> Option<(&'static str, &'static str)> {
    let (last, before) = words.split_last()?;
    if before.last().is_some_and(|module| module == "time") && last.starts_with("timeout") {
        return Some(("waits in memory and cannot wait for a durable operation", "timeout(..)"));
    }
    let is_library = before.first().is_some_and(|first| first.starts_with("futures"));
    let ours = FOREIGN_POLLS.iter().find(|(name, _)| last == name && is_library)?.1;
    Some(("polls what is no future: a durable operation is awaited by the workflow alone", ours))
}

#[cfg(test)]
mod tests {
    use super::{Aliases, reason};
    use syn::{Path, parse_quote};

    fn refused(path: &Path) -> bool {
        reason(&Aliases::default().resolve(path)).is_some()
    }

    #[test]
    fn known_paths_are_refused() {
        assert!(refused(&parse_quote!(std::time::Instant::now)));
        assert!(refused(&parse_quote!(::core::time::Instant::now)));
        assert!(refused(&parse_quote!(chrono::Utc::now)));
        assert!(refused(&parse_quote!(rand::random::<u64>)));
        assert!(refused(&parse_quote!(std::fs::read_to_string)));
        assert!(refused(&parse_quote!(tokio::spawn)));
        assert!(refused(&parse_quote!(tokio::fs::File::open)));
        assert!(refused(&parse_quote!(fastrand::u64)));
        assert!(refused(&parse_quote!(rand::rngs::OsRng)));
    }

    #[test]
    fn words_that_leave_no_doubt_are_refused_whatever_stands_before_them() {
        assert!(refused(&parse_quote!(Handle::block_on)));
        assert!(refused(&parse_quote!(StdRng::from_os_rng)));
        assert!(refused(&parse_quote!(OsRng)));
    }

    #[test]
    fn paths_of_the_user_are_not() {
        assert!(!refused(&parse_quote!(sim::Instant::now)));
        assert!(!refused(&parse_quote!(crate::env::var)));
        assert!(!refused(&parse_quote!(std::net::Ipv4Addr::new)));
        assert!(!refused(&parse_quote!(tokio::time::Duration::from_secs)));
        assert!(!refused(&parse_quote!(now)));
        assert!(!refused(&parse_quote!(self::rand::random)));
        assert!(!refused(&parse_quote!(sim::StdRng::from_entropy)));
        assert!(!refused(&parse_quote!(Instant::now)));
        assert!(!refused(&parse_quote!(Command::new)));
        assert!(!refused(&parse_quote!(fastrand::Rng::with_seed)));
        assert!(!refused(&parse_quote!(std::env::join_paths)));
    }
}
