//! Iteration over `HashMap` and `HashSet`, whose order differs from run to run.
//!
//! Only the types know what is iterated over, so heads of `for` and iterator methods are probed: the runtime has a method
//! `ordered` on probes of the unordered types that cannot be called, and one on all others that does nothing.

use super::Walker;
use proc_macro2::Span;
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{
    Block, Expr, ExprCall, ExprLit, ExprMethodCall, GenericArgument, Ident, Lit, Pat, Stmt, Token, Type, parse_quote,
    spanned::Spanned,
};

/// Methods that start an iteration.
const ITERATIONS: &[&str] = &[
    "difference",
    "drain",
    "intersection",
    "into_iter",
    "into_keys",
    "into_values",
    "iter",
    "iter_mut",
    "keys",
    "symmetric_difference",
    "union",
    "values",
    "values_mut",
];

/// Methods that take a second iteration as their argument.
const JOINING: &[&str] = &["chain", "zip"];

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

    /// Walks with a fresh note of whether what is walked ends in something without an order.
    pub(super) fn forgetting_order<T>(&mut self, forgets: bool, walk: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.order_is_forgotten, forgets);
        let result = walk(self);
        self.order_is_forgotten = before;
        result
    }

    /// A method that starts an iteration, unless the chain that it is in forgets the order again; and what joins one.
    pub(super) fn probe_iteration(&mut self, expr: &mut Expr) {
        let Expr::MethodCall(call) = expr else { return };
        if self.order_is_forgotten || self.allowed {
            return;
        }
        if JOINING.iter().any(|name| call.method == name)
            && let Some(other) = call.args.first_mut()
            && is_plain(other)
        {
            self.probe(other);
        }
        if is_iteration(call) {
            self.probe(expr);
        }
    }

    /// `Vec::from_iter(map)`, `serde_json::to_string(&map)`: what is made of it has an order.
    pub(super) fn probe_collected(&mut self, call: &mut ExprCall) {
        let is_collected = constructed(call).is_some_and(|ty| !is_unordered(ty)) || writes_json(call);
        if let Some(first) = call.args.first_mut()
            && is_collected
            && is_plain(first)
            && !self.order_is_forgotten
            && !self.allowed
        {
            self.probe(first);
        }
    }

    /// `format!("{:?}", map)`, `format!("{map:?}")`: a text has an order.
    pub(super) fn probe_formatted(&mut self, arguments: &mut Punctuated<Expr, Token![,]>) {
        let format = arguments.iter().enumerate().find_map(|(index, argument)| match argument {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some((index, text.clone())),
            _ => None,
        });
        let Some((index, format)) = format.filter(|_| !self.allowed) else { return };
        if format.value().contains(":p}") {
            self.refuse_address(&format);
        }
        if !format.value().contains(":?") {
            return;
        }
        let captured = captured_for_debug(&format.value());
        for argument in arguments.iter_mut().skip(index + 1) {
            match argument {
                Expr::Assign(named) if is_plain(&named.right) => self.probe_lent(&mut named.right),
                other if is_plain(other) => self.probe_lent(other),
                _ => {}
            }
        }
        for name in captured {
            let name = Ident::new(&name, format.span());
            let mut value = Expr::Path(parse_quote!(#name));
            self.probe_lent(&mut value);
            arguments.push(Expr::Verbatim(quote!(#name = #value)));
        }
    }

    /// Probes a value that goes on being used.
    fn probe_lent(&self, expr: &mut Expr) {
        if matches!(expr, Expr::Reference(_)) {
            return self.probe(expr);
        }
        let span = named_span(expr);
        let probe = self.runtime.private("Probe", span);
        *expr = Expr::Verbatim(quote_spanned!(span=> #probe(&#expr).ordered()));
    }

    fn probe(&self, expr: &mut Expr) {
        let span = expr.span();
        let probe = self.runtime.private("Probe", span);
        // The mistake is shown at the method's name, which is generated: it takes the place of what is iterated over.
        let ordered = Ident::new("ordered", named_span(expr));
        *expr = Expr::Verbatim(quote_spanned!(span=> #probe(#expr).#ordered()));
    }
}

/// Where the name of what is iterated over stands.
fn named_span(expr: &Expr) -> Span {
    match expr {
        Expr::Reference(reference) => named_span(&reference.expr),
        Expr::Paren(paren) => named_span(&paren.expr),
        Expr::Field(field) => field.member.span(),
        Expr::MethodCall(call) => call.method.span(),
        other => other.span(),
    }
}

/// A name or a reference to one.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Path(_) | Expr::Field(_) => true,
        Expr::Reference(reference) => is_plain(&reference.expr),
        _ => false,
    }
}

fn is_iteration(call: &ExprMethodCall) -> bool {
    call.args.len() <= 1 && ITERATIONS.iter().any(|name| call.method == name)
}

/// Whether the end of the chain does not depend on its order.
pub(super) fn forgets_order(call: &ExprMethodCall) -> bool {
    let unordered = |arguments: &syn::AngleBracketedGenericArguments| match arguments.args.first() {
        Some(GenericArgument::Type(ty)) => is_unordered_type(ty),
        _ => false,
    };
    // Floating point is added up in the order of the items.
    let is_rounded = call.turbofish.as_ref().is_some_and(|arguments| {
        let text = arguments.to_token_stream().to_string();
        text.contains("f32") || text.contains("f64")
    });
    UNORDERED_ENDS.iter().any(|name| call.method == name) && !is_rounded
        || call.method.to_string().starts_with("sorted")
        || (call.method == "collect" && call.turbofish.as_ref().is_some_and(unordered))
}

/// `BTreeMap::from_iter(..)`: what goes in is in no order afterwards, or in the collection's own.
pub(super) fn is_unordered_constructor(call: &ExprCall) -> bool {
    constructed(call).is_some_and(is_unordered)
}

/// `serde_json::to_string(..)` and its like.
fn writes_json(call: &ExprCall) -> bool {
    let Expr::Path(path) = &*call.func else { return false };
    let words = &path.path.segments;
    words.len() == 2 && words[0].ident == "serde_json" && words[1].ident.to_string().starts_with("to_")
}

/// The names in `{name:?}`, each once.
fn captured_for_debug(format: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in format.split('{').skip(1) {
        let Some((name, how)) = part.split('}').next().and_then(|inside| inside.split_once(':')) else { continue };
        let is_new = !names.iter().any(|known| known == name);
        if how.contains('?') && is_new && syn::parse_str::<Ident>(name).is_ok() {
            names.push(name.to_owned());
        }
    }
    names
}

/// The type of `Type::from_iter(..)`.
fn constructed(call: &ExprCall) -> Option<&Ident> {
    let Expr::Path(path) = &*call.func else { return None };
    let mut words = path.path.segments.iter().rev();
    words.next().filter(|last| last.ident == "from_iter" || last.ident == "from")?;
    words.next().map(|ty| &ty.ident).filter(|ty| ty.to_string().starts_with(char::is_uppercase))
}

/// `name: BTreeMap<_, _>`.
pub(super) fn is_unordered_pattern(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Type(typed) if is_unordered_type(&typed.ty))
}

/// For each statement: whether it is a `let` of what the next statement sorts.
pub(super) fn sorted_by_the_next(block: &Block) -> Vec<bool> {
    let statements = &block.stmts;
    let next = statements.iter().skip(1).map(Some).chain([None]);
    statements
        .iter()
        .zip(next)
        .map(|(statement, next)| let_name(statement).is_some_and(|name| sorts(next, name)))
        .collect()
}

fn let_name(statement: &Stmt) -> Option<&Ident> {
    let Stmt::Local(local) = statement else { return None };
    let pattern = match &local.pat {
        Pat::Type(typed) => &*typed.pat,
        other => other,
    };
    match pattern {
        Pat::Ident(pattern) => Some(&pattern.ident),
        _ => None,
    }
}

fn sorts(statement: Option<&Stmt>, name: &Ident) -> bool {
    let Some(Stmt::Expr(Expr::MethodCall(call), _)) = statement else { return false };
    call.method.to_string().starts_with("sort")
        && matches!(&*call.receiver, Expr::Path(path) if path.path.get_ident() == Some(name))
}

fn is_unordered_type(ty: &Type) -> bool {
    matches!(ty, Type::Path(ty) if ty.path.segments.last().is_some_and(|last| is_unordered(&last.ident)))
}

/// A collection that has no order, or one that does not depend on what came first.
fn is_unordered(name: &Ident) -> bool {
    ["BTreeMap", "BTreeSet", "BinaryHeap", "HashMap", "HashSet"].iter().any(|known| name == known)
}
