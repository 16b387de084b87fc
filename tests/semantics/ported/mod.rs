//! The samples of the model library's README, in its order, as workflows of ours.
//!
//! A sample that another test shows already is not written twice: `docs/COMING_FROM_BULLMQ_WORKFLOWS.md` says which test
//! that is.

mod approvals;
mod instances;
mod order;
mod steps;
mod suite;
