//! Cells: the proof where liquidations are known one by one, at a price (heatmap.md 4.2).
//!
//! A *cell* is a bucket of log price (or the part of one) that a venue's mark swept for the first time in a window of
//! [`WINDOW`], ahead of where the window began, for the holder whom that hurts. What happened in it is the dollars that
//! the venue printed within the window and that its row of observations places there: a bankruptcy price is led back to
//! the liquidation price. What each map said of it is what that map held there when the window began. Maps are ranked
//! among swept cells alone, so that "the price came near" is nobody's merit.
//!
//! The product's map is walked with its own calibration: θ is the engine's, from prints before the window, and its
//! dollars are scored as they are. All rivals are given their unit from the past, which is a favour.
//!
//! Prints that lie behind the begin (opened within the window, or late) or further than [`NEAR`] beyond where the mark
//! was seen are in no cell: their share is told. Dollars are `f64`, log prices Q48, times Unix nanoseconds.

pub mod calibrated;
pub mod events;
pub mod judge;
pub mod placed;
pub mod ranked;
pub mod report;
mod rivals;
pub mod spread;

use super::ProveError;
use super::input::{Candle, Input, Period, Source, Told};
use super::naive::{Naive, Standing};
use super::path;
use super::walk::{self, Glimpse, Learnt, Mass, Way, dollars_at};
use crate::calibrate::{self, Shown};
use crate::inventory::params::Choice;
use crate::inventory::{CLASSES, Inventory};
use crate::market::{Holder, VenueId};
use crate::num::log::{BUCKET, ln_px, px_of_ln};
use crate::time::Nanos;
use std::collections::BTreeSet;

/// Length of a window.
pub const WINDOW: Nanos = Nanos::new(10 * Nanos::MINUTE.get());
/// Marks are samples: a print this far beyond the last of them, 10 bp, says that the mark was there.
const NEAR: i64 = 5 * BUCKET;
/// Between two ticks of the walk.
pub(super) const TICK: Nanos = Nanos::new(100 * Nanos::MILLI.get());
/// Prints of one holder closer than this are one cluster.
const CLUSTER: Nanos = Nanos::new(30 * Nanos::SECOND.get());
/// θ before anything was learned.
const PRIOR: f64 = super::ladder::PRIOR;

/// Maps that are walked, by place; those of [`judge`] come behind them.
pub const OURS: usize = 0;
/// Names of the walked maps.
pub const WALKED: [&str; 5] = [
    "isotherm",
    "uncalibrated",
    "classes shuffled",
    "mirrored",
    "yesterday's",
];

/// A swept bucket, or the swept part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Whose mark swept it.
    pub venue: VenueId,
    /// Number of the window, and its begin.
    pub window: usize,
    /// Begin of the window.
    pub start: Nanos,
    /// Whom the sweep hurts.
    pub holder: Holder,
    /// Absolute bucket.
    pub bucket: i64,
    /// Bucket in which the window began, ahead of the holder.
    pub first: i64,
    /// Where the sweep of it began and ended, log price Q48.
    pub swept: [i64; 2],
    /// Swept share of the bucket.
    pub width: f64,
    /// Swept share of what of the bucket lay ahead when the window began.
    pub part: f64,
    /// Distance of its middle from the begin, in log price.
    pub away: f64,
    /// Dollars printed.
    pub usd: f64,
}

impl Cell {
    /// A bucket and its neighbours as maps are read, (1, 2, 1) / 4; the edge of the begin reflects.
    #[must_use]
    pub fn smooth(&self, of: &dyn Fn(i64) -> f64) -> f64 {
        let behind = if self.bucket == self.first {
            self.bucket
        } else {
            self.bucket - self.holder.hurts()
        };
        (of(behind) + 2.0 * of(self.bucket) + of(self.bucket + self.holder.hurts())) / 4.0
    }
}

/// A print that lies in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Died {
    /// Its cell.
    pub cell: usize,
    /// Where its position died, log price Q48.
    pub place: i64,
    /// Dollars.
    pub usd: f64,
    /// Its cluster: prints of one holder and venue, each less than 30 s after the one before.
    pub cluster: usize,
}

/// Where the prints went.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counted {
    /// Prints of the venues that are in it.
    pub prints: usize,
    /// Clusters: prints of one holder and venue less than 30 s apart.
    pub clusters: usize,
    /// Dollars in cells.
    pub placed: f64,
    /// Dollars behind the begin of their window.
    pub behind: f64,
    /// Dollars where the mark was not seen.
    pub beyond: f64,
    /// Windows of a venue that are left out: prints may have been lost in them.
    pub lost: usize,
}

/// All cells of a symbol, and what was said of each.
#[derive(Debug, Clone)]
pub struct Cells {
    /// In order of time.
    pub cells: Vec<Cell>,
    /// The prints in them, by cell.
    pub died: Vec<Died>,
    /// Where the prints went.
    pub counted: Counted,
    /// Venues in it.
    pub venues: Vec<VenueId>,
    /// By map of [`WALKED`] and cell, dollars.
    said: [Vec<f64>; WALKED.len()],
    /// What time at price laid there, by class.
    time: Vec<Mass>,
    /// What the path says of each.
    seen: Vec<Vec<f64>>,
}

/// Whether a venue's prints and marks can be put into cells.
pub(super) fn is_fit(source: &Source) -> bool {
    let has_way = !source.marks.is_empty() || !source.trades.is_empty();
    let has_both = !source.interest.is_empty() && !source.prints.is_empty();
    has_way && has_both && calibrate::observation(source.venue).is_some()
}

/// Whether a venue prints every liquidation, so that its dollars are all there were.
pub(super) fn is_whole(venue: VenueId) -> bool {
    calibrate::observation(venue).is_some_and(|row| row.shown == Shown::All)
}

/// Whole windows in which there is a price.
fn windows(input: &Input, candles: &[Candle]) -> Vec<(Nanos, Nanos)> {
    let fit = input.sources.iter().filter(|source| is_fit(source));
    let seen = fit.filter_map(|source| {
        let marks = source.marks.first().map(|m| m.0).into_iter();
        marks.chain(source.trades.first().map(|t| t.at)).min()
    });
    let (Some(first), Some(last)) = (seen.min(), candles.last()) else {
        return Vec::new();
    };
    let step = WINDOW.get();
    let start = first.get().div_euclid(step) * step + step;
    let count = (last.end.get() - start).div_euclid(step).max(0);
    let window = |i| {
        let at = start + i * step;
        (Nanos::new(at), Nanos::new(at + step))
    };
    (0..count).map(window).collect()
}

/// Where a print's position died, log price.
fn place(told: &Told, seen: &Glimpse<'_>) -> i64 {
    let row = calibrate::observation(seen.source.venue);
    ln_px(calibrate::died_at(row, &told.as_printed(), seen.params))
}

/// The cells of one holder from the begin to where the mark went.
fn swept(seen: &Glimpse<'_>, start: Nanos, holder: Holder, to: i64) -> Vec<Cell> {
    let out = holder.hurts();
    let (mut cells, mut at) = (Vec::new(), seen.begin);
    let mut first = None;
    while (to - at) * out > 0 {
        let inside = if out > 0 { at } else { at - 1 };
        let bucket = inside.div_euclid(BUCKET);
        let edge = if out > 0 { bucket + 1 } else { bucket } * BUCKET;
        let end = if (edge - to) * out > 0 { to } else { edge };
        let length = (end - at).abs() as f64;
        cells.push(Cell {
            venue: seen.source.venue,
            window: seen.window,
            start,
            holder,
            bucket,
            first: *first.get_or_insert(bucket),
            swept: [at, end],
            width: length / BUCKET as f64,
            part: length / (edge - at).abs() as f64,
            away: ((at + end) / 2 - seen.begin).abs() as f64 / (1i64 << 48) as f64,
            usd: 0.0,
        });
        at = end;
    }
    cells
}

/// An order of the classes in which none keeps its place.
const fn shuffled(class: usize) -> usize {
    (class + CLASSES / 2) % CLASSES
}

/// What the walked maps held in a cell, dollars.
fn held(cell: &Cell, seen: &Glimpse<'_>) -> [f64; WALKED.len()] {
    let theta = seen.frozen.theta();
    let price = dollars_at(cell.bucket * BUCKET + BUCKET / 2);
    let expected = |map: &Inventory, holder: Holder, bucket: i64, order: fn(usize) -> usize| {
        let masses = map.masses(holder, bucket);
        let all = masses.iter().enumerate();
        all.map(|(k, mass)| *mass as f64 * theta[order(k)] as f64 / 65_536.0)
            .sum::<f64>()
    };
    let own = |map: &Inventory, order| cell.smooth(&|b| expected(map, cell.holder, b, order));
    let all = |b: i64| seen.frozen.mass(cell.holder, b).get() as f64 * PRIOR;
    let other = Holder::BOTH[1 - cell.holder as usize];
    let centre = seen.begin.div_euclid(BUCKET);
    let mirrored = |b: i64| expected(seen.frozen, other, 2 * centre - b, |k| k);
    [
        own(seen.frozen, |k| k),
        cell.smooth(&all),
        own(seen.frozen, shuffled),
        cell.smooth(&mirrored),
        seen.past.map_or(0.0, |past| own(past, |k| k)),
    ]
    .map(|mass| mass * price * cell.part)
}

/// What the path says of a cell: of its period, and where the cell lies in it.
fn features(cell: &Cell, row: &[f64]) -> Vec<f64> {
    let of = |at: usize| row.get(at).copied().unwrap_or(f64::NAN);
    let mut seen: Vec<f64> = path::CELL.iter().map(|at| of(*at)).collect();
    let left = of(path::AGAINST) - cell.away;
    seen.extend([
        cell.away,
        cell.away / of(path::AGAINST),
        cell.away / of(path::SIGMA),
        cell.width,
    ]);
    // How far the cell itself lies beyond the extremes of the hours before.
    seen.extend(path::BEYOND.iter().map(|at| of(*at) - left));
    seen
}

/// A print by where its position died, dollars, and its cluster.
type Placed = (i64, f64, usize);

/// Puts a holder's prints of a window into its cells; answers those that lie in one, by cell.
fn fill(
    cells: &mut [Cell],
    places: &[Placed],
    begin: i64,
    holder: Holder,
    counted: &mut Counted,
) -> Vec<Died> {
    let out = holder.hurts();
    counted.prints += places.len();
    let mut died = Vec::new();
    for (place, usd, cluster) in places {
        let is_in = |cell: &Cell| {
            let [from, to] = cell.swept;
            ((place - from) * out > 0 || *place == from) && (to - place) * out >= 0
        };
        let into = match cells.iter().position(is_in) {
            Some(cell) => {
                cells[cell].usd += usd;
                died.push(Died {
                    cell,
                    place: *place,
                    usd: *usd,
                    cluster: *cluster,
                });
                &mut counted.placed
            }
            None if (place - begin) * out > 0 => &mut counted.beyond,
            None => &mut counted.behind,
        };
        *into += usd;
    }
    died.sort_by_key(|died| died.cell);
    died
}

/// The cluster of every print of a venue; those of other venues have been given `used` numbers.
fn clusters(prints: &[Told], used: &mut usize) -> Vec<usize> {
    let mut last: [Option<(Nanos, usize)>; 2] = [None; 2];
    let of = |print: &Told| {
        let last = &mut last[print.holder as usize];
        let name = match last.filter(|(at, _)| print.at.since(*at) < CLUSTER) {
            Some((_, name)) => name,
            None => {
                *used += 1;
                *used - 1
            }
        };
        *last = Some((print.at, name));
        name
    };
    prints.iter().map(of).collect()
}

/// The cells of a symbol; `None` where no venue tells prints beside marks and interest.
#[must_use]
pub fn cells(input: &Input) -> Option<Cells> {
    let candles = path::candles(input);
    let windows = windows(input, &candles);
    if windows.is_empty() {
        return None;
    }
    let period = |(start, end): &(Nanos, Nanos)| Period {
        start: *start,
        end: *end,
        usd: [0.0; 2],
    };
    let periods: Vec<Period> = windows.iter().map(period).collect();
    let paths = path::features(&candles, &periods);
    let choice = Choice::default();
    let mut time = Standing::new(input, &candles, Naive::TimeAtPrice, &choice);
    let fit: Vec<&Source> = input.sources.iter().filter(|s| is_fit(s)).collect();
    let mut used = 0;
    let clusters: Vec<Vec<usize>> = fit
        .iter()
        .map(|source| clusters(&source.prints, &mut used))
        .collect();
    let mut all = Cells {
        cells: Vec::new(),
        died: Vec::new(),
        counted: Counted::default(),
        venues: fit.iter().map(|source| source.venue).collect(),
        said: Default::default(),
        time: Vec::new(),
        seen: Vec::new(),
    };
    let mut met = BTreeSet::new();
    let way = Way {
        controls: true,
        learnt: Learnt::Prints(TICK),
        ..Way::default()
    };
    walk::windows(input, &way, &is_fit, &windows, &mut |seen| {
        let (start, end) = windows[seen.window];
        let Some(path) = &paths[seen.window] else {
            return;
        };
        if seen.source.has_lost(start, end) {
            all.counted.lost += 1;
            return;
        }
        time.advance(start);
        let prints = &seen.source.prints;
        let venue = all.venues.iter().position(|v| *v == seen.source.venue);
        let clusters = venue.map_or(&[][..], |at| &clusters[at]);
        let from = prints.partition_point(|print| print.at <= start);
        let to = prints.partition_point(|print| print.at <= end);
        for holder in Holder::BOTH {
            let own = prints[from..to].iter().zip(&clusters[from..to]);
            let own = own.filter(|(print, _)| print.holder == holder);
            let places: Vec<Placed> = own
                .map(|(print, cluster)| (place(print, seen), print.usd(), *cluster))
                .collect();
            met.extend(places.iter().map(|(_, _, cluster)| *cluster));
            let out = reach(seen, holder, &places);
            let mut found = swept(seen, start, holder, out);
            let died = fill(&mut found, &places, seen.begin, holder, &mut all.counted);
            let base = all.cells.len();
            all.died.extend(died.into_iter().map(|died| Died {
                cell: base + died.cell,
                ..died
            }));
            for cell in found {
                for (said, held) in all.said.iter_mut().zip(held(&cell, seen)) {
                    said.push(held);
                }
                let at = |bucket: i64| time.at(holder, px_of_ln(bucket * BUCKET + BUCKET / 2));
                all.time.push(smooth_mass(&cell, &at));
                all.seen.push(features(&cell, &path[holder as usize]));
                all.cells.push(cell);
            }
        }
    });
    all.counted.clusters = met.len();
    (!all.cells.is_empty()).then_some(all)
}

/// How far a window went against a holder: the mark, and what was printed just beyond its samples.
fn reach(seen: &Glimpse<'_>, holder: Holder, places: &[Placed]) -> i64 {
    let out = holder.hurts();
    let mark = seen.ends[holder as usize];
    let near = places.iter().map(|(at, _, _)| *at);
    let near = near.filter(|at| (at - mark) * out > 0 && (at - mark) * out <= NEAR);
    near.fold(mark, |far, at| if (at - far) * out > 0 { at } else { far })
}

/// The test by cell of a symbol; `None` where it cannot be made: no prints beside marks and interest, or no day that is
/// scored.
///
/// # Errors
/// Rows that the trees cannot use.
pub fn found(
    input: &Input,
    reps: usize,
    told: &mut dyn FnMut(&str),
) -> Result<Option<judge::Found>, ProveError> {
    if !input.sources.iter().any(is_fit) {
        return Ok(None);
    }
    told("walking the cells of its prints");
    let Some(table) = cells(input) else {
        return Ok(None);
    };
    told("scoring them");
    Ok(judge::Judge::new(&table)?.map(|judge| judge.ours(reps)))
}

fn smooth_mass(cell: &Cell, at: &dyn Fn(i64) -> Mass) -> Mass {
    core::array::from_fn(|k| cell.smooth(&|bucket| at(bucket)[k]) * cell.part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Params;
    use crate::inventory::liquidation::BYBIT;
    use crate::num::{Px, Qty};
    use proptest::prelude::*;

    fn glimpse<'a>(
        source: &'a Source,
        params: &'a Params,
        map: &'a Inventory,
        begin: i64,
        ends: [i64; 2],
    ) -> Glimpse<'a> {
        Glimpse {
            window: 3,
            source,
            params,
            frozen: map,
            past: None,
            begin,
            ends,
        }
    }

    proptest! {
        #[test]
        fn cells_share_the_way_and_every_print_is_counted_once(
            begin in 30 * BUCKET..40 * BUCKET,
            far in 0..9 * BUCKET,
            prints in proptest::collection::vec((-12 * BUCKET..12 * BUCKET, 1.0f64..9.0), 0..20),
        ) {
            let source = Source::default();
            let params = Params::chosen(&Choice::default(), &BYBIT, &[]);
            let map: Box<Inventory> = bytemuck::allocation::zeroed_box();
            for holder in Holder::BOTH {
                let to = begin + holder.hurts() * far;
                let seen = glimpse(&source, &params, &map, begin, [begin - far, begin + far]);
                let mut cells = swept(&seen, Nanos::ZERO, holder, to);
                // End to end, from the begin to the extreme, each inside one bucket.
                let mut at = begin;
                for cell in &cells {
                    prop_assert_eq!(cell.swept[0], at);
                    at = cell.swept[1];
                    let [low, high] = [cell.swept[0].min(at), cell.swept[0].max(at)];
                    prop_assert!(low >= cell.bucket * BUCKET && high <= (cell.bucket + 1) * BUCKET);
                    prop_assert!(cell.width > 0.0 && cell.width <= 1.0 && cell.part <= 1.0);
                    prop_assert!(cell.part >= cell.width);
                }
                prop_assert_eq!(at, to);
                let all: f64 = cells.iter().map(|cell| cell.width).sum();
                prop_assert!((all - far as f64 / BUCKET as f64).abs() < 1e-9);
                // Every dollar goes to one place, those between begin and extreme to cells.
                let places: Vec<Placed> = prints.iter().map(|(d, usd)| (begin + d, *usd, 0)).collect();
                let mut counted = Counted::default();
                let died = fill(&mut cells, &places, begin, holder, &mut counted);
                prop_assert!((died.iter().map(|d| d.usd).sum::<f64>() - counted.placed).abs() < 1e-9);
                for died in &died {
                    let [from, to] = cells[died.cell].swept;
                    prop_assert!(died.place >= from.min(to) && died.place <= from.max(to));
                }
                let sum = counted.placed + counted.behind + counted.beyond;
                prop_assert!((sum - prints.iter().map(|p| p.1).sum::<f64>()).abs() < 1e-9);
                let ahead = |d: i64| d * holder.hurts();
                let within = prints.iter().filter(|(d, _)| ahead(*d) > 0 && ahead(*d) <= far);
                let within: f64 = within.map(|p| p.1).sum();
                let edge = prints.iter().filter(|(d, _)| *d == 0 && far > 0);
                let edge: f64 = edge.map(|p| p.1).sum();
                prop_assert!((counted.placed - within - edge).abs() < 1e-9);
                prop_assert!((cells.iter().map(|c| c.usd).sum::<f64>() - counted.placed).abs() < 1e-9);
                prop_assert_eq!(counted.prints, prints.len());
            }
        }
    }

    #[test]
    fn a_print_just_beyond_the_sampled_mark_extends_the_way_and_a_far_one_does_not() {
        let source = Source::default();
        let params = Params::chosen(&Choice::default(), &BYBIT, &[]);
        let map: Box<Inventory> = bytemuck::allocation::zeroed_box();
        let begin = 50 * BUCKET;
        let seen = glimpse(&source, &params, &map, begin, [begin - BUCKET, begin]);
        let places = [(begin - 3 * BUCKET, 1.0, 0), (begin - 30 * BUCKET, 1.0, 0)];
        assert_eq!(reach(&seen, Holder::Long, &places), begin - 3 * BUCKET);
        assert_eq!(reach(&seen, Holder::Short, &places), begin);
    }

    #[test]
    fn a_cluster_is_of_one_holder_and_ends_with_half_a_minute_of_silence() {
        let print = |s: i64, holder| Told {
            at: Nanos::seconds(s),
            holder,
            price: Px::new(Px::ONE),
            qty: Qty::new(Qty::ONE),
        };
        let [long, short] = Holder::BOTH;
        let prints = [
            print(0, long),
            print(10, short),
            print(29, long),
            print(45, short),
            print(58, long),
            print(88, long),
        ];
        let mut used = 7;
        assert_eq!(clusters(&prints, &mut used), [7, 8, 7, 9, 7, 10]);
        assert_eq!(used, 11);
    }

    #[test]
    fn no_class_keeps_its_place_when_they_are_shuffled() {
        let mut seen: Vec<usize> = (0..CLASSES).map(shuffled).collect();
        assert!(seen.iter().enumerate().all(|(k, to)| k != *to));
        seen.sort_unstable();
        assert_eq!(seen, (0..CLASSES).collect::<Vec<_>>());
    }
}
