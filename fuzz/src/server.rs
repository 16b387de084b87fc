//! What a Redis server says, or keeps of an instance.

use workflow::store::redis::reading;

/// An answer, in the protocol's bytes, for every reader of answers.
pub fn answers(bytes: &[u8]) {
    // Each reader makes sense of an answer once at most, and of each of the answers within it.
    assert!(reading::answer(bytes) <= 64 * (bytes.len() + 1));
    if let Some(hints) = reading::published(bytes) {
        assert!(hints <= bytes.len());
    }
}

/// The fields of an instance: each a length in two bytes, no field where it is the largest, and its bytes.
pub fn fields(bytes: &[u8]) {
    let fields = split(bytes);
    if let Ok((head, runs)) = reading::instance(&fields) {
        let _state = (head.state(), head.due(), head.session());
        assert!(runs.len() <= bytes.len());
        // What is read from a server is what other stores keep too.
        let written = head.encode();
        let again = workflow::journal::head::Head::decode(&written, head.spec.clone());
        assert_eq!(again.as_ref(), Ok(&head));
    }
}

fn split(bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut rest = bytes;
    let mut fields = Vec::new();
    while fields.len() < reading::FIELDS.len() {
        let Some((length, after)) = rest.split_first_chunk::<2>() else { break };
        let length = u16::from_be_bytes(*length);
        if length == u16::MAX {
            fields.push(None);
            rest = after;
            continue;
        }
        let (field, after) = after.split_at(usize::from(length).min(after.len()));
        fields.push(Some(field.to_vec()));
        rest = after;
    }
    fields
}

/// Fields as [`fields`] reads them.
#[must_use]
pub fn join(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        match field {
            None => bytes.extend(u16::MAX.to_be_bytes()),
            Some(field) => {
                bytes.extend(u16::try_from(field.len()).expect("a field of a seed is short").to_be_bytes());
                bytes.extend(field);
            }
        }
    }
    bytes
}
