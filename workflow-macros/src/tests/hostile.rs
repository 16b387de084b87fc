//! Programs that are nearly right: those of the ui-tests, with tokens left out, doubled, exchanged, put in.

use super::given;
use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long programs are changed. `SEED=<n>` repeats a run.
const SECONDS: u64 = 5;
const PROGRAMS_MAX: u32 = 20_000;

/// A use of a macro: its name, its options, and its item.
#[derive(Clone)]
struct Use(&'static str, TokenStream, TokenStream);

impl Use {
    fn text(&self) -> String {
        format!("{} {}\n{}", self.0, self.1.to_string().replace('\n', " "), self.2)
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long a test goes on is its own affair")]
fn no_program_makes_a_macro_panic() {
    let uses = uses();
    assert!(uses.len() > 150, "the programs of the ui-tests are found: {}", uses.len());
    for kind in ["workflow", "part", "event", "step", "group", "race"] {
        assert!(uses.iter().any(|one| one.0 == kind), "there is a {kind}");
    }
    let mut dice = Dice::new();
    let began = Instant::now();
    let mut programs = 0;
    while began.elapsed() < Duration::from_secs(SECONDS) && programs < PROGRAMS_MAX {
        let mut one = uses[dice.below(uses.len())].clone();
        let other = &uses[dice.below(uses.len())];
        for _ in 0..1 + dice.below(4) {
            one.2 = changed(one.2, &other.2, &mut dice);
            if dice.below(8) == 0 {
                one.1 = changed(one.1, &other.1, &mut dice);
            }
        }
        let text = one.text();
        let outcome = catch_unwind(AssertUnwindSafe(|| given::given(&text)));
        assert!(outcome.is_ok(), "a macro panics, SEED={}:\n{text}", dice.seed);
        programs += 1;
    }
    eprintln!("{programs} programs in {:?}, SEED={}", began.elapsed(), dice.seed);
}

/// `BLESS=1` writes the seeds for libFuzzer, where there are none.
#[test]
fn the_fuzzer_has_programs_to_begin_with() {
    let folder = root().join("fuzz/seeds/macros");
    if std::env::var_os("BLESS").is_some() && !folder.exists() {
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let uses = uses();
        for (index, one) in uses.iter().step_by(uses.len().div_ceil(60)).enumerate() {
            std::fs::write(folder.join(format!("made-{index:02}")), one.text()).expect("the folder is writable");
        }
    }
    let seeds: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("there are seeds").map(|seed| seed.expect("readable").path()).collect();
    assert!(seeds.len() > 20);
    for seed in seeds {
        given::given(&std::fs::read_to_string(seed).expect("a seed is text"));
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member of the workspace").to_path_buf()
}

/// Every use of a macro in the programs of the ui-tests.
fn uses() -> Vec<Use> {
    let mut files = Vec::new();
    ["ui-tests/fail", "ui-tests/accepted/src"].iter().for_each(|folder| sources(&root().join(folder), &mut files));
    files.sort();
    let mut uses = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a program is text");
        // Some are there because they cannot be read.
        if let Ok(tokens) = text.parse::<TokenStream>() {
            find(tokens, &mut uses);
        }
    }
    uses
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the ui-tests are there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Attributes with the item after them, derives of events, and uses of the macros within.
fn find(tokens: TokenStream, uses: &mut Vec<Use>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        match &tokens[..index] {
            [.., TokenTree::Punct(hash)] if hash.as_char() == '#' => {
                let rest = || tokens[index + 1..].iter().cloned().collect::<TokenStream>();
                let Ok(attribute) = syn::parse2::<syn::Meta>(group.stream()) else { continue };
                let name = attribute.path().segments.last().map(|last| last.ident.to_string());
                let options = match &attribute {
                    syn::Meta::List(list) => list.tokens.clone(),
                    _ => TokenStream::new(),
                };
                match name.as_deref() {
                    Some("workflow") => uses.push(Use("workflow", options, item(rest()))),
                    Some("part") => uses.push(Use("part", options, item(rest()))),
                    Some("derive") if options.to_string().contains("Event") => {
                        uses.push(Use("event", TokenStream::new(), item(rest())));
                    }
                    _ => {}
                }
            }
            [.., TokenTree::Ident(name), TokenTree::Punct(bang)] if bang.as_char() == '!' => {
                // Marked, as the attribute marks them.
                let inside = group.stream();
                let marked = quote!(@(cx) #inside);
                match &*name.to_string() {
                    "step" => uses.push(Use("step", TokenStream::new(), marked)),
                    "group" => uses.push(Use("group", TokenStream::new(), marked)),
                    "race" => uses.push(Use("race", TokenStream::new(), marked)),
                    _ => {}
                }
                find(inside, uses);
            }
            _ => find(group.stream(), uses),
        }
    }
}

/// The first item of these tokens: up to its body or its semicolon.
fn item(tokens: TokenStream) -> TokenStream {
    let mut item = TokenStream::new();
    for token in tokens {
        let is_end = match &token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        };
        token.to_tokens(&mut item);
        if is_end {
            break;
        }
    }
    item
}

/// The tokens with one change somewhere in them.
fn changed(tokens: TokenStream, other: &TokenStream, dice: &mut Dice) -> TokenStream {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let groups: Vec<usize> = (0..tokens.len()).filter(|index| matches!(tokens[*index], TokenTree::Group(_))).collect();
    if !groups.is_empty() && dice.below(4) > 0 {
        let index = groups[dice.below(groups.len())];
        if let TokenTree::Group(group) = &tokens[index] {
            let inside = changed(group.stream(), other, dice);
            tokens[index] = Group::new(group.delimiter(), inside).into();
        }
        return tokens.into_iter().collect();
    }
    let at = dice.below(tokens.len() + 1);
    match dice.below(7) {
        0 if at < tokens.len() => drop(tokens.remove(at)),
        1 if at < tokens.len() => tokens.insert(at, tokens[at].clone()),
        2 if at < tokens.len() => {
            let with = dice.below(tokens.len());
            tokens.swap(at, with);
        }
        3 => tokens.insert(at, from(other.clone(), dice)),
        4 if at < tokens.len() => tokens[at] = from(other.clone(), dice),
        5 if at < tokens.len() => tokens[at] = Group::new(DELIMITERS[dice.below(3)], tokens[at].clone().into()).into(),
        _ => tokens.insert(at, word(dice)),
    }
    tokens.into_iter().collect()
}

const DELIMITERS: [Delimiter; 3] = [Delimiter::Parenthesis, Delimiter::Brace, Delimiter::Bracket];

/// One token of others, at any depth.
fn from(tokens: TokenStream, dice: &mut Dice) -> TokenTree {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    if tokens.is_empty() {
        return word(dice);
    }
    match &tokens[dice.below(tokens.len())] {
        TokenTree::Group(group) if dice.below(2) == 0 => from(group.stream(), dice),
        token => token.clone(),
    }
}

const WORDS: [&str; 24] = [
    "async", "await", "move", "self", "fn", "where", "impl", "dyn", "mut", "ref", "return", "break", "key", "retries",
    "timeout", "unless", "delay", "version", "resource", "default", "step", "group", "race", "workflow",
];
const MARKS: [char; 14] = ['@', '#', '!', '?', ',', ';', ':', '=', '|', '&', '<', '>', '.', '*'];

/// A word, mark or literal that means something somewhere.
fn word(dice: &mut Dice) -> TokenTree {
    match dice.below(4) {
        0 => Ident::new(WORDS[dice.below(WORDS.len())], Span::call_site()).into(),
        1 => Punct::new(MARKS[dice.below(MARKS.len())], Spacing::Alone).into(),
        2 => Literal::string(["", "a", "\0", "\u{202E}x", "30s", "{x}"][dice.below(6)]).into(),
        _ => ["30s", "1_000y", "0", "18446744073709551616", "1.5h", "-1", "'a'", "b\"x\"", "0x1s"][dice.below(9)]
            .parse::<TokenStream>()
            .ok()
            .and_then(|tokens| tokens.into_iter().last())
            .unwrap_or_else(|| Literal::u8_unsuffixed(0).into()),
    }
}

/// Chance, from one number (SplitMix64).
struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    #[expect(clippy::disallowed_methods, reason = "a seed that is another each time, and printed")]
    fn new() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seed =
            std::env::var("SEED").map_or(u64::from(since.subsec_nanos()), |seed| seed.parse().expect("a number"));
        Self { seed, state: seed }
    }

    fn below(&mut self, sides: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("a small number")
    }
}
