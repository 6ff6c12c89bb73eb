//! Engine: the liquidation engine. Whom the mark has crossed is doomed, and sold or bought clip by clip.
//!
//! A clip takes from the book up to the bankruptcy price; what it does not find there the fund takes. The doomed take
//! turns, one clip a beat each. A position that would have lived without the push of earlier forced orders is counted
//! as induced.

use super::super::crowd::KEYS;
use super::super::margin;
use super::Pit;
use super::trade::{closing, maker_number, sign, turned};
use crate::market::Holder;

/// One clip of a forced order, as the liquidation stream shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    pub(crate) ms: i64,
    pub(crate) holder: Holder,
    pub(crate) lots: i64,
    /// Bankruptcy price, units, on the tick.
    pub(crate) units: i64,
    /// Mean price of its fills, units; the bankruptcy price when it found nobody.
    pub(crate) filled: i64,
    /// Lots of its last fill; all of them when it found nobody.
    pub(crate) last_lots: i64,
}

/// A position that the mark has crossed: what no exchange tells in this form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forced {
    /// Exchange time, milliseconds.
    pub ms: i64,
    /// Whose.
    pub holder: Holder,
    /// The mark at which it had to be, quote units.
    pub price: f64,
    /// Base.
    pub size: f64,
}

/// Forced positions remembered; the oldest go first.
const REMEMBERED: usize = 65_536;

impl Pit {
    /// Doomed positions: everyone the mark has crossed, sold or bought clip by clip.
    pub(super) fn force(&mut self) {
        let mark = self.mark_units * KEYS as i64;
        let calm = (-(self.pushed_index + self.pushed_premium)).exp() * mark as f64;
        while let Some(id) = self.crowd.next_forced(mark) {
            if let Some(position) = self.crowd.get(id) {
                let holder = position.holder;
                let key = position.forced_at.unwrap_or(mark) as f64;
                let alone = margin::way(holder) * (key - calm) >= 0.0;
                self.stats.forced[holder as usize] += 1;
                self.stats.induced += u64::from(!alone);
                if self.forced.len() >= REMEMBERED {
                    self.forced.pop_front();
                }
                self.forced.push_back(Forced {
                    ms: self.ms,
                    holder,
                    price: key / KEYS * self.unit,
                    size: position.lots as f64 * self.lot,
                });
            }
            self.crowd.doom(id);
            self.doomed.push_back(id);
        }
        let clip = (self.engine.clip_usd / self.anchor / self.lot) as i64;
        for _ in 0..self.doomed.len() {
            let Some(id) = self.doomed.pop_front() else {
                return;
            };
            if self.force_clip(id, clip.max(1)) {
                self.doomed.push_back(id);
            }
        }
    }

    /// One clip; true when more is left.
    fn force_clip(&mut self, id: u32, clip: i64) -> bool {
        let Some(position) = self.crowd.get(id) else {
            return false;
        };
        let (holder, lots) = (position.holder, position.lots.min(clip));
        let rest = position.lots - lots;
        let tick = (self.crowd.bankruptcy(position) / self.tick()).round() as i64;
        let from = self.prints.len();
        let (done, price) = self.take(closing(holder), lots, Some(tick), true);
        let maker = self.maker();
        self.sign_off(from, turned(holder), id, maker_number(maker));
        let fund = self.accounts.len() - 1;
        self.give(maker, done * sign(holder));
        self.give(fund, (lots - done) * sign(holder));
        self.stats.fund_lots += (lots - done).unsigned_abs();
        self.stats.clips += 1;
        self.crowd.reduce(id, lots);
        self.deaths.push(Death {
            ms: self.ms,
            holder,
            lots,
            units: tick.max(1) * self.contract.tick_units,
            filled: if done > 0 {
                (price / self.unit).round() as i64
            } else {
                tick.max(1) * self.contract.tick_units
            },
            last_lots: self.fills.last().map_or(lots, |fill| i64::from(fill.lots)),
        });
        rest > 0
    }
}
