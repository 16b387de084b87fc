//! Reads the store's url: `sqlite:path`, `sqlite::memory:`, with `?synchronous=full|normal`.
//!
//! Owns what a valid url is. Never touches the file. Called by [`super::SqliteStore::open`].

use std::path::PathBuf;

use crate::store::StoreError;

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
    /// The url as it was given. It holds no secrets: options with other names are refused.
    pub(super) shown: String,
}

const FORMS: &str = "write sqlite:path or sqlite::memory:, with ?synchronous=full or ?synchronous=normal";

impl Target {
    /// Reads a url. The path is taken as it is written, up to the first `?`; a relative one starts at the current
    /// folder.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let rest = url.strip_prefix("sqlite:").ok_or_else(|| refuse("a SQLite store's url starts with sqlite:"))?;
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let synchronous = parse_options(options)?;
        let place = place.strip_prefix("//").unwrap_or(place);
        let location = match place {
            "" => return Err(refuse("a SQLite store's url names a file")),
            ":memory:" => Location::Memory,
            _ if place.contains('\0') => return Err(refuse("a path has no zero byte")),
            path => Location::File(
                std::path::absolute(path).map_err(|error| refuse(&format!("the path cannot be used: {error}")))?,
            ),
        };
        Ok(Self { location, synchronous, shown: url.to_owned() })
    }
}

fn parse_options(options: &str) -> Result<Synchronous, StoreError> {
    let mut synchronous = Synchronous::default();
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        // A wrong value is not repeated: whatever was meant by it may be a secret.
        synchronous = match (name, value) {
            ("synchronous", "full") => Synchronous::Full,
            ("synchronous", "normal") => Synchronous::Normal,
            ("synchronous", _) => return Err(refuse("synchronous is neither full nor normal")),
            _ => return Err(refuse("the url has an option other than synchronous")),
        };
    }
    Ok(synchronous)
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
            "sqlite:a\0b",
        ] {
            let error = Target::parse(url).expect_err(url);
            assert!(matches!(error, StoreError::Url { .. }), "{url}: {error:?}");
            assert!(error.to_string().contains("sqlite:path"), "{url}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{url}: {error}");
        }
    }
}
