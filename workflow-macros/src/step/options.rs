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

/// What other systems call them.
const CALLED_OTHERWISE: &[(&str, &str)] = &[
    ("attempts", "retries"),
    ("id", "key"),
    ("idempotency_key", "key"),
    ("initial_interval", "delay"),
    ("interval", "delay"),
    ("limit", "retries"),
    ("max_attempts", "retries"),
    ("max_interval", "max_delay"),
    ("max_retries", "retries"),
    ("retry", "retries"),
    ("retry_delay", "delay"),
    ("retry_if", "unless"),
    ("start_to_close_timeout", "timeout"),
];

/// The most retries the engine accepts.
const RETRIES_MAX: u128 = 10_000;

const BACKOFFS: &[&str] = &["constant", "linear", "exponential"];

/// Reports wrong options and gives back the good ones, durations already rewritten.
pub(crate) fn check(kind: Kind, settings: Vec<Setting>, errors: &mut Errors) -> Vec<Setting> {
    let valid = if kind == Kind::Group { OF_GROUP } else { OF_STEP };
    let mut good: Vec<Setting> = Vec::new();
    let mut times = Vec::new();
    for Setting { key, value } in settings {
        times.extend(written_time(&value).map(|time| (key.to_string(), time, value.span())));
        if !valid.contains(&key.to_string().as_str()) {
            errors.push(&key, unknown(kind, &key, valid));
        } else if good.iter().any(|setting| setting.key == key) {
            errors.push(&key, format!("`{key}` is given twice"));
        } else if key == "key" && matches!(value, Expr::Infer(_)) {
            // Says that there is none on purpose.
        } else if let Some(value) = errors.take(check_value(&key, value)) {
            good.push(Setting { key, value });
        }
    }
    check_times(&times, errors);
    good
}

/// An option that is called otherwise elsewhere is told by its name here.
fn unknown(kind: Kind, key: &Ident, valid: &[&str]) -> String {
    let what = format!("{} option", kind.word());
    match CALLED_OTHERWISE.iter().find(|(other, _)| key == other) {
        Some((other, here)) => {
            format!("unknown {what} `{other}`: here it is `{here}`; valid are {}", suggest::list(valid))
        }
        None => suggest::unknown(&what, &key.to_string(), valid),
    }
}

/// The option that a bare word names: `retries` for `retries = ..`.
pub(super) fn named_by(expr: &Expr) -> Option<&Ident> {
    let Expr::Path(path) = expr else { return None };
    path.path.get_ident().filter(|word| OF_STEP.iter().any(|option| word == option))
}

fn check_value(key: &Ident, value: Expr) -> syn::Result<Expr> {
    match key.to_string().as_str() {
        "delay" | "max_delay" | "timeout" => check_duration(value),
        "retries" => check_retries(value),
        "unless" => check_unless(value),
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
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => (duration::of_string(&number.to_string()), number.span()),
        Expr::Unary(negative) if matches!(negative.op, syn::UnOp::Neg(_)) => {
            return Err(syn::Error::new_spanned(value, "a duration cannot be negative: leave the `-` out"));
        }
        _ => return Ok(value),
    };
    match milliseconds {
        Ok(milliseconds) => Ok(Expr::Verbatim(duration::tokens(milliseconds, span))),
        Err(message) => Err(syn::Error::new(span, message)),
    }
}

/// How often is counted; a computed number is checked by its type.
fn check_retries(value: Expr) -> syn::Result<Expr> {
    let is_wrong = match &value {
        Expr::Lit(ExprLit { lit: Lit::Int(_), .. }) => false,
        Expr::Lit(_) | Expr::Closure(_) | Expr::Infer(_) => true,
        Expr::Unary(negative) => matches!(negative.op, syn::UnOp::Neg(_)),
        Expr::Path(path) => path.path.is_ident("forever") || path.path.is_ident("infinite"),
        _ => false,
    };
    if is_wrong {
        let message = "`retries` is how often to try again after the first attempt: a whole number from 0, for \
                       example `retries = 3`";
        return Err(syn::Error::new_spanned(value, message));
    }
    if let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = &value
        && number.base10_parse::<u128>().is_ok_and(|retries| retries > RETRIES_MAX)
    {
        let message = format!(
            "`{number}` is more than {RETRIES_MAX}, the most retries there can be: to go on for longer, let `delay` grow, \
             with `backoff`"
        );
        return Err(syn::Error::new(number.span(), message));
    }
    Ok(value)
}

/// It is asked of each error, so it is a fn and not what a fn gave.
fn check_unless(value: Expr) -> syn::Result<Expr> {
    match value {
        Expr::Path(_) | Expr::Closure(_) => Ok(value),
        other => Err(syn::Error::new_spanned(
            other,
            "`unless` names a fn that is asked of the error whether to stop: `unless = is_final`, for \
             `fn is_final(error: &Error) -> bool`",
        )),
    }
}

/// Times that leave nothing to wait for.
fn check_times(times: &[(String, u64, Span)], errors: &mut Errors) {
    let time = |name: &str| times.iter().find(|(key, ..)| key == name).map(|(_, time, span)| (*time, *span));
    if let Some((0, span)) = time("timeout") {
        errors.push_at(span, "a timeout of 0 ends each attempt before it begins: give the body some time");
    }
    if let (Some((delay, _)), Some((most, span))) = (time("delay"), time("max_delay"))
        && most < delay
    {
        errors.push_at(span, "`max_delay` is below `delay`, the first one: make it longer, or leave it out");
    }
}

/// Milliseconds of a duration that is written out.
fn written_time(value: &Expr) -> Option<u64> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => duration::of_string(&text.value()).ok(),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => duration::of_literal(number)?.ok(),
        _ => None,
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
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => (None, text.span()),
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => (number.base10_parse().ok(), number.span()),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => (number.base10_parse().ok(), number.span()),
        _ => return Ok(value),
    };
    match number {
        Some(fraction) if (0.0..=1.0).contains(&fraction) => Ok(parse_quote_spanned!(value.span()=> #fraction)),
        _ => Err(syn::Error::new(span, "`jitter` is a fraction of the delay, from 0.0 to 1.0")),
    }
}
