//! `step!` and `group!`: name, options, body.
//!
//! [`parse`] is used twice: by the attribute, which reports every mistake and marks the tokens, and by the macro itself,
//! which expands marked tokens and refuses unmarked ones. [`captured`] holds the rule about outer variables.

mod body;
mod captured;
mod emit;
mod options;
mod parse;
mod temporaries;

pub(crate) use body::{check as check_body, check_end};
pub(crate) use captured::{assigns, check_assignments};
pub(crate) use options::check_duration;
pub(crate) use parse::{Call, Setting};

use crate::errors::Errors;
use crate::name::Kind;
use crate::runtime::Marker;
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Token;
use syn::parse::{ParseStream, Parser};

/// Expands `step!` or `group!`.
pub(crate) fn expand(kind: Kind, tokens: TokenStream) -> TokenStream {
    let marked = |input: ParseStream<'_>| -> syn::Result<TokenStream> {
        if !input.peek(Token![@]) {
            return Err(outside(kind.word()));
        }
        let marker: Marker = input.parse()?;
        let mut errors = Errors::new();
        let call = Call::of_tokens(kind, input.parse()?, &mut errors);
        errors.into_result()?;
        Ok(call.map(|call| emit::call(&call, &marker)).unwrap_or_default())
    };
    marked.parse2(tokens).unwrap_or_else(|error| {
        let error = error.to_compile_error();
        quote!({ #error ::core::unimplemented!() })
    })
}

/// The error of a use that no attribute has seen.
pub(crate) fn outside(word: &str) -> syn::Error {
    syn::Error::new(
        Span::call_site(),
        format!(
            "`{word}!` works only inside a `#[workflow]` function or a `#[part]`\n\
             put `#[part]` on the async fn that it stands in; what a `macro_rules!` macro writes is not seen, so write it out"
        ),
    )
}
