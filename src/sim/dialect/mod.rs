//! Dialect: the words a venue uses, one file each: streams, frames, requests, refusals, REST.
//!
//! The market behind the words is the same ([`super::pit`]). Each dialect has, in one shape:
//! ```text
//!  PATHS, HEARTBEAT   where it listens, who keeps a connection alive
//!  STREAMS            what it tells, per contract and for all contracts at once
//!  Desk               one contract's memory and its frames: turn(..), snapshot(..)
//!  obey, welcome      a client's text or address -> orders to the server
//!  rest               a request -> status, headers, body
//! ```
//! Nothing here is shared with the decoders of the engine: each file is written from the venue's
//! documentation and recorded frames alone, so a mistake on one side shows on the other.

pub(crate) mod binance;
pub(crate) mod bybit;
pub(crate) mod hyperliquid;
pub(crate) mod okx;
#[cfg(test)]
mod tests;

use super::params::Cadence;
use super::pit::Pit;
use super::quill::Quill;
use super::told::Told;
use super::world::{Topic, TopicKind, World};
use crate::time::Nanos;

/// Whose words a world uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Bybit v5 linear.
    #[default]
    Bybit,
    /// Binance USD-M futures after the path split.
    Binance,
    /// OKX v5 swaps.
    Okx,
    /// Hyperliquid perpetuals.
    Hyperliquid,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] = [Self::Bybit, Self::Binance, Self::Okx, Self::Hyperliquid];

    /// What makes the people of one venue others than those of another in worlds of one seed.
    pub(crate) const fn salt(self) -> u64 {
        match self {
            Self::Bybit => 0,
            Self::Binance => 0x6269_6e61_6e63_6500,
            Self::Okx => 0x6f6b_7800,
            Self::Hyperliquid => 0x6879_7065_7200,
        }
    }

    /// Its name in lower case, as plans and options write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bybit => "bybit",
            Self::Binance => "binance",
            Self::Okx => "okx",
            Self::Hyperliquid => "hyperliquid",
        }
    }
}

/// What the server is to do for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Send this stream from now on, beginning with [`World::snapshot_frames`].
    Subscribe(Topic),
    /// Send it no longer.
    Unsubscribe(Topic),
    /// Send this text now.
    Reply(String),
    /// Send frames without their envelope ([`super::Frame::bare`]) from now on, or with it again.
    Bare(bool),
    /// End the connection, for this reason.
    Close(&'static str),
}

/// Who keeps a connection alive, and when the venue gives up on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The venue sends a protocol ping this often; `None`: the client is to ping.
    pub ping: Option<Nanos>,
    /// The connection is cut when it was silent for so long.
    pub silence: Nanos,
    /// Silence ends with any text to the client as well; otherwise only the client's own words end it.
    pub sent_counts: bool,
    /// A protocol ping or pong of the client ends it too; otherwise only its text does.
    pub protocol_counts: bool,
}

/// A REST answer: status, headers beside the content type, body.
pub type Answer = (u16, Vec<(String, String)>, String);

/// One contract's turn in a beat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// Beats since the start.
    pub(crate) beat: u64,
    /// Place of the contract.
    pub(crate) symbol: u16,
    /// Exchange time, ms.
    pub(crate) ms: i64,
    pub(crate) cadence: Cadence,
}

impl Turn {
    /// True in one beat of `beats`, for each contract in another one; never for 0.
    pub(crate) const fn due(&self, beats: u64) -> bool {
        beats > 0 && (self.beat + self.symbol as u64).is_multiple_of(beats)
    }

    /// This contract's stream of a kind.
    pub(crate) const fn topic(&self, kind: TopicKind) -> Topic {
        Topic {
            kind,
            symbol: self.symbol,
        }
    }
}

/// Where finished frames go.
pub(crate) type Tell<'a> = dyn FnMut(Topic, &Quill) + 'a;

/// What has been told of one contract, and what is told next.
#[derive(Debug, Clone)]
pub(crate) enum Desk {
    Bybit(bybit::Desk),
    Binance(binance::Desk),
    Okx(okx::Desk),
    Hyperliquid(hyperliquid::Desk),
}

impl Desk {
    pub(crate) fn new(dialect: Dialect, pit: &Pit, ms: i64) -> Self {
        match dialect {
            Dialect::Binance => Self::Binance(binance::Desk::new(pit, ms)),
            Dialect::Okx => Self::Okx(okx::Desk::new(pit, ms)),
            Dialect::Hyperliquid => Self::Hyperliquid(hyperliquid::Desk::new(pit, ms)),
            Dialect::Bybit => Self::Bybit(bybit::Desk::new(pit, ms)),
        }
    }

    pub(crate) const fn told(&self) -> &Told {
        match self {
            Self::Bybit(desk) => &desk.told,
            Self::Binance(desk) => &desk.told,
            Self::Okx(desk) => &desk.told,
            Self::Hyperliquid(desk) => &desk.told,
        }
    }

    /// Levels a side the public is told of.
    pub(crate) const fn depth(&self) -> usize {
        match self {
            Self::Bybit(_) | Self::Binance(_) | Self::Okx(_) => 200,
            Self::Hyperliquid(_) => hyperliquid::LEVELS,
        }
    }

    /// Tells what is due of a market that has just been stepped.
    pub(crate) fn turn(&mut self, pit: &mut Pit, turn: Turn, quill: &mut Quill, tell: &mut Tell) {
        match self {
            Self::Bybit(desk) => desk.turn(pit, turn, quill, tell),
            Self::Binance(desk) => desk.turn(pit, turn, quill, tell),
            Self::Okx(desk) => desk.turn(pit, turn, quill, tell),
            Self::Hyperliquid(desk) => desk.turn(pit, turn, quill, tell),
        }
    }

    /// Writes what a new subscription is told first; false when that is nothing.
    pub(crate) fn snapshot(&self, pit: &Pit, kind: TopicKind, ms: i64, quill: &mut Quill) -> bool {
        match self {
            Self::Bybit(desk) => desk.snapshot(pit, kind, ms, quill),
            Self::Okx(desk) => desk.snapshot(pit, kind, ms, quill),
            Self::Hyperliquid(desk) => desk.snapshot(pit, kind, ms, quill),
            // Every stream begins with its next event; books begin with REST.
            Self::Binance(_) => false,
        }
    }
}

/// Everything of a dialect that does not belong to one contract.
pub(crate) struct Words {
    pub(crate) paths: &'static [&'static str],
    pub(crate) heartbeat: Heartbeat,
    /// Kinds of stream told per contract.
    pub(crate) kinds: &'static [TopicKind],
    /// Kinds of stream that tell of all contracts at once.
    pub(crate) all: &'static [TopicKind],
    /// The name of a stream of a contract (its listed name is given) or, for `None`, of all.
    pub(crate) name: fn(TopicKind, Option<&str>) -> String,
    /// Writes what a new subscription of all contracts is told first; false when that is nothing.
    pub(crate) begin: fn(&World, TopicKind, &mut Quill) -> bool,
    pub(crate) obey: fn(&mut World, &str, &str, &str, &mut Vec<Order>),
    pub(crate) welcome: fn(&mut World, &str, &str, &mut Vec<Order>),
    pub(crate) rest: fn(&World, Request<'_>) -> Answer,
}

/// A REST request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) body: &'a str,
}

impl<'a> Request<'a> {
    /// A value of the query by name; text that is not there is `None`, not empty.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        value(self.query, name)
    }

    /// A number of the query by name, or another one.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str, other: T) -> T {
        self.value(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(other)
    }
}

/// A query's value by name.
pub(crate) fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

/// The words of a dialect.
pub(crate) const fn words(dialect: Dialect) -> &'static Words {
    match dialect {
        Dialect::Binance => &binance::WORDS,
        Dialect::Okx => &okx::WORDS,
        Dialect::Bybit => &bybit::WORDS,
        Dialect::Hyperliquid => &hyperliquid::WORDS,
    }
}

/// A JSON string, quotes and escapes included.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
