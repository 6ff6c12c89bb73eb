//! Time: nanoseconds with a name, and a clock as a value that is passed in.
//!
//! Two times live in an event: when we received the frame (`recv`, the only time the shard believes) and what the
//! exchange printed (`exch`, data). *Shard time* is the receive stamp made monotone. Staleness is measured on
//! `CLOCK_MONOTONIC`, so a step of the wall clock neither creates nor hides it.

use bytemuck::{Pod, Zeroable};

/// Nanoseconds: since the Unix epoch where it is a stamp, a length where it is a span; the field's name says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Pod, Zeroable)]
#[repr(transparent)]
pub struct Nanos(i64);

impl Nanos {
    /// Zero: as a stamp it means "never".
    pub const ZERO: Self = Self(0);
    /// One microsecond, millisecond, second, minute, hour, day.
    pub const MICRO: Self = Self(1_000);
    /// One millisecond.
    pub const MILLI: Self = Self(1_000_000);
    /// One second.
    pub const SECOND: Self = Self(1_000_000_000);
    /// One minute.
    pub const MINUTE: Self = Self(60_000_000_000);
    /// One hour.
    pub const HOUR: Self = Self(3_600_000_000_000);
    /// One day.
    pub const DAY: Self = Self(86_400_000_000_000);

    /// From a count of nanoseconds.
    #[must_use]
    pub const fn new(ns: i64) -> Self {
        Self(ns)
    }
    /// From milliseconds, saturating: the unit most venues print.
    #[must_use]
    pub const fn millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }
    /// From whole seconds, saturating.
    #[must_use]
    pub const fn seconds(s: i64) -> Self {
        Self(s.saturating_mul(1_000_000_000))
    }
    /// The count of nanoseconds.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
    /// Sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
    /// The span from `earlier` to this stamp, saturating; negative when the order is the other way.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
    /// Days since the epoch of a stamp, UTC: the day it lies in.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(Self::DAY.0)
    }
    /// Year, month and day of a stamp, UTC, in the proleptic Gregorian calendar.
    #[must_use]
    pub const fn civil(self) -> (i64, i64, i64) {
        // Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that the leap day is
        // the last of its year.
        let shifted = self.day() + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * march + 2) / 5 + 1;
        let month = if march < 10 { march + 3 } else { march - 9 };
        let next = if month <= 2 { 1 } else { 0 };
        (era * 400 + year + next, month, day)
    }
}

/// The heartbeat of shard time: a quiet market still decays, dwells and expires on these.
pub const TICK: Nanos = Nanos(10_000_000);

/// Tells the time to the loops *around* the shard; the shard itself never holds one.
pub trait Clock {
    /// Receive time: nanoseconds since the Unix epoch.
    fn now(&self) -> Nanos;
}

/// The machine's wall clock through the vDSO (no system call). It can be stepped: a live run asks it once, for the
/// moment it begins, and goes on by a [`ScaledClock`].
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Nanos {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Nanos(
            t.tv_sec
                .saturating_mul(1_000_000_000)
                .saturating_add(t.tv_nsec),
        )
    }
}

/// A clock that starts at a chosen stamp and runs `speed` times as fast as the machine's: the built-in exchange
/// hands over from virtual time to sockets with one, and `replay --speed` paces by one.
#[derive(Debug, Clone, Copy)]
pub struct ScaledClock {
    origin: Nanos,
    started: Nanos,
    speed: u32,
}

impl ScaledClock {
    /// A clock that shows `origin` now and runs `speed` (at least 1) times as fast as the machine's.
    #[must_use]
    pub fn start(origin: Nanos, speed: u32) -> Self {
        Self {
            origin,
            started: mono_now(),
            speed: speed.max(1),
        }
    }
    /// The speed-up.
    #[must_use]
    pub const fn speed(&self) -> u32 {
        self.speed
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Nanos {
        let gone = mono_now().since(self.started).get();
        self.origin
            .plus(Nanos(gone.saturating_mul(i64::from(self.speed))))
    }
}

/// `CLOCK_MONOTONIC` through the vDSO: for staleness and latency, comparable between processes of one host.
#[must_use]
pub fn mono_now() -> Nanos {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Nanos(
        t.tv_sec
            .saturating_mul(1_000_000_000)
            .saturating_add(t.tv_nsec),
    )
}
