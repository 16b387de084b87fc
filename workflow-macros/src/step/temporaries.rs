//! Whether a step's body may borrow from a temporary: `mail.send(&format!(..))`, `shop.users().find(id)`.
//!
//! Such a body is put into an async block. The others are not: each block costs the compiler time, and most bodies are a
//! plain call with places for arguments.

use syn::visit::{self, Visit};
use syn::{Expr, ExprAsync, ExprClosure, ExprMethodCall, ExprReference};

/// Whether something in the expression, outside of inner blocks and closures, borrows what is no place.
pub(super) fn may_be_borrowed(body: &Expr) -> bool {
    let mut finder = Finder::default();
    finder.visit_expr(body);
    finder.found
}

#[derive(Default)]
struct Finder {
    found: bool,
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_expr_reference(&mut self, reference: &'ast ExprReference) {
        self.found |= !is_place(&reference.expr);
        visit::visit_expr_reference(self, reference);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.found |= !is_place(&call.receiver);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}

    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}
}

/// Whether the expression names something that lives on.
fn is_place(expr: &Expr) -> bool {
    match expr {
        Expr::Path(_) | Expr::Lit(_) => true,
        Expr::Field(field) => is_place(&field.base),
        Expr::Index(index) => is_place(&index.expr),
        Expr::Paren(paren) => is_place(&paren.expr),
        Expr::Reference(reference) => is_place(&reference.expr),
        Expr::Unary(unary) => matches!(unary.op, syn::UnOp::Deref(_)) && is_place(&unary.expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::may_be_borrowed;
    use syn::parse_quote;

    #[test]
    fn calls_with_places_borrow_nothing_that_dies() {
        assert!(!may_be_borrowed(&parse_quote!(shop.stripe.create_intent(&user, order.total()))));
        assert!(!may_be_borrowed(&parse_quote!(call(&all[1], &*shop, "x", &user.id, items.len()))));
        assert!(!may_be_borrowed(&parse_quote!(async { shop.mail(&format!("x")).await })));
    }

    #[test]
    fn borrowed_temporaries_are_seen() {
        assert!(may_be_borrowed(&parse_quote!(shop.mail(&format!("{id}")))));
        assert!(may_be_borrowed(&parse_quote!(shop.users().find(id))));
        assert!(may_be_borrowed(&parse_quote!(call(name().as_str()))));
    }
}
