//! A simulated tape with its book, through the whole of the test of cascades: decoders, tape, replay, page, figures.
//!
//! It is hours long, so the figures mean little: that they are there, of what the world printed, that a gain which
//! knows is found and its shuffle is not. The same page is asked where the price goes, and whether its zones' odds are
//! right. `ISOTHERM_PROOF=full` takes three weeks of the untouched crowd, with the book as it is and a tenth as deep,
//! and prints what the engine's forecasts were worth (seven gigabytes in the folder for temporary files; some ten
//! minutes).

use crate::ear;
use isotherm::prove::cascade::{self, Found, Least, eye, report};
use isotherm::prove::{direction, input, odds, page, score};
use isotherm::sim::{Params, World};
use isotherm::time::Nanos;
use std::path::Path;

/// Hours from the begin to midnight, and behind it.
const HOURS: [i64; 2] = [2, 1];
/// Of the long form.
const DAYS: i64 = 21;
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
    told(path, World::new(3, crowd()).unwrap(), has_book, hours);
}

fn told(path: &Path, world: World, has_book: bool, hours: i64) {
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
    let heard = page::heard(&files, None, &inputs).unwrap();
    let minutes = &heard["BTC"].cascade;
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
    let found = cascade::of(&inputs[0], &heard["BTC"].cascade, &LEAST, 200);
    report::text(&found)
        .iter()
        .for_each(|line| println!("{line}"));
    let found = found.unwrap();
    assert_eq!((found.counted.days, found.counted.event_days), (2, 2));
    assert_eq!(found.counted.unseen, 0);
    assert!(found.ranked.area.is_some() && found.base.is_some());
    let found = |minutes: Vec<eye::Minute>| -> Found {
        cascade::of(&inputs[0], &minutes, &LEAST, 50).unwrap()
    };
    let area = |found: &Found| found.ranked.area.unwrap().value;
    let base = found(minutes.clone()).base.unwrap().value;
    // One that knows what the minute will print, and the same at other minutes.
    let mut knowing = minutes.clone();
    for minute in &mut knowing {
        let prints = inputs[0].sources.iter().flat_map(|source| &source.prints);
        let prints =
            prints.filter(|print| print.at.get().div_euclid(Nanos::MINUTE.get()) == minute.at);
        let mut gain = [0.0; 2];
        prints.for_each(|print| gain[print.holder as usize] += 0.1);
        minute
            .said
            .iter_mut()
            .for_each(|said| said.gain = gain.map(Some));
    }
    let count = knowing.len();
    let knows = area(&found(knowing.clone()));
    // Few events: one shuffle may be lucky.
    let shuffles = (1..=20usize).map(|turn| {
        let mut other = knowing.clone();
        for (at, minute) in other.iter_mut().enumerate() {
            let gain = knowing[(at * 101 + turn * 7) % count].said;
            let gain = gain.map_or([Some(0.0); 2], |said| said.gain);
            minute.said.iter_mut().for_each(|said| said.gain = gain);
        }
        area(&found(other))
    });
    let shuffled = shuffles.sum::<f64>() / 20.0;
    println!("base {base:.3}, knowing {knows:.3}, shuffled {shuffled:.3}");
    assert!(
        knows > 0.9 && shuffled < 3.0 * base,
        "{base} {knows} {shuffled}"
    );
    // Hours are too little for a proof.
    let why = cascade::of(&inputs[0], &heard["BTC"].cascade, &cascade::LEAST, 200).unwrap_err();
    assert!(why.contains("30 events on 10 days are needed"), "{why}");
    directed(&inputs[0], &heard["BTC"]);
    judged(&inputs[0], &heard["BTC"]);
}

/// The same page, as to where the price goes.
fn directed(input: &input::Input, heard: &page::Heard) {
    let few = direction::Least {
        days: 2,
        weeks: 1,
        rows: 10,
        train: 1,
    };
    let found = direction::of(input, &heard.direction, &few, 200);
    direction::report::text(&found)
        .iter()
        .for_each(|line| println!("{line}"));
    let mut found = found.unwrap();
    let (_, swing) = found.pop().unwrap();
    let why = swing.unwrap_err();
    assert!(why.contains("on 7 days are needed"), "{why}");
    for (mode, found) in found {
        let found = found.unwrap();
        assert!(found.rows > 10 && found.silent < 20, "{mode:?}");
        // The map speaks, so there is something to take out.
        assert!(found.moved > found.rows / 2, "{found:?}");
        assert!(found.ranked.area.is_some());
    }
    let [scalp, day, swing] = direction::of(input, &heard.direction, &direction::LEAST, 200)
        .unwrap()
        .try_into()
        .unwrap();
    for ((_, refused), days) in [scalp, day, swing].into_iter().zip([10, 10, 56]) {
        let why = refused.unwrap_err();
        let needed = format!("500 rows on {days} days are needed");
        assert!(why.contains(&needed), "{why}");
    }
}

/// The same page, as to the odds of its zones.
fn judged(input: &input::Input, heard: &page::Heard) {
    let (heard, mode) = (&heard.odds, &odds::SCORED[1]);
    let of = &heard.modes[1];
    let whole = heard.minutes.iter().filter(|minute| minute.is_whole);
    assert!(whole.count() >= 175);
    let touches = odds::touches(heard, of, mode);
    let runs = odds::runs(of, mode);
    println!(
        "{} touches and {} runs as rows, left out {:?}, {:?}",
        touches.rows.len(),
        runs.rows.len(),
        touches.left,
        runs.left
    );
    assert!(touches.rows.len() + touches.left.far > 4 && runs.rows.len() > 4);
    // Of two zones asked about at once the nearer is the likelier.
    for (one, two) in touches.rows.iter().zip(touches.rows.iter().skip(1)) {
        let apart = one.near - two.near;
        if one.at == two.at && apart.abs() > 0.5 {
            assert!((one.p - two.p) * apart > 0.0, "{one:?} {two:?}");
        }
    }
    for row in &runs.rows {
        let label = isotherm::zone::odds::label_of((row.p * 65_536.0) as i64);
        let on_edge = [0.4, 0.6].iter().any(|edge| (row.p - edge).abs() < 2e-4);
        assert!(label == row.label || on_edge, "{row:?}");
    }
    let few = odds::Least {
        days: 2,
        rows: [1, 1],
        train: 1,
    };
    let none = Err("no zones were walked".to_owned());
    let found = odds::of(input, Ok(heard), &none, &few, 200);
    shown(&found);
    // Which modes' touches end on both sides of midnight hangs on the tape.
    let mut runs = found.page.unwrap().into_iter().flat_map(|mode| mode.run);
    assert!(runs.any(|run| run.happened.is_some() && !run.labels.is_empty()));
    let found = odds::of(input, Ok(heard), &none, &odds::LEAST, 200);
    let found = found.page.unwrap().swap_remove(1);
    assert!(
        found
            .touch
            .unwrap_err()
            .contains("100 rows on 10 days are needed")
    );
}

fn shown(found: &odds::Found) {
    odds::report::text(found)
        .iter()
        .for_each(|line| println!("{line}"));
}

/// What the engine's own forecast of cascades, its bias and its zones' odds are worth.
#[test]
fn three_weeks_with_books() {
    if std::env::var("ISOTHERM_PROOF").is_ok_and(|v| v == "full") {
        for (seed, deep) in [(22, 1.0), (23, 0.1)] {
            let mut params = Params::only(&["BTCUSDT"]);
            // Every two seconds: 280 MB a day.
            params.cadence.book = 20;
            params.cadence.kline = 0;
            params.contracts[0].level_usd *= deep;
            let folder = tempfile::tempdir().unwrap();
            let files = [folder.path().join("days.tape")];
            told(
                &files[0],
                World::new(seed, params).unwrap(),
                true,
                DAYS * 24,
            );
            let inputs = input::read(&files, None).unwrap();
            let heard = page::heard(&files, None, &inputs).unwrap();
            let found = cascade::of(
                &inputs[0],
                &heard["BTC"].cascade,
                &cascade::LEAST,
                score::REPS,
            );
            println!("seed {seed}, {DAYS} days, books {deep} as deep as usual:");
            report::text(&found)
                .iter()
                .for_each(|line| println!("{line}"));
            let found = found.unwrap();
            assert!(found.ranked.area.unwrap().low > found.base.unwrap().high);
            let directed = direction::of(
                &inputs[0],
                &heard["BTC"].direction,
                &direction::LEAST,
                score::REPS,
            );
            direction::report::text(&directed)
                .iter()
                .for_each(|line| println!("{line}"));
            let measured = directed
                .unwrap()
                .iter()
                .map(|(_, mode)| mode.is_ok())
                .collect::<Vec<_>>();
            assert_eq!(measured, [true, true, false]);
            let none = Err("no zones were walked".to_owned());
            let heard = Ok(&heard["BTC"].odds);
            let found = odds::of(&inputs[0], heard, &none, &odds::LEAST, score::REPS);
            shown(&found);
            let found = found.page.unwrap().swap_remove(1);
            assert!(found.run.is_ok() && found.touch.is_ok());
        }
    }
}

#[test]
fn a_tape_without_books_is_not_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("bookless.tape");
    recorded(&tape, false, 1);
    let files = [tape];
    let inputs = input::read(&files, None).unwrap();
    let heard = page::heard(&files, None, &inputs).unwrap();
    assert!(heard.is_empty());
    let none = cascade::of(&inputs[0], &[], &LEAST, 200);
    assert_eq!(none, Err("no book".to_owned()));
    // A recorder's standby told the same hour: every print would count twice.
    let other = folder.path().join("standby.tape");
    std::fs::copy(&files[0], &other).unwrap();
    let twice = input::read(&[files[0].clone(), other], None).unwrap_err();
    let why = twice.to_string();
    assert!(
        why.contains("for the same time") && why.contains("standby.tape"),
        "{why}"
    );
}
