//! `#[derive(Event)]`: the name under which a type of event travels.

use crate::attribute::Options;
use crate::errors::Errors;
use crate::name;
use crate::runtime::Runtime;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, LitStr, Meta};

/// Expands the derive.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::new();
    let mut options = options(&input, &mut errors);
    let name = options.string("name", &mut errors);
    let runtime = Runtime::new(options.path("crate", &mut errors));
    if let Some(name) = &name {
        name::check(name, "event", &mut errors);
    }
    let implementation = if check_generics(&input, &mut errors) {
        let name = name.unwrap_or_else(|| LitStr::new(&input.ident.to_string(), input.ident.span()));
        emit(&input, &name, &runtime)
    } else {
        TokenStream::new()
    };
    let errors = errors.into_tokens();
    quote!(#implementation #errors)
}

fn options(input: &DeriveInput, errors: &mut Errors) -> Options {
    let mut lists = TokenStream::new();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
        match &attribute.meta {
            Meta::List(list) => {
                let tokens = &list.tokens;
                lists.extend(quote!(#tokens,));
            }
            other => errors.push(other, "write `#[event(name = \"..\")]`"),
        }
    }
    Options::parse(lists, "`#[event]`", &["name", "crate"], errors)
}

/// One name is one type: a generic one would decode differently in each waiter.
fn check_generics(input: &DeriveInput, errors: &mut Errors) -> bool {
    let generic = !input.generics.params.is_empty();
    let mut lifetimes = input.generics.lifetimes();
    if let Some(lifetime) = lifetimes.next()
        && lifetimes.count() + 1 == input.generics.params.len()
    {
        errors.push(lifetime, "an event is recorded and read back, so it owns its data: `String` instead of `&str`");
    } else if generic {
        errors
            .push(&input.generics, "an event cannot be generic: it travels under one name and is decoded as one type");
    }
    !generic
}

fn emit(input: &DeriveInput, name: &LitStr, runtime: &Runtime) -> TokenStream {
    let ident = &input.ident;
    let event = runtime.public("Event", ident.span());
    quote_spanned! {ident.span()=>
        const _: () = {
            impl #event for #ident {
                const TYPE: &'static str = #name;
            }
        };
    }
}
