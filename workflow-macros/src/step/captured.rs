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

/// Reports assignments to variables declared outside of `body`, and disarms them so that rustc does not report them too.
pub(crate) fn check_assignments(kind: Kind, body: &mut Expr, errors: &mut Errors) {
    let mut bound = Bound::default();
    bound.visit_expr(body);
    Assignments { kind, bound: bound.names, errors }.visit_expr_mut(body);
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

impl VisitMut for Assignments<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
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
        check_assignments(Kind::Step, &mut body, &mut errors);
        errors.into_result().err().into_iter().flatten().map(|error| error.to_string()).collect()
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
