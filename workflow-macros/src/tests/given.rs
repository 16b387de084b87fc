//! Any text, given to the macros as the compiler would give its tokens: what comes out is tokens, never a panic.
//!
//! A panic of a macro is a message that says nothing about the user's code. Called by the test beside it, and by
//! libFuzzer in `fuzz/`.

use crate::name::Kind;
use crate::{event, part, race, step, workflow};
use proc_macro2::{TokenStream, TokenTree};

/// How deep brackets may be nested: what is deeper the compiler itself does not read.
const DEPTH_MAX: usize = 48;

/// A text whose first line is the name of a macro and its options, and the rest the item or what stands in its brackets.
pub(crate) fn given(text: &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (name, options) = first.split_once(' ').unwrap_or((first, ""));
    if depth(text) > DEPTH_MAX {
        return;
    }
    let (Ok(options), Ok(item)) = (options.parse(), rest.parse()) else { return };
    expand(name, options, item);
}

/// Expands a macro, and then what the attribute has written for the macros within.
pub(crate) fn expand(name: &str, options: TokenStream, item: TokenStream) {
    let expanded = match name {
        "workflow" => workflow::expand(options, item),
        "part" => part::expand(options, item),
        "step" => step::expand(Kind::Step, item),
        "group" => step::expand(Kind::Group, item),
        "race" => race::expand(item),
        "event" => event::derive(item),
        _ => return,
    };
    within(expanded, DEPTH_MAX);
}

fn within(tokens: TokenStream, levels: usize) {
    if levels == 0 {
        return;
    }
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        match &tokens[..index] {
            [.., TokenTree::Ident(name), TokenTree::Punct(bang)] if bang.as_char() == '!' => match &*name.to_string() {
                "step" => within(step::expand(Kind::Step, group.stream()), levels - 1),
                "group" => within(step::expand(Kind::Group, group.stream()), levels - 1),
                "race" => within(race::expand(group.stream()), levels - 1),
                _ => {}
            },
            _ => within(group.stream(), levels - 1),
        }
    }
}

fn depth(text: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' | '<' => now += 1,
            ')' | ']' | '}' | '>' => now = now.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(now);
    }
    // What begins another operand of the same expression is a level of its own too.
    let operators = text.matches(['!', '-', '&', '*', '|', '?']).count();
    if operators > 2_000 { usize::MAX } else { deepest }
}
