//! Facts: the time, random values, ids, versions; the same in every replay.

mod experiment;
mod identity;
mod migration;
mod timetable;
