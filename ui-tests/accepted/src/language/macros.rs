//! Macros of the standard library, of other crates and of the user, with operations in them where that reads well.

use crate::remote;
use serde_json::json;
use std::fmt::Write as _;
use std::io;
use workflow::prelude::*;

macro_rules! pairs {
    ($($name:ident => $value:expr),+ $(,)?) => {
        [$((stringify!($name), $value)),+]
    };
}

macro_rules! at_least {
    ($value:expr, $least:literal) => {
        if $value < $least {
            return Err(format!("{} is less than {}", stringify!($value), $least).into());
        }
    };
}

async fn post(body: &serde_json::Value) -> io::Result<usize> {
    remote::answer(body.to_string().len()).await
}

/// Uses macros.
#[workflow]
async fn macros(timeout: u32, names: Vec<String>) -> workflow::Result<usize> {
    at_least!(timeout, 3);
    let delay = 5_u8;
    let body = json!({ "timeout": timeout, "delay": delay, "inside": { "sleep": [1, null, { "async": true }] } });
    let all = pairs! { delay => u32::from(delay), timeout => timeout, sum => timeout + 2 };
    assert!(all.len() == 3 && timeout != 4, "{all:?} {timeout}");
    assert_eq!(all[0].0, "delay");
    let mut posted = vec![step!("post", post(&body)).await?, step!("post again", post(&json!([timeout]))).await?];
    posted.push(names.len());
    let mut text = format!("{} and {:>4}", step!("in format", remote::answer(1)).await?, names.len());
    write!(text, "{}", step!("in write", remote::answer('!')).await?)?;
    let matched = matches!(step!("in matches", remote::answer(Some(3))).await, Ok(Some(n)) if n > 2);
    debug_assert!(matched, "{text}");
    let known = pairs![first => step!("in a macro of ours", remote::answer(2_u32)).await?];
    let line = concat!("at ", line!(), ":", column!());
    let sum = posted.iter().sum::<usize>() - names.len();
    if sum == 0 {
        unreachable!("{line}, {}", known[0].1);
    }
    let steps = names.iter().map(|name| step!("of a name", key = name, { Ok(format!("{name}{timeout}")) }));
    let named = try_join_all(steps).await?;
    Ok(named.iter().map(String::len).sum::<usize>() + text.len() + usize::from(line.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_expand() {
        assert_eq!(macros::test(7, vec!["Ada".to_owned()]).run().result, Ok(4 + 11));
        assert!(macros::test(1, vec![]).run().result.is_err());
    }
}
