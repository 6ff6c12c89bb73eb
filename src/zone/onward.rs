//! Onward: how far price goes on behind where a cascade's forced flow is eaten up.
//!
//! What drove price into a zone does not end with the zone. By side of the map: when the nearest zone is touched, the
//! end that was published of it is kept for ten minutes beside the farthest mark that a refresh of the map saw, once a
//! second. If the zone went by then, the usual way on grows or shrinks by a step that becomes smaller with what was
//! seen: it settles where price goes on farther half of the time. Zones that held teach nothing, for the end is of a
//! zone that goes; nor does a watch with a hole in it, for nobody knows how far price went. Integers only.

use super::life::{Change, cause, state};
use crate::num::Px;
use crate::num::fixed::{ONE, clip, mulq};
use crate::num::log::BUCKET;
use crate::shm::record::CascadeRecord;
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// How long after the touch price is followed.
const FOLLOWED: Nanos = Nanos::new(10 * Nanos::MINUTE.get());
/// A watch that has seen nothing for so long has seen nothing.
const HOLE: Nanos = Nanos::MINUTE;
/// The usual way is at most this, either way.
const FARTHEST: i64 = 4 * ONE;
/// Steps are no smaller than one over this of a sigma, so that what is new is always heard.
const HEARD: u64 = 64;

/// What is known of one side. All zeros is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Onward {
    /// Median way from where forced flow is eaten to where price went, sigmas of an hour, Q16.
    usual: i64,
    /// How many taught it.
    pub taught: u64,
    /// The zone that is followed; 0 = none.
    zone: u64,
    /// Until when.
    until: Nanos,
    /// When it was last looked where the mark is.
    looked: Nanos,
    /// 1 once it went.
    gone: u64,
    /// The end that was published of it.
    end: Px,
    /// The farthest mark since.
    extreme: Px,
}

impl Onward {
    /// The usual way in cells of the map, outwards; `sigma` is one hour's log return, Q32.
    #[must_use]
    pub fn cells(&self, sigma: i64) -> i64 {
        mulq(self.usual, sigma.max(0)) / (BUCKET >> 16)
    }

    /// Hears what became of a zone of the side, of which `said` was published.
    pub fn take(&mut self, change: &Change, said: &CascadeRecord) {
        let went = change.cause == cause::BEYOND;
        let is_new = self.zone == 0 && change.from < state::TOUCHED;
        let comes = went || change.to == state::TOUCHED;
        if is_new && comes && change.id == said.zone && said.end_e10 > 0 {
            self.zone = change.id.into();
            (self.until, self.looked) = (change.at.plus(FOLLOWED), change.at);
            self.gone = 0;
            (self.end, self.extreme) = (Px::new(said.end_e10), Px::ZERO);
        }
        self.gone |= u64::from(went && self.zone == u64::from(change.id));
    }

    /// Looks where the mark is; `up` is the side of shorts.
    pub fn step(&mut self, now: Nanos, mark: Px, up: bool) {
        if self.zone == 0 || mark.get() <= 0 {
            return;
        }
        if now.since(self.looked) > HOLE {
            return self.forget();
        }
        self.looked = now;
        if now < self.until {
            let is_farther = if up {
                mark > self.extreme
            } else {
                mark < self.extreme
            };
            if self.extreme == Px::ZERO || is_farther {
                self.extreme = mark;
            }
            return;
        }
        if self.gone == 1 {
            let step = ONE / self.taught.saturating_add(2).min(HEARD) as i64;
            let way = if up {
                self.extreme.cmp(&self.end)
            } else {
                self.end.cmp(&self.extreme)
            };
            self.usual = clip(
                self.usual.saturating_add(way as i64 * step),
                -FARTHEST,
                FARTHEST,
            );
            self.taught = self.taught.saturating_add(1);
        }
        self.forget();
    }

    /// Follows nothing any more: the price is another's. What was learned stays.
    pub fn forget(&mut self) {
        self.zone = 0;
    }
}

#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    reason = "the ways that are drawn are floats"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 1 % in an hour.
    const SIGMA: i64 = 42_949_673;
    const MARK: f64 = 1_000.0;

    fn price(up: bool, sigmas: f64) -> Px {
        let way = if up { 0.01 } else { -0.01 };
        Px::new((MARK * (way * sigmas).exp() * Px::ONE as f64) as i64)
    }

    fn change(id: u32, at: i64, from: u8, to: u8, cause: u8) -> Change {
        let mut change = Change::zeroed();
        (change.at, change.id) = (Nanos::seconds(at), id);
        (change.from, change.to, change.cause) = (from, to, cause);
        change
    }

    /// A zone is touched, the forced flow of which is eaten half a sigma on; price goes `way` sigmas farther and back.
    fn one(onward: &mut Onward, up: bool, n: u32, way: f64, goes: bool) {
        let on = onward.cells(SIGMA) as f64 * 0.0002 / 0.01;
        let said = CascadeRecord {
            zone: n,
            end_e10: price(up, 0.5 + on).get(),
            ..CascadeRecord::ABSENT
        };
        let start = i64::from(n) * 1_000;
        onward.take(
            &change(n, start, state::APPROACHED, state::TOUCHED, cause::ENTER),
            &said,
        );
        let last = if goes {
            (state::SWEPT, cause::BEYOND)
        } else {
            (state::APPROACHED, cause::EXIT_NEAR)
        };
        onward.take(
            &change(n, start + 60, state::TOUCHED, last.0, last.1),
            &said,
        );
        for after in (0..700).step_by(30) {
            let sigmas = match after {
                60 => 0.5 + way,
                ..600 => 0.1,
                _ => 3.0,
            };
            onward.step(Nanos::seconds(start + after), price(up, sigmas), up);
        }
    }

    #[test]
    fn half_of_what_goes_goes_farther_than_the_usual_way() {
        let mut seed = 5u64;
        let mut unit = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((seed >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let mut both = [Onward::zeroed(); 2];
        for n in 1..=400 {
            // Exponential: its median is .69 of its mean. Those that hold go nowhere.
            let (way, goes) = (-0.8 * unit().ln(), n % 4 != 0);
            for up in [false, true] {
                one(
                    &mut both[usize::from(up)],
                    up,
                    n,
                    if goes { way } else { -0.4 },
                    goes,
                );
            }
        }
        for onward in both {
            assert_eq!(onward.taught, 300);
            let usual = onward.usual as f64 / ONE as f64;
            assert!((usual - 0.8 * 0.693).abs() < 0.15, "{usual}");
            let cells = usual * 0.01 / 0.0002;
            assert!((onward.cells(SIGMA) as f64 - cells).abs() < 1.5);
        }
        assert!(
            (both[0].usual - both[1].usual).abs() < ONE / 16,
            "sides mirror"
        );
    }

    #[test]
    fn only_the_zone_that_was_spoken_of_is_followed() {
        let mut onward = Onward::zeroed();
        let said = CascadeRecord {
            zone: 4,
            end_e10: price(true, 1.0).get(),
            ..CascadeRecord::ABSENT
        };
        let ends = |id| change(id, 0, state::APPROACHED, state::SWEPT, cause::BEYOND);
        onward.take(&ends(8), &said);
        onward.take(&ends(4), &CascadeRecord { end_e10: 0, ..said });
        assert_eq!(onward, Onward::zeroed());
        // Swept at once, then another on the way, then a halt: nothing before a mark is there.
        onward.take(&ends(4), &said);
        onward.take(&ends(8), &CascadeRecord { zone: 8, ..said });
        assert_eq!((onward.zone, onward.gone), (4, 1));
        // Price is heard of for a minute, and then hours later, far away: that is no lesson.
        onward.step(Nanos::seconds(59), price(true, 0.5), true);
        onward.step(Nanos::seconds(70), Px::ZERO, true);
        onward.step(Nanos::HOUR, price(true, 9.0), true);
        onward.step(Nanos::HOUR, price(true, 9.0), true);
        assert_eq!((onward.zone, onward.taught, onward.cells(SIGMA)), (0, 0, 0));
        // The price is another's.
        onward.take(&ends(4), &said);
        onward.forget();
        for after in (0..700).step_by(30) {
            onward.step(Nanos::seconds(after), price(true, 9.0), true);
        }
        assert_eq!((onward.zone, onward.taught), (0, 0));
    }

    proptest! {
        #[test]
        fn whatever_comes_the_way_stays_within_its_ends(
            all in prop::collection::vec((any::<[u8; 4]>(), any::<[i64; 3]>(), any::<bool>()), 0..60),
            usual in any::<i64>(),
            sigma in any::<i64>(),
        ) {
            let mut onward = Onward { usual: clip(usual, -FARTHEST, FARTHEST), ..Onward::zeroed() };
            for ([id, from, to, cause], [at, end, mark], up) in all {
                let said = CascadeRecord { zone: (id % 3).into(), end_e10: end, ..CascadeRecord::ABSENT };
                onward.take(&change((id % 4).into(), at >> 32, from % 5, to % 5, cause % 14), &said);
                onward.step(Nanos::new(at), Px::new(mark), up);
            }
            prop_assert!((-FARTHEST..=FARTHEST).contains(&onward.usual));
            let _ = onward.cells(sigma);
        }
    }
}
