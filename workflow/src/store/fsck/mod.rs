//! Checks of what a store keeps: that everything in it agrees with everything else.
//!
//! Owns what a check says, and of its rules those that every store has in common: what must be true of one instance
//! ([`instance`]), and of an instance and its relatives ([`family`]). What a store alone knows (files, keys, indexes) it
//! checks itself, in a file of the same name. Pure; reads nothing and changes nothing. Called by the stores.

mod family;
mod instance;
mod limit;
mod report;

pub(crate) use self::family::{Relative, children_missed, is_cared_for, is_missed, parent_wanted};
#[cfg(feature = "sqlite")]
pub(crate) use self::instance::Mailbox;
pub(crate) use self::instance::{Archived, Journal, Kept, check_instance, check_session};
pub(crate) use self::limit::check_limit;
pub use self::report::{Area, FINDINGS_MAX, Finding, Report};
