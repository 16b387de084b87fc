//! One idea a file: see `README.md` in this folder.
