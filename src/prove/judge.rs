//! Judge: all symbols together, scored on the same folds, and the verdict of each.
//!
//! The maps are measured on as many threads as there are cores, each by itself, so their numbers do not depend on that.

use super::cascade;
use super::cells;
use super::direction;
use super::forecast;
use super::gate::{self, Evidence, Verdict};
use super::magnet;
use super::odds;
use super::score::{self, Figure, Step};
use super::symbol::{How, Map, Walked};
use super::totals::{self, Figures, Ladders, Masses, Row, Said, Scored, TRAIN_ROWS, Table, Thetas};
use super::{ProveError, ladder, level, path};
use crate::time::Nanos;

/// Numbers of the maps that the verdict looks at.
const FROZEN: usize = 0;
const UPDATED: usize = 1;
const TIME: usize = 2;

/// One map, one way to look at it.
#[derive(Debug, Clone)]
pub struct Line {
    /// `map`, `control`, `ablation`, `comparison` or `sensitivity`.
    pub group: &'static str,
    /// What it is.
    pub name: String,
    /// `frozen` or `updated`.
    pub view: &'static str,
    /// Its figures.
    pub figures: Figures,
    /// Partial correlation of our map in the same view less its own; none of our map.
    pub ahead: Option<Figure>,
}

/// One week of the map's dollars.
#[derive(Debug, Clone, Copy)]
pub struct Week {
    /// Its begin.
    pub start: Nanos,
    /// Dollars realised.
    pub usd: f64,
    /// Dollars the updated map said.
    pub said: f64,
}

/// What is left of the map's figures over a rival that is told something else than P.
#[derive(Debug, Clone)]
pub struct Rival {
    /// What it is told, or is not.
    pub told: &'static str,
    /// R² of its log alone.
    pub r_squared: Option<f64>,
    /// Partial correlation of the frozen map over it.
    pub frozen: Option<Figure>,
    /// Of the updated map.
    pub updated: Option<Figure>,
}

/// How all maps do on some rows.
#[derive(Debug, Clone)]
pub struct Scores {
    /// Rows scored: a period and a side each.
    pub rows: usize,
    /// Days scored.
    pub days: usize,
    /// R² of the log of P alone.
    pub path_r_squared: Option<f64>,
    /// Rank correlation of P alone.
    pub path_rank: Option<f64>,
    /// All maps.
    pub lines: Vec<Line>,
    /// Other paths than P, as many as were asked for.
    pub rivals: Vec<Rival>,
}

/// Everything measured of one symbol.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The canonical asset.
    pub symbol: String,
    /// `prints, by cell`, `totals` or `prints, summed`.
    pub test: &'static str,
    /// Venues whose interest the map stands on.
    pub venues: Vec<&'static str>,
    /// First and last moment scored.
    pub span: (Nanos, Nanos),
    /// Length of a period.
    pub period: Nanos,
    /// All maps, by rows of sums; no rows where those are too few and cells are judged alone.
    pub scores: Scores,
    /// What the gate saw.
    pub evidence: Evidence,
    /// What it said.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// Weeks.
    pub weeks: Vec<Week>,
    /// What happened against what the updated map said, in dollars a period and side.
    pub reliability: Vec<Step>,
    /// The test by cell, where prints are told: evidence and verdict are its then.
    pub cells: Option<cells::judge::Found>,
    /// What the map says of the next period, unless it was not asked for.
    pub forecast: Option<forecast::Found>,
    /// Magnet and reaction, or why it was not measured.
    pub magnet: Result<magnet::Found, String>,
    /// Cascades, or why they were not measured.
    pub cascade: Result<cascade::Found, String>,
    /// Direction of the bias, or why it was not measured.
    pub direction: Result<direction::Found, String>,
    /// Odds of its zones.
    pub odds: odds::Found,
}

/// What came of all symbols.
#[derive(Debug)]
pub struct Judged {
    /// Of each, in its order.
    pub proofs: Vec<Result<Proof, ProveError>>,
    /// Of all rows together, where there is more than one symbol.
    pub together: Option<Scores>,
}

/// One map, scored on every row.
struct Measured {
    /// For logarithms.
    theta: Thetas,
    x: Said,
    /// By symbol, of its scored rows.
    dollars: Vec<Vec<f64>>,
}

/// What another path says of what was realised, and of the frozen and the updated map.
struct Other {
    y: Said,
    x: [Said; 2],
}

struct Bench<'a> {
    walked: &'a [Walked],
    table: Table<'a>,
    y: Said,
    /// By symbol.
    scored: Vec<Vec<Scored>>,
    reps: usize,
}

fn masses<'a>(walked: &'a [Walked], map: usize) -> Masses<'a> {
    walked.iter().map(|w| w.maps[map].mass.as_slice()).collect()
}

impl Bench<'_> {
    /// θ for logarithms and for dollars.
    fn thetas(&self, map: &Map, masses: &Masses<'_>) -> [Thetas; 2] {
        let table = &self.table;
        let shuffled = |all: Ladders| -> Ladders {
            let of =
                |fold: &Vec<ladder::Ladder>| fold.iter().map(ladder::Ladder::shuffled).collect();
            all.iter().map(of).collect()
        };
        let fitted = |laid: &dyn Fn(Ladders) -> Ladders| {
            let logs = laid(table.ladders(masses, Row::log, ladder::fit));
            let dollars = laid(table.ladders(masses, |row| row.usd, ladder::fit_dollars));
            [
                table.followed(logs, masses, level::of_logs),
                table.followed(dollars, masses, level::of_dollars),
            ]
        };
        match map.how {
            How::Prior => [0, 1].map(|_| table.flat(ladder::PRIOR)),
            How::Fitted => fitted(&|all| all),
            How::Shuffled => fitted(&shuffled),
        }
    }

    fn measured(&self, number: usize) -> Result<Measured, ProveError> {
        let masses = masses(self.walked, number);
        let [logs, dollars] = self.thetas(&self.walked[0].maps[number], &masses);
        let table = &self.table;
        let x = table.say(&|at| table.said(&logs, &masses, at), None)?;
        let of = |rows: &Vec<Scored>| {
            rows.iter()
                .map(|at| table.dollars(&dollars, &masses, *at))
                .collect()
        };
        Ok(Measured {
            theta: logs,
            x,
            dollars: self.scored.iter().map(of).collect(),
        })
    }

    /// All maps in their order.
    fn all(&self) -> Result<Vec<Measured>, ProveError> {
        let count = self.walked.first().map_or(0, |w| w.maps.len());
        on_all_cores(count, &|number| self.measured(number))
    }

    /// Rivals in their order.
    fn others(&self, measured: &[Measured], rivals: usize) -> Result<Vec<Other>, ProveError> {
        on_all_cores(rivals, &|rival| {
            let table = self.table.facing(path::RIVALS[rival].1);
            let of = |map: usize| {
                let masses = masses(self.walked, map);
                table.say(&|at| table.said(&measured[map].theta, &masses, at), None)
            };
            Ok(Other {
                y: table.say(&|(_, row)| table.row(row).log(), None)?,
                x: [of(FROZEN)?, of(UPDATED)?],
            })
        })
    }

    fn scores(&self, symbols: &[usize], measured: &[Measured], others: &[Other]) -> Scores {
        let rows: Vec<Scored> = symbols
            .iter()
            .flat_map(|s| self.scored[*s].clone())
            .collect();
        let mut days = self.days(&rows);
        days.sort_unstable();
        days.dedup();
        let lines =
            self.walked[0]
                .maps
                .iter()
                .zip(measured)
                .enumerate()
                .map(|(number, (map, found))| {
                    let dollars: Vec<f64> = symbols
                        .iter()
                        .flat_map(|s| found.dollars[*s].iter().copied())
                        .collect();
                    let pair = (&self.y, &found.x);
                    let same = |of: &usize| self.walked[0].maps[*of].view == map.view;
                    let ours = [FROZEN, UPDATED].into_iter().find(same);
                    Line {
                        group: map.group,
                        name: map.name.clone(),
                        view: map.view,
                        figures: totals::figures(&self.table, &rows, pair, &dollars, self.reps),
                        ahead: ours.filter(|of| *of != number).and_then(|of| {
                            let of = (&self.y, &measured[of].x, &found.x);
                            totals::ahead(&self.table, &rows, of, self.reps)
                        }),
                    }
                });
        let (realised, said) = (self.y.value(&rows), self.y.said(&rows));
        Scores {
            rows: rows.len(),
            days: days.len(),
            path_r_squared: score::r_squared(&realised, &said),
            path_rank: score::rank_correlation(&realised, &said),
            lines: lines.collect(),
            rivals: self.rivals(&rows, others),
        }
    }

    fn rivals(&self, rows: &[Scored], others: &[Other]) -> Vec<Rival> {
        let of = |((told, _), other): (&path::Rival, &Other)| {
            let [frozen, updated] = [0, 1].map(|view| {
                let pair = (&other.y, &other.x[view]);
                totals::partial(&self.table, rows, pair, self.reps, &|_| true)
            });
            Rival {
                told,
                r_squared: score::r_squared(&other.y.value(rows), &other.y.said(rows)),
                frozen,
                updated,
            }
        };
        path::RIVALS.iter().zip(others).map(of).collect()
    }

    fn days(&self, rows: &[Scored]) -> Vec<i64> {
        rows.iter()
            .map(|(_, row)| self.table.row(*row).day())
            .collect()
    }

    /// P with a map's log as one more feature; its level stays, because P has no memory either.
    fn path_and(&self, number: usize, theta: &Thetas) -> Result<Said, ProveError> {
        let masses = masses(self.walked, number);
        let table = &self.table;
        let of = |(_, row): Scored| table.row(row).log();
        table.say(&of, Some(&|at| table.said_by_fold(theta, &masses, at)))
    }

    /// A symbol whose sums are too few to be scored: its prints by cell, where there are any.
    fn by_cells_alone(&self, symbol: usize, measured: &[Measured]) -> Result<Proof, ProveError> {
        let walked = &self.walked[symbol];
        let Some(cells) = walked.cells.clone() else {
            return Err(ProveError::TooFew {
                symbol: walked.symbol.clone(),
                rows: walked.rows.len(),
                least: TRAIN_ROWS,
            });
        };
        Ok(Proof {
            symbol: walked.symbol.clone(),
            test: cells::report::TEST,
            venues: walked.venues.clone(),
            span: cells.span,
            period: cells.window,
            scores: self.scores(&[symbol], measured, &[]),
            evidence: cells.evidence,
            verdict: Verdict::default(),
            why: String::new(),
            weeks: Vec::new(),
            reliability: Vec::new(),
            cells: Some(cells),
            forecast: walked.forecast.clone(),
            magnet: walked.magnet.clone(),
            cascade: walked.cascade.clone(),
            direction: walked.direction.clone(),
            odds: walked.odds.clone(),
        })
    }

    fn proof(
        &self,
        symbol: usize,
        measured: &[Measured],
        others: &[Other],
        (with_map, with_time): (&Said, &Said),
    ) -> Result<Proof, ProveError> {
        let (walked, rows) = (&self.walked[symbol], &self.scored[symbol]);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return self.by_cells_alone(symbol, measured);
        };
        let row = |at: &Scored| self.table.row(at.1);
        let day = self.days(rows);
        let usd: Vec<f64> = rows.iter().map(|at| row(at).usd).collect();
        let in_dollars = |of: &Said| totals::in_dollars(rows, &of.said(rows), &usd);
        let (by_path, by_map) = (in_dollars(&self.y), in_dollars(with_map));
        let by_time = in_dollars(with_time);
        let nowcast = &measured[UPDATED].dollars[symbol];
        let scores = self.scores(&[symbol], measured, others);
        let evidence = Evidence {
            over_path: totals::gain(&day, &usd, &by_map, &by_path, self.reps),
            over_time: totals::gain(&day, &usd, &by_map, &by_time, self.reps),
            slope: totals::slope(&day, &usd, nowcast, self.reps),
            statistics: [&by_path, &by_time].map(|base| {
                score::diebold_mariano(&totals::daily_gains(&day, &usd, &by_map, base))
            }),
            blocks: scores.days,
        };
        let cells = walked.cells.clone().map(|cells| cells.beside(evidence));
        let (test, evidence) = match &cells {
            Some(cells) => (cells::report::TEST, cells.evidence),
            None => (walked.test, evidence),
        };
        let week: Vec<i64> = rows.iter().map(|at| row(at).week()).collect();
        Ok(Proof {
            symbol: walked.symbol.clone(),
            test,
            venues: walked.venues.clone(),
            span: (row(first).start, row(last).end),
            period: row(first).end.since(row(first).start),
            scores,
            evidence,
            verdict: Verdict::default(),
            why: String::new(),
            weeks: weeks(&week, &usd, nowcast),
            reliability: thinned(&score::isotonic(nowcast, &usd)),
            cells,
            forecast: walked.forecast.clone(),
            magnet: walked.magnet.clone(),
            cascade: walked.cascade.clone(),
            direction: walked.direction.clone(),
            odds: walked.odds.clone(),
        })
    }
}

/// Judges each as one of so many; the test by cell, where there is one, is what the verdict stands on.
fn weigh(proofs: &mut [Result<Proof, ProveError>]) {
    let chances: Vec<f64> = proofs
        .iter()
        .flatten()
        .map(|proof| proof.evidence.chance())
        .collect();
    let holds = score::holm(&chances, gate::LEVEL);
    for (proof, holds) in proofs.iter_mut().flatten().zip(holds) {
        (proof.verdict, proof.why) = gate::verdict(&proof.evidence, holds);
        if let Some(cells) = &mut proof.cells {
            (cells.verdict, cells.why) = (proof.verdict, proof.why.clone());
        }
    }
}

/// Every number below a count, on as many threads as there are cores; in order.
fn on_all_cores<T: Send>(
    count: usize,
    of: &(dyn Fn(usize) -> Result<T, ProveError> + Sync),
) -> Result<Vec<T>, ProveError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = count.div_ceil(threads).max(1);
    let mut found: Vec<Option<Result<T, ProveError>>> = Vec::new();
    found.resize_with(count, || None);
    std::thread::scope(|scope| {
        for (chunk, found) in found.chunks_mut(part).enumerate() {
            scope.spawn(move || {
                for (i, found) in found.iter_mut().enumerate() {
                    *found = Some(of(chunk * part + i));
                }
            });
        }
    });
    found.into_iter().flatten().collect()
}

/// Scores every map of every symbol, and judges each symbol; ours also against the first so many of
/// [`path::RIVALS`]. `told` hears what is being done.
///
/// # Errors
/// Rows that the trees cannot use. A symbol that is refused is among the proofs.
pub fn judge(
    walked: &[Walked],
    reps: usize,
    rivals: usize,
    told: &mut dyn FnMut(&str),
) -> Result<Judged, ProveError> {
    if walked.is_empty() {
        return Ok(Judged {
            proofs: Vec::new(),
            together: None,
        });
    }
    let rows: Vec<&[Row]> = walked.iter().map(|w| w.rows.as_slice()).collect();
    let table = Table::new(&rows);
    let scored: Vec<Vec<Scored>> = (0..walked.len()).map(|s| table.scored(s)).collect();
    told("fitting what the path says");
    let y = table.say(&|(_, row)| table.row(row).log(), None)?;
    let bench = Bench {
        walked,
        table,
        y,
        scored,
        reps,
    };
    told("scoring");
    let measured = bench.all()?;
    if rivals > 0 {
        told("fitting other paths");
    }
    let others = bench.others(&measured, rivals)?;
    told("weighing the verdict");
    let path_and = |map: usize| bench.path_and(map, &measured[map].theta);
    let (with_map, with_time) = (path_and(FROZEN)?, path_and(TIME)?);
    let pair = (&with_map, &with_time);
    let proofs = (0..walked.len()).map(|symbol| bench.proof(symbol, &measured, &others, pair));
    let mut proofs: Vec<_> = proofs.collect();
    weigh(&mut proofs);
    let all: Vec<usize> = (0..walked.len()).collect();
    Ok(Judged {
        proofs,
        together: (walked.len() > 1).then(|| bench.scores(&all, &measured, &others)),
    })
}

fn weeks(week: &[i64], usd: &[f64], said: &[f64]) -> Vec<Week> {
    let mut names = week.to_vec();
    names.sort_unstable();
    names.dedup();
    let sum = |of: &[f64], name: i64| {
        week.iter()
            .zip(of)
            .filter(|(w, _)| **w == name)
            .map(|(_, v)| v)
            .sum()
    };
    names
        .iter()
        .map(|name| Week {
            start: Nanos::new(name * 7 * Nanos::DAY.get()),
            usd: sum(usd, *name),
            said: sum(said, *name),
        })
        .collect()
}

/// Steps of a reliability curve that people can look at: neighbours joined until each holds a fortieth of the rows.
pub(super) fn thinned(steps: &[Step]) -> Vec<Step> {
    let least = steps.iter().map(|s| s.n).sum::<usize>() / 40;
    let mut out: Vec<Step> = Vec::new();
    for step in steps {
        match out.last_mut().filter(|last| last.n < least) {
            Some(last) => {
                let n = (last.n + step.n) as f64;
                let of = |a: f64, b: f64| (a * last.n as f64 + b * step.n as f64) / n;
                let (said, happened) = (of(last.said, step.said), of(last.happened, step.happened));
                *last = Step {
                    said,
                    happened,
                    n: last.n + step.n,
                };
            }
            None => out.push(*step),
        }
    }
    out
}
