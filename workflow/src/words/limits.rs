//! Every bound of the system, with its reason. Reaching one is a typed error at the call that would cross it.

/// Longest instance id, in bytes. Ids are part of keys, urls and logs.
pub const INSTANCE_ID_BYTES_MAX: usize = 200;
/// Longest workflow, queue or namespace name, in bytes.
pub const NAME_BYTES_MAX: usize = 100;
/// Longest step, group, sleep or wait name, in bytes.
pub const STEP_NAME_BYTES_MAX: usize = 256;
/// Longest `key = …` of a step or event, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// Largest single payload (input, output, step result, event), in bytes: 1 MiB.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// From this size on a payload is warned about, in bytes: 256 KiB.
pub const PAYLOAD_WARN_BYTES: usize = 256 * 1024;
/// Most records one run may have. A journal is loaded whole, so it must stay loadable.
pub const RECORDS_MAX: u32 = 25_000;
/// Most bytes of records one run may have: 32 MiB.
pub const JOURNAL_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Most operations one run may have open at once (branches of joins).
pub const BRANCHES_MAX: usize = 10_000;
/// Most events one instance may have unread.
pub const MAILBOX_MAX: u32 = 1_000;
/// Most events one run may receive over its life: their ids are kept until the run ends.
pub const EVENTS_MAX: u64 = 10_000;
/// Most instances in one `create_batch`.
pub const BATCH_MAX: usize = 1_000;
/// Most retries of a step or group.
pub const RETRIES_MAX: u32 = 10_000;
/// Longest sleep, timeout or delay: ten years of 365 days, in milliseconds.
pub const DURATION_MS_MAX: i64 = 10 * 365 * 24 * 60 * 60 * 1000;
/// Crashes of the one instance a worker was trying alone, after which it is quarantined.
pub const CRASHES_MAX: u8 = 3;
/// Most instances one claim puts on shelves: a bound on its time, whatever stands at the head of the queue.
pub const SHELVED_MAX: usize = 1_000;
/// Inputs and messages that one claim from a server brings at most, in bytes, unless its first instance alone has more: an
/// answer must arrive well within the time it may take.
pub const CLAIM_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How many controls of an instance are remembered for repeats, the newest ones.
pub const CONTROLS_REMEMBERED: usize = 4;
/// A finished child is kept at least this long, in milliseconds: ten minutes. A late duplicate of the command that
/// created it must find it, or it would be created once more.
pub const CHILD_KEPT_MIN_MS: i64 = 10 * 60 * 1000;
/// Longest path of an operation, in bytes: the names and keys of all groups and parts around it, and its own. It is part of
/// every record of the operation.
pub const PATH_BYTES_MAX: usize = 32 * 1024;
/// A run is warned about when it has used this part of a limit: a fifth.
pub const WARN_PART: u64 = 5;
/// How deep groups and parts may nest (recursion included).
pub const DEPTH_MAX: usize = 100;
/// Most characters of an error message that is recorded; the rest is cut.
pub const MESSAGE_CHARS_MAX: usize = 4_096;
/// Most sources of an error that are recorded, and looked at; the rest is cut.
pub const CAUSES_MAX: usize = 16;

// A full journal must be able to hold at least one payload of the largest size.
const _: () = assert!(PAYLOAD_BYTES_MAX as u64 * 2 < JOURNAL_BYTES_MAX);
// Stores keep the length of a path in two bytes.
const _: () = assert!(PATH_BYTES_MAX <= u16::MAX as usize);
// A join of the largest width must fit the journal, with one begin and one end record a branch.
const _: () = assert!(BRANCHES_MAX as u32 * 2 < RECORDS_MAX);
// What is written as a duration is one that can be waited for.
const _: () = assert!(super::duration::LONGEST_MS == DURATION_MS_MAX as u64);
