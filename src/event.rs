//! Event: everything the shard can hear, one cache line each.
//!
//! ```text
//!  0       8       16      24      32      40      48      56    57   58    59   60     62    64
//!  | recv  | exch  | w0    | w1    | w2    | w3    | w4    |kind|bits|venue|side|symbol| aux  |
//! ```
//! `recv` is when the frame reached us, `exch` what the exchange printed (0 = it printed nothing). The five words
//! mean what [`Body`] says for the kind; a decoder writes a [`Body`], a model reads one, and nobody else touches
//! words. Frames become runs of events: the first carries FIRST, the last LAST, and a full image of a book SNAPSHOT.
//! Checks, cards and publication run after LAST only, so nobody sees a half-applied frame.
//!
//! Kinds and bits are numbers on tapes and in hashes: append, never renumber.

use crate::market::{Holder, Side, SymbolId, VenueId};
use crate::num::{Px, Qty, Usd};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// First event of its frame.
pub const FIRST: u8 = 1;
/// Last event of its frame.
pub const LAST: u8 = 2;
/// Part of a full image: what is not in it is gone.
pub const SNAPSHOT: u8 = 4;
/// The event speaks of the past: it happened at `exch` (bars, interest and funding history).
pub const HISTORY: u8 = 8;
/// On a level of an image, at a venue whose images may be cut: its side is all there is.
pub const WHOLE: u8 = 16;
/// Both FIRST and LAST: a frame of one event.
pub const ALONE: u8 = FIRST | LAST;

/// One input of the shard, exactly one cache line. See the file's drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Event {
    /// Receive stamp, nanoseconds since the Unix epoch.
    pub recv: Nanos,
    /// Exchange stamp, nanoseconds since the Unix epoch; zero when the venue printed none.
    pub exch: Nanos,
    words: [i64; 5],
    kind: u8,
    /// FIRST, LAST, SNAPSHOT, HISTORY, WHOLE.
    pub bits: u8,
    /// Where it comes from.
    pub venue: VenueId,
    side: u8,
    /// The canonical asset it speaks of; meaningless for Tick, Connect, Disconnect.
    pub symbol: SymbolId,
    aux: u16,
}

const _: () = {
    assert!(size_of::<Event>() == 64);
    assert!(align_of::<Event>() == 64);
    assert!(core::mem::offset_of!(Event, words) == 16);
    assert!(core::mem::offset_of!(Event, kind) == 56);
    assert!(core::mem::offset_of!(Event, symbol) == 60);
    assert!(core::mem::offset_of!(Event, aux) == 62);
};

/// What kind of event; the number is the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is explained once, at its body")]
pub enum Kind {
    Tick = 0,
    Trade = 1,
    Level = 2,
    Bbo = 3,
    Mark = 4,
    Index = 5,
    Funding = 6,
    Interest = 7,
    Liquidation = 8,
    Ratio = 9,
    Series = 10,
    Instrument = 11,
    Tier = 12,
    Bar = 13,
    Account = 14,
    Position = 15,
    Total = 16,
    Connect = 17,
    Disconnect = 18,
    Gap = 19,
}

impl Kind {
    /// Every kind, in number order.
    pub const ALL: [Kind; 20] = [
        Kind::Tick,
        Kind::Trade,
        Kind::Level,
        Kind::Bbo,
        Kind::Mark,
        Kind::Index,
        Kind::Funding,
        Kind::Interest,
        Kind::Liquidation,
        Kind::Ratio,
        Kind::Series,
        Kind::Instrument,
        Kind::Tier,
        Kind::Bar,
        Kind::Account,
        Kind::Position,
        Kind::Total,
        Kind::Connect,
        Kind::Disconnect,
        Kind::Gap,
    ];
}

/// Which stream lost its continuity, in a [`Gap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stream {
    /// Everything of the connection.
    All = 0,
    /// Order book.
    Book = 1,
    /// Trades.
    Trades = 2,
    /// Mark, index, funding, open interest.
    Ticker = 3,
    /// Liquidation prints.
    Liquidations = 4,
}

impl Stream {
    const fn from_u8(n: u8) -> Self {
        match n {
            1 => Self::Book,
            2 => Self::Trades,
            3 => Self::Ticker,
            4 => Self::Liquidations,
            _ => Self::All,
        }
    }
}

/// One executed trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// Execution price.
    pub price: Px,
    /// Executed quantity.
    pub qty: Qty,
    /// Side of the taker.
    pub side: Side,
    /// Venue's trade id, or a 64-bit hash of it; equal ids are the same trade.
    pub id: u64,
    /// Account ids of buyer and seller where the venue publishes them (see [`Account`]); 0 = not known.
    pub accounts: [u32; 2],
}

/// One price level: the quantity that now rests there, 0 = none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Its price.
    pub price: Px,
    /// Resting quantity, absolute.
    pub qty: Qty,
    /// `Buy` = bid, `Sell` = ask.
    pub side: Side,
    /// The venue's update id.
    pub update: u64,
}

/// Best bid and offer; a missing side has price 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bbo {
    /// Best bid price.
    pub bid: Px,
    /// Quantity at the bid.
    pub bid_qty: Qty,
    /// Best ask price.
    pub ask: Px,
    /// Quantity at the ask.
    pub ask_qty: Qty,
}

/// Funding in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Funding {
    /// Rate per interval in 1e-12 (a basis point is 1e8); positive = longs pay.
    pub rate_e12: i64,
    /// When it is next settled; zero = not said.
    pub next: Nanos,
    /// Length of the interval; zero = not said.
    pub interval: Nanos,
}

/// A forced closure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liquidation {
    /// What the venue prints: fill, mark or bankruptcy price; the venue's file says which.
    pub price: Px,
    /// Closed quantity.
    pub qty: Qty,
    /// Whose position died.
    pub holder: Holder,
}

/// A long/short ratio of accounts or positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// Long share in 1e-6.
    pub long_e6: i64,
    /// Short share in 1e-6.
    pub short_e6: i64,
    /// Which ratio: 0 all accounts, 1 top accounts, 2 top positions, 3 taker volume.
    pub which: u16,
    /// Length of the period it covers.
    pub period: Nanos,
}

/// One value of a declared external series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// Which, by its place in the plan.
    pub which: u16,
    /// Value in units of 10^-scale.
    pub value: i64,
    /// Decimal places of the value.
    pub scale: u8,
    /// Declared period.
    pub period: Nanos,
}

/// A contract's fixed terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instrument {
    /// Price step.
    pub tick: Px,
    /// Quantity step.
    pub lot: Qty,
    /// Highest leverage in hundredths.
    pub leverage_e2: u32,
    /// Funding interval.
    pub funding_interval: Nanos,
    /// 0 trading, 1 halted, 2 delisted.
    pub status: u8,
    /// Decimals the venue prints a price with.
    pub price_places: u8,
}

/// One row of a margin table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Row number, from 0; row 0 starts a new table.
    pub row: u16,
    /// Largest position notional the row admits.
    pub cap: Usd,
    /// Highest leverage in hundredths.
    pub leverage_e2: u32,
    /// Maintenance-margin rate in 1e-6.
    pub maintenance_e6: u32,
    /// Maintenance deduction ("cum").
    pub deduction: Usd,
    /// Lower end of the row.
    pub floor: Usd,
}

/// One finished bar: of the past with HISTORY, else what traded in the period that has just ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// First price; the bar's start is the event's `exch`.
    pub open: Px,
    /// Highest price.
    pub high: Px,
    /// Lowest price.
    pub low: Px,
    /// Last price.
    pub close: Px,
    /// Traded quantity.
    pub volume: Qty,
    /// Length in seconds.
    pub seconds: u16,
}

impl Bar {
    /// True when it can be one: a length, no volume below zero, positive prices that lie between its extremes.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let within = |price: Px| price.get() > 0 && self.low <= price && price <= self.high;
        let mut prices = [self.open, self.high, self.low, self.close].into_iter();
        prices.all(within) && self.seconds > 0 && self.volume.get() >= 0
    }
}

/// Binds a short id to a public account address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The short id that trades of the same connection carry, from 1.
    pub id: u32,
    /// The public address.
    pub address: [u8; 20],
}

/// A public account's exact position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Whose: a 64-bit hash of the address. Unlike an [`Account`]'s id it means the same on every connection and after
    /// a restart.
    pub account: u64,
    /// Long or short.
    pub holder: Holder,
    /// Size; 0 = closed.
    pub qty: Qty,
    /// Entry price.
    pub entry: Px,
    /// Liquidation price the venue states; 0 = none.
    pub liquidation: Px,
}

/// Liquidations of a period by side, where only totals are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Longs closed.
    pub long: Usd,
    /// Shorts closed.
    pub short: Usd,
    /// Length of the period; its start is the event's `exch`.
    pub period: Nanos,
}

/// A stream lost something: said aloud, so that no hole is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Which stream.
    pub stream: Stream,
    /// The id that was due; 0 = not numbered.
    pub expected: u64,
    /// The id that came.
    pub got: u64,
}

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Ten milliseconds of shard time went by.
    Tick,
    /// A trade.
    Trade(Trade),
    /// A book level.
    Level(Level),
    /// A best bid and offer.
    Bbo(Bbo),
    /// The venue's mark price: what liquidations are judged by.
    Mark(Px),
    /// The index behind the mark.
    Index(Px),
    /// Funding in force.
    Funding(Funding),
    /// Open interest, one side.
    Interest(Qty),
    /// A forced closure.
    Liquidation(Liquidation),
    /// A long/short ratio.
    Ratio(Ratio),
    /// An external series' value.
    Series(Series),
    /// A contract's terms.
    Instrument(Instrument),
    /// A margin row.
    Tier(Tier),
    /// A bar of history.
    Bar(Bar),
    /// An account's address.
    Account(Account),
    /// An account's position.
    Position(Position),
    /// A period's liquidations.
    Total(Total),
    /// A connection came up; the number is the connection's.
    Connect(u16),
    /// A connection went down.
    Disconnect(u16),
    /// Continuity was lost.
    Gap(Gap),
}

/// Where and when: what every event of a frame shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Receive stamp.
    pub recv: Nanos,
    /// Exchange stamp, zero = none.
    pub exch: Nanos,
    /// Venue.
    pub venue: VenueId,
    /// Symbol.
    pub symbol: SymbolId,
    /// FIRST, LAST, SNAPSHOT.
    pub bits: u8,
}

const fn two(low: u32, high: u32) -> i64 {
    (low as u64 | (high as u64) << 32) as i64
}

const fn low(word: i64) -> u32 {
    word as u64 as u32
}

const fn high(word: i64) -> u32 {
    (word as u64 >> 32) as u32
}

impl Event {
    /// A tick of shard time.
    #[must_use]
    pub const fn tick(at: Nanos) -> Self {
        let head = Head {
            recv: at,
            exch: Nanos::ZERO,
            venue: VenueId(0),
            symbol: SymbolId(0),
            bits: ALONE,
        };
        Self::new(head, Body::Tick)
    }

    /// Packs a body behind a head.
    #[must_use]
    #[inline(always)]
    pub const fn new(head: Head, body: Body) -> Self {
        let (kind, side, aux, words): (Kind, u8, u16, [i64; 5]) = match body {
            Body::Tick => (Kind::Tick, 0, 0, [0; 5]),
            Body::Trade(t) => (
                Kind::Trade,
                t.side as u8,
                0,
                [
                    t.price.get(),
                    t.qty.get(),
                    t.id as i64,
                    two(t.accounts[0], t.accounts[1]),
                    0,
                ],
            ),
            Body::Level(l) => (
                Kind::Level,
                l.side as u8,
                0,
                [l.price.get(), l.qty.get(), l.update as i64, 0, 0],
            ),
            Body::Bbo(b) => (
                Kind::Bbo,
                0,
                0,
                [
                    b.bid.get(),
                    b.bid_qty.get(),
                    b.ask.get(),
                    b.ask_qty.get(),
                    0,
                ],
            ),
            Body::Mark(p) => (Kind::Mark, 0, 0, [p.get(), 0, 0, 0, 0]),
            Body::Index(p) => (Kind::Index, 0, 0, [p.get(), 0, 0, 0, 0]),
            Body::Funding(f) => (
                Kind::Funding,
                0,
                0,
                [f.rate_e12, f.next.get(), f.interval.get(), 0, 0],
            ),
            Body::Interest(q) => (Kind::Interest, 0, 0, [q.get(), 0, 0, 0, 0]),
            Body::Liquidation(l) => (
                Kind::Liquidation,
                l.holder as u8,
                0,
                [l.price.get(), l.qty.get(), 0, 0, 0],
            ),
            Body::Ratio(r) => (
                Kind::Ratio,
                0,
                r.which,
                [r.long_e6, r.short_e6, r.period.get(), 0, 0],
            ),
            Body::Series(s) => (
                Kind::Series,
                s.scale,
                s.which,
                [s.value, s.period.get(), 0, 0, 0],
            ),
            Body::Instrument(i) => (
                Kind::Instrument,
                i.status,
                i.price_places as u16,
                [
                    i.tick.get(),
                    i.lot.get(),
                    i.leverage_e2 as i64,
                    i.funding_interval.get(),
                    0,
                ],
            ),
            Body::Tier(t) => (
                Kind::Tier,
                0,
                t.row,
                [
                    t.cap.get(),
                    two(t.leverage_e2, t.maintenance_e6),
                    t.deduction.get(),
                    t.floor.get(),
                    0,
                ],
            ),
            Body::Bar(b) => (
                Kind::Bar,
                0,
                b.seconds,
                [
                    b.open.get(),
                    b.high.get(),
                    b.low.get(),
                    b.close.get(),
                    b.volume.get(),
                ],
            ),
            Body::Account(a) => {
                let d = a.address;
                (
                    Kind::Account,
                    0,
                    0,
                    [
                        i64::from_le_bytes([d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]]),
                        i64::from_le_bytes([d[8], d[9], d[10], d[11], d[12], d[13], d[14], d[15]]),
                        i64::from_le_bytes([d[16], d[17], d[18], d[19], 0, 0, 0, 0]),
                        a.id as i64,
                        0,
                    ],
                )
            }
            Body::Position(p) => (
                Kind::Position,
                p.holder as u8,
                0,
                [
                    p.qty.get(),
                    p.entry.get(),
                    p.liquidation.get(),
                    p.account as i64,
                    0,
                ],
            ),
            Body::Total(t) => (
                Kind::Total,
                0,
                0,
                [t.long.get(), t.short.get(), t.period.get(), 0, 0],
            ),
            Body::Connect(n) => (Kind::Connect, 0, n, [0; 5]),
            Body::Disconnect(n) => (Kind::Disconnect, 0, n, [0; 5]),
            Body::Gap(g) => (
                Kind::Gap,
                g.stream as u8,
                0,
                [g.expected as i64, g.got as i64, 0, 0, 0],
            ),
        };
        Self {
            recv: head.recv,
            exch: head.exch,
            words,
            kind: kind as u8,
            bits: head.bits,
            venue: head.venue,
            side,
            symbol: head.symbol,
            aux,
        }
    }

    /// The kind; a number that is none (memory was damaged) reads as `Gap`, which every reader distrusts.
    #[must_use]
    #[inline(always)]
    pub const fn kind(&self) -> Kind {
        if (self.kind as usize) < Kind::ALL.len() {
            Kind::ALL[self.kind as usize]
        } else {
            Kind::Gap
        }
    }

    /// True on the last event of a frame.
    #[must_use]
    #[inline(always)]
    pub const fn is_last(&self) -> bool {
        self.bits & LAST != 0
    }

    /// Unpacks what it says.
    #[must_use]
    #[inline(always)]
    pub const fn body(&self) -> Body {
        let w = &self.words;
        match self.kind() {
            Kind::Tick => Body::Tick,
            Kind::Trade => Body::Trade(Trade {
                price: Px::new(w[0]),
                qty: Qty::new(w[1]),
                side: Side::from_u8(self.side),
                id: w[2] as u64,
                accounts: [low(w[3]), high(w[3])],
            }),
            Kind::Level => Body::Level(Level {
                price: Px::new(w[0]),
                qty: Qty::new(w[1]),
                side: Side::from_u8(self.side),
                update: w[2] as u64,
            }),
            Kind::Bbo => Body::Bbo(Bbo {
                bid: Px::new(w[0]),
                bid_qty: Qty::new(w[1]),
                ask: Px::new(w[2]),
                ask_qty: Qty::new(w[3]),
            }),
            Kind::Mark => Body::Mark(Px::new(w[0])),
            Kind::Index => Body::Index(Px::new(w[0])),
            Kind::Funding => Body::Funding(Funding {
                rate_e12: w[0],
                next: Nanos::new(w[1]),
                interval: Nanos::new(w[2]),
            }),
            Kind::Interest => Body::Interest(Qty::new(w[0])),
            Kind::Liquidation => Body::Liquidation(Liquidation {
                price: Px::new(w[0]),
                qty: Qty::new(w[1]),
                holder: Holder::from_u8(self.side),
            }),
            Kind::Ratio => Body::Ratio(Ratio {
                long_e6: w[0],
                short_e6: w[1],
                which: self.aux,
                period: Nanos::new(w[2]),
            }),
            Kind::Series => Body::Series(Series {
                which: self.aux,
                value: w[0],
                scale: self.side,
                period: Nanos::new(w[1]),
            }),
            Kind::Instrument => Body::Instrument(Instrument {
                tick: Px::new(w[0]),
                lot: Qty::new(w[1]),
                leverage_e2: w[2] as u32,
                funding_interval: Nanos::new(w[3]),
                status: self.side,
                price_places: self.aux as u8,
            }),
            Kind::Tier => Body::Tier(Tier {
                row: self.aux,
                cap: Usd::new(w[0]),
                leverage_e2: low(w[1]),
                maintenance_e6: high(w[1]),
                deduction: Usd::new(w[2]),
                floor: Usd::new(w[3]),
            }),
            Kind::Bar => Body::Bar(Bar {
                open: Px::new(w[0]),
                high: Px::new(w[1]),
                low: Px::new(w[2]),
                close: Px::new(w[3]),
                volume: Qty::new(w[4]),
                seconds: self.aux,
            }),
            Kind::Account => {
                let (a, b, c) = (w[0].to_le_bytes(), w[1].to_le_bytes(), w[2].to_le_bytes());
                Body::Account(Account {
                    id: w[3] as u32,
                    address: [
                        a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], b[0], b[1], b[2], b[3],
                        b[4], b[5], b[6], b[7], c[0], c[1], c[2], c[3],
                    ],
                })
            }
            Kind::Position => Body::Position(Position {
                account: w[3] as u64,
                holder: Holder::from_u8(self.side),
                qty: Qty::new(w[0]),
                entry: Px::new(w[1]),
                liquidation: Px::new(w[2]),
            }),
            Kind::Total => Body::Total(Total {
                long: Usd::new(w[0]),
                short: Usd::new(w[1]),
                period: Nanos::new(w[2]),
            }),
            Kind::Connect => Body::Connect(self.aux),
            Kind::Disconnect => Body::Disconnect(self.aux),
            Kind::Gap => Body::Gap(Gap {
                stream: Stream::from_u8(self.side),
                expected: w[0] as u64,
                got: w[1] as u64,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
