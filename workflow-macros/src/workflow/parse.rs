//! From tokens to the model. Reports what is wrong with options and attributes; the rules about the signature are in
//! `check`.

use super::fallback;
use super::model::{Model, Parameter, Role};
use crate::attribute::Options;
use crate::errors::Errors;
use crate::name;
use crate::runtime::Runtime;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Expr, FnArg, ItemFn, LitStr, Meta, PatType, parse_quote_spanned, spanned::Spanned};

const OPTIONS: &[&str] = &["name", "version", "queue", "keep_complete", "keep_failed", "crate"];

/// The fn under the attribute, and whether its body could not be read: then it keeps its signature, so that what calls it
/// goes on working.
pub(super) fn function(item: TokenStream) -> syn::Result<(ItemFn, bool)> {
    let error = match syn::parse2(item.clone()) {
        Ok(function) => return Ok((function, false)),
        Err(error) => error,
    };
    if let Ok(function) = syn::parse2(fallback::without_body(&item)) {
        return Ok((function, true));
    }
    if let Ok(declared) = syn::parse2::<syn::TraitItemFn>(item.clone()) {
        let message = "a workflow is a free fn with a body: what a trait declares can be a `#[part]`";
        return Err(syn::Error::new_spanned(declared.sig.ident, message));
    }
    Err(match syn::parse2::<syn::Item>(item) {
        Ok(other) if !matches!(other, syn::Item::Fn(_) | syn::Item::Verbatim(_)) => {
            syn::Error::new_spanned(other, "`#[workflow]` goes on a free `async fn`")
        }
        _ => error,
    })
}

/// The model; what is wrong is reported and left out.
pub(super) fn model(options: TokenStream, function: ItemFn, errors: &mut Errors) -> Model {
    let ItemFn { attrs, vis, sig: mut signature, block, .. } = function;
    let mut options = Options::parse(options, "`#[workflow]`", OPTIONS, errors);
    let name = options.string("name", errors);
    let queue = options.string("queue", errors);
    for (value, what) in [(&name, "workflow"), (&queue, "queue")] {
        if let Some(value) = value {
            name::check(value, what, errors);
        }
    }
    let ident = &signature.ident;
    let own_name = || LitStr::new(ident.to_string().trim_start_matches("r#"), ident.span());
    let name = name.unwrap_or_else(own_name);
    let parameters = signature.inputs.iter_mut().filter_map(|input| parameter(input, errors)).collect();
    Model {
        runtime: Runtime::new(options.path("crate", errors)),
        name,
        version: options.count("version", errors).unwrap_or(1),
        keep_complete: options.duration("keep_complete", errors),
        keep_failed: options.duration("keep_failed", errors),
        queue: queue.unwrap_or_else(|| LitStr::new("default", signature.ident.span())),
        attributes: attrs.into_iter().map(fallback::outer).collect(),
        visibility: vis,
        signature,
        parameters,
        block: *block,
    }
}

/// Reads one parameter and takes our attributes off it.
fn parameter(input: &mut FnArg, errors: &mut Errors) -> Option<Parameter> {
    let FnArg::Typed(PatType { attrs, pat, ty, .. }) = input else { return None };
    let mut resource = None;
    let mut default = None;
    for attribute in std::mem::take(attrs) {
        let known = ["resource", "default"].into_iter().find(|name| attribute.path().is_ident(name));
        match known {
            Some("resource") if resource.is_none() => {
                if !matches!(attribute.meta, Meta::Path(_)) {
                    errors.push(&attribute, "`#[resource]` takes nothing: it is found by its type");
                }
                resource = Some(attribute);
            }
            Some("default") if default.is_none() => default = Some((default_value(&attribute, errors), attribute)),
            Some(repeated) => errors.push(&attribute, format!("`#[{repeated}]` is given twice")),
            None => attrs.push(attribute),
        }
    }
    if let (Some(resource), Some(_)) = (&resource, &default) {
        errors.push(resource, "a resource is not recorded, so it has no default");
    }
    let role = match resource {
        Some(_) => Role::Resource,
        None => Role::Input { default: default.map(|(value, _)| value) },
    };
    Some(Parameter { pattern: (**pat).clone(), ty: (**ty).clone(), role })
}

/// `#[default]` or `#[default = expr]`.
fn default_value(attribute: &Attribute, errors: &mut Errors) -> Expr {
    let of_type = || parse_quote_spanned!(attribute.span()=> ::core::default::Default::default());
    match &attribute.meta {
        Meta::Path(_) => of_type(),
        Meta::NameValue(pair) => pair.value.clone(),
        Meta::List(list) => {
            errors.push(list.to_token_stream(), "write `#[default]` or `#[default = value]`");
            of_type()
        }
    }
}
