//! The durable operations of a body as a flowchart: the constant `GRAPH` of a workflow.
//!
//! Drawn from the source alone, so it is constant text without cost at run time. What lies behind a part or child is
//! one node, `break` and `?` are not drawn, and macros that cannot be read are left out. [`collect`] keeps what holds
//! durable operations, [`mermaid`] writes it down.

mod collect;
mod mermaid;

use crate::runtime::Runtime;
use syn::Block;

/// What happens one after another.
type Sequence = Vec<Node>;

/// A place in the flow.
#[derive(Debug, PartialEq, Eq)]
enum Node {
    /// One operation.
    Operation { shape: Shape, label: String },
    /// A named scope.
    Group { label: String, body: Sequence },
    /// One of several ways, each with what is written on its edge.
    Branch { label: String, ways: Vec<(String, Sequence)> },
    /// Something repeated.
    Loop { label: String, body: Sequence },
    /// All of these, side by side.
    Join { label: &'static str, ways: Vec<Sequence> },
    /// The first of these, and what follows it.
    Race { ways: Vec<(Sequence, Sequence)> },
    /// The way ends here.
    Return { label: String },
}

/// What kind of operation, and so the form of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Step,
    Sleep,
    Wait,
    /// A part or another workflow.
    Call,
}

/// The flowchart as Mermaid text.
pub(crate) fn of(block: &Block, runtime: &Runtime) -> String {
    mermaid::write(&collect::sequence(block, runtime))
}
