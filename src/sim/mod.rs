//! Sim: the built-in exchange, a venue from a seed that speaks the dialect of a real one.
//!
//! ```text
//!  params + seed -> World -- advance(until) --> frames (text, virtual receive time)
//!                   |  weather: the price elsewhere
//!                   |  pit: one contract = book + crowd + liquidation engine + mark
//!                   |  dialect: what the public is told of it, and in which words
//!                   +- truth(symbol): every liquidation price, which no exchange tells
//! ```
//! The world trades, liquidates and cascades by its own rules and shares no code with anything that
//! estimates it. Virtual time only: the same seed gives the same bytes, however it is called.

mod book;
mod crowd;
mod dialect;
pub mod faults;
mod history;
mod listing;
mod margin;
pub mod params;
mod pit;
mod quill;
mod rng;
pub mod server;
mod told;
mod weather;
mod world;

pub use dialect::{Answer, Dialect, Heartbeat, Order};
pub use faults::{Fault, Faults, Injected};
pub use params::Params;
pub use pit::{Forced, Stats, Status};
pub use server::{BACKLOG, Check, Handle, Options, Server};
pub use told::{BookTold, LiquidationsTold, TradesTold};
pub use world::{Frame, Topic, TopicKind, Truth, World};

/// Why the exchange could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Parameters no world can be made from.
    #[error("parameters: {0}")]
    Params(&'static str),
    /// A socket could not be had.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    /// A thread of the exchange has ended before it was told to.
    #[error("the exchange has stopped")]
    Stopped,
}
