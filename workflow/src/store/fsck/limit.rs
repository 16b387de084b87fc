//! What must be true of the tokens of a limit.

use std::collections::BTreeSet;

use super::report::{Area, Finding};
use crate::journal::lease::LimitName;
use crate::journal::table::limit::Limit;

/// Everything that contradicts itself. A share of a session that is gone is no damage: the next request drops it.
pub(crate) fn check_limit(name: &LimitName, limit: &Limit, place: &str) -> Vec<Finding> {
    let complain = |what: String| Finding::of(Area::Limit, None, place, what);
    let mut wrong = Vec::new();
    let mut sessions = BTreeSet::new();
    for share in &limit.shares {
        if !sessions.insert(share.session) {
            wrong.push(complain(format!("session {} has two shares of the limit of {name}", share.session)));
        }
    }
    if limit.spent.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        wrong.push(complain(format!("what was spent of the limit of {name} is not in order")));
    }
    if matches!(name, LimitName::Workflow(_)) && !limit.spent.is_empty() {
        wrong.push(complain(format!("tokens of the limit of {name} are counted as spent, and it has no rate")));
    }
    wrong
}
