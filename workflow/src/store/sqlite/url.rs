//! Reads the store's url: `sqlite:path`, `sqlite::memory:`, with `?synchronous=full|normal` and `?mode=ro|rw`.
//!
//! Owns what a valid url is. Never touches the file. Called by [`super::SqliteStore::open`].

use std::path::PathBuf;

use crate::store::StoreError;
use crate::words::spelling;

/// How much a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Synchronous {
    /// The disk has it: an acknowledged write survives a power cut.
    #[default]
    Full,
    /// The operating system has it: an acknowledged write survives a crash of the process; a power cut may lose the
    /// newest ones, never damage the file.
    Normal,
}

/// Where the data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    /// In a file, with an absolute path.
    File(PathBuf),
    /// In memory, gone with the store.
    Memory,
}

/// A valid url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) location: Location,
    pub(super) synchronous: Synchronous,
    /// Nothing is written, and nothing made.
    pub(super) read_only: bool,
    /// The url as it was given. It holds no secrets: options with other names are refused.
    pub(super) shown: String,
}

const FORMS: &str = "write sqlite:path or sqlite::memory:, with ?synchronous=full or ?synchronous=normal, and ?mode=ro to \
                     read only";
/// Every option.
const OPTIONS: [&str; 2] = ["synchronous", "mode"];

impl Target {
    /// Reads a url. The path is taken as it is written, up to the first `?`; a relative one starts at the current
    /// folder.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let rest = url.strip_prefix("sqlite:").ok_or_else(|| refuse("a SQLite store's url starts with sqlite:"))?;
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (synchronous, read_only) = parse_options(options)?;
        let place = place.strip_prefix("//").unwrap_or(place);
        let location = match place {
            "" => return Err(refuse("a SQLite store's url names a file")),
            ":memory:" if read_only => {
                return Err(refuse("in memory there is nothing to read that was not written here"));
            }
            ":memory:" => Location::Memory,
            slip if slip.contains(':') && slip.trim_matches(':') == "memory" => {
                let message = format!("a file of the name `{slip}` is hardly meant; did you mean sqlite::memory:?");
                return Err(refuse(&message));
            }
            _ if place.contains('\0') => return Err(refuse("a path has no zero byte")),
            path => Location::File(
                std::path::absolute(path).map_err(|error| refuse(&format!("the path cannot be used: {error}")))?,
            ),
        };
        Ok(Self { location, synchronous, read_only, shown: url.to_owned() })
    }
}

fn parse_options(options: &str) -> Result<(Synchronous, bool), StoreError> {
    let (mut synchronous, mut read_only) = (Synchronous::default(), false);
    let mut seen = Vec::new();
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if seen.contains(&name) && OPTIONS.contains(&name) {
            return Err(refuse(&format!("the url has the option {name} twice")));
        }
        seen.push(name);
        // What is wrong is not repeated: whatever was meant by it may be a secret.
        match (name, value) {
            ("synchronous", "full") => synchronous = Synchronous::Full,
            ("synchronous", "normal") => synchronous = Synchronous::Normal,
            ("synchronous", _) => return Err(refuse("synchronous is neither full nor normal")),
            ("mode", "ro") => read_only = true,
            ("mode", "rw") => read_only = false,
            ("mode", _) => return Err(refuse("mode is neither ro nor rw")),
            _ => return Err(refuse(&unknown(name))),
        }
    }
    Ok((synchronous, read_only))
}

fn unknown(name: &str) -> String {
    let known = OPTIONS.join(", ");
    match spelling::nearest(name, OPTIONS) {
        Some(meant) => format!("the url has an option other than {known}; did you mean {meant}?"),
        None => format!("the url has an option other than {known}"),
    }
}

fn refuse(what: &str) -> StoreError {
    StoreError::Url { message: format!("{what}; {FORMS}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let file = |url: &str| match Target::parse(url) {
            Ok(Target { location: Location::File(path), synchronous, .. }) => (path, synchronous),
            other => panic!("{url}: {other:?}"),
        };
        assert_eq!(file("sqlite:/data/w.db"), (PathBuf::from("/data/w.db"), Synchronous::Full));
        assert_eq!(file("sqlite:///data/w.db"), (PathBuf::from("/data/w.db"), Synchronous::Full));
        assert_eq!(file("sqlite:/w.db?synchronous=normal").1, Synchronous::Normal);
        assert_eq!(file("sqlite:/w.db?synchronous=full").1, Synchronous::Full);
        for (url, read_only) in [("sqlite:/w.db?mode=ro", true), ("sqlite:/w.db?mode=rw&synchronous=full", false)] {
            assert_eq!(Target::parse(url).map(|target| target.read_only).ok(), Some(read_only), "{url}");
        }
        let meant = |url: &str| Target::parse(url).expect_err(url).to_string();
        assert!(meant("sqlite:a?synchronus=full").contains("did you mean synchronous?"));
        // As a file it would outlive the test, and be in the way of the next.
        for slip in ["sqlite::memory", "sqlite:memory:", "sqlite://:memory", "sqlite:::memory::?synchronous=full"] {
            assert!(meant(slip).contains("did you mean sqlite::memory:?"), "{slip}: {}", meant(slip));
        }
        assert!(file("sqlite:memory").0.ends_with("memory"), "a file may have this name");
        let here = std::env::current_dir().expect("a current folder");
        assert_eq!(file("sqlite:w.db").0, here.join("w.db"));
        // SQLite itself would take this as a url of its own.
        assert_eq!(file("sqlite:file:w.db?").0, here.join("file:w.db"));
        assert_eq!(Target::parse("sqlite::memory:").map(|target| target.location).ok(), Some(Location::Memory));
    }

    #[test]
    fn anything_else_is_refused_without_repeating_values() {
        for url in [
            "",
            "sqlite",
            "sqlite:",
            "sqlite://",
            "sqlite:?synchronous=full",
            "redis://h",
            "sqlite:a?key=s3cret",
            "sqlite:a?synchronous=s3cret",
            "sqlite:a?synchronous",
            "sqlite:a?synchronous=full&synchronous=full",
            "sqlite:a?mode=s3cret",
            "sqlite:a?mode=ro&mode=rw",
            "sqlite::memory:?mode=ro",
            "sqlite:a\0b",
        ] {
            let error = Target::parse(url).expect_err(url);
            assert!(matches!(error, StoreError::Url { .. }), "{url}: {error:?}");
            assert!(error.to_string().contains("sqlite:path"), "{url}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{url}: {error}");
        }
    }
}
