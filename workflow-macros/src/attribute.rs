//! `key = value` lists of the attributes: `#[workflow(..)]`, `#[part(..)]`, `#[event(..)]`.

use crate::errors::Errors;
use crate::step::check_duration;
use crate::suggest;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path, Token};

/// The options of one attribute, each at most once, all known.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pairs: Vec<(Ident, Expr)>,
}

impl Options {
    /// Reads `tokens`; unknown and repeated options are reported and left out.
    pub(crate) fn parse(tokens: TokenStream, what: &str, valid: &[&str], errors: &mut Errors) -> Self {
        let written = errors.take(read.parse2(tokens)).unwrap_or_default();
        let mut options = Self::default();
        for (key, value) in written {
            let word = key.to_string();
            if !valid.contains(&word.as_str()) {
                errors.push(&key, suggest::unknown(&format!("option of {what}"), &word, valid));
            } else if options.pairs.iter().any(|(known, _)| *known == key) {
                errors.push(&key, format!("`{word}` is given twice"));
            } else {
                options.pairs.push((key, value));
            }
        }
        options
    }

    /// The value of a string option.
    pub(crate) fn string(&mut self, key: &str, errors: &mut Errors) -> Option<LitStr> {
        match self.take(key)? {
            Expr::Lit(ExprLit { lit: Lit::Str(value), .. }) => Some(value),
            other => {
                errors.push(other, format!("`{key}` is a string literal: `{key} = \"..\"`"));
                None
            }
        }
    }

    /// The value of an option that counts from 1.
    pub(crate) fn count(&mut self, key: &str, errors: &mut Errors) -> Option<u32> {
        let value = self.take(key)?;
        let number = match &value {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse::<u32>().ok(),
            _ => None,
        };
        if number.is_none_or(|number| number == 0) {
            errors.push(value, format!("`{key}` is a whole number from 1: `{key} = 2`"));
            return None;
        }
        number
    }

    /// The value of an option that is a duration, as an expression. It is written out: then its bounds are known.
    pub(crate) fn duration(&mut self, key: &str, errors: &mut Errors) -> Option<TokenStream> {
        let value = self.take(key)?;
        match errors.take(check_duration(value))? {
            written @ Expr::Verbatim(_) => Some(written.into_token_stream()),
            other => {
                errors.push(other, format!("`{key}` is a duration that is written out: `{key} = 7d`"));
                None
            }
        }
    }

    /// The value of an option that is a path.
    pub(crate) fn path(&mut self, key: &str, errors: &mut Errors) -> Option<Path> {
        match self.take(key)? {
            Expr::Path(path) => Some(path.path),
            other => {
                errors.push(other, format!("`{key}` is a path: `{key} = ::workflow`"));
                None
            }
        }
    }

    fn take(&mut self, key: &str) -> Option<Expr> {
        let index = self.pairs.iter().position(|(known, _)| known == key)?;
        Some(self.pairs.remove(index).1)
    }
}

fn read(input: ParseStream<'_>) -> syn::Result<Vec<(Ident, Expr)>> {
    let mut pairs = Vec::new();
    while !input.is_empty() {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("options are written `key = value`, such as `name = \"..\"`"));
        }
        // `crate` is a keyword.
        let key = input.call(Ident::parse_any)?;
        input.parse::<Token![=]>()?;
        pairs.push((key, input.parse()?));
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(pairs)
}
