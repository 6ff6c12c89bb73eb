//! The test of odds, on made-up rows and bars; on made-up pages in `page`.

mod page;

use super::eye::{Asked, Eye, Minute, Touch};
use super::*;
use crate::num::Px;
use crate::prove::input::Source;
use crate::prove::magnet::eye::{Seen, Stood};
use crate::prove::magnet::price::{Path, Step};
use crate::prove::path::ln;
use crate::prove::score::Draws;
use crate::shm::record::mode::{DAY, SCALP, SWING};
use crate::shm::record::{EVENT_ALERT, EVENT_LIFE, EventRecord, NO_E4, Wide, ZONE_KINDS};
use bytemuck::Zeroable;

const START: i64 = 20_000 * 24 * 60;
const REPS: usize = 200;

struct Chance(Draws);

impl Chance {
    fn unit(&mut self) -> f64 {
        (self.0.below(1 << 30) as f64 + 0.5) / f64::from(1 << 30)
    }
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

fn chance(seed: u64) -> Chance {
    Chance(Draws::new(seed))
}

/// Days of rows in which the chance is the truth: it knows what is left of the walk, which nobody else does.
fn true_rows(days: i64, seed: u64) -> Rows {
    let mut chance = chance(seed);
    let mut out = Rows::default();
    for hour in 0..days * 24 {
        for zone in 0..6 {
            let distance = 2.8 * chance.unit();
            let walk = reached(distance);
            let p = walk * (0.2 + 0.8 * chance.unit());
            out.add(Row {
                at: START + 60 * hour,
                known: START + 60 * (hour + 1),
                zone: (1, (hour / 3 * 6 + zone) as u32),
                p,
                walk,
                near: -distance,
                label: label::UNDECIDED,
                happened: chance.unit() < p,
            });
        }
    }
    out
}

fn of_rows(rows: &Rows) -> Scored {
    scored(rows, (5, 100), 3, REPS).unwrap()
}

fn covers(of: Option<Figure>, value: f64) -> bool {
    of.is_some_and(|of| of.low <= value && value <= of.high)
}

/// Whether it is right to a tenth: what one interval holds is chance, what twelve hold is not.
fn near(of: Option<Figure>, value: f64) -> bool {
    of.is_some_and(|of| (of.value - value).abs() < 0.1)
}

fn with(rows: &Rows, p: impl Fn(&Row) -> f64) -> Rows {
    let mut out = rows.clone();
    out.rows.iter_mut().for_each(|row| row.p = p(row));
    out
}

/// Of twelve histories 95 % intervals hold the truth in all but one or two; in fewer than nine once in five thousand
/// times.
#[test]
fn intervals_hold_the_truth() {
    let mut held = [0; 4];
    for seed in 1..=12 {
        let got = of_rows(&true_rows(40, seed));
        let all = [got.ratio[0], got.slope[0], got.weights[0]].map(|of| covers(of, 1.0));
        let all = all.into_iter().chain([covers(got.weights[1], 1.0)]);
        held.iter_mut()
            .zip(all)
            .for_each(|(n, is)| *n += usize::from(is));
    }
    assert!(held.iter().all(|n| *n >= 9), "{held:?}");
}

#[test]
fn the_truth_is_found_right() {
    let rows = true_rows(40, 1);
    let got = of_rows(&rows);
    assert_eq!((got.rows, got.days), (rows.rows.len(), 40));
    assert_eq!(got.zones, 40 * 8 * 6);
    assert!(near(got.ratio[0], 1.0), "{:?}", got.ratio);
    assert!(near(got.slope[0], 1.0), "{:?}", got.slope);
    // The walk says too much, and is told so.
    assert!(got.ratio[1].unwrap().high < 0.75, "{:?}", got.ratio);
    // It adds as much as it says.
    let [adds, walk] = got.weights;
    assert!(near(adds, 1.0) && near(walk, 1.0), "{:?}", got.weights);
    for skill in got.brier.iter().chain(&got.log) {
        assert!(skill.unwrap().low > 0.0, "{:?} {:?}", got.brier, got.log);
    }
    assert!(got.ranked.rivals[0].over.unwrap().low > 0.0);
    assert_eq!((got.tenths.len(), got.thirds.len()), (TENTHS, THIRDS));
    let inside = got
        .tenths
        .iter()
        .filter(|part| covers(part.happened, part.said));
    assert!(inside.count() >= 8, "{:?}", got.tenths);
    assert_eq!(got.labels.len(), 1);
    assert_eq!(got.labels[0].1.rows, got.rows);
    // The same figures every time.
    assert_eq!(of_rows(&rows), got);
}

#[test]
fn a_chance_of_another_zone_loses() {
    let rows = true_rows(40, 7);
    let all: Vec<f64> = rows.rows.iter().map(|row| row.p).collect();
    let mut other = rows.clone();
    for (row, p) in other.rows.iter_mut().zip(all.iter().cycle().skip(1_001)) {
        row.p = *p;
    }
    let got = of_rows(&other);
    // The mean is what it was: only the slope and the losses tell.
    assert!(covers(got.ratio[0], 1.0), "{:?}", got.ratio);
    assert!(
        near(got.slope[0], 0.0) && got.slope[0].unwrap().high < 0.3,
        "{:?}",
        got.slope
    );
    assert!(covers(got.ranked.area, 0.5), "{:?}", got.ranked);
    for skill in got.brier.iter().chain(&got.log).flatten() {
        assert!(skill.high < 0.0, "{:?} {:?}", got.brier, got.log);
    }
}

#[test]
fn boldness_and_timidity_are_told_apart() {
    let rows = true_rows(40, 3);
    let turned = |by: f64| {
        let p = |row: &Row| 1.0 / (1.0 + (-by * logit(row.p)).exp());
        of_rows(&with(&rows, p)).slope[0].unwrap()
    };
    let (bold, timid) = (turned(2.0), turned(0.5));
    assert!(bold.high < 0.7 && bold.low > 0.3, "{bold:?}");
    assert!(timid.low > 1.4 && timid.high < 2.6, "{timid:?}");
    // What is said half as high as it should be comes twice as often.
    let halved = of_rows(&with(&rows, |row| row.p / 2.0)).ratio[0].unwrap();
    assert!(halved.low > 1.7 && halved.high < 2.3, "{halved:?}");
}

/// Widths decide; a chance that does not know them has no skill over them, however it is called.
#[test]
fn geometry_does_not_pass_for_knowledge() {
    let mut chance = chance(4);
    let mut rows = Rows::default();
    for touch in 0..12_000 {
        let width = 0.05 + 0.6 * chance.unit();
        let walk = through(width);
        rows.rows.push(Row {
            at: START + 2 * touch,
            known: START + 2 * touch + 3,
            zone: (1, touch as u32),
            p: walk.powf(0.5 + chance.unit()),
            walk,
            near: -width,
            label: LABELS[touch as usize % 3],
            happened: chance.unit() < walk,
        });
    }
    let got = of_rows(&rows);
    // It ranks well, being made of the width, and adds nothing.
    assert!(got.ranked.area.unwrap().low > 0.52, "{:?}", got.ranked);
    assert!(got.ranked.rivals[0].over.unwrap().high < 0.01);
    assert!(
        covers(got.weights[0], 0.0) && covers(got.weights[1], 1.0),
        "{:?}",
        got.weights
    );
    assert!(got.brier[0].unwrap().high < 0.0, "{:?}", got.brier);
    assert_eq!(got.labels.iter().map(|of| of.0).collect::<Vec<_>>(), LABELS);
    assert_eq!(got.labels.iter().map(|of| of.1.rows).sum::<usize>(), 12_000);
}

#[test]
fn what_is_far_stands_apart_and_what_is_few_is_refused() {
    let mut rows = true_rows(4, 5);
    let why = scored(&rows, (5, 100), 3, REPS).unwrap_err();
    assert!(
        why.contains("576 rows on 4 days") && why.contains("100 rows on 5 days"),
        "{why}"
    );
    let far = Row {
        near: -FAR - 0.1,
        happened: true,
        ..rows.rows[0]
    };
    rows.add(far);
    rows.add(Row {
        happened: false,
        ..far
    });
    assert_eq!(
        (rows.rows.len(), rows.left.far, rows.left.far_happened),
        (576, 2, 1)
    );
    let none = scored(&Rows::default(), (5, 100), 3, REPS).unwrap_err();
    assert!(
        none.contains("no rows (left out: 0 not heard to the end)"),
        "{none}"
    );
    let mut input = Input::default();
    let found = |input: &Input, heard: Result<&Heard, String>| {
        of(input, heard, &Err("no zones".to_owned()), &LEAST, 50)
    };
    let heard = Heard::default();
    assert_eq!(found(&input, Ok(&heard)).page, Err("no book".to_owned()));
    assert_eq!(
        found(&input, Err("why".to_owned())).page,
        Err("why".to_owned())
    );
    input.sources.push(Source {
        has_book: true,
        ..Source::default()
    });
    let got = found(&input, Ok(&heard));
    let of = got.page.unwrap().swap_remove(DAY);
    assert!(of.touch.unwrap_err().contains("no rows") && of.run.unwrap_err().contains("no rows"));
    assert_eq!(got.walked, Err("no zones".to_owned()));
}

/// What comes of a row is not known when the day begins that it reaches into.
#[test]
fn rivals_are_of_the_days_before() {
    let rows = true_rows(6, 6).rows;
    let days = Days::new(rows.iter().map(Row::day));
    let sums = lost(&rows, &days, 3);
    assert_eq!(sums[..3], [[0.0; 8]; 3]);
    // By hand: the share of the rows that were known by then.
    let begin = START + 3 * 24 * 60;
    let past = rows.iter().filter(|row| row.known <= begin);
    let share = past.clone().map(Row::came).sum::<f64>() / past.count() as f64;
    let day = rows
        .iter()
        .filter(|row| (begin..begin + 24 * 60).contains(&row.at));
    let want: f64 = day.map(|row| (share - row.came()).powi(2)).sum();
    assert!((sums[3][4] - want).abs() < 1e-9);
    let mut later = rows.clone();
    for row in later.iter_mut().filter(|row| row.known > begin) {
        row.happened = !row.happened;
    }
    // The day's own outcomes are turned round; what was said of them is not.
    let turned: f64 = rows
        .iter()
        .filter(|row| (begin..begin + 24 * 60).contains(&row.at))
        .map(|row| (share - 1.0 + row.came()).powi(2))
        .sum();
    assert!((lost(&later, &days, 3)[3][4] - turned).abs() < 1e-9);
}

fn zone(id: u32, near: f64, touch: Option<f64>) -> Told {
    Told {
        id,
        above: near > 0.0,
        state: state::FRESH,
        label: label::RUN,
        near,
        width: 0.01,
        touch,
        run: Some(0.7),
    }
}

#[test]
fn a_touch_is_a_mark_at_the_near_edge_within_the_horizon() {
    let minutes = (0..200).map(|at| Minute {
        at: START + at,
        turn: 1,
        high: if at == 119 { 0.02 } else { 0.001 },
        low: -0.001,
        is_whole: at != 150,
    });
    let asked = |at: i64, zones: &[Told], sigma: f64| Asked {
        at: START + at,
        turn: 1,
        mark: 0.0,
        sigma,
        zones: zones.to_vec(),
    };
    let in_it = Told {
        state: state::TOUCHED,
        ..zone(5, 0.02, Some(0.5))
    };
    let behind = Told {
        above: true,
        ..zone(6, -0.005, Some(0.5))
    };
    let all = [
        zone(1, 0.02, Some(0.25)),
        zone(2, 0.0201, Some(0.2)),
        zone(3, -0.02, Some(0.25)),
        zone(4, 0.02, None),
        in_it,
        behind,
    ];
    let of = OfMode {
        asked: vec![
            // Its last minute is the 119th.
            asked(60, &all, 0.01),
            asked(59, &all[..1], 0.01),
            asked(120, &all[..2], 0.01),
            asked(180, &all[..1], 0.01),
            asked(0, &all[..1], 0.0),
        ],
        touches: Vec::new(),
    };
    let heard = Heard {
        minutes: minutes.collect(),
        ..Heard::default()
    };
    let got = touches(&heard, &of, &SCORED[DAY]);
    let want = [
        (60, 1, true),
        (60, 2, false),
        (60, 3, false),
        (59, 1, false),
    ];
    let rows = got
        .rows
        .iter()
        .map(|row| (row.at - START, row.zone.1, row.happened));
    assert_eq!(rows.collect::<Vec<_>>(), want);
    assert_eq!((got.left.unknown, got.left.unheard), (2, 3));
    let first = got.rows[0];
    assert_eq!(
        (first.p, first.near, first.known),
        (0.25, -2.0, START + 120)
    );
    assert!((first.walk - 0.0455).abs() < 2e-4, "{first:?}");
    // A longer horizon has more sigma.
    let four = Mode {
        horizon: 240,
        ..SCORED[DAY]
    };
    assert!((four.sigma(0.01) - 0.02).abs() < 1e-12);
}

#[test]
fn a_run_is_held_against_the_width() {
    let touch = |came, zone, sigma| Touch {
        at: Nanos::new((START + 7) * Nanos::MINUTE.get() + 5),
        end: Nanos::new((START + 9) * Nanos::MINUTE.get()),
        turn: 1,
        zone,
        sigma,
        came,
    };
    let known = Some(zone(1, 0.02, None));
    let unjudged = known.map(|zone| Told { run: None, ..zone });
    let touches = vec![
        touch(Came::Ran, known, 0.01),
        touch(Came::Held, known, 0.02),
        touch(Came::Over, known, 0.01),
        touch(Came::Cut, known, 0.01),
        touch(Came::Ran, None, 0.01),
        touch(Came::Ran, unjudged, 0.01),
        touch(Came::Held, known, 0.0),
    ];
    let of = OfMode {
        asked: Vec::new(),
        touches,
    };
    let got = runs(&of, &SCORED[DAY]);
    let [ran, held] = got.rows[..].try_into().unwrap();
    assert!(ran.happened && !held.happened);
    assert_eq!((ran.at, ran.known, ran.p), (START + 7, START + 10, 0.7));
    // As wide as a sigma, and as half of one.
    assert!((ran.walk - 0.1 / 1.15).abs() < 1e-12 && (held.near + 0.5).abs() < 1e-12);
    assert_eq!(
        (got.left.over, got.left.unheard, got.left.unknown),
        (1, 1, 3)
    );
}

#[test]
fn bars_say_whether_the_price_came() {
    let mut chance = chance(12);
    let bar = 5 * Nanos::MINUTE.get();
    let mut price = 4.0;
    let steps = (0..600).map(|at: i64| {
        let open = price;
        price += 0.002 * chance.normal();
        let start = Nanos::new(START * Nanos::MINUTE.get() + at * bar);
        Step {
            start,
            end: start.plus(Nanos::new(bar)),
            open,
            high: open.max(price),
            low: open.min(price),
            close: price,
            usd: 1.0,
        }
    });
    let mut steps: Vec<Step> = steps.collect();
    // A bar that was never told, in the hour after the step 479.
    let gone = steps.remove(485).start;
    let path = Path::from_steps(steps.clone());
    let mut stood = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        if step.end.get() % Nanos::HOUR.get() == 0 {
            for (id, way) in [0.004, -0.004, 0.04].into_iter().enumerate() {
                stood.push(Stood {
                    step: at,
                    id: id as u32,
                    above: way > 0.0,
                    level: step.close + way,
                });
            }
        }
    }
    let walked = magnet::Walked {
        warm: steps[150].end,
        seen: Seen {
            stood,
            ..Seen::default()
        },
        path,
    };
    let got = bars::rows(&walked, &SCORED[DAY]);
    // The last full hour has no hour behind it, and one has a hole.
    assert_eq!(got.left.unheard, 6);
    assert!(got.rows.len() > 60 && got.left.far > 20);
    for row in &got.rows {
        let begin = Nanos::new(row.at * Nanos::MINUTE.get());
        assert!(begin >= steps[150].end && row.known == row.at + 60);
        let from = steps.iter().position(|step| step.start >= begin).unwrap();
        let hour = &steps[from..from + 12];
        assert!(!hour.iter().any(|step| step.start == gone));
        let close = steps[from - 1].close;
        let happened = match row.zone.1 {
            0 => hour.iter().any(|step| step.high >= close + 0.004),
            _ => hour.iter().any(|step| step.low <= close - 0.004),
        };
        assert_eq!(row.happened, happened);
        let sigma = walked.path.sigma[from - 1];
        assert!((row.near + 0.004 / sigma).abs() < 1e-9);
        let sigmas = 0.004 / walked.path.expected[from - 1];
        let said = fixed::hit_fat((sigmas * ONE as f64) as i64) as f64 / ONE as f64;
        assert!((row.p - said).abs() < 1e-4);
    }
}
