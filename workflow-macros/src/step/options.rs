//! What each option of a step or group may be.
//!
//! Values that are literals are checked here; what is computed at run time is checked by the types of the builder's
//! methods, which have the same names.

use super::parse::Setting;
use crate::duration;
use crate::errors::Errors;
use crate::name::Kind;
use crate::suggest;
use proc_macro2::Span;
use syn::{Expr, ExprLit, Ident, Lit, parse_quote_spanned, spanned::Spanned};

const OF_STEP: &[&str] = &["key", "retries", "delay", "backoff", "max_delay", "jitter", "timeout", "unless"];

/// A group's errors are the boxed ones of its block, so there is no type to decide on.
const OF_GROUP: &[&str] = &["key", "retries", "delay", "backoff", "max_delay", "jitter", "timeout"];

const BACKOFFS: &[&str] = &["constant", "linear", "exponential"];

/// Reports wrong options and gives back the good ones, durations already rewritten.
pub(crate) fn check(kind: Kind, settings: Vec<Setting>, errors: &mut Errors) -> Vec<Setting> {
    let valid = if kind == Kind::Group { OF_GROUP } else { OF_STEP };
    let mut good: Vec<Setting> = Vec::new();
    for Setting { key, value } in settings {
        if !valid.contains(&key.to_string().as_str()) {
            errors.push(&key, suggest::unknown(&format!("{} option", kind.word()), &key.to_string(), valid));
        } else if good.iter().any(|setting| setting.key == key) {
            errors.push(&key, format!("`{key}` is given twice"));
        } else if key == "key" && matches!(value, Expr::Infer(_)) {
            // Says that there is none on purpose.
        } else if let Some(value) = errors.take(check_value(&key, value)) {
            good.push(Setting { key, value });
        }
    }
    good
}

fn check_value(key: &Ident, value: Expr) -> syn::Result<Expr> {
    match key.to_string().as_str() {
        "delay" | "max_delay" | "timeout" => check_duration(value),
        "backoff" => check_backoff(value),
        "jitter" => check_jitter(value),
        _ => Ok(value),
    }
}

/// A literal where a duration belongs: rewritten when right, refused when wrong; anything else is left to the types.
pub(crate) fn check_duration(value: Expr) -> syn::Result<Expr> {
    let (milliseconds, span) = match &value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => (duration::of_string(&text.value()), text.span()),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => match duration::of_literal(number) {
            Some(milliseconds) => (milliseconds, number.span()),
            None => (duration::of_string(&number.to_string()), number.span()),
        },
        _ => return Ok(value),
    };
    match milliseconds {
        Ok(milliseconds) => Ok(Expr::Verbatim(duration::tokens(milliseconds, span))),
        Err(message) => Err(syn::Error::new(span, message)),
    }
}

fn check_backoff(value: Expr) -> syn::Result<Expr> {
    let written = match &value {
        Expr::Path(path) => path.path.get_ident().map(Ident::to_string).unwrap_or_default(),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        _ => String::new(),
    };
    if matches!(value, Expr::Path(_)) && BACKOFFS.contains(&written.as_str()) {
        return Ok(value);
    }
    let message = if BACKOFFS.contains(&written.as_str()) {
        format!("write `backoff = {written}`, without quotes")
    } else if written.is_empty() {
        format!("`backoff` is one of {}; the time between attempts is `delay`", suggest::list(BACKOFFS))
    } else {
        suggest::unknown("backoff", &written, BACKOFFS)
    };
    Err(syn::Error::new_spanned(value, message))
}

fn check_jitter(value: Expr) -> syn::Result<Expr> {
    let (number, span): (Option<f64>, Span) = match &value {
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => (number.base10_parse().ok(), number.span()),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => (number.base10_parse().ok(), number.span()),
        _ => return Ok(value),
    };
    match number {
        Some(fraction) if (0.0..=1.0).contains(&fraction) => Ok(parse_quote_spanned!(value.span()=> #fraction)),
        _ => Err(syn::Error::new(span, "`jitter` is a fraction of the delay, from 0.0 to 1.0")),
    }
}
