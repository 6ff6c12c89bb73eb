//! Told: what the public has been told of one contract, whatever the dialect: the book as shown, the
//! trades and the forced orders as counted rows.
//!
//! It is what a perfect client would hold after reading every frame since the start, and so the
//! truth a client's state is compared with. Prices are kept in ticks and sizes in lots of the
//! contract; [`Told::look`] reads the market, [`Told::changes`] tells what is new, [`Told::keep`]
//! makes that the told state.

use super::book::{Level, differences};
use super::pit::Pit;
use super::quill::{Quill, Style};
use super::rng::mix;
use crate::market::{Holder, Side};

/// A book as told so far, in the venue's own numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BookTold {
    /// (price, size) as printed, best first.
    pub bids: Vec<(String, String)>,
    /// (price, size) as printed, best first.
    pub asks: Vec<(String, String)>,
    /// The number of the last update: `u`, `seqId`; where the venue numbers none, the image's ms.
    pub update: u64,
}

/// Fills as told since the start of the world.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TradesTold {
    /// Rows.
    pub rows: u64,
    /// Quantity in them, as the venue prints quantities (contracts where it counts contracts).
    pub quantity: String,
    /// The number of the last one: trade id, `tid`, or `seq` (Bybit, whose ids are no numbers).
    pub last: u64,
    /// The number of the last aggregate row; 0 where the venue has none.
    pub last_aggregate: u64,
}

/// Forced orders as told since the start of the world, by `Holder`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiquidationsTold {
    /// Rows.
    pub rows: [u64; 2],
    /// Quantity in them, as the venue prints quantities.
    pub quantity: [String; 2],
}

/// The side-by-side memory of one contract's desk.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    shown: [Vec<Level>; 2],
    fresh: [Vec<Level>; 2],
    /// How the venue prints prices and quantities.
    pub(crate) style: Style,
    /// Number of the last book update told.
    pub(crate) update: u64,
    /// Exchange time of the last book update, ms.
    pub(crate) book_ms: i64,
    /// Trade rows told.
    pub(crate) trades: u64,
    /// Lots in them.
    pub(crate) trade_lots: i64,
    /// The last of these rows, as the dialect numbers it.
    pub(crate) trade_id: u64,
    /// The last aggregate row.
    pub(crate) aggregate_id: u64,
    /// Rows of forced orders told, by `Holder`.
    pub(crate) forced: [u64; 2],
    /// Lots in them, by `Holder`.
    pub(crate) forced_lots: [i64; 2],
}

impl Told {
    pub(crate) fn new(pit: &Pit, ms: i64) -> Self {
        let mut told = Self {
            shown: [Vec::new(), Vec::new()],
            fresh: [Vec::new(), Vec::new()],
            style: Style::Full,
            update: 1_000_000 + mix(pit.seq) % 10_000_000,
            book_ms: ms,
            trades: 0,
            trade_lots: 0,
            trade_id: 0,
            aggregate_id: 0,
            forced: [0; 2],
            forced_lots: [0; 2],
        };
        told.look(pit);
        told.keep();
        told
    }

    /// Reads the shown part of the market's book.
    pub(crate) fn look(&mut self, pit: &Pit) {
        pit.shown(Side::Buy, &mut self.fresh[0]);
        pit.shown(Side::Sell, &mut self.fresh[1]);
    }

    /// Every level of a side that differs between what was read and what is told; 0 lots = gone.
    pub(crate) fn changes(&self, side: Side, tell: &mut impl FnMut(Level)) {
        let at = side as usize;
        differences(side, &self.shown[at], &self.fresh[at], tell);
    }

    /// What was read is told from here on.
    pub(crate) fn keep(&mut self) {
        std::mem::swap(&mut self.shown, &mut self.fresh);
    }

    /// The told levels of a side, best first.
    pub(crate) fn levels(&self, side: Side) -> &[Level] {
        &self.shown[side as usize]
    }

    /// The best told level of a side; `None` when it is empty.
    pub(crate) fn best(&self, side: Side) -> Option<Level> {
        self.levels(side).first().copied()
    }

    /// True when no level is told.
    pub(crate) fn is_bare(&self) -> bool {
        self.shown.iter().all(Vec::is_empty)
    }

    /// Lots as the venue prints a quantity.
    fn quantity(&self, pit: &Pit, lots: i64) -> String {
        let mut quill = Quill::default();
        quill.styled(lots, pit.contract.lot_scale, self.style);
        quill.text().to_owned()
    }

    /// The told book in print; at most `rows` levels a side.
    pub(crate) fn book(&self, pit: &Pit, rows: usize) -> BookTold {
        let c = &pit.contract;
        let print = |side| {
            let levels = self.levels(side).iter().take(rows);
            let levels = levels.map(|level| {
                let mut quill = Quill::default();
                quill.styled(level.tick * c.tick_units, c.price_scale, self.style);
                let price = quill.text().to_owned();
                (price, self.quantity(pit, i64::from(level.lots)))
            });
            levels.collect()
        };
        BookTold {
            bids: print(Side::Buy),
            asks: print(Side::Sell),
            update: self.update,
        }
    }

    /// The told trades in print.
    pub(crate) fn trades(&self, pit: &Pit) -> TradesTold {
        TradesTold {
            rows: self.trades,
            quantity: self.quantity(pit, self.trade_lots),
            last: self.trade_id,
            last_aggregate: self.aggregate_id,
        }
    }

    /// The told forced orders in print.
    pub(crate) fn liquidations(&self, pit: &Pit) -> LiquidationsTold {
        LiquidationsTold {
            rows: self.forced,
            quantity: self.forced_lots.map(|lots| self.quantity(pit, lots)),
        }
    }

    /// One more trade row.
    pub(crate) const fn trade(&mut self, id: u64, lots: i64) {
        self.trades += 1;
        self.trade_lots += lots;
        self.trade_id = id;
    }

    /// One more row of a forced order.
    pub(crate) const fn death(&mut self, holder: Holder, lots: i64) {
        self.forced[holder as usize] += 1;
        self.forced_lots[holder as usize] += lots;
    }
}

/// `["price","size"]` of a level as most venues print it; the size of a gone level is `gone`.
pub(crate) fn write_level(pit: &Pit, level: Level, gone: &str, quill: &mut Quill) {
    let c = &pit.contract;
    let units = level.tick * c.tick_units;
    quill.put("[\"").decimal(units, c.price_scale).put("\",\"");
    if level.lots == 0 {
        quill.put(gone).put("\"]");
    } else {
        quill.decimal(i64::from(level.lots), c.lot_scale).put("\"]");
    }
}

/// The told levels of a side as a JSON array of at most `rows`.
pub(crate) fn write_side(pit: &Pit, levels: &[Level], rows: usize, quill: &mut Quill) {
    quill.put("[");
    for (i, level) in levels.iter().take(rows).enumerate() {
        if i > 0 {
            quill.put(",");
        }
        write_level(pit, *level, "0", quill);
    }
    quill.put("]");
}

/// What changed on a side since the last `keep` as a JSON array; answers how many levels.
pub(crate) fn write_changes(
    pit: &Pit,
    told: &Told,
    side: Side,
    gone: &str,
    quill: &mut Quill,
) -> u64 {
    let mut count = 0;
    quill.put("[");
    told.changes(side, &mut |level| {
        if count > 0 {
            quill.put(",");
        }
        write_level(pit, level, gone, quill);
        count += 1;
    });
    quill.put("]");
    count
}
