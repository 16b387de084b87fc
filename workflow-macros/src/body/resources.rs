//! The rule that a workflow does not look into its resources.
//!
//! A resource is what a worker happens to have: another worker, or the next deployment, may give another value. So a
//! body hands a resource on, to a step's body, a part or a child, and leaves it alone otherwise. A `let` may name a
//! resource anew, borrow a part of one or clone its handle: the new name then stands for a resource too.

use super::Walker;
use super::closures::captured_names;
use super::operations::written;
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit_mut::VisitMut;
use syn::{Expr, ExprCall, ExprStruct, Path};

impl Walker<'_> {
    /// Reports a resource whose value is used.
    pub(super) fn check_resource(&mut self, path: &Path) {
        if !self.allowed && self.is_resource(path) {
            self.refuse_resource(&written(path), path.segments[0].ident.span());
        }
    }

    fn refuse_resource(&mut self, name: &str, place: Span) {
        self.errors.push_at(
            place,
            format!(
                "`{name}` is a resource, used outside of a step: in a replay it may be another one\nuse it in the body \
                 of a `step!`, or hand it on to a `#[part]`; what decides the workflow's path belongs into its input"
            ),
        );
    }

    fn is_resource(&self, path: &Path) -> bool {
        path.get_ident().is_some_and(|name| self.resources.has(name))
    }

    /// `format!("{shop}")`.
    pub(super) fn check_captured_resource(&mut self, tokens: &TokenStream) {
        if self.resources.known() == 0 || self.allowed {
            return;
        }
        for tree in tokens.clone() {
            let TokenTree::Literal(literal) = tree else { continue };
            let span = literal.span();
            for name in captured_names(literal) {
                if self.resources.has(&syn::Ident::new(&name, span)) {
                    self.refuse_resource(&name, span);
                }
            }
        }
    }

    /// `Desk { shop, order }`: a resource may be put into what its user makes of it.
    pub(super) fn walk_fields(&mut self, made: &mut ExprStruct) {
        for field in &mut made.fields {
            if !self.hands_over_resource(&field.expr) {
                self.visit_expr_mut(&mut field.expr);
            }
        }
        if let Some(rest) = &mut made.rest {
            self.visit_expr_mut(rest);
        }
    }

    /// Whether the expression hands a resource on as it is: `shop`, `&shop.stripe`, `shop.clone()`, `Arc::clone(shop)`.
    pub(super) fn hands_over_resource(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Path(path) => self.is_resource(&path.path),
            Expr::Reference(reference) => reference.mutability.is_none() && self.is_place_of_resource(&reference.expr),
            Expr::Paren(paren) => self.hands_over_resource(&paren.expr),
            Expr::MethodCall(call) => {
                let hands = call.method == "clone" || call.method == "as_ref";
                hands && call.args.is_empty() && self.is_place_of_resource(&call.receiver)
            }
            Expr::Call(call) => cloned(call).is_some_and(|handle| self.hands_over_resource(handle)),
            _ => false,
        }
    }

    /// Whether the expression is a resource or a part of one.
    pub(super) fn is_place_of_resource(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Path(path) => self.is_resource(&path.path),
            Expr::Field(field) => self.is_place_of_resource(&field.base),
            Expr::Unary(unary) => matches!(unary.op, syn::UnOp::Deref(_)) && self.is_place_of_resource(&unary.expr),
            Expr::Paren(paren) => self.is_place_of_resource(&paren.expr),
            _ => false,
        }
    }
}

/// The handle in `Arc::clone(handle)`.
pub(super) fn cloned(call: &ExprCall) -> Option<&Expr> {
    let Expr::Path(path) = &*call.func else { return None };
    let is_clone = path.path.segments.last().is_some_and(|last| last.ident == "clone") && call.args.len() == 1;
    call.args.first().filter(|_| is_clone)
}
