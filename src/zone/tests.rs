mod modes;

use super::*;
use crate::book::Book;
use crate::num::log::{BUCKET, px_of_ln};
use crate::shm::record::{mode::DAY, mode_of};
use density::Limits;
use proptest::prelude::*;

/// The day mode's first zone: its like in the scalp mode was numbered before it.
const FIRST: u32 = 2 * ZONE_KINDS + DAY as u32;
const MARK: i64 = 65_000 * Px::ONE;
/// 1 % as a Q32 return.
const PERCENT: i64 = 42_949_672;

fn empty() -> Box<Zones> {
    bytemuck::allocation::zeroed_box()
}

fn at(seconds: i64) -> Nanos {
    Nanos::seconds(1_700_000_000 + seconds)
}

fn refresh(zones: &mut Zones, now: Nanos, mark: Px, below: &[i64], above: &[i64]) {
    let heat = Heat {
        mark,
        below_long: below,
        above_short: above,
    };
    let tau = [PERCENT / 8, PERCENT, 5 * PERCENT];
    zones.refresh(now, &heat, PERCENT / 10, tau, Px::new(Px::ONE / 10));
}

/// A flat hill of `usd` a cell over `lo ..= hi`.
fn hill(cells: &mut [i64], lo: usize, hi: usize, usd: i64) {
    cells[lo..=hi].fill(usd);
}

/// The middle of the bucket `cells` above the mark's.
fn price(cells: i64) -> Px {
    px_of_ln((bucket_of(Px::new(MARK)) + cells) * BUCKET + BUCKET / 2)
}

/// Ground with one hill above: cells 100 to 119 of 1,000 cents.
fn plain() -> Vec<i64> {
    let mut cells = vec![1; 400];
    hill(&mut cells, 100, 119, 1_000);
    cells
}

fn causes(zones: &mut Zones) -> Vec<u8> {
    let list = zones.changes().iter();
    let list = list.filter(|change| mode_of(change.id) == DAY);
    let list = list.map(|change| change.cause).collect();
    zones.clear_changes();
    list
}

#[test]
fn the_published_clusters_become_zones() {
    let raw = [
        0, 2, 3, 9, 20, 31, 22, 8, 3, 2, 1, 0, 0, 4, 6, 18, 12, 15, 5, 1,
    ];
    let mut zones = empty();
    refresh(&mut zones, at(0), Px::new(MARK), &[], &raw);
    // The second hill is not in the top decile of so small a map.
    assert_eq!(zones.hot_above(DAY).len(), 1);
    let zone = zones.hot_above(DAY)[0];
    assert_eq!(
        (zone.usd, zone.prominence, zone.top - zone.bottom),
        (90, 371, 4)
    );
    assert_eq!(i64::from(zone.bottom), bucket_of(Px::new(MARK)) + 3);
    assert_eq!((zone.id, zone.flags, zone.holder), (FIRST, RELATIVE, 1));
    assert!(zone.low < zone.peak && zone.peak < zone.high);
    // Mean cell: (3*9 + 4*20 + 5*31 + 6*22 + 7*8) / 90 = 5 exactly.
    assert_eq!(zone.vwap, zone.peak);
    assert_eq!(zone.heat, (371 << 16) / 304);
    assert!(zones.hot_below(DAY).is_empty());
    assert_eq!(zones.nearest(DAY, true).map(|zone| zone.id), Some(FIRST));
    assert_eq!(zones.nearest(DAY, false), None);
}

#[test]
fn borders_are_answered() {
    let mut zones = empty();
    refresh(&mut zones, at(0), Px::ZERO, &[5], &[5]);
    assert_eq!(zones.refreshes, 0);
    refresh(&mut zones, at(0), Px::new(MARK), &[], &[]);
    refresh(&mut zones, at(0), Px::new(MARK), &[0; 50], &[0; SPAN + 9]);
    assert!(zones.hot_above(DAY).is_empty() && zones.cold_above().is_empty());
    assert_eq!((zones.refreshes, zones.changes().len()), (2, 0));

    refresh(&mut zones, at(1), Px::new(MARK), &[7], &[]);
    let lone = zones.hot_below(DAY)[0];
    assert_eq!(
        (lone.usd, lone.bottom, lone.state),
        (7, lone.top, state::TOUCHED)
    );

    let mut zones = empty();
    refresh(&mut zones, at(0), Px::new(MARK), &[4; SPAN], &[4; SPAN]);
    assert_eq!(
        (zones.hot_above(DAY).len(), zones.hot_below(DAY).len()),
        (1, 1)
    );
    assert_eq!(zones.hot_above(DAY)[0].usd, 4 * SPAN as i64);
    assert_eq!(zones.hot_above(DAY)[0].heat, fixed::ONE);
    assert!(zones.cold_above().is_empty() && zones.cold_below().is_empty());
}

#[test]
fn extremes_do_not_panic() {
    let mut wild = vec![i64::MAX; SPAN];
    for (at, cell) in wild.iter_mut().enumerate() {
        if at % 7 < 3 {
            *cell = [i64::MIN, -1, 0][at % 7];
        }
    }
    for mark in [1, 17, MARK, i64::MAX] {
        for (sigma, tick) in [(i64::MIN, i64::MIN), (0, 0), (i64::MAX, i64::MAX)] {
            let mut zones = empty();
            for now in [i64::MIN, 0, i64::MAX] {
                for mark in [mark, 1, i64::MAX] {
                    let heat = Heat {
                        mark: Px::new(mark),
                        below_long: &wild,
                        above_short: &wild,
                    };
                    zones.refresh(Nanos::new(now), &heat, sigma, [sigma; MODES], Px::new(tick));
                }
            }
            assert!(zones.clipped > 0);
        }
    }
}

#[test]
fn a_zone_keeps_its_id_while_it_overlaps_itself_by_half() {
    let mut zones = empty();
    let mark = Px::new(MARK);
    refresh(&mut zones, at(0), mark, &[], &plain());
    let born = zones.hot_above(DAY)[0];
    let mut moved = vec![1; 400];
    hill(&mut moved, 108, 127, 2_000);
    refresh(&mut zones, at(60), mark, &[], &moved);
    let same = zones.hot_above(DAY)[0];
    assert_eq!(
        (same.id, same.born, same.birth_usd),
        (FIRST, at(0), born.usd)
    );
    // Twenty cells of the hill and one of ground on either side.
    assert_eq!(same.usd, 40_002);
    let mut far = vec![1; 400];
    hill(&mut far, 150, 169, 2_000);
    zones.clear_changes();
    refresh(&mut zones, at(120), mark, &[], &far);
    let other = zones.hot_above(DAY)[0];
    assert_eq!((zones.hot_above(DAY).len(), other.born), (1, at(120)));
    assert!(other.id > FIRST);
    assert_eq!(causes(&mut zones), [cause::MASS, cause::BORN]);
}

#[test]
fn a_merged_zone_is_lost_and_the_elder_goes_on() {
    let mut zones = empty();
    let mark = Px::new(MARK);
    let mut two = vec![1; 400];
    hill(&mut two, 100, 114, 1_000);
    hill(&mut two, 125, 139, 1_000);
    refresh(&mut zones, at(0), mark, &[], &two);
    assert_eq!(zones.hot_above(DAY).len(), 2);
    let elder = zones.hot_above(DAY).iter().map(|zone| zone.id).min();
    hill(&mut two, 100, 139, 1_000);
    zones.clear_changes();
    refresh(&mut zones, at(60), mark, &[], &two);
    assert_eq!(zones.hot_above(DAY).len(), 1);
    assert_eq!(Some(zones.hot_above(DAY)[0].id), elder);
    assert_eq!(causes(&mut zones), [cause::LOST]);
}

#[test]
fn a_zone_that_cools_keeps_its_name_while_its_mass_stands() {
    let mut zones = empty();
    let mark = Px::new(MARK);
    let mut cells = vec![1; 400];
    hill(&mut cells, 100, 114, 1_000);
    refresh(&mut zones, at(0), mark, &[], &cells);
    let born = zones.hot_above(DAY)[0];
    // Something far hotter far away: the first is not hot beside it, and has lost half.
    hill(&mut cells, 100, 114, 500);
    for peak in 0..7 {
        hill(&mut cells, 200 + peak * 20, 209 + peak * 20, 90_000);
    }
    zones.clear_changes();
    refresh(&mut zones, at(60), mark, &[], &cells);
    let held = zones.hot_above(DAY)[0];
    assert_eq!(
        (held.id, held.born, held.birth_usd),
        (born.id, born.born, born.birth_usd)
    );
    assert!(
        held.heat < born.heat && held.usd * 3 < born.usd * 2,
        "{held:?}"
    );
    assert!(!causes(&mut zones).contains(&cause::LOST));
    hill(&mut cells, 100, 114, 100);
    zones.clear_changes();
    refresh(&mut zones, at(120), mark, &[], &cells);
    assert_eq!(causes(&mut zones), [cause::MASS]);
}

#[test]
fn a_newcomer_must_weigh_a_quarter_more_than_the_lightest() {
    let mut zones = empty();
    let mark = Px::new(MARK);
    let mut cells = vec![1; 400];
    for peak in 0..8 {
        hill(
            &mut cells,
            20 + peak * 20,
            24 + peak * 20,
            1_000 + peak as i64,
        );
    }
    refresh(&mut zones, at(0), mark, &[], &cells);
    assert_eq!(zones.hot_above(DAY).len(), 8);
    // What is farther weighs less: so much as the chance of a walk says.
    let chance = |cell: i64| fixed::hit_fat(((cell * BUCKET) >> 16 << 16) / PERCENT);
    let lightest = 1_007 * chance(160);
    for (second, tenths, turns) in [
        (60, 12, vec![]),
        (120, 13, vec![cause::CROWDED, cause::BORN]),
    ] {
        let height = lightest * tenths / 10 / chance(300);
        hill(&mut cells, 300, 304, height);
        zones.clear_changes();
        refresh(&mut zones, at(second), mark, &[], &cells);
        let mut seen = causes(&mut zones);
        seen.sort_unstable_by_key(|cause| core::cmp::Reverse(*cause));
        assert_eq!(seen, turns, "{height}");
    }
}

#[test]
fn a_sweep_is_seen_through_to_its_end() {
    let mut zones = empty();
    let mut cells = plain();
    // Something heavier far behind, or the bare ground would be the densest when the hill is gone.
    hill(&mut cells, 300, 309, 5_000);
    let mut now = 0;
    for step in 0..=126 {
        // The mark walks up; the cells it passed are empty, and the map is told from the mark.
        let gone = usize::try_from(step).unwrap();
        refresh(&mut zones, at(now), price(step), &[], &cells[gone..]);
        now += 1;
    }
    assert_eq!(zones.hot_above(DAY).len(), 2);
    let swept = zones.hot_above(DAY)[1];
    assert_eq!((swept.state, swept.usd), (state::SWEPT, 0));
    assert!(swept.birth_usd > 15_000);
    let far = zones.nearest(DAY, true).map(|zone| (zone.id, zone.state));
    assert_eq!(far, Some((swept.id + ZONE_KINDS, state::FRESH)));
    let path = [
        cause::BORN,
        cause::BORN,
        cause::NEAR,
        cause::EDGE,
        cause::ENTER,
        cause::BEYOND,
    ];
    assert_eq!(causes(&mut zones), path);

    let mut back = *zones;
    back.mark(at(now + 600), price(110));
    assert_eq!(back.hot_above(DAY)[1].state, state::RECLAIMED);
    back.mark(at(now + 600 + 4 * 3_600 + 1), price(110));
    assert_eq!(back.hot_above(DAY).len(), 1);
    assert_eq!(causes(&mut back), [cause::BACK, cause::RECLAIMED_OUT]);

    zones.mark(at(now + 901), price(110));
    assert_eq!(zones.hot_above(DAY)[1].state, state::SWEPT);
    zones.mark(at(now + 3_601), price(110));
    assert_eq!(zones.hot_above(DAY).len(), 1);
}

#[test]
fn a_touched_zone_keeps_its_near_edge_and_waits_for_its_outcome() {
    let mut zones = empty();
    let cells = plain();
    refresh(&mut zones, at(0), price(0), &[], &cells);
    let near = zones.hot_above(DAY)[0].low;
    refresh(&mut zones, at(1), price(112), &[], &cells[112..]);
    let touched = zones.hot_above(DAY)[0];
    assert_eq!((touched.state, touched.low), (state::TOUCHED, near));
    assert!(touched.usd < touched.birth_usd / 2);
    // Nothing is left of the map, the mark stands inside: no outcome yet.
    refresh(&mut zones, at(2), price(112), &[], &[]);
    assert_eq!(zones.hot_above(DAY)[0].state, state::TOUCHED);
    // It leaves by the near edge: the zone held, and nothing is left of it.
    zones.clear_changes();
    zones.mark(at(3), price(60));
    assert!(zones.hot_above(DAY).is_empty());
    assert_eq!(causes(&mut zones), [cause::EXIT_NEAR, cause::MASS]);
}

/// The shorts' cells and the longs' reflection of them, refreshed alike; both sides must answer alike.
fn both(
    seen: impl Fn(bool) -> (Box<Zones>, Vec<(i32, i32, u8)>),
) -> (Box<Zones>, Vec<(i32, i32, u8)>) {
    let (above, shapes) = seen(true);
    assert_eq!(shapes, seen(false).1);
    (above, shapes)
}

/// Refreshes with the map `cells` as seen `gone` cells later, on one side; (near, far, state) from cell 0.
fn walk(steps: &[(usize, &[i64])], above: bool) -> (Box<Zones>, Vec<(i32, i32, u8)>) {
    let mut zones = empty();
    let origin = i32::try_from(bucket_of(price(0))).unwrap();
    for (turn, &(gone, cells)) in steps.iter().enumerate() {
        let (now, way) = (at(turn as i64), gone as i64);
        let left = &cells[gone..];
        match above {
            true => refresh(&mut zones, now, price(way), &[], left),
            false => refresh(&mut zones, now, price(-way), left, &[]),
        }
    }
    let list = if above {
        zones.hot_above(DAY)
    } else {
        zones.hot_below(DAY)
    };
    let shapes = list.iter().map(|zone| match above {
        true => (zone.bottom - origin, zone.top - origin, zone.state),
        false => (origin - zone.top, origin - zone.bottom, zone.state),
    });
    let shapes = shapes.collect();
    (zones, shapes)
}

#[test]
fn a_held_zone_leaves_its_far_part_to_the_cluster_that_took_it() {
    let plain = plain();
    let mut other = vec![1; 400];
    hill(&mut other, 115, 150, 1_000);
    let (zones, shapes) = both(|above| walk(&[(0, &plain), (105, &plain), (105, &other)], above));
    let (held, new) = (zones.hot_above(DAY)[0], zones.hot_above(DAY)[1]);
    assert_eq!((held.id, new.id > FIRST), (FIRST, true));
    assert_eq!(
        shapes,
        [(99, 113, state::TOUCHED), (114, 151, state::APPROACHED)]
    );
    assert_eq!(held.usd, 9);
}

#[test]
fn a_touched_zone_that_merges_keeps_its_name() {
    let mut two = vec![1; 400];
    hill(&mut two, 100, 109, 1_000);
    hill(&mut two, 130, 159, 1_000);
    let mut one = vec![1; 400];
    hill(&mut one, 100, 159, 1_000);
    let (mut zones, _) = walk(&[(0, &two), (102, &two)], true);
    let touched = zones.hot_above(DAY)[0];
    assert_eq!(touched.state, state::TOUCHED);
    let heavier = zones.hot_above(DAY)[1];
    assert!(heavier.id < touched.id, "the heavier was born first");
    zones.clear_changes();
    refresh(&mut zones, at(2), price(102), &[], &one[102..]);
    assert_eq!(zones.hot_above(DAY).len(), 1);
    let merged = zones.hot_above(DAY)[0];
    assert_eq!((merged.id, merged.top), (touched.id, heavier.top));
    assert_eq!(causes(&mut zones), [cause::LOST]);
    let (_, shapes) = both(|above| walk(&[(0, &two), (102, &two), (102, &one)], above));
    assert_eq!(shapes, [(99, 160, state::TOUCHED)]);
}

/// Eight heavier ones want its place, it has next to no mass, and it is older than zones become: it waits all the same.
#[test]
fn nothing_but_the_mark_ends_a_touched_zone() {
    let mut zones = empty();
    let mut cells = plain();
    refresh(&mut zones, at(0), price(0), &[], &cells);
    let born = zones.hot_above(DAY)[0];
    zones.mark(at(1), price(101));
    // Back over the near edge, not clearly: neither held nor run.
    zones.mark(at(2), price(97));
    for (second, usd) in [(3, 1_000), (4, 100), (5 * 86_400, 1)] {
        hill(&mut cells, 100, 119, usd);
        for peak in 0..9 {
            hill(&mut cells, 140 + peak * 20, 149 + peak * 20, 90_000);
        }
        refresh(&mut zones, at(second), price(97), &[], &cells[97..]);
        let first = zones.hot_above(DAY)[0];
        assert_eq!(
            (first.id, first.state),
            (born.id, state::TOUCHED),
            "{second}"
        );
        assert_eq!(zones.hot_above(DAY).len(), HOT);
    }
    zones.clear_changes();
    zones.mark(at(5 * 86_400 + 1), price(60));
    assert_eq!(causes(&mut zones)[..2], [cause::EXIT_NEAR, cause::MASS]);
}

#[test]
fn the_newest_four_of_those_swept_keep_their_places() {
    let mut zones = empty();
    let mut cells = vec![1; 4_000];
    for peak in 0..8 {
        hill(&mut cells, 20 + peak * 20, 24 + peak * 20, 1_000);
    }
    refresh(&mut zones, at(0), price(0), &[], &cells);
    assert_eq!(zones.hot_above(DAY).len(), 8);
    let seventh = zones.hot_above(DAY)[6].id;
    zones.clear_changes();
    for step in 1..=163 {
        zones.mark(at(step), price(step));
    }
    let states: Vec<u8> = zones.hot_above(DAY).iter().map(|zone| zone.state).collect();
    assert_eq!(
        states,
        [0, 3, 3, 3, 3].map(|s| if s == 0 { state::TOUCHED } else { s })
    );
    assert_eq!(zones.hot_above(DAY)[1].id, seventh);
    let crowded = causes(&mut zones)
        .iter()
        .filter(|&&cause| cause == cause::CROWDED)
        .count();
    assert_eq!(crowded, 3);
}

#[test]
fn cold_corridors_lie_between_the_price_and_what_is_beyond() {
    let mut zones = empty();
    let mut cells: Vec<i64> = (0..300).map(|cell| 400 - cell).collect();
    hill(&mut cells, 40, 60, 0);
    hill(&mut cells, 100, 101, 0);
    hill(&mut cells, 200, 203, 9_000);
    // Sigma is .1 %, half of it 2.5 buckets: the narrow gap is not wide enough. The far end is the thinnest tenth.
    refresh(&mut zones, at(0), price(0), &[], &cells);
    let cold = zones.cold_above();
    assert_eq!(cold.len(), 2);
    assert_eq!(
        (cold[0].kind, cold[0].holder, cold[0].usd),
        (KIND_COLD, HOLDER_NONE, 0)
    );
    assert!(cold[0].low > price(39) && cold[0].high < price(61));
    let id = cold[0].id;
    refresh(&mut zones, at(9), price(3), &[], &cells[3..]);
    assert_eq!(
        (zones.cold_above()[0].id, zones.cold_above()[0].born),
        (id, at(0))
    );
    let heat = Heat {
        mark: price(0),
        below_long: &[],
        above_short: &cells,
    };
    // The sigma (in whole Q32) of which the gap is just half.
    let width = zones.cold_above()[0].width();
    assert!((17..=23).contains(&width));
    let sigma = (2 * width * BUCKET) >> 16;
    let gap = |zones: &Zones| zones.cold_above().iter().any(|zone| zone.id == id);
    for (sigma, seen) in [(1, true), (sigma, true), (sigma + 1, false)] {
        zones.refresh(at(11), &heat, sigma, [PERCENT; MODES], Px::ZERO);
        assert_eq!(gap(&zones), seen, "{sigma}");
    }
}

#[test]
fn changes_beyond_the_list_are_counted() {
    let mut zones = empty();
    let mut cells = plain();
    for step in 0..40 {
        cells.rotate_right(25);
        refresh(&mut zones, at(step), price(0), &[], &cells);
    }
    assert_eq!(zones.changes().len(), CHANGES);
    assert!(zones.missed > 0);
}

/// Where and what, seen from the mark: nearest cell, farthest cell, dollars, prominence, heat.
fn shape(zone: &Zone, origin: i64, above: bool) -> (i64, i64, i64, i64, i64) {
    let (bottom, top) = (
        i64::from(zone.bottom) - origin,
        i64::from(zone.top) - origin,
    );
    let (near, far) = if above {
        (bottom, top)
    } else {
        (-top, -bottom)
    };
    (near, far, zone.usd, zone.prominence, zone.heat)
}

fn cells() -> impl Strategy<Value = Vec<i64>> {
    let hills = prop::collection::vec((0usize..300, 1usize..30, 0i64..100_000), 0..20);
    (hills, 1i64..50, 1usize..330).prop_map(|(hills, ground, len)| {
        let mut cells = vec![ground; len];
        for (lo, width, usd) in hills {
            for cell in cells.iter_mut().skip(lo).take(width) {
                *cell += usd;
            }
        }
        cells
    })
}

fn apart(list: &[Zone]) -> bool {
    let mut live: Vec<&Zone> = list.iter().filter(|zone| zone.is_live()).collect();
    live.sort_by_key(|zone| zone.bottom);
    live.iter().all(|zone| zone.bottom <= zone.top)
        && live.windows(2).all(|pair| pair[0].top < pair[1].bottom)
}

proptest! {
    #[test]
    fn a_reflected_map_has_the_reflected_zones(below in cells(), above in cells()) {
        let (mut one, mut two) = (empty(), empty());
        let mark = Px::new(MARK);
        refresh(&mut one, at(0), mark, &below, &above);
        refresh(&mut two, at(0), mark, &above, &below);
        let origin = bucket_of(mark);
        let shapes = |list: &[Zone], above| -> Vec<_> {
            list.iter().map(|zone| shape(zone, origin, above)).collect()
        };
        prop_assert_eq!(shapes(one.hot_above(DAY), true), shapes(two.hot_below(DAY), false));
        prop_assert_eq!(shapes(one.hot_below(DAY), false), shapes(two.hot_above(DAY), true));
        prop_assert_eq!(shapes(one.cold_above(), true), shapes(two.cold_below(), false));
        prop_assert_eq!(shapes(one.cold_below(), false), shapes(two.cold_above(), true));
        for (list, all) in [(one.hot_above(DAY), &above), (one.hot_below(DAY), &below)] {
            let usd: i64 = list.iter().map(|zone| zone.usd).sum();
            prop_assert!(usd <= all.iter().sum());
        }
    }

    #[test]
    fn through_any_history_the_invariants_hold(
        history in prop::collection::vec(
            (cells(), cells(), -60i64..60, 1i64..4_000, any::<bool>()), 1..25
        )
    ) {
        let mut zones = empty();
        let (mut now, mut place) = (0, 0);
        let mut ids = std::collections::BTreeSet::new();
        for (below, above, move_by, seconds, map) in history {
            now += seconds;
            place += move_by;
            if map {
                refresh(&mut zones, at(now), price(place), &below, &above);
            } else {
                zones.mark(at(now), price(place));
            }
            for change in zones.changes() {
                if change.cause == cause::BORN {
                    prop_assert!(ids.insert(change.id), "id {} was used before", change.id);
                }
                prop_assert_eq!(change.from == change.to, change.cause == cause::EDGE);
                let ended = change.from == state::TOUCHED && change.to == state::EXPIRED;
                prop_assert!(!ended || change.cause == cause::LOST, "{change:?}");
            }
            zones.clear_changes();
            for (mode, above) in (0..MODES).flat_map(|mode| [(mode, true), (mode, false)]) {
                let list = if above { zones.hot_above(mode) } else { zones.hot_below(mode) };
                prop_assert!(apart(list), "{list:?}");
                prop_assert!(list.is_sorted_by_key(Zone::rank));
                prop_assert!(list.iter().filter(|zone| !zone.is_live()).count() <= SWEPT);
                prop_assert!(list.iter().all(|z| z.state != state::EXPIRED && mode_of(z.id) == mode));
                let nearest = list.iter().filter(|zone| zone.is_live())
                    .min_by_key(|zone| (zone.ahead(price(place)), zone.id));
                prop_assert_eq!(zones.nearest(mode, above).map(|z| z.id), nearest.map(|z| z.id));
            }
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes(below in cells(), above in cells()) {
        let (mut one, mut two) = (empty(), empty());
        for zones in [&mut one, &mut two] {
            refresh(zones, at(0), price(0), &below, &above);
            refresh(zones, at(5), price(7), &above, &below);
        }
        prop_assert_eq!(bytemuck::bytes_of(&*one), bytemuck::bytes_of(&*two));
    }
}

/// `cargo test --release --lib zone -- --ignored --nocapture the_cost`: prints, and fails only far from the goal.
#[test]
#[ignore = "measures"]
fn the_cost_of_a_refresh() {
    let mut seed = 1u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as i64
    };
    let cells: Vec<i64> = (0..SPAN).map(|_| random() % 1_000_000).collect();
    let mut zones = empty();
    let mut best = u128::MAX;
    for turn in 0..2_000 {
        let start = std::time::Instant::now();
        refresh(&mut zones, at(turn), price(0), &cells, &cells);
        best = best.min(start.elapsed().as_nanos());
    }
    let start = std::time::Instant::now();
    for turn in 0..100_000 {
        zones.mark(at(3_000), price(0).plus(Px::new(turn % 2)));
    }
    let mark = start.elapsed().as_nanos() / 100_000;
    let mut out = vec![0; SPAN];
    let lap = |what: &str, run: &mut dyn FnMut()| {
        let best = (0..2_000).map(|_| {
            let start = std::time::Instant::now();
            run();
            start.elapsed().as_nanos()
        });
        println!("{what} {} ns", best.min().unwrap());
    };
    let mut below = 0;
    lap("smooth a side", &mut || {
        (_, below) = density::smooth(std::hint::black_box(&cells), &mut out);
    });
    let smooth = out.clone();
    let mut limits = None;
    lap("count and cut a side", &mut || {
        limits = Some(density::limits([std::hint::black_box(&smooth), &[]], below));
    });
    let limits: Limits = bands::Bands::zeroed().limits(|| limits.unwrap(), 0);
    let mut walk = cluster::Walk::new();
    lap("clusters of a side", &mut || {
        cluster::clusters(
            &mut walk,
            std::hint::black_box(&smooth),
            limits.least(SPAN),
            |at| limits.hot(at),
            |cluster| {
                std::hint::black_box(cluster);
            },
        );
    });
    lap("corridors of a side", &mut || {
        cluster::corridors(std::hint::black_box(&smooth), &limits, &[], 13, |lo, hi| {
            std::hint::black_box((lo, hi));
            true
        });
    });
    println!("refresh of both sides {best} ns, mark {mark} ns");
    assert!(best < 200_000 && mark < 5_000);
}
