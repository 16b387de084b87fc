//! The syntax of `step!("name", option = value, …, body)` and of `group!`, which is the same.
//!
//! Owns the order of the parts and the words of its mistakes. What an option may be is in `options`.

use super::options;
use crate::errors::Errors;
use crate::name::{self, Kind};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Macro, Token, spanned::Spanned};

/// A parsed and checked call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    /// A placeholder where [`Self::is_named`] says so.
    pub(crate) name: LitStr,
    /// Whether a literal stands where the name belongs.
    pub(crate) is_named: bool,
    pub(crate) options: Vec<Setting>,
    /// Whether there is a `key`, `_` included.
    pub(crate) is_keyed: bool,
    pub(crate) body: Expr,
}

/// `option = value`.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) key: Ident,
    pub(crate) value: Expr,
}

/// One part as written, before the rules.
enum Argument {
    Option(Setting),
    Body(Expr),
}

impl Call {
    /// Reads the call and reports its mistakes; wrong options are left out, so that the rest keeps its types.
    ///
    /// Nothing when there is no body to go on with.
    pub(crate) fn of_macro(kind: Kind, mac: &Macro, errors: &mut Errors) -> Option<Self> {
        // What is missing at the end is reported at the closing delimiter.
        Self::checked(kind, mac.parse_body_with(read), mac.path.span(), errors)
    }

    /// The same from the tokens that the macro itself is given.
    pub(crate) fn of_tokens(kind: Kind, tokens: TokenStream, errors: &mut Errors) -> Option<Self> {
        Self::checked(kind, read.parse2(tokens), Span::call_site(), errors)
    }

    fn checked(kind: Kind, parts: syn::Result<Parts>, place: Span, errors: &mut Errors) -> Option<Self> {
        let (head, arguments) = match parts {
            Ok(parts) => parts,
            Err(error) => {
                errors.push_losing_body(error);
                return None;
            }
        };
        let is_late = |argument: &Argument| matches!(argument, Argument::Body(body) if is_text(body));
        let late = head.is_none() && arguments.iter().any(is_late);
        let (name, is_named) = take_name(kind, head, late, place, errors);
        let mut settings = Vec::new();
        let mut bodies = Vec::new();
        for argument in arguments {
            match argument {
                Argument::Option(setting) if bodies.is_empty() => settings.push(setting),
                Argument::Option(setting) => errors.push(
                    &setting.key,
                    format!("a {}'s body comes last: move `{}` in front of it", kind.word(), setting.key),
                ),
                Argument::Body(body) => bodies.push(body),
            }
        }
        let is_keyed = settings.iter().any(|setting| setting.key == "key");
        let options = options::check(kind, settings, errors);
        let body = take_body(kind, &name, is_named, bodies, errors)?;
        Some(Self { kind, name, is_named, options, is_keyed, body })
    }
}

impl ToTokens for Call {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { name, options, body, .. } = self;
        let options = options.iter().map(|Setting { key, value }| quote!(#key = #value,));
        tokens.extend(quote!(#name, #(#options)* #body));
    }
}

/// What stands first, and the rest.
type Parts = (Option<Expr>, Vec<Argument>);

fn read(input: ParseStream<'_>) -> syn::Result<Parts> {
    let mut head = None;
    let mut arguments = Vec::new();
    if !input.is_empty() && !starts_option(input) {
        head = Some(input.parse()?);
        comma(input)?;
    }
    while !input.is_empty() {
        if input.peek(syn::Ident) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
            let key: Ident = input.parse()?;
            return Err(syn::Error::new(key.span(), format!("an option is written with `=`: `{key} = ..`")));
        }
        arguments.push(if starts_option(input) {
            let key = input.parse()?;
            input.parse::<Token![=]>()?;
            if input.is_empty() || input.peek(Token![,]) {
                return Err(without_value(&key));
            }
            Argument::Option(Setting { key, value: input.parse()? })
        } else {
            Argument::Body(input.parse()?)
        });
        comma(input)?;
    }
    Ok((head, arguments))
}

fn starts_option(input: ParseStream<'_>) -> bool {
    input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) && !input.peek2(Token![=>])
}

fn comma(input: ParseStream<'_>) -> syn::Result<()> {
    if !input.is_empty() && input.parse::<Token![,]>().is_err() {
        return Err(input.error("expected `,`: the parts are `\"name\", option = value, body`"));
    }
    Ok(())
}

fn without_value(key: &Ident) -> syn::Error {
    syn::Error::new(key.span(), format!("`{key}` has no value: `{key} = ..`"))
}

/// The name, and whether one was written; `late` when it stands behind options. A placeholder keeps the rest going.
fn take_name(kind: Kind, head: Option<Expr>, late: bool, place: Span, errors: &mut Errors) -> (LitStr, bool) {
    let word = kind.word();
    match head {
        Some(Expr::Lit(ExprLit { lit: Lit::Str(name), .. })) => {
            name::check(&name, word, errors);
            (name, true)
        }
        Some(other) => {
            errors.push(
                &other,
                format!(
                    "a {word} starts with its name, a string literal: `{word}!(\"what it does\", ..)`\n\
                     to tell occurrences apart add `key = ..`"
                ),
            );
            (LitStr::new("unnamed", place), false)
        }
        // Said at the body that is one.
        None if late => (LitStr::new("unnamed", place), false),
        None => {
            errors.push_losing_body(syn::Error::new(
                place,
                format!("a {word} starts with its name, a string literal: `{word}!(\"what it does\", ..)`"),
            ));
            (LitStr::new("unnamed", place), false)
        }
    }
}

fn take_body(kind: Kind, name: &LitStr, named: bool, mut bodies: Vec<Expr>, errors: &mut Errors) -> Option<Expr> {
    let word = kind.word();
    let Some(body) = bodies.pop() else {
        let example = match kind {
            Kind::Group => "{ durable operations; Ok(..) }",
            _ => "client.call()",
        };
        let missing =
            format!("{word} `{0}` has no body: add what it runs, `{word}!(\"{0}\", {example})`", name.value());
        // Without a name the only part was taken for it, and that was said.
        if named {
            errors.push_losing_body(syn::Error::new_spanned(name, missing));
        } else {
            errors.lose_body();
        }
        return None;
    };
    for extra in bodies {
        if !named && is_text(&extra) {
            let message = format!("a {word} starts with its name: move it in front of the options");
            errors.push_losing_body(syn::Error::new_spanned(extra, message));
            continue;
        }
        if let Some(key) = options::named_by(&extra) {
            errors.push_error(without_value(key));
            continue;
        }
        errors.push(extra, format!("a {word} has one body, its last part: join several in a `{{ block }}`"));
    }
    if kind == Kind::Group && !matches!(&body, Expr::Block(_) | Expr::Async(_)) {
        errors.push_losing_body(syn::Error::new_spanned(
            &body,
            "a group's body is a block of durable operations that ends in `Ok(..)`: `group!(\"name\", { .. })`",
        ));
        return None;
    }
    Some(body)
}

fn is_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Lit(ExprLit { lit: Lit::Str(_), .. }))
}

#[cfg(test)]
mod tests {
    use super::Call;
    use crate::errors::Errors;
    use crate::name::Kind;
    use quote::{ToTokens, quote};

    fn parse(tokens: proc_macro2::TokenStream) -> Result<String, Vec<String>> {
        let mut errors = Errors::new();
        let call = Call::of_tokens(Kind::Step, tokens, &mut errors);
        match errors.into_result() {
            Ok(()) => Ok(call.expect("a call without mistakes has a body").to_token_stream().to_string()),
            Err(errors) => Err(errors.into_iter().map(|error| error.to_string()).collect()),
        }
    }

    #[test]
    fn the_parts_come_back_in_order() {
        let call = parse(quote!("reserve", key = item.sku, retries = 3, shop.reserve(item)));
        assert_eq!(call.as_deref(), Ok("\"reserve\" , key = item . sku , retries = 3 , shop . reserve (item)"));
    }

    #[test]
    fn every_mistake_of_a_call_is_found() {
        let found = parse(quote!(NAME, retires = 3, delay = 2, backoff = quick, shop.reserve(item), retries = 1))
            .expect_err("it is full of mistakes");
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found[2].contains("did you mean `retries`"), "{found:?}");
    }

    #[test]
    fn a_forgotten_name_is_said_once() {
        let found = parse(quote!(shop.reserve(item))).expect_err("there is no name");
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
