//! The rule that a workflow does not look into its resources.
//!
//! A resource is what a worker happens to have: another worker, or the next deployment, may give another value. So a
//! body hands a resource on, to a step's body, a part or a child, and leaves it alone otherwise. A `let` may name a
//! resource anew, borrow a part of one or clone its handle: the new name then stands for a resource too.

use super::Walker;
use super::operations::written;
use syn::{Expr, Ident, Path};

/// Which names stand for resources, innermost last.
#[derive(Debug, Default)]
pub(super) struct Resources {
    names: Vec<(String, bool)>,
    /// What is being bound names a resource.
    naming: bool,
}

impl Resources {
    pub(super) fn new(names: Vec<Ident>) -> Self {
        Self { names: names.into_iter().map(|name| (name.to_string(), true)).collect(), naming: false }
    }

    /// From now on patterns bind resources, or do not.
    pub(super) fn naming(&mut self, naming: bool) {
        self.naming = naming;
    }

    /// A pattern binds this name, for a resource or for something that hides one.
    pub(super) fn bind(&mut self, name: &Ident) {
        if !self.names.is_empty() {
            self.names.push((name.to_string(), self.naming));
        }
    }

    /// How many names are known: what comes after them is forgotten by [`Self::forget`].
    pub(super) fn known(&self) -> usize {
        self.names.len()
    }

    pub(super) fn forget(&mut self, known: usize) {
        self.names.truncate(known);
    }

    fn has(&self, path: &Path) -> bool {
        let Some(name) = path.get_ident() else { return false };
        self.names.iter().rev().find(|(known, _)| name == known).is_some_and(|(_, is_resource)| *is_resource)
    }
}

impl Walker<'_> {
    /// Reports a resource whose value is used.
    pub(super) fn check_resource(&mut self, path: &Path) {
        if self.allowed || !self.resources.has(path) {
            return;
        }
        let name = written(path);
        self.errors.push(
            path,
            format!(
                "`{name}` is a resource, used outside of a step: in a replay it may be another one\nuse it in the body \
                 of a `step!`, or hand it on to a `#[part]`; what decides the workflow's path belongs into its input"
            ),
        );
    }

    /// Whether the expression hands a resource on as it is: `shop`, `&shop.stripe`, `shop.clone()`, `Arc::clone(shop)`.
    pub(super) fn hands_over_resource(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Path(path) => self.resources.has(&path.path),
            Expr::Reference(reference) => reference.mutability.is_none() && self.is_place_of_resource(&reference.expr),
            Expr::Paren(paren) => self.hands_over_resource(&paren.expr),
            Expr::MethodCall(call) => {
                let hands = call.method == "clone" || call.method == "as_ref";
                hands && call.args.is_empty() && self.is_place_of_resource(&call.receiver)
            }
            Expr::Call(call) => {
                let is_clone = matches!(&*call.func, Expr::Path(path)
                    if path.path.segments.last().is_some_and(|last| last.ident == "clone"));
                is_clone && call.args.len() == 1 && call.args.iter().all(|handle| self.hands_over_resource(handle))
            }
            _ => false,
        }
    }

    /// Whether the expression is a resource or a part of one.
    pub(super) fn is_place_of_resource(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Path(path) => self.resources.has(&path.path),
            Expr::Field(field) => self.is_place_of_resource(&field.base),
            Expr::Unary(unary) => matches!(unary.op, syn::UnOp::Deref(_)) && self.is_place_of_resource(&unary.expr),
            Expr::Paren(paren) => self.is_place_of_resource(&paren.expr),
            _ => false,
        }
    }
}
