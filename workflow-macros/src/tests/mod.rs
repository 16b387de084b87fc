//! Snapshots: what the macros emit, and the graphs they draw.
//!
//! Update with `UPDATE_EXPECT=1 cargo test -p workflow-macros`, and read the difference.

mod expansion;
mod given;
mod graph;
mod hostile;
mod unread;
