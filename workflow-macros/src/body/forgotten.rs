//! Operations that are never awaited.
//!
//! An operation that is not awaited never runs. Where it stands in the place of what it would give, rustc speaks of types
//! that nobody knows; where it is thrown away, rustc says nothing, or warns.

use super::Walker;
use super::closures::captured_names;
use super::operations::{Known, known, ours};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Block, Expr, ExprMacro, Ident, Local, Pat, Stmt, Token};

/// Functions that make an operation.
const FUNCTIONS: &[&str] = &[
    "changed",
    "info",
    "join_all",
    "now",
    "random",
    "sleep",
    "sleep_until",
    "timeout",
    "try_join_all",
    "uuid",
    "wait_for",
    "wait_for_type",
];

/// Methods of operations themselves.
const METHODS: &[&str] =
    &["backoff", "delay", "jitter", "key", "max_delay", "on_parent_close", "retries", "timeout", "typed", "unless"];

impl Walker<'_> {
    /// A statement that is an operation and nothing else.
    pub(super) fn check_forgotten_statement(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Expr(expr, Some(_)) => self.check_thrown_away(expr),
            Stmt::Macro(stmt) if stmt.semi_token.is_some() => {
                let expr = ExprMacro { attrs: Vec::new(), mac: stmt.mac.clone() };
                self.check_thrown_away(&Expr::Macro(expr));
            }
            _ => {}
        }
    }

    /// `let _ = step!(..)`.
    pub(super) fn check_forgotten_let(&mut self, local: &Local) {
        if let (Pat::Wild(_), Some(init)) = (&local.pat, &local.init) {
            self.check_thrown_away(&init.expr);
        }
    }

    /// `let paid = step!(..);`, of which nothing is said afterwards.
    pub(super) fn check_unused_operations(&mut self, block: &Block) {
        for (index, stmt) in block.stmts.iter().enumerate() {
            let Stmt::Local(Local { pat: Pat::Ident(pattern), init: Some(init), .. }) = stmt else { continue };
            let rest = &block.stmts[index + 1..];
            if !rest.iter().any(|stmt| names(stmt.to_token_stream(), &pattern.ident)) {
                self.check_thrown_away(&init.expr);
            }
        }
    }

    fn check_thrown_away(&mut self, expr: &Expr) {
        if let Some(word) = self.operation(expr) {
            self.errors.push_losing_body(syn::Error::new_spanned(
                root(expr),
                format!("this {word} is never awaited, so it never happens\nadd `.await`"),
            ));
        }
    }

    /// An operation where its outcome is meant: `step!(..)?`, `match step!(..) { .. }`, `step!(..).is_ok()`.
    pub(super) fn check_outcome(&mut self, expr: &Expr) {
        if let Expr::Binary(binary) = expr {
            self.check_no_operation(&binary.left);
            self.check_no_operation(&binary.right);
        }
        let operation = match expr {
            Expr::Try(tried) => &*tried.expr,
            Expr::Match(matched) => &*matched.expr,
            Expr::Let(matched) => &*matched.expr,
            Expr::MethodCall(call) if !METHODS.iter().any(|name| call.method == name) => &*call.receiver,
            _ => return,
        };
        self.check_no_operation(operation);
    }

    /// The end of a workflow's or part's body, where its value stands.
    pub(super) fn check_last(&mut self, block: &Block) {
        if let Some(Stmt::Expr(last, None)) = block.stmts.last() {
            self.check_no_operation(last);
        } else if let Some(Stmt::Macro(last)) = block.stmts.last()
            && last.semi_token.is_none()
        {
            self.check_no_operation(&Expr::Macro(ExprMacro { attrs: Vec::new(), mac: last.mac.clone() }));
        }
    }

    fn check_no_operation(&mut self, operation: &Expr) {
        if let Some(word) = self.operation(operation) {
            self.errors.push_losing_body(syn::Error::new_spanned(
                root(operation),
                format!("this {word} has no outcome before it is awaited\nadd `.await` behind it"),
            ));
        }
    }

    /// What an expression that makes an operation is called.
    pub(super) fn operation(&self, expr: &Expr) -> Option<&'static str> {
        match expr {
            Expr::Macro(expr) => match known(&expr.mac.path, self.runtime)? {
                Known::Step => Some("step"),
                Known::Group => Some("group"),
                Known::Join => Some("join"),
                Known::Race | Known::Skipped => None,
            },
            Expr::Call(call) => {
                let Expr::Path(path) = &*call.func else { return None };
                let name = &path.path.segments.last()?.ident;
                let is_ours = ours(&path.path, self.runtime)
                    && FUNCTIONS.iter().any(|known| name == known)
                    && fits(name, &call.args);
                is_ours.then_some("operation")
            }
            Expr::MethodCall(call) if METHODS.iter().any(|name| call.method == name) => self.operation(&call.receiver),
            Expr::Paren(paren) => self.operation(&paren.expr),
            _ => None,
        }
    }
}

/// Whether the tokens name it; a text may be a format that does.
fn names(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => names(group.stream(), name),
        TokenTree::Literal(literal) => captured_names(literal).iter().any(|captured| name == captured),
        TokenTree::Punct(_) => false,
    })
}

/// Whether these can be the arguments of the operation: short names are often the user's own.
fn fits(name: &Ident, arguments: &Punctuated<Expr, Token![,]>) -> bool {
    match name.to_string().as_str() {
        "info" | "now" | "random" | "uuid" => arguments.is_empty(),
        "changed" => matches!(arguments.first(), Some(Expr::Lit(_))),
        _ => true,
    }
}

/// What the operation is made by, without its methods.
fn root(expr: &Expr) -> &Expr {
    match expr {
        Expr::MethodCall(call) => root(&call.receiver),
        other => other,
    }
}
