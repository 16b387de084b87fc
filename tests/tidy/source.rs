//! The repository's Rust files, and their code without comments, literals and tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file.
pub(crate) struct Source {
    /// Its path from the root of the repository, with `/` between the parts.
    pub(crate) path: String,
    /// Its text as it stands.
    pub(crate) text: String,
    /// Its text with every comment, string and character literal blanked, line for line.
    pub(crate) code: String,
    /// `code` with its `#[cfg(test)]` modules blanked too; empty when the whole file is one.
    pub(crate) library_code: String,
}

impl Source {
    /// The lines of the library code that hold `word` as a whole word, each as `path:line: text`.
    pub(crate) fn lines_with(&self, word: &str) -> Vec<String> {
        self.library_code
            .lines()
            .zip(self.text.lines())
            .enumerate()
            .filter(|(_, (code, _))| has_word(code, word))
            .map(|(index, (_, text))| format!("{}:{}: {}", self.path, index + 1, text.trim()))
            .collect()
    }
}

/// A string literal.
pub(crate) struct Literal {
    /// Where it begins, as `path:line`.
    pub(crate) place: String,
    /// What stands before it on its line, or on the one before when it begins its line.
    pub(crate) before: String,
    /// Its text between the quotes, with escapes as written.
    pub(crate) text: String,
}

impl Source {
    /// The plain string literals of the library code.
    pub(crate) fn literals(&self) -> Vec<Literal> {
        let chars: Vec<char> = self.text.chars().collect();
        // A test module is the end of its file, by custom.
        let end = self.text.find("#[cfg(test)]").map_or(chars.len(), |at| self.text[..at].chars().count());
        let mut found = Vec::new();
        let (mut at, mut line) = (0, 1);
        while at < end {
            let after = literal_end(&chars, at).max(at + 1);
            if chars[at] == '"' {
                let before: String = chars[..at].iter().collect();
                let before = before.trim_end().lines().next_back().unwrap_or_default().trim().to_owned();
                let text = chars[at + 1..after - 1].iter().collect();
                found.push(Literal { place: format!("{}:{line}", self.path), before, text });
            }
            line += chars[at..after].iter().filter(|c| **c == '\n').count();
            at = after;
        }
        found
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a member of the workspace").to_path_buf()
}

/// Every Rust file of the repository, by path.
pub(crate) fn all() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    let mut sources: Vec<Source> = paths.iter().map(|path| read(&root, path)).collect();
    let test_files = test_files(&sources);
    for source in &mut sources {
        if test_files.contains(&source.path) {
            source.library_code.clear();
        }
    }
    assert!(sources.len() > 20, "the repository's sources were not found under {}", root.display());
    sources
}

/// The Rust files of the libraries that users depend on.
pub(crate) fn libraries() -> Vec<Source> {
    let mut sources = all();
    sources
        .retain(|source| source.path.starts_with("workflow/src/") || source.path.starts_with("workflow-macros/src/"));
    sources
}

/// Whether `line` holds `word` with no letter, digit or underscore beside it.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of the repository can be read");
    for entry in entries {
        let entry = entry.expect("a folder of the repository can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, paths);
            }
        } else if name.ends_with(".rs") {
            paths.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("a Rust file is text");
    let relative = path.strip_prefix(root).expect("the file was found under the root");
    let code = blank_literals(&text);
    let library_code = blank_test_modules(&code);
    Source { path: relative.to_string_lossy().replace('\\', "/"), text, code, library_code }
}

/// The files that are test modules: declared as `#[cfg(test)] mod name;`, and everything below them.
fn test_files(sources: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        let folder = module_folder(&source.path);
        for name in declared_test_modules(&source.code) {
            let file = format!("{folder}/{name}.rs");
            let below = format!("{folder}/{name}/");
            let of_module = |path: &&str| **path == file || path.starts_with(&below);
            found.extend(sources.iter().map(|s| s.path.as_str()).filter(of_module).map(str::to_owned));
        }
    }
    found
}

/// The folder in which the modules that `path` declares are found.
fn module_folder(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    match file {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    }
}

fn declared_test_modules(code: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("#[cfg(test)]") {
        let rest = code[at + "#[cfg(test)]".len()..].trim_start();
        if let Some((name, _)) = rest.strip_prefix("mod ").and_then(|rest| rest.split_once(';'))
            && !name.contains('{')
        {
            names.push(name.trim());
        }
    }
    names
}

fn blank_test_modules(code: &str) -> String {
    let mut blanked = code.to_owned();
    while let Some(at) = blanked.find("#[cfg(test)]") {
        let end = item_end(&blanked, at);
        let blank: String = blanked[at..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        blanked.replace_range(at..end, &blank);
    }
    blanked
}

/// Where the item that begins at `from` ends: after its first `;` outside braces, or its closing brace.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.as_bytes()[from..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return from + offset + 1,
            b'}' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return from + offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// Replaces comments, strings and character literals by spaces; lines stay where they are.
fn blank_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, |c| c == '\n'),
        '/' if next == Some('*') => block_comment_end(chars, at),
        '"' => quoted_end(chars, at + 1, '"'),
        'r' if !follows_a_word(chars, at) => raw_string_end(chars, at),
        '\'' => char_literal_end(chars, at),
        _ => at,
    }
}

fn find(chars: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|i| stop(chars[*i])).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut i = at;
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => {
                depth += 1;
                i += 2;
            }
            ('*', '/') => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut i = from;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            c if c == quote => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn follows_a_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() && chars[at - 1] != 'b' || chars[at - 1] == '_')
}

fn raw_string_end(chars: &[char], at: usize) -> usize {
    let opening = find(chars, at + 1, |c| c != '#');
    let hashes = opening - at - 1;
    if chars.get(opening) != Some(&'"') {
        return at;
    }
    let closes =
        |i: usize| chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    (opening + 1..chars.len()).find(|i| closes(*i)).map_or(chars.len(), |i| i + 1 + hashes)
}

/// A character literal, told from a lifetime by its closing quote.
fn char_literal_end(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        return quoted_end(chars, at + 1, '\'');
    }
    if chars.get(at + 2) == Some(&'\'') { at + 3 } else { at }
}

#[test]
fn comments_and_literals_are_blanked_and_code_is_kept() {
    let text = "let a = \"unwrap()\"; // b.unwrap()\nlet c: &'a str = r#\"x\"y\"#; /* d /* e */ f */ g('\"', '\\'');";
    let code = blank_literals(text);
    assert_eq!(code.len(), text.len());
    assert!(!code.contains("unwrap") && !code.contains('d') && !code.contains('y'), "{code}");
    assert!(code.contains("let a = ") && code.contains("let c: &'a str = ") && code.contains("g("), "{code}");
}

#[test]
fn test_modules_are_not_library_code() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { c(); }\n}\nfn d() {}";
    let library = blank_test_modules(code);
    assert!(library.contains("fn a") && library.contains("fn d") && !library.contains("fn b"), "{library}");
    assert_eq!(declared_test_modules("#[cfg(test)]\nmod tests;\nmod other;"), ["tests"]);
}
