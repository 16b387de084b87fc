//! From the body to the nodes: everything without a durable operation in it is left out.

use super::{Node, Sequence, Shape};
use crate::body::{Known, known};
use crate::errors::Errors;
use crate::name::Kind;
use crate::race::Race;
use crate::runtime::Runtime;
use crate::step::Call;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAwait, ExprCall, ExprClosure, ExprForLoop, ExprIf, ExprLit, ExprLoop, ExprMatch, ExprMethodCall,
    ExprReturn, ExprWhile, Item, Lit, Macro, Token,
};

/// Labels of conditions and the like are cut at this many characters.
const LONGEST: usize = 48;

/// What is awaited but is nothing that happens.
const FACTS: &[&str] = &["now", "random", "uuid", "info", "changed", "join_all", "try_join_all"];

/// Spaces between tokens that nobody writes.
const TIGHT: &[(&str, &str)] = &[
    (" . ", "."),
    (" :: ", "::"),
    (" (", "("),
    ("( ", "("),
    (" )", ")"),
    (" [", "["),
    ("[ ", "["),
    (" ]", "]"),
    (" ,", ","),
    (" ;", ";"),
    (" ?", "?"),
];

/// What the block does, in order.
pub(super) fn sequence(block: &Block, runtime: &Runtime) -> Sequence {
    let mut collector = Collector { runtime, found: Vec::new() };
    collector.visit_block(block);
    collector.found
}

struct Collector<'a> {
    runtime: &'a Runtime,
    found: Sequence,
}

impl Collector<'_> {
    fn apart(&mut self, visit: impl FnOnce(&mut Self)) -> Sequence {
        let before = std::mem::take(&mut self.found);
        visit(self);
        std::mem::replace(&mut self.found, before)
    }

    fn of_expr(&mut self, expr: &Expr) -> Sequence {
        self.apart(|collector| collector.visit_expr(expr))
    }

    fn push_loop(&mut self, label: String, body: Sequence) {
        if !body.is_empty() {
            self.found.push(Node::Loop { label, body });
        }
    }

    fn push_branch(&mut self, label: String, ways: Vec<(String, Sequence)>) {
        if ways.iter().any(|(_, way)| !way.is_empty()) {
            self.found.push(Node::Branch { label, ways });
        }
    }

    /// What a choice is made on: the operation just before, or the expression.
    fn decided_by(&self, expr: &Expr, known_before: usize) -> String {
        match self.found[known_before..].last() {
            Some(Node::Operation { label, .. }) => label.lines().next().unwrap_or_default().to_owned(),
            _ => text(expr),
        }
    }

    fn step(&mut self, kind: Kind, mac: &Macro) {
        let mut errors = Errors::new();
        let call = Call::of_macro(kind, mac, &mut errors);
        // Whatever is wrong is reported by the walk.
        drop(errors.into_tokens());
        let Some(call) = call else { return };
        let mut label = call.name.value();
        for setting in &call.options {
            let value = match &setting.value {
                Expr::Verbatim(_) => written_value(mac, &setting.key.to_string()),
                value => text(value),
            };
            label.push_str(&format!("\n{} {value}", setting.key));
        }
        let block = match (&call.kind, &call.body) {
            (Kind::Group, Expr::Block(body)) => &body.block,
            (Kind::Group, Expr::Async(body)) => &body.block,
            _ => return self.found.push(Node::Operation { shape: Shape::Step, label }),
        };
        let body = self.apart(|collector| collector.visit_block(block));
        self.found.push(Node::Group { label, body });
    }

    fn join(&mut self, mac: &Macro, label: &'static str) {
        let operations: syn::Result<Punctuated<Expr, Token![,]>> =
            Punctuated::parse_terminated.parse2(mac.tokens.clone());
        let ways: Vec<_> = operations.into_iter().flatten().map(|operation| self.operation_apart(&operation)).collect();
        if ways.iter().any(|way| !way.is_empty()) {
            self.found.push(Node::Join { label, ways });
        }
    }

    fn race(&mut self, mac: &Macro) {
        let mut errors = Errors::new();
        let race = Race::of_macro(mac, &mut errors);
        drop(errors.into_tokens());
        let Some(race) = race else { return };
        let ways =
            race.arms.iter().map(|arm| (self.operation_apart(&arm.operation), self.of_expr(&arm.then))).collect();
        self.found.push(Node::Race { ways });
    }

    fn other_macro(&mut self, mac: &Macro) {
        let list: syn::Result<Punctuated<Expr, Token![,]>> = Punctuated::parse_terminated.parse2(mac.tokens.clone());
        if let Ok(list) = list {
            list.iter().for_each(|expr| self.visit_expr(expr));
        } else if let Ok(stmts) = Block::parse_within.parse2(mac.tokens.clone()) {
            stmts.iter().for_each(|stmt| self.visit_stmt(stmt));
        }
    }

    /// Something awaited, joined or raced: when there is nothing known in it, it is a call of a part or workflow.
    fn operation(&mut self, operation: &Expr) {
        let before = self.found.len();
        self.visit_expr(operation);
        if self.found.len() > before {
            return;
        }
        let label = match operation {
            Expr::Call(call) => match &*call.func {
                Expr::Path(path) => text(&path.path),
                _ => return,
            },
            Expr::MethodCall(call) => call.method.to_string(),
            _ => return,
        };
        if !FACTS.iter().any(|fact| label.rsplit("::").next() == Some(fact)) {
            self.found.push(Node::Operation { shape: Shape::Call, label });
        }
    }

    fn operation_apart(&mut self, operation: &Expr) -> Sequence {
        self.apart(|collector| collector.operation(operation))
    }

    /// `sleep(..)` and `wait_for(..)`; anything else is an operation only when it is awaited.
    fn timed(&mut self, call: &ExprCall) -> bool {
        let Expr::Path(path) = &*call.func else { return false };
        let Some(last) = path.path.segments.last() else { return false };
        let name = last.ident.to_string();
        let (shape, label) = match name.as_str() {
            "sleep" | "sleep_until" => {
                (Shape::Sleep, format!("{name} {}", call.args.first().map(text).unwrap_or_default()))
            }
            "timeout" if call.args.len() == 2 => {
                self.operation(&call.args[1]);
                return true;
            }
            "wait_for" | "wait_for_type" => {
                (Shape::Wait, format!("wait for {}", call.args.first().map(name_of).unwrap_or_default()))
            }
            _ => return false,
        };
        self.found.push(Node::Operation { shape, label });
        true
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.operation(&awaited.base);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if !self.timed(call) {
            visit::visit_expr_call(self, call);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        visit::visit_expr_method_call(self, call);
        let annotated = ["timeout", "key", "retries"].iter().any(|name| call.method == name);
        if let (true, Some(Node::Operation { label, .. })) = (annotated, self.found.last_mut()) {
            let arguments: Vec<_> = call.args.iter().map(text).collect();
            label.push_str(&format!("\n{} {}", call.method, arguments.join(", ")));
        }
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        match known(&mac.path, self.runtime) {
            Some(Known::Step) => self.step(Kind::Step, mac),
            Some(Known::Group) => self.step(Kind::Group, mac),
            Some(Known::Race) => self.race(mac),
            Some(Known::Join) => {
                let tries = mac.path.segments.last().is_some_and(|last| last.ident == "try_join");
                self.join(mac, if tries { "all or the first error" } else { "all" });
            }
            Some(Known::Skipped) => {}
            None => self.other_macro(mac),
        }
    }

    fn visit_expr_if(&mut self, choice: &'ast ExprIf) {
        let before = self.found.len();
        self.visit_expr(&choice.cond);
        let label = match &*choice.cond {
            Expr::Let(binding) => format!("{} = {}", text(&binding.pat), self.decided_by(&binding.expr, before)),
            condition => self.decided_by(condition, before),
        };
        let yes = self.apart(|collector| collector.visit_block(&choice.then_branch));
        let no = choice.else_branch.as_ref().map(|(_, other)| self.of_expr(other)).unwrap_or_default();
        self.push_branch(label, vec![("yes".to_owned(), yes), ("no".to_owned(), no)]);
    }

    fn visit_expr_match(&mut self, choice: &'ast ExprMatch) {
        let before = self.found.len();
        self.visit_expr(&choice.expr);
        let label = self.decided_by(&choice.expr, before);
        let ways = choice.arms.iter().map(|arm| (text(&arm.pat), self.of_expr(&arm.body))).collect();
        self.push_branch(label, ways);
    }

    fn visit_expr_for_loop(&mut self, repeated: &'ast ExprForLoop) {
        self.visit_expr(&repeated.expr);
        let body = self.apart(|collector| collector.visit_block(&repeated.body));
        self.push_loop(format!("for {} in {}", text(&repeated.pat), text(&repeated.expr)), body);
    }

    fn visit_expr_while(&mut self, repeated: &'ast ExprWhile) {
        let body = self.apart(|collector| {
            collector.visit_expr(&repeated.cond);
            collector.visit_block(&repeated.body);
        });
        self.push_loop(format!("while {}", text(&repeated.cond)), body);
    }

    fn visit_expr_loop(&mut self, repeated: &'ast ExprLoop) {
        let body = self.apart(|collector| collector.visit_block(&repeated.body));
        self.push_loop("loop".to_owned(), body);
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        let body = self.of_expr(&closure.body);
        let inputs: Vec<_> = closure.inputs.iter().map(text).collect();
        self.push_loop(format!("each {}", inputs.join(", ")), body);
    }

    fn visit_expr_return(&mut self, returned: &'ast ExprReturn) {
        visit::visit_expr_return(self, returned);
        self.found.push(Node::Return { label: returned.expr.as_deref().map_or_else(|| "return".to_owned(), text) });
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// A checked option was rewritten; this is what the user wrote.
fn written_value(mac: &Macro, key: &str) -> String {
    let trees: Vec<_> = mac.tokens.clone().into_iter().collect();
    let found = trees.windows(3).find(|window| window[0].to_string() == key && window[1].to_string() == "=");
    found.map(|window| window[2].to_string()).unwrap_or_default()
}

fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => name.value(),
        other => text(other),
    }
}

/// Source text on one line.
fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    // Inside the compiler the source's own spacing is kept; elsewhere every token stands apart.
    for (loose, tight) in TIGHT {
        text = text.replace(loose, tight);
    }
    if text.chars().count() > LONGEST {
        return text.chars().take(LONGEST - 1).chain(['…']).collect();
    }
    text
}
