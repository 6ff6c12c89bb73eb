//! The test of cascades, on made-up minutes.

use super::eye::{Eye, Minute, Said, said};
use super::rows::{PAST, RUN, Scored, rows};
use super::*;
use crate::market::Holder;
use crate::num::log::ln_px;
use crate::num::{Px, Qty};
use crate::prove::input::{Source, Told};
use crate::prove::page;
use crate::prove::score::Draws;
use crate::shm::record::{CascadeRecord, MapRecord, Wide};
use bytemuck::Zeroable;
use proptest::prelude::*;

const START: i64 = 20_000 * 24 * 60;
const SIGMA: f64 = 0.01;
const SHORT: Least = Least {
    days: 5,
    events: 30,
    warm: 120,
    rare: 99,
};

fn quiet(at: i64, mark: f64) -> Minute {
    Minute {
        at,
        said: Some(Said {
            mark,
            sigma: Some(SIGMA),
            gain: [Some(0.1); 2],
            zone: [Some(0.1); 2],
            end: [None; 2],
        }),
        high: mark,
        low: mark,
    }
}

fn printed(at: i64, holder: Holder, count: usize) -> impl Iterator<Item = Told> {
    (0..count).map(move |n| Told {
        at: Nanos::new(at * Nanos::MINUTE.get() + n as i64),
        holder,
        price: Px::whole(100),
        qty: Qty::whole(1),
    })
}

fn told(mut prints: Vec<Told>) -> Input {
    prints.sort_by_key(|print| print.at);
    Input {
        symbol: "BTC".to_owned(),
        sources: vec![Source {
            prints,
            has_book: true,
            ..Source::default()
        }],
        periods: Vec::new(),
    }
}

/// Days on which now and then a holder is closed out, the price goes `go` sigmas, and the gain stood `lead` minutes
/// before it, with an end that is off by a tenth of a sigma; false alarms too. `even` events are three hours apart, so
/// that a calm half hour tells something of them; others come as they like.
fn knowing(days: usize, lead: usize, seed: u64, even: bool) -> (Vec<Minute>, Input) {
    let mut draws = Draws::new(seed);
    let count = days * 24 * 60;
    let (mut minutes, mut prints, mut mark) = (Vec::new(), Vec::new(), 4.0);
    let events: Vec<Option<(Holder, f64)>> = (0..count)
        .map(|i| {
            let comes = if even {
                i % 180 == 90
            } else {
                draws.below(180) == 0
            };
            comes.then(|| {
                let go = 1.0 + draws.below(400) as f64 / 100.0;
                (Holder::BOTH[draws.below(2)], go)
            })
        })
        .collect();
    for i in 0..count {
        mark += (draws.below(3) as f64 - 1.0) * SIGMA / 60.0;
        let mut minute = quiet(START + i as i64, mark);
        let coming = (0..=lead).find_map(|k| events.get(i + k).copied().flatten());
        if let (Some((holder, go)), Some(said)) = (coming, &mut minute.said) {
            said.gain[holder as usize] = Some(1.5);
            let at = |sigmas: f64| mark + holder.hurts() as f64 * sigmas * SIGMA;
            said.end[holder as usize] = Some([at(0.2), at(go + 0.1)]);
        } else if let (0, Some(said)) = (draws.below(500), &mut minute.said) {
            said.gain[draws.below(2)] = Some(1.2);
        }
        // Prints that say nothing.
        let holder = Holder::BOTH[draws.below(2)];
        prints.extend(printed(minute.at, holder, draws.below(3)));
        if let Some((holder, go)) = events[i] {
            prints.extend(printed(minute.at, holder, 9));
            mark += holder.hurts() as f64 * go * SIGMA;
            minute.high = minute.high.max(mark);
            minute.low = minute.low.min(mark);
        }
        minutes.push(minute);
    }
    (minutes, told(prints))
}

/// The same readings, each at another minute.
fn shuffled(minutes: &[Minute], seed: u64) -> Vec<Minute> {
    let mut draws = Draws::new(seed);
    let mut said: Vec<[Option<f64>; 2]> =
        minutes.iter().filter_map(|m| Some(m.said?.gain)).collect();
    for at in (1..said.len()).rev() {
        said.swap(at, draws.below(at + 1));
    }
    let mut out = minutes.to_vec();
    for (minute, gain) in out.iter_mut().zip(said) {
        minute.said.iter_mut().for_each(|own| own.gain = gain);
    }
    out
}

#[test]
fn a_gain_that_knows_is_found() {
    let (minutes, input) = knowing(12, 7, 1, true);
    let got = found(&rows(&minutes, &input, &SHORT), &SHORT, 200).unwrap();
    assert_eq!((got.counted.events, got.counted.event_days), (95, 12));
    assert_eq!(got.counted.warned, 95);
    assert!(got.ranked.area.unwrap().low > 5.0 * got.base.unwrap().high);
    assert!(got.ranked.rivals.iter().all(|r| r.over.unwrap().low > 0.0));
    assert!(got.told.unwrap().low > 0.9);
    assert_eq!(got.warned.unwrap().value, 1.0);
    let lead = got.lead.unwrap();
    assert_eq!((lead.value, lead.low, lead.high), (7.0, 7.0, 7.0));
    // The first five events have no guess; an end that is a tenth off is nearer than the median.
    assert_eq!(got.counted.ends, 90);
    let [end, guess] = got.missed.map(|missed| missed.unwrap().value);
    assert!((end - 0.1).abs() < 0.03 && guess > 0.5, "{end} {guess}");
    assert!(got.nearer.unwrap().low > 0.3);
    // Ends of eleven days are none where twelve are asked for.
    let mut all = rows(&minutes, &input, &SHORT);
    let first = all.scored[0].day();
    for row in all.scored.iter_mut().filter(|row| row.day() == first) {
        row.event
            .iter_mut()
            .for_each(|event| (event.errors, event.lead) = (None, None));
    }
    let twelve = Least { days: 12, ..SHORT };
    let less = found(&all, &twelve, 50).unwrap();
    assert_eq!(
        (less.missed, less.nearer, less.lead),
        ([None; 2], None, None)
    );
    assert!(less.ranked.area.is_some());
    let shown = report::text(&Ok(got.clone())).join("\n");
    assert!(shown.contains("95 events on 12 days"), "{shown}");
    let mut page = String::new();
    report::html(&mut page, &Ok(got.clone()));
    assert!(page.contains("g &gt;= 1") && !page.contains("not measured"));
    let json = report::object(&Ok(got));
    assert!(json["rivals"][1]["gain_over_it"]["low"].is_f64());
}

#[test]
fn a_shuffled_gain_is_not() {
    let (mut above, mut told) = (0, 0);
    for seed in 0..8 {
        let (minutes, input) = knowing(12, 7, seed, false);
        let minutes = shuffled(&minutes, 100 + seed);
        let got = found(&rows(&minutes, &input, &SHORT), &SHORT, 200).unwrap();
        assert!(got.ranked.area.unwrap().value < 3.0 * got.base.unwrap().value);
        above += got
            .ranked
            .rivals
            .iter()
            .filter(|rival| rival.over.unwrap().low > 0.0)
            .count();
        told += usize::from(got.told.unwrap().low > 0.0);
    }
    assert!(above <= 2 && told <= 1, "{above} {told}");
}

/// A gain that tells the calm from the wild is no better than the range, and is not said to be.
#[test]
fn what_the_range_knows_too_is_no_gain() {
    let (mut minutes, mut prints) = (Vec::new(), Vec::new());
    let mut draws = Draws::new(5);
    let mut mark = 4.0;
    for i in 0..12 * 1_440 {
        let wild = i / 240 % 2 == 0;
        mark += (draws.below(3) as f64 - 1.0) * SIGMA / if wild { 5.0 } else { 60.0 };
        let mut minute = quiet(START + i, mark);
        if let Some(said) = &mut minute.said {
            said.gain = [Some(if wild { 0.9 } else { 0.1 }); 2];
        }
        if wild && draws.below(60) == 0 {
            prints.extend(printed(minute.at, Holder::BOTH[draws.below(2)], 9));
        }
        minutes.push(minute);
    }
    let got = found(&rows(&minutes, &told(prints), &SHORT), &SHORT, 200).unwrap();
    assert!(got.ranked.area.unwrap().low > got.base.unwrap().high);
    assert!(
        got.ranked.rivals[1].over.unwrap().low < 0.005,
        "{:?}",
        got.ranked.rivals[1]
    );
    assert_eq!(got.counted.warned, 0);
    assert_eq!((got.lead, got.nearer, got.missed), (None, None, [None; 2]));
}

#[test]
fn nothing_of_the_future_is_in_a_row() {
    let (minutes, input) = knowing(3, 7, 3, true);
    let all = rows(&minutes, &input, &SHORT).scored;
    for cut in [500usize, 1_532, 1_533, 2_000, 2_611, 4_000] {
        // From there on everything is otherwise.
        let mut other = minutes.clone();
        for (i, minute) in other.iter_mut().enumerate().skip(cut) {
            (minute.high, minute.low) = (9.0 + i as f64, -9.0);
            minute.said = minute.said.map(|said| Said {
                gain: [Some(77.0); 2],
                ..said
            });
        }
        let from = minutes[cut].at;
        let mut prints: Vec<Told> = input.sources[0].prints.clone();
        prints.retain(|print| print.at.get() < from * Nanos::MINUTE.get());
        for i in (0..100).step_by(3) {
            prints.extend(printed(from + i, Holder::Long, 50));
        }
        let other = rows(&other, &told(prints), &SHORT).scored;
        let before = |all: &[Scored]| -> Vec<Scored> {
            let all = all.iter().filter(|row| row.at < from);
            // How an event ended is of the ten minutes after it.
            all.map(|row| Scored {
                event: row.event.map(|event| rows::Event {
                    errors: event.errors.filter(|_| row.at + RUN as i64 <= from),
                    ..event
                }),
                ..*row
            })
            .collect()
        };
        assert_eq!(before(&all), before(&other), "cut at {cut}");
        assert!(!before(&all).is_empty());
        // What was said, at the very minute of the cut, was said before it: only there it may differ.
        assert!(other.iter().any(|row| row.gain == 77.0));
    }
}

#[test]
fn a_run_is_one_event_and_a_hole_is_no_row() {
    let minutes: Vec<Minute> = (0..400)
        .filter(|i| *i != 300)
        .map(|i| quiet(START + i, 4.0))
        .collect();
    let mut prints = Vec::new();
    for at in [150, 151, 155, 165, 200, 209, 250, 260, 300, 310] {
        prints.extend(printed(START + at, Holder::Long, 6));
    }
    let got = rows(&minutes, &told(prints), &SHORT);
    let events: Vec<i64> = got
        .scored
        .iter()
        .filter(|row| row.event.is_some())
        .map(|row| row.at - START)
        .collect();
    // 165 is ten minutes after the last of the run; 310 stands in a half hour with a hole.
    assert_eq!(events, [150, 165, 200, 250, 260]);
    assert_eq!(got.counted.unseen, 6);
    let has = |at: i64| {
        let mut of = got.scored.iter();
        of.any(|row| row.at == START + at && row.holder == Holder::Long)
    };
    assert!(!has(119) && has(120) && has(149));
    assert!(!has(151) && !has(164) && has(299) && !has(330) && has(331));
    let recent = |at: i64| {
        let mut of = got.scored.iter();
        of.find(|row| row.at == START + at && row.holder == Holder::Long)
            .map(|row| row.recent)
    };
    assert_eq!(
        (recent(150), recent(165), recent(190)),
        (Some(0.0), Some(18.0), Some(6.0))
    );
}

#[test]
fn a_lead_is_told_up_to_half_an_hour() {
    for (stood, want) in [
        (0, None),
        (1, Some(0)),
        (8, Some(7)),
        (31, Some(30)),
        (60, Some(30)),
    ] {
        let mut minutes: Vec<Minute> = (0..300).map(|i| quiet(START + i, 4.0)).collect();
        for minute in &mut minutes[251 - stood..251] {
            minute
                .said
                .iter_mut()
                .for_each(|said| said.gain[1] = Some(1.0));
        }
        let prints = printed(START + 250, Holder::Short, 5).collect();
        let got = rows(&minutes, &told(prints), &SHORT).scored;
        let event = got.iter().find_map(|row| row.event).unwrap();
        assert_eq!((event.lead, event.bar, event.errors), (want, 5, None));
    }
}

/// What is said of a zone if it goes is not held against an event that did not come to it.
#[test]
fn an_end_is_of_events_that_came_to_the_zone() {
    let mut minutes: Vec<Minute> = (0..1_000).map(|i| quiet(START + i, 4.0)).collect();
    let mut prints = Vec::new();
    // Every fourth goes to two sigmas only, the others to three; the zone begins at 2.5, its end is at 3.25.
    for (n, at) in (200..900).step_by(50).enumerate() {
        let go = if n % 4 == 1 { 2.0 } else { 3.0 };
        minutes[at + 2].high = 4.0 + go * SIGMA;
        let said = minutes[at].said.as_mut().unwrap();
        said.end[1] = Some([2.5, 3.25].map(|sigmas| 4.0 + sigmas * SIGMA));
        prints.extend(printed(START + at as i64, Holder::Short, 6));
    }
    let got = rows(&minutes, &told(prints), &SHORT).scored;
    let events: Vec<_> = got.iter().filter_map(|row| row.event).collect();
    assert_eq!(events.len(), 14);
    for (n, event) in events.iter().enumerate() {
        // The first five that came are what the guess stands on.
        let want = (n >= 7 && n % 4 != 1).then_some([0.25, 0.0]);
        let got = event.errors;
        assert_eq!(got.is_some(), want.is_some(), "event {n}: {got:?}");
        if let Some((got, want)) = got.zip(want) {
            assert!(
                (got[0] - want[0]).abs() < 1e-9 && (got[1] - want[1]).abs() < 1e-9,
                "{got:?}"
            );
        }
    }
}

#[test]
fn a_gain_that_is_not_known_is_no_row() {
    let mut minutes: Vec<Minute> = (0..300).map(|i| quiet(START + i, 4.0)).collect();
    for minute in &mut minutes[200..220] {
        minute.said.iter_mut().for_each(|said| said.gain[0] = None);
    }
    minutes[230].said = None;
    minutes[231]
        .said
        .iter_mut()
        .for_each(|said| said.zone[1] = None);
    minutes[232]
        .said
        .iter_mut()
        .for_each(|said| said.sigma = None);
    let prints = printed(START + 210, Holder::Long, 5).collect();
    let got = rows(&minutes, &told(prints), &SHORT);
    assert_eq!(
        (got.counted.unknown, got.counted.unknown_events),
        (11 + 2 + 1 + 2, 1)
    );
    assert_eq!(got.scored.len(), 2 * 180 - 16 - 9);
    let why = found(&got, &SHORT, 10).unwrap_err();
    assert!(
        why.starts_with("0 events on 0 days")
            && why.contains("1 events with a gain that is not known"),
        "{why}"
    );
    assert_eq!(report::object(&Err(why.clone()))["not_measured"], why);
}

#[test]
fn tapes_without_prints_or_books_are_told() {
    let mut input = told(printed(START, Holder::Long, 3).collect());
    let why = |input: &Input| of(input, &[], &LEAST, 10).unwrap_err();
    assert!(why(&input).contains("0 minutes seen"), "{}", why(&input));
    input.sources[0].has_book = false;
    assert_eq!(why(&input), "no book");
    // Nothing is replayed then: there is no such file.
    let heard = |input: &Input| page::heard(&["none".into()], None, std::slice::from_ref(input));
    assert!(heard(&input).is_ok_and(|heard| heard.is_empty()));
    input.sources[0].has_book = true;
    assert!(heard(&input).is_err());
    input.sources[0].prints.clear();
    assert_eq!(why(&input), "no prints");
}

fn record(at: i64, mark: i64) -> Wide {
    let mut wide = Wide::zeroed();
    (wide.recv_ns, wide.mark_e10) = (at, mark * Px::ONE);
    (wide.bid_e10, wide.ask_e10) = (1, 2);
    wide.map = MapRecord::ABSENT;
    wide.map.long_interval_usd = [0; 2];
    wide.map.cascade_up = CascadeRecord {
        end_e10: 110 * Px::ONE,
        gain_e4: 12_500,
        zone: 7,
        path_gain_e4: 300,
        ..CascadeRecord::ABSENT
    };
    wide.map.cascade_down.path_gain_e4 = 20_000;
    // A zone that was swept stands beside it, and one of another side has the other edge near.
    let edges = [(7, 104, 120), (8, 90, 120)];
    for (zone, (id, low, high)) in wide.hot_above.iter_mut().zip(edges) {
        zone.id = id;
        (zone.low_e10, zone.high_e10) = (low * Px::ONE, high * Px::ONE);
    }
    let below = &mut wide.hot_below[0];
    below.id = 9;
    (below.low_e10, below.high_e10) = (80 * Px::ONE, 95 * Px::ONE);
    wide
}

#[test]
fn what_the_page_says_is_read_as_it_says_it() {
    let of = |price: i64| ln_px(Px::whole(price)) as f64 / (1i64 << 48) as f64;
    let mut wide = record(0, 100);
    let got = said(&wide).unwrap();
    assert_eq!((got.mark, got.sigma), (of(100), None));
    // Longs, then shorts: no zone below is a zone's gain of nothing.
    assert_eq!(got.gain, [Some(2.0), Some(0.03)]);
    assert_eq!(got.zone, [Some(0.0), Some(1.25)]);
    assert_eq!(got.end, [None, Some([of(104), of(110)])]);
    wide.sigma_1h_q32 = 1 << 31;
    assert_eq!(said(&wide).unwrap().sigma, Some(0.5));
    wide.map.cascade_down = CascadeRecord {
        gain_e4: 1,
        zone: 9,
        end_e10: 90 * Px::ONE,
        ..CascadeRecord::ABSENT
    };
    wide.map.cascade_up = CascadeRecord {
        zone: 7,
        ..CascadeRecord::ABSENT
    };
    let got = said(&wide).unwrap();
    assert_eq!((got.gain, got.zone), ([None; 2], [Some(0.0001), None]));
    assert_eq!(got.end, [Some([of(95), of(90)]), None]);
    let mut wide = record(0, 100);
    wide.bid_e10 = 0;
    let got = said(&wide).unwrap();
    assert_eq!(
        (got.gain, got.zone, got.end),
        ([None; 2], [None; 2], [None; 2])
    );
    wide = record(0, 100);
    wide.map.long_interval_usd = MapRecord::ABSENT.long_interval_usd;
    let got = said(&wide).unwrap();
    assert_eq!(
        (got.gain, got.zone, got.end),
        ([None; 2], [None; 2], [None; 2])
    );
    wide.mark_e10 = 0;
    assert_eq!(said(&wide), None);
}

#[test]
fn a_minute_holds_what_was_said_before_it() {
    let minute = Nanos::MINUTE.get();
    let mut eye = Eye::default();
    for (at, mark) in [
        (10 * minute + 5, 100),
        (11 * minute - 1, 101),
        // At the very begin: within it.
        (11 * minute, 99),
        (11 * minute + 9, 102),
        // Half a minute without a record, then two.
        (12 * minute + minute / 2, 103),
        (15 * minute, 104),
    ] {
        eye.take(&record(at, mark));
    }
    eye.begin();
    eye.take(&record(15 * minute + 1, 105));
    eye.take(&record(16 * minute, 106));
    eye.take(&record(17 * minute - 1, 107));
    eye.begin();
    eye.take(&record(17 * minute, 107));
    let minutes = eye.close();
    let of = |price: i64| ln_px(Px::whole(price)) as f64 / (1i64 << 48) as f64;
    let got: Vec<_> = minutes
        .iter()
        .map(|m| (m.at, m.said.map(|s| s.mark), m.low, m.high))
        .collect();
    assert_eq!(
        got,
        [
            (10, None, of(100), of(101)),
            (11, Some(of(101)), of(99), of(102)),
            (12, Some(of(102)), of(103), of(103)),
            (15, None, of(104), of(105)),
            (16, Some(of(105)), of(106), of(107)),
            (17, None, of(107), of(107)),
        ]
    );
}

proptest! {
    #[test]
    fn the_bar_is_what_the_past_seldom_reached(
        counts in proptest::collection::vec(0usize..14, 160..260),
    ) {
        let count = counts.len() as i64;
        let minutes: Vec<Minute> = (0..count).map(|i| quiet(START + i, 4.0)).collect();
        let prints = counts.iter().enumerate();
        let prints = prints.flat_map(|(i, n)| printed(START + i as i64, Holder::Short, *n));
        let got = rows(&minutes, &told(prints.collect()), &SHORT).scored;
        for row in got.iter().filter(|row| row.holder == Holder::Short) {
            let at = (row.at - START) as usize;
            let mut past = counts[..at].to_vec();
            past.sort_unstable();
            let bar = past[(past.len() * 99).div_ceil(100) - 1].max(5);
            prop_assert_eq!(row.event.map(|event| event.bar as usize), (counts[at] >= bar).then_some(bar));
            let recent: usize = counts[at - PAST..at].iter().sum();
            prop_assert_eq!(row.recent, recent as f64);
        }
    }
}
