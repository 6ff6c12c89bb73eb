//! A simulated tape with its book, through the whole of the test of cascades: decoders, tape, replay, page, figures.
//!
//! It is hours long, so the figures mean nothing; that they are there, of what the world printed, is what is asked.

use crate::ear;
use isotherm::prove::cascade::{self, Least, eye, report};
use isotherm::prove::input;
use isotherm::sim::{Params, World};
use isotherm::time::Nanos;
use std::path::Path;

/// Hours from the begin to midnight, and behind it.
const HOURS: [i64; 2] = [2, 1];
const LEAST: Least = Least {
    days: 2,
    events: 4,
    warm: 40,
    rare: 80,
};

fn crowd() -> Params {
    let mut params = Params::only(&["BTCUSDT"]);
    params.cadence.book = 20;
    params.cadence.kline = 0;
    params.depth.noise_rate = 0.3;
    // Many are closed out.
    params.weather.vol *= 6.0;
    params.crowd.open_rate *= 2.0;
    params.crowd.stop_share = 0.0;
    params.crowd.top_up_share = 0.0;
    params.crowd.halve_share = 0.0;
    let day = Nanos::DAY.get();
    let midnight = (params.start.get().div_euclid(day) + 1) * day;
    params.start = Nanos::new(midnight - HOURS[0] * Nanos::HOUR.get());
    params
}

fn recorded(path: &Path, has_book: bool, hours: i64) {
    let world = World::new(3, crowd()).unwrap();
    let end = Nanos::new(hours * Nanos::HOUR.get());
    ear::recorded(
        path,
        world,
        has_book,
        |_| true,
        [end].into_iter(),
        &mut |_, _| {},
    );
}

#[test]
fn a_simulated_tape_goes_through_the_whole_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("hours.tape");
    recorded(&tape, true, HOURS[0] + HOURS[1]);
    let files = [tape];
    let inputs = input::read(&files, None).unwrap();
    let seen = eye::seen(&files, None, &inputs);
    let minutes = &seen.as_ref().unwrap()["BTC"];
    let known = minutes
        .iter()
        .filter(|m| m.said.is_some_and(|s| s.gain[0].is_some()));
    println!(
        "{} minutes, {} with a gain",
        minutes.len(),
        known.clone().count()
    );
    assert!(minutes.len() >= 175 && known.count() > 120);
    let zones = minutes.iter().filter_map(|m| m.said);
    let zones = zones.filter(|s| s.gain.iter().any(|g| g.is_some_and(|g| g > 0.0)));
    assert!(zones.count() > 20, "there are zones, and gains of them");
    let found = cascade::of(&inputs[0], &seen, &LEAST, 200);
    report::text(&found)
        .iter()
        .for_each(|line| println!("{line}"));
    let found = found.unwrap();
    assert_eq!((found.counted.days, found.counted.event_days), (2, 2));
    assert_eq!(found.counted.unseen, 0);
    assert!(found.areas.iter().all(Option::is_some) && found.base.is_some());
    // Hours are too little for a proof.
    let why = cascade::of(&inputs[0], &seen, &cascade::LEAST, 200).unwrap_err();
    assert!(why.contains("30 events on 10 days are needed"), "{why}");
}

#[test]
fn a_tape_without_books_is_not_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("bookless.tape");
    recorded(&tape, false, 1);
    let files = [tape];
    let inputs = input::read(&files, None).unwrap();
    let seen = eye::seen(&files, None, &inputs);
    assert_eq!(seen, Ok(eye::Seen::new()));
    assert_eq!(
        cascade::of(&inputs[0], &seen, &LEAST, 200),
        Err("no book".to_owned())
    );
}
