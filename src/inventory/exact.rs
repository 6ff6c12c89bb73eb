//! Exact positions: what public accounts are known to hold of one symbol at one venue, and where the venue says each
//! is forced out.
//!
//! One row an account: size (1e-6 canonical lots), holder, log of the stated liquidation price (Q48) or none, and when
//! that was last said. An answer replaces the account's row; size 0 removes it. A row also leaves
//! - when the mark reaches its price: it is known to be dying until the next answer says what is left of it,
//! - when nobody has confirmed it for [`FRESH`]: what is not known is left to the model,
//! - when the table is full and a larger position comes: the smallest goes (counted in `dropped`).
//!
//! *Coverage* of a holder is tracked / open interest; the model fills the rest, so that for each holder
//! `exact + Σ over bands (rest · model's mass) = open interest` within rounding, inert and pending included. Answers
//! are minutes apart and open interest is of now: when more is tracked than is open, coverage is 1 and every row counts
//! for open interest / tracked of itself. A row without price counts in coverage and nowhere on the map: it is inert.
//!
//! *Rest*, what is left for the model, grows with distance: who trades is asked, and who trades stands nearer to the
//! mark than who holds. It is `(1 − coverage) · distance^β`, scaled to the sum above, with `β = coverage · old` and
//! `old = min(√PRIOR share, 1 − coverage)`: how much has not traded since the start. Where nothing is known, all is, or
//! everybody has traded, it is 1 − coverage everywhere. Distance goes by [`ENDS`]; the last band holds what lies
//! beyond 20 %, outside of the window, or has no price.
//!
//! θ of an exact row is 1. Large positions are sold a fifth at first, but within half a minute the rest may follow, and
//! a mark that stays there takes it all; what survives is told by the next answer.
//!
//! Integers only; no clock, no allocation; all zeros is the empty state.

use super::Inventory;
use crate::event::Position;
use crate::market::Holder;
use crate::num::fixed::{ONE, ONE32, exp2neg, isqrt, mul_div, mul32, mulq};
use crate::num::log::ln_px;
use crate::num::{HEADROOM, Qty, narrow};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Positions of a symbol that are tracked at most.
pub const ROWS: usize = 4_096;
/// A position that was not confirmed for this long is no longer counted on.
pub const FRESH: Nanos = Nanos::HOUR;
/// Bands of distance from the mark in which the rest is one number.
pub const BANDS: usize = 18;
/// First bucket behind each band but the last: half octaves, so that a band weighs 2^(β/2) times the nearer one.
pub const ENDS: [i64; BANDS - 1] = [
    4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 724, 1_024,
];

/// One account's position.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Row {
    qty: i64,
    /// Log of the liquidation price, Q48; meaningless without one.
    ln: i64,
    /// When it was last said.
    at: Nanos,
    holder: u32,
    /// 1 when the venue states a liquidation price.
    priced: u32,
}

/// The tracked positions of one symbol at one venue.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Exact {
    used: u64,
    /// Whose each row is: apart, because this is what is searched.
    accounts: [u64; ROWS],
    rows: [Row; ROWS],
    tracked: [i64; 2],
    /// Rows with a price, and a bound on the nearest of them: no mark short of it reaches any.
    priced: [u64; 2],
    nearest: [i64; 2],
    /// Positions that found no room, or were put out by larger ones. LIMIT counter.
    pub dropped: u64,
    /// Positions that the mark reached.
    pub reached: u64,
    /// Positions that nobody confirmed any more.
    pub stale: u64,
}

/// True when a mark forces a position out.
const fn is_reached(holder: usize, ln: i64, mark_ln: i64) -> bool {
    match holder {
        0 => mark_ln <= ln,
        _ => mark_ln >= ln,
    }
}

impl Exact {
    fn len(&self) -> usize {
        (self.used as usize).min(ROWS)
    }

    /// Takes what an account holds; `mark_ln` is the venue's mark, where it is known. False when nothing changed.
    pub fn tell(&mut self, now: Nanos, told: &Position, mark_ln: Option<i64>) -> bool {
        let known = self.accounts[..self.len()]
            .iter()
            .position(|account| *account == told.account);
        if let Some(at) = known {
            self.remove(at);
        }
        let qty = told.qty.get();
        if qty <= 0 {
            return known.is_some();
        }
        let row = Row {
            qty,
            ln: ln_px(told.liquidation),
            at: now,
            holder: told.holder as u32,
            priced: u32::from(told.liquidation.get() > 0),
        };
        // The answer may be older than the mark: what it has passed is dying.
        if row.priced != 0
            && mark_ln.is_some_and(|mark| is_reached(told.holder as usize, row.ln, mark))
        {
            self.reached += 1;
            return known.is_some();
        }
        if self.len() == ROWS {
            self.dropped += 1;
            let rows = self.rows.iter().enumerate();
            let least = rows.min_by_key(|(_, row)| row.qty);
            match least.map(|(at, row)| (at, row.qty)) {
                Some((at, least)) if least < qty => self.remove(at),
                _ => return known.is_some(),
            }
        }
        let h = told.holder as usize;
        // LIMIT: the sum stays what an open interest may be.
        if qty > HEADROOM - self.tracked[h] {
            self.dropped += 1;
            return known.is_some();
        }
        let at = self.len();
        (self.accounts[at], self.rows[at]) = (told.account, row);
        self.used += 1;
        self.tracked[h] += qty;
        if row.priced != 0 {
            self.priced[h] += 1;
            let near = &mut self.nearest[h];
            *near = match (self.priced[h], told.holder) {
                (1, _) => row.ln,
                (_, Holder::Long) => row.ln.max(*near),
                (_, Holder::Short) => row.ln.min(*near),
            };
        }
        true
    }

    fn remove(&mut self, at: usize) {
        let last = self.len().saturating_sub(1);
        let row = self.rows[at];
        let h = (row.holder & 1) as usize;
        self.tracked[h] -= row.qty;
        self.priced[h] -= u64::from(row.priced);
        (self.accounts[at], self.rows[at]) = (self.accounts[last], self.rows[last]);
        self.used = last as u64;
    }

    /// Removes the rows that `gone` names; answers how many.
    fn purge(&mut self, gone: impl Fn(&Row) -> bool) -> u64 {
        let (mut at, before) = (0, self.len());
        while at < self.len() {
            if gone(&self.rows[at]) {
                self.remove(at);
            } else {
                at += 1;
            }
        }
        (before - self.len()) as u64
    }

    /// The venue's mark is here now; true when it reached a position.
    pub fn mark(&mut self, mark_ln: i64) -> bool {
        let near = [0, 1].map(|h| self.priced[h] > 0 && is_reached(h, self.nearest[h], mark_ln));
        if near == [false; 2] {
            return false;
        }
        let gone = self
            .purge(|row| row.priced != 0 && is_reached((row.holder & 1) as usize, row.ln, mark_ln));
        self.reached += gone;
        // Only here is the bound made sharp again.
        for h in 0..2 {
            let own = self.rows[..self.len()].iter();
            let own = own.filter(|row| row.priced != 0 && row.holder as usize == h);
            let own = own.map(|row| row.ln);
            self.nearest[h] = if h == 0 { own.max() } else { own.min() }.unwrap_or(0);
        }
        gone > 0
    }

    /// Forgets what nobody has confirmed; true when there was such a position.
    pub fn age(&mut self, now: Nanos) -> bool {
        let gone = self.purge(|row| now.since(row.at) > FRESH);
        self.stale += gone;
        gone > 0
    }

    /// Forgets every position; the counters stay.
    pub fn clear(&mut self) {
        let counts = (self.dropped, self.reached, self.stale);
        bytemuck::bytes_of_mut(self).fill(0);
        (self.dropped, self.reached, self.stale) = counts;
    }

    /// Positions that are tracked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.len()
    }

    /// What is tracked of a holder.
    #[must_use]
    pub const fn tracked(&self, holder: Holder) -> Qty {
        Qty::new(self.tracked[holder as usize])
    }

    /// Tracked share of an open interest, 1e-6, at most a million; 0 while nothing is open.
    #[must_use]
    pub const fn coverage_e6(&self, holder: Holder, interest: Qty) -> i64 {
        share(self.tracked[holder as usize], interest.get(), 1_000_000)
    }

    /// What is left for the model of `inventory` by bands of distance from bucket `origin`, Q32.
    ///
    /// Of all its mass it is 1 − coverage; it does not fall with distance, may pass 1 far out, and stays below 3.
    #[must_use]
    pub fn rest_q32(&self, holder: Holder, inventory: &Inventory, origin: i64) -> [i64; BANDS] {
        let interest = inventory.interest_now();
        let known = share(self.tracked[holder as usize], interest.get(), ONE32);
        if known == 0 || known == ONE32 {
            return [ONE32 - known; BANDS];
        }
        let masses = banded(inventory, holder, origin);
        tilted(known, inventory.prior_share_e6(), &masses)
    }

    /// What a row counts for, Q32: 1 unless more is tracked than is open.
    #[must_use]
    pub const fn weight_q32(&self, holder: Holder, interest: Qty) -> i64 {
        let tracked = self.tracked[holder as usize];
        if tracked > interest.get() {
            share(interest.get(), tracked, ONE32)
        } else {
            ONE32
        }
    }

    /// Positions of a holder that have a price: its log (Q48) and the size, in no order.
    pub fn priced(&self, holder: Holder) -> impl Iterator<Item = (i64, Qty)> {
        self.rows[..self.len()]
            .iter()
            .filter(move |row| row.priced != 0 && row.holder == holder as u32)
            .map(|row| (row.ln, Qty::new(row.qty)))
    }
}

/// The model's open interest by bands of distance from a bucket.
fn banded(inventory: &Inventory, holder: Holder, origin: i64) -> [i64; BANDS] {
    let half = &inventory.halves[holder as usize];
    let (low, high) = inventory.reach(holder);
    let (mut all, mut from, mut left) = ([0; BANDS], i64::MIN, inventory.interest);
    for (mass, end) in all.iter_mut().zip(ENDS) {
        // What a rounded origin leaves behind itself is of the first band.
        let (near, wide) = match holder {
            Holder::Long => (origin - end + 1, origin.saturating_sub(from)),
            Holder::Short => (origin.saturating_add(from), origin + end - 1),
        };
        *mass = half.mass_over(near.max(low), wide.min(high));
        (from, left) = (end, left - *mass);
    }
    all[BANDS - 1] = left.max(0);
    all
}

/// The rest by bands, Q32, of a known share (Q32) and the model's masses: known + Σ rest · mass is Σ mass.
fn tilted(known: i64, prior_e6: i64, masses: &[i64; BANDS]) -> [i64; BANDS] {
    let (coverage, rest) = (known >> 16, ONE32 - known);
    // A root of Q32 is Q16.
    let old = isqrt((i128::from(prior_e6) << 32) / 1_000_000).min(ONE - coverage);
    let nearer = exp2neg(mulq(coverage, old) / 2);
    let (mut weight, mut one) = ([0; BANDS], ONE32);
    for band in weight.iter_mut().rev() {
        *band = one;
        one = mul32(one, nearer);
    }
    let pairs = || masses.iter().zip(&weight);
    let all: i128 = masses.iter().map(|mass| i128::from(*mass)).sum();
    let weighed: i128 = pairs().map(|(m, w)| i128::from(*m) * i128::from(*w)).sum();
    if weighed == 0 {
        return [rest; BANDS];
    }
    // Masses below 2^57 in all: the product stays within 2^121.
    weight.map(|weight| narrow(i128::from(rest) * i128::from(weight) * all / weighed))
}

/// `part` of `all` in units of `one`, from 0 to `one`; 0 of nothing.
const fn share(part: i64, all: i64, one: i64) -> i64 {
    if all <= 0 || part <= 0 {
        0
    } else if part >= all {
        one
    } else {
        mul_div(part, one, all)
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]
mod tests {
    use super::*;
    use crate::inventory::{CLASSES, Params};
    use crate::num::Px;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn exact() -> Box<Exact> {
        bytemuck::allocation::zeroed_box()
    }

    fn holds(account: u64, holder: Holder, qty: i64, liquidation: i64) -> Position {
        Position {
            account,
            holder,
            qty: Qty::new(qty),
            entry: Px::whole(100),
            liquidation: Px::whole(liquidation),
        }
    }

    fn at(price: i64) -> i64 {
        ln_px(Px::whole(price))
    }

    #[test]
    fn an_answer_replaces_what_was_known_of_the_account() {
        let mut exact = exact();
        let now = Nanos::SECOND;
        exact.tell(now, &holds(0, Holder::Long, 5, 90), Some(at(100)));
        exact.tell(now, &holds(7, Holder::Long, 6, 0), Some(at(100)));
        assert_eq!(exact.tracked(Holder::Long), Qty::new(11));
        assert_eq!(exact.priced(Holder::Long).count(), 1);
        // Turned round: one position an account.
        exact.tell(now, &holds(7, Holder::Short, 4, 120), Some(at(100)));
        assert_eq!(
            Holder::BOTH.map(|h| exact.tracked(h)),
            [Qty::new(5), Qty::new(4)]
        );
        assert!(exact.tell(now, &holds(0, Holder::Long, 0, 0), None));
        assert!(!exact.tell(now, &holds(0, Holder::Long, 0, 0), None));
        assert_eq!((exact.count(), exact.tracked(Holder::Long)), (1, Qty::ZERO));
    }

    #[test]
    fn coverage_never_passes_one_and_what_is_too_much_shrinks() {
        let mut exact = exact();
        exact.tell(Nanos::SECOND, &holds(1, Holder::Long, 300, 90), None);
        let of = |interest| Qty::new(interest);
        assert_eq!(exact.coverage_e6(Holder::Long, of(1_200)), 250_000);
        assert_eq!(exact.weight_q32(Holder::Long, of(1_200)), ONE32);
        assert_eq!(exact.coverage_e6(Holder::Long, of(100)), 1_000_000);
        assert_eq!(exact.weight_q32(Holder::Long, of(100)), ONE32 / 3);
        assert_eq!(exact.coverage_e6(Holder::Long, Qty::ZERO), 0);
    }

    #[test]
    fn bands_hold_what_their_buckets_hold_and_the_last_what_is_left() {
        let params = Params::default();
        let mut inventory: Box<Inventory> = bytemuck::allocation::zeroed_box();
        inventory.mark(Nanos::SECOND, Px::whole(65_000), &params);
        inventory.interest(Nanos::SECOND, Qty::whole(50_000), &params);
        let mark = inventory
            .mark_ln()
            .unwrap()
            .div_euclid(crate::num::log::BUCKET);
        // The mark's own bucket, one that a rounded offset leaves behind it, and one far from all mass.
        for origin in [mark, mark + 1, mark - 1, mark + 100_000] {
            for (holder, way) in [(Holder::Long, -1), (Holder::Short, 1)] {
                let got = banded(&inventory, holder, origin);
                let (low, high) = inventory.window();
                let mut want = [0; BANDS];
                for bucket in low..=high {
                    let away = ((bucket - origin) * way).max(0);
                    want[ENDS.partition_point(|end| *end <= away)] +=
                        inventory.mass(holder, bucket).get();
                }
                for band in 0..BANDS - 1 {
                    // A bucket's mass is rounded down class by class.
                    let slack = CLASSES as i64 * 8_192;
                    assert!(
                        (got[band] - want[band]).abs() <= slack,
                        "{band} {got:?} {want:?}"
                    );
                }
                assert_eq!(got.iter().sum::<i64>(), inventory.interest_now().get());
            }
        }
    }

    #[test]
    fn a_full_table_keeps_the_larger() {
        let mut exact = exact();
        for n in 0..ROWS as u64 {
            exact.tell(Nanos::SECOND, &holds(n, Holder::Long, 10, 0), None);
        }
        assert!(!exact.tell(Nanos::SECOND, &holds(1 << 40, Holder::Long, 10, 0), None));
        assert!(exact.tell(Nanos::SECOND, &holds(1 << 41, Holder::Long, 11, 0), None));
        assert_eq!((exact.count(), exact.dropped), (ROWS, 2));
        assert_eq!(exact.tracked(Holder::Long), Qty::new(10 * ROWS as i64 + 1));
    }

    #[test]
    fn a_sum_beyond_every_interest_is_refused() {
        let mut exact = exact();
        exact.tell(Nanos::SECOND, &holds(1, Holder::Long, HEADROOM, 0), None);
        exact.tell(Nanos::SECOND, &holds(2, Holder::Long, 1, 0), None);
        assert_eq!((exact.count(), exact.dropped), (1, 1));
    }

    /// The root of a millionth is a thousandth: not nothing.
    #[test]
    fn a_sliver_of_prior_tilts_as_far_as_it_should() {
        let mut masses = [0; BANDS];
        masses[BANDS - 1] = 1;
        let rest = tilted(1_063_862_452, 3, &masses);
        let nearest = rest[0] as f64 / ONE32 as f64;
        assert!((nearest - 0.750_401).abs() < 5e-4, "{nearest}");
    }

    /// What the slow twin knows of an account.
    type Held = (Holder, i64, i64, Nanos);

    proptest! {
        /// Known and rest are the whole; the rest does not fall with distance; the twin computes in reals.
        #[test]
        fn the_rest_sums_to_what_is_not_known(
            known in 1..ONE32,
            prior in 0i64..=1_000_000,
            masses in proptest::array::uniform18(prop_oneof![Just(0), 0i64..1_000, 0i64..1 << 52]),
        ) {
            let rest = tilted(known, prior, &masses);
            let all: i128 = masses.iter().map(|m| i128::from(*m)).sum();
            let filled: i128 = masses.iter().zip(&rest).map(|(m, r)| i128::from(*m) * i128::from(*r)).sum();
            let off = i128::from(ONE32 - known) * all - filled;
            // A share is rounded down by less than one.
            prop_assert!((0..=all).contains(&off), "{off} of {all}");
            prop_assert!(rest.is_sorted() && rest[BANDS - 1] < 3 * ONE32, "{rest:?}");
            if prior == 0 {
                prop_assert_eq!(rest, [ONE32 - known; BANDS]);
            }
            let one = ONE32 as f64;
            let coverage = known as f64 / one;
            let old = (prior as f64 / 1e6).sqrt().min(1.0 - coverage);
            let weight = |band: usize| 2f64.powf(-coverage * old / 2.0 * (BANDS - 1 - band) as f64);
            let total: f64 = masses.iter().map(|m| *m as f64).sum();
            let weighed: f64 = masses.iter().enumerate().map(|(b, m)| *m as f64 * weight(b)).sum();
            for (band, rest) in rest.iter().enumerate() {
                if all > 0 {
                    let want = (1.0 - coverage) * weight(band) * total / weighed;
                    prop_assert!((*rest as f64 / one - want).abs() < 2e-3 * want + 1e-9, "{band} {want}");
                }
            }
        }

        /// The twin is a map that is asked about everybody each time.
        #[test]
        fn it_is_what_a_map_of_all_accounts_would_be(
            steps in proptest::collection::vec(
                (0u64..40, any::<bool>(), 0i64..6, 0i64..40, 0u8..4, 0i64..2_000), 1..300),
        ) {
            let mut exact = exact();
            let mut twin: BTreeMap<u64, Held> = BTreeMap::new();
            let (mut now, mut mark) = (Nanos::SECOND, 100i64);
            for (account, long, qty, price, what, wait) in steps {
                now = now.plus(Nanos::seconds(wait));
                let dead = |held: &Held, mark: i64| held.2 > 0 && match held.0 {
                    Holder::Long => mark <= held.2,
                    Holder::Short => mark >= held.2,
                };
                match what {
                    0 => {
                        mark = 80 + price;
                        exact.mark(at(mark));
                        twin.retain(|_, held| !dead(held, mark));
                    }
                    1 => {
                        exact.age(now);
                        twin.retain(|_, held| now.since(held.3) <= FRESH);
                    }
                    _ => {
                        let holder = if long { Holder::Long } else { Holder::Short };
                        let price = if price < 5 { 0 } else { 80 + price };
                        exact.tell(now, &holds(account, holder, qty, price), Some(at(mark)));
                        let held = (holder, qty, price, now);
                        twin.remove(&account);
                        if qty > 0 && !dead(&held, mark) {
                            twin.insert(account, held);
                        }
                    }
                }
                prop_assert_eq!(exact.count(), twin.len());
                for holder in Holder::BOTH {
                    let own = || twin.values().filter(|held| held.0 == holder);
                    let sum: i64 = own().map(|held| held.1).sum();
                    prop_assert_eq!(exact.tracked(holder), Qty::new(sum));
                    let mut want: Vec<_> =
                        own().filter(|held| held.2 > 0).map(|held| (at(held.2), held.1)).collect();
                    let mut got: Vec<_> =
                        exact.priced(holder).map(|(ln, qty)| (ln, qty.get())).collect();
                    want.sort_unstable();
                    got.sort_unstable();
                    prop_assert_eq!(got, want);
                }
            }
        }
    }
}
