//! The two maps that one would write first: levels in a hash map, and none at all but every trade read anew. For cost
//! only: neither conserves anything. They lay the same cells as ours and answer what ours answers: dollars by distance
//! at the price of each bucket, the running sums, the heaviest and the densest bucket, and what a sweep met of each
//! class. What ours does beside (conservation to the unit, PRIOR, ages, rooms for the calibration) they are spared.

use isotherm::inventory::{CLASSES, Params};
use isotherm::market::Holder;
use isotherm::num::fixed::mul32;
use isotherm::num::log::{BUCKET, px_of_ln};
use std::collections::HashMap;

/// Share of each class that is liquidated, Q16.
const THETA: [i64; CLASSES] = [13_107; CLASSES];
/// Buckets of a half.
pub(crate) const DEPTH: usize = 4_096;

/// What is read of a map, by holder.
pub(crate) struct Reading {
    /// Bucket of the mark.
    mark: i64,
    /// Cents per 1e-6 lot by distance, 2^-32.
    prices: [Vec<i64>; 2],
    pub(crate) half: [Vec<i64>; 2],
    curve: [Vec<i64>; 2],
    heaviest: [usize; 2],
    densest: [usize; 2],
}

impl Reading {
    pub(crate) fn new(mark: i64) -> Self {
        let price = |bucket: i64| {
            let px = px_of_ln(bucket * BUCKET + BUCKET / 2);
            ((i128::from(px.get()) << 32) / 100_000_000_000_000) as i64
        };
        let prices =
            [-1, 1].map(|way| (0..DEPTH as i64).map(|at| price(mark + way * at)).collect());
        let empty = || [vec![0; DEPTH], vec![0; DEPTH]];
        Self {
            mark,
            prices,
            half: empty(),
            curve: empty(),
            heaviest: [0; 2],
            densest: [0; 2],
        }
    }

    /// Adds mass that dies in a bucket, θ inside.
    fn add(&mut self, holder: usize, bucket: i64, qty: i64) {
        let away = if holder == 0 {
            self.mark - bucket
        } else {
            bucket - self.mark
        };
        let Ok(at) = usize::try_from(away) else {
            return;
        };
        if let (Some(sum), Some(price)) =
            (self.half[holder].get_mut(at), self.prices[holder].get(at))
        {
            *sum += ((i128::from(qty) * i128::from(*price)) >> 32) as i64;
        }
    }

    fn clear(&mut self) {
        self.half.iter_mut().for_each(|half| half.fill(0));
    }

    /// Sums and peaks of what was added.
    fn finish(&mut self) {
        for holder in 0..2 {
            let half = &self.half[holder];
            let (mut sum, mut best, mut most) = (0, 0, 0);
            for (at, (cents, curve)) in half.iter().zip(&mut self.curve[holder]).enumerate() {
                *curve = sum;
                sum += cents;
                if *cents > most {
                    (best, most) = (at, *cents);
                }
            }
            self.heaviest[holder] = best;
            let (mut best, mut most) = (0, 3 * half[0] + half[1]);
            for (at, three) in half.windows(3).enumerate() {
                let dense = three[0] + 2 * three[1] + three[2];
                if dense > most {
                    (best, most) = (at + 1, dense);
                }
            }
            self.densest[holder] = best;
        }
    }
}

/// The cells of a trade: holder, class, bucket, quantity.
fn cells(params: &Params, bucket: i64, qty: i64, mut lay: impl FnMut(usize, usize, i64, i64)) {
    for holder in Holder::BOTH {
        for class in 0..CLASSES {
            let (near, wide) = params.cells(holder, class, bucket);
            let qty = mul32(qty, params.mix[holder as usize][class]);
            let first = if near == wide { 0 } else { qty / 2 };
            if first > 0 {
                lay(holder as usize, class, near, first);
            }
            lay(holder as usize, class, wide, qty - first);
        }
    }
}

/// Levels by holder and bucket.
#[derive(Default, Clone)]
pub(crate) struct Hashed {
    pub(crate) cells: HashMap<(usize, i64), [i64; CLASSES]>,
    met: [i64; CLASSES],
}

impl Hashed {
    /// Lays a trade at every class, both holders.
    pub(crate) fn trade(&mut self, params: &Params, bucket: i64, qty: i64) {
        cells(params, bucket, qty, |holder, class, at, qty| {
            self.cells.entry((holder, at)).or_default()[class] += qty;
        });
    }

    /// Drops the levels that a mark has passed.
    pub(crate) fn settle(&mut self, mark: i64) {
        self.cells.retain(|(holder, at), _| {
            if *holder == 0 {
                *at <= mark
            } else {
                *at >= mark
            }
        });
    }

    /// Removes the longs of the buckets `from .. to`.
    pub(crate) fn sweep(&mut self, from: i64, to: i64) {
        for bucket in from..to {
            if let Some(cell) = self.cells.remove(&(0, bucket)) {
                for (met, mass) in self.met.iter_mut().zip(cell) {
                    *met += mass;
                }
            }
        }
    }

    /// Density by distance, all venues together.
    pub(crate) fn refresh(venues: &[Self], out: &mut Reading) {
        out.clear();
        for ((holder, bucket), cell) in venues.iter().flat_map(|venue| &venue.cells) {
            let parts = cell.iter().zip(THETA);
            let qty = parts.map(|(mass, theta)| (mass * theta) >> 16).sum();
            out.add(*holder, *bucket, qty);
        }
        out.finish();
    }
}

/// Every trade: where, how much, and which of its levels stand (by holder, a bit a class).
#[derive(Default, Clone)]
pub(crate) struct Rescanned {
    trades: Vec<(i64, i64, [u32; 2])>,
    met: [i64; CLASSES],
}

impl Rescanned {
    /// Keeps a trade.
    pub(crate) fn trade(&mut self, bucket: i64, qty: i64) {
        self.trades.push((bucket, qty, [u32::MAX; 2]));
    }

    /// Drops the levels that a mark has passed.
    pub(crate) fn settle(&mut self, params: &Params, mark: i64) {
        for (bucket, qty, stands) in &mut self.trades {
            cells(params, *bucket, *qty, |holder, class, at, _| {
                if if holder == 0 { at > mark } else { at < mark } {
                    stands[holder] &= !(1 << class);
                }
            });
        }
    }

    /// Looks which levels of longs lie in `from .. to`.
    pub(crate) fn sweep(&mut self, params: &Params, from: i64, to: i64) {
        for (bucket, qty, stands) in &mut self.trades {
            for class in 0..CLASSES {
                let (near, _) = params.cells(Holder::Long, class, *bucket);
                if (from..to).contains(&near) && stands[0] >> class & 1 == 1 {
                    stands[0] &= !(1 << class);
                    self.met[class] += *qty;
                }
            }
        }
    }

    /// Density by distance, all venues together.
    pub(crate) fn refresh(venues: &[Self], params: &Params, out: &mut Reading) {
        out.clear();
        for (bucket, qty, stands) in venues.iter().flat_map(|venue| &venue.trades) {
            cells(params, *bucket, *qty, |holder, class, at, qty| {
                if stands[holder] >> class & 1 == 1 {
                    out.add(holder, at, (qty * THETA[class]) >> 16);
                }
            });
        }
        out.finish();
    }
}
