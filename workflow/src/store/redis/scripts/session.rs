//! The twin of `session.lua`.

use std::time::Duration;

use super::{Call, Found, Misread, Said, Skipped};
use crate::store::redis::keys::Keys;
use crate::words::id::SessionId;
use crate::words::time::millis_rounded_up;

/// Why instances are taken from a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Why {
    /// It closes.
    Closes,
    /// It was revoked.
    Revoked,
}

/// Opening a session as a call.
pub(in super::super) fn open(session: SessionId, lease: Duration) -> Call {
    Call::new(b'N', Vec::new(), |to| {
        to.session(session).six(millis_rounded_up(lease).cast_unsigned());
    })
}

/// Revoking a session as a call.
pub(in super::super) fn fence(session: SessionId, beats: u64) -> Call {
    Call::new(b'X', Vec::new(), |to| {
        to.session(session).six(beats);
    })
}

/// Whether it is revoked now.
pub(in super::super) fn read_fence(said: &Said) -> Result<bool, Misread> {
    match said.word()? {
        "REVOKED" => Ok(true),
        "LIVES" => Ok(false),
        other => Err(Misread(format!("a revocation was answered {other}"))),
    }
}

/// Taking instances from a session as a call.
pub(in super::super) fn take(keys: &Keys, session: SessionId, why: Why, found: &[Found]) -> Call {
    Call::new(b'U', found.iter().map(|one| keys.instance(&one.id)).collect(), |to| {
        let why = match why {
            Why::Closes => b'C',
            Why::Revoked => b'R',
        };
        to.session(session).byte(why).ids(found.iter().map(|one| &one.id));
        to.entries(found.iter().map(|one| one.entry.as_slice()));
    })
}

/// Whether more are left to take.
pub(in super::super) fn read_more(said: &Said) -> Result<bool, Misread> {
    match said.text(2)? {
        "MORE" => Ok(true),
        "NONE" => Ok(false),
        other => Err(Misread(format!("what is left was answered {other}"))),
    }
}

/// What a call for many passed over.
pub(in super::super) fn read_skipped(said: &Said) -> Result<Vec<Skipped>, Misread> {
    said.skipped(3)
}

/// How many things a call did.
pub(in super::super) fn read_count(said: &Said) -> Result<usize, Misread> {
    match said.word()? {
        "COUNT" => usize::try_from(said.int(1)?).map_err(|_| Misread("a count is below zero".to_owned())),
        other => Err(Misread(format!("a count was expected, not {other}"))),
    }
}
