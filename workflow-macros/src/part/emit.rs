//! What a part becomes.

use super::{Part, lifetimes};
use crate::lints;
use crate::runtime::{Runtime, context};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Block, LitStr, ReturnType, Signature, Type, parse_quote, spanned::Spanned};

/// The fn that makes the boxed part.
pub(super) fn part(part: Part, name: &LitStr, warnings: &TokenStream, runtime: &Runtime) -> TokenStream {
    let Part { attributes, visibility, mut signature, block } = part;
    let lifetime = lifetimes::name_all(&mut signature);
    let output = match &signature.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    };
    let boxed = runtime.private("Part", output.span());
    signature.output = parse_quote!(-> #boxed<#lifetime, #output>);
    let body = match block {
        Some(block) => {
            let made = made(&block, &signature, &output, name, runtime);
            quote_spanned!(signature.ident.span()=> { #warnings #made })
        }
        None => quote!(;),
    };
    let denied = lints::denied();
    quote! {
        #denied
        #(#attributes)*
        #[allow(
            clippy::double_must_use,
            clippy::elidable_lifetime_names,
            clippy::multiple_bound_locations,
            clippy::type_repetition_in_bounds,
        )]
        #visibility #signature #body
    }
}

/// The call that makes the part of the body.
fn made(block: &Block, signature: &Signature, output: &Type, name: &LitStr, runtime: &Runtime) -> TokenStream {
    let span = signature.ident.span();
    let constructor = runtime.private("part", span);
    let context_type = runtime.private("Ctx", Span::mixed_site());
    let context = context();
    let at = runtime.location(span);
    let future = typed(block, output);
    let closure = quote_spanned! {Span::mixed_site()=>
        move |#context: #context_type| async move {
            let _ = &#context;
            #future
        }
    };
    quote_spanned!(span=> #constructor(#name, #at, #closure))
}

/// The block, with its type known before the first `?`.
fn typed(block: &Block, output: &Type) -> TokenStream {
    let span = Span::mixed_site();
    let result = Ident::new("result", span);
    if lifetimes::is_opaque(output) {
        return block.to_token_stream();
    }
    quote_spanned! {span=>
        if let ::core::option::Option::Some(#result) = ::core::option::Option::None::<#output> {
            return #result;
        }
        #[allow(clippy::diverging_sub_expression)]
        let #result: #output = #block;
        #[allow(unreachable_code)]
        #result
    }
}
