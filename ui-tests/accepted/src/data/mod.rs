//! Data: imports, exports, reports, and collections of every kind.

mod backfill;
mod batch_import;
mod deduplication;
mod export;
mod extract_load;
mod look_up;
mod report;
mod sorted;
