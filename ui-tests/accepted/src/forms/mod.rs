//! Forms: every place, body, closure, declaration and part that the macros know.
#![allow(clippy::pedantic, reason = "these show every form there is; the other modules are written with style")]

mod bodies;
mod closures;
mod declarations;
mod escapes;
mod order;
mod order_of_iteration;
mod parts;
mod pieces_of_bodies;
