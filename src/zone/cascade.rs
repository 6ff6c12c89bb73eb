//! Cascade: what would happen if the nearest hot zone of a side went, and whether something of the kind is happening.
//!
//! Forced flow H against what takes it, D, both in dollars by distance from the mark. D is the *reference venue's* book
//! as far as it is seen, with a share of refill, and behind that the square-root law: to move price by x the market
//! takes V (x / σ)² of notional, V and σ of one hour (the ratio V / σ² is the same for every span), x from where the
//! flow begins. Forced flow meets the book of its own venue, so H is counted by the reference's share of the map. The
//! *gain* of a zone is its H over the D it lies in: at 1 it feeds itself. The *end* is where D from the zone's near
//! edge on has eaten all that is forced until there, and the usual way on ([`onward`](super::onward)). The gain *of the
//! path* is the same of the cells that price may cross within a minute, whether there is a zone or not.
//!
//! *Live* is told by prints and interest, by side: QUIET, BUILDING (a hundredth of the usual minute's turnover is
//! forced), RUNNING (a twentieth, and interest falls), EXHAUSTED (it faded to a quarter and price stopped extending),
//! RECLAIMED (price is back where it began). An insurance fund's drain is not in it: no venue here publishes one as a
//! stream.
//!
//! Assumed, not measured: all forced flow reaches the book, half of what is eaten refills. Integers only.

use crate::book::Book;
use crate::heatmap::DEPTH;
use crate::market::Side;
use crate::num::fixed::{ONE, mul_div};
use crate::num::log::{BUCKET, BUCKET_STEP, bucket_of, px_of_ln};
use crate::num::{Px, narrow};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Cells of which the book is looked at: 10 %.
const SEEN: usize = 512;
/// Share of the eaten book that refills while it is eaten, in halves.
const REFILL_HALVES: i64 = 1;

/// What takes forced flow on one side of the mark, cumulated by cells away from the mark's bucket.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    /// Cents up to and without a cell; flat behind `seen`.
    until: [i64; SEEN + 1],
    /// Cells that the book answers for.
    seen: usize,
    /// The law's coefficient: cents over cells squared, Q32; 0 = no law.
    law: i128,
}

/// Trades' 1e-16 quote units in one cent.
const CENT: u128 = 100_000_000_000_000;

/// V (cell / σ)², Q32. A cell is held to 16 sigmas and V to 2^60 cents, so that all products fit.
fn coefficient(turnover: i64, sigma: i64) -> i128 {
    if turnover <= 0 || sigma <= 0 {
        return 0;
    }
    let cell = (((i128::from(BUCKET) >> 16) << 32) / i128::from(sigma)).min(1 << 36);
    i128::from(turnover.min(1 << 60)) * ((cell * cell) >> 32)
}

impl Depth {
    /// Reads one side of the book around a mark; `turnover` and `sigma` are of one hour, 0 = not known.
    #[must_use]
    pub fn read(book: &Book, above: bool, mark: Px, turnover: i64, sigma: i64) -> Self {
        let mut depth = Self {
            until: [0; SEEN + 1],
            seen: 0,
            law: coefficient(turnover, sigma),
        };
        if mark.get() <= 0 {
            return depth;
        }
        let side = if above { Side::Sell } else { Side::Buy };
        let step = BUCKET_STEP[usize::from(above)];
        let first = bucket_of(mark) + i64::from(above);
        let mut edge = px_of_ln(first.saturating_mul(BUCKET)).get();
        // Products are summed and become cents once a cell.
        let (mut cell, mut sum, mut cents) = (0, 0u128, 0i64);
        for rung in book.rungs(side) {
            let price = rung.price.get();
            if cell < SEEN && if above { price >= edge } else { price < edge } {
                let usd = i64::try_from(sum / CENT).unwrap_or(i64::MAX);
                cents = usd.saturating_add(usd / 2 * REFILL_HALVES);
            }
            while cell < SEEN && if above { price >= edge } else { price < edge } {
                cell += 1;
                depth.until[cell] = cents;
                edge = narrow((i128::from(edge) * i128::from(step)) >> 60);
            }
            if cell == SEEN {
                break;
            }
            let (price, qty) = (price.unsigned_abs(), rung.qty.get().unsigned_abs());
            sum = sum.saturating_add(u128::from(price) * u128::from(qty));
        }
        // The cell of the last level is known in part only: the book ends somewhere in it.
        depth.seen = cell;
        depth
    }

    /// True when something is known at all.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.seen > 0 || self.law > 0
    }

    /// Cells that the book answers for.
    #[must_use]
    pub const fn seen(&self) -> usize {
        self.seen
    }

    /// What the law says a move over so many cells takes, cents.
    fn law(&self, cells: usize) -> i64 {
        let cells = cells.min(DEPTH) as i128;
        narrow(self.law.saturating_mul(cells * cells) >> 32)
    }

    /// What takes a flow that begins `near` cells away until it has come `cells` away; `None` where neither book nor
    /// law says. The law speaks of an order from where it begins: whatever moved price there before has been paid for.
    #[must_use]
    pub fn between(&self, near: usize, cells: usize) -> Option<i64> {
        let [near_seen, cells_seen] = [near, cells].map(|at| at.min(self.seen));
        let book = (self.until[cells_seen]).saturating_sub(self.until[near_seen]);
        if cells <= self.seen {
            return Some(book);
        }
        if self.law == 0 {
            return None;
        }
        let by_book = self.law(self.seen.saturating_sub(near));
        let law = self.law(cells.saturating_sub(near)).saturating_sub(by_book);
        Some(book.saturating_add(law))
    }

    /// What lies on the way to a zone `cells` away beyond what usually does: a walk's sigma has the usual book in it.
    /// `None` where neither book nor law says, or no law says what is usual.
    #[must_use]
    pub fn unusual(&self, cells: usize) -> Option<i64> {
        if self.law == 0 {
            return None;
        }
        let path = self.between(0, cells)?;
        Some(path.saturating_sub(self.law(cells)).max(0))
    }
}

/// Parts of an hour's sigma that a path goes: a quarter is two sigmas of a minute.
const PATH_PARTS: i64 = 4;

/// H over D of the cells that price may cross within a minute, from the mark on, Q16; `sigma` is one hour's, `share`
/// as in [`gain`]. `None` where one of them is not known.
#[must_use]
pub fn of_path(half: &[i64; DEPTH], depth: &Depth, sigma: i64, share: i64) -> Option<i64> {
    if sigma <= 0 || share <= 0 {
        return None;
    }
    let cells = (1 + (sigma / PATH_PARTS) / (BUCKET >> 16)).min(DEPTH as i64) as usize;
    let usd = half[..cells].iter().copied().fold(0, i64::saturating_add);
    gain(depth, 0, cells - 1, usd, share)
}

/// The answer about one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fall {
    /// H over D at the zone, Q16.
    pub gain: i64,
    /// Cells from the mark's bucket to the end, which is the far edge of the last.
    pub end: usize,
    /// Forced by then, all venues, cents.
    pub usd: i64,
    /// The forced flow is eaten up behind what the book shows.
    pub beyond: bool,
}

/// H over D of the cells `near ..= far` that hold `usd`, Q16; `share` (Q16) of it meets this book. `None` where depth
/// is not known.
#[must_use]
pub fn gain(depth: &Depth, near: usize, far: usize, usd: i64, share: i64) -> Option<i64> {
    let takes = depth.between(near, far + 1)?;
    let forced = mul_div(usd, share, ONE);
    // Nothing there to take it: as large as it gets, held to a number that can be published.
    Some(if takes <= 0 {
        GAIN_MAX
    } else {
        mul_div(forced, ONE, takes).min(GAIN_MAX)
    })
}

/// A gain is not told beyond this.
pub const GAIN_MAX: i64 = 1_000 * ONE;

/// What happens if the zone over cells `near ..= far` with `usd` goes: `half` is the map's side, and price goes `on` so
/// many cells behind where the forced flow is eaten up, but never ends before the zone. `None` where depth is not known
/// at the zone; where the map or depth does not reach, flow is eaten up in the last cell that they do.
#[must_use]
pub fn fall(
    half: &[i64; DEPTH],
    depth: &Depth,
    (near, far): (usize, usize),
    usd: i64,
    share: i64,
    on: i64,
) -> Option<Fall> {
    let gain = gain(depth, near, far, usd, share)?;
    let (mut forced, mut eaten) = (0i64, near);
    for (cell, cents) in half.iter().enumerate().skip(near) {
        forced = forced.saturating_add(*cents);
        let Some(takes) = depth.between(near, cell + 1) else {
            break;
        };
        eaten = cell;
        // The zone goes as one, whatever of it lies behind this cell.
        let all = mul_div(forced.max(usd), share, ONE);
        if all <= takes {
            break;
        }
    }
    let on = isize::try_from(on).unwrap_or(0);
    let last = DEPTH.max(near + 1);
    let end = (eaten + 1).saturating_add_signed(on).clamp(near + 1, last);
    let cells = &half[near.min(DEPTH)..end.min(DEPTH)];
    let forced = cells.iter().copied().fold(0, i64::saturating_add);
    Some(Fall {
        gain,
        end,
        usd: forced.max(usd),
        beyond: eaten + 1 > depth.seen,
    })
}

/// States, numbers of `shm::record::CASCADE_STATES`.
pub mod live {
    /// Nothing of the kind.
    pub const QUIET: u8 = 0;
    /// More is forced than usual.
    pub const BUILDING: u8 = 1;
    /// Forced flow drives price.
    pub const RUNNING: u8 = 2;
    /// It faded and price stopped extending.
    pub const EXHAUSTED: u8 = 3;
    /// Price is back where it began.
    pub const RECLAIMED: u8 = 4;
}

/// What one look at prints and interest shows of one side.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Shard time.
    pub now: Nanos,
    /// Mark.
    pub mark: Px,
    /// Forced notional of ten seconds, cents (decayed sum).
    pub ten: i64,
    /// Of a minute.
    pub minute: i64,
    /// Usual turnover of a minute, cents; 0 = not known.
    pub usual: i64,
    /// Interest is not rising.
    pub falls: bool,
}

/// The live state of one side. All zeros is QUIET.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Live {
    state: u64,
    /// Shard time at which it entered its state.
    since: Nanos,
    /// Most that was forced in ten seconds.
    peak: i64,
    /// Mark at which it began.
    start: Px,
    /// Farthest mark since, and when.
    extreme: Px,
    extreme_at: Nanos,
}

/// How long price must not have extended.
const STOPPED: Nanos = Nanos::seconds(30);
/// How long one that is over is remembered.
const REMEMBERED: Nanos = Nanos::new(15 * Nanos::MINUTE.get());

impl Live {
    /// One of [`live`].
    #[must_use]
    pub const fn state(&self) -> u8 {
        self.state as u8
    }

    fn enter(&mut self, state: u8, now: Nanos) {
        (self.state, self.since) = (state.into(), now);
    }

    /// Takes a look; `up` is the side of shorts.
    pub fn step(&mut self, look: &Look, up: bool) {
        let Look {
            now, mark, minute, ..
        } = *look;
        if mark.get() <= 0 || look.usual <= 0 {
            return;
        }
        let part = |of: i64| minute.saturating_mul(of) >= look.usual;
        let (builds, runs) = (part(100), part(20) && look.falls);
        let past = |a: Px, b: Px| if up { a > b } else { a < b };
        if self.state() == live::QUIET {
            if builds {
                (self.start, self.extreme, self.extreme_at) = (mark, mark, now);
                self.peak = look.ten;
                self.enter(live::BUILDING, now);
            }
            return;
        }
        let extends = past(mark, self.extreme);
        if extends {
            (self.extreme, self.extreme_at) = (mark, now);
        }
        self.peak = self.peak.max(look.ten);
        let faded = look.ten.saturating_mul(4) <= self.peak;
        let stopped = now.since(self.extreme_at) > STOPPED;
        let over = now.since(self.since) > REMEMBERED;
        match self.state() {
            live::BUILDING if runs => self.enter(live::RUNNING, now),
            live::BUILDING if !part(200) => self.enter(live::QUIET, now),
            live::RUNNING if faded && stopped => self.enter(live::EXHAUSTED, now),
            live::EXHAUSTED if runs && extends => self.enter(live::RUNNING, now),
            // It leaves the place where it began once more.
            live::RECLAIMED if runs && past(mark, self.start) => {
                (self.extreme, self.extreme_at, self.peak) = (mark, now, look.ten);
                self.enter(live::RUNNING, now);
            }
            live::EXHAUSTED if !past(mark, self.start) => self.enter(live::RECLAIMED, now),
            live::EXHAUSTED | live::RECLAIMED if over => self.enter(live::QUIET, now),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ALONE, FIRST, LAST, Level, SNAPSHOT};
    use crate::num::Qty;

    const MARK: i64 = 1_000;
    /// 1 % in an hour.
    const SIGMA: i64 = 42_949_673;

    /// Asks of one lot every `step` tenths above 1000, `count` of them.
    fn book(step: i64, count: i64) -> Box<Book> {
        let mut book: Box<Book> = bytemuck::allocation::zeroed_box();
        for n in 0..count {
            let level = |side, way: i64| Level {
                side,
                price: Px::new((MARK * 10 + way * (1 + n * step)) * (Px::ONE / 10)),
                qty: Qty::whole(1),
                update: 1,
            };
            let first = if n == 0 { FIRST } else { 0 };
            book.apply(&level(Side::Sell, 1), SNAPSHOT | first);
            book.apply(&level(Side::Buy, -1), SNAPSHOT);
        }
        let last = Level {
            side: Side::Buy,
            price: Px::whole(MARK / 2),
            qty: Qty::ZERO,
            update: 1,
        };
        book.apply(&last, SNAPSHOT | LAST);
        let _ = ALONE;
        book
    }

    #[test]
    fn depth_is_the_book_by_distance_then_the_law() {
        // One lot every tenth: 2 bp of 1000 are two lots.
        let book = book(1, 100);
        for above in [true, false] {
            let depth = Depth::read(&book, above, Px::whole(MARK), 0, 0);
            assert!((48..=51).contains(&depth.seen()), "{}", depth.seen());
            let got = depth.between(0, 40).unwrap();
            // 8 of price, a lot each tenth, half of it refilled: 80 x 1000 x 1.5 dollars.
            let want = 80 * 1_000 * 100 * 3 / 2;
            assert!((got - want).abs() < want / 20, "{above} {got} {want}");
            assert_eq!(depth.between(0, 60), None);
            let law = Depth::read(&book, above, Px::whole(MARK), 1_000_000_000, SIGMA);
            let seen = law.between(0, law.seen()).unwrap();
            // A sigma is fifty cells; two sigmas take four hours' turnover.
            let want = seen + 4_000_000_000 - 1_000_000_000;
            let got = law.between(0, 100).unwrap();
            assert!((got - want).abs() < want / 20, "{got} {want}");
            assert!((0..2_000).all(|n| law.between(0, n) <= law.between(0, n + 1)));
        }
        let empty: Box<Book> = bytemuck::allocation::zeroed_box();
        let none = Depth::read(&empty, true, Px::whole(MARK), 0, 0);
        assert!(!none.is_known());
        assert_eq!((none.between(0, 0), none.between(0, 1)), (Some(0), None));
    }

    /// The law speaks of an order from where it begins: a zone that is farther away does not lie in a deeper market.
    #[test]
    fn behind_the_book_a_zone_is_as_deep_as_it_is_wide() {
        let book = book(1, 100);
        for above in [true, false] {
            let depth = Depth::read(&book, above, Px::whole(MARK), 1_000_000_000, SIGMA);
            let seen = depth.seen();
            let own = |near: usize| gain(&depth, near, near + 24, 250_000_000, ONE).unwrap();
            assert_eq!(own(seen), own(seen + 100));
            assert_eq!(own(seen), own(seen + 2_000));
            // Half a sigma takes a quarter of an hour's turnover: all that is forced there.
            assert!((own(seen) - ONE).abs() < ONE / 50, "{}", own(seen));
            // A fall that leaves the book goes on by the law from where it began, without a step.
            let at = |cells: usize| depth.between(seen - 10, cells).unwrap();
            assert_eq!(
                at(seen),
                depth.between(0, seen).unwrap() - depth.between(0, seen - 10).unwrap()
            );
            let law = |cells: i64| 1_000_000_000 * cells * cells / 2_500;
            let want = at(seen) + law(40) - law(10);
            let got = at(seen + 30);
            assert!((got - want).abs() < want / 20, "{got} {want}");
            assert!((0..2_000).all(|n| at(n + seen) <= at(n + seen + 1)));
        }
    }

    #[test]
    fn the_gain_of_a_path_is_of_the_cells_a_minute_may_cross() {
        let mut half = [0i64; DEPTH];
        // A sigma is fifty cells, a quarter of it thirteen.
        half[..13].fill(6);
        half[13..].fill(1_000_000);
        let got = of_path(&half, &flat(10), SIGMA, ONE);
        assert_eq!(got, Some(6 * ONE / 10));
        assert_eq!(
            of_path(&half, &flat(10), SIGMA, ONE / 2),
            Some(3 * ONE / 10)
        );
        assert_eq!(of_path(&half, &flat(10), 1, ONE), Some(6 * ONE / 10));
        for (sigma, share) in [(0, ONE), (-1, ONE), (SIGMA, 0)] {
            assert_eq!(of_path(&half, &flat(10), sigma, share), None);
        }
        // No depth known.
        let empty: Box<Book> = bytemuck::allocation::zeroed_box();
        let none = Depth::read(&empty, true, Px::whole(MARK), 0, 0);
        assert_eq!(of_path(&half, &none, SIGMA, ONE), None);
        let _ = of_path(&[i64::MAX; DEPTH], &flat(0), i64::MAX, i64::MAX);
    }

    /// D of one a cell: the integral can be done by hand.
    fn flat(cents: i64) -> Depth {
        let mut until = [0; SEEN + 1];
        for (cell, sum) in until.iter_mut().enumerate() {
            *sum = cell as i64 * cents;
        }
        Depth {
            until,
            seen: SEEN,
            law: 0,
        }
    }

    #[test]
    fn a_fall_ends_where_the_book_has_eaten_what_is_forced() {
        let mut half = [0i64; DEPTH];
        // A zone of 60 over ten cells in a book of 10 a cell: gain .6, eaten in six cells.
        half[100..110].fill(6);
        let got = fall(&half, &flat(10), (100, 109), 60, ONE, 0).unwrap();
        assert_eq!(got.gain, 60 * ONE / 100);
        assert_eq!((got.end, got.usd, got.beyond), (106, 60, false));
        // Twice the book's: 200 reaches 20 cells, where another 100 waits from cell 115: 300 is eaten after 30.
        half[100..110].fill(20);
        half[115..120].fill(20);
        let got = fall(&half, &flat(10), (100, 109), 200, ONE, 0).unwrap();
        assert_eq!((got.gain, got.end, got.usd), (2 * ONE, 130, 300));
        // Price goes on, and more is forced; or ends before, but not before the zone; and within the map.
        half[132] = 7;
        let ends = [-20, -99, 3, i64::MAX].map(|on| {
            let got = fall(&half, &flat(10), (100, 109), 200, ONE, on).unwrap();
            (got.end, got.usd)
        });
        assert_eq!(ends, [(110, 200), (101, 200), (133, 307), (DEPTH, 307)]);
        half[132] = 0;
        // Half of it meets this book.
        let got = fall(&half, &flat(10), (100, 109), 200, ONE / 2, 0).unwrap();
        assert_eq!((got.gain, got.end, got.usd), (ONE, 110, 200));
        // No depth known there.
        half[600] = 5;
        assert_eq!(fall(&half, &flat(10), (600, 600), 5, ONE, 0), None);
        // An end that nothing is known of is the last cell that is.
        half[400..500].fill(1_000);
        let got = fall(&half, &flat(10), (400, 499), 100_000, ONE, 0).unwrap();
        assert_eq!(got.end, SEEN);
    }

    #[test]
    fn extremes_do_not_panic() {
        let half = [i64::MAX; DEPTH];
        for (turnover, sigma) in [(i64::MAX, 1), (1, i64::MAX), (i64::MIN, i64::MIN)] {
            let empty: Box<Book> = bytemuck::allocation::zeroed_box();
            let depth = Depth::read(&empty, true, Px::new(i64::MAX), turnover, sigma);
            for on in [0, 1, -1, i64::MAX, i64::MIN] {
                let _ = fall(&half, &depth, (0, DEPTH - 1), i64::MAX, ONE, on);
                let _ = fall(&half, &depth, (DEPTH, DEPTH + 9), i64::MAX, i64::MAX, on);
            }
        }
        let _ = fall(&half, &flat(0), (0, 3), 1, ONE, 0);
    }

    #[test]
    fn a_cascade_lives_from_building_to_reclaimed() {
        let mut live: Live = bytemuck::Zeroable::zeroed();
        let look = |second: i64, mark: i64, ten: i64, minute: i64| Look {
            now: Nanos::seconds(1_000 + second),
            mark: Px::whole(mark),
            ten,
            minute,
            usual: 10_000,
            falls: true,
        };
        for (second, mark, ten, minute, want) in [
            (0, 100, 0, 99, live::QUIET),
            (1, 100, 50, 100, live::BUILDING),
            (2, 99, 400, 500, live::RUNNING),
            (40, 95, 400, 900, live::RUNNING),
            (60, 96, 90, 900, live::RUNNING),
            (71, 96, 90, 900, live::EXHAUSTED),
            (80, 94, 400, 900, live::RUNNING),
            (120, 97, 90, 300, live::EXHAUSTED),
            (200, 100, 0, 0, live::RECLAIMED),
            // A second leg, and back again.
            (210, 101, 600, 900, live::RECLAIMED),
            (220, 99, 600, 900, live::RUNNING),
            (221, 98, 800, 900, live::RUNNING),
            (300, 99, 10, 90, live::EXHAUSTED),
            (310, 100, 0, 0, live::RECLAIMED),
            (1_000, 101, 0, 0, live::RECLAIMED),
            (1_211, 101, 0, 0, live::QUIET),
            (1_212, 101, 20, 100, live::BUILDING),
            (1_213, 101, 0, 49, live::QUIET),
        ] {
            live.step(&look(second, mark, ten, minute), false);
            assert_eq!(live.state(), want, "second {second}");
        }
        let mut rising = look(0, 100, 400, 5_000);
        live.step(&rising, true);
        (rising.falls, rising.now) = (false, Nanos::seconds(2_000));
        live.step(&rising, true);
        assert_eq!(
            live.state(),
            live::BUILDING,
            "interest rises: nothing is closed"
        );
        rising.usual = 0;
        live.step(&rising, true);
        assert_eq!(live.state(), live::BUILDING);
    }
}
