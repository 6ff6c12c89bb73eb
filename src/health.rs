//! Health: faults that are counted, flags that travel with the data, counters that have a name.
//!
//! On the hot path nothing is logged: a frame that does not fit becomes a [`Fault`] of a few bytes, is counted, and
//! if continuity was lost becomes a `Gap` event. Distrust is part of the data: every record carries [`flag`] bits.
//! Ids are numbers in the page: append, never reuse.

/// Why a frame or a call did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "named by what was found")]
pub enum FaultKind {
    NotJson = 0,
    Truncated = 1,
    UnknownTopic = 2,
    UnknownSymbol = 3,
    MissingField = 4,
    BadNumber = 5,
    OutOfRange = 6,
    BadSide = 7,
    TooLong = 8,
    BadFrame = 9,
    Refused = 10,
}

impl FaultKind {
    /// Name of each, in number order.
    pub const NAMES: [&'static str; 11] = [
        "not_json",
        "truncated",
        "unknown_topic",
        "unknown_symbol",
        "missing_field",
        "bad_number",
        "out_of_range",
        "bad_side",
        "too_long",
        "bad_frame",
        "refused",
    ];
}

/// A frame that did not fit: where (byte offset) and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Byte offset in the frame, saturated.
    pub at: u32,
    /// Why.
    pub kind: FaultKind,
}

impl Fault {
    /// A fault at a byte offset.
    #[must_use]
    pub const fn new(at: usize, kind: FaultKind) -> Self {
        Self {
            at: if at > u32::MAX as usize {
                u32::MAX
            } else {
                at as u32
            },
            kind,
        }
    }
}

/// Flags that travel with records: each is a reason to trust a number less.
pub mod flag {
    /// Not yet warm: history is shorter than the cold-start rules ask.
    pub const WARMING: u32 = 1 << 0;
    /// The book is missing, between snapshot and resync, or crossed.
    pub const BOOK_UNTRUSTED: u32 = 1 << 1;
    /// A gap is open on a stream this record used.
    pub const GAP: u32 = 1 << 2;
    /// No margin table of the venue: generic tiers, confidence capped at 50.
    pub const TIERS_ASSUMED: u32 = 1 << 3;
    /// Hot and cold are relative to the present map, not to 30-day bands.
    pub const RELATIVE: u32 = 1 << 4;
    /// More than 90 % of the map's mass is the documented prior, or there is no map yet.
    pub const PRIOR: u32 = 1 << 5;
    /// The mark has not been heard for longer than its time to live.
    pub const MARK_STALE: u32 = 1 << 6;
    /// The open interest has not been heard for longer than its time to live.
    pub const INTEREST_STALE: u32 = 1 << 7;
    /// No trade for longer than its time to live.
    pub const TRADES_STALE: u32 = 1 << 8;
    /// Too few labels to judge skill; verdicts are at most LEAN.
    pub const LEARNING: u32 = 1 << 9;
    /// Skill has not been shown; verdicts are at most LEAN.
    pub const UNPROVEN: u32 = 1 << 10;
    /// The move has run its course (scoring.md 5).
    pub const EXHAUSTED: u32 = 1 << 11;
    /// A connection of this symbol is down.
    pub const DISCONNECTED: u32 = 1 << 12;
    /// A number left its range and was clipped.
    pub const SATURATED: u32 = 1 << 13;
    /// The reference venue has halted the contract.
    pub const HALTED: u32 = 1 << 14;
    /// The reference venue has delisted the contract, and no other venue stands in.
    pub const DELISTED: u32 = 1 << 15;
    /// A venue in the map is in maintenance: its open interest is zero, absurd or frozen, or it has halted.
    pub const MAINTENANCE: u32 = 1 << 16;
    /// The book is known only part of the way: its horizon is near.
    pub const SHALLOW: u32 = 1 << 17;

    /// Name of each bit, from bit 0.
    pub const NAMES: [&str; 18] = [
        "WARMING",
        "BOOK_UNTRUSTED",
        "GAP",
        "TIERS_ASSUMED",
        "RELATIVE",
        "PRIOR",
        "MARK_STALE",
        "INTEREST_STALE",
        "TRADES_STALE",
        "LEARNING",
        "UNPROVEN",
        "EXHAUSTED",
        "DISCONNECTED",
        "SATURATED",
        "HALTED",
        "DELISTED",
        "MAINTENANCE",
        "SHALLOW",
    ];

    /// The names of the bits that are set.
    pub fn names(bits: u32) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| bits & (1 << bit) != 0)
            .map(|(_, name)| *name)
    }
}
