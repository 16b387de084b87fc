//! What a marked `step!` or `group!` becomes: one call of the runtime, with the options as its builder's methods.

use super::parse::{Call, Setting};
use super::temporaries;
use crate::lints;
use crate::name::Kind;
use crate::runtime::Marker;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Block, Expr, ExprAsync, ExprClosure, Pat, Token, spanned::Spanned};

/// The whole expression.
pub(crate) fn call(call: &Call, marker: &Marker) -> TokenStream {
    let Call { kind, name, options, body, .. } = call;
    // What the constructor asks of the body and its result is reported at the name.
    let span = name.span();
    let runtime = &marker.runtime;
    let (constructor, body) = match kind {
        Kind::Group => ("group", group_body(body, marker, span)),
        _ => step_body(body, marker, span),
    };
    let constructor = runtime.private(constructor, span);
    let at = runtime.location(span);
    let options = options.iter().map(|setting| option(setting, marker));
    quote_spanned!(span=> #constructor(#name, #at, #body) #(#options)*)
}

fn option(Setting { key, value }: &Setting, marker: &Marker) -> TokenStream {
    let span = key.span();
    match key.to_string().as_str() {
        // By reference: a key is often a field of what the loop borrows.
        // Format arguments borrow what cannot stay over an `.await`.
        "key" if matches!(value, Expr::Macro(text) if text.mac.path.is_ident("format_args")) => {
            quote_spanned!(span=> .#key({ let key = ::std::string::ToString::to_string(&#value); key }))
        }
        "key" => {
            let reference = quote_spanned!(Span::mixed_site().located_at(span)=> &);
            quote_spanned!(span=> .#key(#reference #value))
        }
        "backoff" => {
            let backoff = marker.runtime.private("Backoff", span);
            let word = quote!(#value).to_string();
            let variant = match word.as_str() {
                "constant" => "Constant",
                "linear" => "Linear",
                _ => "Exponential",
            };
            let variant = Ident::new(variant, value.span());
            quote_spanned!(span=> .#key(#backoff::#variant))
        }
        _ => quote_spanned!(span=> .#key(#value)),
    }
}

/// The constructor, and what it is given.
fn step_body(body: &Expr, marker: &Marker, span: Span) -> (&'static str, TokenStream) {
    let body = match body {
        Expr::Closure(closure) => return ("step_with_context", contextual(closure, marker, span)),
        // What moves into the future moves into the closure first; only references and copies can do so repeatedly.
        Expr::Async(ExprAsync { capture: Some(_), .. }) => {
            let body = allowing(&quote!(#body), body.span());
            quote_spanned!(span=> move || { #body })
        }
        _ if !marker.owned.is_empty() => {
            let (future, place) = future_of(body, marker);
            let entering = Entering { kind: "StepContext", pattern: quote!(_), moves: None, future, span, place };
            return ("step_with_context", entering.tokens(marker));
        }
        Expr::Block(block) if is_plain(body) => {
            let future = boxed_errors(&block.block, &lints::allowed(), marker);
            let future = quote_spanned!(whole(&block.block)=> async { #future });
            quote_spanned!(span=> || #future)
        }
        // What the future borrows from a temporary would be gone when the closure returns; in a block it lives as long.
        _ if temporaries::may_be_borrowed(body) => {
            let future = quote_spanned!(body.span()=> ::core::future::IntoFuture::into_future(#body).await);
            let future = allowing(&future, body.span());
            let future = quote_spanned!(body.span()=> async { #future });
            quote_spanned!(span=> || #future)
        }
        _ => {
            let body = allowing(&quote!(#body), body.span());
            quote_spanned!(span=> || { #body })
        }
    };
    ("step", body)
}

/// `|cx| body`: the context lives in the future, so that the body may borrow from it.
fn contextual(closure: &ExprClosure, marker: &Marker, span: Span) -> TokenStream {
    let body = &*closure.body;
    let moves = match body {
        Expr::Async(ExprAsync { capture: Some(capture), .. }) => Some(*capture),
        _ => closure.capture,
    };
    let (future, place) = future_of(body, marker);
    let pattern = match closure.inputs.first() {
        Some(Pat::Type(typed)) => (*typed.pat).clone(),
        Some(pattern) => pattern.clone(),
        None => Pat::Wild(syn::PatWild { attrs: Vec::new(), underscore_token: <Token![_]>::default() }),
    };
    Entering { kind: "StepContext", pattern: quote!(#pattern), moves, future, span, place }.tokens(marker)
}

/// What a body does inside of an async block, and the place of it.
fn future_of(body: &Expr, marker: &Marker) -> (TokenStream, Span) {
    match body {
        Expr::Block(block) if is_plain(body) => {
            (boxed_errors(&block.block, &lints::allowed(), marker), whole(&block.block))
        }
        _ => {
            let future = quote_spanned!(body.span()=> ::core::future::IntoFuture::into_future(#body).await);
            (allowing(&future, body.span()), body.span())
        }
    }
}

/// A group's body: the scope's context takes the place of the function's.
fn group_body(body: &Expr, marker: &Marker, span: Span) -> TokenStream {
    let (block, moves) = match body {
        Expr::Block(block) => (&block.block, None),
        Expr::Async(block) => (&block.block, block.capture),
        _ => unreachable!("a group's body was checked to be a block"),
    };
    let context = &marker.context;
    let (pattern, future) = (quote!(#context), boxed_errors(block, &TokenStream::new(), marker));
    Entering { kind: "Ctx", pattern, moves, future, span, place: whole(block) }.tokens(marker)
}

/// A closure whose future takes the argument along, and borrows everything else.
///
/// `|cx| async { .. cx .. }` would borrow a local of the closure, `async move` would move every captured variable, and an
/// async closure names no variable when it refuses one. A value that is moved out of itself is captured by value.
struct Entering {
    /// The argument's type.
    kind: &'static str,
    pattern: TokenStream,
    moves: Option<Token![move]>,
    future: TokenStream,
    /// Where mistakes about the closure are shown.
    span: Span,
    /// Where mistakes about the future are shown.
    place: Span,
}

impl Entering {
    fn tokens(&self, marker: &Marker) -> TokenStream {
        let Self { kind, pattern, moves, future, span, place } = self;
        let kind = marker.runtime.private(kind, Span::mixed_site());
        let handed = Ident::new("handed", Span::mixed_site());
        let future = quote_spanned! {*place=>
            let #pattern = ::core::convert::identity::<#kind>(#handed);
            #future
        };
        let owned = &marker.owned;
        if owned.is_empty() || moves.is_some() {
            let future = quote_spanned!(*place=> async #moves { #future });
            return quote_spanned!(*span=> #moves |#handed: #kind| #future);
        }
        let site = Span::mixed_site();
        let (holding, kept_type) = (marker.runtime.private("holding", *span), marker.runtime.private("Kept", site));
        let kept = Ident::new("kept", site);
        let checked = owned.iter().map(|name| {
            let owned = marker.runtime.private("owned", name.span());
            quote_spanned!(name.span()=> #owned(#name))
        });
        let future = quote_spanned! {*place=>
            async {
                // A body that has a variable of this name itself needs none.
                #[allow(unused_variables)]
                let (#(#kept_type { value: #owned, .. },)*) = ::core::convert::identity(#kept);
                #future
            }
        };
        quote_spanned!(*span=> #holding((#(#checked,)*), |#handed: #kind, #kept| #future))
    }
}

/// A block that may do what clippy refuses in a workflow's own code: to be the end of another, where an attribute may stand.
fn allowing(expression: &TokenStream, span: Span) -> TokenStream {
    let allowed = lints::allowed();
    quote_spanned!(span=> #allowed { #expression })
}

/// The place of a whole block, from brace to brace.
fn whole(block: &Block) -> Span {
    block.brace_token.span.join()
}

/// A block whose errors are boxed: `?` takes any, and a plain `Ok(..)` at the end needs no type.
fn boxed_errors(block: &Block, allowed: &TokenStream, marker: &Marker) -> TokenStream {
    let span = Span::mixed_site();
    let error = marker.runtime.private("BlockError", span);
    let result = Ident::new("result", span);
    // The return that never happens tells rustc the type before it meets the first `?`.
    quote_spanned! {span=>
        if let ::core::option::Option::Some(#result) =
            ::core::option::Option::None::<::core::result::Result<_, #error>>
        {
            return #result;
        }
        #allowed
        #[allow(clippy::diverging_sub_expression)]
        let #result: ::core::result::Result<_, #error> = #block;
        #[allow(unreachable_code)]
        #result
    }
}

/// A `{ block }` without label or attributes.
fn is_plain(body: &Expr) -> bool {
    matches!(body, Expr::Block(block) if block.label.is_none() && block.attrs.is_empty())
}
