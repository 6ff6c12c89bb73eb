//! Tests of `pit`.

use super::super::weather::Weather;
use super::*;
use crate::market::Holder;

/// Runs one contract and shows it before and after every beat.
fn run(params: &Params, seed: u64, beats: u64, mut see: impl FnMut(&Pit, &Pit)) -> Pit {
    let mut weather = Weather::new(&params.weather, seed);
    let mut pit = Pit::new(params, 0, seed).unwrap();
    let start = params.start.get() / 1_000_000;
    for beat in 0..beats {
        let before = pit.clone();
        weather.step();
        let ms = start + beat as i64 * 100;
        pit.step(beat, ms, weather.gust, weather.rough());
        see(&before, &pit);
        pit.prints.clear();
        pit.deaths.clear();
    }
    pit
}

fn rough_params() -> Params {
    // A small, wild market, so that a short run meets every rule.
    let mut params = Params::only(&["ETHUSDT"]).stormy();
    params.weather.vol = 0.12;
    params.crowd.past_seconds = 2_000.0;
    params.crowd.hold_seconds = 3_000.0;
    params.crowd.open_rate = 2.0;
    params
}

#[test]
fn exactly_those_whom_the_mark_has_crossed_are_forced() {
    let mut total = 0;
    let pit = run(&rough_params(), 21, 12_000, |before, after| {
        let mark = after.mark_units * 1_000;
        let mut crossed = [0u64; 2];
        for p in before.crowd.iter().filter(|p| !p.doomed) {
            crossed[p.holder as usize] += u64::from(match (p.forced_at, p.holder) {
                (None, _) => false,
                (Some(key), Holder::Long) => mark <= key,
                (Some(key), Holder::Short) => mark >= key,
            });
        }
        for (h, crossed) in crossed.into_iter().enumerate() {
            let forced = after.stats.forced[h] - before.stats.forced[h];
            assert_eq!(forced, crossed);
            total += forced;
        }
    });
    assert!(total > 100, "{total}");
    assert!(pit.stats.induced > 0);
}

#[test]
fn every_lot_has_a_long_and_a_short_and_no_interest_comes_without_a_trade() {
    let mut wider = 0;
    run(&rough_params(), 22, 12_000, |before, after| {
        let [long, short] = after.interest();
        assert_eq!(long, short);
        let traded: i64 = after.prints.iter().map(|p| i64::from(p.lots)).sum();
        let opened = long - before.interest()[0];
        assert!(
            opened <= traded,
            "{opened} lots appeared, {traded} were traded"
        );
        wider += i64::from(opened > 0);
    });
    assert!(wider > 1_000);
}

#[test]
fn a_large_position_dies_in_clips_that_sum_to_it_at_one_bankruptcy_price() {
    let mut params = rough_params();
    params.engine.clip_usd = 500.0;
    let mut clips = 0;
    run(&params, 23, 6_000, |before, after| {
        let held = |pit: &Pit| -> i64 {
            let doomed = pit.crowd.iter().filter(|p| p.doomed);
            doomed.map(|p| p.lots).sum()
        };
        let died: i64 = after.deaths.iter().map(|d| d.lots).sum();
        let most = (500.0 / after.anchor / after.lot) as i64;
        assert!(after.deaths.iter().all(|d| d.lots <= most.max(1)));
        let fresh: u64 = (0..2)
            .map(|h| after.stats.forced[h] - before.stats.forced[h])
            .sum();
        if fresh == 0 {
            assert_eq!(held(before) - died, held(after));
        }
        clips += after.deaths.len();
    });
    assert!(clips > 200, "{clips}");
}
