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
        let number = |text: String| text.parse::<u64>().ok();
        let wanted = self.info("replication", "master_repl_offset").and_then(number).expect("it answers");
        // A line of each: `slave0:ip=127.0.0.1,port=6380,state=online,offset=1234,lag=0`.
        let has_all = |line: &str| {
            let offset = line.split(',').find_map(|word| word.strip_prefix("offset="));
            line.contains("state=online") && offset.and_then(|text| number(text.to_owned())) >= Some(wanted)
        };
        let all_have = || {
            let replicas = self.info("replication", "connected_slaves").and_then(number)?;
            let mut lines = (0..replicas).map(|replica| self.info("replication", &format!("slave{replica}")));
            Some(lines.all(|line| line.is_some_and(|line| has_all(&line))))
        };
        for _ in 0..ASKED_MAX {
            if all_have() == Some(true) {
                return;
            }
            park_timeout(ASK_EVERY);
        }
        panic!("a replica does not get what its primary has");
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
