//! The instrument itself: a proof of the proof.
//!
//! - `page`: what the ledger says reaches a reader of the page, also while the engine runs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod page;
