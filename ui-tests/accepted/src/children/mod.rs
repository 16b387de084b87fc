//! Children: workflows that await workflows.

mod abandoned;
mod fan_out;
mod typed;
