//! The clippy lints that a workflow's own code is held to.
//!
//! By resolution clippy sees what a macro cannot: module-level renames, methods, function pointers. It knows what to refuse
//! from the `clippy.toml` for users; here is only where that holds: in bodies of workflows and parts, and not in bodies of
//! steps.

use proc_macro2::TokenStream;
use quote::quote;

fn lints() -> TokenStream {
    quote!(clippy::disallowed_methods, clippy::disallowed_macros, clippy::iter_over_hash_type)
}

/// For the fn that holds a workflow's own code.
pub(crate) fn denied() -> TokenStream {
    let lints = lints();
    quote!(#[deny(#lints)])
}

/// For a statement that may do what is refused elsewhere. On stable Rust an attribute cannot stand before an expression.
pub(crate) fn allowed() -> TokenStream {
    let lints = lints();
    quote!(#[allow(#lints)])
}
