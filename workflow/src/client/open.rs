//! From a store's url to the store: the one place that knows which kinds of stores there are.

use std::sync::Arc;

use super::error::EngineError;
use crate::store::Store;
use crate::words::id::Namespace;
#[cfg(feature = "sqlite")]
use crate::words::time::SystemClock;

/// A kind of store: the schemes its urls begin with, and how one is opened.
struct Kind {
    /// How its urls look, for messages.
    form: &'static str,
    schemes: &'static [&'static str],
}

/// Every kind that is compiled in.
const KINDS: &[Kind] = &[
    #[cfg(feature = "redis")]
    Kind {
        form: "redis://host/0, rediss://host/0, unix:///path.sock, redis+sentinel://host,host/service, \
               redis+cluster://host,host",
        schemes: &[
            "redis",
            "rediss",
            "unix",
            "redis+unix",
            "redis+sentinel",
            "rediss+sentinel",
            "redis+cluster",
            "rediss+cluster",
        ],
    },
    #[cfg(feature = "sqlite")]
    Kind { form: "sqlite:path, sqlite::memory:", schemes: &["sqlite"] },
];

/// Opens the store that `url` names, for engines that are to share one: pass clones of it to
/// [`EngineBuilder::store`](super::EngineBuilder::store).
///
/// Needed for a store in memory, which is gone with its last user; engines on a file or a server may as well each name
/// its url. What is opened belongs to one namespace: give the engines the same.
///
/// # Errors
/// [`EngineError::InvalidId`] when the namespace is none, [`EngineError::UnknownStore`], [`EngineError::Store`].
pub async fn open_store(url: &str, namespace: &str) -> Result<Arc<dyn Store>, EngineError> {
    open(url, &Namespace::new(namespace)?).await
}

/// Opens the store that `url` names.
///
/// # Errors
/// When the url is of no known kind, or the store cannot be opened. Errors never repeat what could be a password: of an
/// unknown url only the scheme is shown.
#[cfg_attr(
    not(any(feature = "redis", feature = "sqlite")),
    expect(unused_variables, reason = "without stores there is nothing to open")
)]
pub(super) async fn open(url: &str, namespace: &Namespace) -> Result<Arc<dyn Store>, EngineError> {
    match kind_of(url)? {
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "unix" | "redis+unix" | "redis+sentinel" | "rediss+sentinel" | "redis+cluster"
        | "rediss+cluster" => Ok(Arc::new(crate::store::redis::RedisStore::open(url, namespace).await?)),
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let clock = Arc::new(SystemClock::default());
            Ok(Arc::new(crate::store::sqlite::SqliteStore::open(url, namespace, clock).await?))
        }
        scheme => Err(unknown(format!("the store's url is of the unknown kind `{scheme}`"))),
    }
}

/// The scheme of a url, if a store of that kind is compiled in.
fn kind_of(url: &str) -> Result<&'static str, EngineError> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| is_scheme(scheme));
    let Some(scheme) = scheme else {
        return Err(unknown("the store's url has no scheme".to_owned()));
    };
    let known = KINDS.iter().flat_map(|kind| kind.schemes).find(|known| **known == scheme);
    known.copied().ok_or_else(|| unknown(format!("the store's url is of the unknown kind `{scheme}`")))
}

/// Whether a text can be a scheme. Anything else before a colon may be part of a secret, and is not shown.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 20
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn unknown(message: String) -> EngineError {
    let forms: Vec<&str> = KINDS.iter().map(|kind| kind.form).collect();
    EngineError::UnknownStore { message, known: forms.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_kind_is_named_with_those_that_are_known() {
        let error = kind_of("mysql://user:s3cret@host/db").expect_err("unknown");
        assert_eq!(error.code(), "unknown_store");
        assert!(error.to_string().contains("`mysql`"), "{error}");
        #[cfg(feature = "sqlite")]
        assert!(error.to_string().contains("sqlite:path"), "{error}");
    }

    #[test]
    fn no_error_repeats_what_may_be_a_secret() {
        for url in ["s3cret", "s3cret/with:colon", "mysql://:s3cret@h", "//u:s3cret@h", "1s3cret:x", ""] {
            let error = kind_of(url).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{url}: {error:?}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn a_known_scheme_is_found() {
        assert_eq!(kind_of("sqlite:workflow.db").expect("known"), "sqlite");
        assert_eq!(kind_of("sqlite::memory:").expect("known"), "sqlite");
    }
}
