//! The harness that the test binaries share.
