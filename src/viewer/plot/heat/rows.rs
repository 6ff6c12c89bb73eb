//! Rows: which prices the picture shows, how the map's cells become its rows, and which money its colours span.
//!
//! Prices are logarithmic throughout: a row is a whole number of the level's cells, each of them `merge` buckets, and
//! the first row begins at a multiple of its height, so pictures of one scale have their edges at the same prices.

use super::super::scale::near;
use super::{Frame, Heat};
use crate::historian::column::Column;

/// Log price of a bucket's width.
const BUCKET: f64 = 0.000_2;
/// Decades of the colour bar, at least and at most.
const DECADES: (f64, f64) = (1.0, 4.0);
/// Units of a row of cells at least.
const ROW: f64 = 5.0;

/// Prices as rows.
pub(super) struct Rows {
    /// First cell and cells of a row.
    first: i64,
    each: i64,
    pub(super) count: usize,
    merge: i64,
}

impl Rows {
    /// Log price of the lowest edge, and of a row's height.
    pub(super) fn edges(&self) -> (f64, f64) {
        let cell = self.merge as f64 * BUCKET;
        (self.first as f64 * cell, self.each as f64 * cell)
    }
    fn of_cell(&self, cell: i64) -> Option<usize> {
        let row = (cell - self.first).div_euclid(self.each);
        usize::try_from(row).ok().filter(|row| *row < self.count)
    }
    pub(super) fn bps(&self) -> f64 {
        (self.each * self.merge * 2) as f64
    }
}

/// Log of a price in its steps of 1e-10.
pub(super) fn ln(e10: i64) -> f64 {
    (e10.max(1) as f64).ln()
}

/// How far from the mark half of a column's money lies, log.
fn half_way(column: &Column, cell: f64) -> Option<f64> {
    let mark = ln(column.head.close_e10) / cell;
    let all = column.halves.iter().flat_map(|strip| strip.cells());
    let mut away: Vec<(f64, f64)> = all
        .map(|(at, cents)| ((at as f64 + 0.5 - mark).abs() * cell, cents as f64))
        .collect();
    away.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut left: f64 = away.iter().map(|(_, cents)| cents).sum::<f64>() / 2.0;
    let far = away.iter().find(|(_, cents)| {
        left -= cents;
        left <= 0.0
    });
    far.map(|(away, _)| *away)
}

/// The prices that are shown: the mark's path, and around the mark what holds half of the map's money.
pub(super) fn rows(heat: &Heat<'_>, frame: &Frame) -> Rows {
    let merge = heat.level.merge.max(1);
    let cell = merge as f64 * BUCKET;
    let (mut path_low, mut path_high) = (f64::MAX, f64::MIN);
    for column in heat.columns {
        path_low = path_low.min(ln(column.head.low_e10));
        path_high = path_high.max(ln(column.head.high_e10));
    }
    let newest = heat
        .columns
        .iter()
        .rev()
        .find(|column| column.head.mapped > 0);
    let far = newest
        .and_then(|newest| half_way(newest, cell))
        .unwrap_or(0.02);
    // What holds half the money may be far: the path must stay a path.
    let path = path_high - path_low;
    let most = (3.0 * path).clamp(0.03, 0.6);
    let mark = heat
        .columns
        .last()
        .map_or(0.0, |column| ln(column.head.close_e10));
    let (low, high) = match heat.reach {
        Some(share) => (mark - share.ln_1p(), mark + share.ln_1p()),
        None => {
            let reach = far.clamp(path.clamp(0.004, most), most);
            let room = 0.1 * reach;
            (
                (mark - reach).min(path_low - room),
                (mark + reach).max(path_high + room),
            )
        }
    };
    let (first, last) = ((low / cell).floor() as i64, (high / cell).ceil() as i64);
    let most = ((frame.bottom - frame.top) / ROW).max(10.0);
    let each = (((last - first) as f64 / most).ceil() as i64).max(1);
    let first = first.div_euclid(each) * each;
    Rows {
        first,
        each,
        count: usize::try_from((last - first).div_euclid(each) + 1).unwrap_or(1),
        merge,
    }
}

/// Cents of every row, lowest first; `None` for a column without a map.
pub(super) fn sums(column: &Column, rows: &Rows) -> Option<Vec<f64>> {
    (column.head.mapped > 0).then(|| {
        let mut sums = vec![0.0; rows.count];
        for (cell, cents) in column.halves.iter().flat_map(|strip| strip.cells()) {
            if let Some(sum) = rows.of_cell(cell).and_then(|row| sums.get_mut(row)) {
                *sum += cents as f64;
            }
        }
        sums
    })
}

/// Cents that the darkest and the brightest colour stand for: round numbers that a third of the cells are below, and
/// one in a thousand above.
pub(super) fn bounds(cells: &[Option<Vec<f64>>]) -> (f64, f64) {
    let all = cells.iter().flatten().flatten().copied();
    let mut all: Vec<f64> = all.filter(|cents| *cents > 0.0).collect();
    all.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (all.len() as f64 * share) as usize;
        all.get(place.min(all.len().saturating_sub(1))).copied()
    };
    let top = near(at(0.999).unwrap_or(0.0) / 100.0);
    let low = near(at(0.33).unwrap_or(0.0) / 100.0);
    let [least, most] = [DECADES.1, DECADES.0].map(|decades| top / 10f64.powf(decades));
    (low.clamp(least, most) * 100.0, top * 100.0)
}
