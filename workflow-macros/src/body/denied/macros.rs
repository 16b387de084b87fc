//! Macros that a workflow's own code must not use.

use super::table::Reason;
use crate::body::Walker;
use crate::body::operations::written;
use proc_macro2::{TokenStream, TokenTree};
use syn::Macro;

/// Macros of async libraries that poll what they are given by themselves.
const FOREIGN_MACROS: &[(&str, &str)] =
    &[("select", "race"), ("select_biased", "race"), ("join", "join"), ("try_join", "try_join")];

/// The libraries of those whose macros may have the names of ours.
const ASYNC_LIBRARIES: &[&str] = &["tokio", "futures", "futures_util", "futures_lite", "smol"];

/// Macros that make an id.
const ID_MACROS: &[&str] = &["nanoid"];

impl Walker<'_> {
    /// Reports a macro that is refused, and says whether it was.
    pub(in crate::body) fn refuse_macro(&mut self, mac: &mut Macro) -> bool {
        let words = self.aliases.resolve(&mac.path);
        if let Some(ours) = polls_by_itself(&words, &mac.tokens) {
            self.errors.push_losing_body(syn::Error::new_spanned(
                &mac.path,
                format!(
                    "`{}!` polls in an order that a replay cannot repeat\nuse `workflow::{ours}!`",
                    written(&mac.path)
                ),
            ));
            return true;
        }
        if !self.allowed && words.last().is_some_and(|last| ID_MACROS.iter().any(|name| last == name)) {
            self.refuse(&mac.path, &format!("{}!", written(&mac.path)), Reason::Id);
        }
        false
    }
}

/// Which of our macros takes the place of this one.
fn polls_by_itself(words: &[String], tokens: &TokenStream) -> Option<&'static str> {
    let name = match words {
        // A bare `select!` without arms may be the user's own.
        [name] if name.starts_with("select") && has_arms(tokens) => name,
        [library, .., name] if ASYNC_LIBRARIES.iter().any(|known| library == known) => name,
        _ => return None,
    };
    FOREIGN_MACROS.iter().find(|(foreign, _)| name == foreign).map(|(_, ours)| *ours)
}

/// Whether `=>` stands among the tokens.
fn has_arms(tokens: &TokenStream) -> bool {
    let mut before_is_equals = false;
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Punct(punct) => {
            let is_arrow = before_is_equals && punct.as_char() == '>';
            before_is_equals = punct.as_char() == '=';
            is_arrow
        }
        _ => {
            before_is_equals = false;
            false
        }
    })
}
