//! What a workflow becomes: the fn, the type of the same name, and a registration. A thin shim over the runtime.
//!
//! Nothing here can fail, and nothing here decides: rules are in `check`, behaviour is in `workflow::__private`.

use super::model::{Model, Parameter, Role};
use crate::body;
use crate::lints;
use crate::runtime::context;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Attribute, GenericArgument, PathArguments, ReturnType, Type, spanned::Spanned};

/// All items.
pub(super) fn items(model: &Model, graph: &str) -> TokenStream {
    let function = function(model);
    let structure = structure(model);
    let cfgs = with_names(&model.attributes, &["cfg"]);
    let inputs = model.inputs().enumerate().map(|(index, input)| input_constant(model, index, input));
    let methods = methods(model);
    let body = run_body(model);
    let definition = definition(model, graph);
    let registration = registration(model);
    quote! {
        #function
        #structure
        #(#cfgs)*
        #[allow(deprecated)]
        const _: () = {
            #(#inputs)*
            #methods
            #body
            #definition
            #registration
        };
    }
}

/// The fn: a child, for other workflows. The resources are taken where the child runs.
fn function(model: &Model) -> TokenStream {
    let Model { visibility, .. } = model;
    let ident = model.ident();
    let span = ident.span();
    let attributes = with_names(&model.attributes, &["doc", "cfg", "deprecated"]);
    let parameters = model.parameters.iter().map(declared);
    let names = model.inputs().filter_map(Parameter::name);
    let (child, start) = (model.runtime.private("Child", span), model.runtime.private("child", span));
    // What is said of a child names the line that calls for it.
    quote_spanned! {span=>
        #(#attributes)*
        #[allow(dead_code, unused_variables, clippy::needless_pass_by_value, clippy::too_many_arguments)]
        #[inline]
        #[track_caller]
        #visibility fn #ident(#(#parameters),*) -> #child<#ident> {
            #start::<#ident>(#ident::__encode(#(&#names),*))
        }
    }
}

/// The type of the same name: braced, so that the fn's name stays free.
fn structure(model: &Model) -> TokenStream {
    let Model { visibility, .. } = model;
    let ident = model.ident();
    let attributes = with_names(&model.attributes, &["doc", "cfg", "deprecated"]);
    // The lint for missing docs is told of the fn beside it.
    let doc = attributes.iter().all(|attribute| !attribute.path().is_ident("doc")).then(|| quote!(#[doc = ""]));
    quote! {
        #(#attributes)*
        #doc
        #[allow(non_camel_case_types)]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #visibility struct #ident {}
    }
}

/// How one input is recorded. The only place where its type is asked for anything: one mistake, one message.
fn input_constant(model: &Model, index: usize, input: &Parameter) -> TokenStream {
    let constant = input_ident(index);
    let ty = &input.ty;
    let span = first_span(ty);
    let (kind, constructor) = (model.runtime.private("Input", span), model.runtime.private("input", span));
    let name = recorded_name(input);
    quote_spanned!(span=> const #constant: #kind<#ty> = #constructor::<#ty>(#name);)
}

/// The methods of the type. `inline` is for the compiler's sake: code is made where they are called, and for those that
/// nobody calls not at all.
fn methods(model: &Model) -> TokenStream {
    let Model { runtime, .. } = model;
    let ident = model.ident();
    let private = |name: &str| runtime.private(name, Span::call_site());
    let engine = runtime.public("Engine", Span::call_site());
    let [create, create_type, batch, batch_type, get, get_type] =
        ["create", "Create", "create_batch", "CreateBatch", "get", "Get"].map(private);
    let [new, new_type, test, test_type, encoded, definition] =
        ["new_instance", "New", "test", "Test", "EncodedInputs", "Definition"].map(private);
    let parameters: Vec<_> = model.inputs().map(declared).collect();
    let borrowed = model.inputs().map(|input| {
        let (name, ty) = (input.name(), &input.ty);
        quote!(#name: &#ty)
    });
    let names: Vec<_> = model.inputs().filter_map(Parameter::name).collect();
    let constants = (0..names.len()).map(input_ident);
    // `mixed_site`: an input may have the same name.
    let [at, inputs, items, id] = ["engine", "inputs", "items", "id"].map(|name| Ident::new(name, Span::mixed_site()));
    quote! {
        #[allow(clippy::too_many_arguments)]
        impl #ident {
            /// The name under which instances are recorded.
            pub const NAME: &'static str = <Self as #definition>::NAME;
            /// The major version; an instance runs only on the version that started it.
            pub const VERSION: u32 = <Self as #definition>::VERSION;
            /// The durable operations of the source, as a Mermaid flowchart.
            pub const GRAPH: &'static str = <Self as #definition>::GRAPH;
            /// Starts an instance with these inputs, once awaited.
            #[inline]
            pub fn create(#at: &#engine, #(#parameters),*) -> #create_type<Self> {
                #create::<Self>(#at, Self::__encode(#(&#names),*))
            }
            /// An instance to be started by `create_batch`.
            #[inline]
            pub fn new(#(#parameters),*) -> #new_type<Self> {
                #new::<Self>(Self::__encode(#(&#names),*))
            }
            /// Starts up to 1,000 instances at once, once awaited.
            pub fn create_batch(
                #at: &#engine,
                #items: impl ::core::iter::IntoIterator<Item = #new_type<Self>>,
            ) -> #batch_type<Self> {
                #batch::<Self>(#at, #items)
            }
            /// Finds the instance with this id, once awaited.
            pub fn get(#at: &#engine, #id: impl ::core::convert::Into<::std::string::String>) -> #get_type<Self> {
                #get::<Self>(#at, #id)
            }
            /// A run in memory and in virtual time, for unit tests.
            #[inline]
            pub fn test(#(#parameters),*) -> #test_type<Self> {
                #test::<Self>(Self::__encode(#(&#names),*))
            }
            #[inline]
            fn __encode(#(#borrowed),*) -> #encoded {
                let mut #inputs = #encoded::new();
                #(#constants.encode(#names, &mut #inputs);)*
                #inputs
            }
        }
    }
}

/// The fn as written, under its own name so that messages speak of it, and out of the way of a call of the workflow.
fn run_body(model: &Model) -> TokenStream {
    let attributes = model
        .attributes
        .iter()
        .filter(|attribute| !named(attribute, &["doc", "cfg", "deprecated", "must_use", body::ALLOW]));
    let ident = model.ident();
    let context_type = model.runtime.private("Ctx", Span::call_site());
    let context = context();
    let parameters = model.parameters.iter().map(|Parameter { pattern, ty, .. }| quote!(#pattern: #ty));
    let output = &model.signature.output;
    let statements = &model.block.stmts;
    let body = quote_spanned! {model.block.brace_token.span.join()=> {
        let _ = &#context;
        #(#statements)*
    }};
    let denied = lints::denied();
    quote! {
        struct __Workflow;
        impl __Workflow {
            #denied
            #(#attributes)*
            #[allow(clippy::too_many_arguments)]
            async fn #ident(#context: #context_type, #(#parameters),*) #output #body
        }
    }
}

fn definition(model: &Model, graph: &str) -> TokenStream {
    let Model { runtime, name, version, queue, .. } = model;
    let ident = model.ident();
    let private = |name: &str| runtime.private(name, Span::call_site());
    let (definition, registration) = (private("Definition"), private("Registration"));
    let (output, error) = outcome(model);
    let kept = [("KEEP_COMPLETE", &model.keep_complete), ("KEEP_FAILED", &model.keep_failed)];
    let kept = kept.into_iter().filter_map(|(name, duration)| {
        let (name, duration) = (Ident::new(name, Span::call_site()), duration.as_ref()?);
        let option = quote!(::core::option::Option);
        Some(quote!(const #name: #option<::core::time::Duration> = #option::Some(#duration);))
    });
    quote! {
        impl #definition for #ident {
            const NAME: &'static str = #name;
            const VERSION: u32 = #version;
            const QUEUE: &'static str = #queue;
            #(#kept)*
            const GRAPH: &'static str = #graph;
            type Output = #output;
            type Error = #error;
            fn registration() -> &'static #registration { &__REGISTRATION }
        }
    }
}

fn registration(model: &Model) -> TokenStream {
    let Model { runtime, .. } = model;
    let ident = model.ident();
    let span = ident.span();
    let private = |name: &str| runtime.private(name, Span::call_site());
    let [definition, registration, registered, key] =
        ["Definition", "Registration", "Registered", "ResourceKey"].map(private);
    let at = runtime.location(span);
    let resources = model.parameters.iter().filter_map(Parameter::resource);
    let start = start(model);
    let inventory = private("inventory");
    quote! {
        static __REGISTRATION: #registration = #registration {
            name: <#ident as #definition>::NAME,
            version: <#ident as #definition>::VERSION,
            queue: <#ident as #definition>::QUEUE,
            graph: <#ident as #definition>::GRAPH,
            at: #at,
            resources: || ::std::vec![#(#key::of::<#resources>()),*],
            start: #start,
        };
        #inventory::submit! { #registered(&__REGISTRATION) }
    }
}

/// From the recorded inputs to the running future.
fn start(model: &Model) -> TokenStream {
    let Model { runtime, .. } = model;
    let ident = model.ident();
    let span = ident.span();
    let start_type = runtime.private("Start", Span::call_site());
    let [start, cx, inputs, resources] =
        ["start", "cx", "inputs", "resources"].map(|name| Ident::new(name, Span::mixed_site()));
    let mut recorded = 0;
    let mut values = Vec::new();
    let mut arguments = Vec::new();
    for (index, parameter) in model.parameters.iter().enumerate() {
        let value = format_ident!("value_{index}", span = Span::mixed_site());
        values.push(match parameter.resource() {
            Some(ty) => quote!(let #value = #resources.get::<#ty>()?;),
            None => {
                let constant = input_ident(recorded);
                recorded += 1;
                match &parameter.role {
                    Role::Input { default: Some(default) } => {
                        quote!(let #value = #constant.decode_or(&mut #inputs, || #default)?;)
                    }
                    _ => quote!(let #value = #constant.decode(&mut #inputs)?;),
                }
            }
        });
        arguments.push(match parameter.resource() {
            Some(_) => quote!(&*#value),
            None => quote!(#value),
        });
    }
    // What is not `Send` in the body is reported at the workflow's name.
    let ended = ended(model, &quote_spanned!(span=> __Workflow::#ident(#cx, #(#arguments),*).await));
    let boxed = model.runtime.private("run_future", span);
    let future = quote_spanned!(span=> #boxed(async move { #ended }));
    quote! {
        |#start| {
            let #start_type { #cx, mut #inputs, #resources } = #start;
            #(#values)*
            ::core::result::Result::Ok(#future)
        }
    }
}

/// What the body returned, encoded. An error's own words are asked for here, where its type is known.
fn ended(model: &Model, returned: &TokenStream) -> TokenStream {
    let ident = model.ident();
    let span = ident.span();
    let private = |name: &str| model.runtime.private(name, span);
    if result(model).is_none() {
        let ended = private("ended_value");
        return quote_spanned!(span=> #ended::<#ident>(#returned));
    }
    let [ended, words, no_words] = ["ended_result", "Words", "NoWords"].map(private);
    let error = Ident::new("error", Span::mixed_site());
    quote_spanned! {span=>
        #ended::<#ident>(#returned, |#error| {
            #[allow(unused_imports)]
            use #no_words as _;
            #words(#error).words()
        })
    }
}

/// The types of the output and the error, at the user's own tokens where they can be told apart.
fn outcome(model: &Model) -> (TokenStream, TokenStream) {
    let never = model.runtime.private("Never", Span::call_site());
    match (&model.signature.output, result(model)) {
        (ReturnType::Default, _) => (quote!(()), never),
        (ReturnType::Type(_, ty), None) => (ty.to_token_stream(), never),
        (ReturnType::Type(_, ty), Some(arguments)) => match &arguments[..] {
            [output, error] => (output.to_token_stream(), error.to_token_stream()),
            // An alias such as `workflow::Result<T>`: the compiler knows what it stands for.
            [output] => {
                let projected = result_type(model, output.span());
                let error = result_type(model, first_span(ty));
                (
                    quote_spanned!(output.span()=> <#ty as #projected>::Ok),
                    quote_spanned!(first_span(ty)=> <#ty as #error>::Err),
                )
            }
            _ => {
                let projected = result_type(model, first_span(ty));
                (
                    quote_spanned!(first_span(ty)=> <#ty as #projected>::Ok),
                    quote_spanned!(first_span(ty)=> <#ty as #projected>::Err),
                )
            }
        },
    }
}

fn result_type(model: &Model, span: Span) -> TokenStream {
    model.runtime.private("ResultType", span)
}

/// The type arguments of a return type that is called `Result`.
fn result(model: &Model) -> Option<Vec<&Type>> {
    let ReturnType::Type(_, ty) = &model.signature.output else { return None };
    let Type::Path(path) = without_groups(ty) else { return None };
    let last = path.path.segments.last()?;
    if last.ident != "Result" {
        return None;
    }
    let arguments = match &last.arguments {
        PathArguments::AngleBracketed(list) => list.args.iter().filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        }),
        _ => return Some(Vec::new()),
    };
    Some(arguments.collect())
}

fn without_groups(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => without_groups(&group.elem),
        Type::Paren(paren) => without_groups(&paren.elem),
        other => other,
    }
}

/// The parameter as callers see it: `mut` is the body's affair.
fn declared(parameter: &Parameter) -> TokenStream {
    let (name, ty) = (parameter.name(), &parameter.ty);
    quote!(#name: #ty)
}

fn recorded_name(input: &Parameter) -> String {
    input.name().map(|name| name.to_string().trim_start_matches("r#").to_owned()).unwrap_or_default()
}

fn input_ident(index: usize) -> Ident {
    format_ident!("__INPUT_{index}")
}

/// A type's first token: where its errors are shown.
fn first_span(ty: &Type) -> Span {
    ty.span()
}

fn with_names<'a>(attributes: &'a [Attribute], names: &'a [&str]) -> Vec<&'a Attribute> {
    attributes.iter().filter(|attribute| named(attribute, names)).collect()
}

fn named(attribute: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attribute.path().is_ident(name))
}
