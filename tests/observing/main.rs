//! What is seen of instances from outside: spans and logs. One test a process-wide subscriber would see of another, so
//! each has a subscriber of its own, on a runtime of one thread.

mod capture;
mod spans;
