//! Recursion: over a tree, mutual, and by a child workflow that calls itself.

use crate::remote;
use serde::{Deserialize, Serialize};
use std::io;
use workflow::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Folder {
    File { name: String, bytes: u64 },
    Folder { name: String, inside: Vec<Self> },
}

async fn copy(path: &str, bytes: u64) -> io::Result<u64> {
    remote::answer(bytes + u64::from(path.is_empty())).await
}

#[part]
async fn copy_folder(folder: &Folder, path: &str, depth: usize) -> Result<u64, StepError> {
    match folder {
        Folder::File { name, bytes } => step!("copy", key = format!("{path}/{name}"), copy(path, *bytes)).await,
        Folder::Folder { .. } if depth > 20 => Ok(0),
        Folder::Folder { name, inside } => {
            let path = format!("{path}/{name}");
            let mut sum = 0;
            for folder in inside {
                sum += copy_folder(folder, &path, depth + 1).await?;
            }
            Ok(sum)
        }
    }
}

#[part]
async fn even(n: u32) -> bool {
    if n == 0 { true } else { odd(n - 1).await }
}

#[part]
async fn odd(n: u32) -> bool {
    if n == 0 {
        return false;
    }
    sleep(1s).await;
    even(n - 1).await
}

/// Counts down by children.
#[workflow]
async fn countdown(from: u8) -> workflow::Result<u32> {
    let Some(next) = from.checked_sub(1) else { return Ok(0) };
    Ok(1 + countdown(next).await?)
}

/// Copies a tree.
#[workflow]
async fn copy_tree(root: Folder) -> workflow::Result<(u64, bool)> {
    let sum = copy_folder(&root, "", 0).await?;
    Ok((sum, even(4).await && !odd(2).await && countdown(3).await? == 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_copied() {
        let file = |name: &str, bytes| Folder::File { name: name.to_owned(), bytes };
        let folder = |name: &str, inside| Folder::Folder { name: name.to_owned(), inside };
        let root = folder("a", vec![file("x", 1), folder("b", vec![file("x", 2), file("y", 3)])]);
        assert_eq!(copy_tree::test(root).run().result, Ok((6, true)));
    }
}
