//! Parts: helpers with durable operations, in every form that Rust has for a helper.

mod borrowed;
mod gateways;
mod generic;
mod methods;
mod recursion;
