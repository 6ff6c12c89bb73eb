//! Many days of the built-in exchange on a tape, proven.
//!
//! The crowd here keeps no stops, adds no margin and stays: what stands at a liquidation price is liquidated there, so
//! that the true map *is* what will happen within a window. `ISOTHERM_PROOF=full` takes forty days and the
//! untouched default crowd beside it.

use crate::ear;
use isotherm::event::Kind;
use isotherm::market::Holder;
use isotherm::num::Px;
use isotherm::num::log::ln_px;
use isotherm::prove::cells::judge::{Found, Judge};
use isotherm::prove::cells::{self, Cells, report};
use isotherm::prove::gate::Verdict;
use isotherm::prove::score::Figure;
use isotherm::prove::{self, Options, input};
use isotherm::sim::{Params, World};
use isotherm::time::Nanos;
use std::collections::BTreeMap;
use std::path::Path;

/// Draws of a bootstrap.
const REPS: usize = 500;
/// Positions further from the mark than this are not kept, log price.
const NEAR: f64 = 0.05;

/// What stood near the mark at the begin of a window, by begin and holder: log price Q48 and USD, lowest first.
type Standing = BTreeMap<(Nanos, u8), Vec<(i64, f64)>>;

fn crowd(plain: bool) -> Params {
    let mut params = Params::only(&["BTCUSDT"]);
    // Books are not read, and most of the noise is left out: only time is saved.
    params.cadence.book = 1 << 40;
    params.cadence.kline = 0;
    params.cadence.ticker = 20;
    params.depth.noise_rate = 0.3;
    if !plain {
        params.crowd.stop_share = 0.0;
        params.crowd.top_up_share = 0.0;
        params.crowd.halve_share = 0.0;
        // They stay: six times as long, so a quarter of the openings fills the market.
        params.crowd.hold_seconds *= 6.0;
        params.crowd.open_rate /= 4.0;
    }
    params
}

/// Writes a tape of so many days; answers what really stood at the begin of every window.
fn recorded(path: &Path, params: Params, seed: u64, days: i64) -> Standing {
    let world = World::new(seed, params).unwrap();
    let keeps = |kind| {
        matches!(
            kind,
            Kind::Trade | Kind::Mark | Kind::Interest | Kind::Liquidation | Kind::Tier
        )
    };
    let mut standing = Standing::new();
    let windows = days * Nanos::DAY.get() / cells::WINDOW.get();
    let begins = (0..windows).map(|window| Nanos::new(cells::WINDOW.get() * window));
    ear::recorded(path, world, false, keeps, begins, &mut |at, world| {
        let truth = world.truth("BTCUSDT").unwrap();
        for holder in Holder::BOTH {
            let near = |(price, _): &&(f64, f64)| (price / truth.mark).ln().abs() < NEAR;
            let own = truth.positions[holder as usize].iter().filter(near);
            let steps = |price: f64| Px::new((price * Px::ONE as f64).round() as i64);
            let mut own: Vec<(i64, f64)> = own
                .map(|(price, size)| (ln_px(steps(*price)), price * size))
                .collect();
            own.sort_by_key(|(ln, _)| *ln);
            standing.insert((at, holder as u8), own);
        }
    });
    standing
}

/// What really stood in each cell: exactly what was swept of it.
fn truth(table: &Cells, standing: &Standing) -> Vec<f64> {
    let of = |cell: &cells::Cell| {
        let own = standing.get(&(cell.start, cell.holder as u8));
        let [a, b] = cell.swept;
        let all = own.map_or(&[][..], Vec::as_slice);
        let from = all.partition_point(|(ln, _)| *ln < a.min(b));
        let inside = all[from..].iter().take_while(|(ln, _)| *ln <= a.max(b));
        inside.map(|(_, usd)| usd).sum()
    };
    table.cells.iter().map(of).collect()
}

/// The same numbers, each at another cell.
fn shuffled(said: &[f64]) -> Vec<f64> {
    let mut out = said.to_vec();
    let mut state = 11u64;
    for at in (1..out.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        out.swap(at, (state >> 33) as usize % (at + 1));
    }
    out
}

fn told(what: &str, found: &Found) {
    println!("{what}:");
    report::text(found)
        .iter()
        .for_each(|line| println!("{line}"));
}

/// The same mass of every window, venue and holder three cells further out; what is pushed over the end begins anew.
fn beside(table: &Cells, said: &[f64]) -> Vec<f64> {
    let name = |i: usize| {
        let cell = &table.cells[i];
        (cell.window, cell.venue, cell.holder)
    };
    let mut out = said.to_vec();
    let mut from = 0;
    for to in 1..=out.len() {
        if to == out.len() || name(to) != name(from) {
            out[from..to].rotate_right(3 % (to - from));
            from = to;
        }
    }
    out
}

fn value(of: Option<Figure>) -> f64 {
    of.map_or(f64::NAN, |figure| figure.value)
}

/// Every score of every map, and what each wrong map is caught by.
fn scores(maps: &[(&str, &Found); 5]) {
    println!(
        "{:<22} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9} {:>7} {:>7} {:>7}",
        "map",
        "area",
        "lift 1%",
        "cluster",
        "MCB",
        "DSC",
        "slope",
        "icept",
        "windows",
        "lean",
        "place",
        "saved"
    );
    for (name, of) in maps {
        let own = &of.lines[0].ranked;
        println!(
            "{name:<22} {:>7.3} {:>7.2} {:>7.3} {:>7.3} {:>7.3} {:>7.3} {:>7.3} {:>9.4} {:>7.3} {:>7.3} {:>7.3}",
            value(own.area),
            value(own.lift[0]),
            value(of.events.over_path),
            value(of.calibrated.miscalibration),
            value(of.calibrated.discrimination),
            value(of.evidence.slope),
            value(of.calibrated.intercept),
            value(of.spread.as_ref().and_then(|spread| spread.distance)),
            value(of.placed.lean),
            value(of.placed.apart),
            value(of.placed.saved)
        );
    }
    let [real, wrong, double, moved, _] = maps.map(|(_, found)| found);
    let area = |of: &Found| value(of.lines[0].ranked.area);
    let mcb = |of: &Found| value(of.calibrated.miscalibration);
    let dsc = |of: &Found| value(of.calibrated.discrimination);
    let events = |of: &Found| value(of.events.over_path);
    // The order, and with it the gain by cluster, is the shuffle's loss.
    assert!(events(real) > events(wrong) + 1.0);
    assert!(wrong.events.over_path.is_some_and(|gain| gain.high < 0.0));
    assert!(area(real) > 0.8 && area(wrong).abs() < 0.2);
    assert!(dsc(wrong) < 0.1 * dsc(real));
    // The scale is what miscalibration and slope tell, and nothing else. (The law of a window has nothing to be right
    // about: an exact truth leaves no dispersion.)
    assert!(mcb(double) > mcb(real) + 0.2);
    assert!((value(double.evidence.slope) - value(real.evidence.slope) / 2.0).abs() < 1e-9);
    assert!((area(double) - area(real)).abs() < 0.01);
    assert!((dsc(double) - dsc(real)).abs() < 0.02 * dsc(real));
    assert!((value(double.placed.saved) - value(real.placed.saved)).abs() < 0.01);
    // The place is what positions and distances tell; sums of windows know nothing of it.
    assert!((value(moved.evidence.slope) - value(real.evidence.slope)).abs() < 1e-9);
    assert!(value(moved.placed.apart) > value(real.placed.apart) + 0.03);
    assert!(real.placed.saved.is_some_and(|saved| saved.low > 0.2));
    assert!(value(moved.placed.saved) < value(real.placed.saved) / 2.0);
    assert!(value(wrong.placed.saved) < value(real.placed.saved) / 2.0);
}

/// The verdicts on the truth, its shuffle, and ours.
fn verdicts(folder: &Path, params: Params, seed: u64, days: i64, stays: bool) -> [Found; 3] {
    let tape = folder.join("days.tape");
    let standing = recorded(&tape, params, seed, days);
    let inputs = input::read(std::slice::from_ref(&tape), None).unwrap();
    assert_eq!(inputs.len(), 1);
    let table = cells::cells(&inputs[0]).unwrap();
    let judge = Judge::new(&table).unwrap().unwrap();
    let real = truth(&table, &standing);
    let found = [
        judge.judge("the truth", &real, REPS),
        judge.judge("the truth, shuffled", &shuffled(&real), REPS),
        judge.ours(REPS),
    ];
    for (what, found) in ["the truth", "its shuffle", "ours"].iter().zip(&found) {
        told(what, found);
    }
    // A crowd that keeps stops dies elsewhere than it stands: the truth is none of a window then.
    if stays {
        let double: Vec<f64> = real.iter().map(|v| 2.0 * v).collect();
        let double = judge.judge("the truth, doubled", &double, REPS);
        let moved = judge.judge("the truth, 6 bp out", &beside(&table, &real), REPS);
        scores(&[
            ("the truth", &found[0]),
            ("its shuffle", &found[1]),
            ("the truth, doubled", &double),
            ("the truth, 6 bp out", &moved),
            ("ours", &found[2]),
        ]);
    }
    whole(&tape, &found[2]);
    found
}

/// The whole proof of the tape stands on the same test, and shows it.
fn whole(tape: &Path, ours: &Found) {
    let options = Options {
        files: vec![tape.to_owned()],
        symbols: None,
        reps: REPS,
        quick: true,
        sensitivity: false,
    };
    let found = prove::run(&options, &mut |_| {}).unwrap();
    let proof = &found.proofs[0];
    assert_eq!(proof.test, report::TEST);
    assert_eq!(proof.evidence, ours.evidence);
    let cells = proof.cells.as_ref().unwrap();
    assert!(cells.second.is_some(), "the hours stand beside it");
    let json = prove::report::object(&found);
    assert_eq!(json["symbols"][0]["cells"]["verdict"], ours.verdict.word());
    assert_eq!(json["symbols"][0]["test"], report::TEST);
    let cells = &json["symbols"][0]["cells"];
    for (part, key) in [
        ("by_cluster", "gain_over_path_nats"),
        ("calibrated", "mcb_nats"),
        ("spread", "distance_from_uniform"),
        ("placed", "position_lean"),
    ] {
        assert!(cells[part][key].is_object(), "{part}.{key}");
    }
    assert_eq!(
        cells["maps"][0]["ranked"]["lifts"].as_array().map(Vec::len),
        Some(4)
    );
    let page = prove::report::html(&found);
    assert!(page.contains("By cell, on prints") && page.contains("swept</text></svg>"));
}

#[test]
fn the_truth_is_proven_and_its_shuffle_is_disproven() {
    let full = std::env::var("ISOTHERM_PROOF").is_ok_and(|v| v == "full");
    let folder = tempfile::tempdir().unwrap();
    let days = if full { 40 } else { 14 };
    let [real, wrong, ours] = verdicts(folder.path(), crowd(false), 7, days, true);
    assert!(real.days >= 10, "{} days", real.days);
    assert_eq!(real.verdict, Verdict::Proven, "{}", real.why);
    assert_eq!(wrong.verdict, Verdict::Disproven, "{}", wrong.why);
    // Ours may be anything but better than the truth.
    let [best, own] = [&real, &ours].map(|found| found.evidence.over_path.unwrap().value);
    assert!(own < best, "ours {own}, the truth {best}");
    if full {
        let _ = verdicts(
            tempfile::tempdir().unwrap().path(),
            crowd(true),
            8,
            days,
            false,
        );
    }
}
