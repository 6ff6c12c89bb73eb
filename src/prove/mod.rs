//! Prove: whether the map knows something that the price path does not, measured on history.
#![expect(
    clippy::float_arithmetic,
    reason = "statistics over the past; nothing of it flows into the model"
)]

pub mod score;
