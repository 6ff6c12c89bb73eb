//! Tests of the aggregated map.
#![allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]

use super::*;
use crate::inventory::Params;
use crate::num::log::bucket_low;
use crate::num::{Qty, Round};

const LONG: Holder = Holder::Long;
const SHORT: Holder = Holder::Short;

fn map() -> Box<Heatmap> {
    bytemuck::allocation::zeroed_box()
}
fn seeded(mark: Px, interest: i64) -> Box<Inventory> {
    let mut inventory: Box<Inventory> = bytemuck::allocation::zeroed_box();
    let params = Params::default();
    inventory.mark(Nanos::SECOND, mark, &params);
    inventory.interest(Nanos::SECOND, Qty::whole(interest), &params);
    for tick in 0..200 {
        inventory.tick(Nanos::millis(1_000 + tick * 10), &params);
    }
    inventory
}

#[test]
fn steps_are_two_basis_points() {
    let one = (1i64 << 60) as f64;
    assert!((BUCKET_STEP[1] as f64 / one - 0.0002f64.exp()).abs() < 1e-15);
    assert!((BUCKET_STEP[0] as f64 / one - (-0.0002f64).exp()).abs() < 1e-15);
    for i in [1, 100, 4_095] {
        for (row, way) in FACTORS.iter().zip([-1.0, 1.0]) {
            let want = (way * 0.0002 * i as f64).exp();
            assert!((row[i] as f64 / one / want - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn scales_agree_with_notional() {
    for price in [
        1,
        7,
        12_345,
        100_000_000,
        650_000_000_000_000,
        i64::MAX >> 8,
    ] {
        let (factor, shift) = scale(Px::new(price));
        for qty in [1i64, 999_999, 1 << 40, 1 << 54] {
            let want = Px::new(price).notional(Qty::new(qty), Round::Down).get();
            let got = cents(qty, factor, shift);
            let slack = 1 + want / (1 << 40);
            assert!(
                want == i64::MAX || (want - got).abs() <= slack,
                "{price} {qty} {want} {got}"
            );
        }
    }
}

/// Positions of accounts 0, 1, …: (holder, whole lots, liquidation price).
fn positions(held: &[(Holder, i64, Px)]) -> Box<Exact> {
    let mut exact: Box<Exact> = bytemuck::allocation::zeroed_box();
    for (account, (holder, lots, liquidation)) in held.iter().enumerate() {
        let told = crate::event::Position {
            account: account as u64,
            holder: *holder,
            qty: Qty::whole(*lots),
            entry: Px::whole(65_000),
            liquidation: *liquidation,
        };
        exact.tell(Nanos::SECOND, &told, None);
    }
    exact
}

/// A quarter of the longs is known, half of that without a price; no short is.
#[test]
fn the_model_fills_what_is_not_known_exactly() {
    let mark = Px::whole(65_000);
    let inventory = seeded(mark, 50_000);
    let known = [(LONG, 6_250, Px::whole(64_000)), (LONG, 6_250, Px::ZERO)];
    let exact = positions(&known);
    let (mut plain, mut with) = (map(), map());
    let all = std::slice::from_ref(&*inventory);
    plain.refresh(Nanos::SECOND, all, &[mark], 0);
    with.refresh_with(Nanos::SECOND, all, &[mark], 0, Some((0, &exact)));
    assert!(plain.above_short == with.above_short);
    let at = (plain.bucket() - crate::num::log::bucket_of(Px::whole(64_000))) as usize;
    let rest = exact.rest_q32(LONG, &inventory, plain.bucket());
    assert!(rest[0] < rest[BANDS - 1]);
    for i in 0..DEPTH {
        let own = with.below_long[i] as f64;
        let band = ENDS.partition_point(|end| *end <= i as i64);
        let mut want = plain.below_long[i] as f64 * rest[band] as f64 / ONE32 as f64;
        if i == at {
            // 6,250 lots at the middle of its bucket: within a basis point of 64,000.
            let usd = 6_250.0 * 64_000.0 * 100.0;
            assert!((own - want - usd).abs() < usd * 1e-4, "{own} {want}");
            want = own;
        }
        assert!((own - want).abs() <= 2.0 + want * 1e-9, "{i} {own} {want}");
    }
    assert_eq!(plain.known(LONG), Usd::ZERO);
    let known = with.total(LONG).minus(with.part(LONG, 0));
    assert_eq!((with.known(LONG), with.known(SHORT)), (known, Usd::ZERO));
    assert!((known.get() as f64 / (6_250.0 * 64_000.0 * 100.0) - 1.0).abs() < 1e-4);
    // Positions of a venue that is not in the map change nothing.
    with.refresh_with(Nanos::SECOND, all, &[mark], 0, Some((1, &exact)));
    assert!(plain.below_long == with.below_long);
}

/// Nobody known is no difference, to the byte; everybody known is their positions and nothing else.
#[test]
fn nothing_known_is_the_model_and_all_known_is_no_model() {
    let mark = Px::whole(65_000);
    let inventory = seeded(mark, 50_000);
    let all = std::slice::from_ref(&*inventory);
    let (mut plain, mut with) = (map(), map());
    plain.refresh(Nanos::SECOND, all, &[mark], 0);
    with.refresh_with(Nanos::SECOND, all, &[mark], 0, Some((0, &positions(&[]))));
    assert!(bytemuck::bytes_of(&*plain) == bytemuck::bytes_of(&*with));
    let known = [(LONG, 20_000, Px::whole(64_000)), (LONG, 30_000, Px::ZERO)];
    with.refresh_with(
        Nanos::SECOND,
        all,
        &[mark],
        0,
        Some((0, &positions(&known))),
    );
    assert!(plain.above_short == with.above_short);
    let filled: Vec<_> = (0..DEPTH).filter(|i| with.below_long[*i] != 0).collect();
    let at = plain.bucket() - crate::num::log::bucket_of(Px::whole(64_000));
    assert_eq!(filled, [at as usize]);
}

/// exact + Σ rest · mass (inert, pending and far included) = open interest, whatever is known.
#[test]
fn what_is_known_and_what_is_filled_in_is_the_open_interest() {
    let inventory = seeded(Px::whole(65_000), 50_000);
    let interest = inventory.interest_now();
    for lots in [0, 1, 33_333, 49_999, 50_000, 70_000, 400_000] {
        let halves = [
            (LONG, lots / 2, Px::whole(64_000)),
            (LONG, lots - lots / 2, Px::ZERO),
        ];
        let exact = positions(&halves);
        let (low, high) = inventory.window();
        let origin = inventory.mark_ln().unwrap().div_euclid(BUCKET);
        let rest = exact.rest_q32(LONG, &inventory, origin);
        let mut last = inventory.inert(LONG).get() + inventory.pending(LONG).get();
        let far = (0..crate::inventory::CLASSES).map(|k| inventory.far_mass(LONG, k).get());
        last += far.sum::<i64>();
        let mut filled = mul32(last, rest[BANDS - 1]);
        for bucket in low..=high {
            let band = ENDS.partition_point(|end| *end <= origin - bucket);
            filled += mul32(inventory.mass(LONG, bucket).get(), rest[band]);
        }
        let known = mul32(exact.tracked(LONG).get(), exact.weight_q32(LONG, interest));
        let off = known + filled - interest.get();
        // A Q32 share of 5e10 units is exact to a dozen; cells round down one by one.
        assert!(off.abs() <= 10_000, "{lots}: {off}");
    }
}

#[test]
fn one_venue_is_its_own_reference() {
    let mark = Px::whole(65_000);
    let inventory = seeded(mark, 50_000);
    let mut map = map();
    map.refresh(Nanos::SECOND, std::slice::from_ref(&*inventory), &[mark], 0);
    assert_eq!((map.reference(), map.venues), (Some(0), 1));
    for (holder, way) in [(LONG, -1), (SHORT, 1)] {
        let mut total = 0;
        for i in 0..DEPTH as i64 {
            let bucket = map.bucket() + way * i;
            let middle = bucket_low(bucket).get() / 2 + bucket_low(bucket + 1).get() / 2;
            let want = Px::new(middle).notional(inventory.hot(holder, bucket), Round::Down);
            let got = map.half(holder)[i as usize];
            let slack = 2 + want.get() / 1_000_000;
            assert!((got - want.get()).abs() <= slack, "{i} {got} {want}");
            total += got;
        }
        assert_eq!(map.total(holder), Usd::new(total));
        assert!(total > 0);
        let (at, usd) = map.heaviest(holder).unwrap();
        assert_eq!(map.half(holder)[at], usd.get());
        assert!(map.half(holder).iter().all(|&other| other <= usd.get()));
    }
}

#[test]
fn within_is_the_integral_of_the_half() {
    let mark = Px::parse("64987.65").unwrap();
    let inventory = seeded(mark, 50_000);
    let mut map = map();
    map.refresh(Nanos::SECOND, std::slice::from_ref(&*inventory), &[mark], 0);
    for holder in Holder::BOTH {
        assert_eq!(map.within(holder, 0), Usd::ZERO);
        assert_eq!(map.within(holder, i64::MIN), Usd::ZERO);
        assert_eq!(map.within(holder, i64::MAX), map.total(holder));
        let mut before = Usd::ZERO;
        for step in 0..5_000i64 {
            let distance = step * 858_993 / 3;
            let got = map.within(holder, distance);
            assert!(got >= before);
            before = got;
            // The same by walking.
            let mut left = (distance << 16) as f64;
            let mut sum = 0.0;
            for (i, &cents) in map.half(holder).iter().enumerate() {
                let width = if i == 0 {
                    map.near[holder as usize]
                } else {
                    BUCKET
                } as f64;
                let part = (left / width).clamp(0.0, 1.0);
                sum += cents as f64 * part;
                left -= width * part;
                if part < 1.0 {
                    break;
                }
            }
            assert!((got.get() as f64 - sum).abs() <= 2.0, "{step}");
        }
    }
}

#[test]
fn an_offset_does_not_flicker_on_its_edge() {
    let mut map = map();
    map.mark_ln = 1_000 * BUCKET;
    assert_eq!(map.offset(0, map.mark_ln - BUCKET * 4 / 10), 0);
    assert_eq!(map.offset(0, map.mark_ln - BUCKET * 6 / 10), 0);
    assert_eq!(map.offset(0, map.mark_ln - BUCKET * 8 / 10), 1);
    assert_eq!(map.offset(0, map.mark_ln - BUCKET * 4 / 10), 1);
    assert_eq!(map.offset(0, map.mark_ln + BUCKET * 4 / 10), 0);
}

#[test]
fn venues_add_in_distance_from_their_own_marks() {
    let params = Params::default();
    let marks = [Px::whole(65_000), Px::whole(65_100)];
    let mut both: Box<[Inventory; 2]> = bytemuck::allocation::zeroed_box();
    for (inventory, mark) in both.iter_mut().zip(marks) {
        inventory.mark(Nanos::SECOND, mark, &params);
        inventory.interest(Nanos::SECOND, Qty::whole(1_000), &params);
        for tick in 0..200 {
            inventory.tick(Nanos::millis(1_000 + tick * 10), &params);
        }
    }
    let (mut one, mut sum) = (map(), map());
    one.refresh(Nanos::SECOND, &both[..1], &marks[..1], 0);
    sum.refresh(Nanos::SECOND, both.as_slice(), &marks, 0);
    assert_eq!(sum.venues, 3);
    for holder in Holder::BOTH {
        let (one, sum) = (
            one.total(holder).get() as f64,
            sum.total(holder).get() as f64,
        );
        assert!((sum / one - 2.0).abs() < 0.01, "{sum} {one}");
    }
    // A stale venue leaves; without any the map is empty.
    sum.refresh(Nanos::SECOND, both.as_slice(), &[marks[0], Px::ZERO], 0);
    assert_eq!((sum.venues, sum.total(LONG)), (1, one.total(LONG)));
    // In the other's price the dollars are those of the same distances.
    sum.refresh(Nanos::SECOND, both.as_slice(), &marks, 1);
    assert_eq!((sum.venues, sum.reference()), (3, Some(1)));
    assert_eq!(sum.bucket_of_venue(1, sum.bucket()), sum.bucket());
    assert_eq!(sum.bucket_of_venue(0, sum.bucket()), sum.bucket() - 8);
    sum.refresh(Nanos::SECOND, both.as_slice(), &[], 0);
    assert_eq!((sum.venues, sum.total(LONG)), (0, Usd::ZERO));
}

#[test]
fn parts_are_the_venues_and_the_densest_is_the_largest_of_the_kernel() {
    let mark = Px::whole(100);
    let inventory = seeded(mark, 1_000);
    let mut map = map();
    assert_eq!(map.densest(), None);
    map.refresh(Nanos::SECOND, std::slice::from_ref(&*inventory), &[mark], 0);
    let mut best = (Usd::ZERO, 0);
    for holder in Holder::BOTH {
        assert_eq!(map.part(holder, 0), map.total(holder));
        assert_eq!(map.part(holder, 1), Usd::ZERO);
        for i in 0..DEPTH {
            let dense = map.smoothed(holder, i);
            if dense > best.0 {
                best = (dense, i);
            }
        }
    }
    let (holder, at, dense) = map.densest().unwrap();
    assert!(
        (dense.get() - best.0.get()).abs() <= 1,
        "{dense:?} {best:?}"
    );
    let price = map.price(holder, at);
    assert_eq!(holder == SHORT, price > mark);
}

#[test]
fn smoothing_keeps_mass() {
    let mark = Px::whole(100);
    let inventory = seeded(mark, 1_000);
    let mut map = map();
    map.refresh(Nanos::SECOND, std::slice::from_ref(&*inventory), &[mark], 0);
    for holder in Holder::BOTH {
        let sum: i64 = (0..DEPTH).map(|i| map.smoothed(holder, i).get()).sum();
        assert!((sum - map.total(holder).get()).abs() <= DEPTH as i64);
        assert_eq!(map.smoothed(holder, usize::MAX - 1), Usd::ZERO);
    }
}
