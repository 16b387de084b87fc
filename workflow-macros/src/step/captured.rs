//! The rule that a body cannot assign variables of the workflow.
//!
//! A body may run again, and in a replay it does not run at all: what it assigned would be lost. rustc refuses it too
//! (the closure is `Fn`), with two messages that speak of closures; this one is at the same token and says what to do.

use crate::errors::Errors;
use crate::name::Kind;
use std::collections::HashSet;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{BinOp, Expr, ExprAssign, Ident, Item, Pat, PatIdent, parse_quote_spanned, spanned::Spanned};

/// Methods that change what they are called on, in the standard library.
const CHANGES: &[&str] = &[
    "append",
    "clear",
    "drain",
    "entry",
    "extend",
    "extend_from_slice",
    "get_mut",
    "insert",
    "iter_mut",
    "pop",
    "pop_back",
    "pop_front",
    "push",
    "push_back",
    "push_front",
    "push_str",
    "remove",
    "resize",
    "retain",
    "reverse",
    "sort",
    "sort_by",
    "sort_by_key",
    "sort_unstable",
    "swap",
    "truncate",
    "values_mut",
];

/// Reports assignments to variables declared outside of `body`, and disarms them so that rustc does not report them too.
/// Those that are `changeable` cannot be changed by their methods or lent as `&mut` either.
pub(crate) fn check_assignments(kind: Kind, body: &mut Expr, changeable: &[String], errors: &mut Errors) {
    let mut bound = Bound::default();
    bound.visit_expr(body);
    Assignments { kind, bound: bound.names, changeable, changed: Vec::new(), errors }.visit_expr_mut(body);
}

/// Every name that some pattern of the body binds.
#[derive(Default)]
struct Bound {
    names: HashSet<Ident>,
}

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.names.insert(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

struct Assignments<'a> {
    kind: Kind,
    bound: HashSet<Ident>,
    changeable: &'a [String],
    /// Those that were reported.
    changed: Vec<Ident>,
    errors: &'a mut Errors,
}

impl Assignments<'_> {
    fn outer<'e>(&self, place: &'e Expr) -> Option<&'e Ident> {
        let name = match place {
            Expr::Path(path) => path.path.get_ident()?,
            Expr::Field(field) => return self.outer(&field.base),
            Expr::Paren(paren) => return self.outer(&paren.expr),
            _ => return None,
        };
        // `static mut` and the like are not variables of the workflow; clippy knows them.
        let is_variable = name.to_string().starts_with(|c: char| c.is_lowercase() || c == '_') && name != "self";
        (is_variable && !self.bound.contains(name)).then_some(name)
    }

    fn report(&mut self, name: &Ident) {
        let word = self.kind.word();
        self.errors.push_at(
            name.span(),
            format!(
                "a {word} cannot assign `{name}`, a variable outside of it: its body may run again, and a replay does \
                 not run it at all\nreturn the value from the {word} instead"
            ),
        );
    }
}

impl Assignments<'_> {
    /// `receipts.push(..)`, `&mut receipts`.
    fn check_change(&mut self, expr: &Expr) {
        let place = match expr {
            Expr::MethodCall(call) if CHANGES.iter().any(|name| call.method == name) => &*call.receiver,
            Expr::Reference(reference) if reference.mutability.is_some() => &*reference.expr,
            _ => return,
        };
        let Some(name) = self.outer(place).filter(|name| self.changeable.iter().any(|known| *name == known)).cloned()
        else {
            return;
        };
        if self.changed.contains(&name) {
            return;
        }
        let word = self.kind.word();
        // rustc would say so too, of closures and lifetimes.
        self.errors.push_losing_body(syn::Error::new(
            name.span(),
            format!(
                "a {word} cannot change `{name}`, a variable outside of it: its body may run again, and a replay does \
                 not run it at all\nreturn the value from the {word} and change `{name}` with it afterwards"
            ),
        ));
        self.changed.push(name);
    }
}

impl VisitMut for Assignments<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        self.check_change(expr);
        let (place, value) = match expr {
            Expr::Assign(ExprAssign { left, right, .. }) => (left, right),
            Expr::Binary(binary) if assigns(&binary.op) => (&mut binary.left, &mut binary.right),
            _ => return,
        };
        if let Some(name) = self.outer(place).cloned() {
            self.report(&name);
            *expr = parse_quote_spanned!(value.span()=> _ = (&#place, #value));
        }
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}
    fn visit_pat_mut(&mut self, _: &mut Pat) {}
}

/// Whether the operator changes its left side.
pub(crate) fn assigns(op: &BinOp) -> bool {
    matches!(
        op,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::MulAssign(_)
            | BinOp::DivAssign(_)
            | BinOp::RemAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_)
    )
}

#[cfg(test)]
mod tests {
    use super::check_assignments;
    use crate::errors::Errors;
    use crate::name::Kind;
    use syn::{Expr, parse_quote};

    fn found(mut body: Expr) -> Vec<String> {
        let mut errors = Errors::new();
        check_assignments(Kind::Step, &mut body, &["receipts".to_owned()], &mut errors);
        errors.into_result().err().into_iter().flatten().map(|error| error.to_string()).collect()
    }

    #[test]
    fn what_changes_an_outer_variable_is_refused_once() {
        let body = parse_quote!({
            receipts.push(1);
            fill(&mut receipts);
            names.push(2);
            Ok(())
        });
        assert_eq!(found(body).len(), 1);
    }

    #[test]
    fn outer_variables_are_refused_and_own_ones_are_not() {
        assert_eq!(
            found(parse_quote!({
                n = 1;
                total.sum += 2;
                Ok(())
            }))
            .len(),
            2
        );
        assert_eq!(
            found(parse_quote!({
                let mut n = 0;
                n += 1;
                for x in y {
                    n = x
                }
                Ok(n)
            }))
            .len(),
            0
        );
    }
}
