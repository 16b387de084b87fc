//! The twin of `limit.lua`.

use super::{Call, Misread, Said};
use crate::journal::lease::{Lease, LeaseReply};
use crate::words::time::millis_rounded_up;

/// A request for tokens as a call.
pub(in super::super) fn call(request: &Lease) -> Call {
    let per_ms = request.per.map_or(0, |per| millis_rounded_up(per).max(1).cast_unsigned());
    Call::new(b'G', Vec::new(), |to| {
        to.session(request.session).six(request.number).four(request.limit).six(per_ms);
        to.four(request.spent).four(request.held).four(request.want).short(&request.name.key());
    })
}

/// The answer to it.
pub(in super::super) fn read(said: &Said) -> Result<LeaseReply, Misread> {
    Ok(match said.word()? {
        "GRANTED" => {
            let tokens = u32::try_from(said.int(1)?).map_err(|_| Misread("a count of tokens".to_owned()))?;
            LeaseReply::Granted { tokens, free_at: said.timer(2)? }
        }
        "LATE" => LeaseReply::Late,
        "FENCED" => LeaseReply::Fenced,
        other => return Err(Misread(format!("a lease was answered {other}"))),
    })
}
