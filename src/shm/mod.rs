//! Shared memory: the page that one engine writes and any number of processes read.
//!
//! `record` says what is published, `page` draws where it lies, `slot` is how one record changes
//! hands without a lock, `broadcast` how a run of them does, `writer` is the engine's end and `reader`
//! everybody else's; `switch` is the line of text beside the page through which people stop executors.
//! `docs/PAGE.md` and `include/isotherm.h` say the same to people and to C;
//! `tests/abi.rs` holds the three together.

mod birth;
pub mod broadcast;
pub mod page;
pub mod reader;
pub mod record;
pub mod slot;
pub mod snapshot;
pub mod switch;
pub mod writer;

use std::path::PathBuf;

/// Where the page of an instance lies: `/dev/shm/isotherm.<instance>`.
#[must_use]
pub fn path_of(instance: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm/isotherm.{instance}"))
}

/// A folder for the pages of a test: in memory where there is one.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that has no folder fails")]
fn place() -> tempfile::TempDir {
    let shm = std::path::Path::new("/dev/shm");
    if shm.is_dir() {
        return tempfile::tempdir_in(shm).unwrap();
    }
    tempfile::tempdir().unwrap()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where it fails"
)]
mod tests;
