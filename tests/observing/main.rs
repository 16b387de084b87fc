//! What is seen of instances and engines from outside: spans, logs, health. A subscriber of the process would see what
//! other tests do, so each test of spans has one of its own, on a runtime of one thread.

mod capture;
mod health;
mod spans;
