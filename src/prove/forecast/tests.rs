//! The instrument itself: a map that is told the truth must be found, one that is told the truth of another hour must
//! not, and nothing that is said of a period may change with what comes after its begin.

use super::judge::{Horizon, Pair, judge};
use super::models::{self, COUNT, Said};
use super::*;
use crate::market::VenueId;
use crate::num::Px;
use crate::prove::input::{Source, Told};
use crate::prove::score::Draws;
use proptest::prelude::*;

const HOUR: Nanos = Nanos::HOUR;

/// Days of hourly rows. What is liquidated follows a mass that no past tells of, and a volatility that it does.
fn world(days: i64) -> Vec<Row> {
    let mut draws = Draws::new(17);
    let mut unit = || draws.below(1_000_000) as f64 / 1e6;
    let (mut rows, mut slow) = (Vec::new(), 0.0);
    let mut before = [[0.0f64; 2]; 168];
    for hour in 0..days * 24 {
        slow = 0.9 * slow + unit() - 0.5;
        let usd = [unit(), unit()].map(|held| (slow + 3.0 * held, 1e5 * (3.0 * held).exp()));
        for holder in Holder::BOTH {
            let d = holder as usize;
            let (level, held) = usd[d];
            let mean =
                |hours: usize| before[..hours].iter().map(|b| b[d]).sum::<f64>() / hours as f64;
            let mut ours = [0.0; CLASSES];
            ours[5] = held * slow.exp();
            let mut seen = vec![
                log(mean(1)),
                log(mean(24)),
                log(mean(168)),
                log(before[0][1 - d]),
            ];
            seen.extend([0.0, slow, slow, slow, slow, 0.0, 0.0, holder.hurts() as f64]);
            rows.push(Row {
                start: Nanos::new(HOUR.get() * hour),
                end: Nanos::new(HOUR.get() * (hour + 1)),
                holder,
                usd: 2e4 * level.exp() * (0.7 + 0.6 * unit()),
                ours,
                time: [1e5; CLASSES],
                seen,
            });
        }
        before.rotate_right(1);
        before[0] = [rows[rows.len() - 2].usd, rows[rows.len() - 1].usd];
    }
    rows
}

fn judged(rows: &[Row]) -> Horizon {
    judge(HOUR, rows, 300).unwrap().unwrap()
}

fn pair<'a>(of: &'a Horizon, name: &str, than: &str) -> &'a Pair {
    let found = of.pairs.iter().find(|p| (p.name, p.than) == (name, than));
    found.unwrap()
}

#[test]
fn a_map_that_knows_is_found_and_one_of_another_hour_is_not() {
    let mut rows = world(38);
    let found = judged(&rows);
    assert!(
        found.days >= 12 && found.rows == found.days * 48,
        "{} {}",
        found.days,
        found.rows
    );
    for (name, than) in [
        ("HAR and the map", "HAR"),
        ("the map", "HAR"),
        ("trees and the map", "trees of the past"),
    ] {
        let pair = pair(&found, name, than);
        assert!(
            pair.crps.unwrap().high < 0.0 && pair.tail.unwrap().high < 0.0,
            "{pair:?}"
        );
        assert!(
            pair.brier.unwrap().high < 0.0 && pair.auc.unwrap().low > 0.0,
            "{pair:?}"
        );
        assert!(pair.statistic.unwrap() < -3.0, "{pair:?}");
    }
    for line in &found.lines {
        for (share, want) in line.under.iter().zip(judge::UNDER) {
            assert!(
                (share.unwrap().value - want).abs() < 0.07,
                "{}: {:?}",
                line.name,
                line.under
            );
        }
    }
    let best = &found.lines[1];
    assert!(
        best.skill.unwrap().low > 0.3 && best.auc.unwrap().low > 0.9,
        "{best:?}"
    );
    let nothing = &found.lines[models::NOTHING];
    assert_eq!(nothing.skill.unwrap().value, 0.0);
    assert!(
        nothing.auc.unwrap().high < best.auc.unwrap().low,
        "{nothing:?}"
    );
    // The same masses, each at another hour.
    let mut masses: Vec<Mass> = rows.iter().map(|row| row.ours).collect();
    let mut draws = Draws::new(3);
    for at in (1..masses.len()).rev() {
        masses.swap(at, draws.below(at + 1));
    }
    rows.iter_mut()
        .zip(masses)
        .for_each(|(row, mass)| row.ours = mass);
    let found = judged(&rows);
    for (name, than) in [("HAR and the map", "HAR"), ("the map", "always the mean")] {
        let pair = pair(&found, name, than);
        let crps = pair.crps.unwrap();
        assert!(crps.high > 0.0 && crps.value > -0.005, "{pair:?}");
        assert!(pair.auc.unwrap().low < 0.0, "{pair:?}");
    }
}

#[test]
fn what_is_said_of_a_row_does_not_change_with_what_comes_later() {
    let rows = world(30);
    let likely = |rows: &[Row]| {
        let said = Said::new(rows).unwrap();
        let mut all = Vec::new();
        for model in 0..COUNT {
            said.likely(model, rows, &mut |row, likely| {
                all.push((model, row, likely.to_vec()))
            });
        }
        (said, all)
    };
    let (said, before) = likely(&rows);
    let first = models::first(&rows).unwrap();
    let turn = rows.len() - 48;
    assert!(turn > first + 48);
    // The fold that holds the turn was fitted before it.
    let mut other = rows.clone();
    for row in &mut other[turn..] {
        row.usd = row.usd * 1_000.0 + 7e6;
        row.seen.iter_mut().for_each(|v| *v += 1.0);
        row.ours[5] *= 50.0;
    }
    let (again, after) = likely(&other);
    let earlier = |all: &[(usize, usize, Vec<f64>)]| -> Vec<(usize, usize, Vec<f64>)> {
        all.iter()
            .filter(|(_, row, _)| *row < turn)
            .cloned()
            .collect()
    };
    assert_eq!(earlier(&before), earlier(&after));
    assert!(earlier(&before).len() > 40 * COUNT);
    assert_ne!(before, after);
    // A row's own dollars, and those of its neighbours within a fold, are not in what is said of it.
    let mut other = rows.clone();
    other[turn..].iter_mut().for_each(|row| row.usd *= 1_000.0);
    assert_eq!(before, likely(&other).1);
    assert_eq!(said.ends, again.ends);
    // Folds are whole days, the first few only teach.
    for end in &said.ends[..said.ends.len() - 1] {
        assert_ne!(rows[*end].day(), rows[*end - 1].day());
    }
    assert!(said.ends[0] >= 7 * 48);
}

/// A history of hourly bars, interest and totals that know nothing of either.
fn history(days: i64) -> Input {
    let mut draws = Draws::new(23);
    let mut unit = || draws.below(1_000_000) as f64 / 1e6;
    let px = |price: f64| Px::new((price * Px::ONE as f64) as i64);
    let qty = |lots: f64| crate::num::Qty::new((lots * crate::num::Qty::ONE as f64) as i64);
    let (mut price, mut interest) = (90_000.0, 80_000.0);
    let mut source = Source {
        venue: VenueId::BINANCE,
        ..Source::default()
    };
    let mut periods = Vec::new();
    for hour in 0..days * 24 {
        let start = Nanos::new(HOUR.get() * (20_000 * 24 + hour));
        let end = start.plus(HOUR);
        let close = price * ((unit() - 0.5) * 0.01f64).exp();
        let edge = |unit: f64| 1.0 + unit * 0.003;
        source.bars.push(Candle {
            start,
            end,
            open: px(price),
            high: px(f64::max(price, close) * edge(unit())),
            low: px(f64::min(price, close) / edge(unit())),
            close: px(close),
            volume: qty(2_000.0 + 8_000.0 * unit()),
        });
        interest *= 1.0 + (unit() - 0.5) * 0.01;
        source.interest.push((end, qty(interest)));
        let usd = [unit(), unit()].map(|v| 1e4 * (4.0 * v).exp());
        periods.push(Period { start, end, usd });
        price = close;
    }
    Input {
        symbol: "BTC".to_owned(),
        sources: vec![source],
        periods,
    }
}

fn rows_of(input: &Input, horizon: Nanos) -> Vec<Row> {
    let candles = path::candles(input);
    let all = rows(input, &candles, &input.periods, &[horizon]);
    all.into_iter().next().unwrap()
}

#[test]
fn a_row_holds_nothing_of_its_own_period_nor_of_what_follows() {
    let input = history(14);
    for horizon in [HOUR, HORIZONS[3]] {
        let before = rows_of(&input, horizon);
        let turn = input.periods[11 * 24].start;
        let mut other = input.clone();
        let source = &mut other.sources[0];
        // The extremes stay, for they say how large a table must be; all else is another history.
        for bar in source.bars.iter_mut().filter(|bar| bar.start >= turn) {
            (bar.open, bar.close) = (bar.low, bar.high);
            bar.volume = bar.volume.plus(bar.volume);
        }
        for (_, interest) in source.interest.iter_mut().filter(|(at, _)| *at > turn) {
            *interest = crate::num::Qty::new(interest.get() * 3 / 2);
        }
        for period in other.periods.iter_mut().filter(|p| p.start >= turn) {
            period.usd = period.usd.map(|usd| 10.0 * usd + 1e6);
        }
        let after = rows_of(&other, horizon);
        assert_eq!(before.len(), after.len());
        let known = |rows: &[Row]| -> Vec<Row> {
            let kept = rows.iter().filter(|row| row.start <= turn);
            kept.map(|row| Row {
                usd: 0.0,
                ..row.clone()
            })
            .collect()
        };
        assert!(known(&before).len() > 40, "{}", known(&before).len());
        assert_eq!(known(&before), known(&after));
        assert_ne!(before, after);
        let mass = |row: &Row| row.ours.iter().sum::<f64>();
        assert!(
            before
                .iter()
                .all(|row| mass(row) > 0.0 && row.time.iter().sum::<f64>() > 0.0)
        );
        assert!(
            before
                .iter()
                .all(|row| row.seen.iter().take(12).all(|v| v.is_finite()))
        );
    }
}

#[test]
fn noise_is_measured_as_such_and_what_the_data_cannot_tell_is_refused() {
    let input = history(44);
    let found = found(&input, 200, &mut |_| {}).unwrap();
    let lengths: Vec<i64> = found
        .horizons
        .iter()
        .map(|h| h.length.get() / Nanos::MINUTE.get())
        .collect();
    assert_eq!(lengths, [60, 240]);
    let hour = pair(&found.horizons[0], "HAR and the map", "HAR");
    assert!(
        hour.crps.unwrap().value > -0.005 && hour.crps.unwrap().high > 0.0,
        "{hour:?}"
    );
    let why: Vec<&str> = found.refused.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(why, ["what was liquidated is told in periods of 1 h"; 2]);
    let text = report::text(&found).join("\n");
    assert!(
        text.contains("the next 1 h") && text.contains("the next 5 min: not measured"),
        "{text}"
    );
    let json = report::object(&found);
    assert_eq!(json["horizons"][1]["horizon_s"], 4 * 3_600);
    assert!(
        json["horizons"][0]["models"][0]["crps"]["value"]
            .as_f64()
            .is_some_and(|v| v > 0.0)
    );
    let mut page = String::new();
    report::html(&mut page, Some(&found));
    assert!(page.contains("HAR and the map") && page.contains("not measured"));
    let mut none = String::new();
    report::html(&mut none, None);
    assert!(none.is_empty());
    // A fortnight is too short, and says so.
    let short = super::found(&history(14), 50, &mut |_| {}).unwrap();
    assert!(short.horizons.is_empty());
    assert!(
        short
            .refused
            .iter()
            .any(|(_, why)| why.contains("at least 10 are needed")),
        "{:?}",
        short.refused
    );
    // A day is drawn whole.
    let (kept, refused) = horizons(Nanos::DAY, &[]);
    assert!(
        kept.is_empty() && refused.len() == 5,
        "{kept:?} {refused:?}"
    );
}

/// Prints are summed by the minute and then by the horizon.
#[test]
fn prints_are_summed_and_those_of_a_period_are_not_in_what_is_known_of_it() {
    let mut input = history(3);
    let begin = input.periods[0].start;
    input.periods.clear();
    let source = &mut input.sources[0];
    let at = |minute: i64| begin.plus(Nanos::new(Nanos::MINUTE.get() * minute));
    let minute = |i: i64| (at(i), source.bars[(i / 60) as usize].open);
    let moves: Vec<(Nanos, Px)> = (0..3 * 1_440).map(minute).collect();
    // Hours that were bars are minutes now: the price stays within each.
    source.bars.clear();
    source.trades = moves
        .iter()
        .map(|(at, price)| crate::prove::input::Traded {
            at: *at,
            price: *price,
            qty: crate::num::Qty::new(5_000_000),
        })
        .collect();
    source.prints = (0..3 * 144)
        .map(|i| Told {
            at: at(10 * i).plus(Nanos::SECOND),
            holder: Holder::BOTH[usize::from(i % 2 == 1)],
            price: moves[0].1,
            qty: crate::num::Qty::new(1_000_000 + i),
        })
        .collect();
    let candles = path::candles(&input);
    let periods = realised(&input);
    let all: f64 = input.sources[0].prints[1..].iter().map(Told::usd).sum();
    let sum: f64 = periods.iter().flat_map(|p| p.usd).sum();
    assert!(
        (sum - all).abs() < 1.0,
        "the first minute is not whole: {sum} {all}"
    );
    assert!(
        periods
            .iter()
            .all(|p| p.end.since(p.start) == Nanos::MINUTE)
    );
    let (kept, refused) = horizons(Nanos::MINUTE, &candles);
    assert_eq!((kept.as_slice(), refused.len()), (&HORIZONS[..], 0));
    let rows = rows(&input, &candles, &periods, &HORIZONS);
    assert!(
        rows.iter().all(|rows| rows.len() > 10),
        "{:?}",
        rows.iter().map(Vec::len).collect::<Vec<_>>()
    );
    // Every twenty minutes one of longs, ten minutes later one of shorts.
    let five = &rows[1];
    for row in five.iter().skip(2) {
        let is_told = row.start.since(begin).get() / Nanos::MINUTE.get() % 20;
        let want = [(0, 0), (10, 1)].contains(&(is_told, row.holder as usize));
        assert_eq!(row.usd > 0.0, want, "{is_told} {row:?}");
        let last = [(5, 0), (15, 1)].contains(&(is_told, row.holder as usize));
        assert_eq!(row.seen[past::LAST] > 0.0, last, "{is_told} {row:?}");
        let day = row.seen[past::DAY];
        assert!(day > 0.0 && day < log(1e5), "{day}");
    }
}

#[test]
fn periods_are_joined_where_they_fill_a_horizon() {
    let hour = |i: i64| Period {
        start: Nanos::new(HOUR.get() * i),
        end: Nanos::new(HOUR.get() * (i + 1)),
        usd: [i as f64, 1.0],
    };
    let mut all: Vec<Period> = (2..17).map(hour).collect();
    all.remove(7);
    let joined = grouped(&all, HORIZONS[3]);
    // 4 to 8 and 12 to 16: nine is missing.
    let spans: Vec<(i64, f64, f64)> = joined
        .iter()
        .map(|p| (p.start.get() / HOUR.get(), p.usd[0], p.usd[1]))
        .collect();
    assert_eq!(spans, [(4, 22.0, 4.0), (12, 54.0, 4.0)]);
    assert_eq!(grouped(&all, HOUR).len(), 14);
    // Days that are counted from five past keep their own beginning.
    let late = |p: &Period| Period {
        start: p.start.plus(Nanos::new(5 * Nanos::MINUTE.get())),
        end: p.end.plus(Nanos::new(5 * Nanos::MINUTE.get())),
        ..*p
    };
    let moved: Vec<Period> = all.iter().map(late).collect();
    assert_eq!(grouped(&moved, HORIZONS[3]).len(), 2);
    assert!(grouped(&[], HOUR).is_empty());
}

#[test]
fn a_driftless_walk_reaches_both_sides_alike() {
    let begin = 1_000 * BUCKET + BUCKET / 2;
    let sigma = 0.004;
    let chances = |out: i64| {
        let mut all = Vec::new();
        ahead(begin, out, sigma, &mut |bucket, chance| {
            all.push(((bucket - 1_000) * out, chance))
        });
        all
    };
    let up = chances(1);
    assert_eq!(up, chances(-1));
    assert_eq!(up[0], (0, 1.0));
    assert!(up.windows(2).all(|w| w[0].1 >= w[1].1));
    // Twenty buckets of 2 bp are a deviation: 2 PHI(−1).
    assert!((up[20].1 - 0.3173).abs() < 2e-3, "{:?}", up[20]);
    assert!(up.len() < 121, "nothing is reached from six deviations");
}

#[test]
fn the_volatility_of_a_walk_is_found_again() {
    let input = history(30);
    let candles = path::candles(&input);
    let past = Past::new(&candles, &input.periods);
    let sigmas = past.sigmas(&input.periods);
    assert_eq!(sigmas[0], None, "nothing lies before the first");
    let mean = |v: &[Option<f64>]| {
        let all: Vec<f64> = v.iter().flatten().copied().collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    // Hours of one kind: what is expected of an hour settles, and four hours are twice as wide.
    let late = mean(&sigmas[400..]);
    let four = mean(&past.sigmas(&grouped(&input.periods, HORIZONS[3]))[100..]);
    assert!((four / late - 2.0).abs() < 0.1, "{late} {four}");
    let ranges: Vec<f64> = candles[400..]
        .iter()
        .map(|c| (c.high.get() as f64 / c.low.get() as f64).ln())
        .collect();
    let rms = (ranges.iter().map(|r| r * r).sum::<f64>() / ranges.len() as f64 / 2.7726).sqrt();
    assert!((late / rms - 1.0).abs() < 0.1, "{late} {rms}");
}

/// Bars of three days, then trades and prints by the minute of the hours given, counted from the first bar.
fn heard(hours: impl Iterator<Item = i64>) -> Input {
    let mut input = history(3);
    let begin = input.periods[0].start;
    input.periods.clear();
    let source = &mut input.sources[0];
    let price = source.bars[0].open;
    for minute in hours.flat_map(|hour| hour * 60..(hour + 1) * 60) {
        let at = begin.plus(Nanos::new(Nanos::MINUTE.get() * minute + 1));
        let qty = crate::num::Qty::new(5_000_000);
        source
            .trades
            .push(crate::prove::input::Traded { at, price, qty });
        source.prints.push(Told {
            at,
            holder: Holder::Long,
            price,
            qty,
        });
    }
    input
}

#[test]
fn where_nobody_listened_nothing_is_said_to_have_been_liquidated() {
    let mut input = heard((72..80).chain(90..100));
    let begin = input.sources[0].bars[0].start;
    let minutes = |input: &Input| -> Vec<i64> {
        let periods = realised(input);
        assert!(periods.iter().all(|p| p.usd[0] > 0.0), "a zero was laid");
        let of = |p: &Period| p.start.since(begin).get() / Nanos::MINUTE.get();
        periods.iter().map(of).collect()
    };
    // The first minute of a stretch is not whole.
    let want: Vec<i64> = (72 * 60 + 1..80 * 60)
        .chain(90 * 60 + 1..100 * 60)
        .collect();
    assert_eq!(minutes(&input), want);
    // Nine minutes of silence are no hole, ten are.
    let quiet = |long: i64| {
        let mut input = heard(72..80);
        let from = 75 * 60;
        let is_kept = |at: Nanos| {
            let minute = at.since(begin).get() / Nanos::MINUTE.get();
            minute < from || minute >= from + long
        };
        input.sources[0].trades.retain(|t| is_kept(t.at));
        input.sources[0].prints.retain(|p| is_kept(p.at));
        realised(&input).len() as i64
    };
    assert_eq!(quiet(9), 8 * 60 - 1);
    assert_eq!(quiet(10), 8 * 60 - 1 - 10 - 1);
    // One stamp of another age is neither a begin nor millions of minutes.
    let mut odd = input.sources[0].trades[0];
    odd.at = Nanos::SECOND;
    input.sources[0].trades.insert(0, odd);
    assert_eq!(minutes(&input), want);
    input.sources[0].marks.push((Nanos::SECOND, odd.price));
    assert_eq!(minutes(&input), want);
}

#[test]
fn a_day_without_volume_is_seen_as_one() {
    let mut input = history(14);
    for bar in &mut input.sources[0].bars[200..240] {
        bar.volume = crate::num::Qty::ZERO;
    }
    let candles = path::candles(&input);
    let past = Past::new(&candles, &input.periods);
    let seen = past
        .features(&input.periods[232], Holder::Long, 0.01)
        .unwrap();
    assert!(seen.iter().all(|v| v.is_finite()), "{seen:?}");
}

#[test]
fn what_the_map_adds_is_judged_together() {
    let rows = world(30);
    let mut found = judged(&rows);
    let asked = |of: &Horizon| -> Vec<(&'static str, Option<bool>)> {
        let pairs = of.pairs.iter().filter(|pair| pair.chance.is_some());
        pairs.map(|pair| (pair.than, pair.holds)).collect()
    };
    assert_eq!(asked(&found), [("HAR", None), ("trees of the past", None)]);
    assert_eq!(judge::together([&mut found].into_iter()), 2);
    assert_eq!(
        asked(&found),
        [("HAR", Some(true)), ("trees of the past", Some(true))]
    );
    assert!(found.pairs.iter().filter(|p| p.holds.is_some()).count() == 2);
    // A chance that holds alone does not beside many.
    let mut many = [found.clone(), found.clone(), found];
    for pair in many.iter_mut().flat_map(|of| &mut of.pairs) {
        pair.chance = pair.chance.map(|_| 0.02);
    }
    let mut symbols = many.map(|of| Found {
        horizons: vec![of],
        ..Found::default()
    });
    together(symbols.iter_mut());
    let mut held = symbols.iter().flat_map(|of| asked(&of.horizons[0]));
    assert!(held.all(|(_, holds)| holds == Some(false)));
    let [found, ..] = symbols;
    let text = report::text(&found).join("\n");
    assert!(
        text.contains(
            "of 2 differences in CRPS that say what the map adds to the same model 0 hold among all 6 of the symbols"
        ),
        "{text}"
    );
    assert!(text.contains("the other 38 intervals of differences stand alone"));
}

/// A map that says nothing changes nothing, in every draw: that is no sign that it helps.
#[test]
fn no_difference_does_not_hold() {
    let mut rows = world(30);
    rows.iter_mut().for_each(|row| row.ours = [0.0; CLASSES]);
    let mut found = judged(&rows);
    judge::together([&mut found].into_iter());
    let pair = pair(&found, "HAR and the map", "HAR");
    assert!(pair.crps.unwrap().value.abs() < 1e-9, "{pair:?}");
    assert_eq!(pair.holds, Some(false), "{pair:?}");
}

#[test]
fn a_part_of_what_was_liquidated_is_named_so() {
    let mut input = heard(72..80);
    let of = |input: &Input| {
        let found = found(input, 50, &mut |_| {}).unwrap();
        let text = report::text(&found).remove(0);
        let json = report::object(&found);
        (text, json["is_part"].clone(), json["printed_by"].clone())
    };
    let (text, is_part, by) = of(&input);
    assert!(
        text.contains("printed dollars, a part of what was liquidated (binance)"),
        "{text}"
    );
    assert_eq!((is_part, by), (true.into(), serde_json::json!(["binance"])));
    // Beside one that prints everything it is not summed.
    let mut whole = input.sources[0].clone();
    (whole.venue, whole.bars) = (VenueId::BYBIT, Vec::new());
    whole.prints.truncate(1);
    input.sources.push(whole);
    assert_eq!(realised(&input).iter().map(|p| p.usd[0]).sum::<f64>(), 0.0);
    let (text, is_part, by) = of(&input);
    assert!(
        text.contains("printed dollars, all that was liquidated (bybit)"),
        "{text}"
    );
    assert_eq!((is_part, by), (false.into(), serde_json::json!(["bybit"])));
    let (text, is_part, by) = of(&history(3));
    assert!(text.contains("forecasts: dollars of the next"), "{text}");
    assert_eq!((is_part, by), (false.into(), serde_json::json!([])));
}

#[test]
fn one_odd_period_changes_no_horizon() {
    let mut input = history(3);
    let wanted = grouped(&input.periods[1..], HORIZONS[3]);
    // The first hour began late.
    input.periods[0].start = input.periods[0]
        .start
        .plus(Nanos::new(17 * Nanos::MINUTE.get()));
    let base = usual(&input.periods).map(|p| p.end.since(p.start));
    assert_eq!(base, Some(HOUR));
    assert_eq!(grouped(&input.periods, HORIZONS[3]), wanted);
    assert_eq!(wanted.len(), 17);
    // Of lengths that are as frequent the shorter.
    let two = [input.periods[1], input.periods[0]];
    assert_eq!(usual(&two), Some(&input.periods[0]));
    let lengths = [17, 43, 60, 240].map(|m| length(Nanos::new(m * Nanos::MINUTE.get())));
    assert_eq!(lengths, ["17 min", "43 min", "1 h", "4 h"]);
    assert_eq!(length(Nanos::seconds(30)), "0.5 min");
}

proptest! {
    /// What is fitted on rows before a row may use all of them, for none of them reaches into it.
    #[test]
    fn periods_of_a_horizon_never_overlap(
        told in proptest::collection::vec((1i64..6, 1i64..5), 1..60),
        horizon in 1i64..9,
    ) {
        let mut start = 0;
        let minutes = |n: i64| Nanos::new(n * Nanos::MINUTE.get());
        // They overlap, leave holes and differ in length; the input keeps one of each begin.
        let periods: Vec<Period> = told.iter().map(|(step, length)| {
            start += step;
            Period { start: minutes(start), end: minutes(start + length), usd: [1.0; 2] }
        }).collect();
        let joined = grouped(&periods, minutes(horizon));
        prop_assert!(joined.windows(2).all(|w| w[0].end <= w[1].start));
        prop_assert!(joined.iter().all(|p| p.end.since(p.start) == minutes(horizon)));
    }
}
