//! Trade: takers meet the book, and every lot gets its two owners.
//!
//! Makers' accounts are netted and the fund is the last of them; what a person holds, an account holds the other way
//! around. So longs and shorts sum to one number, open interest, after every trade. A taker's order leaves part of its
//! way in the basis; what a forced one leaves is also kept apart.

use super::Pit;
use crate::market::{Holder, Side};

/// One fill as the tape of the exchange shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Print {
    pub(crate) ms: i64,
    pub(crate) units: i64,
    pub(crate) lots: u32,
    pub(crate) taker: Side,
    pub(crate) seq: u64,
    /// 0 plus, 1 zero-plus, 2 minus, 3 zero-minus.
    pub(crate) direction: u8,
    /// Buyer and seller: the place of a person's position, or [`MAKERS`] plus the place of a makers' account.
    pub(crate) owners: [u32; 2],
}

/// Makers' accounts are numbered from here; below are people.
pub(crate) const MAKERS: u32 = 1 << 31;

impl Pit {
    /// Lots held by longs and by shorts: the same number, always.
    pub(crate) fn interest(&self) -> [i64; 2] {
        [0, 1].map(|h| self.crowd.lots[h] + self.account_lots[h])
    }

    /// Lots the makers' and the fund's accounts hold, by holder.
    pub(crate) const fn account_lots(&self) -> [i64; 2] {
        self.account_lots
    }

    /// What an owner of [`Print::owners`] that is a makers' account holds, lots, shorts negative.
    pub(crate) fn maker_lots(&self, owner: u32) -> Option<i64> {
        let place = usize::try_from(owner.checked_sub(MAKERS)?).ok()?;
        self.accounts.get(place).copied()
    }

    pub(super) fn maker(&mut self) -> usize {
        self.rng.below(self.accounts.len() as u64 - 1) as usize
    }

    /// Adds lots (signed) to a makers' account.
    pub(super) fn give(&mut self, account: usize, lots: i64) {
        if let Some(own) = self.accounts.get_mut(account) {
            self.account_lots[0] -= (*own).max(0);
            self.account_lots[1] -= (-*own).max(0);
            *own += lots;
            self.account_lots[0] += (*own).max(0);
            self.account_lots[1] += (-*own).max(0);
        }
    }

    /// A taker's order into the book: prints, statistics, and what it leaves in the price.
    pub(super) fn take(
        &mut self,
        taker: Side,
        lots: i64,
        limit: Option<i64>,
        forced: bool,
    ) -> (i64, f64) {
        let lots = u32::try_from(lots).unwrap_or(u32::MAX);
        self.fills.clear();
        self.book.take(taker, lots, limit, &mut self.fills);
        self.seq += 1;
        let (mut done, mut sum) = (0i64, 0i64);
        for fill in &self.fills {
            let units = fill.tick * self.contract.tick_units;
            self.direction = match (units.cmp(&self.last_units), self.direction) {
                (std::cmp::Ordering::Greater, _) => 0,
                (std::cmp::Ordering::Less, _) => 2,
                (std::cmp::Ordering::Equal, before) => before | 1,
            };
            self.last_units = units;
            done += i64::from(fill.lots);
            sum += units * i64::from(fill.lots);
            let bought = taker == Side::Buy;
            self.history.trade(units, i64::from(fill.lots), bought);
            self.prints.push(Print {
                ms: self.ms,
                units,
                lots: fill.lots,
                taker,
                seq: self.seq,
                direction: self.direction,
                owners: [MAKERS; 2],
            });
        }
        self.stats.trades += self.fills.len() as u64;
        if done == 0 {
            return (0, 0.0);
        }
        let price = sum as f64 / done as f64 * self.unit;
        let usd = done as f64 * self.lot * price;
        let step = self.contract.cell_ticks as f64 * self.tick() / price;
        let thin = self.rough.powf(-self.depth.thinning);
        let way = usd * step / (self.contract.level_usd * thin) * self.depth.impact;
        let push = if taker == Side::Buy { way } else { -way };
        self.basis += push;
        if forced {
            self.pushed_basis += push;
        }
        (done, price)
    }

    /// Says whose the prints from the `from`th on are: `holder`'s side was `one`'s, the other's `other`.
    pub(super) fn sign_off(&mut self, from: usize, holder: Holder, one: u32, other: u32) {
        let owners = match holder {
            Holder::Long => [one, other],
            Holder::Short => [other, one],
        };
        for print in self.prints.iter_mut().skip(from) {
            print.owners = owners;
        }
    }

    /// Makers among themselves: often the longest account meets the shortest.
    pub(super) fn noise(&mut self) {
        let [median, spread] = self.depth.noise_usd;
        let value = median * (spread * self.rng.normal()).exp();
        let mut lots = ((value / self.anchor / self.lot) as i64).max(1);
        let (mut buyer, mut seller) = (self.maker(), self.maker());
        if self.rng.chance(self.depth.netting) {
            for (i, own) in self.accounts.iter().enumerate() {
                if *own < self.accounts[buyer] {
                    buyer = i;
                }
                if *own > self.accounts[seller] {
                    seller = i;
                }
            }
            let most = self.accounts[seller].min(-self.accounts[buyer]);
            if most > 0 {
                lots = (lots * 4).min(most);
            }
        }
        let taker = Side::from_u8(self.rng.below(2) as u8);
        let from = self.prints.len();
        let (done, _) = self.take(taker, lots, None, false);
        let [one, other] = [buyer, seller].map(maker_number);
        self.sign_off(from, Holder::Long, one, other);
        self.give(buyer, done);
        self.give(seller, -done);
    }
}

pub(super) const fn sign(holder: Holder) -> i64 {
    match holder {
        Holder::Long => 1,
        Holder::Short => -1,
    }
}

pub(super) const fn turned(holder: Holder) -> Holder {
    match holder {
        Holder::Long => Holder::Short,
        Holder::Short => Holder::Long,
    }
}

pub(super) const fn maker_number(place: usize) -> u32 {
    MAKERS | place as u32
}

pub(super) const fn closing(holder: Holder) -> Side {
    match holder {
        Holder::Long => Side::Sell,
        Holder::Short => Side::Buy,
    }
}

pub(super) const fn other(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}
