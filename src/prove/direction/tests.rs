//! The test of direction, on made-up minutes.

use super::eye::{Eye, Voice};
use super::*;
use crate::num::Px;
use crate::prove::input::Source;
use crate::prove::path;
use crate::prove::score::Draws;
use crate::shm::record::{MODES, Wide};
use crate::signal::Category;
use bytemuck::Zeroable;

const START: i64 = 20_000 * 24 * 60;
const SHORT: Least = Least {
    days: 5,
    weeks: 2,
    rows: 500,
    train: 2,
};

/// Days of a walk in which a bias of 60 is right in so many of a hundred minutes; one in ten is of 10 and knows
/// nothing.
fn knowing(days: usize, right: usize, seed: u64) -> Vec<Minute> {
    let mut draws = Draws::new(seed);
    let (mut minutes, mut mid): (Vec<Minute>, f64) = (Vec::new(), 4.0);
    for i in 0..days as i64 * 24 * 60 {
        let way = if draws.below(2) == 0 { 1.0 } else { -1.0 };
        let (size, chance) = if draws.below(10) == 0 {
            (10.0, 50)
        } else {
            (60.0, right)
        };
        let told = if draws.below(100) < chance { way } else { -way };
        let voice = Voice {
            bias: size * told,
            flow: 0.0,
            liquidation: -told,
            without: size * told,
        };
        minutes.push(Minute {
            at: START + i,
            mid,
            spread: 1e-4,
            // Every second day is wild.
            sigma: Some(if i / (24 * 60) % 2 == 0 { 1e-3 } else { 2e-3 }),
            voice: [Some(voice), None, None],
        });
        mid += way * 2e-4;
    }
    minutes
}

fn scalp(minutes: &[Minute]) -> Scored {
    scored(minutes, &SCORED[0], &SHORT, 200).unwrap()
}

#[test]
fn a_bias_that_knows_is_found() {
    let got = scalp(&knowing(8, 60, 1));
    assert_eq!((got.days, got.rows), (8, 8 * 24 * 60 - 2));
    // .9 of the rows are right in six of ten, the rest by chance.
    let area = got.ranked.area.unwrap();
    assert!(area.low > 0.55 && area.high < 0.64, "{area:?}");
    let [known @ .., same] = &got.ranked.rivals;
    assert!(known.iter().all(|r| r.over.unwrap().low > 0.0));
    // No liquidation signal: nothing changes without them.
    let none = |of: Figure| (of.low, of.value, of.high) == (0.0, 0.0, 0.0);
    assert!(none(same.over.unwrap()) && none(got.skill[4].unwrap()) && got.moved == 0);
    assert_eq!((same.area, got.skill[2]), (got.ranked.area, got.skill[0]));
    // Turned round it knows as much, the wrong way.
    assert!(got.ranked.rivals[2].area.unwrap().high < 0.45);
    let flow = got.ranked.rivals[1].area.unwrap();
    assert_eq!((flow.low, flow.value, flow.high), (0.5, 0.5, 0.5));
    let [all, half, ..] = got.strongest;
    assert_eq!((all.from, half.from), (10.0, 60.0));
    assert!(all.rows == got.rows && half.rows < all.rows);
    let [right, brought, kept] = [half.right, half.brought, half.kept].map(Option::unwrap);
    assert!((right.value - 0.6).abs() < 0.015, "{right:?}");
    assert!((brought.value - (2.0 * right.value - 1.0) * 2.0).abs() < 1e-6);
    assert!((brought.value - kept.value - 1.0).abs() < 1e-6);
    let [skill, before, _, more, _] = got.skill.map(Option::unwrap);
    assert!(skill.low > 0.01 && more.low > 0.0, "{skill:?}");
    assert!(before.low < 0.0 && before.high < 0.01, "{before:?}");
    // It knows as much in wild hours as in calm ones; the step of a minute is above one sigma of it in calm ones only.
    let apart = got.apart;
    let day = 24 * 60;
    assert_eq!(
        (apart.rows[0], apart.rows[1] > 2 * day),
        (3 * day, true),
        "{apart:?}"
    );
    let [calm, wild, less] = apart.regimes.map(Option::unwrap);
    assert!(
        (calm.value - wild.value).abs() < 0.02 && less.low < 0.0 && less.high > 0.0,
        "{apart:?}"
    );
    assert!(
        apart.rows[2] < 4 * day + 10 && apart.barrier.unwrap().low > 0.55,
        "{apart:?}"
    );
    // The same figures every time.
    assert_eq!(scalp(&knowing(8, 60, 1)), got);
}

#[test]
fn a_bias_of_another_minute_is_not() {
    let mut minutes = knowing(8, 60, 2);
    let said: Vec<_> = minutes.iter().map(|minute| minute.voice).collect();
    for (minute, voice) in minutes.iter_mut().zip(said.iter().cycle().skip(1_000)) {
        minute.voice = *voice;
    }
    let got = scalp(&minutes);
    let area = got.ranked.area.unwrap();
    assert!(area.low < 0.5 && area.high > 0.5, "{area:?}");
    assert!(got.skill[0].unwrap().low < 0.0);
    assert!(got.strongest[0].kept.unwrap().high < 0.0);
}

#[test]
fn a_row_needs_both_ends_of_its_horizon_and_a_price_that_moved() {
    let mut minutes = knowing(1, 60, 3);
    let all = rows(&minutes, &SCORED[0]).0.len();
    minutes[100].voice[0] = None;
    let (short, silent, still) = rows(&minutes, &SCORED[0]);
    assert_eq!((short.len(), silent, still), (all - 1, 1, 0));
    minutes[200].mid = minutes[199].mid;
    let (short, _, still) = rows(&minutes, &SCORED[0]);
    assert!(still > 0 && short.len() + still == all - 1);
    // Of a minute nobody saw: neither it, nor the one that ends there, nor the one that has it behind it.
    minutes.remove(300);
    assert_eq!(rows(&minutes, &SCORED[0]).0.len(), short.len() - 3);
    // The day mode looks every five minutes, an hour back and ahead.
    for minute in &mut minutes {
        minute.voice[1] = minute.voice[0];
    }
    let (day, _, _) = rows(&minutes, &SCORED[1]);
    assert!(day.iter().all(|row| row.at % 5 == 0));
    assert!(
        day.iter()
            .all(|row| (START + 60..=START + 24 * 60 - 61).contains(&row.at))
    );
}

#[test]
fn too_little_is_said_and_nothing_is_nothing() {
    let why = scored(&knowing(4, 60, 4), &SCORED[0], &SHORT, 50).unwrap_err();
    assert!(
        why.contains("5758 rows on 4 days") && why.contains("on 5 days are needed"),
        "{why}"
    );
    let why = scored(&knowing(8, 60, 5), &SCORED[1], &SHORT, 50).unwrap_err();
    assert!(why.contains("nothing was said in 2304 minutes"), "{why}");
    let mut input = Input {
        symbol: "BTC".to_owned(),
        ..Input::default()
    };
    assert_eq!(of(&input, &[], &SHORT, 50).unwrap_err(), "no book");
    input.sources.push(Source {
        has_book: true,
        ..Source::default()
    });
    for (_, mode) in of(&input, &[], &SHORT, 50).unwrap() {
        let why = mode.unwrap_err();
        assert!(why.contains("nothing was said in 0 minutes"), "{why}");
    }
}

/// A bias that is half of liquidation signals, which know, and half of others, which do not.
#[test]
fn what_liquidation_signals_bring_is_the_bias_less_the_bias_without_them() {
    let mut draws = Draws::new(9);
    let mut minutes = knowing(8, 60, 8);
    for voice in minutes
        .iter_mut()
        .filter_map(|minute| minute.voice[0].as_mut())
    {
        let other = if draws.below(2) == 0 { 30.0 } else { -30.0 };
        (voice.bias, voice.without) = ((voice.bias + other) / 2.0, other);
    }
    let got = scalp(&minutes);
    assert_eq!(got.moved, got.rows);
    let without = &got.ranked.rivals[3];
    assert!(
        (without.area.unwrap().value - 0.5).abs() < 0.02,
        "{without:?}"
    );
    let [all, _, left, _, over] = got.skill.map(Option::unwrap);
    assert!(
        without.over.unwrap().low > 0.04 && over.low > 0.01,
        "{over:?}"
    );
    assert!((all.value - left.value - over.value).abs() < 1e-9);
    // The other way round they take away from it.
    for voice in minutes
        .iter_mut()
        .filter_map(|minute| minute.voice[0].as_mut())
    {
        (voice.bias, voice.without) = (voice.without, voice.bias);
    }
    let turned = scalp(&minutes).ranked.rivals[3].over.unwrap();
    assert!(turned.high < -0.04, "{turned:?}");
}

/// A horizon of a day is drawn by weeks, and needs as many.
#[test]
fn swing_is_scored_by_weeks_and_says_when_it_is_too_short() {
    let swing = &SCORED[2];
    let of = |days: usize| {
        let mut minutes = knowing(days, 60, 10);
        // What a day brings is what the day says.
        for at in 0..minutes.len() {
            let way = minutes
                .get(at + 24 * 60)
                .map_or(0.0, |then| then.mid - minutes[at].mid);
            minutes[at].voice[swing.number] = minutes[at].voice[0].map(|voice| Voice {
                bias: 40.0 * way.signum(),
                ..voice
            });
        }
        scored(&minutes, swing, &SHORT, 50)
    };
    let why = of(15).unwrap_err();
    assert!(
        why.contains("rows on 13 days") && why.contains("on 14 days are needed"),
        "{why}"
    );
    let got = of(23 + 7).unwrap();
    assert_eq!((got.days, got.mode.block()), (28, 7));
    assert!(
        got.rows > 27 * 24 && got.ranked.area.unwrap().low > 0.95,
        "{got:?}"
    );
    // Two weeks train, two are scored.
    assert!(got.skill[0].unwrap().value > 0.9);
    got.ranked
        .rivals
        .iter()
        .for_each(|rival| assert!(rival.over.is_some()));
}

#[test]
fn every_form_of_the_report_tells_the_ablation_and_why_swing_is_missing() {
    let mut input = Input::default();
    input.sources.push(Source {
        has_book: true,
        ..Source::default()
    });
    let found = of(&input, &knowing(8, 60, 11), &SHORT, 50);
    let object = report::object(&found);
    let scalp = &object["modes"][0];
    let without = &scalp["rivals"][3];
    assert_eq!(without["name"], RIVALS[3]);
    assert!(without["gain_over_it"].is_object(), "{without}");
    assert!(scalp["brier_skill_over_that"].is_object() && scalp["moved_by_liquidations"] == 0);
    let why = object["modes"][2]["not_measured"].as_str().unwrap();
    assert!(
        why.contains("0 rows on 0 days") && why.contains("14 days are needed"),
        "{why}"
    );
    let mut page = String::new();
    report::html(&mut page, &found);
    for told in [report::text(&found).join("\n"), page] {
        for want in [
            "the bias less the bias without its liquidation signals",
            why,
        ] {
            assert!(told.contains(want), "{want}: {told}");
        }
    }
}

/// What comes of a row is not known when the day begins that it reaches into.
#[test]
fn chances_are_of_the_days_before() {
    let minutes = knowing(4, 100, 6);
    let (rows, ..) = rows(&minutes, &SCORED[0]);
    let days = Days::new(rows.iter().map(Row::day));
    let errors = errors(&rows, &days, 1, 2);
    assert_eq!(errors[..2], [[0.0; 4]; 2]);
    let n = days.of.iter().filter(|day| **day == 2).count() as f64;
    // Nine of ten are known for sure, of the others nothing.
    assert!((errors[2][0] / n - 0.025).abs() < 0.005, "{errors:?}");
    assert!((errors[2][3] / n - 0.25).abs() < 0.005);
    // Whatever the scored days say, the first of them is judged by what came before.
    let mut later = rows.clone();
    let first = later[0].day();
    for row in later.iter_mut().filter(|row| row.day() > first + 2) {
        row.way = -row.way;
    }
    assert_eq!(super::errors(&later, &days, 1, 2)[2], errors[2]);
}

/// Which barrier comes first, by hand.
#[test]
fn a_barrier_is_the_first_that_is_seen() {
    let mut minutes = knowing(1, 60, 7);
    minutes.truncate(61);
    for (minute, way) in minutes
        .iter_mut()
        .zip([0, 5, -9, -11, 12].into_iter().cycle())
    {
        (minute.mid, minute.sigma) = (4.0 + f64::from(way) * 1e-4, Some(1e-3));
    }
    // Ten basis points an hour away: down after three minutes; from there up in one.
    assert_eq!(first(&minutes, 0, 60), Some(false));
    assert_eq!(
        first(&minutes, 0, 2),
        Some(true),
        "a sigma of two minutes is 1.8"
    );
    assert_eq!(first(&minutes, 3, 60), Some(true));
    minutes[0].sigma = Some(3e-3);
    assert_eq!(first(&minutes, 0, 60), None);
    minutes[0].sigma = None;
    assert_eq!(first(&minutes, 0, 60), None);
    // What was not seen whole until then decides nothing.
    minutes[1].sigma = Some(1e-3);
    minutes.remove(2);
    assert_eq!(first(&minutes, 1, 60), None);
}

fn page(at: i64, ms: i64, bid: i64, bias: i8) -> Wide {
    let mut wide = Wide::zeroed();
    wide.recv_ns = at * Nanos::MINUTE.get() + ms * 1_000_000;
    (wide.bid_e10, wide.ask_e10) = (Px::whole(bid).get(), Px::whole(bid + 2).get());
    for mode in &mut wide.mode {
        (mode.bias, mode.confidence) = (bias, 40);
        mode.categories = [i8::MIN; _];
        mode.categories[Category::OrderFlow as usize] = -50;
    }
    wide.mode[MODES - 1].confidence = 0;
    wide
}

#[test]
fn a_minute_keeps_what_was_said_last_before_it() {
    let mut eye = Eye::default();
    eye.take(&page(100, 0, 99, 7), [0; MODES]);
    eye.take(&page(100, 59_900, 199, 8), [-3; MODES]);
    // Without a book there is no price, and nothing is kept.
    let mut bare = page(100, 59_950, 0, 9);
    bare.bid_e10 = 0;
    eye.take(&bare, [0; MODES]);
    eye.take(&page(101, 0, 299, 10), [0; MODES]);
    let minutes = eye.close();
    assert_eq!(minutes.iter().map(|m| m.at).collect::<Vec<_>>(), [101, 102]);
    let first = minutes[0];
    let [bid, ask] = [199, 201].map(|price| path::ln(Px::whole(price)));
    assert_eq!((first.mid, first.spread), ((bid + ask) / 2.0, ask - bid));
    let voice = Voice {
        bias: 8.0,
        flow: -0.5,
        liquidation: 0.0,
        without: -3.0,
    };
    assert_eq!(first.voice, [Some(voice), Some(voice), None]);
}
