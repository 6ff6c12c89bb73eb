//! isotherm: from exchange frames to a directional bias and a liquidation heatmap in shared memory.
#![warn(rustdoc::broken_intra_doc_links)]

pub mod arena;
pub mod bias;
pub mod book;
pub mod config;
pub mod event;
pub mod health;
pub mod idle;
pub mod heatmap;
pub mod inventory;
pub mod market;
pub mod num;
pub mod ring;
pub mod shm;
pub mod sync;
pub mod tape;
pub mod signal;
pub mod sim;
pub mod time;
pub mod viewer;
pub mod zone;
pub mod venue;
pub mod wire;
