//! Variables that change although nothing assigns them: locks, atomics, cells that are written once.
//!
//! What a body puts into one is not recorded, and a replay does not run the body: the variable is empty then. The rule
//! about assignments, for what goes around it.

use super::Walker;
use super::resources::cloned;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Expr, Ident, Local, Pat};

/// Types of the standard library and of the usual crates; of atomics the name begins so.
const TYPES: &[&str] = &["DashMap", "Mutex", "OnceCell", "OnceLock", "RwLock"];

impl Walker<'_> {
    /// Notes `let found = Mutex::new(..);`, also inside of an `Arc`.
    pub(super) fn note_mutable_inside(&mut self, local: &Local) {
        let pattern = match &local.pat {
            Pat::Type(typed) => &*typed.pat,
            other => other,
        };
        let (Pat::Ident(pattern), Some(init)) = (pattern, &local.init) else { return };
        let marked = is_made(&init.expr) || self.is_another_name(&init.expr);
        self.mutable_inside.bind(&pattern.ident, marked);
    }

    /// `let found = &found;`, `found.clone()`, `Arc::clone(&found)`.
    fn is_another_name(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Path(path) => path.path.get_ident().is_some_and(|name| self.mutable_inside.has(name)),
            Expr::Reference(reference) => self.is_another_name(&reference.expr),
            Expr::MethodCall(call) => call.method == "clone" && self.is_another_name(&call.receiver),
            Expr::Call(call) => cloned(call).is_some_and(|handle| self.is_another_name(handle)),
            _ => false,
        }
    }

    /// Reports one that a body uses.
    pub(super) fn check_mutable_inside(&mut self, body: &Expr) {
        if self.mutable_inside.known() == 0 || self.allowed {
            return;
        }
        if let Some(name) = self.first_mutable_inside(body.to_token_stream()) {
            self.errors.push(
                &name,
                format!(
                    "a step cannot leave anything in `{name}`, a variable outside of it: a replay does not run its body, \
                     and finds `{name}` empty\nreturn the value from the step instead"
                ),
            );
        }
    }

    fn first_mutable_inside(&self, tokens: TokenStream) -> Option<Ident> {
        tokens.into_iter().find_map(|tree| match tree {
            TokenTree::Ident(name) if self.mutable_inside.has(&name) => Some(name),
            TokenTree::Group(group) => self.first_mutable_inside(group.stream()),
            _ => None,
        })
    }
}

/// `Mutex::new(..)`, `Arc::new(AtomicU64::default())`.
fn is_made(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    let Expr::Path(path) = &*call.func else { return false };
    let mut words = path.path.segments.iter().rev().map(|segment| segment.ident.to_string());
    let (constructor, ty) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if constructor != "new" && constructor != "default" {
        return false;
    }
    let changes = TYPES.contains(&ty.as_str()) || (ty.starts_with("Atomic") && ty.len() > "Atomic".len());
    changes || ((ty == "Arc" || ty == "Rc") && call.args.first().is_some_and(is_made))
}
