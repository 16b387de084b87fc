//! The paths that generated code names.
//!
//! Owns where the runtime lives (`::workflow`, or `crate = path`) and the hidden context local. It never emits logic:
//! every other phase asks it for a path and a span.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Token, parenthesized, spanned::Spanned};

/// The runtime crate, as generated code reaches it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runtime {
    root: Option<syn::Path>,
}

impl Runtime {
    /// The crate at `root`, or `::workflow`.
    pub(crate) fn new(root: Option<syn::Path>) -> Self {
        Self { root }
    }

    /// The path of `name` in the runtime's hidden module; errors about its use appear at `span`.
    pub(crate) fn private(&self, name: &str, span: Span) -> TokenStream {
        let name = Ident::new(name, span);
        let root = self.root(span);
        quote_spanned!(span=> #root::__private::#name)
    }

    /// The path of a public item of the runtime.
    pub(crate) fn public(&self, name: &str, span: Span) -> TokenStream {
        let name = Ident::new(name, span);
        let root = self.root(span);
        quote_spanned!(span=> #root::#name)
    }

    /// The source place of `span`, as the runtime's `Location`: a literal, which is no call in the code of each step.
    pub(crate) fn location(&self, span: Span) -> TokenStream {
        let location = self.private("Location", span);
        // `line!` names the place of the outermost expansion unless its tokens carry the user's own span.
        quote_spanned!(span=> #location { file: ::core::file!(), line: ::core::line!(), column: ::core::column!() })
    }

    /// Whether paths of the runtime start with this segment.
    pub(crate) fn starts_with(&self, segment: &Ident) -> bool {
        self.root.as_ref().and_then(|root| root.segments.first()).is_some_and(|first| first.ident == *segment)
    }

    /// At `span`, as an error about a path is shown at all of its tokens; the user's own path resolves as it did.
    fn root(&self, span: Span) -> TokenStream {
        match &self.root {
            Some(path) => path
                .to_token_stream()
                .into_iter()
                .map(|mut token| {
                    token.set_span(token.span().located_at(span));
                    token
                })
                .collect(),
            None => quote_spanned!(span=> ::workflow),
        }
    }
}

/// Checks at `span` that `value` is durable; when it is not, its type flows on, so that the mistake is one message.
pub(crate) fn operand(value: &syn::Expr, runtime: &Runtime) -> TokenStream {
    let span = value.span();
    let (probe, durable) = (runtime.private("Probe", span), runtime.private("durable", span));
    quote_spanned!(span=> #probe(#durable(#value)).operand())
}

/// The local that holds the context. `mixed_site`: a user's variable of this name is another variable.
pub(crate) fn context() -> Ident {
    Ident::new("__wf_cx", Span::mixed_site())
}

/// What the attribute puts in front of the tokens of `step!`, `group!` and `race!`: `@(context)`, `@(context, root)`,
/// and where variables are taken along `@(context; n, m)`.
///
/// It tells a marked use from a stray one, and carries what a macro expanded later could not name by itself.
#[derive(Clone, Debug)]
pub(crate) struct Marker {
    pub(crate) runtime: Runtime,
    pub(crate) context: Ident,
    /// The variables of a closure around it that the step or group takes along.
    pub(crate) owned: Vec<Ident>,
}

impl Marker {
    pub(crate) fn new(runtime: &Runtime) -> Self {
        Self { runtime: runtime.clone(), context: context(), owned: Vec::new() }
    }

    /// The same for a step or group that takes variables along.
    pub(crate) fn owning(self, owned: Vec<Ident>) -> Self {
        Self { owned, ..self }
    }
}

impl ToTokens for Marker {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let root = self.runtime.root.iter();
        let Self { context, owned, .. } = self;
        let owned = (!owned.is_empty()).then(|| quote!(; #(#owned),*));
        tokens.extend(quote!(@(#context #(, #root)* #owned)));
    }
}

impl Parse for Marker {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse::<Token![@]>()?;
        let content;
        parenthesized!(content in input);
        let context = content.parse()?;
        let comma: Option<Token![,]> = content.parse()?;
        let root = comma.map(|_| content.call(syn::Path::parse_mod_style)).transpose()?;
        let semicolon: Option<Token![;]> = content.parse()?;
        let owned = semicolon.map(|_| Punctuated::<Ident, Token![,]>::parse_terminated(&content)).transpose()?;
        let owned = owned.into_iter().flatten().collect();
        Ok(Self { runtime: Runtime::new(root), context, owned })
    }
}
