//! Asking a server something on a connection of its own, as `redis-cli` would.
//!
//! The end of a child process is a signal to the test, and cuts short whatever waits with a timeout in any of its
//! threads. Nothing is wrong with the server then, and it is asked again. Knows no server but by its url.

use std::time::Duration;

use redis::{Connection, RedisResult, Value};

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A connection to the server of this url.
pub(super) fn connect(url: &str) -> RedisResult<Connection> {
    undisturbed(|| {
        let connection = redis::Client::open(url)?.get_connection_with_timeout(ANSWER_WITHIN)?;
        connection.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(connection)
    })
}

/// What it answers to a command. One that was cut short is sent again.
pub(super) fn ask(url: &str, words: &[&str]) -> RedisResult<Value> {
    let (name, arguments) = words.split_first().expect("a command has a name");
    undisturbed(|| redis::cmd(name).arg(arguments).query(&mut connect(url)?))
}

fn undisturbed<T>(mut work: impl FnMut() -> RedisResult<T>) -> RedisResult<T> {
    loop {
        match work() {
            Err(error) if error.to_string().contains("Interrupted system call") => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn what_a_signal_cut_short_is_asked_again_and_nothing_else() {
        let mut cut_short = 0;
        let answer = undisturbed(|| {
            cut_short += 1;
            // As the system says it.
            if cut_short < 3 { Err(Error::from_raw_os_error(4).into()) } else { Ok(cut_short) }
        });
        assert_eq!(answer, Ok(3));
        let refused = undisturbed(|| Err::<(), _>(Error::from(ErrorKind::ConnectionRefused).into()));
        assert!(refused.expect_err("it is an answer").is_connection_refusal());
    }
}
