//! Errors: of every kind that users have, on their way out of bodies, parts and workflows.

mod anyhow_bodies;
mod boxed;
mod catch_all;
mod fatal;
mod typed;
