//! `#[workflow]`: parse, check, walk the body, emit.

mod check;
mod emit;
pub(crate) mod fallback;
mod model;
mod parse;

use crate::body;
use crate::errors::Errors;
use crate::graph;
use proc_macro2::TokenStream;
use quote::quote;

/// Expands the attribute.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let (function, is_unread) = match parse::function(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.to_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::new();
    let mut model = parse::model(options, function, &mut errors);
    let sound = check::all(&model, &mut errors);
    let graph = graph::of(&model.block, &model.runtime);
    for parameter in &mut model.parameters {
        if let model::Role::Input { default: Some(default) } = &mut parameter.role {
            body::rewrite_durations(default, &mut errors);
        }
    }
    let resources = model.parameters.iter().filter(|parameter| matches!(parameter.role, model::Role::Resource));
    let resources = resources.filter_map(|resource| resource.name().cloned()).collect();
    if model.signature.asyncness.is_none() {
        // What its body holds is meant for something else.
        model.block = fallback::body();
    }
    let warnings = body::walk(&mut model.block, resources, &model.runtime, &mut errors);
    if is_unread || errors.len() > 0 {
        model.attributes.push(fallback::quiet());
    }
    let items = if !sound {
        fallback::signature(&model)
    } else {
        if errors.body_is_lost() {
            model.block = fallback::body();
        }
        emit::items(&model, &graph)
    };
    let warnings = warnings.into_items(&model.attributes);
    let unread = is_unread.then(|| fallback::unread(&item, &model.runtime));
    let errors = errors.into_tokens();
    quote!(#items #warnings #unread #errors)
}
