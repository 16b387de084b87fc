//! What every store must do, command by command: one suite, run unchanged on each store.
//!
//! Each file is a theme. A test is a function over a [`world::World`]; [`on_every_store`] makes one test of it for each
//! store. Tests named `a01_…` to `a23_…` are the interleavings that break a naive design: see [`review`]. [`random`] compares each store with the model, command by command, on sequences nobody thought of.

#[macro_use]
mod stores;
mod world;

mod children;
mod claims;
mod controls;
mod creates;
mod events;
mod forks;
mod owners;
mod queues;
mod random;
mod retention;
mod review;
mod sessions;
mod survival;
mod timers;
mod views;
