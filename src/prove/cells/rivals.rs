//! Rivals: what the path and the simpler maps say of every cell, and how any map is given its unit.
//!
//! All of it is walk-forward. A number realised (dollars, or voices of clusters) is handed in, so that every rival is
//! taught what it is scored on. A unit is of a venue: what was realised there before, over what was said. Ours has its
//! own where a venue prints every liquidation; where it shows a part, dollars are a lower bound and one constant of the
//! past is between them, for ours as for all others.

use super::{Cell, Cells, WALKED, WINDOW, is_whole};
use crate::market::VenueId;
use crate::prove::ProveError;
use crate::prove::boost::Boosted;
use crate::prove::ladder;
use crate::prove::path;
use crate::prove::score::FLOOR;
use crate::prove::totals::{dollars, log};
use crate::prove::walk::Mass;
use crate::time::Nanos;

/// Ends of the distances that the table of the path tells apart, in deviations of a window.
const DISTANCES: [f64; 11] = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0];
/// The table is pulled to the mean by as much as so many whole buckets say.
const PULL: f64 = 50.0;

/// Goes through the windows: `say` is asked of every cell with two sums over its venue's windows before, then `learn`
/// says what each cell of the window adds to them.
fn forward(
    cells: &[Cell],
    say: &mut dyn FnMut(usize, [f64; 2]),
    learn: &dyn Fn(usize) -> [f64; 2],
) {
    let mut past: Vec<(VenueId, [f64; 2])> = Vec::new();
    let mut from = 0;
    while from < cells.len() {
        let same = cells[from..].iter();
        let same = same.take_while(|cell| cell.window == cells[from].window);
        let to = from + same.count();
        for (at, cell) in cells[from..to].iter().enumerate() {
            let own = past.iter().find(|(venue, _)| *venue == cell.venue);
            say(from + at, own.map_or([0.0; 2], |(_, sums)| *sums));
        }
        for (at, cell) in cells[from..to].iter().enumerate() {
            let own = past.iter().position(|(venue, _)| *venue == cell.venue);
            let own = own.unwrap_or_else(|| {
                past.push((cell.venue, [0.0; 2]));
                past.len() - 1
            });
            let sums = past[own].1.iter_mut();
            sums.zip(learn(from + at)).for_each(|(s, m)| *s += m);
        }
        from = to;
    }
}

/// A map in the unit of what is realised: its own where it has one and the venue shows all, else by the past.
pub(super) fn in_unit(cells: &[Cell], y: &[f64], raw: &[f64], has_unit: bool) -> Vec<f64> {
    let mut out = vec![0.0; raw.len()];
    forward(
        cells,
        &mut |i, [realised, said]| {
            let scale = if has_unit && is_whole(cells[i].venue) {
                1.0
            } else if said > 0.0 {
                realised / said
            } else {
                0.0
            };
            out[i] = scale * raw[i];
        },
        &|i| [y[i], raw[i]],
    );
    out
}

/// A map mixed with [`FLOOR`] of the uniform map of the venue's past.
pub(super) fn floored(cells: &[Cell], y: &[f64], said: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; said.len()];
    forward(
        cells,
        &mut |i, [realised, width]| {
            let rate = if width > 0.0 { realised / width } else { 0.0 };
            out[i] = (1.0 - FLOOR) * said[i] + FLOOR * rate * cells[i].width;
        },
        &|i| [y[i], cells[i].width],
    );
    out
}

/// Where a cell lies on the table of the path.
fn box_of(seen: &[f64]) -> usize {
    let of = |back: usize| seen.get(seen.len() - back).copied().unwrap_or(0.0);
    // As `features` lays them: away in deviations of an hour, the width, then beyond 1, 4, 12, 24 h.
    let hours = WINDOW.get() as f64 / Nanos::HOUR.get() as f64;
    let away = of(6) / hours.sqrt();
    let distance = DISTANCES.partition_point(|end| *end < away);
    let beyond = (1..=path::BEYOND.len()).filter(|back| of(*back) > 0.0);
    distance * (path::BEYOND.len() + 1) + beyond.count()
}

/// The path as a table, learned window by window.
fn by_table(cells: &[Cell], y: &[f64], seen: &[Vec<f64>]) -> Vec<f64> {
    let mut sums = vec![[0.0; 2]; (DISTANCES.len() + 1) * (path::BEYOND.len() + 1)];
    let (mut all, mut out) = ([0.0; 2], Vec::with_capacity(cells.len()));
    let mut from = 0;
    for i in 0..cells.len() {
        if cells[i].window != cells[from].window {
            for k in from..i {
                let more = [y[k], cells[k].width];
                let sums = &mut sums[box_of(&seen[k])];
                for (sum, more) in all.iter_mut().chain(sums).zip([more, more].concat()) {
                    *sum += more;
                }
            }
            from = i;
        }
        let mean = if all[1] > 0.0 { all[0] / all[1] } else { 1.0 };
        let [usd, width] = sums[box_of(&seen[i])];
        out.push(cells[i].width * (usd + PULL * mean) / (width + PULL));
    }
    out
}

/// The path as boosted trees, fitted anew for every fold; what teaches is said in sample, and only scales.
fn by_trees(y: &[f64], seen: &[Vec<f64>], folds: &[usize]) -> Result<Vec<f64>, ProveError> {
    let logs: Vec<f64> = y.iter().map(|usd| log(*usd)).collect();
    let mut out = Vec::with_capacity(y.len());
    for ends in folds.windows(2) {
        let (from, to) = (ends[0], ends[1]);
        if from == 0 || from == to {
            continue;
        }
        let model = Boosted::fit(&seen[..from], &logs[..from])?;
        let said = model.predict(&seen[out.len()..to]);
        out.extend(said.iter().map(|log| dollars(*log)));
    }
    Ok(out)
}

/// A ladder of masses by class, θ fitted to the folds before.
fn by_ladder(cells: &[Cell], y: &[f64], mass: &[Mass], folds: &[usize]) -> Vec<f64> {
    let mut out = Vec::with_capacity(cells.len());
    for ends in folds.windows(2) {
        let (from, to) = (ends[0], ends[1]);
        let found = ladder::fit_dollars(&mass[..from], &y[..from]);
        for i in out.len()..to {
            // The background is of a whole bucket.
            let within = found.dollars(&mass[i]) - found.background;
            out.push(within + found.background * cells[i].width);
        }
    }
    out
}

/// Σ y ln λ − λ: the log score of a map, less what all maps share.
fn score_of(y: &[f64], said: &[f64]) -> f64 {
    let of = |(y, said): (&f64, &f64)| {
        let log = if *y > 0.0 {
            y * said.max(f64::MIN_POSITIVE).ln()
        } else {
            0.0
        };
        log - said
    };
    y.iter().zip(said).map(of).sum()
}

/// All rivals of a table of cells.
#[derive(Debug)]
pub(super) struct Rivals {
    /// Name, and what is said of every cell.
    pub(super) all: Vec<(&'static str, Vec<f64>)>,
    /// Which of them is the path.
    pub(super) path: usize,
}

impl Rivals {
    /// Place of the uniform map, and of time at price.
    pub(super) const UNIFORM: usize = 0;
    pub(super) const TIME: usize = 3;

    /// Teaches them what is realised. With `walked`, the maps that were walked beside ours are among them.
    pub(super) fn new(
        table: &Cells,
        y: &[f64],
        folds: &[usize],
        walked: bool,
    ) -> Result<Self, ProveError> {
        let (cells, seen) = (&table.cells, &table.seen);
        let mut all: Vec<(&'static str, Vec<f64>)> = Vec::new();
        let mut rival = |name, raw: &[f64], has_unit| {
            all.push((name, floored(cells, y, &in_unit(cells, y, raw, has_unit))));
        };
        let width: Vec<f64> = cells.iter().map(|cell| cell.width).collect();
        rival("uniform", &width, false);
        rival("path, table of distance", &by_table(cells, y, seen), false);
        rival("path, boosted", &by_trees(y, seen, folds)?, false);
        let time = by_ladder(cells, y, &table.time, folds);
        rival("time at price", &time, false);
        let others = WALKED.iter().zip(&table.said).skip(1);
        for (name, said) in others.filter(|_| walked) {
            // Ours without θ, or with another's, has the unit that it claims.
            let has_unit = matches!(*name, "uncalibrated" | "classes shuffled");
            rival(name, said, has_unit);
        }
        let first = folds[0];
        let of = |at: usize| score_of(&y[first..], &all[at].1[first..]);
        let path = if of(1) > of(2) { 1 } else { 2 };
        Ok(Self { all, path })
    }
    /// What one of them says of the scored cells.
    pub(super) fn said(&self, rival: usize, first: usize) -> &[f64] {
        &self.all[rival].1[first..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::cells::judge::tests::table;

    #[test]
    fn nothing_of_a_window_is_in_what_is_said_of_it() {
        let (table, truth) = table();
        let cells = &table.cells;
        let y: Vec<f64> = cells.iter().map(|cell| cell.usd).collect();
        let finished = |y: &[f64]| floored(cells, y, &in_unit(cells, y, &truth, false));
        let before = finished(&y);
        let mut other = y.clone();
        let last = other.len() - 6;
        other[last..].iter_mut().for_each(|usd| *usd *= 1_000.0);
        assert_eq!(before, finished(&other));
        let path = by_table(cells, &y, &table.seen);
        assert_eq!(path, by_table(cells, &other, &table.seen));
        // A window in the middle changes only what comes after it.
        let mut other = y.clone();
        other[600..606].iter_mut().for_each(|usd| *usd += 1e9);
        let after = finished(&other);
        assert_eq!(before[..606], after[..606]);
        assert_ne!(before[606..], after[606..]);
        assert_eq!(path[..606], by_table(cells, &other, &table.seen)[..606]);
    }
}
