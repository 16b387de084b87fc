//! Attributes on statements, inputs, fns and arms; doc comments where they may stand; conditional compilation.

use crate::remote;
use workflow::prelude::*;

/// Has attributes wherever they are allowed.
///
/// # Notes
/// With a section, `code`, and a [link](workflow).
#[workflow]
#[expect(clippy::cast_possible_truncation, reason = "the numbers are small")]
async fn attributes(n: u64, #[default] verbose: bool) -> workflow::Result<u32> {
    // A comment.
    let n = n as u32;
    #[cfg(debug_assertions)]
    assert!(n < 100, "{n} is large");
    #[cfg(any())]
    let missing = step!("missing", nowhere::to_be_found(n)).await?;
    #[allow(unused_variables, reason = "only in some builds")]
    let unused = n;
    #[rustfmt::skip]
    let answer = step!("answer",   remote::answer( n )).await?;
    #[allow(clippy::match_bool, reason = "to have attributes on arms")]
    let twice = match verbose {
        #[cfg(any())]
        false => missing,
        #[cfg(not(any()))]
        false => answer,
        true => answer * 2,
    };
    #[cfg(not(any()))]
    step!("known here", remote::answer(twice)).await?;
    #[cfg(any())]
    {
        step!("known there", remote::answer(missing)).await?;
    }
    Ok(twice)
}

/// Where there is a cluster.
#[cfg(any())]
#[workflow]
async fn clustered(cluster: nowhere::Cluster) -> u64 {
    cluster.size
}

#[part]
#[allow(clippy::unused_unit, reason = "it is written out")]
async fn written_out(#[allow(unused_variables, reason = "not yet")] n: u32) -> () {
    sleep(1s).await;
}

/// Awaits a part with attributes.
#[workflow]
async fn awaits_written_out() {
    written_out(1).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_run() {
        assert_eq!(attributes::test(7, true).run().result, Ok(14));
        assert_eq!(awaits_written_out::test().run().result, Ok(()));
    }
}
