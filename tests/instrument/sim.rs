//! Many days of the built-in exchange on a tape, proven.
//!
//! The crowd here keeps no stops, adds no margin and stays: what stands at a liquidation price is liquidated there, so
//! that the true map *is* what will happen within a window. `ISOTHERM_PROOF=full` takes forty days and the
//! untouched default crowd beside it.

use crate::ear::Ear;
use isotherm::event::{Event, Kind};
use isotherm::market::Holder;
use isotherm::num::Px;
use isotherm::num::log::ln_px;
use isotherm::prove::cells::judge::{Found, Judge};
use isotherm::prove::cells::{self, Cells, report};
use isotherm::prove::gate::Verdict;
use isotherm::prove::{self, Options, input};
use isotherm::sim::{Params, World};
use isotherm::tape::{End, Header, Record, RingPlan, RunPlan, Writer};
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
    let mut world = World::new(seed, params).unwrap();
    let header = Header {
        created: world.now(),
        run: 1,
        plan: RunPlan {
            symbols: vec!["BTC".to_owned()],
            rings: vec![RingPlan {
                venue: "bybit".to_owned(),
                ..RingPlan::default()
            }],
            ..RunPlan::default()
        },
        ..Header::default()
    };
    let mut writer = Writer::create(path, &header).unwrap();
    let kinds = [
        Kind::Trade,
        Kind::Mark,
        Kind::Interest,
        Kind::Liquidation,
        Kind::Tier,
    ];
    let mut write = |group: &[Event]| {
        let kept: Vec<Event> = group
            .iter()
            .filter(|event| kinds.contains(&event.kind()))
            .copied()
            .collect();
        if let Some(first) = kept.first() {
            let record = Record::Events {
                ring: 0,
                recv: first.recv,
                bytes: bytemuck::cast_slice(&kept),
            };
            writer.append(&record).unwrap();
        }
    };
    let mut ear = Ear::connect(&mut world, &mut write);
    let begin = world.now();
    let mut standing = Standing::new();
    let windows = days * Nanos::DAY.get() / cells::WINDOW.get();
    for window in 0..windows {
        let at = begin.plus(Nanos::new(cells::WINDOW.get() * window));
        world.advance(at, &mut |frame| ear.hear(frame, &mut write));
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
    }
    assert_eq!(ear.faults(), 0);
    let end = End {
        at: world.now(),
        ..End::default()
    };
    writer.finish(end).unwrap();
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

/// The verdicts on the truth, its shuffle, and ours.
fn verdicts(folder: &Path, params: Params, seed: u64, days: i64) -> [Found; 3] {
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
    assert!(prove::report::html(&found).contains("By cell, on prints"));
}

#[test]
fn the_truth_is_proven_and_its_shuffle_is_disproven() {
    let full = std::env::var("ISOTHERM_PROOF").is_ok_and(|v| v == "full");
    let folder = tempfile::tempdir().unwrap();
    let days = if full { 40 } else { 14 };
    let [real, wrong, ours] = verdicts(folder.path(), crowd(false), 7, days);
    assert!(real.days >= 10, "{} days", real.days);
    assert_eq!(real.verdict, Verdict::Proven, "{}", real.why);
    assert_eq!(wrong.verdict, Verdict::Disproven, "{}", wrong.why);
    // Ours may be anything but better than the truth.
    let [best, own] = [&real, &ours].map(|found| found.evidence.over_path.unwrap().value);
    assert!(own < best, "ours {own}, the truth {best}");
    if full {
        let _ = verdicts(tempfile::tempdir().unwrap().path(), crowd(true), 8, days);
    }
}
