//! What the names at the front of a path stand for, as far as the body itself says so.

use std::collections::HashMap;
use syn::visit::Visit;
use syn::{Block, Item, Path, UseTree};

/// Names that `use` inside of the body gives to paths.
#[derive(Debug, Default)]
pub(in crate::body) struct Aliases {
    paths: HashMap<String, Vec<String>>,
}

impl Aliases {
    /// All of the body, wherever the `use` stands.
    pub(in crate::body) fn of(block: &Block) -> Self {
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
    pub(in crate::body) fn resolve(&self, path: &Path) -> Vec<String> {
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
    /// What the body declares itself is the user's own; what is in it is another scope.
    fn visit_item(&mut self, item: &'ast Item) {
        let name = match item {
            Item::Use(item) => return self.note(&item.tree, &[]),
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Mod(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Type(item) => &item.ident,
            _ => return,
        };
        self.paths.insert(name.to_string(), vec!["self".to_owned(), name.to_string()]);
    }
}
