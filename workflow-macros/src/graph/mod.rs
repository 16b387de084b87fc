//! The durable operations of a body as a Mermaid flowchart.

use crate::runtime::Runtime;
use syn::Block;

/// The graph's text.
pub(crate) fn of(_block: &Block, _runtime: &Runtime) -> String {
    "flowchart TD".to_owned()
}
