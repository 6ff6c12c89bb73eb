//! The two maps that one would write first: levels in a hash map, and none at all but every trade read anew. For cost
//! only: neither conserves anything. They answer what ours answers: dollars by distance with each class's share, and
//! what a sweep met of each class.

use isotherm::inventory::CLASSES;
use std::collections::HashMap;

/// Distances of the classes in buckets of 2 bp.
const OFFSETS: [i64; CLASSES] = [
    3, 5, 10, 15, 20, 30, 45, 65, 101, 152, 230, 363, 583, 992, 1_783,
];

/// Share of each class that is liquidated, Q16.
const THETA: [i64; CLASSES] = [13_107; CLASSES];
/// Cents of 1e-6 lots at a price, as the map's: price of the bucket at the mark, 2^-32.
const PRICE: i128 = 27_917_287_424_000;

/// Dollars of one cell.
fn cents(cell: &[i64; CLASSES]) -> i64 {
    let qty: i64 = cell
        .iter()
        .zip(THETA)
        .map(|(mass, theta)| (mass * theta) >> 16)
        .sum();
    ((i128::from(qty) * PRICE) >> 32) as i64
}

/// Running sums, as our curves.
fn curve(out: &mut [[i64; 2]]) {
    let mut sums = [0i64; 2];
    for cell in out {
        for (sum, value) in sums.iter_mut().zip(cell.iter_mut()) {
            *sum += *value;
            *value = *sum;
        }
    }
}

/// Levels by holder and bucket.
#[derive(Default)]
pub(crate) struct Hashed {
    cells: HashMap<(u8, i64), [i64; CLASSES]>,
    met: [i64; CLASSES],
}

impl Hashed {
    /// Lays a trade at every class, both holders.
    pub(crate) fn trade(&mut self, bucket: i64, qty: i64) {
        for (class, offset) in OFFSETS.iter().enumerate() {
            for (holder, way) in [(0, -1), (1, 1)] {
                let cell = self
                    .cells
                    .entry((holder, bucket + way * offset))
                    .or_default();
                cell[class] += qty;
            }
        }
    }

    /// Removes the longs of the buckets `from .. to`, and the shorts on the way back, as ours does.
    pub(crate) fn sweep(&mut self, from: i64, to: i64) {
        for bucket in from..to {
            for holder in [0, 1] {
                if let Some(cell) = self.cells.get_mut(&(holder, bucket)) {
                    for (met, mass) in self.met.iter_mut().zip(cell.iter()) {
                        *met += mass;
                    }
                    *cell = [0; CLASSES];
                }
            }
        }
    }

    /// Density by distance.
    pub(crate) fn refresh(&self, mark: i64, out: &mut [[i64; 2]]) {
        out.fill([0; 2]);
        for ((holder, bucket), cell) in &self.cells {
            let away = if *holder == 0 {
                mark - bucket
            } else {
                bucket - mark
            };
            let room = usize::try_from(away).ok().and_then(|at| out.get_mut(at));
            if let Some(room) = room {
                room[usize::from(*holder)] += cents(cell);
            }
        }
        curve(out);
    }
}

/// Every trade: where, how much, and which of its levels stand.
#[derive(Default)]
pub(crate) struct Rescanned {
    trades: Vec<(i64, i64, u32)>,
}

impl Rescanned {
    /// Keeps a trade.
    pub(crate) fn trade(&mut self, bucket: i64, qty: i64) {
        self.trades.push((bucket, qty, u32::MAX));
    }

    /// Looks which levels of longs lie in `from .. to`.
    pub(crate) fn sweep(&mut self, from: i64, to: i64) {
        for (bucket, _, stands) in &mut self.trades {
            for (class, offset) in OFFSETS.iter().enumerate() {
                if (from..to).contains(&(*bucket - offset)) {
                    *stands &= !(1 << class);
                }
            }
        }
    }

    /// Density by distance.
    pub(crate) fn refresh(&self, mark: i64, out: &mut [[i64; 2]]) {
        out.fill([0; 2]);
        for (bucket, qty, stands) in &self.trades {
            for (class, offset) in OFFSETS.iter().enumerate() {
                for (holder, away) in [mark - (bucket - offset), bucket + offset - mark]
                    .into_iter()
                    .enumerate()
                {
                    let room = usize::try_from(away).ok().and_then(|at| out.get_mut(at));
                    if let Some(room) = room
                        && (holder == 1 || stands >> class & 1 == 1)
                    {
                        room[holder] +=
                            ((i128::from((qty * THETA[class]) >> 16) * PRICE) >> 32) as i64;
                    }
                }
            }
        }
        curve(out);
    }
}
