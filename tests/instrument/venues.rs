//! Several venues at once, one for each row of observations: Bybit prints every bankruptcy price, Binance the fill of
//! the largest of a second, OKX about the mark. Positions, path and prints are made up here, so what really stood at
//! every price is known; what is judged is that the cells of all venues go together.

use isotherm::calibrate::{OBSERVATIONS, Shown, liquidation_of, observation};
use isotherm::event::Liquidation;
use isotherm::inventory::Params;
use isotherm::inventory::liquidation::BYBIT;
use isotherm::inventory::params::Choice;
use isotherm::market::{Holder, VenueId};
use isotherm::num::log::{BUCKET, ln_px, px_of_ln};
use isotherm::num::{Px, Qty};
use isotherm::prove::cells::judge::{Found, Judge};
use isotherm::prove::cells::{self, Cells, report};
use isotherm::prove::gate::Verdict;
use isotherm::prove::input::{Input, Source, Told, Traded};
use isotherm::prove::score::{Draws, Figure};
use isotherm::prove::{self, Options, Report, judge, symbol};
use isotherm::time::Nanos;
use std::collections::BTreeMap;

/// Between two marks.
const STEP: Nanos = Nanos::new(10 * Nanos::SECOND.get());
/// The first of them.
const BEGIN: i64 = 20_000 * 86_400;
const REPS: usize = 200;

/// Alive at the begin of every window, by venue and holder: log price Q48 and USD, lowest first.
type Standing = BTreeMap<(VenueId, Nanos, u8), Vec<(i64, f64)>>;

struct Unit(Draws);

impl Unit {
    fn next(&mut self) -> f64 {
        (self.0.below(1 << 30) as f64 + 0.5) / f64::from(1u32 << 30)
    }
    /// About normal.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// The price at which Bybit prints a position that died at `died`.
fn bankruptcy(died: Px, holder: Holder, qty: Qty, params: &Params) -> Px {
    let mut price = died;
    for _ in 0..20 {
        let print = Liquidation { price, qty, holder };
        let at = liquidation_of(&print, params).get() as f64;
        price = Px::new((price.get() as f64 * died.get() as f64 / at).round() as i64);
    }
    price
}

/// One venue's crowd along a path of log prices.
fn told(venue: VenueId, path: &[i64], rate: f64, standing: &mut Standing) -> Source {
    let mut unit = Unit(Draws::new(u64::from(venue.0)));
    let params = Params::chosen(&Choice::default(), &BYBIT, &[]);
    let is_whole = observation(venue).is_some_and(|row| row.shown == Shown::All);
    let mut source = Source {
        venue,
        ..Source::default()
    };
    // By holder: where it dies and its number -> its lots.
    let mut alive: [BTreeMap<(i64, usize), f64>; 2] = Default::default();
    let (mut number, mut lots) = (0, 0.0);
    let px = |lots: f64| Qty::new((lots * Qty::ONE as f64) as i64);
    for (at, ln) in path.iter().enumerate() {
        let now = Nanos::seconds(BEGIN).plus(Nanos::new(STEP.get() * at as i64));
        let mark = px_of_ln(*ln);
        let dollars = mark.get() as f64 / Px::ONE as f64;
        source.marks.push((now, mark));
        let mut dead: Vec<(Holder, i64, f64)> = Vec::new();
        for holder in Holder::BOTH {
            let own = &mut alive[holder as usize];
            loop {
                let next = match holder {
                    Holder::Long => own.last_key_value(),
                    Holder::Short => own.first_key_value(),
                };
                let Some((key, qty)) = next.map(|(key, qty)| (*key, *qty)) else {
                    break;
                };
                if (key.0 - ln) * holder.hurts() > 0 {
                    break;
                }
                own.remove(&key);
                lots -= qty;
                dead.push((holder, key.0, qty));
            }
        }
        if !is_whole {
            // The largest of a second alone.
            dead.sort_by(|a, b| b.2.total_cmp(&a.2));
            dead.truncate(1);
        }
        for (holder, died, qty) in dead {
            let qty = px(qty);
            source.prints.push(Told {
                at: now.plus(Nanos::MILLI),
                holder,
                price: match venue {
                    VenueId::BYBIT => bankruptcy(px_of_ln(died), holder, qty, &params),
                    _ => mark,
                },
                qty,
            });
        }
        // Openings, of a few leverages, of both holders alike.
        let opened = 0.5 + unit.next();
        source.trades.push(Traded {
            at: now.plus(Nanos::new(2 * Nanos::MILLI.get())),
            price: mark,
            qty: px(4.0 * opened),
        });
        for holder in Holder::BOTH {
            if unit.next() > rate {
                continue;
            }
            let away = [0.004, 0.006, 0.009, 0.015][unit.0.below(4)] * (0.95 + 0.1 * unit.next());
            let ln_away = (away * (1i64 << 48) as f64) as i64;
            let qty = opened * (2.0 * unit.next()).exp();
            alive[holder as usize].insert((ln + holder.hurts() * ln_away, number), qty);
            (number, lots) = (number + 1, lots + qty);
        }
        if at % 6 == 0 {
            source.interest.push((now, px(500.0 + lots / 2.0)));
        }
        let next = now.plus(STEP);
        if next.get() % cells::WINDOW.get() == 0 {
            for holder in Holder::BOTH {
                let own = alive[holder as usize].iter();
                let own = own.map(|((ln, _), lots)| (*ln, lots * dollars)).collect();
                standing.insert((venue, next, holder as u8), own);
            }
        }
    }
    source
}

/// So many days of these venues, whose marks differ by a bp or two; what really stood.
fn world(venues: &[VenueId], days: i64, rate: f64) -> (Input, Standing) {
    let mut unit = Unit(Draws::new(77));
    let steps = days * Nanos::DAY.get() / STEP.get();
    let mut ln = ln_px(Px::new(60_000 * Px::ONE));
    let middle = ln;
    let path: Vec<i64> = (0..steps)
        .map(|_| {
            ln += (1.2 * BUCKET as f64 * unit.bell()) as i64 - (ln - middle) / 20_000;
            ln
        })
        .collect();
    let mut standing = Standing::new();
    let sources = venues.iter().map(|venue| {
        let own = path.iter().map(|ln| {
            let noise = 0.2 * BUCKET as f64 * unit.bell();
            ln + noise as i64
        });
        let own: Vec<i64> = own.collect();
        told(*venue, &own, rate, &mut standing)
    });
    let input = Input {
        symbol: "BTC".to_owned(),
        sources: sources.collect(),
        periods: Vec::new(),
    };
    (input, standing)
}

/// What really stood in each cell.
fn truth(table: &Cells, standing: &Standing) -> Vec<f64> {
    let of = |cell: &cells::Cell| {
        let own = standing.get(&(cell.venue, cell.start, cell.holder as u8));
        let all = own.map_or(&[][..], Vec::as_slice);
        let [a, b] = cell.swept;
        let from = all.partition_point(|(ln, _)| *ln < a.min(b));
        let inside = all[from..].iter().take_while(|(ln, _)| *ln <= a.max(b));
        inside.map(|(_, usd)| usd).sum()
    };
    table.cells.iter().map(of).collect()
}

fn shown(what: &str, found: &Found) {
    println!("{what}:");
    report::text(found)
        .iter()
        .for_each(|line| println!("{line}"));
}

#[test]
fn the_cells_of_every_row_of_observations_go_together() {
    let venues = OBSERVATIONS.map(|row| row.venue);
    let (input, standing) = world(&venues, 4, 0.05);
    let table = cells::cells(&input).unwrap();
    assert_eq!(table.venues, venues);
    // Windows in order, one venue and holder after another; nothing twice.
    let name = |cell: &cells::Cell| (cell.window, cell.venue, cell.holder);
    let mut names: Vec<_> = table.cells.iter().map(name).collect();
    names.dedup();
    assert!(names.windows(2).all(|w| w[0].0 <= w[1].0));
    let runs = names.len();
    names.sort_unstable_by_key(|(window, venue, holder)| (*window, *venue, *holder as u8));
    names.dedup();
    assert_eq!(
        names.len(),
        runs,
        "a venue's cells of a window stand together"
    );
    let counted = table.counted;
    let all = counted.placed + counted.behind + counted.beyond;
    assert!(counted.placed > 0.8 * all, "{counted:?}");
    let usd: f64 = table.cells.iter().map(|cell| cell.usd).sum();
    assert!((usd - counted.placed).abs() < 1e-6 * all);
    let died: f64 = table.died.iter().map(|died| died.usd).sum();
    assert!((died - counted.placed).abs() < 1e-6 * all);

    // What is printed of what stood, by venue: all of it, or less.
    let real = truth(&table, &standing);
    for venue in venues {
        let own = || {
            table
                .cells
                .iter()
                .zip(&real)
                .filter(|(c, _)| c.venue == venue)
        };
        let [printed, stood] =
            own().fold([0.0; 2], |[a, b], (cell, real)| [a + cell.usd, b + real]);
        let share = printed / stood;
        println!("{venue:?}: {:.3} of what stood in cells was printed", share);
        if venue == VenueId::BYBIT {
            assert!((0.9..1.1).contains(&share), "{share}");
        } else {
            assert!((0.2..0.95).contains(&share), "{share}");
        }
        // A print lies where a position stood: a bankruptcy price is led back to within a bp, a fill lies beyond.
        let stands = |died: &&cells::Died| {
            let cell = &table.cells[died.cell];
            let own = standing.get(&(venue, cell.start, cell.holder as u8));
            let gap = own
                .into_iter()
                .flatten()
                .map(|(ln, _)| (ln - died.place).abs());
            gap.min().is_some_and(|gap| gap <= BUCKET / 2)
        };
        let own: Vec<_> = table
            .died
            .iter()
            .filter(|d| table.cells[d.cell].venue == venue)
            .collect();
        let hits = own.iter().filter(|died| stands(died)).count();
        assert!(own.len() > 100, "{venue:?}: {}", own.len());
        if venue == VenueId::BYBIT {
            assert!(hits * 100 >= 95 * own.len(), "{hits} of {}", own.len());
        }
    }

    // Judged together: the truth gains, and the part that two venues hide is no wrong scale of the third's.
    let judge = Judge::new(&table).unwrap().unwrap();
    let found = judge.judge("the truth", &real, REPS);
    shown("the truth on three venues", &found);
    assert_eq!(found.venues, ["bybit", "binance", "okx"]);
    assert_eq!(found.scaled, ["binance", "okx"]);
    assert!(found.evidence.over_path.is_some_and(|gain| gain.low > 0.0));
    assert!(found.events.over_uniform.is_some_and(|gain| gain.low > 0.0));
    let slope = found.evidence.slope.unwrap().value;
    assert!(
        (0.9..1.1).contains(&slope),
        "of the venue that prints all: {slope}"
    );
    let ratio = found.lines[0].ratio;
    assert!(
        (0.9..1.1).contains(&ratio),
        "said {ratio} of what was printed"
    );
    assert!(found.placed.saved.is_some_and(|saved| saved.low > 0.0));
    // Ten times as much at Binance is the same map: its dollars go through one constant anyway. At Bybit it is wrong.
    let more = |venue: VenueId| -> Found {
        let times = |(real, cell): (&f64, &cells::Cell)| match cell.venue == venue {
            true => 10.0 * real,
            false => *real,
        };
        let said: Vec<f64> = real.iter().zip(&table.cells).map(times).collect();
        judge.judge("ten times", &said, REPS)
    };
    let same = more(VenueId::BINANCE).evidence;
    let gap = |a: Option<Figure>, b: Option<Figure>| (a.unwrap().value - b.unwrap().value).abs();
    assert!(gap(same.over_path, found.evidence.over_path) < 1e-6);
    assert!(gap(same.slope, found.evidence.slope) < 1e-9);
    assert!(
        more(VenueId::BYBIT)
            .evidence
            .over_path
            .is_some_and(|gain| gain.high < 0.0)
    );
    // Each venue's map laid on another's prices knows nothing of them.
    let mut wrong = real.clone();
    wrong.rotate_left(real.len() / 3);
    let wrong = judge.judge("the truth, elsewhere", &wrong, REPS);
    assert_ne!(wrong.verdict, Verdict::Proven);
    assert!(wrong.evidence.over_path.is_some_and(|gain| gain.high < 0.0));
    shown("ours on three venues", &judge.ours(REPS));
}

#[test]
fn prints_are_judged_by_cell_where_their_hours_are_too_few() {
    let (input, _) = world(&[VenueId::BYBIT], 8, 0.05);
    let options = Options {
        files: Vec::new(),
        symbols: None,
        reps: REPS,
        quick: true,
        sensitivity: false,
    };
    let walked = symbol::walked(
        &input,
        &Err(prove::NOT_ASKED.to_owned()),
        &options,
        &mut |_| {},
    )
    .unwrap();
    assert!(walked.rows.len() <= 480, "{} rows", walked.rows.len());
    let judged = judge::judge(&[walked], REPS, 0, &mut |_| {}).unwrap();
    let proof = judged.proofs.into_iter().next().unwrap().unwrap();
    assert_eq!((proof.test, proof.scores.rows), (report::TEST, 0));
    let cells = proof.cells.as_ref().unwrap();
    assert!(cells.second.is_none(), "no hour was scored");
    assert_eq!(cells.verdict, proof.verdict);
    assert!(cells.days >= 5 && proof.evidence.over_path.is_some());
    assert_eq!(proof.evidence, cells.evidence);
    let found = Report {
        version: "0",
        model: 0,
        inputs: Vec::new(),
        proofs: vec![proof],
        refused: Vec::new(),
        together: None,
        magnet: None,
    };
    let json = prove::report::object(&found);
    assert!(
        json["symbols"][0]["scores"].is_null(),
        "no figures of no rows"
    );
    assert!(json["symbols"][0]["cells"]["gain_over_path_nats"].is_object());
    assert!(prove::report::html(&found).contains(prove::report::NO_SUMS));
    let line = &prove::report::ledger_lines(&found, Nanos::ZERO)[0];
    assert!(line["rows"].as_u64().is_some_and(|rows| rows > 1_000));
}
