//! Paths that a workflow's own code must not use: what they give differs in a replay.
//!
//! By path, so it is a courtesy: module-level renames, methods and helpers are seen by clippy with the `clippy.toml` that
//! comes with the crate, and the rest by the comparison that every replay makes. A path that is clearly the user's own,
//! such as `sim::Instant::now`, is never refused.

use super::Walker;
use super::operations::written;
use super::tokens::matters;
use quote::ToTokens;
use std::collections::HashMap;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, ItemUse, Macro, Path, UseTree};

/// Why a path is refused, and what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Clock,
    Random,
    Uuid,
    Environment,
    Files,
    Network,
    Process,
    Timer,
    Thread,
    Spawn,
}

impl Reason {
    fn says(self) -> (&'static str, &'static str) {
        match self {
            Self::Clock => ("reads the clock, so a replay could take another path", "use `workflow::now().await`"),
            Self::Random => ("draws at random, so a replay could take another path", "use `workflow::random().await`"),
            Self::Uuid => ("makes another id in each replay", "use `workflow::uuid().await`"),
            Self::Environment => (
                "reads the environment, which differs from worker to worker",
                "pass it in as an input or a `#[resource]`",
            ),
            Self::Files => ("uses the file system, again in each replay", "move it into a `step!`"),
            Self::Network => ("uses the network, again in each replay", "move it into a `step!`"),
            Self::Process => ("acts on a process, again in each replay", "move it into a `step!`"),
            Self::Timer => {
                ("waits in memory and is lost in a crash", "use `workflow::sleep(..).await` or `workflow::timeout(..)`")
            }
            Self::Thread => ("works behind the workflow's back, again in each replay", "move it into a `step!`"),
            Self::Spawn => (
                "starts work that is not recorded and that a replay starts again",
                "use `join!` or `join_all(..)` for work side by side",
            ),
        }
    }
}

/// Full path and reason. A last `*` is any function: a word in lower case.
const REFUSED: &[(&str, Reason)] = &[
    ("std::time::SystemTime::now", Reason::Clock),
    ("std::time::Instant::now", Reason::Clock),
    ("tokio::time::Instant::now", Reason::Clock),
    ("chrono::Utc::now", Reason::Clock),
    ("chrono::Local::now", Reason::Clock),
    ("time::OffsetDateTime::now_utc", Reason::Clock),
    ("time::OffsetDateTime::now_local", Reason::Clock),
    ("jiff::Zoned::now", Reason::Clock),
    ("jiff::Timestamp::now", Reason::Clock),
    ("rand::random", Reason::Random),
    ("rand::random_range", Reason::Random),
    ("rand::random_bool", Reason::Random),
    ("rand::rng", Reason::Random),
    ("rand::thread_rng", Reason::Random),
    ("getrandom::*", Reason::Random),
    ("fastrand::*", Reason::Random),
    ("uuid::Uuid::new_v1", Reason::Uuid),
    ("uuid::Uuid::new_v4", Reason::Uuid),
    ("uuid::Uuid::new_v6", Reason::Uuid),
    ("uuid::Uuid::now_v6", Reason::Uuid),
    ("uuid::Uuid::now_v7", Reason::Uuid),
    ("std::env::*", Reason::Environment),
    ("std::fs::*", Reason::Files),
    ("std::fs::File::*", Reason::Files),
    ("std::fs::OpenOptions::*", Reason::Files),
    ("tokio::fs::*", Reason::Files),
    ("tokio::fs::File::*", Reason::Files),
    ("tokio::fs::OpenOptions::*", Reason::Files),
    ("std::net::TcpStream::*", Reason::Network),
    ("std::net::TcpListener::*", Reason::Network),
    ("std::net::UdpSocket::*", Reason::Network),
    ("tokio::net::TcpStream::*", Reason::Network),
    ("tokio::net::TcpListener::*", Reason::Network),
    ("tokio::net::UdpSocket::*", Reason::Network),
    ("tokio::net::lookup_host", Reason::Network),
    ("reqwest::get", Reason::Network),
    ("reqwest::blocking::get", Reason::Network),
    ("std::process::*", Reason::Process),
    ("std::process::Command::*", Reason::Process),
    ("tokio::process::Command::*", Reason::Process),
    ("tokio::time::*", Reason::Timer),
    ("std::thread::sleep", Reason::Timer),
    ("std::thread::spawn", Reason::Spawn),
    ("std::thread::scope", Reason::Spawn),
    ("std::thread::Builder::*", Reason::Spawn),
    ("std::thread::*", Reason::Thread),
    ("tokio::spawn", Reason::Spawn),
    ("tokio::task::spawn", Reason::Spawn),
    ("tokio::task::spawn_blocking", Reason::Spawn),
    ("tokio::task::spawn_local", Reason::Spawn),
    ("tokio::task::block_in_place", Reason::Spawn),
    ("smol::spawn", Reason::Spawn),
    ("async_std::task::spawn", Reason::Spawn),
];

/// Two words that mean the refused path although nothing says where the first comes from.
const REFUSED_SHORT: &[(&str, Reason)] = &[
    ("SystemTime::now", Reason::Clock),
    ("Instant::now", Reason::Clock),
    ("Utc::now", Reason::Clock),
    ("Local::now", Reason::Clock),
    ("OffsetDateTime::now_utc", Reason::Clock),
    ("OffsetDateTime::now_local", Reason::Clock),
    ("Zoned::now", Reason::Clock),
    ("Timestamp::now", Reason::Clock),
    ("Uuid::new_v4", Reason::Uuid),
    ("Uuid::now_v7", Reason::Uuid),
    ("env::var", Reason::Environment),
    ("env::var_os", Reason::Environment),
    ("env::vars", Reason::Environment),
    ("env::args", Reason::Environment),
    ("fs::read", Reason::Files),
    ("fs::read_to_string", Reason::Files),
    ("fs::write", Reason::Files),
    ("File::open", Reason::Files),
    ("File::create", Reason::Files),
    ("TcpStream::connect", Reason::Network),
    ("TcpListener::bind", Reason::Network),
    ("UdpSocket::bind", Reason::Network),
    ("Command::new", Reason::Process),
    ("process::exit", Reason::Process),
    ("process::abort", Reason::Process),
    ("thread::sleep", Reason::Timer),
    ("thread::spawn", Reason::Spawn),
    ("task::spawn", Reason::Spawn),
    ("task::spawn_blocking", Reason::Spawn),
];

/// Macros of async libraries that poll what they are given by themselves.
const FOREIGN_MACROS: &[(&str, &str)] =
    &[("select", "race"), ("select_biased", "race"), ("join", "join"), ("try_join", "try_join")];

/// Names that `use` inside of the body gives to paths.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    paths: HashMap<String, Vec<String>>,
}

impl Aliases {
    /// All of the body, wherever the `use` stands.
    pub(super) fn of(block: &Block) -> Self {
        let mut aliases = Self::default();
        aliases.visit_block(block);
        aliases
    }

    fn note(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |last: String| prefix.iter().cloned().chain([last]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.note(&path.tree, &with(path.ident.to_string())),
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = prefix.last() {
                    self.paths.insert(last.clone(), prefix.to_vec());
                }
            }
            UseTree::Name(name) => {
                self.paths.insert(name.ident.to_string(), with(name.ident.to_string()));
            }
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { prefix.to_vec() } else { with(rename.ident.to_string()) };
                self.paths.insert(rename.rename.to_string(), path);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note(tree, prefix)),
            _ => {}
        }
    }

    /// The path with its first word replaced by what it stands for.
    fn resolve(&self, path: &Path) -> Vec<String> {
        let words = path.segments.iter().map(|segment| segment.ident.to_string());
        let mut words: Vec<String> = words.collect();
        if path.leading_colon.is_none()
            && let Some(known) = words.first().and_then(|first| self.paths.get(first))
        {
            words.splice(..1, known.iter().cloned());
        }
        if let Some(first) = words.first_mut().filter(|first| *first == "core" || *first == "alloc") {
            *first = "std".to_owned();
        }
        words
    }
}

impl<'ast> Visit<'ast> for Aliases {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.note(&item.tree, &[]);
        visit::visit_item_use(self, item);
    }
}

fn reason(words: &[String]) -> Option<Reason> {
    let matches = |pattern: &str| {
        let pattern: Vec<&str> = pattern.split("::").collect();
        pattern.len() == words.len()
            && pattern.iter().zip(words).all(|(pattern, word)| match *pattern {
                "*" => word.starts_with(char::is_lowercase),
                exact => exact == word,
            })
    };
    let short = if words.len() == 2 { REFUSED_SHORT } else { &[] };
    REFUSED.iter().chain(short).find(|(pattern, _)| matches(pattern)).map(|(_, reason)| *reason)
}

impl Walker<'_> {
    /// Reports a path that is refused outside of steps.
    pub(super) fn check_path(&mut self, path: &Path) {
        if self.allowed || path.segments.len() == 1 && self.aliases.paths.is_empty() {
            return;
        }
        let Some(reason) = reason(&self.aliases.resolve(path)) else { return };
        let (why, instead) = reason.says();
        let escape = if reason == Reason::Spawn {
            ""
        } else if instead.contains("`step!`") {
            ", or put `#[allow_nondeterminism]` on the statement if it cannot change the outcome"
        } else {
            ", move it into a `step!`, or put `#[allow_nondeterminism]` on the statement if it cannot change the outcome"
        };
        let error = syn::Error::new_spanned(path, format!("`{}` {why}\n{instead}{escape}", written(path)));
        match reason {
            // What is spawned is no future any more, and rustc would say so.
            Reason::Spawn => self.errors.push_losing_body(error),
            _ => self.errors.push_error(error),
        }
    }

    /// Reports another library's timeout of a durable operation, which by type would be three mistakes.
    pub(super) fn refuse_foreign_timeout(&mut self, call: &ExprCall) -> bool {
        let Expr::Path(path) = &*call.func else { return false };
        let words = self.aliases.resolve(&path.path);
        let is_foreign = matches!(&words[..], [.., time, timeout] if time == "time" && timeout.starts_with("timeout"));
        if !is_foreign || !matters(&call.args.to_token_stream()) {
            return false;
        }
        self.errors.push_losing_body(syn::Error::new_spanned(
            path,
            format!(
                "`{}` waits in memory and cannot wait for a durable operation\nuse `workflow::timeout(..)`",
                written(&path.path)
            ),
        ));
        true
    }

    /// Reports a macro that polls by itself, and says whether it did.
    pub(super) fn refuse_macro(&mut self, mac: &mut Macro) -> bool {
        let words = self.aliases.resolve(&mac.path);
        let foreign = match &words[..] {
            [name] => name.starts_with("select").then_some(name),
            [library, .., name]
                if ["tokio", "futures", "futures_util", "futures_lite", "smol"].contains(&library.as_str()) =>
            {
                Some(name)
            }
            _ => None,
        };
        let known = foreign.and_then(|name| FOREIGN_MACROS.iter().find(|(foreign, _)| foreign == name));
        let Some((_, ours)) = known else { return false };
        self.errors.push_losing_body(syn::Error::new_spanned(
            &mac.path,
            format!("`{}!` polls in an order that a replay cannot repeat\nuse `workflow::{ours}!`", written(&mac.path)),
        ));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Aliases, reason};
    use syn::{Path, parse_quote};

    fn refused(path: &Path) -> bool {
        reason(&Aliases::default().resolve(path)).is_some()
    }

    #[test]
    fn known_paths_are_refused() {
        assert!(refused(&parse_quote!(std::time::Instant::now)));
        assert!(refused(&parse_quote!(::core::time::Instant::now)));
        assert!(refused(&parse_quote!(Utc::now)));
        assert!(refused(&parse_quote!(chrono::Utc::now)));
        assert!(refused(&parse_quote!(rand::random::<u64>)));
        assert!(refused(&parse_quote!(std::fs::read_to_string)));
        assert!(refused(&parse_quote!(tokio::spawn)));
    }

    #[test]
    fn paths_of_the_user_are_not() {
        assert!(!refused(&parse_quote!(sim::Instant::now)));
        assert!(!refused(&parse_quote!(crate::env::var)));
        assert!(!refused(&parse_quote!(std::net::Ipv4Addr::new)));
        assert!(!refused(&parse_quote!(tokio::time::Duration::from_secs)));
        assert!(!refused(&parse_quote!(now)));
        assert!(!refused(&parse_quote!(self::rand::random)));
    }
}
