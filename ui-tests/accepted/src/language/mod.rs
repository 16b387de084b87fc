//! The language: what Rust allows between two steps, and around them.

mod async_blocks;
mod attributes;
mod blocks;
mod closures;
mod combinators;
mod conditional;
mod destructuring;
mod labels;
mod literals;
mod macros;
mod nested_items;
mod raw_identifiers;
