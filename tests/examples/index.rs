//! The index of the examples is complete.

use support::examples::root;

use crate::binary::names;

#[test]
fn every_example_stands_in_the_index_and_says_how_it_is_run() {
    let index = std::fs::read_to_string(root().join("examples/README.md")).expect("there is an index");
    let is_there = |name: &String| {
        let forms = [format!("`{name}`"), format!("--example {name}`"), format!("--example {name} ")];
        forms.iter().any(|form| index.contains(form))
    };
    let missing: Vec<_> = names().into_iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "examples/README.md does not list {missing:?}");
}

#[test]
fn every_example_of_one_file_says_what_it_shows_and_how_it_is_run() {
    for name in names() {
        let path = root().join("examples").join(format!("{name}.rs"));
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let head: Vec<_> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let command = format!("`cargo run --example {name}`");
        assert!(head.len() >= 4 && head.concat().contains(&command), "{}: its head lacks {command}", path.display());
    }
}
