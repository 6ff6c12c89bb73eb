//! The built-in exchange when it is cruel: each fault of the dial does what it says, in every dialect, and is counted.
//!
//! The reader here is raw on purpose: it sees bytes that a websocket library would hide. The exchange alone is tested;
//! no part of the engine is in sight.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_arithmetic,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

mod dials;
mod peer;
mod whole;
