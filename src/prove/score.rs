//! Score: the pure statistics of the proof. No market, no map: numbers in, numbers out, all in `f64`.
//!
//! - *Information gain* of a map over another, in nats per dollar realised (heatmap.md 4.2): the Poisson log-likelihood
//!   of cell expectations, proper whatever the counts are. A map is floored by a share [`FLOOR`] of the uniform one, so
//!   that one print in an empty cell is dear and not infinite. Both maps are scaled to the same total unless the caller
//!   scores magnitude too.
//! - *Partial correlation*: of what is left of both after a third model has said what it can.
//! - *Bootstrap*: whole blocks (days) are drawn with replacement, so that hours of one day do not count as independent,
//!   and in runs of neighbours, so that days do not either (moving blocks, Künsch 1989; the last is followed by the
//!   first, so that each is drawn as often: Politis and Romano 1992). Random numbers are [`Draws`], a fixed generator:
//!   the same data give the same interval, on every machine, and the draws hang on the number of blocks alone, so a
//!   figure does not depend on which others are made beside it.
//! - *Diebold and Mariano's statistic* of daily differences asks the same without a draw.
//! - *Lift* and *capture*: the share of what happened in the cells a map ranks highest. Ties share.
//! - *Isotonic reliability* (PAVA): mean of what happened as a rising function of what was said.
//!
//! "Nothing known" is `None`: a correlation of two numbers, a gain where nothing was realised.

/// Share of the uniform map that every scored map is mixed with.
pub const FLOOR: f64 = 0.02;
/// Draws of a bootstrap.
pub const REPS: usize = 2_000;

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Of all data.
    pub value: f64,
    /// 2.5 % of the bootstrap.
    pub low: f64,
    /// 97.5 % of the bootstrap.
    pub high: f64,
    /// Share of the bootstrap that is not above 0.
    pub none: f64,
}

/// A fixed generator of random numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// Begins at a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// A number below `n`; 0 for `n` = 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * n as u128) >> 64) as usize
    }
}

/// Mean; `None` of nothing.
#[must_use]
pub fn mean(x: &[f64]) -> Option<f64> {
    (!x.is_empty()).then(|| x.iter().sum::<f64>() / x.len() as f64)
}

/// Standard deviation (n − 1); `None` below two.
#[must_use]
pub fn deviation(x: &[f64]) -> Option<f64> {
    let m = mean(x)?;
    (x.len() > 1).then(|| {
        let sum: f64 = x.iter().map(|v| (v - m).powi(2)).sum();
        (sum / (x.len() - 1) as f64).sqrt()
    })
}

/// A quantile by linear interpolation of the sorted values; `None` of nothing.
#[must_use]
pub fn quantile(x: &[f64], q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = x.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    Some(sorted[low] + part * (sorted[(low + 1).min(last)] - sorted[low]))
}

/// Pearson's correlation; `None` where one of both does not vary.
#[must_use]
pub fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let (mx, my) = (mean(x)?, mean(y)?);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        xx += (a - mx).powi(2);
        yy += (b - my).powi(2);
        xy += (a - mx) * (b - my);
    }
    (xx > 0.0 && yy > 0.0 && x.len() == y.len()).then(|| xy / (xx * yy).sqrt())
}

/// Ranks from 0, equals share theirs.
#[must_use]
pub fn ranks(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|a, b| x[*a].total_cmp(&x[*b]));
    let mut ranks = vec![0.0; x.len()];
    let mut from = 0;
    while from < order.len() {
        let same = order[from..]
            .iter()
            .take_while(|i| x[**i] == x[order[from]])
            .count();
        for i in &order[from..from + same] {
            ranks[*i] = from as f64 + (same - 1) as f64 / 2.0;
        }
        from += same;
    }
    ranks
}

/// Spearman's rank correlation.
#[must_use]
pub fn rank_correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    correlation(&ranks(x), &ranks(y))
}

/// 1 − squared error / squared deviation of `y`; `None` where `y` does not vary.
#[must_use]
pub fn r_squared(y: &[f64], predicted: &[f64]) -> Option<f64> {
    let m = mean(y)?;
    let all: f64 = y.iter().map(|v| (v - m).powi(2)).sum();
    let left: f64 = y.iter().zip(predicted).map(|(v, p)| (v - p).powi(2)).sum();
    (all > 0.0 && y.len() == predicted.len()).then(|| 1.0 - left / all)
}

/// Slope and intercept of a least-squares line of `y` on `x`.
#[must_use]
pub fn line(x: &[f64], y: &[f64]) -> Option<(f64, f64)> {
    let (mx, my) = (mean(x)?, mean(y)?);
    let (mut xx, mut xy) = (0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        xx += (a - mx).powi(2);
        xy += (a - mx) * (b - my);
    }
    (xx > 0.0 && x.len() == y.len()).then(|| (xy / xx, my - xy / xx * mx))
}

/// Correlation of what is left of `x` and `y` after their models have said what they can.
#[must_use]
pub fn partial(x: &[f64], x_said: &[f64], y: &[f64], y_said: &[f64]) -> Option<f64> {
    let left = |v: &[f64], p: &[f64]| v.iter().zip(p).map(|(a, b)| a - b).collect::<Vec<_>>();
    correlation(&left(x, x_said), &left(y, y_said))
}

/// Blocks as they were drawn.
#[derive(Debug)]
pub struct Drawn {
    /// One after the other.
    pub order: Vec<usize>,
    /// How often each, by block.
    pub times: Vec<f64>,
}

/// Blocks that are drawn at once: the cube root of how many there are, at which the variance of a mean is estimated
/// best (Hall, Horowitz and Jing 1995), rounded down: few blocks in long runs would be nearly the same blocks always.
fn run(blocks: usize) -> usize {
    (1..=blocks)
        .take_while(|run| run.pow(3) <= blocks)
        .last()
        .unwrap_or(1)
}

/// Statistics that are made together: of all blocks once each, then of every draw of them in runs of neighbours. A draw
/// has a run less than there are blocks, as drawn ones vary less than those they are drawn from by that much; so a
/// statistic must not grow with their number.
///
/// Of each a 95 % interval; `None` when it has no value of all blocks, or of most draws, or of one block alone: how far
/// another would be from it nobody knows.
pub fn figures<const N: usize>(
    blocks: usize,
    reps: usize,
    of: &mut dyn FnMut(&Drawn) -> [Option<f64>; N],
) -> [Option<Figure>; N] {
    let mut drawn = Drawn {
        order: (0..blocks).collect(),
        times: vec![1.0; blocks],
    };
    let all = of(&drawn);
    if blocks < 2 || all.iter().all(Option::is_none) {
        return [None; N];
    }
    let mut values: [Vec<f64>; N] = core::array::from_fn(|_| Vec::with_capacity(reps));
    let (mut draws, run) = (Draws::new(blocks as u64), run(blocks));
    drawn.order.truncate(blocks - run);
    for _ in 0..reps {
        drawn.times.fill(0.0);
        for run in drawn.order.chunks_mut(run) {
            let first = draws.below(blocks);
            for (after, block) in run.iter_mut().enumerate() {
                *block = (first + after) % blocks;
                drawn.times[*block] += 1.0;
            }
        }
        for (values, value) in values.iter_mut().zip(of(&drawn)) {
            values.extend(value.filter(|v| v.is_finite()));
        }
    }
    core::array::from_fn(|k| interval(all[k]?, &values[k], reps))
}

/// One such statistic.
pub fn figure(
    blocks: usize,
    reps: usize,
    of: &mut dyn FnMut(&Drawn) -> Option<f64>,
) -> Option<Figure> {
    let [figure] = figures(blocks, reps, &mut |drawn| [of(drawn)]);
    figure
}

/// A statistic of rows and its 95 % interval by drawing whole blocks, neighbours by number in runs; `block[i]` is the
/// block of row `i`.
///
/// The statistic is given the rows to use, repeated as they were drawn. `None` when it has no value of all rows, or
/// of most draws.
pub fn bootstrap(
    block: &[i64],
    reps: usize,
    statistic: &mut dyn FnMut(&[usize]) -> Option<f64>,
) -> Option<Figure> {
    let mut names: Vec<i64> = block.to_vec();
    names.sort_unstable();
    names.dedup();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for (row, name) in block.iter().enumerate() {
        if let Ok(at) = names.binary_search(name) {
            members[at].push(row);
        }
    }
    // Of all data the rows are as they came.
    let mut rows: Vec<usize> = (0..block.len()).collect();
    let mut is_first = true;
    figure(names.len(), reps, &mut |drawn| {
        if !core::mem::take(&mut is_first) {
            rows.clear();
            for at in &drawn.order {
                rows.extend_from_slice(&members[*at]);
            }
        }
        statistic(&rows)
    })
}

/// A figure from its value and those of so many draws; `None` when most draws had no value.
fn interval(value: f64, values: &[f64], reps: usize) -> Option<Figure> {
    if values.is_empty() || values.len() * 2 < reps {
        return None;
    }
    Some(Figure {
        value,
        low: quantile(values, 0.025)?,
        high: quantile(values, 0.975)?,
        // None among so many draws is no proof that there is none.
        none: values.iter().filter(|v| **v <= 0.0).count().max(1) as f64 / values.len() as f64,
    })
}

/// Mean of daily differences over its standard error, which knows that neighbours resemble each other (Diebold and
/// Mariano 1995; Bartlett's weights over 4 (days / 100)^(2/9) lags). `None` where they do not vary, and of fewer than
/// ten: their error is not known.
#[must_use]
pub fn diebold_mariano(daily: &[f64]) -> Option<f64> {
    if daily.len() < 10 {
        return None;
    }
    let (mean, n) = (mean(daily)?, daily.len() as f64);
    let lags = (4.0 * (n / 100.0).powf(2.0 / 9.0)) as usize;
    let along = |lag: usize| -> f64 {
        let pairs = daily.iter().zip(daily.iter().skip(lag));
        pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n
    };
    let weight = |lag: usize| 2.0 * (1.0 - lag as f64 / (lags as f64 + 1.0));
    let tail: f64 = (1..=lags).map(|lag| weight(lag) * along(lag)).sum();
    let variance = along(0) + tail;
    (variance > 0.0).then(|| mean / (variance / n).sqrt())
}

/// Which of several one-sided tests hold together at a level (Holm): the least p against level / n, the next against
/// level / (n − 1), until one fails.
#[must_use]
pub fn holm(p: &[f64], level: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut holds = vec![false; p.len()];
    for (rank, at) in order.into_iter().enumerate() {
        if p[at] > level / (p.len() - rank) as f64 {
            break;
        }
        holds[at] = true;
    }
    holds
}

/// Mixes a map with a share [`FLOOR`] of the uniform map of the same total.
#[must_use]
pub fn floored(map: &[f64]) -> Vec<f64> {
    let uniform = FLOOR * map.iter().sum::<f64>() / map.len().max(1) as f64;
    map.iter().map(|v| (1.0 - FLOOR) * v + uniform).collect()
}

/// What one cell brings to an information gain: y ln(map / base) less what the map said more. Nothing of the logarithm
/// where nothing was realised.
#[must_use]
pub fn gain(realised: f64, map: f64, base: f64) -> f64 {
    let log = if realised > 0.0 {
        realised * (map / base).ln()
    } else {
        0.0
    };
    log - (map - base)
}

/// Information gain per dollar of cell expectations `map` over `base`, in nats: both as given, floored by the caller.
/// `None` where nothing was realised, or an expectation under a realised dollar is not positive.
#[must_use]
pub fn information_gain(realised: &[f64], map: &[f64], base: &[f64]) -> Option<f64> {
    let all: f64 = realised.iter().sum();
    let mut sum = 0.0;
    for ((y, m), b) in realised.iter().zip(map).zip(base) {
        if *y > 0.0 && (*m <= 0.0 || *b <= 0.0) {
            return None;
        }
        sum += gain(*y, *m, *b);
    }
    (all > 0.0).then(|| sum / all)
}

/// A map scaled to a total.
#[must_use]
pub fn scaled(map: &[f64], total: f64) -> Vec<f64> {
    let sum: f64 = map.iter().sum();
    let factor = if sum > 0.0 { total / sum } else { 0.0 };
    map.iter().map(|v| v * factor).collect()
}

/// Share of what was realised in the `part` of cells that the map ranks highest; a cell on the edge counts in
/// proportion, equals share. `None` where nothing was realised.
#[must_use]
pub fn capture(realised: &[f64], map: &[f64], part: f64) -> Option<f64> {
    let all: f64 = realised.iter().sum();
    let mut order: Vec<usize> = (0..map.len().min(realised.len())).collect();
    order.sort_by(|a, b| map[*b].total_cmp(&map[*a]));
    let mut room = part * order.len() as f64;
    let (mut caught, mut from) = (0.0, 0);
    while from < order.len() && room > 0.0 {
        let same = order[from..]
            .iter()
            .take_while(|i| map[**i] == map[order[from]])
            .count();
        let sum: f64 = order[from..from + same].iter().map(|i| realised[*i]).sum();
        caught += sum * (room / same as f64).min(1.0);
        room -= same as f64;
        from += same;
    }
    (all > 0.0).then(|| caught / all)
}

/// [`capture`] over what a map without knowledge would catch.
#[must_use]
pub fn lift(realised: &[f64], map: &[f64], part: f64) -> Option<f64> {
    capture(realised, map, part).map(|caught| caught / part)
}

/// One step of a reliability curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Mean of what was said.
    pub said: f64,
    /// Mean of what happened.
    pub happened: f64,
    /// Rows in it.
    pub n: usize,
}

/// Isotonic regression of what happened on what was said (pool adjacent violators): steps of rising means.
#[must_use]
pub fn isotonic(said: &[f64], happened: &[f64]) -> Vec<Step> {
    let mut order: Vec<usize> = (0..said.len().min(happened.len())).collect();
    order.sort_by(|a, b| said[*a].total_cmp(&said[*b]));
    let mut steps: Vec<Step> = Vec::new();
    for i in order {
        let mut step = Step {
            said: said[i],
            happened: happened[i],
            n: 1,
        };
        // Equal sayings are one step from the start.
        while let Some(last) = steps.last() {
            if last.happened < step.happened && last.said < step.said {
                break;
            }
            let n = (last.n + step.n) as f64;
            let of = |a: f64, b: f64| (a * last.n as f64 + b * step.n as f64) / n;
            step = Step {
                said: of(last.said, step.said),
                happened: of(last.happened, step.happened),
                n: last.n + step.n,
            };
            steps.pop();
        }
        steps.push(step);
    }
    steps
}

/// What happened at a saying, on the line between the steps beside it; `None` of no curve.
#[must_use]
pub fn on_curve(steps: &[Step], said: f64) -> Option<f64> {
    let at = steps.partition_point(|step| step.said <= said);
    let before = at.checked_sub(1).and_then(|at| steps.get(at));
    match (before, steps.get(at)) {
        (Some(a), Some(b)) => {
            let part = (said - a.said) / (b.said - a.said);
            Some(a.happened + part * (b.happened - a.happened))
        }
        (Some(end), None) | (None, Some(end)) => Some(end.happened),
        (None, None) => None,
    }
}

/// Area between the capture curve and that of no knowledge, twice: 1 = everything in the first cell, 0 = no skill.
#[must_use]
pub fn area_skill(realised: &[f64], map: &[f64]) -> Option<f64> {
    const STEPS: usize = 200;
    let at = |i: usize| capture(realised, map, i as f64 / STEPS as f64);
    let mut area = 0.0;
    for i in 0..STEPS {
        area += (at(i)? + at(i + 1)?) / 2.0 / STEPS as f64;
    }
    Some(2.0 * area - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-9)
    }

    #[test]
    fn a_curve_is_read_on_the_line_between_two_steps() {
        let step = |said, happened| Step {
            said,
            happened,
            n: 1,
        };
        let curve = [step(-10.0, 0.25), step(10.0, 0.75)];
        for (said, want) in [
            (-90.0, 0.25),
            (-10.0, 0.25),
            (0.0, 0.5),
            (5.0, 0.625),
            (90.0, 0.75),
        ] {
            assert_eq!(on_curve(&curve, said), Some(want), "{said}");
        }
        assert_eq!(on_curve(&[], 1.0), None);
        assert_eq!(on_curve(&curve[..1], 1.0), Some(0.25));
    }

    #[test]
    fn known_values() {
        assert!(close(quantile(&[3.0, 1.0, 2.0], 0.25), 1.5));
        assert!(close(
            deviation(&[1.0, 2.0, 3.0, 4.0]),
            (5.0f64 / 3.0).sqrt()
        ));
        assert!(close(correlation(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), 1.0));
        assert_eq!(correlation(&[1.0, 1.0], &[2.0, 3.0]), None);
        assert_eq!(ranks(&[5.0, 1.0, 5.0]), [1.5, 0.0, 1.5]);
        assert!(close(r_squared(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]), 0.0));
        assert_eq!(line(&[0.0, 1.0, 2.0], &[1.0, 3.0, 5.0]), Some((2.0, 1.0)));
    }

    #[test]
    fn one_chance_among_many_does_not_hold() {
        assert_eq!(holm(&[0.02], 0.025), [true]);
        assert_eq!(holm(&[0.02, 0.5, 0.6, 0.7], 0.025), [false; 4]);
        // .00625, .00833, .0125, .025
        assert_eq!(holm(&[0.012, 0.001, 0.02, 0.008], 0.025), [true; 4]);
        assert_eq!(
            holm(&[0.012, 0.001, 0.03, 0.02], 0.025),
            [false, true, false, false]
        );
        assert!(holm(&[], 0.025).is_empty());
    }

    #[test]
    fn a_partial_correlation_forgets_what_the_models_said() {
        // x and y share only what z says.
        let z: Vec<f64> = (0..200).map(f64::from).collect();
        let mut draws = Draws::new(7);
        let noise = |draws: &mut Draws| draws.below(1_000) as f64 / 100.0;
        let x: Vec<f64> = z.iter().map(|v| v + noise(&mut draws)).collect();
        let y: Vec<f64> = z.iter().map(|v| 2.0 * v + noise(&mut draws)).collect();
        let doubled: Vec<f64> = z.iter().map(|v| 2.0 * v).collect();
        assert!(correlation(&x, &y).is_some_and(|r| r > 0.99));
        assert!(partial(&x, &z, &y, &doubled).is_some_and(|r| r.abs() < 0.2));
    }

    #[test]
    fn the_truth_gains_and_its_shuffle_loses() {
        let realised = [8.0, 1.0, 0.0, 3.0];
        let uniform = [3.0; 4];
        let truth = floored(&realised);
        let gain = information_gain(&realised, &truth, &uniform).unwrap_or_default();
        // Σ y ln(y/3)/12 less the floor.
        assert!(gain > 0.45 && gain < 0.56, "{gain}");
        let shuffled = floored(&[0.0, 3.0, 8.0, 1.0]);
        assert!(information_gain(&realised, &shuffled, &uniform).is_some_and(|g| g < 0.0));
        assert_eq!(information_gain(&[0.0; 4], &truth, &uniform), None);
        assert_eq!(
            information_gain(&realised, &[1.0, 0.0, 1.0, 1.0], &uniform),
            None
        );
        assert!(close(capture(&realised, &truth, 0.25), 8.0 / 12.0));
        assert!(close(lift(&realised, &uniform, 0.25), 1.0), "ties share");
        assert!(area_skill(&realised, &truth).is_some_and(|a| a > 0.5));
        assert!(area_skill(&realised, &uniform).is_some_and(|a| a.abs() < 0.01));
    }

    #[test]
    fn blocks_widen_what_rows_would_not() {
        // Forty rows in four blocks whose means differ: rows alone would say ± 0.3.
        let block: Vec<i64> = (0..40).map(|i| i / 10).collect();
        let x: Vec<f64> = block.iter().map(|b| *b as f64).collect();
        let mut of = |rows: &[usize]| mean(&rows.iter().map(|r| x[*r]).collect::<Vec<_>>());
        let figure = bootstrap(&block, 500, &mut of).unwrap();
        assert!(close(Some(figure.value), 1.5));
        assert!(figure.low < 0.7 && figure.high > 2.3, "{figure:?}");
        assert_eq!(
            bootstrap(&block, 500, &mut of),
            Some(figure),
            "the same data, the same interval"
        );
        assert_eq!(bootstrap(&[], 10, &mut |_| None), None);
    }

    #[test]
    fn neighbours_that_resemble_each_other_weigh_less() {
        assert_eq!(diebold_mariano(&[]), None);
        assert_eq!(diebold_mariano(&[1.0; 30]), None, "nothing varies");
        assert_eq!(diebold_mariano(&[1.0, 1.1, 1.2]), None, "too few");
        let mixed: Vec<f64> = (0..120)
            .map(|i| 0.2 + f64::from(i * 37 % 11) - 5.0)
            .collect();
        let mut sorted = mixed.clone();
        sorted.sort_by(f64::total_cmp);
        let [mixed, sorted] = [mixed, sorted].map(|v| diebold_mariano(&v).unwrap().abs());
        assert!(sorted < 0.6 * mixed, "{sorted} {mixed}");
    }

    /// How often of 200 histories of so many days the interval of their mean holds the truth, 0, where a day keeps
    /// `kept` of the day before, and the root of the mean square of Diebold and Mariano's statistic.
    fn covered(days: usize, kept: f64) -> (usize, f64) {
        let mut draws = Draws::new(11);
        let mut normal = || {
            (0..12)
                .map(|_| draws.below(1_000_000) as f64 / 1e6)
                .sum::<f64>()
                - 6.0
        };
        let (mut covered, mut squares) = (0, 0.0);
        for _ in 0..200 {
            let mut last = normal() / (1.0 - kept * kept).sqrt();
            let x: Vec<f64> = (0..days)
                .map(|_| {
                    last = kept * last + normal();
                    last
                })
                .collect();
            let of = |drawn: &Drawn| mean(&drawn.order.iter().map(|d| x[*d]).collect::<Vec<_>>());
            let figure = figure(days, 300, &mut |drawn| of(drawn)).unwrap();
            covered += usize::from(figure.low <= 0.0 && figure.high >= 0.0);
            squares += diebold_mariano(&x).unwrap().powi(2) / 200.0;
        }
        (covered, squares.sqrt())
    }

    #[test]
    fn an_interval_knows_that_days_hang_together() {
        // Days one by one: 185 to 190, and of days that keep a half 143.
        for (days, kept, least) in [
            (60, 0.0, 180),
            (165, 0.0, 184),
            (60, 0.5, 165),
            (165, 0.5, 170),
        ] {
            let (covered, spread) = covered(days, kept);
            assert!((least..=197).contains(&covered), "{days} {kept} {covered}");
            assert!((0.9..1.3).contains(&spread), "{days} {kept} {spread}");
        }
    }

    #[test]
    fn days_are_drawn_in_runs_of_neighbours_and_each_as_often() {
        assert_eq!(
            [1, 2, 7, 8, 26, 27, 62, 64, 165, 1_000].map(run),
            [1, 1, 1, 2, 2, 3, 3, 4, 5, 10]
        );
        let mut times = [0.0; 30];
        let (mut draw, mut broken) = (0, 0);
        figure(30, 3_000, &mut |drawn| {
            assert_eq!(drawn.order.len(), if draw == 0 { 30 } else { 27 });
            if draw > 0 {
                times
                    .iter_mut()
                    .zip(&drawn.times)
                    .for_each(|(a, b)| *a += b);
                let next = |pair: &&[usize]| pair[1] != (pair[0] + 1) % 30;
                broken += drawn.order.windows(2).filter(next).count();
            }
            draw += 1;
            Some(0.0)
        });
        assert!(
            times.iter().all(|times| (2_430.0..2_970.0).contains(times)),
            "{times:?}"
        );
        // Eight joints a draw, one in thirty of which fits by chance.
        assert!(
            (7.5..8.0).contains(&(f64::from(broken as u32) / 3_000.0)),
            "{broken}"
        );
    }

    #[test]
    fn a_figure_is_the_same_by_rows_by_order_and_by_weight_and_whatever_stands_beside_it() {
        let x: Vec<f64> = (0..12).map(|d| f64::from(d * d % 7)).collect();
        let blocks: Vec<i64> = (0..12).collect();
        let of = |rows: &[usize]| mean(&rows.iter().map(|r| x[*r]).collect::<Vec<_>>());
        let rows = bootstrap(&blocks, 300, &mut |rows| of(rows)).unwrap();
        let order = figure(12, 300, &mut |drawn| of(&drawn.order)).unwrap();
        // Sums of small whole numbers are exact in any order.
        let [weight, none] = figures(12, 300, &mut |drawn| {
            let sum: f64 = drawn.times.iter().zip(&x).map(|(t, x)| t * x).sum();
            [Some(sum / drawn.times.iter().sum::<f64>()), None]
        });
        assert_eq!([order, weight.unwrap()], [rows; 2]);
        assert_eq!(none, None);
        // No value of most draws.
        let lone = figure(12, 300, &mut |drawn| {
            (drawn.times == [1.0; 12]).then_some(1.0)
        });
        assert_eq!(lone, None);
        assert_eq!(figure(1, 300, &mut |_| Some(1.0)), None);
    }

    proptest! {
        #[test]
        fn isotonic_steps_rise_and_keep_the_mean(
            pairs in proptest::collection::vec((0.0f64..10.0, 0.0f64..10.0), 1..60)
        ) {
            let said: Vec<f64> = pairs.iter().map(|p| p.0.round()).collect();
            let happened: Vec<f64> = pairs.iter().map(|p| p.1).collect();
            let steps = isotonic(&said, &happened);
            prop_assert!(steps.windows(2).all(|w| w[0].said < w[1].said && w[0].happened < w[1].happened));
            prop_assert_eq!(steps.iter().map(|s| s.n).sum::<usize>(), pairs.len());
            let sum: f64 = steps.iter().map(|s| s.happened * s.n as f64).sum();
            prop_assert!((sum - happened.iter().sum::<f64>()).abs() < 1e-6);
        }

        #[test]
        fn nothing_gains_over_itself_and_capture_rises(
            cells in proptest::collection::vec((0.0f64..10.0, 0.01f64..10.0), 2..60)
        ) {
            let y: Vec<f64> = cells.iter().map(|c| c.0).collect();
            let m: Vec<f64> = cells.iter().map(|c| c.1).collect();
            prop_assume!(y.iter().sum::<f64>() > 0.0);
            prop_assert!(information_gain(&y, &m, &m).is_some_and(|g| g.abs() < 1e-12));
            // The truth is the best map there is.
            let truth = floored(&y);
            let base = scaled(&m, truth.iter().sum());
            let best = information_gain(&y, &y.iter().map(|v| v + 1e-12).collect::<Vec<_>>(), &base);
            prop_assert!(best.is_some_and(|g| g > -1e-6));
            let curve: Vec<f64> = (0..=10).filter_map(|i| capture(&y, &m, f64::from(i) / 10.0)).collect();
            prop_assert!(curve.windows(2).all(|w| w[0] <= w[1] + 1e-12));
            prop_assert!((curve[10] - 1.0).abs() < 1e-9);
        }
    }
}
