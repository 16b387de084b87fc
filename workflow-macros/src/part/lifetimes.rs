//! The lifetimes of a part's boxed future.
//!
//! An async fn captures the lifetimes of all its arguments; a fn that returns `Part<'wf, T>` must say so: every elided
//! lifetime gets a name that outlives `'wf`, and so does every generic parameter.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    FnArg, GenericParam, Ident, Lifetime, ParenthesizedGenericArguments, ReceiverKind, ReturnType, Signature, Type,
    TypeFnPtr, TypeImplTrait, TypeReference, parse_quote, parse_quote_spanned, spanned::Spanned,
};

/// Names the lifetimes of the signature, and gives the one of the future: `'static` when there is nothing to borrow.
pub(super) fn name_all(signature: &mut Signature) -> Lifetime {
    let mut elided = Elided::default();
    for input in &mut signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                if let ReceiverKind::Reference(and, lifetime, _) = &mut receiver.kind {
                    elided.name(lifetime, and.span());
                    elided.of_receiver.clone_from(lifetime);
                } else if let ReceiverKind::Typed(_, ty) = &mut receiver.kind {
                    elided.visit_type_mut(ty);
                }
            }
            FnArg::Typed(typed) => elided.visit_type_mut(&mut typed.ty),
        }
    }
    elided.name_output(signature);
    let takes_self = signature.receiver().is_some() || mentions_self(signature);
    let generic = !signature.generics.params.is_empty();
    if elided.named.is_empty() && !generic && !elided.bounded && !takes_self {
        return Lifetime::new("'static", Span::call_site());
    }
    match &elided.named[..] {
        // One borrow is the future's own lifetime: the fn stays as general as written.
        [only] if !generic && !elided.bounded && (elided.of_receiver.is_some() || !takes_self) => {
            let only = only.clone();
            signature.generics.params.push(parse_quote!(#only));
            only
        }
        _ => bound_all(signature, elided.named, takes_self),
    }
}

/// Adds the future's lifetime, and that everything outlives it.
fn bound_all(signature: &mut Signature, named: Vec<Lifetime>, takes_self: bool) -> Lifetime {
    let future = Lifetime::new("'wf", Span::mixed_site());
    let parameters: Vec<GenericParam> = signature.generics.params.iter().cloned().collect();
    let clause = signature.generics.make_where_clause();
    for lifetime in &named {
        clause.predicates.push(parse_quote_spanned!(lifetime.span()=> #lifetime: #future));
    }
    for parameter in &parameters {
        match parameter {
            GenericParam::Lifetime(parameter) => {
                let lifetime = &parameter.lifetime;
                clause.predicates.push(parse_quote_spanned!(lifetime.span()=> #lifetime: #future));
            }
            GenericParam::Type(parameter) => {
                let ident = &parameter.ident;
                clause.predicates.push(parse_quote_spanned!(ident.span()=> #ident: #future));
            }
            GenericParam::Const(_) => {}
        }
    }
    if takes_self {
        clause.predicates.push(parse_quote!(Self: #future));
    }
    let lifetimes = named.iter().chain([&future]).map(|lifetime| -> GenericParam { parse_quote!(#lifetime) });
    signature.generics.params = lifetimes.chain(parameters).collect();
    if signature.generics.lt_token.is_none() {
        signature.generics.lt_token = Some(Default::default());
        signature.generics.gt_token = Some(Default::default());
    }
    for input in &mut signature.inputs {
        if let FnArg::Typed(typed) = input {
            Opaque { future: &future }.visit_type_mut(&mut typed.ty);
        }
    }
    future
}

/// Gives each elided lifetime a name.
#[derive(Default)]
struct Elided {
    named: Vec<Lifetime>,
    of_receiver: Option<Lifetime>,
    /// An `impl Trait` was seen, which may borrow too.
    bounded: bool,
}

impl Elided {
    fn name(&mut self, lifetime: &mut Option<Lifetime>, span: Span) {
        if lifetime.as_ref().is_none_or(|lifetime| lifetime.ident == "_") {
            let name = Lifetime { apostrophe: span, ident: Ident::new(&format!("wf{}", self.named.len()), span) };
            self.named.push(name.clone());
            *lifetime = Some(name);
        }
    }

    /// What is elided in the output is what Rust's own rules say: the receiver's lifetime, or the only one.
    fn name_output(&self, signature: &mut Signature) {
        let source = match (&self.of_receiver, &self.named[..]) {
            (Some(receiver), _) => receiver,
            (None, [only]) => only,
            _ => return,
        };
        if let ReturnType::Type(_, ty) = &mut signature.output {
            Output { source }.visit_type_mut(ty);
        }
    }
}

impl VisitMut for Elided {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        let span = reference.and_token.span();
        self.name(&mut reference.lifetime, span);
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            let mut named = None;
            self.name(&mut named, lifetime.span());
            if let Some(named) = named {
                *lifetime = named;
            }
        }
    }

    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        self.bounded = true;
        visit_mut::visit_type_impl_trait_mut(self, ty);
    }

    /// `fn(&T)` and `Fn(&T)` bind their own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {}
}

struct Output<'a> {
    source: &'a Lifetime,
}

impl VisitMut for Output<'_> {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(self.source.clone());
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.source.clone();
        }
    }

    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {}
}

/// `impl Trait` arguments are captured as well.
struct Opaque<'a> {
    future: &'a Lifetime,
}

impl VisitMut for Opaque<'_> {
    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        let future = self.future;
        ty.bounds.push(parse_quote!(#future));
    }
}

fn mentions_self(signature: &Signature) -> bool {
    #[derive(Default)]
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            self.0 |= path.segments.first().is_some_and(|first| first.ident == "Self");
            visit::visit_path(self, path);
        }
    }
    let mut finder = Finder::default();
    finder.visit_signature(signature);
    finder.0
}

/// Whether a type holds an `impl Trait`, which cannot be written inside of a body.
pub(super) fn is_opaque(ty: &Type) -> bool {
    #[derive(Default)]
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut finder = Finder::default();
    finder.visit_type(ty);
    finder.0
}
