//! Calibrated: whether a map's dollars are right, whatever its order is worth.
//!
//! The mean score of a forecast of means falls into three (Dimitriadis, Gneiting and Jordan):
//!
//! ```text
//!   score = MCB - DSC + UNC      MCB: what isotonic recalibration would win
//!                                DSC: what the recalibrated forecast wins over the mean
//!                                UNC: the score of the mean
//! ```
//! The score is half the Poisson deviance, y ln(y / λ) − y + λ, consistent for the mean and in nats per dollar realised
//! as the gains are. Recalibration is in sample, so MCB and DSC are both a little too large; the draws of days score
//! it, and the mean, as all days made them. Of a map that is only scaled MCB alone changes; of one whose order is lost
//! DSC.
//!
//! Slope and intercept are of sums of a window, venue and holder: where in the window they lay is the gain's matter,
//! and a print that is placed a bucket off is no wrong sum. The intercept is in means of what was realised.

use super::Cell;
use crate::prove::days::Days;
use crate::prove::report::{figure, said};
use crate::prove::score::{self, Figure};
use serde_json::{Value, json};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibrated {
    /// MCB, nats per dollar.
    pub miscalibration: Option<Figure>,
    /// DSC.
    pub discrimination: Option<Figure>,
    /// UNC.
    pub uncertainty: Option<Figure>,
    /// Intercept of the line whose slope the gate looks at, in means of what was realised.
    pub intercept: Option<Figure>,
}

/// The score's three parts, of the scored cells.
pub(super) fn parts(days: &Days, cells: &[Cell], said: &[f64], reps: usize) -> [Option<Figure>; 3] {
    let dark = |(cell, said): (&Cell, &f64)| cell.usd > 0.0 && *said <= 0.0;
    if cells.iter().zip(said).any(dark) {
        return [None; 3];
    }
    let log = |y: f64, x: f64| if y > 0.0 { y * x.ln() } else { 0.0 };
    let recalibrated = recalibrated(cells, said);
    let mean = cells.iter().map(|cell| cell.usd).sum::<f64>() / cells.len() as f64;
    let sums = days.sums(&|i| {
        let y = cells[i].usd;
        let of = |x: f64| x - log(y, x);
        [y, of(said[i]), of(recalibrated[i]), of(mean), log(y, y) - y]
    });
    days.of_sums(reps, &sums, |[y, own, recalibrated, mean, least]| {
        if *y <= 0.0 {
            return [None; 3];
        }
        [own - recalibrated, mean - recalibrated, mean + least].map(|nats| Some(nats / y))
    })
}

/// What would have been said, had each saying been the mean of what it meant: rising steps, equals together.
fn recalibrated(cells: &[Cell], said: &[f64]) -> Vec<f64> {
    let usd: Vec<f64> = cells.iter().map(|cell| cell.usd).collect();
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by(|a, b| said[*a].total_cmp(&said[*b]));
    let mut out = vec![0.0; cells.len()];
    let mut rows = order.into_iter();
    for step in score::isotonic(said, &usd) {
        rows.by_ref()
            .take(step.n)
            .for_each(|i| out[i] = step.happened);
    }
    out
}

/// Slope, and intercept in means, of dollars realised on dollars said, of the cells that are judged by it.
pub(super) fn line(
    days: &Days,
    cells: &[Cell],
    said: &[f64],
    judged: &dyn Fn(&Cell) -> bool,
    reps: usize,
) -> [Option<Figure>; 2] {
    let name = |i: usize| (cells[i].window, cells[i].venue, cells[i].holder);
    // The sums of a window stand at its last cell.
    let mut sums = vec![None; cells.len()];
    let (mut x, mut y) = (0.0, 0.0);
    for i in 0..cells.len() {
        (x, y) = (x + said[i], y + cells[i].usd);
        if i + 1 == cells.len() || name(i) != name(i + 1) {
            sums[i] = judged(&cells[i]).then_some((x, y));
            (x, y) = (0.0, 0.0);
        }
    }
    let sums = days.sums(&|i| sums[i].map_or([0.0; 5], |(x, y)| [1.0, x, y, x * x, x * y]));
    days.of_sums(reps, &sums, |[n, x, y, xx, xy]| {
        let square = n * xx - x * x;
        if square <= 0.0 || *y <= 0.0 {
            return [None; 2];
        }
        let slope = (n * xy - x * y) / square;
        [Some(slope), Some(1.0 - slope * x / y)]
    })
}

/// As a JSON object.
#[must_use]
pub fn object(of: &Calibrated) -> Value {
    json!({
        "score": "half the Poisson deviance of cells, nats per dollar: score = mcb - dsc + unc",
        "mcb_nats": figure(of.miscalibration),
        "dsc_nats": figure(of.discrimination),
        "unc_nats": figure(of.uncertainty),
        "intercept_in_means": figure(of.intercept),
    })
}

/// In words.
#[must_use]
pub fn text(of: &Calibrated) -> String {
    format!(
        "dollars by cell (half the Poisson deviance, nats per dollar): miscalibration {}, discrimination {}, \
         uncertainty {}; intercept {} of the mean",
        said(of.miscalibration),
        said(of.discrimination),
        said(of.uncertainty),
        said(of.intercept)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::cells::judge::tests::table;

    fn value(of: Option<Figure>) -> f64 {
        of.unwrap().value
    }

    #[test]
    fn scale_is_miscalibration_and_order_is_discrimination() {
        let (table, truth) = table();
        let cells = &table.cells;
        let days = Days::new(cells.iter().map(|cell| cell.start.day()));
        let least = |v: &[f64]| v.iter().map(|v| v + 10.0).collect::<Vec<f64>>();
        let of = |said: &[f64]| parts(&days, cells, said, 100);
        let real = of(&least(&truth));
        let [mcb, dsc, unc] = real.map(value);
        assert!(mcb < 0.02 && dsc > 1.5, "{mcb} {dsc}");
        // Doubled: λ − y − y ln 2 on top, by hand; the rest stands.
        let double: Vec<f64> = least(&truth).iter().map(|v| 2.0 * v).collect();
        let [wrong, same, still] = of(&double).map(value);
        assert!((same - dsc).abs() < 1e-9 && (still - unc).abs() < 1e-9);
        let said: f64 = least(&truth).iter().sum();
        let usd: Vec<f64> = cells.iter().map(|cell| cell.usd).collect();
        let more = said / usd.iter().sum::<f64>() - core::f64::consts::LN_2;
        assert!((wrong - mcb - more).abs() < 1e-9, "{wrong} {mcb} {more}");
        assert!(more > 0.25);
        // Elsewhere: its order is worth nothing.
        let mut shuffled = least(&truth);
        shuffled.rotate_left(1_001);
        let [lost, none, _] = of(&shuffled).map(value);
        assert!(none < 0.05 && lost > 1.0, "{lost} {none}");
        // The three add up to the score, and the steps are those of the plain isotonic regression.
        let [score, recalibrated] = {
            let steps = score::isotonic(&least(&truth), &usd);
            let half = |y: f64, x: f64| if y > 0.0 { y * (y / x).ln() - y + x } else { x };
            let score: f64 = usd
                .iter()
                .zip(least(&truth))
                .map(|(y, x)| half(*y, x))
                .sum();
            let left: f64 = steps
                .iter()
                .map(|s| {
                    let y = s.happened * s.n as f64;
                    if y > 0.0 {
                        y - y * s.happened.ln()
                    } else {
                        0.0
                    }
                })
                .sum();
            let flat: f64 = usd
                .iter()
                .map(|y| if *y > 0.0 { y * y.ln() - y } else { 0.0 })
                .sum();
            [score, left + flat].map(|v| v / usd.iter().sum::<f64>())
        };
        assert!((mcb - dsc + unc - score).abs() < 1e-9);
        assert!((unc - dsc - recalibrated).abs() < 1e-9);
        let dark = vec![0.0; truth.len()];
        assert_eq!(of(&dark), [None; 3], "dollars where nothing was said");
    }

    #[test]
    fn a_constant_too_much_is_the_intercept_and_a_scale_the_slope() {
        let (table, truth) = table();
        let cells = &table.cells;
        let days = Days::new(cells.iter().map(|cell| cell.start.day()));
        let of = |said: &[f64]| line(&days, cells, said, &|_| true, 100).map(value);
        let [slope, intercept] = of(&truth);
        assert!((slope - 1.0).abs() < 0.05 && intercept.abs() < 0.05);
        let more: Vec<f64> = truth.iter().map(|v| v + 1e4).collect();
        let [same, lower] = of(&more);
        assert!(
            (same - slope).abs() < 1e-9 && lower < intercept - 0.5,
            "{lower}"
        );
        let double: Vec<f64> = truth.iter().map(|v| 2.0 * v).collect();
        let [half, still] = of(&double);
        assert!((half - slope / 2.0).abs() < 1e-9 && (still - intercept).abs() < 1e-9);
    }
}
