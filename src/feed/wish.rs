//! Wish: what a feed says to the control thread, what it is handed, and what it was told to send.

use crate::event::Stream;
use crate::time::Nanos;
use crate::venue::Refusal;
use crate::wire::socket::Stream as Socket;

/// What a feed says to the control thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A leg wants a connection.
    Connection {
        /// The feed.
        feed: usize,
        /// The leg, 0 or 1.
        leg: usize,
        /// What came with the last connection: given back where memory may be released.
        spent: Vec<u8>,
    },
    /// A book's image, by REST.
    Image {
        /// The feed.
        feed: usize,
        /// The symbol's place in the plan.
        symbol: usize,
    },
    /// People should know that the venue refused a subscription; at most once a connection.
    Refused {
        /// The feed.
        feed: usize,
        /// What the venue said.
        said: Refusal,
    },
    /// People should know why a connection was given up.
    Down {
        /// The feed.
        feed: usize,
        /// The leg, 0 or 1.
        leg: usize,
        /// Why.
        reason: &'static str,
    },
    /// People should know that a subscription says nothing.
    Silent {
        /// The feed.
        feed: usize,
        /// The stream.
        stream: Stream,
        /// The symbol's place in the plan.
        symbol: usize,
    },
    /// An answer that was used: given back where memory may be released.
    Spent(Answer),
}

/// A REST answer for a feed's decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The request, then the body.
    pub whole: Vec<u8>,
    /// Where the body begins.
    pub split: usize,
}

/// What the control thread hands a feed.
#[derive(Debug)]
pub enum Handed {
    /// A connection.
    Ready(Ready),
    /// An answer its decoder needs: a book's image, contracts' values.
    Answer(Answer),
}

/// A connected socket and what was read past the handshake.
#[derive(Debug)]
pub struct Ready {
    /// For which leg.
    pub leg: usize,
    /// Nonblocking.
    pub stream: Socket,
    /// First bytes of the stream that came with the handshake.
    pub early: Vec<u8>,
}

/// Text the client sends on its own, and the venue's rules of a connection.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// Sent once a connection is up.
    pub subscribe: Vec<String>,
    /// Pause between two of them.
    pub pace: Nanos,
    /// Per symbol: sent when its book must come anew; empty where images come by REST.
    pub resync: Vec<Vec<String>>,
    /// It subscribes to books.
    pub books: bool,
    /// Images of books come by REST.
    pub images: bool,
    /// Per symbol and stream (`Stream` number less one): sent when it stays silent.
    pub renew: Vec<[Vec<String>; 4]>,
    /// How long a stream that never rests may say nothing.
    pub silence: Vec<(Stream, Nanos)>,
    /// Sent every `ping_every`; empty = the server pings.
    pub ping: String,
    /// Three of them without a byte, and the connection is dead; zero = not judged.
    pub ping_every: Nanos,
    /// A connection is replaced before it is this old; zero = never.
    pub lifetime: Nanos,
    /// Both legs are always wanted.
    pub pair: bool,
    /// What takes its place from a moment (Unix) on, because a contract has another name then; in order.
    pub later: Vec<(Nanos, Script)>,
}
