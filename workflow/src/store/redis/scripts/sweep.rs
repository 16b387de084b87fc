//! The twin of `sweep.lua`.

use std::time::Duration;

use super::{Call, Found};
use crate::store::redis::keys::Keys;
use crate::words::id::InstanceId;
use crate::words::time::millis_rounded_up;

fn instances(keys: &Keys, ids: &[InstanceId]) -> Vec<Vec<u8>> {
    ids.iter().map(|id| keys.instance(id)).collect()
}

/// Waking these as a call.
pub(in super::super) fn wake(keys: &Keys, ids: &[InstanceId]) -> Call {
    Call::new(b'T', instances(keys, ids), |to| {
        to.ids(ids.iter());
    })
}

/// Moving these out of inboxes as a call.
pub(in super::super) fn unstick(keys: &Keys, older_than: Duration, found: &[Found]) -> Call {
    Call::new(b'V', found.iter().map(|one| keys.instance(&one.id)).collect(), |to| {
        to.six(millis_rounded_up(older_than).cast_unsigned()).ids(found.iter().map(|one| &one.id));
        to.entries(found.iter().map(|one| one.entry.as_slice()));
    })
}

/// Deleting these, and old runs of those, as a call.
pub(in super::super) fn expire(keys: &Keys, ids: &[InstanceId], runs: &[(InstanceId, u32)]) -> Call {
    let mut needed = instances(keys, ids);
    needed.extend(runs.iter().map(|(id, _)| keys.instance(id)));
    Call::new(b'E', needed, |to| {
        to.ids(ids.iter()).three(runs.len());
        for (id, run) in runs {
            to.id(id).four(*run);
        }
    })
}

/// Putting back what indexes lack of these as a call.
pub(in super::super) fn mend(keys: &Keys, found: &[Found]) -> Call {
    Call::new(b'M', found.iter().map(|one| keys.instance(&one.id)).collect(), |to| {
        to.ids(found.iter().map(|one| &one.id));
        to.entries(found.iter().map(|one| one.entry.as_slice()));
    })
}

/// Forgetting commands that were carried out, as a call.
pub(in super::super) fn sent(keys: &Keys, source: &InstanceId, numbers: &[u64]) -> Call {
    Call::new(b'Q', vec![keys.instance(source)], |to| {
        to.id(source).three(numbers.len());
        for number in numbers {
            to.six(*number);
        }
    })
}
