use workflow::prelude::*;

use std::borrow::Cow;

#[workflow]
async fn order(name: &str, note: Cow<'_, str>, ids: Vec<&u64>) -> usize {
    name.len() + note.len() + ids.len()
}

fn main() {}
