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
