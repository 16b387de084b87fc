//! The one place where mistakes are collected.
//!
//! Every phase pushes into an [`Errors`] and goes on, so that one compile shows all mistakes. It never decides what is
//! emitted beside the messages: `fallback` does. A sink that is dropped without being drained is a bug and says so.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found so far.
#[derive(Debug)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    body_lost: bool,
    drained: bool,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self { found: Vec::new(), body_lost: false, drained: false }
    }

    /// A mistake at `tokens`; the rest of the body is still emitted and checked by rustc.
    pub(crate) fn push(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.found.push(syn::Error::new_spanned(tokens, message));
    }

    /// The same for a place that is one token.
    pub(crate) fn push_at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.found.push(syn::Error::new(span, message));
    }

    /// A mistake that another phase already worded.
    pub(crate) fn push_error(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// A mistake that leaves no sensible body: rustc would only repeat it in other words, so no body is emitted.
    pub(crate) fn push_losing_body(&mut self, error: syn::Error) {
        self.body_lost = true;
        self.found.push(error);
    }

    /// Emits no body; why was already said.
    pub(crate) fn lose_body(&mut self) {
        self.body_lost = true;
    }

    /// Keeps the result, or notes the mistake.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.found.push(error);
                None
            }
        }
    }

    /// How many were found.
    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether the body can no longer be emitted.
    pub(crate) fn body_is_lost(&self) -> bool {
        self.body_lost
    }

    /// The messages as `compile_error!` calls, each at its own place.
    pub(crate) fn into_tokens(mut self) -> TokenStream {
        self.drained = true;
        self.found.iter().map(syn::Error::to_compile_error).collect()
    }

    /// All mistakes as one error, for expansions that must be one expression.
    pub(crate) fn into_result(mut self) -> syn::Result<()> {
        self.drained = true;
        let found = std::mem::take(&mut self.found);
        match found.into_iter().reduce(|mut all, next| {
            all.combine(next);
            all
        }) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(self.drained || std::thread::panicking(), "mistakes were collected and not reported");
    }
}

/// Where a span is, as `file:line:column`, or nothing where the compiler does not say (in an IDE).
pub(crate) fn place(span: Span) -> Option<String> {
    if !proc_macro::is_available() {
        return None;
    }
    let span = span.unwrap();
    match (span.file(), span.line()) {
        (file, line) if !file.is_empty() && line > 0 => Some(format!("{file}:{line}:{}", span.column())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Errors;

    #[test]
    #[should_panic(expected = "mistakes were collected and not reported")]
    fn dropping_without_reporting_panics() {
        drop(Errors::new());
    }
}
