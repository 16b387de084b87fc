//! The rules about what a step's body may hold.

use super::captured::check_assignments;
use super::parse::Call;
use crate::errors::Errors;
use crate::name::Kind;
use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Expr, ExprAsync, ExprAwait, ExprClosure, Item, Stmt, parse_quote, spanned::Spanned};

/// Checks the body of a step; mistakes that rustc would repeat are disarmed.
pub(crate) fn check(call: &mut Call, changeable: &[String], errors: &mut Errors) {
    check_nested(call, errors);
    check_end(call.kind, &call.body, errors);
    check_closure(call, errors);
    check_await(call, errors);
    check_assignments(call.kind, &mut call.body, changeable, errors);
}

/// A durable operation in a step's body would run outside of the journal: it is what a group is for.
fn check_nested(call: &Call, errors: &mut Errors) {
    if let Some((word, place)) = durable_macro(call.body.to_token_stream()) {
        let message = if word == "race" {
            "a step's body holds no durable operation: race before the step, or make the outer step a `group!`"
                .to_owned()
        } else {
            format!(
                "a {word} inside a step is not recorded\nmake the outer step a `group!(\"{}\", {{ .. }})`, which takes the \
                 same options and may hold steps",
                call.name.value()
            )
        };
        errors.push_losing_body(syn::Error::new(place, message));
    }
}

/// A block gives its result at its end; rustc would speak of types that nobody wrote.
pub(crate) fn check_end(kind: Kind, body: &Expr, errors: &mut Errors) {
    let block = match body {
        Expr::Block(block) => &block.block,
        Expr::Closure(closure) => return check_end(kind, &closure.body, errors),
        _ => return,
    };
    let gives_nothing = match block.stmts.last() {
        None | Some(Stmt::Local(_)) => true,
        Some(Stmt::Expr(Expr::Await(_) | Expr::Try(_) | Expr::Assign(_), semicolon)) => semicolon.is_some(),
        Some(Stmt::Expr(Expr::ForLoop(_) | Expr::While(_), _)) => true,
        _ => false,
    };
    if gives_nothing {
        let word = kind.word();
        let end = block.brace_token.span.close();
        errors.push_losing_body(syn::Error::new(
            end,
            format!("the block of a {word} ends in its result: write `Ok(())` before the brace if there is none"),
        ));
    }
}

/// The first `step!`, `group!` or `race!` of the tokens, at any depth.
fn durable_macro(tokens: TokenStream) -> Option<(&'static str, proc_macro2::Span)> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Ident(ident) => {
                let word = ["step", "group", "race"].into_iter().find(|word| ident == word);
                if let (Some(word), Some(TokenTree::Punct(bang)), Some(TokenTree::Group(_))) =
                    (word, trees.get(index + 1), trees.get(index + 2))
                    && bang.as_char() == '!'
                    && bang.spacing() == Spacing::Alone
                {
                    return Some((word, ident.span()));
                }
            }
            TokenTree::Group(group) => {
                if let Some(found) = durable_macro(group.stream()) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// A closure takes the step's context and makes a future; an async closure cannot promise that its future is `Send`.
fn check_closure(call: &mut Call, errors: &mut Errors) {
    let Expr::Closure(closure) = &mut call.body else { return };
    if let Some(asyncness) = closure.asyncness.take() {
        errors.push(asyncness, "a step's body cannot be an async closure: write `|cx| async { .. }` or `|cx| { .. }`");
        let body = &closure.body;
        closure.body = parse_quote!(async { #body });
    }
    if closure.inputs.len() != 1 {
        errors.push_losing_body(syn::Error::new_spanned(
            closure.inputs_begin,
            "a step's closure takes one argument, the step's context: `|cx| ..`, or leave the closure out",
        ));
    }
}

/// A body is evaluated for each attempt and must itself be the future; awaited, it would be its result.
fn check_await(call: &mut Call, errors: &mut Errors) {
    if call.kind != Kind::Step || matches!(call.body, Expr::Block(_)) {
        return;
    }
    let mut found = TopLevelAwait::default();
    match &call.body {
        Expr::Closure(closure) if matches!(*closure.body, Expr::Block(_)) => return,
        Expr::Closure(closure) => found.visit_expr(&closure.body),
        body => found.visit_expr(body),
    }
    let Some(place) = found.place else { return };
    if disarm(&mut call.body) {
        errors.push_at(place, "a step's body is the future itself: leave out the `.await`");
    } else {
        let message =
            "a step's body is one future: to await inside of it write a block, `{ .. }`, that ends in `Ok(..)`";
        errors.push_losing_body(syn::Error::new(place, message));
    }
}

/// Takes the `.await` away where it is the body's end.
fn disarm(body: &mut Expr) -> bool {
    match body {
        Expr::Closure(closure) => disarm(&mut closure.body),
        Expr::Await(awaited) if !has_await(&awaited.base) => {
            *body = (*awaited.base).clone();
            true
        }
        _ => false,
    }
}

fn has_await(body: &Expr) -> bool {
    let mut found = TopLevelAwait::default();
    found.visit_expr(body);
    found.place.is_some()
}

/// Finds an `.await` that is not inside of an async block.
#[derive(Default)]
struct TopLevelAwait {
    place: Option<proc_macro2::Span>,
}

impl<'ast> Visit<'ast> for TopLevelAwait {
    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        visit::visit_expr_await(self, awaited);
        self.place.get_or_insert(awaited.await_token.span());
    }

    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}

    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}

    fn visit_item(&mut self, _: &'ast Item) {}
}
