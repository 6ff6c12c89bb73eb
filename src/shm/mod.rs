//! Shared memory: the page that one engine writes and any number of processes read.
//!
//! `record` says what is published, `page` draws where it lies, `slot` is how one record changes hands without a lock,
//! `writer` is the engine's end and `reader` everybody else's. `docs/PAGE.md` and `include/isotherm.h` say the same to
//! people and to C; `tests/abi.rs` holds the three together.

pub mod record;
pub mod slot;
