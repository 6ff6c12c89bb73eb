//! Rivals: the maps that others draw, as naively as they are drawn, from the public stream alone.
//!
//! Nothing here knows the estimator. A map is USD per bucket of 2 bp and holder on a fixed axis of log price. What the
//! mark passes is removed (that is a favour: many maps keep it), and every rival is later scaled by what was
//! realised in
//! the past (another one: none of them has a unit of its own).

use isotherm::market::Holder;
use serde_json::Value;

/// Width of a bucket in log price.
const WIDTH: f64 = 0.0002;
/// Buckets of the axis, the first price in the middle.
const CELLS: usize = 16_384;

/// USD per bucket, by holder.
pub(crate) type Plane = [Vec<f64>; 2];

/// The usual guess of who uses which leverage.
const MIX: [(f64, f64); 6] = [
    (5.0, 0.25),
    (10.0, 0.25),
    (20.0, 0.20),
    (25.0, 0.10),
    (50.0, 0.12),
    (100.0, 0.08),
];

/// Log price to bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    first: f64,
}

impl Axis {
    /// An axis around a price.
    pub(crate) fn around(price: f64) -> Self {
        let bucket = (Self::ln(price) / WIDTH).floor() - (CELLS / 2) as f64;
        Self { first: bucket }
    }
    /// Log price as the engine counts it, whose prices are in 1e-10: buckets fall on the same edges.
    fn ln(price: f64) -> f64 {
        (price * 1e10).ln()
    }
    /// Place on the axis, in buckets; the integer part is the cell.
    pub(crate) fn at(&self, price: f64) -> f64 {
        (Self::ln(price) / WIDTH - self.first).clamp(0.0, (CELLS - 1) as f64)
    }
    /// Cell of an absolute bucket.
    pub(crate) fn cell(&self, bucket: i64) -> Option<usize> {
        let cell = bucket - self.first as i64;
        usize::try_from(cell).ok().filter(|c| *c < CELLS)
    }
    /// Absolute bucket of a cell.
    pub(crate) fn bucket(&self, cell: usize) -> i64 {
        cell as i64 + self.first as i64
    }
    /// Price in the middle of a cell.
    pub(crate) fn price(&self, cell: usize) -> f64 {
        ((self.first + cell as f64 + 0.5) * WIDTH).exp() / 1e10
    }
    pub(crate) fn plane() -> Plane {
        [vec![0.0; CELLS], vec![0.0; CELLS]]
    }
}

/// +1 where a holder's liquidation lies above, −1 below.
pub(crate) const fn way(holder: Holder) -> f64 {
    match holder {
        Holder::Long => -1.0,
        Holder::Short => 1.0,
    }
}

/// What the public stream says, kept as others keep it.
pub(crate) struct Public {
    axis: Axis,
    /// Every trade at ±1/L; nothing ever closes.
    pub(crate) volume: Plane,
    /// Rises of open interest at ±1/L, falls taken from everywhere.
    pub(crate) interest: Plane,
    /// Open interest and the mark now; the marks since the last [`Public::begin`].
    pub(crate) open: f64,
    pub(crate) mark: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    minute: i64,
    before: f64,
    sums: [f64; 2],
}

impl Public {
    pub(crate) fn new(axis: Axis) -> Self {
        Self {
            axis,
            volume: Axis::plane(),
            interest: Axis::plane(),
            open: 0.0,
            mark: 0.0,
            low: 0.0,
            high: 0.0,
            minute: 0,
            before: 0.0,
            sums: [0.0; 2],
        }
    }

    /// A new window: extremes begin at the mark.
    pub(crate) fn begin(&mut self) {
        (self.low, self.high) = (self.mark, self.mark);
    }

    fn lay(axis: &Axis, plane: &mut Plane, price: f64, size: f64) {
        for holder in Holder::BOTH {
            for (leverage, share) in MIX {
                let at = price * (1.0 + way(holder) / leverage);
                plane[holder as usize][axis.at(at) as usize] += size * share * at;
            }
        }
    }

    /// A frame of trades.
    pub(crate) fn trades(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap();
        for trade in frame["data"].as_array().unwrap() {
            let read = |key: &str| trade[key].as_str().unwrap().parse::<f64>().unwrap();
            let (price, size) = (read("p"), read("v"));
            Self::lay(&self.axis, &mut self.volume, price, size);
            self.sums[0] += price * size;
            self.sums[1] += size;
        }
    }

    /// A ticker frame at a time in nanoseconds.
    pub(crate) fn ticker(&mut self, at: i64, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap();
        let read = |key: &str| {
            frame["data"][key]
                .as_str()
                .and_then(|t| t.parse::<f64>().ok())
        };
        if let Some(mark) = read("markPrice") {
            self.marked(mark);
        }
        if let Some(open) = read("openInterest") {
            self.open = open;
        }
        let minute = at / 60_000_000_000;
        if minute != self.minute && self.open > 0.0 {
            self.minute = minute;
            self.changed();
        }
    }

    fn marked(&mut self, mark: f64) {
        let to = self.axis.at(mark) as usize;
        if self.mark > 0.0 {
            let from = self.axis.at(self.mark) as usize;
            for plane in [&mut self.volume, &mut self.interest] {
                if to < from {
                    plane[0][to + 1..=from].fill(0.0);
                } else {
                    plane[1][from..to].fill(0.0);
                }
            }
        } else {
            (self.low, self.high) = (mark, mark);
        }
        self.mark = mark;
        self.low = self.low.min(mark);
        self.high = self.high.max(mark);
    }

    fn changed(&mut self) {
        let change = self.open - self.before;
        if self.before > 0.0 && change < 0.0 {
            let kept = self.open / self.before;
            for cell in self.interest.iter_mut().flatten() {
                *cell *= kept;
            }
        } else if self.before > 0.0 && self.sums[1] > 0.0 {
            let price = self.sums[0] / self.sums[1];
            Self::lay(&self.axis, &mut self.interest, price, change);
        }
        self.before = self.open;
        self.sums = [0.0; 2];
    }

    /// Spikes at ±1/L of the price of now.
    pub(crate) fn fixed(&self) -> Plane {
        let mut plane = Axis::plane();
        Self::lay(&self.axis, &mut plane, self.mark, self.open);
        plane
    }
}

/// What was realised at which distance from the mark, learned as it goes: the map that knows distance alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Distance {
    /// By holder and bin: USD realised, buckets swept.
    seen: [[[f64; 2]; Self::BINS]; 2],
}

impl Distance {
    const BINS: usize = 16;

    /// Bins double: one bucket, two, four … from the mark.
    fn bin(buckets: f64) -> usize {
        ((buckets.abs() + 1.0).log2() * 1.5) as usize
    }

    pub(crate) fn learn(&mut self, holder: Holder, buckets: f64, realised: f64, width: f64) {
        let bin = Self::bin(buckets).min(Self::BINS - 1);
        let seen = &mut self.seen[holder as usize][bin];
        seen[0] += realised;
        seen[1] += width;
    }

    /// USD per bucket at a distance; bins with little behind them lean on `all`, the mean rate.
    pub(crate) fn rate(&self, holder: Holder, buckets: f64, all: f64) -> f64 {
        let bin = Self::bin(buckets).min(Self::BINS - 1);
        let [realised, width] = self.seen[holder as usize][bin];
        (realised + all * 100.0) / (width + 100.0)
    }
}
