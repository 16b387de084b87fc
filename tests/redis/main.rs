//! How the Redis store meets its server: what it refuses, what it survives, what it hears. Each test on a server of its
//! own.

/// The store is part of every test's name, as in all suites.
#[path = "."]
mod redis {
    mod acl;
    mod checks;
    mod crowds;
    mod damage;
    mod elsewhere;
    mod faults;
    mod full;
    mod harm;
    mod heart;
    mod hints;
    mod idle;
    mod journals;
    mod large;
    mod limits;
    mod listing;
    mod log;
    mod loops;
    mod losses;
    mod memory;
    mod mending;
    mod neighbours;
    mod partitions;
    mod races;
    mod repeats;
    mod replicas;
    mod secrets;
    mod short;
    mod stage;
    mod stale;
    mod start;
    mod tenants;
    mod tls;
    mod waiters;
    mod words;
}
