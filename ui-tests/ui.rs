//! What the compiler says to users: see `fail` and `pass`.
