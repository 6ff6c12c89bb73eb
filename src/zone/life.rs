//! Life: what becomes of a zone, told by the mark alone (the mark is what liquidates, not the last trade).
//!
//! ```text
//!          near            enter             beyond           back in time
//!  FRESH ------> APPROACHED ----> TOUCHED ---------> SWEPT ----------------> RECLAIMED
//!     ^   far       |    ^  exit_near |   (beyond and enter also straight       |
//!     +-------------+    +------------+    from FRESH and APPROACHED)           |
//!                                                 | one hour, swing four        | four hours
//!      mass or age (but not touched) ---> EXPIRED <-----------------------------+
//! ```
//! Thresholds are shares of the mode's sigma, taken as a price step at the present mark; near and far are apart, so a
//! mark that trembles at the edge does not ring. A zone that is touched has neither to be young nor to have mass: its
//! outcome is SWEPT or back, not decay. Mass is not asked either while the mark stands at or behind the near edge: what
//! goes missing then is the sweep itself.

use super::Zone;
use crate::market::Holder;
use crate::num::{Px, fixed};
use crate::shm::record::MODES;
use crate::time::Nanos;

/// States of a zone, in the order of the published record.
pub mod state {
    /// Nobody near.
    pub const FRESH: u8 = 0;
    /// The mark is within reach.
    pub const APPROACHED: u8 = 1;
    /// The mark is or was inside and has not left clearly.
    pub const TOUCHED: u8 = 2;
    /// The mark went through; the mass is gone.
    pub const SWEPT: u8 = 3;
    /// Swept, and the mark came back in time: the sweep failed.
    pub const RECLAIMED: u8 = 4;
    /// Over; such a zone is no longer listed.
    pub const EXPIRED: u8 = 5;
    /// Not a state: where a born zone comes from in a [`Change`](super::Change).
    pub const NONE: u8 = 255;
}

/// Why a zone changed its state.
pub mod cause {
    /// A cluster without a past.
    pub const BORN: u8 = 0;
    /// Near edge within .5 sigma.
    pub const NEAR: u8 = 1;
    /// Near edge beyond .75 sigma.
    pub const FAR: u8 = 2;
    /// The mark is inside.
    pub const ENTER: u8 = 3;
    /// The mark went back out over the near edge by .1 sigma.
    pub const EXIT_NEAR: u8 = 4;
    /// The mark is past the far edge by .05 sigma, and at least two ticks.
    pub const BEYOND: u8 = 5;
    /// Inside or across the near edge again in time after the sweep: 2 minutes (scalp), 15, 4 hours (swing).
    pub const BACK: u8 = 6;
    /// One hour since the sweep (swing: four).
    pub const SWEPT_OUT: u8 = 7;
    /// Four hours since it was reclaimed.
    pub const RECLAIMED_OUT: u8 = 8;
    /// Less than a quarter of the mass at birth.
    pub const MASS: u8 = 9;
    /// Older than four half-lives.
    pub const AGE: u8 = 10;
    /// A cluster that is another zone's has taken half of it.
    pub const LOST: u8 = 11;
    /// Its place was needed.
    pub const CROWDED: u8 = 12;
    /// No change of state: the mark stands within a tenth of a sigma of the near edge, for the first time since it was
    /// far.
    pub const EDGE: u8 = 13;
}

/// How a mode's zones live.
#[derive(Debug)]
pub(super) struct Pace {
    /// How long after a sweep a return counts.
    back: Nanos,
    /// How long a swept zone is listed: at least as long.
    swept: Nanos,
    reclaimed: Nanos,
    half_life: Nanos,
    /// Stands for a sigma of the horizon that is not warm, a Q32 return: 20 bp an hour.
    cold: i64,
}

/// By mode (scoring.md 11.7).
pub(super) const PACES: [Pace; MODES] = [
    Pace {
        back: Nanos::seconds(2 * 60),
        swept: Nanos::HOUR,
        reclaimed: Nanos::seconds(4 * 3_600),
        half_life: Nanos::seconds(4 * 3_600),
        cold: 1_108_956,
    },
    Pace {
        back: Nanos::seconds(15 * 60),
        swept: Nanos::HOUR,
        reclaimed: Nanos::seconds(4 * 3_600),
        half_life: Nanos::DAY,
        cold: 8_589_935,
    },
    Pace {
        back: Nanos::seconds(4 * 3_600),
        swept: Nanos::seconds(4 * 3_600),
        reclaimed: Nanos::seconds(4 * 3_600),
        half_life: Nanos::new(7 * Nanos::DAY.get()),
        cold: 42_081_915,
    },
];

impl Pace {
    /// A sigma of the horizon to work with.
    pub(super) const fn sigma(&self, known: i64) -> i64 {
        if known > 0 { known } else { self.cold }
    }

    /// How old a zone may become.
    const fn life(&self) -> Nanos {
        Nanos::new(self.half_life.get().saturating_mul(4))
    }

    /// 2^(−age / half-life), Q16.
    pub(super) fn freshness(&self, age: Nanos) -> i64 {
        fixed::decay32(age.get().max(0), self.half_life.get()) >> 16
    }
}

/// By state: why, to; the first row that holds is taken.
const TABLE: [&[(u8, u8)]; 5] = {
    use state::{APPROACHED, EXPIRED, FRESH, RECLAIMED, SWEPT, TOUCHED};
    [
        &[
            (cause::BEYOND, SWEPT),
            (cause::ENTER, TOUCHED),
            (cause::MASS, EXPIRED),
            (cause::AGE, EXPIRED),
            (cause::NEAR, APPROACHED),
        ],
        &[
            (cause::BEYOND, SWEPT),
            (cause::ENTER, TOUCHED),
            (cause::MASS, EXPIRED),
            (cause::AGE, EXPIRED),
            (cause::FAR, FRESH),
        ],
        &[(cause::BEYOND, SWEPT), (cause::EXIT_NEAR, APPROACHED)],
        &[(cause::BACK, RECLAIMED), (cause::SWEPT_OUT, EXPIRED)],
        &[(cause::RECLAIMED_OUT, EXPIRED)],
    ]
};

/// What a zone is looked at with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Shard time.
    pub(super) now: Nanos,
    /// Mark price.
    pub(super) mark: Px,
    /// One sigma of the mode as a price step.
    pub(super) sigma: i64,
    /// How far past the far edge is beyond, as a price step; at least 1.
    pub(super) past: i64,
    /// Of the mode.
    pub(super) pace: &'static Pace,
}

impl Look {
    /// `sigma` is a log return in Q32; 0 = not warm.
    pub(super) fn new(now: Nanos, mark: Px, pace: &'static Pace, sigma: i64, tick: Px) -> Self {
        let sigma = fixed::mul32(mark.get(), pace.sigma(sigma)).max(1);
        let ticks = tick.get().max(0).saturating_mul(2);
        Self {
            now,
            mark,
            sigma,
            past: ticks.max(sigma / 20).max(1),
            pace,
        }
    }
}

impl Look {
    /// How far back out over the near edge is out, as a price step; at least 1.
    pub(super) const fn back(&self) -> i64 {
        let tenth = self.sigma.saturating_add(9) / 10;
        if tenth > 1 { tenth } else { 1 }
    }
}

impl Zone {
    /// Price steps from `mark` to the near edge, positive while the zone lies ahead of the mark.
    pub(super) fn ahead(&self, mark: Px) -> i64 {
        if self.holder == Holder::Short as u8 {
            self.low.minus(mark).get()
        } else {
            mark.minus(self.high).get()
        }
    }

    /// Price steps by which `mark` is past the far edge.
    fn over(&self, mark: Px) -> i64 {
        if self.holder == Holder::Short as u8 {
            mark.minus(self.high).get()
        } else {
            self.low.minus(mark).get()
        }
    }

    /// `ahead` and `over` are of the look's mark.
    #[inline]
    fn shows(&self, cause: u8, ahead: i64, over: i64, look: &Look) -> bool {
        let pace = look.pace;
        let for_long = |span: Nanos, from: Nanos| look.now.since(from) > span;
        match cause {
            cause::NEAR => ahead.saturating_mul(2) <= look.sigma,
            cause::FAR => ahead.saturating_mul(4) > look.sigma.saturating_mul(3),
            cause::ENTER => ahead <= 0 && over <= 0,
            cause::EXIT_NEAR => ahead > 0 && ahead >= look.back(),
            cause::BEYOND => over >= look.past,
            cause::BACK => over <= 0 && !for_long(pace.back, self.since),
            cause::SWEPT_OUT => for_long(pace.swept, self.since),
            cause::RECLAIMED_OUT => for_long(pace.reclaimed, self.since),
            cause::MASS => ahead > 0 && self.usd.saturating_mul(4) < self.birth_usd,
            cause::AGE => for_long(pace.life(), self.born),
            _ => false,
        }
    }

    /// True where [`Self::step`] and [`Self::edge`] have nothing to say, found out cheaply: so it is of most zones at
    /// most marks.
    #[inline]
    pub(super) fn rests(&self, look: &Look) -> bool {
        let ahead = self.ahead(look.mark);
        let is_near =
            |part: i64, of: i64| ahead.saturating_mul(part) <= look.sigma.saturating_mul(of);
        let within = |span: Nanos, from: Nanos| look.now.since(from) <= span;
        match self.state {
            state::FRESH if is_near(2, 1) || self.past.alerted != 0 => false,
            state::APPROACHED if ahead <= 0 || !is_near(4, 3) => false,
            state::APPROACHED if self.past.alerted == 0 && is_near(10, 1) => false,
            state::FRESH | state::APPROACHED => {
                self.usd.saturating_mul(4) >= self.birth_usd && within(look.pace.life(), self.born)
            }
            // Neither through nor out, and no deeper than before.
            state::TOUCHED => {
                self.over(look.mark) < look.past
                    && ahead < look.back()
                    && ahead >= -self.past.deepest
            }
            state::SWEPT => self.over(look.mark) > 0 && within(look.pace.swept, self.since),
            state::RECLAIMED => within(look.pace.reclaimed, self.since),
            _ => false,
        }
    }

    /// Takes the next step that the mark shows; `None` when the zone stays as it is.
    ///
    /// The swept mass is in the change; the zone itself expects nothing any more.
    pub(super) fn step(&mut self, look: &Look) -> Option<Change> {
        let rows = TABLE.get(usize::from(self.state))?;
        let (ahead, over) = (self.ahead(look.mark), self.over(look.mark));
        let (cause, to) = *rows
            .iter()
            .find(|(cause, _)| self.shows(*cause, ahead, over, look))?;
        Some(self.become_state(to, cause, look.now))
    }

    fn change(&self, to: u8, cause: u8, now: Nanos) -> Change {
        Change {
            at: now,
            usd: self.usd,
            birth_usd: self.birth_usd,
            executed: self.past.executed,
            predicted: self.past.predicted,
            id: self.id,
            holder: self.holder,
            from: self.state,
            to,
            cause,
            outcome: self.past.outcome,
            spare: [0; 7],
        }
    }

    /// Tells the edge once an approach; keeps how deep the mark went while it stands in the zone.
    pub(super) fn edge(&mut self, look: &Look) -> Option<Change> {
        let ahead = self.ahead(look.mark);
        match self.state {
            state::FRESH => self.past.alerted = 0,
            state::TOUCHED => self.past.deepest = self.past.deepest.max(-ahead),
            state::APPROACHED
                if self.past.alerted == 0 && ahead.saturating_mul(10) <= look.sigma =>
            {
                self.past.alerted = 1;
                return Some(self.change(self.state, cause::EDGE, look.now));
            }
            _ => {}
        }
        None
    }

    /// Executed against how far price went in, −1 … 1 in Q16, while touched and after three prints; 0 otherwise.
    pub(super) fn absorbed(&self) -> i64 {
        if self.state != state::TOUCHED || self.past.prints < super::PRINTS {
            return 0;
        }
        let width = self.high.minus(self.low).get();
        let eaten = fixed::divq(self.past.executed, self.birth_usd);
        let gone = fixed::divq(self.past.deepest.min(width), width);
        fixed::clip(eaten.saturating_sub(gone), -fixed::ONE, fixed::ONE)
    }

    pub(super) fn become_state(&mut self, to: u8, cause: u8, now: Nanos) -> Change {
        match to {
            state::TOUCHED => self.past.outcome |= 1,
            state::SWEPT => self.past.outcome |= 3,
            _ => {}
        }
        if cause == cause::EXIT_NEAR {
            self.past.held = self.past.held.saturating_add(1);
        }
        let change = self.change(to, cause, now);
        self.state = to;
        self.since = now;
        if to == state::SWEPT {
            self.usd = 0;
        }
        change
    }

    /// True from birth until the sweep.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state <= state::TOUCHED
    }
}

/// A change of state, small enough to be an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Change {
    /// Shard time of it.
    pub at: Nanos,
    /// What the zone was expected to force just before, cents.
    pub usd: i64,
    /// The same at birth.
    pub birth_usd: i64,
    /// Liquidations printed within it since birth, cents.
    pub executed: i64,
    /// As in [`super::Past::predicted`].
    pub predicted: [i32; 2],
    /// Which zone.
    pub id: u32,
    /// 0 long, 1 short.
    pub holder: u8,
    /// [`state`] before; `NONE` = born.
    pub from: u8,
    /// [`state`] now.
    pub to: u8,
    /// [`cause`].
    pub cause: u8,
    /// As in [`super::Past::outcome`].
    pub outcome: u8,
    spare: [u8; 7],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shm::record::mode;
    use bytemuck::Zeroable;
    use proptest::prelude::*;

    const SIGMA: i64 = 1_000;

    fn short() -> Zone {
        Zone {
            low: Px::new(100_000),
            high: Px::new(101_000),
            usd: 900,
            birth_usd: 1_000,
            id: 7,
            holder: Holder::Short as u8,
            ..Zone::zeroed()
        }
    }

    /// The same zone reflected at `axis`.
    fn reflect(zone: Zone, axis: i64) -> Zone {
        Zone {
            low: Px::new(2 * axis - zone.high.get()),
            high: Px::new(2 * axis - zone.low.get()),
            holder: Holder::Long as u8,
            ..zone
        }
    }

    fn look(now: Nanos, mark: i64) -> Look {
        Look {
            now,
            mark: Px::new(mark),
            sigma: SIGMA,
            past: 50,
            pace: &PACES[mode::DAY],
        }
    }

    #[test]
    fn the_published_life_is_lived() {
        use state::{APPROACHED, EXPIRED, FRESH, RECLAIMED, SWEPT, TOUCHED};
        let minute = |m: i64| Nanos::seconds(m * 60);
        let mut zone = short();
        for (at, mark, want, why) in [
            (1, 99_501, APPROACHED, cause::NEAR),
            (2, 99_249, FRESH, cause::FAR),
            (3, 99_500, APPROACHED, cause::NEAR),
            (4, 100_000, TOUCHED, cause::ENTER),
            (5, 99_900, APPROACHED, cause::EXIT_NEAR),
            (6, 100_500, TOUCHED, cause::ENTER),
            (7, 101_050, SWEPT, cause::BEYOND),
            (22, 101_000, RECLAIMED, cause::BACK),
            (263, 90_000, EXPIRED, cause::RECLAIMED_OUT),
        ] {
            let change = zone.step(&look(minute(at), mark)).unwrap();
            assert_eq!((change.to, change.cause), (want, why), "minute {at}");
            assert_eq!(zone.step(&look(minute(at), mark)), None, "minute {at}");
        }
        assert_eq!(zone.usd, 0);
    }

    #[test]
    fn thresholds_stand_apart() {
        let mut zone = short();
        assert_eq!(zone.step(&look(Nanos::SECOND, 99_499)), None);
        zone.state = state::APPROACHED;
        assert_eq!(zone.step(&look(Nanos::SECOND, 99_250)), None);
        zone.state = state::TOUCHED;
        assert_eq!(zone.step(&look(Nanos::SECOND, 99_901)), None);
        assert_eq!(zone.step(&look(Nanos::SECOND, 101_049)), None);
        zone.state = state::SWEPT;
        zone.since = Nanos::SECOND;
        let late = Nanos::seconds(15 * 60 + 2);
        assert_eq!(zone.step(&look(late, 100_500)), None);
        let gone = Nanos::seconds(3_602);
        let change = zone.step(&look(gone, 100_500)).unwrap();
        assert_eq!(
            (change.to, change.cause),
            (state::EXPIRED, cause::SWEPT_OUT)
        );
    }

    #[test]
    fn decay_ends_a_zone_but_not_while_it_is_swept() {
        let mut zone = short();
        zone.usd = 249;
        assert_eq!(
            zone.step(&look(Nanos::SECOND, 90_000)).unwrap().cause,
            cause::MASS
        );
        let mut zone = short();
        zone.usd = 250;
        assert_eq!(zone.step(&look(Nanos::SECOND, 90_000)), None);
        zone.usd = 0;
        zone.state = state::TOUCHED;
        assert_eq!(zone.step(&look(Nanos::SECOND, 100_900)), None);
        let change = zone.step(&look(Nanos::SECOND, 102_000)).unwrap();
        assert_eq!(change.to, state::SWEPT);
        let mut zone = short();
        let old = Nanos::seconds(4 * 86_400 + 1);
        assert_eq!(zone.step(&look(old, 90_000)).unwrap().cause, cause::AGE);
    }

    #[test]
    fn two_ticks_are_the_least_beyond() {
        let (mark, day) = (Px::new(1_000_000), &PACES[mode::DAY]);
        let of = |tick| Look::new(Nanos::ZERO, mark, day, 1 << 32, Px::new(tick));
        assert_eq!(of(1).past, 50_000);
        assert_eq!(of(40_000).past, 80_000);
        assert_eq!(of(i64::MIN).past, 50_000);
        assert_eq!(of(i64::MAX).past, i64::MAX);
    }

    proptest! {
        #[test]
        fn what_rests_has_nothing_to_say(
            mark in 98_000i64..102_500, seconds in 0i64..400_000, from in 0u8..6, usd in 0i64..1_000, alerted in 0u8..2,
            deepest in 0i64..1_500,
        ) {
            let mut zone = short();
            (zone.state, zone.usd, zone.past.alerted) = (from, usd, alerted);
            zone.past.deepest = deepest;
            let look = look(Nanos::seconds(seconds), mark);
            let (before, rests) = (zone, zone.rests(&look));
            let said = (zone.step(&look), zone.edge(&look));
            prop_assert!(!rests || (said == (None, None) && zone == before), "{said:?}");
        }

        #[test]
        fn a_reflected_zone_lives_the_same_life(
            marks in prop::collection::vec((98_500i64..102_500, 1i64..1_000), 1..60)
        ) {
            let axis = 99_000;
            let (mut above, mut below) = (short(), reflect(short(), axis));
            let mut now = 0;
            for (mark, seconds) in marks {
                now += seconds;
                let at = Nanos::seconds(now);
                let up = above.step(&look(at, mark)).map(|c| (c.from, c.to, c.cause));
                let down = below.step(&look(at, 2 * axis - mark));
                prop_assert_eq!(up, down.map(|c| (c.from, c.to, c.cause)));
            }
        }

        #[test]
        fn no_mark_makes_a_zone_ring(from in 0u8..6, mark in any::<i64>(), low in any::<i64>()) {
            let mut zone = short();
            (zone.state, zone.low, zone.high) = (from, Px::new(low), Px::new(low).plus(Px::new(9)));
            let look = Look::new(Nanos::SECOND, Px::new(mark), &PACES[mode::DAY], 1 << 20, Px::new(5));
            for _ in 0..3 {
                let _ = zone.step(&look);
            }
            prop_assert_eq!(zone.step(&look), None);
        }
    }
}
