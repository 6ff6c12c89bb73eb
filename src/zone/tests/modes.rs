//! What each mode sees, says and learns.
#![allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]

use super::*;

#[test]
fn each_mode_sees_the_same_places_by_its_own_sigma_and_pace() {
    use crate::shm::record::mode::{SCALP, SWING};
    let mut zones = empty();
    refresh(&mut zones, at(0), price(0), &[], &plain());
    let seen = |zones: &Zones| {
        [SCALP, DAY, SWING].map(|mode| zones.hot_above(mode).first().map_or(9, |zone| zone.state))
    };
    let place = |mode: usize| {
        let zone = zones.hot_above(mode)[0];
        assert_eq!(mode_of(zone.id), mode);
        (zone.bottom, zone.top, zone.usd, zone.heat)
    };
    assert_eq!([place(SCALP), place(SWING)], [place(DAY); 2]);
    assert_eq!(mode_of(zones.cold_above()[0].id), MODES);
    // Two per cent away: sixteen sigmas of a minute, two of an hour, two fifths of one of a day.
    let (fresh, near) = (state::FRESH, state::APPROACHED);
    assert_eq!(seen(&zones), [fresh, fresh, near]);
    zones.mark(at(1), price(80));
    assert_eq!(seen(&zones), [fresh, near, near]);
    zones.mark(at(2), price(98));
    assert_eq!(seen(&zones), [near, near, near]);
    // Nine bp beyond is enough for a minute and an hour, not for a day.
    zones.mark(at(3), price(125));
    assert_eq!(seen(&zones), [state::SWEPT, state::SWEPT, near]);
    zones.mark(at(4), price(400));
    assert_eq!(seen(&zones), [state::SWEPT; 3]);
    // Back after two minutes and a second: too late for a minute.
    zones.mark(at(3 + 121), price(110));
    assert_eq!(
        seen(&zones),
        [state::SWEPT, state::RECLAIMED, state::RECLAIMED]
    );
    zones.clear();
    assert_eq!(seen(&zones), [9; 3]);
}

/// Judges with nothing but a sigma known.
fn judge(zones: &mut Zones, now: Nanos, mark: Px) {
    judge_beside(zones, now, mark, 0, fixed::ONE);
}

/// The same, with an hour's turnover that tells how deep the market is, and a share of the map that meets it.
fn judge_beside(zones: &mut Zones, now: Nanos, mark: Px, usual: i64, share: i64) {
    let book: Box<Book> = bytemuck::allocation::zeroed_box();
    let sight = Sight {
        mark,
        sigma_5m: 0,
        sigma: [PERCENT / 8, PERCENT, 5 * PERCENT],
        flow: [[0; 2]; MODES],
        depth: &[true, false].map(|above| Depth::read(&book, above, mark, usual, PERCENT)),
        share,
        structure: &bytemuck::Zeroable::zeroed(),
        speed: [0; MODES],
        cover: fixed::ONE,
        thin: fixed::ONE,
    };
    zones.judge(now, &sight);
}

#[test]
fn without_book_and_flow_a_touch_is_what_a_walk_says() {
    let mut zones = empty();
    refresh(&mut zones, at(0), price(0), &[], &plain());
    judge(&mut zones, at(0), price(0));
    let touch = |mode: usize| i64::from(zones.hot_above(mode)[0].odds.touch);
    let way = fixed::div32(
        zones.hot_above(DAY)[0].low.get() - price(0).get(),
        price(0).get(),
    );
    for (mode, sigma) in [(0, PERCENT / 8), (DAY, PERCENT), (2, 5 * PERCENT)] {
        assert_eq!(touch(mode), fixed::hit_fat(fixed::div32(way, sigma) >> 16));
    }
    assert!(
        touch(0) < 50 && touch(DAY) > 4_000 && touch(2) > 40_000,
        "{}",
        touch(DAY)
    );
}

/// A book whose share of the map is not known says nothing of a run: it is as if there were no book.
#[test]
fn a_share_that_is_not_known_is_not_a_share_of_nothing() {
    let run = |usual: i64, share: i64| {
        let mut zones = empty();
        refresh(&mut zones, at(0), price(0), &[], &plain());
        judge_beside(&mut zones, at(0), price(0), usual, share);
        zones.hot_above(DAY)[0].odds.run
    };
    let blind = run(0, fixed::ONE);
    assert_eq!(run(1_000_000_000, 0), blind);
    assert!(run(1_000_000_000, fixed::ONE) < blind);
}

#[test]
fn what_held_teaches_its_own_mode_only() {
    let mut zones = empty();
    let mut cells = plain();
    let run = |zones: &Zones, mode: usize| zones.hot_above(mode)[0].odds.run;
    let mut now = 0;
    let mut last = i32::MAX;
    for touch in 0..6 {
        refresh(&mut zones, at(now), price(88), &[], &cells[88..]);
        judge(&mut zones, at(now), price(88));
        let said = run(&zones, DAY);
        assert!(said < last, "touch {touch}: {said} {last}");
        last = said;
        // In, and a fifth of the day's sigma back out; for a swing it was never out.
        zones.mark(at(now + 1), price(102));
        zones.mark(at(now + 2), price(88));
        now += 10;
        cells[100] += 1;
    }
    // A quarter of what it said at first, and the touch history says a part of that.
    assert!(last < 20_000, "{last}");
    assert!(run(&zones, 2) > last + 5_000, "{}", run(&zones, 2));
    // Another run that begins with it says less from its first zone on, in that mode.
    assert_eq!(
        [0, DAY, 2].map(|mode| zones.lessons(mode).touches > 0),
        [true, true, false]
    );
    let mut begun = empty();
    begun.begin_with(DAY, zones.lessons(DAY));
    let [first, begun] = [empty(), begun].map(|mut zones| {
        refresh(&mut zones, at(0), price(88), &[], &cells[88..]);
        judge(&mut zones, at(0), price(88));
        [DAY, 2].map(|mode| run(&zones, mode))
    });
    assert!(
        begun[0] < first[0] - 5_000 && begun[1] == first[1],
        "{first:?} {begun:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// The twin sees each hill alone, and weighs in floats what it forces by what a walk of the mode says of its
    /// distance.
    #[test]
    fn each_mode_lists_what_weighs_most_to_it(
        hills in prop::collection::vec(0i32..500, 1..30), above in any::<bool>()
    ) {
        let place = |hill: usize| 15 + 40 * hill;
        let height = |log: &i32| (1e6 * (f64::from(*log) / 50.0).exp()) as i64;
        let seen = |of: &[usize]| {
            let mut cells = vec![1; 4_000];
            for at in of {
                hill(&mut cells, place(*at), place(*at) + 4, height(&hills[*at]));
            }
            let mut zones = empty();
            let (below, above): (&[i64], &[i64]) = if above { (&[], &cells) } else { (&cells, &[]) };
            refresh(&mut zones, at(0), price(0), below, above);
            zones
        };
        let list = |zones: &Zones, mode: usize| {
            let list = if above { zones.hot_above(mode) } else { zones.hot_below(mode) };
            list.iter().map(|zone| (zone.bottom, zone.usd)).collect::<Vec<_>>()
        };
        let alone = (0..hills.len()).map(|hill| list(&seen(&[hill]), DAY)[0]);
        let alone: Vec<(i32, i64)> = alone.collect();
        let all = seen(&(0..hills.len()).collect::<Vec<_>>());
        for (mode, sigma) in [PERCENT / 8, PERCENT, 5 * PERCENT].into_iter().enumerate() {
            let weight = |hill: usize| {
                // The near edge: two cells of a hill's foot are of its zone, at most.
                let cells = (place(hill) as f64 - 1.0) * 2e-4 * (1u64 << 32) as f64 / sigma as f64;
                alone[hill].1 as f64 * fixed::hit_fat((cells * 65_536.0) as i64) as f64
            };
            let mut want: Vec<usize> = (0..hills.len()).collect();
            want.sort_by(|a, b| weight(*b).total_cmp(&weight(*a)));
            let cut = want.len().min(HOT);
            let listed = list(&all, mode);
            prop_assert_eq!(listed.len(), cut);
            // Who is nearly as heavy as the last may stand there instead.
            let last = weight(want[cut - 1]);
            for (at, hill) in want.iter().enumerate() {
                let has = listed.contains(&alone[*hill]);
                let sure = (weight(*hill) / last - 1.0).abs() > 0.1;
                prop_assert!(!sure || has == (at < cut), "{mode} {at} {listed:?} {alone:?}");
            }
        }
    }
}
