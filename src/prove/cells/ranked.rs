//! Ranked: how much of what was liquidated lies where a map ranks highest, among swept cells alone.
//!
//! Cells are ranked by dollars said per width; equals share. *Capture* is the share of the dollars realised in the
//! highest part of the swept width, *lift* capture over that part. Molchan's curve is the share missed against the
//! part alarmed; drawn upside down it is capture, and its *area* is twice what lies between it and the diagonal (Gini):
//! 1 = everything in the first cell, 0 = no knowledge, below 0 = worse than none. Intervals draw runs of days.

use super::Cell;
use crate::prove::days::Days;
use crate::prove::report::figure;
use crate::prove::score::{self, Figure};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Parts of the swept width that are asked for.
pub const PARTS: [f64; 4] = [0.01, 0.05, 0.1, 0.2];
/// Parts at which the curve is kept.
const CURVE: [f64; 16] = [
    0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0,
];

/// One map's ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Lift in each of [`PARTS`].
    pub lift: [Option<Figure>; PARTS.len()],
    /// Area skill.
    pub area: Option<Figure>,
    /// Part of the width, share of the dollars in it.
    pub curve: Vec<[f64; 2]>,
}

/// Cells in the order of a map, equals together.
struct Order<'a> {
    days: &'a Days,
    cells: &'a [Cell],
    order: Vec<usize>,
    /// Ends of the runs of equals.
    ends: Vec<usize>,
    /// Dollars and width by day.
    sums: Vec<[f64; 2]>,
}

impl<'a> Order<'a> {
    fn new(days: &'a Days, cells: &'a [Cell], said: &[f64]) -> Self {
        let rank = |i: usize| said[i] / cells[i].width.max(f64::MIN_POSITIVE);
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by(|a, b| rank(*b).total_cmp(&rank(*a)));
        let mut ends: Vec<usize> = (1..order.len())
            .filter(|at| rank(order[*at]) < rank(order[at - 1]))
            .collect();
        ends.push(order.len());
        Self {
            sums: days.sums(&|i| [cells[i].usd, cells[i].width]),
            days,
            cells,
            order,
            ends,
        }
    }

    /// Dollars caught in each part, and the area, with each day so many times; `None` where nothing was realised.
    fn caught<const N: usize>(&self, times: &[f64], parts: &[f64; N]) -> Option<([f64; N], f64)> {
        let sum = |at: usize| -> f64 { times.iter().zip(&self.sums).map(|(t, s)| t * s[at]).sum() };
        let (usd, width) = (sum(0), sum(1));
        if usd <= 0.0 || width <= 0.0 {
            return None;
        }
        let mut found = [1.0; N];
        let (mut next, mut from) = (0, 0);
        let (mut gone, mut caught, mut area) = (0.0, 0.0, 0.0);
        for to in &self.ends {
            let (mut own, mut more) = (0.0, 0.0);
            for i in &self.order[from..*to] {
                let times = times[self.days.of[*i]];
                own += times * self.cells[*i].width;
                more += times * self.cells[*i].usd;
            }
            while next < N && parts[next] * width < gone + own {
                let part = (parts[next] * width - gone) / own;
                found[next] = (caught + part * more) / usd;
                next += 1;
            }
            area += own * (caught + more / 2.0);
            (gone, caught, from) = (gone + own, caught + more, *to);
        }
        Some((found, 2.0 * area / (usd * width) - 1.0))
    }
}

/// Ranks the scored cells by what is said of them.
pub(super) fn ranked(days: &Days, cells: &[Cell], said: &[f64], reps: usize) -> Ranked {
    let order = Order::new(days, cells, said);
    let [a, b, c, d, area] = score::figures(days.count, reps, &mut |drawn| {
        let Some((caught, area)) = order.caught(&drawn.times, &PARTS) else {
            return [None; PARTS.len() + 1];
        };
        core::array::from_fn(|k| {
            let lift = PARTS.get(k).map(|part| caught[k] / part);
            Some(lift.unwrap_or(area))
        })
    });
    let all = order.caught(&vec![1.0; days.count], &CURVE);
    let curve = all.map(|(caught, _)| CURVE.iter().zip(caught).map(|(p, c)| [*p, c]).collect());
    Ranked {
        lift: [a, b, c, d],
        area,
        curve: curve.unwrap_or_default(),
    }
}

/// As a JSON object; the curve only where it is wanted.
#[must_use]
pub fn object(of: &Ranked, curve: bool) -> Value {
    let lifts = PARTS.iter().zip(of.lift).map(|(part, lift)| {
        json!({
            "part": part,
            "captured": lift.map(|lift| lift.value * part),
            "lift": figure(lift),
        })
    });
    json!({
        "lifts": lifts.collect::<Vec<_>>(),
        "area_skill": figure(of.area),
        "molchan": curve.then(|| {
            let points = of.curve.iter();
            points.map(|[part, caught]| json!({ "alarmed": part, "missed": 1.0 - caught })).collect::<Vec<_>>()
        }),
    })
}

/// Molchan's curves, upside down: share caught (up) against part of the swept width. The first is drawn heavier.
pub(super) fn drawn(out: &mut String, maps: &[(&str, &Ranked)]) {
    const COLOURS: [&str; 4] = ["#00695c", "#8a6d00", "#3f51b5", "#777"];
    let at = |[part, caught]: &[f64; 2]| (50.0 + 320.0 * part, 330.0 - 320.0 * caught);
    out.push_str(
        "<svg viewBox='0 0 640 380' role=img aria-label='share of the dollars caught'>\
         <line x1='50' y1='330' x2='370' y2='10' stroke='#999' stroke-dasharray='5 4'/>",
    );
    for tick in [0.0, 0.2, 0.5, 1.0] {
        let (x, y) = at(&[tick, tick]);
        let _ = write!(
            out,
            "<text x='{x:.1}' y='350' font-size='14' text-anchor='middle' fill='#555'>{0:.0} %</text><text x='42' \
             y='{1:.1}' font-size='14' text-anchor='end' fill='#555'>{0:.0} %</text>",
            100.0 * tick,
            y + 5.0
        );
    }
    for (i, (name, of)) in maps.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        let wide = if i == 0 { 3 } else { 2 };
        let mut way = String::new();
        for point in &of.curve {
            let (x, y) = at(point);
            let _ = write!(way, "{x:.1},{y:.1} ");
        }
        let y = 40.0 + 26.0 * i as f64;
        let _ = write!(
            out,
            "<polyline points='{way}' fill='none' stroke='{colour}' stroke-width='{wide}'/><line x1='390' x2='414' \
             y1='{y}' y2='{y}' stroke='{colour}' stroke-width='{wide}'/><text x='422' y='{:.0}' \
             font-size='15'>{name}</text>",
            y + 5.0
        );
    }
    out.push_str(
        "<text x='210' y='374' font-size='14' text-anchor='middle'>hottest part of what the mark swept</text></svg>\
         <p class=note>Share of the liquidated dollars (up) in the part of the swept way that a map ranks highest \
         (Molchan's curve, upside down). On the dashed line a map knows nothing.</p>",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::cells::judge::tests::table;
    use crate::prove::score;

    #[test]
    fn order_is_all_that_counts() {
        let (table, truth) = table();
        let cells = &table.cells;
        let days = Days::new(cells.iter().map(|cell| cell.start.day()));
        let of = |said: &[f64]| ranked(&days, cells, said, 200);
        let real = of(&truth);
        assert!(real.lift[1].is_some_and(|f| f.low > 4.0), "{real:?}");
        assert!(real.area.is_some_and(|f| f.low > 0.8), "{:?}", real.area);
        // One cell in five holds all: at one in five all of it is caught.
        assert!(real.lift[3].is_some_and(|f| f.value > 4.5 && f.value <= 5.0));
        // Another scale is the same order.
        let scaled: Vec<f64> = truth.iter().map(|v| 7.0 * v).collect();
        assert_eq!(of(&scaled), real);
        let mut wrong = truth.clone();
        wrong.rotate_left(1_001);
        let area = of(&wrong).area.unwrap();
        assert!(area.low < 0.0 && area.high > 0.0, "{area:?}");
        let flat = of(&vec![1.0; truth.len()]);
        assert!(
            flat.lift
                .iter()
                .flatten()
                .all(|f| (f.value - 1.0).abs() < 1e-9)
        );
        assert!(
            flat.area.is_some_and(|f| f.value.abs() < 1e-9),
            "ties share"
        );
        // The plain statistics of equal widths, written apart.
        let usd: Vec<f64> = cells.iter().map(|cell| cell.usd).collect();
        for (part, lift) in PARTS.iter().zip(real.lift) {
            let plain = score::lift(&usd, &truth, *part).unwrap();
            assert!((lift.unwrap().value - plain).abs() < 1e-9, "{part}");
        }
        let plain = score::area_skill(&usd, &truth).unwrap();
        assert!((real.area.unwrap().value - plain).abs() < 1e-3);
        assert!(real.curve.windows(2).all(|w| w[0][1] <= w[1][1] + 1e-12));
        assert_eq!(real.curve.last(), Some(&[1.0, 1.0]));
    }
}
