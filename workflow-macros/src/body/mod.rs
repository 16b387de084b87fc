//! The walk over the body of a workflow or part.
//!
//! Rewrites every `.await` so that only durable values pass, hands the context on, marks `step!`, `group!` and `race!`,
//! turns literals such as `30s` into durations, and reports what would otherwise be accepted and run wrongly. Bodies of
//! steps and nested items are left as they are. `workflow` and `part` call [`walk`] and emit what it leaves.

mod closures;
mod denied;
mod forgotten;
mod mutable_inside;
mod operations;
mod order;
mod resources;
mod scoped;
mod shared;
mod tokens;
mod warned;

pub(crate) use operations::{Known, known};
pub(crate) use warned::Warnings;

use crate::duration;
use crate::errors::Errors;
use crate::lints;
use crate::name::Scopes;
use crate::runtime::{Marker, Runtime, context};
use crate::step;
use quote::{quote, quote_spanned};
use scoped::Scoped;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, Attribute, Block, Expr, ExprAssign, ExprAsync, ExprAwait, ExprBinary, ExprCall, ExprCast, ExprClosure,
    ExprConst, ExprForLoop, ExprIf, ExprLit, ExprMacro, ExprMethodCall, ExprPath, ExprWhile, Ident, Item, ItemUse, Lit,
    Local, Macro, PatIdent, Stmt, Token, parse_quote, spanned::Spanned,
};

/// The attribute that says: this statement may do what is refused elsewhere.
pub(crate) const ALLOW: &str = "allow_nondeterminism";

/// Rewrites the body in place and reports its mistakes; `resources` are the names of those that it is given.
///
/// Gives back what warns, to be put beside the body.
pub(crate) fn walk(block: &mut Block, resources: Vec<Ident>, runtime: &Runtime, errors: &mut Errors) -> Warnings {
    let aliases = denied::Aliases::of(block);
    let mut walker = Walker {
        runtime,
        errors,
        scopes: Scopes::new(),
        aliases,
        allowed: false,
        order_is_forgotten: false,
        hands_over: false,
        owned: closures::Owned::default(),
        resources: Scoped::default(),
        naming_resource: false,
        changeable: Scoped::default(),
        mutable_inside: Scoped::default(),
        in_collection: false,
        of_item: Scoped::default(),
        warnings: Warnings::default(),
    };
    resources.iter().for_each(|name| walker.resources.bind(name, true));
    walker.check_last(block);
    walker.visit_block_mut(block);
    let warnings = walker.warnings;
    bring_fallback(block, runtime);
    warnings
}

/// What keeps types flowing where a probe has nothing to say: see `Probe` in the runtime.
fn bring_fallback(block: &mut Block, runtime: &Runtime) {
    let span = proc_macro2::Span::call_site();
    let traits =
        ["AnyOrder", "AnyPlace", "Fallback", "FallbackAll", "NoFuture"].map(|name| runtime.private(name, span));
    let import = quote! {
        #(#[allow(unused_imports)] use #traits as _;)*
    };
    block.stmts.insert(0, Stmt::Item(Item::Verbatim(import)));
}

struct Walker<'a> {
    runtime: &'a Runtime,
    errors: &'a mut Errors,
    scopes: Scopes,
    aliases: denied::Aliases,
    /// Inside a statement with [`ALLOW`].
    allowed: bool,
    /// Inside a chain of methods that ends in something without an order.
    order_is_forgotten: bool,
    /// Whether what was just walked names the context.
    hands_over: bool,
    /// What a step that is made here takes along.
    owned: closures::Owned,
    /// Which names stand for resources here.
    resources: Scoped,
    /// What is bound now is another name of a resource.
    naming_resource: bool,
    /// Which names are variables that can change.
    changeable: Scoped,
    /// Which names are variables that change behind a shared reference.
    mutable_inside: Scoped,
    /// Inside of what is carried out for each item of a collection.
    in_collection: bool,
    /// Which names are bound there.
    of_item: Scoped,
    warnings: Warnings,
}

impl Walker<'_> {
    fn marker(&self) -> Marker {
        Marker::new(self.runtime)
    }

    /// Walks with a fresh note of whether the context is named, and says so; the note of the surroundings is kept.
    fn noting_context(&mut self, walk: impl FnOnce(&mut Self)) -> bool {
        let before = std::mem::replace(&mut self.hands_over, false);
        walk(self);
        let named = self.hands_over;
        self.hands_over = before || named;
        named
    }

    /// `BASE.await` becomes `Probe(durable(BASE)).drive(&context).await`.
    ///
    /// The wrappers carry the user's own spans, so that ordinary type errors stay where they were.
    fn rewrite_await(&mut self, mut awaited: ExprAwait) -> Expr {
        if let Some(race) = operations::race_of(&mut awaited.base, self.runtime) {
            self.walk_race(race);
            return *awaited.base;
        }
        self.walk_awaited(&mut awaited.base);
        self.hands_over = true;
        let ExprAwait { attrs, base, dot_token, await_token } = awaited;
        let span = base.span();
        let probe = self.runtime.private("Probe", span);
        let context = context();
        if operations::is_join(&base, self.runtime) {
            // Its operands are checked one by one, and together by the macro.
            return Expr::Verbatim(
                quote_spanned!(span=> #(#attrs)* #probe(#base).drive(&#context) #dot_token #await_token),
            );
        }
        let durable = self.runtime.private("durable", await_token.span());
        Expr::Verbatim(
            quote_spanned!(span=> #(#attrs)* #probe(#durable(#base)).drive(&#context) #dot_token #await_token),
        )
    }

    /// The awaited expression, or an operand: its type is checked anyway, so that what it calls needs no other check.
    fn walk_awaited(&mut self, base: &mut Expr) {
        match base {
            Expr::Call(call) if matches!(*call.func, Expr::Path(_)) => {
                if !self.refuse_foreign_poll(call) && !self.refuse_awaited_timer(call) {
                    self.walk_call(call, false);
                }
            }
            Expr::MethodCall(call) => {
                self.walk_method_call(call);
            }
            Expr::Paren(paren) => self.walk_awaited(&mut paren.expr),
            Expr::Group(group) => self.walk_awaited(&mut group.expr),
            other => self.visit_expr_mut(other),
        }
    }

    /// Walks a call, and says whether it is handed a resource.
    fn walk_call(&mut self, call: &mut ExprCall, check_path: bool) -> bool {
        self.name_wait(call);
        self.durations_of_call(call);
        match &mut *call.func {
            Expr::Path(path) if check_path => {
                self.check_path(&path.path, true);
                self.check_resource(&path.path);
            }
            Expr::Path(_) => {}
            other => self.visit_expr_mut(other),
        }
        let forgets = order::is_unordered_constructor(call);
        let handed = self.forgetting_order(forgets, |walker| walker.walk_arguments(&mut call.args));
        self.operand_of_timeout(call);
        self.operands_of_join_all(call);
        self.call_ours(call);
        self.forgetting_order(forgets, |walker| walker.probe_collected(call));
        handed
    }

    /// Walks a method call, and says whether it is handed a resource.
    fn walk_method_call(&mut self, call: &mut ExprMethodCall) -> bool {
        self.check_method(call);
        self.durations_of_method(call);
        let over_collection = warned::goes_over_collection(call);
        let forgets = self.order_is_forgotten || order::forgets_order(call);
        let mut handed = self.is_place_of_resource(&call.receiver) || self.hands_over_resource(&call.receiver);
        if !handed {
            self.forgetting_order(forgets, |walker| walker.visit_expr_mut(&mut call.receiver));
        }
        self.forgetting_order(false, |walker| {
            if walker.operation(&call.receiver).is_some() {
                // An operation's own options: what they are is decided here.
                call.args.iter_mut().for_each(|argument| walker.visit_expr_mut(argument));
            } else {
                walker.for_each(over_collection, |walker| handed |= walker.walk_arguments(&mut call.args));
            }
        });
        self.probe_shared(call);
        handed
    }

    /// Walks the arguments of a call, and says whether there are resources among them.
    fn walk_arguments(&mut self, arguments: &mut Punctuated<Expr, Token![,]>) -> bool {
        let mut handed = false;
        for argument in arguments {
            if self.hands_over_resource(argument) {
                handed = true;
            } else {
                self.visit_expr_mut(argument);
            }
        }
        handed
    }

    /// A call outside of an `.await`: with a resource among its arguments it must be a part, or a child.
    fn rewrite_call(&mut self, expr: &mut Expr) {
        let handed = match expr {
            Expr::Call(call) => self.walk_call(call, true),
            Expr::MethodCall(call) => self.walk_method_call(call),
            _ => return,
        };
        if handed && !self.allowed {
            let passed_on = self.runtime.private("passed_on", expr.span());
            *expr = Expr::Verbatim(quote_spanned!(expr.span()=> #passed_on(#expr)));
        } else {
            self.probe_origin(expr);
            self.probe_iteration(expr);
        }
    }

    /// An async block is durable as long as what it awaits is.
    fn rewrite_async(&mut self, mut block: ExprAsync) -> Expr {
        let named = self.noting_context(|walker| walker.in_future(|walker| walker.visit_block_mut(&mut block.block)));
        let wrapper = self.runtime.private("Block", block.async_token.span());
        let async_block = Expr::Async(block);
        match &async_block {
            Expr::Async(ExprAsync { capture: Some(_), .. }) if named => {
                let own = own_context(&async_block);
                Expr::Verbatim(quote_spanned!(async_block.span()=> #wrapper(#own)))
            }
            _ => Expr::Verbatim(quote_spanned!(async_block.span()=> #wrapper(#async_block))),
        }
    }

    fn rewrite_closure(&mut self, mut closure: ExprClosure) -> Expr {
        if let Some(asyncness) = closure.asyncness.take() {
            self.errors
                .push(asyncness, "an async closure cannot hold durable operations: write `|x| async move { .. }`");
            let body = &closure.body;
            closure.body = Box::new(syn::parse_quote_spanned!(body.span()=> async move { #body }));
        }
        let named = self.noting_context(|walker| {
            walker.in_closure(|walker| {
                closure.inputs.iter_mut().for_each(|pattern| walker.visit_pat_mut(pattern));
                walker.visit_expr_mut(&mut closure.body);
            });
        });
        let moves = closure.capture.is_some();
        let closure = Expr::Closure(closure);
        if moves && named { own_context(&closure) } else { closure }
    }
}

/// A `move` closure or block takes a context of its own along.
fn own_context(moving: &Expr) -> Expr {
    let context = context();
    Expr::Verbatim(quote!({ let #context = ::core::clone::Clone::clone(&#context); #moving }))
}

impl VisitMut for Walker<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        let hole = || Expr::Verbatim(proc_macro2::TokenStream::new());
        self.check_outcome(expr);
        match expr {
            Expr::Await(_) => {
                if let Expr::Await(awaited) = std::mem::replace(expr, hole()) {
                    *expr = self.rewrite_await(awaited);
                }
            }
            Expr::Async(_) => {
                if let Expr::Async(block) = std::mem::replace(expr, hole()) {
                    *expr = self.rewrite_async(block);
                }
            }
            Expr::Closure(_) => {
                if let Expr::Closure(closure) = std::mem::replace(expr, hole()) {
                    *expr = self.rewrite_closure(closure);
                }
            }
            Expr::Call(_) | Expr::MethodCall(_) => self.rewrite_call(expr),
            Expr::Struct(made) => self.walk_fields(made),
            Expr::Lit(_) => Durations { errors: self.errors }.visit_expr_mut(expr),
            other => visit_mut::visit_expr_mut(self, other),
        }
    }

    fn visit_expr_for_loop_mut(&mut self, repeated: &mut ExprForLoop) {
        let over_collection = warned::is_collection(&repeated.expr);
        self.walk_head(&mut repeated.expr);
        self.in_scope(|walker| {
            walker.for_each(over_collection, |walker| {
                walker.visit_pat_mut(&mut repeated.pat);
                walker.visit_block_mut(&mut repeated.body);
            });
        });
    }

    fn visit_expr_if_mut(&mut self, expr: &mut ExprIf) {
        self.in_scope(|walker| visit_mut::visit_expr_if_mut(walker, expr));
    }

    fn visit_expr_while_mut(&mut self, expr: &mut ExprWhile) {
        self.in_scope(|walker| visit_mut::visit_expr_while_mut(walker, expr));
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        self.in_scope(|walker| visit_mut::visit_arm_mut(walker, arm));
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        self.check_unused_operations(block);
        let sorted = order::sorted_by_the_next(block);
        let only_in_steps = closures::only_in_steps(block);
        // What ends in a `return` is carried out for one item at most.
        let in_collection = self.in_collection;
        self.in_collection &= !warned::returns(block);
        self.in_scope(|walker| {
            for ((statement, sorted), only_in_steps) in block.stmts.iter_mut().zip(sorted).zip(only_in_steps) {
                if !only_in_steps {
                    walker.forgetting_order(sorted, |walker| walker.visit_stmt_mut(statement));
                }
            }
        });
        self.in_collection = in_collection;
    }

    /// What a `let` binds is in scope after its value.
    fn visit_local_mut(&mut self, local: &mut Local) {
        self.check_forgotten_let(local);
        let renames = local.init.as_ref().is_some_and(|init| self.hands_over_resource(&init.expr));
        if let Some(init) = &mut local.init
            && !renames
        {
            let forgets = self.order_is_forgotten || order::is_unordered_pattern(&local.pat);
            self.forgetting_order(forgets, |walker| walker.visit_local_init_mut(init));
        }
        self.naming_resource = renames;
        self.visit_pat_mut(&mut local.pat);
        self.naming_resource = false;
        self.note_mutable_inside(local);
    }

    fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
        self.owned.bind(pattern);
        self.resources.bind(&pattern.ident, self.naming_resource);
        self.changeable.bind(&pattern.ident, pattern.mutability.is_some());
        self.of_item.bind(&pattern.ident, self.in_collection);
        visit_mut::visit_pat_ident_mut(self, pattern);
    }

    fn visit_expr_path_mut(&mut self, path: &mut ExprPath) {
        self.check_path(&path.path, false);
        self.check_resource(&path.path);
    }

    fn visit_expr_assign_mut(&mut self, assign: &mut ExprAssign) {
        self.check_static_assignment(&assign.left);
        visit_mut::visit_expr_assign_mut(self, assign);
    }

    fn visit_expr_binary_mut(&mut self, binary: &mut ExprBinary) {
        if step::assigns(&binary.op) {
            self.check_static_assignment(&binary.left);
        }
        visit_mut::visit_expr_binary_mut(self, binary);
    }

    fn visit_expr_cast_mut(&mut self, cast: &mut ExprCast) {
        self.check_address(cast);
        visit_mut::visit_expr_cast_mut(self, cast);
    }

    fn visit_expr_macro_mut(&mut self, expr: &mut ExprMacro) {
        self.walk_macro(&mut expr.mac);
    }

    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        self.walk_macro(mac);
    }

    fn visit_stmt_mut(&mut self, stmt: &mut Stmt) {
        let stays = may_have_attributes(stmt);
        let allows = attributes(stmt).is_some_and(|attributes| take_allow(attributes, stays));
        let before = self.allowed;
        self.allowed |= allows;
        self.check_forgotten_statement(stmt);
        visit_mut::visit_stmt_mut(self, stmt);
        self.allowed = before;
    }

    /// Nested items are ordinary Rust: awaiting their futures is refused by type. What is async can be a step's body only.
    fn visit_item_mut(&mut self, item: &mut Item) {
        if let Item::Fn(function) = item
            && function.sig.asyncness.is_some()
        {
            let allowed = lints::allowed();
            function.attrs.push(parse_quote!(#allowed));
        }
    }

    /// Evaluated by the compiler.
    fn visit_expr_const_mut(&mut self, _: &mut ExprConst) {}

    fn visit_attribute_mut(&mut self, _: &mut Attribute) {}
}

/// Turns literals such as `30s` into durations, and nothing else.
pub(crate) fn rewrite_durations(expr: &mut Expr, errors: &mut Errors) {
    Durations { errors }.visit_expr_mut(expr);
}

struct Durations<'a> {
    errors: &'a mut Errors,
}

impl VisitMut for Durations<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        let Expr::Lit(ExprLit { lit, .. }) = expr else { return };
        let milliseconds = match &*lit {
            Lit::Int(number) => duration::of_literal(number),
            Lit::Float(number) => duration::of_fraction(number),
            _ => None,
        };
        let Some(milliseconds) = milliseconds else { return };
        let span = lit.span();
        let milliseconds = milliseconds.unwrap_or_else(|message| {
            self.errors.push_at(span, message);
            0
        });
        *expr = Expr::Verbatim(duration::tokens(milliseconds, span));
    }
}

/// The attributes of a statement.
fn attributes(stmt: &mut Stmt) -> Option<&mut Vec<Attribute>> {
    match stmt {
        Stmt::Local(Local { attrs, .. }) => Some(attrs),
        Stmt::Macro(stmt) => Some(&mut stmt.attrs),
        Stmt::Item(Item::Use(ItemUse { attrs, .. })) => Some(attrs),
        Stmt::Item(_) => None,
        Stmt::Expr(expr, _) => attributes_of_expr(expr),
    }
}

/// Attributes before an expression statement belong to its outermost expression, or to the left side of an operator.
fn attributes_of_expr(expr: &mut Expr) -> Option<&mut Vec<Attribute>> {
    Some(match expr {
        Expr::Assign(expr) => return attributes_of_expr(&mut expr.left),
        Expr::Binary(expr) => return attributes_of_expr(&mut expr.left),
        Expr::Cast(expr) => return attributes_of_expr(&mut expr.expr),
        Expr::Await(expr) => &mut expr.attrs,
        Expr::Async(expr) => &mut expr.attrs,
        Expr::Block(expr) => &mut expr.attrs,
        Expr::Call(expr) => &mut expr.attrs,
        Expr::ForLoop(expr) => &mut expr.attrs,
        Expr::If(expr) => &mut expr.attrs,
        Expr::Loop(expr) => &mut expr.attrs,
        Expr::Macro(expr) => &mut expr.attrs,
        Expr::Match(expr) => &mut expr.attrs,
        Expr::MethodCall(expr) => &mut expr.attrs,
        Expr::Path(expr) => &mut expr.attrs,
        Expr::Return(expr) => &mut expr.attrs,
        Expr::Try(expr) => &mut expr.attrs,
        Expr::Unsafe(expr) => &mut expr.attrs,
        Expr::While(expr) => &mut expr.attrs,
        _ => return None,
    })
}

/// Where rustc takes an attribute: not on a macro call, an `if`, or what a block ends in.
fn may_have_attributes(stmt: &Stmt) -> bool {
    match stmt {
        Stmt::Local(_) => true,
        Stmt::Expr(Expr::Block(_) | Expr::ForLoop(_) | Expr::Loop(_) | Expr::Match(_) | Expr::While(_), _) => true,
        Stmt::Expr(expr, semicolon) => {
            semicolon.is_some()
                && matches!(expr, Expr::Assign(_) | Expr::Await(_) | Expr::Call(_) | Expr::MethodCall(_) | Expr::Try(_))
        }
        _ => false,
    }
}

/// Takes the attribute away, as rustc does not know it; what it says to clippy stays, where it can.
fn take_allow(attributes: &mut Vec<Attribute>, stays: bool) -> bool {
    let is_allow = |attribute: &Attribute| attribute.path().segments.last().is_some_and(|last| last.ident == ALLOW);
    let before = attributes.len();
    attributes.retain(|attribute| !is_allow(attribute));
    let allows = attributes.len() < before;
    if allows && stays {
        let allowed = lints::allowed();
        attributes.push(parse_quote!(#allowed));
    }
    allows
}
