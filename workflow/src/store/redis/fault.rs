//! What can go wrong between us and the server, and what the caller is told of it.
//!
//! Owns the mapping from the client's and the server's errors to [`StoreError`], and which of them end a connection.
//! The engine sends again for ever what is [`StoreError::Unavailable`] or [`StoreError::Refused`], and gives up at once
//! on [`StoreError::Damaged`]: so that is what a script of ours says that fails, as it would fail again. Never repeats
//! arguments of commands. Used by every file of this folder.

use redis::{ErrorKind, RedisError};

use super::places::Address;
use super::tls;
use crate::store::StoreError;

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Connecting and logging in.
    Connecting,
    /// Running the script of this name.
    Script(&'static str),
    /// Anything else.
    Asking,
}

/// The codes that mean the same inside of another error's text: servers before 7 wrap what a script meets.
const INNER: &[&str] = &["DAMAGED", "OOM", "READONLY", "MISCONF", "NOREPLICAS", "NOPERM", "MASTERDOWN", "CLUSTERDOWN"];

/// As the caller learns it; `store` is the url without secrets.
pub(super) fn store_error(store: &str, doing: Doing, error: &RedisError) -> StoreError {
    let unavailable = |message: String| StoreError::Unavailable { store: store.to_owned(), message };
    let refused = |message: String| StoreError::Refused { store: store.to_owned(), message };
    if let Some((code, text)) = said(error) {
        return server_error(store, doing, &code, &text);
    }
    if let Some(message) = tls::distrust(error) {
        return refused(message);
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => refused(LOGIN.to_owned()),
        ErrorKind::RESP3NotSupported => refused("the server is older than Redis 6.2: use a newer one".to_owned()),
        ErrorKind::UnexpectedReturnType => {
            StoreError::Damaged { store: store.to_owned(), message: "an answer is of an unexpected type".to_owned() }
        }
        ErrorKind::InvalidClientConfig => refused(error.to_string()),
        ErrorKind::Parse => unavailable(
            "what answers there does not speak as Redis does: is this its host and port? If it speaks TLS on this port, \
             write rediss://"
                .to_owned(),
        ),
        _ if error.is_connection_refusal() => unavailable(format!("nobody listens there ({error}): is the server up?")),
        _ if doing == Doing::Connecting && error.is_connection_dropped() => unavailable(format!(
            "it closed the connection at once ({error}); if it has its greatest number of clients, raise maxclients; if \
             it speaks TLS on this port, write rediss://"
        )),
        _ if error.is_timeout() => unavailable("no answer in time".to_owned()),
        _ => unavailable(error.to_string()),
    }
}

/// The same error, with the server that it is of: for urls that name several.
pub(super) fn placed(error: StoreError, at: &Address) -> StoreError {
    let with = |message: String| format!("{at}: {message}");
    match error {
        StoreError::Unavailable { store, message } => StoreError::Unavailable { store, message: with(message) },
        StoreError::Refused { store, message } => StoreError::Refused { store, message: with(message) },
        StoreError::Damaged { store, message } => StoreError::Damaged { store, message: with(message) },
        other @ StoreError::Url { .. } => other,
    }
}

/// What went wrong, without the store's name.
pub(super) fn message(error: &StoreError) -> &str {
    match error {
        StoreError::Unavailable { message, .. }
        | StoreError::Refused { message, .. }
        | StoreError::Damaged { message, .. }
        | StoreError::Url { message } => message,
    }
}

/// Whether the connection on which this came is of no more use.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    match said(error) {
        Some((code, _)) => {
            // The server is another one now, or answers nothing for a while: connecting again may find the right one.
            ["READONLY", "MASTERDOWN", "LOADING", "NOAUTH"].contains(&code.as_str())
        }
        None => !matches!(error.kind(), ErrorKind::UnexpectedReturnType),
    }
}

/// Whether another server may have taken the place of the one that says so, though the connection is good.
pub(super) fn is_cut_off(error: &RedisError) -> bool {
    said(error).is_some_and(|(code, _)| ["CLUSTERDOWN", "NOREPLICAS"].contains(&code.as_str()))
}

/// Whether the server does not have the script.
pub(super) fn is_script_missing(error: &redis::ServerError) -> bool {
    error.code() == "NOSCRIPT"
}

/// What is said of a server that has just started.
pub(super) const LOADING: &str = "it is loading its data";
/// How servers tell a script that its user may not do something.
const OF_A_SCRIPT: &str = "The user executing the script";
const LOGIN: &str = "it does not accept the user and password of the url: correct them";

fn server_error(store: &str, doing: Doing, code: &str, text: &str) -> StoreError {
    let store = store.to_owned();
    let unavailable = |message: &str| StoreError::Unavailable { store: store.clone(), message: message.to_owned() };
    let refused = |message: &str| StoreError::Refused { store: store.clone(), message: message.to_owned() };
    match code {
        "DAMAGED" => StoreError::Damaged { store, message: text.to_owned() },
        "LOADING" => unavailable(LOADING),
        "BUSY" => unavailable("it is busy with a script or function of someone"),
        "READONLY" => unavailable("it is a replica now and takes no writes; connecting again"),
        "MASTERDOWN" => unavailable("it is a replica that has lost its primary; connecting again"),
        "NOREPLICAS" => unavailable("too few of its replicas can be reached (min-replicas-to-write)"),
        "CLUSTERDOWN" | "TRYAGAIN" | "NOSCRIPT" | "UNBLOCKED" | "NOTREADY" => unavailable(&format!("{code} {text}")),
        "ERR" if text.starts_with("max number of clients") => {
            unavailable("it has its greatest number of clients; raise maxclients")
        }
        "OOM" => refused("its memory is full: raise maxmemory, or delete what it holds besides workflows"),
        "MISCONF" => refused(
            "it cannot save its data to disk and takes no writes (stop-writes-on-bgsave-error): make room on the disk",
        ),
        "NOAUTH" => refused("it asks for a password: write it into the url"),
        "WRONGPASS" => refused(LOGIN),
        "NOPERM" => refused(&format!(
            "the user of the url may not do what is needed ({text}): grant it; the line for ACL SETUSER in \
             docs/CONFIGURATION.md does"
        )),
        "ERR" if text.contains(OF_A_SCRIPT) => server_error(&store, doing, "NOPERM", text),
        "DENIED" => refused("it is in protected mode: give it a password, or let it listen on loopback only"),
        "MOVED" | "ASK" | "CROSSSLOT" => {
            refused("it is part of a cluster: write redis+cluster://host:port into the url, with any of its nodes")
        }
        "ERR" if text.contains("DB index") => {
            refused("it has no database of the url's number: name another, or raise its setting databases")
        }
        "ERR" if text.starts_with("unknown command") => {
            // What follows repeats the arguments.
            refused(&format!("{}: use Redis 6.2 or newer", text.split(", with args").next().unwrap_or_default()))
        }
        _ => match doing {
            Doing::Connecting => refused(&format!("{code} {text}")),
            // Nothing that a script or command of ours meets has another code: it is the server's trouble, or that of something
            // in front of it, and it is asked again.
            _ if !["ERR", "WRONGTYPE"].contains(&code) => unavailable(&format!("it answered {code} {text}")),
            Doing::Script(name) => {
                StoreError::Damaged { store, message: format!("the script {name} failed: {code} {text}") }
            }
            Doing::Asking => StoreError::Damaged { store, message: format!("it answered {code} {text}") },
        },
    }
}

/// The server's code and text, of the first error when there are several; `None` when it is not the server's.
pub(super) fn said(error: &RedisError) -> Option<(String, String)> {
    let first = error.clone().into_server_errors().and_then(|errors| errors.first().map(|(_, error)| error.clone()));
    let (code, text) = match &first {
        Some(error) => (error.code(), error.details().unwrap_or_default()),
        None => (error.code()?, error.detail().unwrap_or_default()),
    };
    let text = without_place(text);
    if code == "ERR" {
        for inner in INNER {
            let found = text.find(&format!("{inner} ")).filter(|at| {
                let before = text[..*at].trim_end_matches('-');
                before.ends_with(": ") || before.is_empty()
            });
            if let Some(at) = found {
                return Some(((*inner).to_owned(), text[at + inner.len() + 1..].to_owned()));
            }
        }
    }
    Some((code.to_owned(), text.to_owned()))
}

/// The text without the place in the script, which newer servers append.
fn without_place(text: &str) -> &str {
    text.rfind(" script: ").filter(|at| text[*at..].contains(", on @")).map_or(text, |at| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(line: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("an answer");
        value.extract_error().expect_err("an error")
    }

    fn told(line: &str) -> StoreError {
        store_error("redis://h", Doing::Script("claim"), &answered(line))
    }

    const PLACE: &str = "script: e0e1f9fabfc9d4800c877a703b823ac0578ff8db, on @user_script:1.";

    #[test]
    fn what_passes_is_unavailable() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script.",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN The cluster is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "READONLY You can't write against a read only replica.",
            "NOREPLICAS Not enough good replicas to write.",
            "NOSCRIPT No matching script.",
            "ERR max number of clients reached",
            "ERR Error running script (call to f_0a): @user_script:1: @user_script: 1: -READONLY You can't write",
        ] {
            assert!(matches!(told(line), StoreError::Unavailable { .. }), "{line}: {:?}", told(line));
        }
        let refused = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        match store_error("redis://h", Doing::Connecting, &refused) {
            StoreError::Unavailable { message, .. } => assert!(message.contains("nobody listens there"), "{message}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_someone_must_put_right_is_refused_and_says_how() {
        for (line, how) in [
            (format!("OOM command not allowed when used memory > 'maxmemory'. {PLACE}"), "raise maxmemory"),
            ("ERR Error running script (call to f_0a): @user_script:1: -OOM command not".to_owned(), "raise maxmemory"),
            ("MISCONF Redis is configured to save RDB snapshots".to_owned(), "make room"),
            ("NOAUTH Authentication required.".to_owned(), "password"),
            ("WRONGPASS invalid username-password pair".to_owned(), "password"),
            ("NOPERM this user has no permissions to run the 'info' command".to_owned(), "'info' command"),
            (
                format!("ERR The user executing the script can't run this command or subcommand {PLACE}"),
                "ACL SETUSER in docs/CONFIGURATION.md",
            ),
            (
                "ERR Error running script (call to f_0a): @user_script:3: The user executing the script can't access at \
                 least one of the keys mentioned in the command arguments"
                    .to_owned(),
                "at least one of the keys",
            ),
            (format!("NOPERM The user executing the script can't publish to the channel {PLACE}"), "publish"),
            ("MOVED 1 h:1".to_owned(), "redis+cluster://"),
            ("ERR unknown command 'EVALSHA', with args beginning with: 's3cret' ".to_owned(), "6.2"),
        ] {
            let error = told(&line);
            assert!(matches!(error, StoreError::Refused { .. }), "{line}: {error:?}");
            assert!(error.to_string().contains(how), "{line}: {error}");
            assert!(!error.to_string().contains("s3cret"), "{line}: {error}");
        }
        let login = RedisError::from((ErrorKind::AuthenticationFailed, "failed"));
        assert!(matches!(store_error("redis://h", Doing::Connecting, &login), StoreError::Refused { .. }));
        let odd = store_error("redis://h", Doing::Connecting, &answered("ERR DB index is out of range"));
        assert!(matches!(odd, StoreError::Refused { .. }), "{odd:?}");
    }

    #[test]
    fn a_server_of_another_kind_is_told_as_such() {
        let http =
            redis::parse_redis_value(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect_err("this is no answer of Redis");
        let error = store_error("redis://h", Doing::Connecting, &http);
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains("does not speak as Redis does"), "{error}");
    }

    #[test]
    fn damage_is_told_as_the_script_says_it() {
        for line in [
            "DAMAGED head of a: too short".to_owned(),
            format!("DAMAGED head of a: too short {PLACE}"),
            format!("ERR user_script:3: DAMAGED head of a: too short {PLACE}"),
            "ERR Error running script (call to f_0a): @user_script:3: user_script:3: DAMAGED head of a: too short"
                .to_owned(),
        ] {
            match told(&line) {
                StoreError::Damaged { message, .. } => assert_eq!(message, "head of a: too short", "{line}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_script_that_fails_would_fail_again_and_is_named() {
        for line in [
            format!("ERR user_script:1: attempt to index a nil value {PLACE}"),
            format!("WRONGTYPE Operation against a key holding the wrong kind of value {PLACE}"),
        ] {
            let error = told(&line);
            assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
            assert!(error.to_string().contains("the script claim failed"), "{error}");
            assert!(error.to_string().contains("redis://h"), "{error}");
            assert!(!ends_connection(&answered(&line)));
        }
    }

    #[test]
    fn trouble_that_nobody_knows_is_not_taken_for_damage() {
        for line in ["EXECABORT Transaction discarded because of previous errors.", "UPSTREAM no healthy upstream"] {
            match told(line) {
                StoreError::Unavailable { message, .. } => assert!(message.contains(line), "{message}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_server_that_became_another_ends_the_connection() {
        for line in [
            format!("READONLY You can't write against a read only replica. {PLACE}"),
            "MASTERDOWN Link with MASTER is down".to_owned(),
            "LOADING Redis is loading the dataset in memory".to_owned(),
        ] {
            assert!(ends_connection(&answered(&line)), "{line}");
        }
        assert!(ends_connection(&RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))));
        assert!(!ends_connection(&answered("BUSY Redis is busy running a script.")));
    }

    #[test]
    fn a_server_that_is_cut_off_may_have_been_replaced() {
        for line in ["CLUSTERDOWN The cluster is down", "NOREPLICAS Not enough good replicas to write."] {
            assert!(is_cut_off(&answered(line)) && !ends_connection(&answered(line)), "{line}");
        }
        assert!(!is_cut_off(&answered("OOM command not allowed")));
    }
}
