//! Durable operations as they are written: `step!`, `group!`, `race!`, and the calls whose arguments are checked.

use super::{Walker, rewrite_durations};
use crate::duration;
use crate::errors::Errors;
use crate::name::{self, Kind};
use crate::race::Race;
use crate::runtime::{Runtime, operand};
use crate::step::{self, Call, Setting};
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{
    Expr, ExprCall, ExprLit, ExprMethodCall, Lit, Macro, Path, PathSegment, Token, parse_quote, spanned::Spanned,
};

/// Functions whose first argument is a duration.
const TIMED_CALLS: &[&str] = &["sleep", "timeout"];

/// Methods whose only argument is a duration.
const TIMED_METHODS: &[&str] = &["timeout", "delay", "max_delay"];

/// The macros that the walk knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Step,
    Group,
    Race,
    /// `join!` and `try_join!`.
    Join,
    /// `unrecorded!`: what is inside is the user's own affair.
    Skipped,
}

const KNOWN: &[(&str, Known)] = &[
    ("step", Known::Step),
    ("group", Known::Group),
    ("race", Known::Race),
    ("join", Known::Join),
    ("try_join", Known::Join),
    ("unrecorded", Known::Skipped),
];

/// Which of the framework's macros the path names, by its last segment.
pub(crate) fn known(path: &Path, runtime: &Runtime) -> Option<Known> {
    if !ours(path, runtime) {
        return None;
    }
    let name = &path.segments.last()?.ident;
    KNOWN.iter().find_map(|(word, known)| (name == word).then_some(*known))
}

/// Whether the path may name an item of the framework: bare, or through the crate.
pub(super) fn ours(path: &Path, runtime: &Runtime) -> bool {
    match path.segments.first() {
        Some(first) => path.segments.len() == 1 || first.ident == "workflow" || runtime.starts_with(&first.ident),
        None => false,
    }
}

/// Whether the expression is `join!(..)` or `try_join!(..)`.
pub(super) fn is_join(expr: &Expr, runtime: &Runtime) -> bool {
    matches!(expr, Expr::Macro(expr) if known(&expr.mac.path, runtime) == Some(Known::Join))
}

/// The `race!` that this expression is, if it is one.
pub(super) fn race_of<'e>(base: &'e mut Expr, runtime: &Runtime) -> Option<&'e mut Macro> {
    match base {
        Expr::Macro(expr) if known(&expr.mac.path, runtime) == Some(Known::Race) => Some(&mut expr.mac),
        Expr::Paren(paren) => race_of(&mut paren.expr, runtime),
        Expr::Group(group) => race_of(&mut group.expr, runtime),
        _ => None,
    }
}

impl Walker<'_> {
    /// Checks and marks an awaited `race!`; its arms run in the workflow's own code, so they are walked too.
    pub(super) fn walk_race(&mut self, mac: &mut Macro) {
        let Some(mut race) = Race::of_macro(mac, self.errors) else { return };
        self.hands_over = true;
        for arm in &mut race.arms {
            self.check_awaited_operand(&mut arm.operation);
            self.walk_awaited(&mut arm.operation);
            self.in_scope(|walker| {
                walker.visit_pat_mut(&mut arm.pattern);
                walker.visit_expr_mut(&mut arm.then);
            });
        }
        let marker = self.marker();
        mac.tokens = quote!(#marker #race);
    }

    /// Checks and marks a `step!` or `group!`.
    pub(super) fn walk_call_macro(&mut self, kind: Kind, mac: &mut Macro) {
        let Some(mut call) = Call::of_macro(kind, mac, self.errors) else { return };
        if call.is_named {
            self.scopes.declare(kind, &call.name, self.errors);
        }
        self.warn_of_missing_key(kind, call.is_keyed, call.name.span());
        self.check_constant_key(&call);
        let marker = self.marker().owning(self.owned.used_in(&call.body));
        for setting in &mut call.options {
            self.visit_expr_mut(&mut setting.value);
        }
        match kind {
            Kind::Group => self.walk_group(&mut call),
            _ => {
                self.check_durable_body(&call.body);
                self.check_mutable_inside(&call.body);
                rewrite_durations(&mut call.body, self.errors);
                let changeable: Vec<String> = self.changeable.marked().map(str::to_owned).collect();
                step::check_body(&mut call, &changeable, self.errors);
            }
        }
        mac.tokens = quote!(#marker #call);
    }

    /// A key that is the same for each item tells none apart: it names nothing of the loop, and nothing that changes.
    fn check_constant_key(&mut self, call: &Call) {
        let key = call.options.iter().find(|setting| setting.key == "key");
        let Some(Setting { value, .. }) = key.filter(|_| self.in_collection) else { return };
        let is_computed =
            |tree: &Expr| !matches!(tree, Expr::Lit(_) | Expr::Path(_) | Expr::Field(_) | Expr::Reference(_));
        if is_computed(value) || self.names_changing(&value.to_token_stream()) {
            return;
        }
        self.errors.push(value, "this key is the same for each item: take what identifies the item, such as its id");
    }

    /// Whether the tokens name something that is another one for each item.
    fn names_changing(&self, tokens: &TokenStream) -> bool {
        tokens.clone().into_iter().any(|tree| match tree {
            TokenTree::Ident(name) => self.of_item.has(&name) || self.changeable.has(&name),
            TokenTree::Group(group) => self.names_changing(&group.stream()),
            _ => false,
        })
    }

    /// `step!("wait", sleep(5m))`.
    fn check_durable_body(&mut self, body: &Expr) {
        if self.operation(body).is_some() && !matches!(body, Expr::Macro(_)) {
            self.errors.push_losing_body(syn::Error::new_spanned(
                body,
                "a step's body holds no durable operation: await it beside the step, or make the step a `group!`",
            ));
        }
    }

    fn walk_group(&mut self, call: &mut Call) {
        let changeable: Vec<String> = self.changeable.marked().map(str::to_owned).collect();
        step::check_end(call.kind, &call.body, self.errors);
        step::check_assignments(call.kind, &mut call.body, &changeable, self.errors);
        let before = self.hands_over;
        // What is inside is told apart by the group's own key.
        let in_collection = std::mem::take(&mut self.in_collection);
        self.scopes.enter();
        self.in_future(|walker| match &mut call.body {
            Expr::Block(body) => walker.visit_block_mut(&mut body.block),
            Expr::Async(body) => walker.visit_block_mut(&mut body.block),
            _ => unreachable!("a group's body was checked to be a block"),
        });
        self.scopes.leave();
        self.in_collection = in_collection;
        // The body names its own scope's context, not the one outside.
        self.hands_over = before;
    }

    /// `join!(a, b)`, `try_join!(a, b)`: a mistake in an operation is shown there.
    ///
    /// Nothing when the tokens are not a list of expressions; the macro says what it takes.
    pub(super) fn walk_join(&mut self, mac: &mut Macro) {
        let list: syn::Result<Punctuated<Expr, Token![,]>> = Punctuated::parse_terminated.parse2(mac.tokens.clone());
        if let Ok(mut operations) = list {
            for operation in &mut operations {
                self.check_awaited_operand(operation);
                self.walk_awaited(operation);
                *operation = Expr::Verbatim(operand(operation, self.runtime));
            }
            mac.tokens = operations.into_token_stream();
        }
    }

    /// `join!(step!(..).await, ..)`: what is awaited has ended before the others begin.
    fn check_awaited_operand(&mut self, operation: &mut Expr) {
        if let Expr::Await(awaited) = operation {
            self.errors.push(
                awaited.await_token,
                "this operation is awaited before the others begin, so they do not run side by side\nleave out this `.await`",
            );
            *operation = (*awaited.base).clone();
        }
    }

    /// A `race!` that is not awaited where it is written.
    pub(super) fn refuse_unawaited_race(&mut self, mac: &Macro) {
        self.errors.push_losing_body(syn::Error::new_spanned(
            &mac.path,
            "`race!` is awaited where it is written, as its arms run there: `race! { .. }.await`",
        ));
    }

    /// Checks the name of `wait_for("name")` and `wait_for_type("name", ..)`.
    pub(super) fn name_wait(&mut self, call: &mut ExprCall) {
        let Expr::Path(path) = &*call.func else { return };
        let is_wait =
            path.path.segments.last().is_some_and(|last| last.ident == "wait_for" || last.ident == "wait_for_type");
        if !is_wait || !ours(&path.path, self.runtime) {
            return;
        }
        match call.args.first() {
            Some(Expr::Lit(ExprLit { lit: Lit::Str(name), .. })) => {
                name::check(name, "wait", self.errors);
                self.scopes.declare(Kind::Wait, name, self.errors);
            }
            Some(other) => {
                self.errors.push(
                    other,
                    "a wait's name is a string literal: `wait_for::<Event>(\"what it waits for\")`\n\
                     to tell occurrences apart add `.key(..)`",
                );
                call.args[0] = parse_quote!("unnamed");
            }
            None => {}
        }
    }

    /// `sleep("5 minutes")`, `timeout("30s", ..)`.
    pub(super) fn durations_of_call(&mut self, call: &mut ExprCall) {
        let Expr::Path(path) = &*call.func else { return };
        let timed = path.path.segments.last().is_some_and(|last| TIMED_CALLS.iter().any(|name| last.ident == name));
        if timed && ours(&path.path, self.runtime) {
            if call.args.len() == 2 && is_duration(&call.args[1]) {
                self.errors.push_losing_body(syn::Error::new_spanned(
                    &call.args[1],
                    "`timeout` takes the duration first: `timeout(5m, operation)`",
                ));
                return;
            }
            let Some(first) = call.args.first_mut() else { return };
            rewrite_duration(first, self.errors);
        }
    }

    /// `join_all(..)`, `timeout(..)`: another library's of that name, imported over ours, would poll the operations itself.
    ///
    /// So ours is called by its path, and whatever bears the name is asked, in code that never runs, to take something
    /// that only ours takes: one message instead of one for each bound of the other.
    pub(super) fn call_ours(&mut self, call: &mut ExprCall) {
        let Expr::Path(path) = &*call.func else { return };
        let Some(name) = path.path.get_ident() else { return };
        let span = name.span();
        let only_ours = self.runtime.private("UseTheOneOfTheWorkflowPrelude", span);
        let arguments = match (name.to_string().as_str(), call.args.len()) {
            ("join_all" | "try_join_all", 1) => quote_spanned!(span=> [#only_ours]),
            ("timeout", 2) => quote_spanned!(span=> ::core::time::Duration::ZERO, #only_ours),
            _ => return,
        };
        let ours = self.runtime.public(&name.to_string(), span);
        *call.func = Expr::Verbatim(quote_spanned!(span=> ({ let _ = || { let _ = #name(#arguments); }; #ours })));
    }

    /// `timeout(duration, operation)`: a mistake in the operation is shown there.
    pub(super) fn operand_of_timeout(&mut self, call: &mut ExprCall) {
        let Expr::Path(path) = &*call.func else { return };
        if path.path.segments.last().is_some_and(|last| last.ident == "timeout")
            && ours(&path.path, self.runtime)
            && call.args.len() == 2
        {
            let operation = &mut call.args[1];
            *operation = Expr::Verbatim(operand(operation, self.runtime));
        }
    }

    /// `join_all(operations)`: a mistake in them is shown there.
    pub(super) fn operands_of_join_all(&mut self, call: &mut ExprCall) {
        let Expr::Path(path) = &*call.func else { return };
        let joins = |last: &PathSegment| last.ident == "join_all" || last.ident == "try_join_all";
        if path.path.segments.last().is_some_and(joins) && ours(&path.path, self.runtime) && call.args.len() == 1 {
            let all = &call.args[0];
            let span = all.span();
            let (probe, durable) = (self.runtime.private("Probe", span), self.runtime.private("durable_all", span));
            call.args[0] = Expr::Verbatim(quote_spanned!(span=> #probe(#durable(#all)).operands()));
        }
    }

    /// `.timeout("30s")`, `.delay("1 second")`.
    pub(super) fn durations_of_method(&mut self, call: &mut ExprMethodCall) {
        let timed = TIMED_METHODS.iter().any(|name| call.method == name);
        if timed
            && self.operation(&call.receiver).is_some()
            && call.args.len() == 1
            && let Some(first) = call.args.first_mut()
        {
            rewrite_duration(first, self.errors);
        }
    }
}

/// `5m`, and nothing that could be an operation.
fn is_duration(argument: &Expr) -> bool {
    matches!(argument, Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if duration::of_literal(number).is_some())
}

fn rewrite_duration(argument: &mut Expr, errors: &mut Errors) {
    *argument = match step::check_duration(argument.clone()) {
        Ok(duration) => duration,
        Err(error) => {
            errors.push_error(error);
            parse_quote!(::core::time::Duration::ZERO)
        }
    };
}

/// What a macro's path looks like in messages.
pub(super) fn written(path: &Path) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}
