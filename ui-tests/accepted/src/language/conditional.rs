//! Chains of `if let` and `while let` with operations in their conditions, and `let … else` that leaves loops.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Page {
    Items { ids: Vec<u32>, next: Option<u32> },
    Busy,
}

async fn page(cursor: u32) -> io::Result<Page> {
    remote::answer(match cursor {
        1 => Page::Busy,
        0 | 2 => Page::Items { ids: vec![cursor, cursor + 10], next: Some(cursor + 1) },
        _ => Page::Items { ids: vec![99], next: None },
    })
    .await
}

/// Goes through pages.
#[workflow]
async fn pages(limit: usize) -> workflow::Result<Vec<u32>> {
    let mut found = Vec::new();
    let mut cursor = Some(0);
    while let Some(at) = cursor
        && found.len() < limit
    {
        let Page::Items { ids, next } = step!("page", page(at)).await? else {
            sleep(1m).await;
            cursor = Some(at + 1);
            continue;
        };
        if let [first, .., last] = ids[..]
            && step!("is wanted", remote::answer(first < last)).await?
            && let Ok(Some(extra)) = step!("extra", remote::answer(first.checked_add(last))).await
        {
            found.push(extra);
        } else if let Some(only @ 1..) = ids.first() {
            found.push(*only);
        }
        cursor = next;
    }
    if !found.is_empty() && step!("count", remote::answer(found.len())).await? > 100 {
        found.clear();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_turned() {
        assert_eq!(pages::test(10).run().result, Ok(vec![10, 14, 99]));
    }
}
