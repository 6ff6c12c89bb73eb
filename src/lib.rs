//! isotherm: from exchange frames to a directional bias and a liquidation heatmap in shared memory.
#![warn(rustdoc::broken_intra_doc_links)]

pub mod arena;
pub mod bias;
pub mod book;
pub mod cli;
pub mod config;
pub mod control;
pub mod event;
pub mod feed;
pub mod health;
pub mod heatmap;
pub mod idle;
pub mod inventory;
pub mod market;
pub mod measure;
pub mod num;
pub mod replay;
pub mod ring;
pub mod run;
pub mod shard;
pub mod shm;
pub mod signal;
pub mod sim;
pub mod sync;
pub mod tape;
pub mod time;
pub mod venue;
pub mod viewer;
pub mod wire;
pub mod zone;
