//! The Redis store: what production runs on.
//!
//! So far the link to the server: `url` reads where it is, `dial` connects, `lane` keeps one connection and what is asked
//! on it, `link` is what the store asks through, `subscriber` hears what is published, `heart` keeps sessions alive,
//! `check` looks at the server first, and `fault` tells callers what went wrong.
#![allow(dead_code, reason = "the store that uses the link comes next")]

mod check;
mod dial;
mod fault;
mod heart;
mod lane;
mod link;
mod pauses;
mod script;
mod subscriber;
mod url;
