//! isotherm: from exchange frames to a directional bias and a liquidation heatmap in shared memory.
//!
//! ```text
//!   socket -> websocket -> venue decoder -> ring -> shard -> page -> executors, viewers
//!             (in place)   (SIMD scan)      SPSC    book streams inventory    (other processes,
//!                                                   heatmap zones cards bias   read-only)
//! ```
//! Modules in flow order. Nouns: [`num`], [`time`], [`market`], [`event`], [`health`]. Mechanisms, which know bytes
//! and memory and never markets: [`sync`], [`arena`], [`ring`], [`shm`], [`wire`], [`idle`], [`log`], [`measure`]. The
//! flow: [`venue`] turns bytes into events, [`feed`] is the pinned loop around it, [`book`], [`inventory`],
//! [`calibrate`], [`heatmap`] and [`zone`] are the model of the market, [`signal`] and [`bias`] what it means,
//! [`shard`] the one function that steps them all. Around it: [`tape`], [`import`] and [`replay`], [`series`],
//! [`control`], [`sim`], [`config`], [`viewer`], [`run`], [`cli`].
//!
//! What no module may do: read a clock, a socket or a file right of the decoder and left of the page; ask for memory
//! after start on the hot path; use a float between decoder and viewer; publish as zero what is not known. The import
//! table and the rest of the house rules are tests (`tests/house.rs`). Why things are as they are: `docs/decisions`.
#![warn(rustdoc::broken_intra_doc_links)]
#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the documentation is built with private items"
)]

pub mod arena;
pub mod bias;
pub mod book;
pub mod calibrate;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod control;
pub mod cut;
pub mod event;
pub mod feed;
pub mod health;
pub mod heatmap;
pub mod historian;
pub mod idle;
pub mod import;
pub mod inventory;
pub mod log;
pub mod market;
pub mod measure;
pub mod num;
pub mod prove;
pub mod replay;
pub mod ring;
pub mod run;
pub mod series;
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

/// The README's executor is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
