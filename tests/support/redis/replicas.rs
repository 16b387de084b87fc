//! A primary and what its replicas have of it, whoever watches over them.

use std::thread::park_timeout;

use redis::Value;

use super::{ASK_EVERY, ASKED_MAX, RedisServer};

impl RedisServer {
    /// Waits until each of its replicas has said that it has all that was written until now. From then on it is sent at
    /// once what follows: a replica that was just filled anew seems to be up, and is sent nothing until it has said so.
    ///
    /// # Panics
    /// When they do not in time.
    pub fn wait_until_replicas_have_all(&self) {
        let wanted = self.replication("master_repl_offset").expect("it answers");
        for _ in 0..ASKED_MAX {
            if self.replicas_have(wanted) == Some(true) {
                return;
            }
            park_timeout(ASK_EVERY);
        }
        panic!("a replica does not get what its primary has");
    }

    /// Whether each of its replicas has said that it has what was written up to this offset; nothing when it does not
    /// answer itself.
    fn replicas_have(&self, wanted: u64) -> Option<bool> {
        let replicas = self.replication("connected_slaves")?;
        let mut lines = (0..replicas).map(|replica| self.info("replication", &format!("slave{replica}")));
        Some(lines.all(|line| line.is_some_and(|line| offset(&line) >= Some(wanted))))
    }

    fn replication(&self, name: &str) -> Option<u64> {
        self.info("replication", name)?.parse().ok()
    }

    /// Keeps it busy for some seconds, and returns once it is: whoever ends or freezes it then does so at a moment at
    /// which all that it has acknowledged is on its way to its replicas.
    ///
    /// # Panics
    /// When it is dead.
    pub fn engross(&self) {
        self.wait_until_replicas_have_all();
        // So it says that it is busy, for which a busy machine cannot be taken. Before that its replicas are sent
        // everything.
        self.command(&["CONFIG", "SET", "lua-time-limit", "100"]);
        let mut connection = self.connect().expect("it runs");
        // Counting takes it about three seconds; what it says then nobody hears.
        let count =
            move || drop(redis::cmd("EVAL").arg("for i = 1, 3e8 do end").arg(0).query::<Value>(&mut connection));
        let mut other = self.connect().expect("it runs");
        std::thread::Builder::new().name("engrossing".to_owned()).spawn(count).expect("a test can have threads");
        while redis::cmd("PING").query::<Value>(&mut other).map_or_else(|error| error.code() != Some("BUSY"), |_| true)
        {
            park_timeout(ASK_EVERY);
        }
    }
}

/// What a replica that is filled has said that it has: of its line, `ip=…,port=6380,state=online,offset=1234,lag=0`.
fn offset(line: &str) -> Option<u64> {
    let mut words = line.split(',');
    words.find(|word| *word == "state=online")?;
    words.find_map(|word| word.strip_prefix("offset="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::sentinels::Sentinels;

    #[test]
    fn a_replica_that_stands_still_has_not_all_until_it_goes_on() {
        let mut all = Sentinels::start(1, &[]);
        let primary = all.primary();
        all.node(primary).wait_until_replicas_have_all();
        all.pause(1 - primary);
        all.node(primary).command(&["SET", "key", "x"]);
        let wanted = all.node(primary).replication("master_repl_offset").expect("it answers");
        assert_eq!(all.node(primary).replicas_have(wanted), Some(false));
        all.resume(1 - primary);
        all.node(primary).wait_until_replicas_have_all();
        assert_eq!(all.node(primary).replicas_have(wanted), Some(true));
    }

    #[test]
    fn a_replica_that_is_being_filled_has_said_nothing() {
        assert_eq!(offset("ip=127.0.0.1,port=6380,state=online,offset=1234,lag=0"), Some(1_234));
        assert_eq!(offset("ip=127.0.0.1,port=6380,state=send_bulk,offset=1234,lag=0"), None);
    }
}
