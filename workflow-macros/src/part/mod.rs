//! `#[part]`: an async helper with durable operations becomes a plain fn that makes a boxed `Part`.

mod emit;
mod lifetimes;

use crate::attribute::Options;
use crate::body;
use crate::errors::Errors;
use crate::name;
use crate::runtime::Runtime;
use crate::workflow::fallback;
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Block, FnArg, Ident, LitStr, Pat, Safety, Signature, Token, Visibility, braced};

/// A fn, a method, or the declaration of one in a trait.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// Nothing in a trait's declaration.
    pub(crate) block: Option<Block>,
}

impl Parse for Part {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse()?;
        let block = if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            None
        } else {
            let content;
            let brace_token = braced!(content in input);
            attributes.extend(content.call(Attribute::parse_inner)?.into_iter().map(fallback::outer));
            Some(Block { brace_token, stmts: content.call(Block::parse_within)? })
        };
        Ok(Self { attributes, visibility, signature, block })
    }
}

/// Expands the attribute.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let (mut part, is_unread) = match read(&item) {
        Ok(part) => part,
        Err(error) => {
            let error = error.to_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::new();
    let mut options = Options::parse(options, "`#[part]`", &["name", "crate"], &mut errors);
    let runtime = Runtime::new(options.path("crate", &mut errors));
    let name = options.string("name", &mut errors);
    if let Some(name) = &name {
        name::check(name, "part", &mut errors);
    }
    let ident = &part.signature.ident;
    let name = name.unwrap_or_else(|| LitStr::new(ident.to_string().trim_start_matches("r#"), ident.span()));
    check(&mut part, &mut errors);
    let resources = take_resources(&mut part.signature);
    let mut warnings = body::Warnings::default();
    if let Some(block) = &mut part.block {
        warnings = body::walk(block, resources, &runtime, &mut errors);
        if errors.body_is_lost() {
            *block = fallback::body();
        }
    }
    if is_unread || errors.len() > 0 {
        part.attributes.push(fallback::quiet());
    }
    let warnings = warnings.into_items(&part.attributes);
    let unread = is_unread.then(|| fallback::unread(&item, &runtime));
    let item = emit::part(part, &name, &warnings, &runtime);
    let errors = errors.into_tokens();
    quote!(#item #unread #errors)
}

/// The part, and whether its body could not be read: then it keeps its signature, so that what calls it goes on working.
fn read(item: &TokenStream) -> syn::Result<(Part, bool)> {
    match syn::parse2(item.clone()) {
        Ok(part) => Ok((part, false)),
        Err(error) => {
            syn::parse2(fallback::without_body(item)).map(|part| (part, true)).map_err(|_| {
                match syn::parse2::<syn::Item>(item.clone()) {
                    Ok(other) if !matches!(other, syn::Item::Fn(_) | syn::Item::Verbatim(_)) => {
                        syn::Error::new_spanned(other, "`#[part]` goes on an `async fn`")
                    }
                    _ => error,
                }
            })
        }
    }
}

/// The names of the parameters that are marked `#[resource]`: as in a workflow, the body hands them on and no more.
fn take_resources(signature: &mut Signature) -> Vec<Ident> {
    let mut resources = Vec::new();
    for input in &mut signature.inputs {
        let FnArg::Typed(parameter) = input else { continue };
        let before = parameter.attrs.len();
        parameter.attrs.retain(|attribute| !attribute.path().is_ident("resource"));
        if let (true, Pat::Ident(pattern)) = (parameter.attrs.len() < before, &*parameter.pat) {
            resources.push(pattern.ident.clone());
        }
    }
    resources
}

/// What makes a part is that workflows await it; the rest of its signature is free.
fn check(part: &mut Part, errors: &mut Errors) {
    let signature = &mut part.signature;
    if signature.asyncness.take().is_none() {
        errors.push(signature.fn_token, "a part is an `async fn`: write `async` in front of `fn`");
    }
    if let Some(constness) = signature.constness.take() {
        errors.push(constness, "a part cannot be `const`: it is awaited in workflows");
    }
    if let Safety::Unsafe(unsafety) = std::mem::take(&mut signature.safety) {
        errors.push(unsafety, "a part cannot be `unsafe`");
    }
    if let Some(abi) = signature.abi.take() {
        errors.push(abi, "a part cannot be `extern`: it is awaited in workflows");
    }
}
