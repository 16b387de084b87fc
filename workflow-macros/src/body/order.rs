//! Iteration over `HashMap` and `HashSet`, whose order differs from run to run.
//!
//! Only the types know what is iterated over, so heads of `for` and iterator methods are probed: the runtime has a method
//! `ordered` on probes of the unordered types that cannot be called, and one on all others that does nothing.

use super::Walker;
use quote::quote_spanned;
use syn::visit_mut::VisitMut;
use syn::{Expr, ExprMethodCall, GenericArgument, Type, spanned::Spanned};

/// Methods that start an iteration.
const ITERATIONS: &[&str] =
    &["iter", "iter_mut", "keys", "values", "values_mut", "into_iter", "into_keys", "into_values", "drain"];

/// Methods that end one with a result that does not depend on its order.
const UNORDERED_ENDS: &[&str] = &["all", "any", "count", "len", "max", "min", "product", "sum"];

impl Walker<'_> {
    /// The head of a `for`.
    pub(super) fn walk_head(&mut self, head: &mut Expr) {
        let starts_iteration = matches!(&*head, Expr::MethodCall(call) if is_iteration(call));
        self.visit_expr_mut(head);
        // An iterator method was probed itself, and a range needs no probe.
        if !self.allowed && !starts_iteration && !matches!(head, Expr::Range(_)) {
            self.probe(head);
        }
    }

    /// A method call: probed when it starts an iteration, unless the chain that it is in forgets the order again.
    pub(super) fn rewrite_iteration(&mut self, expr: &mut Expr) {
        let Expr::MethodCall(call) = expr else { return };
        let before = self.order_is_forgotten;
        self.order_is_forgotten |= forgets_order(call);
        self.durations_of_method(call);
        self.visit_expr_mut(&mut call.receiver);
        self.order_is_forgotten = false;
        call.args.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
        self.order_is_forgotten = before;
        if is_iteration(call) && !self.order_is_forgotten && !self.allowed {
            self.probe(expr);
        }
    }

    fn probe(&self, expr: &mut Expr) {
        let span = expr.span();
        let probe = self.runtime.private("Probe", span);
        *expr = Expr::Verbatim(quote_spanned!(span=> #probe(#expr).ordered()));
    }
}

fn is_iteration(call: &ExprMethodCall) -> bool {
    call.args.len() <= 1 && ITERATIONS.iter().any(|name| call.method == name)
}

fn forgets_order(call: &ExprMethodCall) -> bool {
    let sorts = |arguments: &syn::AngleBracketedGenericArguments| match arguments.args.first() {
        Some(GenericArgument::Type(Type::Path(ty))) => ty.path.segments.last().is_some_and(|last| {
            ["BTreeMap", "BTreeSet", "BinaryHeap", "HashMap", "HashSet"].iter().any(|name| last.ident == name)
        }),
        _ => false,
    };
    UNORDERED_ENDS.iter().any(|name| call.method == name)
        || (call.method == "collect" && call.turbofish.as_ref().is_some_and(sorts))
}
