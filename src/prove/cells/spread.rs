//! Spread: whether what is said of a window is wrong by as much as it admits (probability integral transform).
//!
//! Per window, venue and holder the map says a mean λ. About it stands a compound Poisson law: λ / m jumps, each a
//! Gamma of mean m and shape a, so that nothing at all has a probability of its own, e^(−λ / m). m and a are those of
//! the highest likelihood among the windows before a fold: the map's mean is scored as it is, its dispersion is given.
//! Where more than [`MANY`] jumps are expected, one Gamma of the same mean and variance stands for them.
//!
//! The place u of what was realised in that law is uniform when the law is right; where nothing was realised it is
//! drawn below the mass at zero, by a fixed generator. The distance from uniform is the area between both distributions
//! of u (half at most); beside it stands what so many independent windows would be off by chance.

use super::Cell;
use crate::prove::days::Days;
use crate::prove::report::{figure, said};
use crate::prove::score::{self, Draws, Figure};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Bars of the histogram.
pub const BARS: usize = 10;
/// Steps at which the distance is taken.
const FINE: usize = 100;
/// Jumps beyond which a Gamma stands for them.
const MANY: f64 = 64.0;
/// Terms of a sum over jumps.
const TERMS: usize = 600;
/// Sizes of a jump that are tried, as powers of 2 of the mean dollars of a window that had any, and its shapes.
const SIZES: core::ops::RangeInclusive<i32> = -10..=5;
const SHAPES: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
/// Powers of 2 about the best of them that are tried last.
const FINER: [f64; 7] = [-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75];
/// Rounds of the search, size and shape in turn.
const ROUNDS: usize = 4;
/// Windows with dollars before anything is fitted.
const LEAST: usize = 30;
/// Sets of independent windows that say what chance does.
const SETS: usize = 100;

/// Where what happened lay in what was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Windows of a venue and holder.
    pub windows: usize,
    /// Of them, those in which nothing was realised.
    pub empty: usize,
    /// Mean of a jump in dollars, and its shape, as the last fold knew them.
    pub jump: (f64, f64),
    /// Share of the windows in each tenth.
    pub bars: [f64; BARS],
    /// Area between the distribution and the uniform one.
    pub distance: Option<Figure>,
    /// 95 % of as many independent windows under the right law are nearer than this.
    pub chance: f64,
}

/// ln Γ (Lanczos, 9 terms); x > 0.
fn ln_gamma(x: f64) -> f64 {
    const C: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // Γ(x) = Γ(x + 1) / x
        return ln_gamma(x + 1.0) - x.ln();
    }
    let x = x - 1.0;
    let sum: f64 = (1..9).fold(C[0], |sum, k| sum + C[k] / (x + k as f64));
    let t = x + 7.5;
    0.5 * (2.0 * core::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// Share of a Gamma of shape `a` and scale 1 below `x`.
fn gamma_below(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    // The series and the continued fraction take about √a steps near the middle.
    let steps = 200 + (20.0 * a.sqrt()) as usize;
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..steps {
            term *= x / (a + n as f64);
            sum += term;
            if term < sum * 1e-14 {
                break;
            }
        }
        return (front * sum).clamp(0.0, 1.0);
    }
    let tiny = 1e-300;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut h = d;
    for n in 1..steps {
        let n = n as f64;
        let an = -n * (n - a);
        b += 2.0;
        d = an * d + b;
        d = 1.0 / if d.abs() < tiny { tiny } else { d };
        c = b + an / c;
        c = if c.abs() < tiny { tiny } else { c };
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    (1.0 - front * h).clamp(0.0, 1.0)
}

/// A compound Poisson law: jumps of mean `mean` dollars and shape `shape`.
#[derive(Debug, Clone)]
struct Law {
    mean: f64,
    shape: f64,
    /// ln Γ(n + 1) + ln Γ(n shape) by n − 1.
    ln: Vec<f64>,
}

impl Law {
    fn new(mean: f64, shape: f64) -> Self {
        let ln = |n: usize| ln_gamma(n as f64 + 1.0) + ln_gamma(n as f64 * shape);
        Self {
            mean,
            shape,
            ln: (1..=TERMS).map(ln).collect(),
        }
    }
    /// Shape and scale of the Gamma that stands for many jumps.
    fn whole(&self, expected: f64) -> (f64, f64) {
        let over = self.mean * (1.0 + 1.0 / self.shape);
        (expected / over, over)
    }
    /// Logarithm of the probability, or of its density, of `y` dollars where `expected` are.
    fn log(&self, expected: f64, y: f64) -> f64 {
        let jumps = expected / self.mean;
        if y <= 0.0 {
            return -jumps;
        }
        if jumps > MANY {
            let (shape, scale) = self.whole(expected);
            return (shape - 1.0) * y.ln() - y / scale - ln_gamma(shape) - shape * scale.ln();
        }
        let scale = self.mean / self.shape;
        let (each, beside) = (
            jumps.ln() + self.shape * (y / scale).ln(),
            -jumps - y.ln() - y / scale,
        );
        // The terms rise and fall once.
        let (mut sum, mut top) = (0.0, f64::NEG_INFINITY);
        for (n, ln) in self.ln.iter().enumerate() {
            let term = (n + 1) as f64 * each - ln;
            if term > top {
                sum = sum * (top - term).exp() + 1.0;
                top = term;
            } else if term < top - 30.0 {
                break;
            } else {
                sum += (term - top).exp();
            }
        }
        beside + top + sum.ln()
    }
    /// Probability of no more than `y` dollars where `expected` are.
    fn below(&self, expected: f64, y: f64) -> f64 {
        let jumps = expected / self.mean;
        if jumps > MANY {
            let (shape, scale) = self.whole(expected);
            return gamma_below(shape, y / scale);
        }
        let scale = self.mean / self.shape;
        let most = (jumps + 10.0 * jumps.sqrt() + 20.0) as usize;
        let (mut sum, mut part) = ((-jumps).exp(), (-jumps).exp());
        for n in 1..=most {
            part *= jumps / n as f64;
            sum += part * gamma_below(n as f64 * self.shape, y / scale);
        }
        sum.min(1.0)
    }
    /// The law of highest likelihood of pairs of said and realised; `None` below [`LEAST`] with dollars.
    fn fitted(pairs: &[[f64; 2]]) -> Option<Self> {
        let with: Vec<f64> = pairs.iter().map(|p| p[1]).filter(|y| *y > 0.0).collect();
        if with.len() < LEAST {
            return None;
        }
        let middle = score::mean(&with)?;
        let likely = |law: &Self| -> f64 {
            let known = pairs.iter().filter(|[said, _]| *said > 0.0);
            known.map(|[said, y]| law.log(*said, *y)).sum()
        };
        let best = |laws: Vec<Self>| {
            let tried = laws.into_iter().map(|law| (likely(&law), law));
            tried.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, law)| law)
        };
        let mut law = Self::new(middle, 1.0);
        for _ in 0..ROUNDS {
            let before = (law.mean, law.shape);
            let sizes = SIZES.map(|power| Self::new(middle * 2f64.powi(power), law.shape));
            law = best(sizes.collect())?;
            let shapes = SHAPES.map(|shape| Self::new(law.mean, shape));
            law = best(shapes.to_vec())?;
            if before == (law.mean, law.shape) {
                break;
            }
        }
        let near = FINER.map(|power| Self::new(law.mean * 2f64.powf(power), law.shape));
        best(near.to_vec())
    }
}

/// Area between a distribution of so many hundredths and the uniform one.
fn distance(counts: &[f64]) -> Option<f64> {
    let all: f64 = counts.iter().sum();
    let step = 1.0 / counts.len() as f64;
    let (mut sum, mut area, mut last) = (0.0, 0.0, 0.0f64);
    for (i, count) in counts.iter().enumerate() {
        sum += count;
        let off = (sum / all - (i + 1) as f64 * step).abs();
        area += (off + last) / 2.0 * step;
        last = off;
    }
    (all > 0.0).then_some(area)
}

/// Distance that so many independent places have by chance: 95 % are nearer.
fn by_chance(n: usize) -> f64 {
    let mut draws = Draws::new(n as u64);
    let mut set = || {
        let mut counts = [0.0; FINE];
        (0..n).for_each(|_| counts[draws.below(FINE)] += 1.0);
        distance(&counts).unwrap_or(0.0)
    };
    let sets: Vec<f64> = (0..SETS).map(|_| set()).collect();
    score::quantile(&sets, 0.95).unwrap_or(0.0)
}

/// Shares by tenth, and the distance with its interval, of places in 0..1 by day and weight.
pub(super) fn uniform(
    days: &Days,
    reps: usize,
    places: &[(usize, f64, f64)],
) -> ([f64; BARS], Option<Figure>) {
    let mut counts = vec![[0.0; FINE]; days.count];
    for (day, place, weight) in places {
        counts[*day][((place * FINE as f64) as usize).min(FINE - 1)] += weight;
    }
    let [far] = days.of_sums(reps, &counts, |all| [distance(all)]);
    let mut bars = [0.0; BARS];
    for day in &counts {
        for (at, count) in day.iter().enumerate() {
            bars[at * BARS / FINE] += count;
        }
    }
    let all: f64 = bars.iter().sum();
    (bars.map(|bar| bar / all.max(f64::MIN_POSITIVE)), far)
}

/// Windows of all cells: first and last cell, said and realised.
fn windows(cells: &[Cell], said: &[f64]) -> Vec<(usize, [f64; 2])> {
    let name = |i: usize| (cells[i].window, cells[i].venue, cells[i].holder);
    let mut out: Vec<(usize, [f64; 2])> = Vec::new();
    for i in 0..cells.len() {
        match out.last_mut().filter(|_| name(i) == name(i - 1)) {
            Some((_, [x, y])) => (*x, *y) = (*x + said[i], *y + cells[i].usd),
            None => out.push((i, [said[i], cells[i].usd])),
        }
    }
    out
}

/// The places of the scored windows; `None` where the past holds too little to know a dispersion.
pub(super) fn spread(
    days: &Days,
    cells: &[Cell],
    said: &[f64],
    folds: &[usize],
    reps: usize,
) -> Option<Spread> {
    let first = *folds.first()?;
    let windows = windows(cells, said);
    let mut draws = Draws::new(cells.len() as u64);
    let (mut places, mut empty, mut jump) = (Vec::new(), 0, None);
    for ends in folds.windows(2) {
        let from = windows.partition_point(|(cell, _)| *cell < ends[0]);
        let to = windows.partition_point(|(cell, _)| *cell < ends[1]);
        let past: Vec<[f64; 2]> = windows[..from].iter().map(|(_, pair)| *pair).collect();
        let Some(law) = Law::fitted(&past) else {
            continue;
        };
        for (cell, [said, y]) in &windows[from..to] {
            let drawn = (draws.below(1 << 30) as f64 + 0.5) / f64::from(1u32 << 30);
            let place = if *y <= 0.0 {
                drawn * (-said / law.mean).exp()
            } else if *said <= 0.0 {
                1.0
            } else {
                law.below(*said, *y)
            };
            empty += usize::from(*y <= 0.0);
            places.push((days.of[cell - first], place, 1.0));
        }
        jump = Some((law.mean, law.shape));
    }
    let (bars, distance) = uniform(days, reps, &places);
    Some(Spread {
        windows: places.len(),
        empty,
        jump: jump?,
        bars,
        distance,
        chance: by_chance(places.len()),
    })
}

/// As a JSON object.
#[must_use]
pub fn object(of: Option<&Spread>) -> Value {
    of.map_or(Value::Null, |of| {
        json!({
            "law": "compound Poisson of Gamma jumps, fitted on the past",
            "windows": of.windows,
            "windows_without_dollars": of.empty,
            "jump_mean_usd": of.jump.0,
            "jump_shape": of.jump.1,
            "share_by_tenth": of.bars,
            "distance_from_uniform": figure(of.distance),
            "distance_by_chance": of.chance,
        })
    })
}

/// In words.
#[must_use]
pub fn text(of: Option<&Spread>) -> String {
    match of {
        Some(of) => format!(
            "dollars of a window in the law of what was said ({} windows, {} empty): distance from uniform {}, by \
             chance {:.3}; lowest tenth {:.2}, highest {:.2}",
            of.windows,
            of.empty,
            said(of.distance),
            of.chance,
            of.bars[0],
            of.bars[BARS - 1]
        ),
        None => format!(
            "dollars of a window in the law of what was said: not measured, fewer than {LEAST} windows with dollars \
             teach"
        ),
    }
}

/// Bars by tenth; the dashed line is a tenth each.
pub(super) fn bars(out: &mut String, bars: &[f64; BARS], label: &str, note: &str) {
    let most = bars.iter().fold(0.2, |a: f64, b| a.max(*b));
    let height = |share: f64| 170.0 * share / most;
    let _ = write!(
        out,
        "<svg viewBox='0 0 440 230' role=img aria-label='{label}' style='max-width:28rem'>"
    );
    for (i, share) in bars.iter().enumerate() {
        let _ = write!(
            out,
            "<rect x='{}' y='{:.1}' width='34' height='{:.1}' fill='#00695c'/><text x='{}' y='204' font-size='13' \
             text-anchor='middle' fill='#555'>{:.1}</text>",
            22 + 40 * i,
            185.0 - height(*share),
            height(*share),
            39 + 40 * i,
            (i + 1) as f64 / 10.0
        );
    }
    let line = 185.0 - height(0.1);
    let _ = write!(
        out,
        "<line x1='16' x2='430' y1='{line:.1}' y2='{line:.1}' stroke='#b3261e' stroke-dasharray='5 4'/></svg>\
         <p class=note>{note}</p>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::cells::judge::tests::table;

    #[test]
    fn the_laws_are_what_they_are_called() {
        assert!((ln_gamma(5.0) - 24f64.ln()).abs() < 1e-12);
        assert!((ln_gamma(0.5) - core::f64::consts::PI.sqrt().ln()).abs() < 1e-12);
        assert!((ln_gamma(0.25) - 3.625_609_908_221_908_f64.ln()).abs() < 1e-12);
        for x in [0.01f64, 0.7, 3.0, 40.0] {
            assert!((gamma_below(1.0, x) - (1.0 - (-x).exp())).abs() < 1e-12);
            // Shape 3: 1 − e^−x (1 + x + x² / 2).
            let three = 1.0 - (-x).exp() * (1.0 + x + x * x / 2.0);
            assert!((gamma_below(3.0, x) - three).abs() < 1e-12, "{x}");
        }
        assert!((gamma_below(5_000.0, 5_000.0) - 0.5).abs() < 0.01);
        // The density is the slope of the distribution, and what is below nothing is the mass at zero.
        for (mean, shape) in [(10.0, 1.0), (3.0, 0.5), (40.0, 4.0)] {
            let law = Law::new(mean, shape);
            for expected in [0.5, 20.0, 150.0] {
                for y in [1.0, 15.0, 90.0, 300.0] {
                    let slope =
                        (law.below(expected, y + 1e-3) - law.below(expected, y - 1e-3)) / 2e-3;
                    let density = law.log(expected, y).exp();
                    assert!(
                        (slope - density).abs() < 1e-6 + 1e-3 * density,
                        "{mean} {shape} {expected} {y}: {slope} {density}"
                    );
                }
                let zero = (-expected / mean).exp();
                assert!((law.log(expected, 0.0).exp() - zero).abs() < 1e-12);
                assert!((law.below(expected, 1e-12) - zero).abs() < 1e-3);
            }
        }
        // One Gamma for many jumps, where both can be had.
        let law = Law::new(10.0, 1.0);
        let (shape, scale) = law.whole(630.0);
        for y in [450.0, 630.0, 800.0] {
            assert!((law.below(630.0, y) - gamma_below(shape, y / scale)).abs() < 0.02);
        }
    }

    #[test]
    fn a_law_is_found_again() {
        let mut draws = Draws::new(3);
        let mut unit = || (draws.below(1 << 30) as f64 + 0.5) / f64::from(1u32 << 30);
        let mut pairs = Vec::new();
        for _ in 0..4_000 {
            // Jumps of exponential size 50, of which a hundred dollars of said mean two.
            let said = 20.0 + 180.0 * unit();
            let (mut y, mut left) = (0.0, said / 50.0);
            loop {
                left += unit().ln();
                if left < 0.0 {
                    break;
                }
                y -= 50.0 * unit().ln();
            }
            pairs.push([said, y]);
        }
        let law = Law::fitted(&pairs).unwrap();
        assert!((25.0..100.0).contains(&law.mean), "{law:?}");
        assert!((0.5..=2.0).contains(&law.shape), "{law:?}");
        assert!(Law::fitted(&[[1.0, 1.0]; 20]).is_none());
        assert_eq!(distance(&[1.0; 100]).map(|d| d < 1e-12), Some(true));
        let mut one = [0.0; 100];
        one[0] = 1.0;
        assert!(distance(&one).is_some_and(|d| d > 0.48 && d < 0.5));
        assert_eq!(distance(&[0.0; 100]), None);
    }

    /// Windows of one cell whose dollars follow the law about what is said.
    fn lawful() -> (Vec<Cell>, Vec<f64>) {
        let (table, _) = table();
        let mut draws = Draws::new(8);
        let mut unit = || (draws.below(1 << 30) as f64 + 0.5) / f64::from(1u32 << 30);
        let mut said = Vec::new();
        let mut cells = table.cells;
        for cell in &mut cells {
            let expected = 1e3 * (5.0 * unit()).exp();
            let (mut y, mut left) = (0.0, expected / 1e4);
            loop {
                left += unit().ln();
                if left < 0.0 {
                    break;
                }
                y -= 1e4 * unit().ln();
            }
            cell.usd = y;
            said.push(expected);
        }
        (cells, said)
    }

    #[test]
    fn a_right_mean_is_uniform_and_a_wrong_scale_or_order_is_not() {
        let (cells, said) = lawful();
        let folds = crate::prove::cells::judge::folds(&cells);
        let days = Days::new(cells[folds[0]..].iter().map(|cell| cell.start.day()));
        let of = |said: &[f64]| spread(&days, &cells, said, &folds, 100).unwrap();
        let right = of(&said);
        assert!(right.empty > 20 && right.windows > 1_000, "{right:?}");
        let far = |found: &Spread| found.distance.unwrap();
        assert!(far(&right).value < 2.0 * right.chance, "{right:?}");
        let thrice = of(&said.iter().map(|v| 3.0 * v).collect::<Vec<_>>());
        assert!(far(&thrice).low > 2.0 * thrice.chance, "{thrice:?}");
        let low: f64 = thrice.bars[..3].iter().sum();
        assert!(low > 0.45 && thrice.bars[9] < 0.02, "{thrice:?}");
        // What is said of later windows does not reach the law of a fold.
        let mut later = said.clone();
        later[folds[1]..].iter_mut().for_each(|v| *v *= 9.0);
        let law = |said: &[f64]| {
            let pairs: Vec<_> = windows(&cells, said)
                .iter()
                .filter(|(cell, _)| *cell < folds[1])
                .map(|(_, pair)| *pair)
                .collect();
            Law::fitted(&pairs).map(|law| (law.mean, law.shape))
        };
        assert_eq!(law(&said), law(&later));
        assert_eq!(of(&said), right, "the same data, the same draws");
        assert!(
            spread(
                &days,
                &cells[..folds[0] + 1],
                &said[..folds[0] + 1],
                &[0, 1],
                9
            )
            .is_none()
        );
    }
}
