//! Texts that users and operators give: ids, names, keys, durations, urls, where a page ended.

use workflow::PageToken;
use workflow::journal::lease::LimitName;
use workflow::journal::path::{Kind, Path};
use workflow::words::duration;
use workflow::words::id::{InstanceId, Namespace, QueueName, WorkflowName};

/// Ids, names, paths, and where a page ended.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._~:@+-".contains(c);
    let valid = |max: usize| !text.is_empty() && text.len() <= max && text.chars().all(plain);
    let id = InstanceId::new(text);
    assert_eq!(id.is_ok(), valid(200), "{id:?}");
    assert_eq!(WorkflowName::new(text).is_ok(), valid(100));
    assert_eq!(QueueName::new(text).is_ok(), valid(100));
    assert_eq!(Namespace::new(text).is_ok(), valid(100));
    match &id {
        Ok(id) => {
            assert_eq!(id.as_str(), text);
            let child = InstanceId::of_child(id, 7, 1, text, 3);
            assert!(InstanceId::new(child.as_str()).is_ok(), "the id of a child is no id");
        }
        Err(error) => assert!(error.to_string().len() < 200, "{error}"),
    }
    if let Ok(token) = text.parse::<PageToken>() {
        let shown = token.to_string();
        assert_eq!(shown.parse::<PageToken>().ok(), Some(token), "{shown}");
    }
    if let Ok(name) = LimitName::of_key(text) {
        assert_eq!(name.key(), text);
    }
    paths(text);
}

/// A name and a key of any characters make a path that says both, and no other path is the same.
fn paths(text: &str) {
    let recorded = Path::from_recorded(text);
    let _shown = (recorded.to_string(), recorded.last(), recorded.is_group(), recorded.enclosing().count());
    let (name, key) = text.split_once('|').unwrap_or((text, ""));
    let path = Path::root().join(Kind::Group, key, None, 2).join(Kind::Step, name, Some(key), 1);
    let last = path.last().expect("a path that was made has an end");
    assert_eq!((last.kind, &*last.name, last.key.as_deref(), last.occurrence), (Kind::Step, name, Some(key), 1));
    assert_eq!(path.enclosing().count(), 1, "a name has imitated a structure: {path:?}");
}

/// Durations as people write them.
pub fn durations(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match duration::parse(text) {
        Ok(read) => {
            let written = duration::write(read);
            assert_eq!(duration::parse(&written), Ok(read), "{text:?} is written {written:?}");
        }
        Err(error) => assert!(error.to_string().contains(text), "{error}"),
    }
}

/// Urls of stores. What is wrong is said without any part of a url that could be a secret.
pub fn urls(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(shown) = workflow::store::sqlite::read_url(text) {
        assert_eq!(shown, text);
    }
    // Reading one that names certificates would read these files.
    if text.to_ascii_lowercase().starts_with("rediss") && text.contains('?') {
        return;
    }
    match workflow::store::redis::reading::url(text) {
        Ok(shown) => {
            let again = workflow::store::redis::reading::url(&shown);
            assert_eq!(again.ok().as_deref(), Some(&*shown), "{text:?} is shown as another place");
        }
        Err(error) => assert!(!error.to_string().contains("s3cret"), "{text:?}: {error}"),
    }
}
