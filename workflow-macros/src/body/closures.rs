//! Which variables a step takes along: those of the closure it is made in.
//!
//! `items.iter().map(|n| step!("x", key = n, f(n)))` gives the step away, so it cannot borrow `n`; what it needs of the
//! closure's own variables is copied into it. It borrows all others, and in an async block or a group it may borrow even
//! the closure's, as it ends before they do.

use super::Walker;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::Visit;
use syn::{Block, Expr, ExprPath, Ident, Item, Lit, Local, Macro, Pat, PatIdent, Stmt};

/// The variables in scope that belong to a closure which is not async, itself not inside of something that is.
#[derive(Debug, Default)]
pub(super) struct Owned {
    inside: bool,
    names: Vec<Ident>,
}

impl Owned {
    /// A pattern binds this name.
    pub(super) fn bind(&mut self, pattern: &PatIdent) {
        // A name in capitals is a constant.
        let is_variable = pattern.ident.to_string().starts_with(|c: char| c.is_lowercase() || c == '_');
        if self.inside && is_variable {
            self.names.push(pattern.ident.clone());
        }
    }

    /// Those that this body uses.
    pub(super) fn used_in(&self, body: &Expr) -> Vec<Ident> {
        let mut uses = Uses { names: &self.names, found: Vec::new() };
        if !self.names.is_empty() {
            uses.visit_expr(body);
        }
        uses.found
    }
}

impl Walker<'_> {
    /// Walks a scope: what is bound in it is not in scope after it.
    pub(super) fn in_scope<T>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> T {
        let owned = self.owned.names.len();
        let (resources, changeable, of_item) = (self.resources.known(), self.changeable.known(), self.of_item.known());
        let mutable_inside = self.mutable_inside.known();
        let result = walk(self);
        self.owned.names.truncate(owned);
        self.resources.forget(resources);
        self.changeable.forget(changeable);
        self.of_item.forget(of_item);
        self.mutable_inside.forget(mutable_inside);
        result
    }

    /// Walks a closure that is not async.
    pub(super) fn in_closure(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.owned.inside, true);
        self.in_scope(walk);
        self.owned.inside = before;
    }

    /// Walks what owns the variables around it, or outlived by them.
    pub(super) fn in_future(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = std::mem::take(&mut self.owned);
        walk(self);
        self.owned = before;
    }
}

/// For each statement of a block: whether it is a `let` of a closure that only bodies of steps call. It is a piece of them
/// then, and held to no more than they are.
pub(super) fn only_in_steps(block: &Block) -> Vec<bool> {
    let statements = &block.stmts;
    let is_piece = |(index, stmt): (usize, &Stmt)| {
        let Stmt::Local(Local { pat: Pat::Ident(pattern), init: Some(init), .. }) = stmt else { return false };
        let rest = &statements[index + 1..];
        let mut called = false;
        matches!(&*init.expr, Expr::Closure(_))
            && !holds_step(init.expr.to_token_stream())
            && rest.iter().all(|stmt| is_named_in_steps_only(stmt.to_token_stream(), &pattern.ident, &mut called))
            && called
    };
    statements.iter().enumerate().map(is_piece).collect()
}

/// Whether what the tokens name so stands in a `step!`, wherever it stands; `called` says that it does somewhere.
fn is_named_in_steps_only(tokens: TokenStream, name: &Ident, called: &mut bool) -> bool {
    let mut before = [None, None];
    for tree in tokens {
        match &tree {
            TokenTree::Ident(ident) if ident == name => return false,
            TokenTree::Group(group) if before == [Some("step".to_owned()), Some("!".to_owned())] => {
                let mut ignored = false;
                *called |= !is_named_in_steps_only(group.stream(), name, &mut ignored);
            }
            TokenTree::Group(group) if !is_named_in_steps_only(group.stream(), name, called) => return false,
            _ => {}
        }
        let [_, last] = before;
        before = [last, Some(tree.to_string()).filter(|_| !matches!(tree, TokenTree::Group(_)))];
    }
    true
}

fn holds_step(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => ["step", "group", "race"].iter().any(|word| ident == word),
        TokenTree::Group(group) => holds_step(group.stream()),
        _ => false,
    })
}

/// Finds the uses of some names.
struct Uses<'a> {
    names: &'a [Ident],
    found: Vec<Ident>,
}

impl Uses<'_> {
    fn note(&mut self, ident: &Ident) {
        if self.names.contains(ident) && !self.found.contains(ident) {
            self.found.push(ident.clone());
        }
    }

    /// In tokens a name after a dot is a field or method; a text may be a format that captures names.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut after_dot = false;
        for tree in tokens {
            let dots = after_dot;
            after_dot = matches!(&tree, TokenTree::Punct(punct) if punct.as_char() == '.' && !dots);
            match tree {
                TokenTree::Ident(ident) if !dots => self.note(&ident),
                TokenTree::Group(group) => self.note_tokens(group.stream()),
                TokenTree::Literal(literal) => self.note_captured(literal),
                _ => {}
            }
        }
    }

    fn note_captured(&mut self, literal: proc_macro2::Literal) {
        let span = literal.span();
        for name in captured_names(literal) {
            self.note(&Ident::new(&name, span));
        }
    }
}

/// The names that a text captures if it is a format: `{name}`, `{name:?}`.
pub(super) fn captured_names(literal: proc_macro2::Literal) -> Vec<String> {
    let Lit::Str(text) = Lit::new(literal) else { return Vec::new() };
    let text = text.value();
    let names = text.split('{').skip(1).map(|part| part.split(['}', ':']).next().unwrap_or_default());
    names.filter(|name| syn::parse_str::<Ident>(name).is_ok()).map(str::to_owned).collect()
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        if let Some(ident) = path.path.get_ident() {
            self.note(ident);
        }
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        self.note_tokens(mac.tokens.clone());
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}
