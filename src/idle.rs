//! Idle: what a pinned loop does when it found nothing to do, as a value of the plan.
//!
//! The loop counts its fruitless rounds and passes the count; any work resets it to 0. What the
//! strategies trade is latency against heat: `spin` answers at once and burns its core, `yield`
//! lets others on the same core run, `park` sleeps and answers up to [`NAP`] late. Time is never
//! read here.

use std::hint::spin_loop;
use std::thread;
use std::time::Duration;

/// How long a parked loop sleeps at a time.
pub const NAP: Duration = Duration::from_micros(50);
/// Fruitless rounds that are only spun, before `yield` and `park` do more.
pub const SPINS: u32 = 100;
/// Fruitless rounds before `park` sleeps.
pub const YIELDS: u32 = 200;

/// What a loop does with a fruitless round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Spin for ever: for a core of one's own.
    Spin,
    /// Spin a little, then give the core away between looks.
    #[default]
    Yield,
    /// Spin, yield, then sleep 50 µs between looks.
    Park,
}

impl Strategy {
    /// Name of each, as the plan writes it.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("spin", Self::Spin),
        ("yield", Self::Yield),
        ("park", Self::Park),
    ];

    /// Passes one fruitless round, the `rounds`-th since there was work (0 = the first).
    pub fn idle(self, rounds: u32) {
        match self {
            Self::Yield if rounds >= SPINS => thread::yield_now(),
            Self::Park if rounds >= YIELDS => thread::sleep(NAP),
            Self::Park if rounds >= SPINS => thread::yield_now(),
            _ => spin_loop(),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Park => "park",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn names_and_strategies_are_one_table() {
        for (name, strategy) in Strategy::NAMES {
            assert_eq!(strategy.name(), name);
        }
    }

    #[test]
    fn only_a_parked_loop_sleeps_and_only_after_a_while() {
        let started = Instant::now();
        for rounds in YIELDS..YIELDS + 10 {
            Strategy::Park.idle(rounds);
        }
        assert!(started.elapsed() >= NAP * 10);
        for strategy in [Strategy::Spin, Strategy::Yield, Strategy::Park] {
            for rounds in 0..SPINS {
                strategy.idle(rounds);
            }
        }
        // Rounds may run into the end of their counter.
        Strategy::Spin.idle(u32::MAX);
        Strategy::Yield.idle(u32::MAX);
    }
}
