//! Shared memory (being filled in).
pub mod record;
