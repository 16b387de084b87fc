//! What a workflow is, once read.

use crate::runtime::Runtime;
use proc_macro2::TokenStream;
use syn::{Attribute, Block, Expr, Ident, LitStr, Pat, Signature, Type, Visibility};

/// A workflow as written, with its options; the nodes keep their spans.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) runtime: Runtime,
    pub(crate) name: LitStr,
    pub(crate) version: u32,
    pub(crate) queue: LitStr,
    /// How long instances are kept that completed; nothing: as long as the engine says.
    pub(crate) keep_complete: Option<TokenStream>,
    /// The same, of instances that failed or were terminated.
    pub(crate) keep_failed: Option<TokenStream>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// As written, without the attributes of its inputs.
    pub(crate) signature: Signature,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) block: Block,
}

/// One parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) pattern: Pat,
    pub(crate) ty: Type,
    pub(crate) role: Role,
}

/// Where a parameter's value comes from.
#[derive(Debug)]
pub(crate) enum Role {
    /// Recorded with the instance, under the parameter's name.
    Input {
        /// What it is when the recorded inputs lack it.
        default: Option<Expr>,
    },
    /// Injected where the workflow runs.
    Resource,
}

impl Model {
    /// The workflow's identifier.
    pub(crate) fn ident(&self) -> &Ident {
        &self.signature.ident
    }

    /// The recorded parameters, in order.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| matches!(parameter.role, Role::Input { .. }))
    }
}

impl Parameter {
    /// The name, when the pattern is one.
    pub(crate) fn name(&self) -> Option<&Ident> {
        match &self.pattern {
            Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => Some(&pattern.ident),
            _ => None,
        }
    }

    /// What a resource's reference points to.
    pub(crate) fn resource(&self) -> Option<&Type> {
        match (&self.role, &self.ty) {
            (Role::Resource, Type::Reference(reference)) => Some(&reference.elem),
            _ => None,
        }
    }
}
