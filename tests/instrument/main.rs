//! The instrument itself: a proof of the proof, on tapes of the built-in exchange whose every position is known.
//!
//! - `sim`: many days in virtual time. A map that is the truth is proven by the gate, its shuffle disproven, and ours
//!   gets whatever it gets.
//! - `venues`: cells of several venues, one for each row of observations; prints without hours enough.
//! - `same`: the map that a proof walks is the shard's.
//! - `cascade`: hours with a book, through the whole of the test of cascades.
//! - `walks`: the engine's zones on random walks draw nothing.
//! - `page`: what the ledger says reaches a reader of the page, also while the engine runs.
#![allow(
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the judge computes in reals, stops at a surprise and prints its table"
)]

mod cascade;
mod ear;
mod page;
mod same;
mod sim;
mod venues;
mod walks;
