//! `race! { pattern = operation => expression, .. }`.
//!
//! The attribute parses it, walks its arms and marks it; the macro then becomes a `match` over the winner, in the
//! workflow's own code, so that arms may `return`, use `?` and await.

use crate::errors::Errors;
use crate::runtime::{Marker, operand};
use crate::step::outside;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Macro, Pat, Token, spanned::Spanned};

/// The most operations that one race takes.
const MOST: usize = 16;

/// A parsed race.
#[derive(Debug)]
pub(crate) struct Race {
    pub(crate) arms: Vec<Arm>,
}

/// `pattern = operation => then`.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) pattern: Pat,
    pub(crate) operation: Expr,
    pub(crate) then: Expr,
}

impl Race {
    /// Reads the arms; nothing when they cannot be read.
    pub(crate) fn of_macro(mac: &Macro, errors: &mut Errors) -> Option<Self> {
        Self::checked(mac.parse_body_with(read), mac.path.span(), errors)
    }

    /// The same from the tokens that the macro itself is given.
    fn of_tokens(tokens: TokenStream, errors: &mut Errors) -> Option<Self> {
        Self::checked(read.parse2(tokens), Span::call_site(), errors)
    }

    fn checked(arms: syn::Result<Vec<Arm>>, place: Span, errors: &mut Errors) -> Option<Self> {
        match arms {
            Ok(arms) if (2..=MOST).contains(&arms.len()) => Some(Self { arms }),
            Ok(arms) => {
                errors.push_losing_body(syn::Error::new(
                    arms.get(MOST).map_or(place, |arm| arm.pattern.span()),
                    format!("a race has 2 to {MOST} arms, this one has {}", arms.len()),
                ));
                None
            }
            Err(error) => {
                errors.push_losing_body(error);
                None
            }
        }
    }
}

impl ToTokens for Race {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for Arm { pattern, operation, then } in &self.arms {
            tokens.extend(quote!(#pattern = #operation => #then,));
        }
    }
}

fn read(input: ParseStream<'_>) -> syn::Result<Vec<Arm>> {
    let mut arms = Vec::new();
    while !input.is_empty() {
        if input.peek(Token![else]) {
            return Err(input
                .error("a race has no `else`: it waits until one operation has ended, so let one be a `sleep(..)`"));
        }
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        if !input.peek(Token![=]) || input.peek(Token![=>]) {
            return Err(input.error("an arm of `race!` is `pattern = operation => expression`"));
        }
        input.parse::<Token![=]>()?;
        let operation = input.parse()?;
        if !input.peek(Token![=>]) {
            return Err(input.error("an arm of `race!` is `pattern = operation => expression`"));
        }
        input.parse::<Token![=>]>()?;
        let then = Expr::parse_with_earlier_boundary_rule(input)?;
        let needs_comma = !matches!(then, Expr::Block(_));
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        } else if needs_comma && !input.is_empty() {
            return Err(input.error("expected `,` after an arm of `race!`"));
        }
        arms.push(Arm { pattern, operation, then });
    }
    Ok(arms)
}

/// Expands `race!`.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    let marked = |input: ParseStream<'_>| -> syn::Result<TokenStream> {
        if !input.peek(Token![@]) {
            return Err(outside("race"));
        }
        let marker: Marker = input.parse()?;
        let mut errors = Errors::new();
        let race = Race::of_tokens(input.parse()?, &mut errors);
        errors.into_result()?;
        Ok(race.map(|race| emit(&race, &marker)).unwrap_or_default())
    };
    marked.parse2(tokens).unwrap_or_else(|error| {
        let error = error.to_compile_error();
        quote!({ #error ::core::unimplemented!() })
    })
}

/// The operations are gone before an arm runs: it may use what they borrowed.
fn emit(race: &Race, marker: &Marker) -> TokenStream {
    let span = Span::mixed_site();
    let private = |name: &str| marker.runtime.private(name, span);
    let (probe, constructor) = (private("Probe"), private("race"));
    let raced = private(&format!("Raced{}", race.arms.len()));
    let context = &marker.context;
    let winner = Ident::new("winner", span);
    let operations = race.arms.iter().map(|arm| operand(&arm.operation, &marker.runtime));
    let arms = race.arms.iter().zip('A'..).map(|(Arm { pattern, then, .. }, letter)| {
        let variant = Ident::new(&letter.to_string(), span);
        // In the place of the pattern: there the compiler says that it does not always match.
        let value = Ident::new("value", span.located_at(pattern.span()));
        // A match of its own, so that a pattern that does not always match is told with the user's type.
        let matched = quote_spanned!(pattern.span()=> match #value { #pattern => #then });
        quote!(#raced::#variant(#value) => #matched,)
    });
    quote_spanned! {span=> {
        let #winner = #probe(#constructor((#(#operations,)*))).drive(&#context).await;
        match #winner { #(#arms)* }
    }}
}

#[cfg(test)]
mod tests {
    use super::Race;
    use crate::errors::Errors;
    use quote::quote;

    fn arms(tokens: proc_macro2::TokenStream) -> Result<usize, String> {
        let mut errors = Errors::new();
        let race = Race::of_tokens(tokens, &mut errors);
        errors.into_result().map_err(|error| error.to_string())?;
        Ok(race.expect("a race without mistakes").arms.len())
    }

    #[test]
    fn arms_are_patterns_operations_and_expressions() {
        assert_eq!(arms(quote!(a = x() => 1, Ok(b) | Err(b) = y().z("n") => { b } _ = sleep(5m) => return)), Ok(3));
    }

    #[test]
    fn what_is_not_an_arm_is_refused() {
        assert_eq!(arms(quote!(a = x() => 1)), Err("a race has 2 to 16 arms, this one has 1".to_owned()));
        assert!(arms(quote!(x() => 1, y() => 2)).is_err_and(|message| message.contains("pattern = operation")));
        assert!(arms(quote!(a = x(), b = y())).is_err_and(|message| message.contains("pattern = operation")));
    }
}
