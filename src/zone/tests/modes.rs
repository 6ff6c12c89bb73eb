//! What each mode sees, says and learns.

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
    let book: Box<Book> = bytemuck::allocation::zeroed_box();
    let sight = Sight {
        mark,
        sigma_5m: 0,
        sigma: [PERCENT / 8, PERCENT, 5 * PERCENT],
        flow: [[0; 2]; MODES],
        depth: &[true, false].map(|above| Depth::read(&book, above, mark, 0, 0)),
        share: fixed::ONE,
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
