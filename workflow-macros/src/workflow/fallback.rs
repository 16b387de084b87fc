//! What is emitted after a mistake, so that one mistake makes one message and an IDE goes on working.

use super::check::Found;
use super::model::Model;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Block, ReturnType, Safety, Signature, parse_quote};

/// The item could not be read: it goes out as written.
pub(super) fn unreadable(item: TokenStream, error: &syn::Error) -> TokenStream {
    let error = error.to_compile_error();
    quote!(#item #error)
}

/// The signature makes no workflow: the fn remains, callable, without the type beside it.
pub(super) fn signature(model: &Model) -> TokenStream {
    let Model { attributes, visibility, signature, .. } = model;
    let signature = Signature {
        constness: None,
        safety: Safety::Default,
        abi: None,
        variadic: None,
        output: if is_opaque(&signature.output) { ReturnType::Default } else { signature.output.clone() },
        ..signature.clone()
    };
    let body = body();
    quote! {
        #(#attributes)*
        #visibility #signature #body
    }
}

/// What a mistake leaves unused is not a second one.
pub(crate) fn quiet() -> Attribute {
    parse_quote!(#[allow(deprecated, unused, clippy::all)])
}

/// Whether the output holds an `impl Trait`, which a body of any type does not implement.
fn is_opaque(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, ty) if Found::of(ty).impl_trait.is_some())
}

/// A body of any type.
pub(crate) fn body() -> Block {
    parse_quote!({ ::core::unimplemented!() })
}
