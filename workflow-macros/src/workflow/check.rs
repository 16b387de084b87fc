//! The rules about a workflow's signature, one function each. What rustc says better is left to it.

use super::model::{Model, Parameter, Role};
use crate::body;
use crate::errors::Errors;
use syn::visit::{self, Visit};
use syn::{GenericParam, Lifetime, Receiver, ReturnType, Safety, Type, TypeImplTrait, TypeReference, spanned::Spanned};

/// Reports every broken rule, and says whether the signature can be emitted as a workflow.
pub(super) fn all(model: &Model, errors: &mut Errors) -> bool {
    check_async(model, errors);
    check_qualifiers(model, errors);
    check_attributes(model, errors);
    let before = errors.len();
    check_receiver(model, errors);
    check_generics(model, errors);
    for parameter in &model.parameters {
        match parameter.role {
            Role::Input { .. } => {
                check_input_name(parameter, errors);
                check_input_type(parameter, errors);
            }
            Role::Resource => check_resource(parameter, errors),
        }
    }
    check_output(model, errors);
    errors.len() == before
}

/// The body is driven as a future.
fn check_async(model: &Model, errors: &mut Errors) {
    if model.signature.asyncness.is_none() {
        errors.push(model.signature.fn_token, "a workflow is an `async fn`: write `async` in front of `fn`");
    }
}

/// The engine calls it, safely, at run time, from Rust.
fn check_qualifiers(model: &Model, errors: &mut Errors) {
    let signature = &model.signature;
    if let Some(constness) = &signature.constness {
        errors.push(constness, "a workflow cannot be `const`: it is run by an engine");
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.push(unsafety, "a workflow cannot be `unsafe`: an engine could not promise what it asks");
    }
    if let Some(abi) = &signature.abi {
        errors.push(abi, "a workflow cannot be `extern`: it is run by an engine");
    }
}

/// An exception is made for one statement, so that the next one is looked at again.
fn check_attributes(model: &Model, errors: &mut Errors) {
    let of_all = model
        .attributes
        .iter()
        .filter(|attribute| attribute.path().segments.last().is_some_and(|last| last.ident == body::ALLOW));
    for attribute in of_all {
        errors.push(attribute, "`#[allow_nondeterminism]` goes on a statement: put it on those that need it");
    }
}

/// An instance is started from its recorded inputs alone, perhaps on another machine: there is no `self` to start on.
fn check_receiver(model: &Model, errors: &mut Errors) {
    if let Some(receiver) = model.signature.receiver() {
        let Receiver { self_token, .. } = receiver;
        errors.push(
            self_token,
            "a workflow is a free fn, without `self`: take what it needs as an input, or as a `#[resource]`",
        );
    }
}

/// It is registered once, under one name, with one type for each input.
fn check_generics(model: &Model, errors: &mut Errors) {
    let generics = &model.signature.generics;
    let message = "a workflow cannot be generic: it is registered under one name\nput the generic part in a `#[part]`";
    let is_lifetime = |parameter: &GenericParam| matches!(parameter, GenericParam::Lifetime(_));
    let borrows = |parameter: &Parameter| {
        matches!(parameter.role, Role::Input { .. }) && Found::of(&parameter.ty).borrow.is_some()
    };
    if generics.params.iter().all(is_lifetime) && model.parameters.iter().any(borrows) {
        // That an input borrows is said there.
    } else if !generics.params.is_empty() {
        errors.push(&generics.params, message);
    } else if let Some(clause) = &generics.where_clause {
        errors.push(clause, message);
    }
}

/// An input is recorded under its name, so that inputs can be added later.
fn check_input_name(parameter: &Parameter, errors: &mut Errors) {
    if parameter.name().is_none() {
        errors.push(
            &parameter.pattern,
            "an input is recorded under its name: give it a plain name and take it apart in the body",
        );
    }
}

/// An input is read back from the journal, where nothing can be borrowed from, and as one known type.
fn check_input_type(parameter: &Parameter, errors: &mut Errors) {
    if let Type::Reference(reference) = &parameter.ty {
        errors.push(
            reference,
            "an input is recorded and read back, so it owns its data: take it by value, or mark what is shared by all \
             instances with `#[resource]`",
        );
        return;
    }
    let found = Found::of(&parameter.ty);
    if let Some(span) = found.borrow {
        errors.push_at(span, "an input is recorded and read back, so it owns its data");
    }
    if let Some(span) = found.impl_trait {
        errors.push_at(span, "a workflow cannot be generic: name the type of this input");
    }
}

/// A resource is one value shared by all instances of a worker.
fn check_resource(parameter: &Parameter, errors: &mut Errors) {
    match &parameter.ty {
        Type::Reference(TypeReference { mutability: Some(mutability), .. }) => {
            errors.push(mutability, "a resource is shared by all instances of a worker: take it by `&`");
        }
        Type::Reference(reference) => {
            if let Some(span) = Found::of(&reference.elem).impl_trait {
                errors.push_at(span, "a resource is found by its type: name it, or use `&dyn Trait`");
            }
        }
        other => {
            errors.push(other, "a resource is shared by all instances of a worker: take it by reference, `&..`");
        }
    }
    if parameter.name().is_none() {
        errors.push(&parameter.pattern, "give a resource a plain name and take it apart in the body");
    }
}

/// An output is recorded, and is read by those who wait for it, in other processes.
fn check_output(model: &Model, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = &model.signature.output else { return };
    let found = Found::of(ty);
    if let Some(span) = found.borrow {
        errors.push_at(span, "a workflow's output is recorded and read back, so it owns its data");
    }
    if let Some(span) = found.impl_trait {
        errors.push_at(span, "a workflow's output is recorded and read back: name its type");
    }
}

/// What a type must not hold, at its first place.
#[derive(Default)]
pub(super) struct Found {
    pub(super) borrow: Option<proc_macro2::Span>,
    pub(super) impl_trait: Option<proc_macro2::Span>,
}

impl Found {
    pub(super) fn of(ty: &Type) -> Self {
        let mut found = Self::default();
        found.visit_type(ty);
        found
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if reference.lifetime.is_none() {
            self.borrow.get_or_insert(reference.and_token.span());
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            self.borrow.get_or_insert(lifetime.span());
        }
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.impl_trait.get_or_insert(ty.impl_token.span());
    }
}
