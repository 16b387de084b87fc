//! How the Redis store meets its server: what it refuses, what it survives, what it hears. Each test on a server of its
//! own.

/// The store is part of every test's name, as in all suites.
#[path = "."]
mod redis {
    mod acl;
    mod checks;
    mod damage;
    mod faults;
    mod heart;
    mod hints;
    mod idle;
    mod large;
    mod limits;
    mod listing;
    mod losses;
    mod memory;
    mod neighbours;
    mod partitions;
    mod races;
    mod repeats;
    mod replicas;
    mod secrets;
    mod stage;
    mod stale;
    mod start;
    mod tls;
    mod waiters;
    mod words;
}
