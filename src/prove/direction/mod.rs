//! Direction: whether the published bias tells where the price goes (heatmap.md 4.6), as far as a tape with a book
//! shows it.
//!
//! The tape is replayed through the engine ([`eye`]); what its page said last before a minute is held against the
//! middle of the book one horizon of the mode later. A row is a minute of the mode's grid in which the mode said
//! something (a confidence above 0), the price one horizon before and after was seen, and it is not the same.
//!
//! - *Area* under the ROC curve of "the price rises", of the bias and of four rivals on the same rows: the return of
//!   the horizon before, the scores of the order-flow and of the liquidation category alone, and the bias without its
//!   liquidation signals, summed by the engine itself as if they slept. One half is nothing.
//! - *Right*: share of rows on whose side the price went, of all with a bias and of the strongest half, fifth and
//!   tenth by |bias|; what a trade on that side brings in the horizon, in basis points, before and after the spread
//!   that stood (fees are the reader's own).
//! - *Regimes* and *barriers* ([`apart`]).
//! - *Skill*: the Brier score of a chance that an isotonic regression of the days before makes of the bias, against
//!   the share of rises in these days: 1 − ours / theirs. The same of the return before, and of the bias without its
//!   liquidation signals.
//!
//! Days are drawn whole, and of a horizon of a day weeks (counted from the first row). Nothing of it enters the map's
//! gate. Log prices, shares and basis points `f64`.

pub mod apart;
pub mod eye;
pub mod report;

use super::days::Days;
use super::gate;
use super::input::Input;
use super::order::{Order, Ranked};
use super::score::{self, Figure};
use crate::shm::record::{MODE_NAMES, mode};
use crate::time::Nanos;
use apart::Apart;
use eye::Minute;

/// What the bias is held against, in the order of [`Scored::ranked`].
pub const RIVALS: [&str; 4] = [
    "the return before",
    "order flow alone",
    "liquidations alone",
    "the bias without its liquidation signals",
];

/// Which of what is said a chance is made of: the bias, the return before, the bias without its liquidation signals.
const JUDGED: [usize; 3] = [0, 1, RIVALS.len()];

/// Shares of the rows, strongest first, of which it is told how often they are right.
pub const STRONGEST: [f64; 4] = [1.0, 0.5, 0.2, 0.1];

/// How much is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Least {
    /// Days with rows.
    pub days: usize,
    /// Weeks of days with rows, where weeks are drawn.
    pub weeks: usize,
    /// Rows.
    pub rows: usize,
    /// Days or weeks that an isotonic regression is fitted to before the first is scored.
    pub train: usize,
}

/// What a proof asks for.
pub const LEAST: Least = Least {
    days: gate::LEAST_BLOCKS,
    weeks: 8,
    rows: 500,
    train: 3,
};

/// A mode that is scored, minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Its number.
    pub number: usize,
    /// Its horizon (scoring.md 0).
    pub horizon: i64,
    /// From one row to the next.
    pub grid: i64,
}

impl Mode {
    /// As the page calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        MODE_NAMES.get(self.number).copied().unwrap_or_default()
    }
    /// Days that are drawn together: rows whose horizon is a day say the same for as long.
    #[must_use]
    pub const fn block(&self) -> i64 {
        if self.horizon < 24 * 60 { 1 } else { 7 }
    }
}

/// Scalp looks every 15 s; minutes are what is kept.
pub const SCORED: [Mode; 3] = [
    Mode {
        number: mode::SCALP,
        horizon: 1,
        grid: 1,
    },
    Mode {
        number: mode::DAY,
        horizon: 60,
        grid: 5,
    },
    Mode {
        number: mode::SWING,
        horizon: 24 * 60,
        grid: 60,
    },
];

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Number of its minute.
    pub at: i64,
    /// The bias, then what [`RIVALS`] say.
    pub said: [f64; 1 + RIVALS.len()],
    /// Return of the horizon, basis points; never 0.
    pub way: f64,
    /// Basis points.
    pub spread: f64,
    /// Of an hour, log; `None` = not warm.
    pub sigma: Option<f64>,
    /// The first of the two barriers, a sigma of the horizon away, was the upper one; `None` = none was reached.
    pub first: Option<bool>,
}

impl Row {
    const fn day(&self) -> i64 {
        Nanos::new(self.at * Nanos::MINUTE.get()).day()
    }
    fn rises(&self) -> f64 {
        f64::from(u8::from(self.way > 0.0))
    }
}

/// The strongest part of the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strongest {
    /// Least |bias| of it.
    pub from: f64,
    /// Rows of it.
    pub rows: usize,
    /// Share on whose side the price went.
    pub right: Option<Figure>,
    /// What that side brought, basis points.
    pub brought: Option<Figure>,
    /// The same less the spread.
    pub kept: Option<Figure>,
}

/// What came of a mode.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Which.
    pub mode: Mode,
    /// First and last row.
    pub span: (Nanos, Nanos),
    /// Rows and their days.
    pub rows: usize,
    /// Days.
    pub days: usize,
    /// Rows whose bias is another without its liquidation signals.
    pub moved: usize,
    /// Minutes of the grid in which nothing was said, and rows whose price stood still.
    pub silent: usize,
    /// See `silent`.
    pub still: usize,
    /// Share of rises.
    pub base: Option<Figure>,
    /// Area under the ROC curve: of the bias, and of [`RIVALS`].
    pub ranked: Ranked<{ RIVALS.len() }>,
    /// By [`STRONGEST`].
    pub strongest: [Strongest; STRONGEST.len()],
    /// In calm and in wild hours, and against barriers.
    pub apart: Apart,
    /// Brier skill over the share of rises: of the bias, of the return before and of the bias without its liquidation
    /// signals; then the first less the second, and less the third.
    pub skill: [Option<Figure>; 5],
}

/// What came of a symbol: each mode, or why it was not measured.
pub type Found = Vec<(Mode, Result<Scored, String>)>;

/// Which barrier the middle reached first within a horizon, minute by minute; `None` also where a minute was not seen
/// before.
fn first(minutes: &[Minute], from: usize, horizon: i64) -> Option<bool> {
    let start = &minutes[from];
    let away = start.sigma? * (horizon as f64 / 60.0).sqrt();
    let ahead = minutes[from + 1..].iter().zip(1..=horizon);
    let whole = ahead.take_while(|(minute, after)| minute.at == start.at + after);
    let mut ways = whole.map(|(minute, _)| minute.mid - start.mid);
    ways.find(|way| way.abs() >= away).map(|way| way > 0.0)
}

/// Rows of a mode, how often it was silent, and how often the price stood still.
#[must_use]
pub fn rows(minutes: &[Minute], mode: &Mode) -> (Vec<Row>, usize, usize) {
    let mid = |at: i64| {
        let found = minutes.binary_search_by_key(&at, |minute| minute.at);
        found.ok().map(|at| minutes[at].mid)
    };
    let (mut rows, mut silent, mut still) = (Vec::new(), 0, 0);
    let grid = |(_, minute): &(usize, &Minute)| minute.at % mode.grid == 0;
    for (place, minute) in minutes.iter().enumerate().filter(grid) {
        let Some(voice) = minute.voice[mode.number] else {
            silent += 1;
            continue;
        };
        let [before, after] = [-mode.horizon, mode.horizon].map(|way| mid(minute.at + way));
        let (Some(before), Some(after)) = (before, after) else {
            continue;
        };
        let way = (after - minute.mid) * 1e4;
        if way == 0.0 {
            still += 1;
            continue;
        }
        rows.push(Row {
            at: minute.at,
            said: [
                voice.bias,
                minute.mid - before,
                voice.flow,
                voice.liquidation,
                voice.without,
            ],
            way,
            spread: minute.spread * 1e4,
            sigma: minute.sigma,
            first: first(minutes, place, mode.horizon),
        });
    }
    (rows, silent, still)
}

/// Squared errors by day of chances made from the days before: of what is [`JUDGED`], then of the share of rises.
fn errors(rows: &[Row], days: &Days, horizon: i64, train: usize) -> Vec<[f64; 4]> {
    let mut sums = vec![[0.0; 4]; days.count];
    for (day, sums) in sums.iter_mut().enumerate().skip(train) {
        let first = days.of.partition_point(|of| *of < day);
        let last = days.of.partition_point(|of| *of <= day);
        let begin = rows[first].day() * 24 * 60;
        // What came of a row must be known when the day begins.
        let known = rows[..first].partition_point(|row| row.at + horizon <= begin);
        let past = &rows[..known];
        let rose: Vec<f64> = past.iter().map(Row::rises).collect();
        let Some(share) = score::mean(&rose) else {
            continue;
        };
        let curves = JUDGED.map(|which| {
            let said: Vec<f64> = past.iter().map(|row| row.said[which]).collect();
            score::isotonic(&said, &rose)
        });
        for row in &rows[first..last] {
            let says = curves.iter().zip(JUDGED);
            let says = says.map(|(curve, which)| score::on_curve(curve, row.said[which]));
            for (sum, said) in sums.iter_mut().zip(says.chain([None])) {
                *sum += (said.unwrap_or(share) - row.rises()).powi(2);
            }
        }
    }
    sums
}

fn strongest(rows: &[Row], days: &Days, part: f64, reps: usize) -> Strongest {
    let sizes: Vec<f64> = rows.iter().map(|row| row.said[0].abs()).collect();
    // No bias is on no side, however few have one.
    let from = score::quantile(&sizes, 1.0 - part).unwrap_or(0.0).max(1.0);
    let sums = days.sums(&|at| {
        let row = &rows[at];
        let way = row.way * row.said[0].signum();
        if row.said[0].abs() < from {
            return [0.0; 4];
        }
        [f64::from(u8::from(way > 0.0)), way, row.spread, 1.0]
    });
    let count: f64 = sums.iter().map(|day| day[3]).sum();
    let [right, brought, kept] = days.of_sums(reps, &sums, |[right, way, spread, n]| {
        let mean = |sum: f64| (*n > 0.0).then(|| sum / n);
        [mean(*right), mean(*way), mean(way - spread)]
    });
    Strongest {
        from,
        rows: count as usize,
        right,
        brought,
        kept,
    }
}

/// Figures of the rows of a mode.
///
/// # Errors
/// Why nothing can be measured.
pub fn scored(
    minutes: &[Minute],
    mode: &Mode,
    least: &Least,
    reps: usize,
) -> Result<Scored, String> {
    let (rows, silent, still) = rows(minutes, mode);
    let count = Days::new(rows.iter().map(Row::day)).count;
    let needed = match mode.block() {
        1 => least.days,
        of => least.weeks * of as usize,
    };
    let ends = rows.first().zip(rows.last());
    let Some((first, last)) = ends.filter(|_| rows.len() >= least.rows && count >= needed) else {
        return Err(format!(
            "{} rows on {count} days (nothing was said in {silent} minutes of the grid); {} rows on {needed} days are \
             needed",
            rows.len(),
            least.rows
        ));
    };
    let days = Days::new(
        rows.iter()
            .map(|row| (row.day() - first.day()) / mode.block()),
    );
    let order =
        |which: usize| Order::new(&days.of, &|at| (rows[at].said[which], rows[at].way > 0.0));
    let ranked = Ranked::new(
        &order(0),
        &core::array::from_fn(|rival| order(1 + rival)),
        Order::above,
        (days.count, reps),
    );
    let rises = days.sums(&|at| [rows[at].rises(), 1.0]);
    let [base] = days.of_sums(reps, &rises, |[up, n]| [(*n > 0.0).then(|| up / n)]);
    let errors = errors(&rows, &days, mode.horizon, least.train);
    let skill = days.of_sums(reps, &errors, |[bias, before, without, share]| {
        let over = |ours: f64, theirs: f64| (*share > 0.0).then(|| (theirs - ours) / share);
        [
            over(*bias, *share),
            over(*before, *share),
            over(*without, *share),
            over(*bias, *before),
            over(*bias, *without),
        ]
    });
    let at = |row: &Row| Nanos::new(row.at * Nanos::MINUTE.get());
    Ok(Scored {
        mode: *mode,
        span: (at(first), at(last)),
        rows: rows.len(),
        days: count,
        moved: rows
            .iter()
            .filter(|row| row.said[0] != row.said[RIVALS.len()])
            .count(),
        silent,
        still,
        base,
        ranked,
        apart: apart::apart(&rows, &days, least.train, reps),
        strongest: STRONGEST.map(|part| strongest(&rows, &days, part, reps)),
        skill,
    })
}

/// The test of a symbol, from what its page said minute by minute when its tapes were replayed.
///
/// # Errors
/// Why nothing can be measured.
pub fn of(input: &Input, seen: &[Minute], least: &Least, reps: usize) -> Result<Found, String> {
    if !input.has_book() {
        return Err("no book".to_owned());
    }
    Ok(SCORED
        .map(|mode| (mode, scored(seen, &mode, least, reps)))
        .to_vec())
}

#[cfg(test)]
mod tests;
