//! How the Redis store meets its server: what it refuses, what it survives, what it hears. Each test on a server of its
//! own.

/// The store is part of every test's name, as in all suites.
#[path = "."]
mod redis {
    mod acl;
    mod damage;
    mod faults;
    mod heart;
    mod hints;
    mod idle;
    mod large;
    mod limits;
    mod listing;
    mod memory;
    mod neighbours;
    mod partitions;
    mod races;
    mod repeats;
    mod secrets;
    mod stage;
    mod stale;
    mod start;
    mod tenants;
    mod tls;
    mod waiters;
    mod words;
}
