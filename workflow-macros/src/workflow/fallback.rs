//! What is emitted after a mistake, so that one mistake makes one message and an IDE goes on working.

use super::check::Found;
use super::model::Model;
use crate::runtime::Runtime;
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::quote;
use syn::{AttrStyle, Attribute, Block, ReturnType, Safety, Signature, parse_quote};

/// The item with a body of any type in the place of its own, which could not be read.
pub(crate) fn without_body(item: &TokenStream) -> TokenStream {
    let mut trees: Vec<TokenTree> = item.clone().into_iter().collect();
    if matches!(trees.last(), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace) {
        trees.pop();
    }
    // It is refused when it is built; before that the compiler has said what is wrong, in its own words and once.
    let body = quote! {{
        const { ::core::panic!("`#[workflow]` and `#[part]` cannot read the syntax of this body: put it into a fn beside it") }
    }};
    let head: TokenStream = trees.into_iter().collect();
    quote!(#head #body)
}

/// What could not be read, as written: the compiler says what is wrong with it, and an IDE looks into it.
pub(crate) fn unread(item: &TokenStream, runtime: &Runtime) -> TokenStream {
    let unread = runtime.private("unread", Span::call_site());
    quote!(#unread! { #item })
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

/// `#![..]` at the beginning of a body, as it is written before the fn.
pub(crate) fn outer(attribute: Attribute) -> Attribute {
    Attribute { style: AttrStyle::Outer, ..attribute }
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
