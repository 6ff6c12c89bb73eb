//! Odds: whether the chances that the page publishes of its hot zones are right: that the mark touches one within the
//! mode's horizon (`p_touch`), and that one, touched, runs rather than holds (`p_run`, HOLD / UNDECIDED / RUN).
//!
//! Tapes with a book are replayed through the engine ([`eye`]); bars are not, but the product's own zones are walked
//! over them ([`bars`]), and there the chance of a touch is what the engine says without book and flow. Both make the
//! same rows:
//! - *Touch*: at every step of a mode each live zone that the mark has not come to, with its published chance; it is
//!   touched when the mark reaches the near edge, as it stood then, within the horizon. Rows whose horizon was not
//!   heard whole are left out, and zones farther than [`FAR`] sigmas stand apart: their chances are nothing, and they
//!   are so many that every other figure would be theirs.
//! - *Run*: every touch, with what the last record before it said; whether the mark goes through the far edge first or
//!   back out over the near one. What came to neither is left out.
//!
//! A chance is held against what distance alone says (the *walk*): a touch against 2 Φ(−d/σ), a run against the chance
//! that a driftless walk from the near edge passes the far one before it is back ([`through`]). Of each:
//! - *Ratio*: share that happened over the mean that was said; 1 is right.
//! - *Slope*: of a logistic regression of what happened on the logit that was said; 1 is right, below 1 chances are too
//!   bold, above too timid. And of two weights, of what the logit of the chance adds to the walk's and of the walk's:
//!   the first is 0 where the chance knows nothing besides, 1 where it knows as much as it says.
//! - *Skill*: 1 − ours / theirs of squared errors and of logarithmic losses, over the walk, the share of the days
//!   before, and an isotonic regression of these days on nearness (touch: −d/σ, run: −width/σ).
//! - *Area* under the ROC curve, of the chance and of nearness alone.
//!
//! Nothing of it enters the map's gate. Distances in sigmas of the mode's horizon, √(horizon) of the hour's. `f64`.

pub mod bars;
pub mod eye;
mod logit;
pub mod report;

use super::days::Days;
use super::direction::Mode;
use super::gate;
use super::input::Input;
use super::magnet;
use super::order::{Order, Ranked};
use super::score::{self, Figure};
use crate::num::fixed::{self, ONE};
use crate::shm::record::mode;
use crate::time::Nanos;
use crate::zone::{odds::label, state};
use eye::{Came, Heard, OfMode, Told};
use logit::{Logit, logit};

/// Every mode. Scalp is asked at every fifth minute only: five times as many rows would be of the same zones.
pub const SCORED: [Mode; 3] = [
    Mode {
        number: mode::SCALP,
        horizon: 1,
        grid: 5,
    },
    Mode {
        number: mode::DAY,
        horizon: 60,
        grid: 60,
    },
    Mode {
        number: mode::SWING,
        horizon: 24 * 60,
        grid: 24 * 60,
    },
];

/// Zones farther than this, in sigmas of the horizon, stand apart: the walk says .0027.
pub const FAR: f64 = 3.0;
/// What a chance is held against, in the order of [`Scored::brier`].
pub const RIVALS: [&str; 3] = [
    "the walk",
    "the past's share",
    "the past's share by nearness",
];
/// Parts of a table of rows, as many in each.
pub const TENTHS: usize = 10;
/// Parts by what book and flow make of the walk.
pub const THIRDS: usize = 3;
/// Chances are held this far from 0 and 1 where logarithms are taken of them.
const SURE: f64 = 1e-3;
/// How far behind the far edge a zone has run, and before the near edge it has held, sigmas: `zone::life`.
const BEYOND: f64 = 0.05;
const BACK: f64 = 0.1;

/// How much is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Least {
    /// Days with rows.
    pub days: usize,
    /// Rows of touches, and touches.
    pub rows: [usize; 2],
    /// Days before the first that skill is measured on.
    pub train: usize,
}

/// What a proof asks for.
pub const LEAST: Least = Least {
    days: gate::LEAST_BLOCKS,
    rows: [100, 50],
    train: 3,
};

/// One chance, and what came. Minutes are numbers since the epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Minute at which it was said.
    pub at: i64,
    /// Minute from whose begin on it is known what came.
    pub known: i64,
    /// Which replay, and which zone in it.
    pub zone: (u32, u32),
    /// The chance.
    pub p: f64,
    /// What the walk says.
    pub walk: f64,
    /// Nearness: the larger, the likelier.
    pub near: f64,
    /// Number of the zone's label.
    pub label: u8,
    /// It happened.
    pub happened: bool,
}

impl Row {
    const fn day(&self) -> i64 {
        Nanos::new(self.at * Nanos::MINUTE.get()).day()
    }
    fn came(&self) -> f64 {
        f64::from(u8::from(self.happened))
    }
}

/// What was left out of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Left {
    /// No chance or no sigma was published.
    pub unknown: usize,
    /// What came was not heard whole.
    pub unheard: usize,
    /// The zone was given up before it ran or held.
    pub over: usize,
    /// Farther than [`FAR`] ...
    pub far: usize,
    /// ... and happened all the same.
    pub far_happened: usize,
}

/// Rows of one kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// In the order of time.
    pub rows: Vec<Row>,
    /// What was left out.
    pub left: Left,
}

/// A part of the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Least and largest of what it is a part by.
    pub from: f64,
    /// See `from`.
    pub to: f64,
    /// Rows of it.
    pub rows: usize,
    /// Means of what was said and of what the walk says.
    pub said: f64,
    /// See `said`.
    pub walk: f64,
    /// Share that happened.
    pub happened: Option<Figure>,
}

/// What came of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// First and last row.
    pub span: (Nanos, Nanos),
    /// Rows.
    pub rows: usize,
    /// Their days.
    pub days: usize,
    /// Zones that they are of.
    pub zones: usize,
    /// What was left out.
    pub left: Left,
    /// Mean of what was said.
    pub said: f64,
    /// Share that happened.
    pub happened: Option<Figure>,
    /// Share over mean: of the chance, of the walk.
    pub ratio: [Option<Figure>; 2],
    /// Slope of the chance, of the walk.
    pub slope: [Option<Figure>; 2],
    /// Weights of what the logit of the chance adds to the walk's, and of the walk's.
    pub weights: [Option<Figure>; 2],
    /// Area of the chance, beside nearness alone.
    pub ranked: Ranked<1>,
    /// Brier skill over each of [`RIVALS`].
    pub brier: [Option<Figure>; RIVALS.len()],
    /// Logarithmic skill over each.
    pub log: [Option<Figure>; RIVALS.len()],
    /// Tenths by the chance, lowest first.
    pub tenths: Vec<Part>,
    /// Thirds by the chance over the walk.
    pub thirds: Vec<Part>,
    /// By label: [`label::HOLD`], [`label::UNDECIDED`], [`label::RUN`].
    pub labels: Vec<(u8, Part)>,
}

/// Labels in the order of the chance.
pub const LABELS: [u8; 3] = [label::HOLD, label::UNDECIDED, label::RUN];

/// What came of a mode.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Which.
    pub mode: Mode,
    /// Chances of a touch, or why they were not measured.
    pub touch: Result<Scored, String>,
    /// Chances of a run.
    pub run: Result<Scored, String>,
}

/// What came of a symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What the page published, mode by mode, or why it was not measured.
    pub page: Result<Vec<Measured>, String>,
    /// The day mode's chance of a touch without book and flow, of the zones walked over the history.
    pub walked: Result<Scored, String>,
}

/// Chance that a driftless walk reaches a level so many sigmas away, as the engine has it.
fn reached(distance: f64) -> f64 {
    fixed::hit((distance * ONE as f64) as i64) as f64 / ONE as f64
}

/// Chance that a driftless walk at the near edge of a zone so many sigmas wide passes the far edge before it is back.
fn through(width: f64) -> f64 {
    BACK / (BACK + width + BEYOND)
}

impl Mode {
    /// Sigma of its horizon from that of an hour.
    fn sigma(&self, hour: f64) -> f64 {
        hour * (self.horizon as f64 / 60.0).sqrt()
    }
}

/// Rows of touches of a mode: zones that were ahead when it asked.
#[must_use]
pub fn touches(heard: &Heard, of: &OfMode, mode: &Mode) -> Rows {
    let mut out = Rows::default();
    for asked in &of.asked {
        let first = heard.minutes.partition_point(|minute| minute.at < asked.at);
        let way = heard.minutes.get(first..first + mode.horizon as usize);
        let way = way.filter(|way| {
            let ends = way.first().zip(way.last());
            let follows =
                ends.is_some_and(|(a, b)| a.at == asked.at && b.at == asked.at + mode.horizon - 1);
            follows && way.iter().all(|minute| minute.is_whole)
        });
        let sigma = mode.sigma(asked.sigma);
        let out_of = |zone: &Told| (zone.near - asked.mark) * if zone.above { 1.0 } else { -1.0 };
        let waits = |zone: &&Told| zone.state < state::TOUCHED && out_of(zone) > 0.0;
        for zone in asked.zones.iter().filter(waits) {
            let Some(p) = zone.touch.filter(|_| sigma > 0.0) else {
                out.left.unknown += 1;
                continue;
            };
            let Some(way) = way else {
                out.left.unheard += 1;
                continue;
            };
            let happened = way.iter().any(|minute| match zone.above {
                true => minute.high >= zone.near,
                false => minute.low <= zone.near,
            });
            let distance = out_of(zone) / sigma;
            out.add(Row {
                at: asked.at,
                known: asked.at + mode.horizon,
                zone: (asked.turn, zone.id),
                p,
                walk: reached(distance),
                near: -distance,
                label: zone.label,
                happened,
            });
        }
    }
    out
}

impl Rows {
    /// One more, unless it is too far.
    fn add(&mut self, row: Row) {
        if row.near < -FAR {
            self.left.far += 1;
            self.left.far_happened += usize::from(row.happened);
        } else {
            self.rows.push(row);
        }
    }
}

/// Rows of runs of a mode: zones that were touched.
#[must_use]
pub fn runs(of: &OfMode, mode: &Mode) -> Rows {
    let mut out = Rows::default();
    for touch in &of.touches {
        let happened = match touch.came {
            Came::Ran => true,
            Came::Held => false,
            Came::Over => {
                out.left.over += 1;
                continue;
            }
            Came::Cut => {
                out.left.unheard += 1;
                continue;
            }
        };
        let known = touch.zone.and_then(|zone| Some((zone, zone.run?)));
        let sigma = mode.sigma(touch.sigma);
        let Some((zone, p)) = known.filter(|_| sigma > 0.0) else {
            out.left.unknown += 1;
            continue;
        };
        let width = zone.width / sigma;
        let minute = |at: Nanos| at.get().div_euclid(Nanos::MINUTE.get());
        out.rows.push(Row {
            at: minute(touch.at),
            known: minute(touch.end) + 1,
            zone: (touch.turn, zone.id),
            p,
            walk: through(width),
            near: -width,
            label: zone.label,
            happened,
        });
    }
    out.rows.sort_by_key(|row| row.at);
    out
}

/// What is lost by a chance: squared, and as a logarithm.
fn losses(p: f64, happened: bool) -> [f64; 2] {
    let p = if happened { p } else { 1.0 - p };
    [(1.0 - p).powi(2), -p.clamp(SURE, 1.0 - SURE).ln()]
}

/// Losses by day of the chance and of [`RIVALS`], squared and logarithmic in turn; a day before which nothing is known
/// has none.
fn lost(rows: &[Row], days: &Days, train: usize) -> Vec<[f64; 8]> {
    let mut sums = vec![[0.0; 8]; days.count];
    for (day, sums) in sums.iter_mut().enumerate().skip(train) {
        let first = days.of.partition_point(|of| *of < day);
        let last = days.of.partition_point(|of| *of <= day);
        // What came of a row must be known when the day begins.
        let begin = rows[first].day() * 24 * 60;
        let past: Vec<&Row> = rows[..first]
            .iter()
            .filter(|row| row.known <= begin)
            .collect();
        let came: Vec<f64> = past.iter().map(|row| row.came()).collect();
        let Some(share) = score::mean(&came) else {
            continue;
        };
        let near: Vec<f64> = past.iter().map(|row| row.near).collect();
        let curve = score::isotonic(&near, &came);
        for row in &rows[first..last] {
            let by_near = score::on_curve(&curve, row.near).unwrap_or(share);
            for (at, said) in [row.p, row.walk, share, by_near].into_iter().enumerate() {
                let [square, log] = losses(said, row.happened);
                sums[2 * at] += square;
                sums[2 * at + 1] += log;
            }
        }
    }
    sums
}

/// Rows in so many parts of as many, by a number of each; equals stay together.
fn parts(rows: &[Row], days: &Days, reps: usize, count: usize, by: fn(&Row) -> f64) -> Vec<Part> {
    let all: Vec<f64> = rows.iter().map(by).collect();
    let edges = (1..count).filter_map(|at| score::quantile(&all, at as f64 / count as f64));
    let mut edges: Vec<f64> = edges.collect();
    edges.dedup();
    let place = |row: &Row| edges.partition_point(|edge| *edge < by(row));
    let of = |at| part(rows, days, reps, by, &|row| place(row) == at);
    (0..=edges.len()).filter_map(of).collect()
}

/// Those of the rows that are kept; `None` of nothing.
fn part(
    rows: &[Row],
    days: &Days,
    reps: usize,
    by: fn(&Row) -> f64,
    keeps: &dyn Fn(&Row) -> bool,
) -> Option<Part> {
    let kept: Vec<&Row> = rows.iter().filter(|row| keeps(row)).collect();
    let all = |of: fn(&Row) -> f64| kept.iter().map(|row| of(row)).collect::<Vec<f64>>();
    let sums = days.sums(&|at| match keeps(&rows[at]) {
        true => [rows[at].came(), 1.0],
        false => [0.0; 2],
    });
    let [happened] = days.of_sums(reps, &sums, |[came, n]| [(*n > 0.0).then(|| came / n)]);
    Some(Part {
        from: all(by).into_iter().reduce(f64::min)?,
        to: all(by).into_iter().reduce(f64::max)?,
        rows: kept.len(),
        said: score::mean(&all(|row| row.p))?,
        walk: score::mean(&all(|row| row.walk))?,
        happened,
    })
}

/// Figures of rows.
///
/// # Errors
/// Why nothing can be measured.
pub fn scored(
    of: &Rows,
    (days, least): (usize, usize),
    train: usize,
    reps: usize,
) -> Result<Scored, String> {
    let (rows, left) = (&of.rows, of.left);
    let by_day = Days::new(rows.iter().map(Row::day));
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Err(format!("no rows ({})", left.told()));
    };
    if rows.len() < least || by_day.count < days {
        return Err(format!(
            "{} rows on {} days ({}); {least} rows on {days} days are needed",
            rows.len(),
            by_day.count,
            left.told()
        ));
    }
    let mut zones: Vec<(u32, u32)> = rows.iter().map(|row| row.zone).collect();
    zones.sort_unstable();
    zones.dedup();
    let sums = by_day.sums(&|at| {
        let row = &rows[at];
        [row.came(), row.p, row.walk, 1.0]
    });
    let [happened, ratio, by_walk] = by_day.of_sums(reps, &sums, |[came, p, walk, n]| {
        let over = |sum: f64| (sum > 0.0).then(|| came / sum);
        [over(*n), over(*p), over(*walk)]
    });
    let figures = |of: &dyn Fn(&[f64]) -> Option<[f64; 2]>| {
        score::figures(by_day.count, reps, &mut |drawn| {
            let both = of(&drawn.times);
            [both.map(|both| both[0]), both.map(|both| both[1])]
        })
    };
    let alone = |said: fn(&Row) -> f64| {
        let line = Logit::new(&by_day.of, &|at| {
            ([1.0, logit(said(&rows[at]))], rows[at].happened)
        });
        let [slope, _] = figures(&|times| line.weights(times).map(|[base, slope]| [slope, base]));
        slope
    };
    let both = Logit::new(&by_day.of, &|at| {
        let row = &rows[at];
        let walk = logit(row.walk);
        ([1.0, logit(row.p) - walk, walk], row.happened)
    });
    let order = |said: fn(&Row) -> f64| {
        // A thousandth of a sigma is no difference.
        let said = |at: usize| (said(&rows[at]) * 1e4).round();
        Order::new(&by_day.of, &|at| (said(at), rows[at].happened))
    };
    let ranked = Ranked::new(
        &order(|row| row.p),
        &[order(|row| row.near / 10.0)],
        Order::above,
        (by_day.count, reps),
    );
    let sums = lost(rows, &by_day, train);
    let skill = by_day.of_sums(reps, &sums, |sums| {
        let over = |at: usize| (sums[at] > 0.0).then(|| 1.0 - sums[at % 2] / sums[at]);
        [2, 4, 6, 3, 5, 7].map(over)
    });
    let at = |row: &Row| Nanos::new(row.at * Nanos::MINUTE.get());
    let labels = LABELS.into_iter().filter_map(|name| {
        let of = part(rows, &by_day, reps, |row| row.p, &|row| row.label == name);
        of.map(|of| (name, of))
    });
    let ours: Vec<f64> = rows.iter().map(|row| row.p).collect();
    Ok(Scored {
        span: (at(first), at(last)),
        rows: rows.len(),
        days: by_day.count,
        zones: zones.len(),
        left,
        said: score::mean(&ours).unwrap_or_default(),
        happened,
        ratio: [ratio, by_walk],
        slope: [alone(|row| row.p), alone(|row| row.walk)],
        weights: figures(&|times| both.weights(times).map(|[_, own, walk]| [own, walk])),
        ranked,
        brier: [skill[0], skill[1], skill[2]],
        log: [skill[3], skill[4], skill[5]],
        tenths: parts(rows, &by_day, reps, TENTHS, |row| row.p),
        thirds: parts(rows, &by_day, reps, THIRDS, |row| {
            row.p / row.walk.max(SURE)
        }),
        labels: labels.collect(),
    })
}

/// The test of a symbol: of what its page said when its tapes were replayed, and of its zones walked over the history.
#[must_use]
pub fn of(
    input: &Input,
    heard: Result<&Heard, String>,
    walked: &Result<magnet::Walked, String>,
    least: &Least,
    reps: usize,
) -> Found {
    let score =
        |rows: &Rows, kind: usize| scored(rows, (least.days, least.rows[kind]), least.train, reps);
    let page = heard.and_then(|heard| {
        if !input.has_book() {
            return Err("no book".to_owned());
        }
        let of = |(mode, of): (&Mode, &OfMode)| Measured {
            mode: *mode,
            touch: score(&touches(heard, of, mode), 0),
            run: score(&runs(of, mode), 1),
        };
        Ok(SCORED.iter().zip(&heard.modes).map(of).collect())
    });
    let walked = walked.as_ref().map_err(Clone::clone);
    Found {
        page,
        walked: walked.and_then(|walked| score(&bars::rows(walked, &SCORED[mode::DAY]), 0)),
    }
}

#[cfg(test)]
mod tests;
