//! What comes from outside of the run: values that no input or step can give, statics, addresses.
//!
//! Only the types know them. The runtime has methods on probes of such types that cannot be called, and the same for all
//! other types that do nothing; here they are put where the types are certain to be known.

use super::Walker;
use proc_macro2::{Ident, Span};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, ExprCall, ExprCast, ExprMethodCall, Path, Type, spanned::Spanned};

/// Methods by which a value that is shared is read or changed.
const SHARED_METHODS: &[&str] = &[
    "borrow",
    "borrow_mut",
    "compare_exchange",
    "compare_exchange_weak",
    "fetch_add",
    "fetch_and",
    "fetch_max",
    "fetch_min",
    "fetch_or",
    "fetch_sub",
    "fetch_update",
    "fetch_xor",
    "get",
    "get_or_init",
    "get_or_try_init",
    "load",
    "lock",
    "read",
    "recv",
    "replace",
    "send",
    "set",
    "store",
    "swap",
    "take",
    "try_lock",
    "try_read",
    "try_recv",
    "try_write",
    "update",
    "wait",
    "with",
    "with_borrow",
    "with_borrow_mut",
    "write",
];

/// Last words of functions whose result says where it comes from. What is called so and gives something else passes.
const ORIGINS: &[&str] = &[
    "args",
    "args_os",
    "bind",
    "bounded",
    "channel",
    "connect",
    "create",
    "create_new",
    "current",
    "new_v1",
    "new_v4",
    "new_v6",
    "now",
    "now_local",
    "now_utc",
    "now_v1",
    "now_v6",
    "now_v7",
    "open",
    "spawn",
    "spawn_blocking",
    "stdin",
    "sync_channel",
    "unbounded_channel",
    "var",
    "vars",
    "vars_os",
];

/// The same for functions called `new`, by their type.
const ORIGINS_NEW: &[&str] = &["Command", "OpenOptions", "Runtime"];

impl Walker<'_> {
    /// `COUNTER.fetch_add(..)`, `started.elapsed()`: the receiver is probed.
    pub(super) fn probe_shared(&mut self, call: &mut ExprMethodCall) {
        let Expr::Path(path) = &*call.receiver else { return };
        if self.allowed {
            return;
        }
        let probing = if call.method == "elapsed" && call.args.is_empty() {
            "timeless"
        } else if is_static(&path.path) && SHARED_METHODS.iter().any(|name| call.method == name) {
            "unshared"
        } else {
            return;
        };
        let span = call.receiver.span();
        let probe = self.runtime.private("Probe", span);
        let (receiver, probing) = (&call.receiver, Ident::new(probing, span));
        *call.receiver = Expr::Verbatim(quote_spanned!(span=> #probe(&#receiver).#probing()));
    }

    /// `Clock::now()`, `Command::new(..)`: what they give says where it comes from.
    pub(super) fn probe_origin(&mut self, expr: &mut Expr) {
        let Expr::Call(call) = expr else { return };
        if self.allowed || !is_suspicious(call) || self.is_refused(&call.func) {
            return;
        }
        let called = called_span(&call.func);
        let span = expr.span();
        let probe = self.runtime.private("Probe", span);
        // The mistake is shown at the method's name, which is generated: it takes the place of the fn that is called.
        for asking in ["timed", "settled"] {
            let asking = Ident::new(asking, called);
            *expr = Expr::Verbatim(quote_spanned!(span=> #probe(#expr).#asking()));
        }
    }

    /// A static that is assigned is `static mut`: variables are not in capitals.
    pub(super) fn check_static_assignment(&mut self, place: &Expr) {
        let path = match place {
            Expr::Path(path) => &path.path,
            Expr::Field(field) => return self.check_static_assignment(&field.base),
            Expr::Index(index) => return self.check_static_assignment(&index.expr),
            Expr::Paren(paren) => return self.check_static_assignment(&paren.expr),
            _ => return,
        };
        if is_static(path) && !self.allowed {
            self.errors.push(
                path,
                "a workflow cannot assign a static: all that runs in this process shares it, and a replay assigns it \
                 again\nkeep the state in the workflow's own variables",
            );
        }
    }

    /// Where something lies in memory differs in each run.
    pub(super) fn check_address(&mut self, cast: &ExprCast) {
        if matches!(&*cast.ty, Type::Ptr(_)) && !self.allowed {
            self.refuse_address(&cast.ty);
        }
    }

    /// `as *const T`, `format!("{value:p}")`.
    pub(super) fn refuse_address(&mut self, tokens: &impl ToTokens) {
        self.errors.push(
            tokens,
            "an address in memory differs in each replay\nuse something of the value itself, such as an id, or put \
             `#[allow_nondeterminism]` on the statement if it cannot change the outcome",
        );
    }
}

fn called_span(called: &Expr) -> Span {
    match called {
        Expr::Path(path) => path.path.segments.last().map_or_else(|| path.span(), |last| last.ident.span()),
        other => other.span(),
    }
}

/// A name in capitals, of more than one letter: a constant or a static.
fn is_static(path: &Path) -> bool {
    path.segments.last().is_some_and(|last| {
        let name = last.ident.to_string();
        name.len() > 1 && name.starts_with(char::is_uppercase) && !name.contains(char::is_lowercase)
    })
}

/// Whether what a call gives must be asked where it comes from.
fn is_suspicious(call: &ExprCall) -> bool {
    let Expr::Path(path) = &*call.func else { return false };
    let mut words = path.path.segments.iter().rev().map(|segment| segment.ident.to_string());
    let (last, before) = (words.next().unwrap_or_default(), words.next());
    if last == "new" {
        return before.is_some_and(|ty| ORIGINS_NEW.contains(&ty.as_str()));
    }
    ORIGINS.contains(&last.as_str())
}
