//! Recall: what history teaches the streams before they have lived. Volatility, and the funding last known; sums,
//! rings, ages and counts stay what was heard live, so that no warm-up counts the past as observed.

use super::{SIGMA_MIN, Streams};
use crate::event::Funding;
use crate::num::fixed::{ONE32, clip, decay32};
use crate::num::log::return_q32;
use crate::num::{Px, narrow};
use crate::signal::view::input;
use crate::signal::window::Window;
use crate::time::Nanos;

/// A return is held here before it is squared: a half.
const RETURN_MAX: i64 = ONE32 / 2;

impl Streams {
    /// Learns the variance of a second from bars of history as (first price, last price, seconds), oldest first: a
    /// bar of n seconds is n samples of an n-th of its squared return. Nothing once a minute was observed live, nor
    /// from bars without prices or length.
    pub fn recall(&mut self, bars: impl Iterator<Item = (Px, Px, i64)>) {
        if self.variance_samples.saturating_sub(self.recalled) >= SIGMA_MIN {
            return;
        }
        for (open, close, seconds) in bars {
            if open.get() > 0 && close.get() > 0 && seconds > 0 {
                self.recall_bar(return_q32(open.get(), close.get()), seconds);
            }
        }
        for w in Window::ALL {
            self.measure(w);
        }
    }

    fn recall_bar(&mut self, moved: i64, seconds: i64) {
        let moved = clip(moved, -RETURN_MAX, RETURN_MAX);
        let squared = i128::from(moved * moved / seconds);
        self.variance_samples = self.variance_samples.saturating_add(seconds.unsigned_abs());
        self.recalled = self.recalled.saturating_add(seconds.unsigned_abs());
        let samples = clip(narrow(i128::from(self.variance_samples)), 1, 1 << 30);
        let young = narrow(i128::from(seconds) * i128::from(ONE32) / i128::from(samples));
        for w in Window::ALL {
            // As `Window::second_rate`: the half-life of variance is a quarter of the baseline's.
            let half_life = w.baseline().get() / 4;
            let share = (ONE32 - decay32(Nanos::seconds(seconds).get(), half_life)).max(young);
            let variance = &mut self.variance[w.index()];
            let gap = squared - i128::from(*variance);
            let moved = i128::from(share.min(ONE32)) * gap / i128::from(ONE32);
            *variance = narrow(i128::from(*variance) + moved);
        }
    }

    /// True once history has taught a volatility.
    #[must_use]
    pub const fn has_recalled(&self) -> bool {
        self.recalled >= SIGMA_MIN
    }

    /// Funding as it was, until the first that is in force is heard; it makes nothing fresh.
    pub fn recall_funding(&mut self, funding: &Funding) {
        if self.counts[input::FUNDING] == 0 {
            self.take_funding(funding);
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]
mod tests {
    use super::*;

    fn empty() -> Box<Streams> {
        bytemuck::allocation::zeroed_box()
    }

    #[test]
    fn bars_teach_the_volatility_of_their_walk_and_nothing_else() {
        let mut streams = empty();
        let bars = (0..200i64).map(|n| {
            let way = if n % 2 == 0 { 1_001_000 } else { 999_000 };
            (Px::new(1_000_000_000), Px::new(way * 1_000), 300)
        });
        streams.recall(bars);
        assert!(streams.has_recalled());
        for (window, seconds) in [
            (Window::M1, 60.0),
            (Window::H1, 3_600.0),
            (Window::D1, 86_400.0),
        ] {
            let got = streams.sigma(window) as f64 / ONE32 as f64;
            let want = 0.001 * f64::sqrt(seconds / 300.0);
            assert!((got / want - 1.0).abs() < 0.01, "{window:?} {got} {want}");
        }
        assert_eq!((streams.steady, streams.counts), ([0; 8], [0; 8]));
        assert_eq!(streams.moved(Window::H1), None);
        assert_eq!(streams.newest(input::MARK), 0);
    }

    #[test]
    fn a_minute_of_the_present_outweighs_the_past() {
        let mut streams = empty();
        let start = 1_700_000_000;
        for second in 0..70 {
            let now = Nanos::seconds(start + second);
            streams.mark(now, Px::whole(100 + second % 2));
        }
        let before = streams.sigma(Window::H1);
        assert!(before > 0);
        streams.recall(core::iter::once((Px::whole(100), Px::whole(150), 300)));
        assert_eq!(streams.sigma(Window::H1), before);
        assert!(!streams.has_recalled());
    }

    #[test]
    fn funding_in_force_is_not_overwritten_by_what_was() {
        let funding = |rate_e12| Funding {
            rate_e12,
            next: Nanos::ZERO,
            interval: Nanos::ZERO,
        };
        let mut streams = empty();
        streams.recall_funding(&funding(100_000_000));
        assert_eq!(streams.funding_q32, ONE32 / 10_000);
        assert_eq!(streams.fresh(input::FUNDING, Nanos::SECOND), 0);
        streams.funding(Nanos::SECOND, &funding(200_000_000));
        streams.recall_funding(&funding(100_000_000));
        assert!((streams.funding_q32 - ONE32 / 5_000).abs() <= 1);
        assert!(streams.fresh(input::FUNDING, Nanos::SECOND) > 0);
    }
}
