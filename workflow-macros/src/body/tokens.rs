//! Macros inside of a body: their tokens are read as far as they can be.
//!
//! Whatever parses as expressions or statements is walked like ordinary code. The rest goes out token for token, unless
//! it holds an `.await`: one that the walk cannot rewrite would slip through, so it is refused.

use super::Walker;
use super::operations::{Known, known, written};
use crate::duration;
use crate::name::Kind;
use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Block, Expr, Lit, LitInt, Macro, Stmt, Token};

/// Words after which tokens need the walk.
const CALLS: &[&str] = &["wait_for", "wait_for_type", "sleep", "timeout", "delay", "max_delay"];

/// Macros that write a text.
const FORMATS: &[&str] =
    &["eprint", "eprintln", "format", "format_args", "log", "panic", "print", "println", "write", "writeln"];

impl Walker<'_> {
    /// Any macro call.
    pub(super) fn walk_macro(&mut self, mac: &mut Macro) {
        match known(&mac.path, self.runtime) {
            Some(Known::Step) => self.walk_call_macro(Kind::Step, mac),
            Some(Known::Group) => self.walk_call_macro(Kind::Group, mac),
            Some(Known::Race) => self.refuse_unawaited_race(mac),
            Some(Known::Join) => self.walk_join(mac),
            Some(Known::Skipped) => {}
            None => {
                if self.refuse_macro(mac) {
                    return;
                }
                self.warn_of_output(mac);
                let name = written(&mac.path);
                mac.tokens = self.walk_tokens(std::mem::take(&mut mac.tokens), &name);
            }
        }
    }

    /// The tokens of a macro that is not ours.
    fn walk_tokens(&mut self, tokens: TokenStream, name: &str) -> TokenStream {
        self.check_captured_resource(&tokens);
        if let Ok(mut list) = expressions(&tokens) {
            list.iter_mut().for_each(|expr| self.visit_expr_mut(expr));
            if FORMATS.contains(&name) {
                self.probe_formatted(&mut list);
            }
            return list.into_token_stream();
        }
        if let Ok(mut stmts) = statements(&tokens) {
            stmts.iter_mut().for_each(|stmt| self.visit_stmt_mut(stmt));
            return stmts.iter().map(ToTokens::to_token_stream).collect();
        }
        let mut out = TokenStream::new();
        for part in parts(tokens) {
            match part {
                Part::Separator(separator) => out.append_all(separator),
                Part::Chunk(chunk) => out.extend(self.walk_chunk(chunk, name)),
            }
        }
        out
    }

    fn walk_chunk(&mut self, chunk: TokenStream, name: &str) -> TokenStream {
        if let Ok(mut expr) = syn::parse2::<Expr>(chunk.clone()) {
            self.visit_expr_mut(&mut expr);
            return expr.into_token_stream();
        }
        if let Ok(mut stmts) = statements(&chunk) {
            stmts.iter_mut().for_each(|stmt| self.visit_stmt_mut(stmt));
            return stmts.iter().map(ToTokens::to_token_stream).collect();
        }
        // `"key": value`, as in JSON.
        if let Some((mut key, value)) = at_colon(&chunk)
            && let Ok(mut value) = syn::parse2::<Expr>(value)
        {
            self.visit_expr_mut(&mut value);
            value.to_tokens(&mut key);
            return key;
        }
        self.walk_unreadable(chunk, name)
    }

    /// Tokens in a syntax of their own: what stands in groups is tried again, and our macros are found by name.
    fn walk_unreadable(&mut self, tokens: TokenStream, name: &str) -> TokenStream {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut out = TokenStream::new();
        let mut index = 0;
        while index < trees.len() {
            if let Some(mut mac) = macro_call(&trees[index..]) {
                self.walk_macro(&mut mac);
                mac.to_tokens(&mut out);
                index += 3;
                continue;
            }
            match &trees[index] {
                TokenTree::Group(group) => {
                    let mut walked = Group::new(group.delimiter(), self.walk_tokens(group.stream(), name));
                    walked.set_span(group.span());
                    out.append(walked);
                }
                TokenTree::Ident(ident) if ident == "await" && follows_dot(&trees, index) => {
                    self.errors.push_losing_body(syn::Error::new(
                        ident.span(),
                        format!("an `.await` in the macro `{name}!`, whose syntax a workflow cannot read: await into a `let` before it"),
                    ));
                    out.append(ident.clone());
                }
                other => out.append(other.clone()),
            }
            index += 1;
        }
        out
    }
}

fn expressions(tokens: &TokenStream) -> syn::Result<Punctuated<Expr, Token![,]>> {
    Punctuated::parse_terminated.parse2(tokens.clone())
}

fn statements(tokens: &TokenStream) -> syn::Result<Vec<Stmt>> {
    Block::parse_within.parse2(tokens.clone())
}

/// Whether the tokens hold anything that must be rewritten.
pub(super) fn matters(tokens: &TokenStream) -> bool {
    let mut bang_awaited = false;
    for tree in tokens.clone() {
        match &tree {
            TokenTree::Punct(punct) if punct.as_char() == '!' && bang_awaited => return true,
            TokenTree::Ident(ident)
                if ident == "await" || ident == "async" || CALLS.iter().any(|call| ident == call) =>
            {
                return true;
            }
            TokenTree::Literal(literal) if is_duration(literal) => return true,
            TokenTree::Group(group) if matters(&group.stream()) => return true,
            _ => {}
        }
        bang_awaited =
            matches!(&tree, TokenTree::Ident(ident) if ["step", "group", "race"].iter().any(|word| ident == word));
    }
    false
}

fn is_duration(literal: &proc_macro2::Literal) -> bool {
    matches!(Lit::new(literal.clone()), Lit::Int(number) if is_timed(&number))
}

fn is_timed(number: &LitInt) -> bool {
    duration::of_literal(number).is_some()
}

/// What stands before the first lone colon, and the colon; and what stands behind it.
fn at_colon(tokens: &TokenStream) -> Option<(TokenStream, TokenStream)> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let is_colon = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':');
    let colon = trees.iter().position(is_colon)?;
    if trees.get(colon + 1).is_none_or(is_colon) {
        return None;
    }
    let (key, value) = trees.split_at(colon + 1);
    Some((key.iter().cloned().collect(), value.iter().cloned().collect()))
}

enum Part {
    Chunk(TokenStream),
    Separator(Vec<TokenTree>),
}

/// Splits at top-level `,`, `;` and `=>`.
fn parts(tokens: TokenStream) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut chunk = TokenStream::new();
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let separator = match &tree {
            TokenTree::Punct(punct) if matches!(punct.as_char(), ',' | ';') => vec![tree],
            TokenTree::Punct(punct) if punct.as_char() == '=' => match trees.peek() {
                Some(TokenTree::Punct(next)) if next.as_char() == '>' => {
                    let arrow = trees.next().expect("the next token was just seen");
                    vec![tree, arrow]
                }
                _ => {
                    chunk.append(tree);
                    continue;
                }
            },
            _ => {
                chunk.append(tree);
                continue;
            }
        };
        parts.push(Part::Chunk(std::mem::take(&mut chunk)));
        parts.push(Part::Separator(separator));
    }
    parts.push(Part::Chunk(chunk));
    parts
}

/// `step ! ( .. )` at the front of the tokens, for any of our macros.
fn macro_call(trees: &[TokenTree]) -> Option<Macro> {
    match trees {
        [TokenTree::Ident(ident), TokenTree::Punct(bang), TokenTree::Group(_), ..]
            if bang.as_char() == '!' && ["step", "group", "race"].iter().any(|word| ident == word) =>
        {
            syn::parse2(trees[..3].iter().cloned().collect()).ok()
        }
        _ => None,
    }
}

fn follows_dot(trees: &[TokenTree], index: usize) -> bool {
    index > 0 && matches!(&trees[index - 1], TokenTree::Punct(dot) if dot.as_char() == '.')
}
