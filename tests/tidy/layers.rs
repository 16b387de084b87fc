//! Layers import downward only.

use super::source::{self, Source};

/// The layers of the runtime, lowest first, each with its top-level modules.
const LAYERS: &[(&str, &[&str])] = &[
    ("words", &["words"]),
    ("journal", &["journal"]),
    ("store", &["store"]),
    ("authoring", &["authoring", "definition", "error"]),
    ("engine", &["engine"]),
    ("client", &["client", "test_kit"]),
    ("facade", &["lib", "prelude", "rules", "__private"]),
];

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

/// The modules from the crate's root to the file: `store/sqlite/mod.rs` is `[store, sqlite]`.
fn module_path(path: &str) -> Vec<&str> {
    let inside = path.trim_start_matches("workflow/src/").trim_end_matches(".rs");
    inside.split('/').filter(|part| *part != "mod").collect()
}

/// The top-level modules that a file names, with the line of each.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let depth = module_path(&source.path).len();
    let mut found = Vec::new();
    for (index, line) in source.library_code.lines().enumerate() {
        for (at, _) in line.match_indices("crate::") {
            let of_a_word = line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
            if !of_a_word {
                found.extend(first_names(&source.library_code, index, at + "crate::".len()).map(|n| (index + 1, n)));
            }
        }
        let to_root = "super::".repeat(depth);
        if let Some(at) = line.find(&to_root).filter(|_| !source.path.ends_with("lib.rs")) {
            found.extend(first_names(&source.library_code, index, at + to_root.len()).map(|n| (index + 1, n)));
        }
    }
    found
}

/// The first names of the path that goes on at a place: one, or each of a `{…}` list.
fn first_names(code: &str, line: usize, column: usize) -> impl Iterator<Item = String> {
    let rest: String = code.lines().skip(line).collect::<Vec<_>>().join("\n");
    let rest = &rest[column..];
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let names = match rest.strip_prefix('{') {
        None => vec![name(rest)],
        Some(list) => top_level_items(list).iter().map(|item| name(item.trim())).collect(),
    };
    names.into_iter().filter(|name| !name.is_empty() && name != "super")
}

/// The items of a brace list, up to the brace that closes it.
fn top_level_items(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ => {}
        }
        items.last_mut().expect("there is always one item").push(c);
    }
    items.iter().map(|item| item.trim_start_matches(',').trim().to_owned()).collect()
}

#[test]
fn every_module_has_a_layer() {
    for source in source::libraries().iter().filter(|s| s.path.starts_with("workflow/src/")) {
        let module = module_path(&source.path)[0].to_owned();
        assert!(layer_of(&module).is_some(), "{}: give `{module}` a layer in tests/tidy/layers.rs", source.path);
    }
}

#[test]
fn layers_import_downward_only() {
    let mut upward = Vec::new();
    for source in source::libraries().iter().filter(|s| s.path.starts_with("workflow/src/")) {
        let own = module_path(&source.path)[0];
        let Some(own_layer) = layer_of(own) else { continue };
        for (line, name) in imports(source) {
            // A name that is no module is one the crate's root re-exports: only the facade may go through it.
            let layer = layer_of(&name).unwrap_or(LAYERS.len() - 1);
            if layer > own_layer || (layer == own_layer && name != own && layer < 3) {
                upward.push(format!("{}:{line}: {} imports `{name}`", source.path, LAYERS[own_layer].0));
            }
        }
    }
    assert!(upward.is_empty(), "imports that go upward:\n{}", upward.join("\n"));
}

#[test]
fn the_macro_crate_knows_the_runtime_by_name_only() {
    let manifest =
        std::fs::read_to_string(source::root().join("workflow-macros/Cargo.toml")).expect("it has a manifest");
    let dependencies = manifest.split("[dependencies]").nth(1).expect("it has dependencies");
    let ours = dependencies.split("\n[").next().expect("the section has a beginning");
    let names: Vec<&str> =
        ours.lines().filter_map(|l| l.split(['.', ' ', '=']).next()).filter(|n| !n.is_empty()).collect();
    assert_eq!(names, ["proc-macro2", "quote", "syn"]);
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::words::id;\nuse crate::{journal::{a, b}, store};\nfn f() { crate::engine::g(); $crate::x(); }\nuse super::super::client::C;";
    let source = Source {
        path: "workflow/src/store/sqlite/reader.rs".to_owned(),
        text: code.to_owned(),
        code: code.to_owned(),
        library_code: code.replace("super::super::", "super::super::super::"),
    };
    let names: Vec<String> = imports(&source).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["words", "journal", "store", "engine", "client"]);
}
