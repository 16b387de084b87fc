//! What is accepted with a warning: it works, and is seldom what is meant.
//!
//! On stable Rust a macro can word a warning only by the use of something deprecated, so that is what each becomes, at the
//! user's own token. `#[allow(deprecated)]` on the function silences them, and so does what each of them proposes.

use super::Walker;
use super::operations::written;
use crate::name::Kind;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, Block, Expr, ExprMethodCall, Macro, Stmt};

/// Macros that write to the terminal.
const PRINTS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];
/// Macros that write to a log; bare ones only when they hold a text.
const LOGS: &[&str] = &["trace", "debug", "info", "warn", "error", "event", "log"];
/// The crates of those.
const LOGGERS: &[&str] = &["tracing", "log", "slog", "defmt"];
/// Methods that call their closure for each item.
const EACH: &[&str] =
    &["map", "for_each", "flat_map", "filter_map", "try_for_each", "map_while", "inspect", "scan", "fold", "try_fold"];

/// Attributes that say what becomes of a warning.
const LEVELS: &[&str] = &["allow", "warn", "deny", "forbid"];

/// The warnings of one body, in the order of the source.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<Warning>);

#[derive(Debug)]
struct Warning {
    /// What rustc names in the message.
    name: &'static str,
    span: Span,
    note: String,
}

impl Warnings {
    fn push(&mut self, name: &'static str, span: Span, note: String) {
        self.0.push(Warning { name, span, note });
    }

    /// Items that do nothing but warn, under the lint levels that `attributes` set.
    pub(crate) fn into_items(self, attributes: &[Attribute]) -> TokenStream {
        let levels = attributes.iter().filter(|attribute| LEVELS.iter().any(|level| attribute.path().is_ident(level)));
        let levels: Vec<_> = levels.collect();
        let items = self.0.into_iter().map(|Warning { name, span, note }| {
            // `mixed_site` keeps the name apart; the place is the user's.
            let name = Ident::new(name, Span::mixed_site().located_at(span));
            quote! {
                #(#levels)*
                const _: () = {
                    #[deprecated(note = #note)]
                    #[allow(non_upper_case_globals)]
                    const #name: () = ();
                    #name
                };
            }
        });
        items.collect()
    }
}

impl Walker<'_> {
    /// What a macro prints or logs, it prints or logs again in each replay.
    pub(super) fn warn_of_output(&mut self, mac: &Macro) {
        if self.allowed {
            return;
        }
        let words = self.aliases.resolve(&mac.path);
        let Some(last) = words.last() else { return };
        let is = |list: &[&str]| list.iter().any(|word| last == word);
        let prints = is(PRINTS) && (words.len() == 1 || words[0] == "std");
        let logs = match &words[..] {
            [_] => is(LOGS) && last != "log" && last != "event" && has_text(mac.tokens.clone()),
            [crate_, ..] => is(LOGS) && LOGGERS.iter().any(|logger| crate_ == logger),
            [] => false,
        };
        if prints || logs {
            let (what, name) =
                if prints { ("prints", "this_prints_in_every_replay") } else { ("logs", "this_logs_in_every_replay") };
            let span = mac.path.segments.last().map_or_else(Span::call_site, |last| last.ident.span());
            let note = format!(
                "`{}!` {what} again in every replay; use `workflow::log!`, which is silent in a replay, or do it in a step",
                written(&mac.path)
            );
            self.warnings.push(name, span, note);
        }
    }

    /// A step of each item of a collection is told apart by what identifies the item, not by the order of the items.
    pub(super) fn warn_of_missing_key(&mut self, kind: Kind, has_key: bool, span: Span) {
        if !self.in_collection || has_key || self.allowed {
            return;
        }
        let word = kind.word();
        let note = format!(
            "this {word} runs for each item and is told apart by its position only, so a collection in another order \
             would get the results of other items; add `key = ..` with what identifies the item, or `key = _` if the \
             order never changes"
        );
        self.warnings.push("this_has_no_key", span, note);
    }

    /// Walks what is carried out for each item of a collection, where it is one.
    pub(super) fn for_each(&mut self, over_collection: bool, walk: impl FnOnce(&mut Self)) {
        let before = self.in_collection;
        self.in_collection |= over_collection;
        walk(self);
        self.in_collection = before;
    }
}

/// Whether the head of a `for` goes over a collection, and does not count.
pub(super) fn is_collection(items: &Expr) -> bool {
    !is_counted(items)
}

/// Whether a method carries its closure out for each item of a collection.
pub(super) fn goes_over_collection(call: &ExprMethodCall) -> bool {
    EACH.iter().any(|name| call.method == name) && !is_counted(&call.receiver) && is_iterator(&call.receiver)
}

/// Whether a block ends in a `return`.
pub(super) fn returns(block: &Block) -> bool {
    matches!(block.stmts.last(), Some(Stmt::Expr(Expr::Return(_), _)))
}

/// Whether the items are numbers that are counted, the same in every replay.
fn is_counted(items: &Expr) -> bool {
    match items {
        Expr::Range(_) => true,
        Expr::Paren(inner) => is_counted(&inner.expr),
        Expr::Group(inner) => is_counted(&inner.expr),
        Expr::Reference(inner) => is_counted(&inner.expr),
        Expr::MethodCall(call) => is_counted(&call.receiver),
        // An array that is written out has the order of the source.
        Expr::Array(_) => true,
        _ => false,
    }
}

/// Whether a chain of methods goes through a collection, and is not `option.map(..)`.
fn is_iterator(receiver: &Expr) -> bool {
    const STARTS: &[&str] =
        &["iter", "iter_mut", "into_iter", "keys", "values", "drain", "chunks", "windows", "lines", "split"];
    match receiver {
        Expr::MethodCall(call) => STARTS.iter().any(|name| call.method == name) || is_iterator(&call.receiver),
        Expr::Paren(inner) => is_iterator(&inner.expr),
        _ => false,
    }
}

/// Whether a text stands among the tokens, as in every call that logs.
fn has_text(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Literal(literal) => literal.to_string().starts_with(['"', 'r']),
        _ => false,
    })
}
