//! Rolling: how running totals, states and prices enter the windows when shard time crosses a step.
//!
//! Called before an event lands, so what is folded happened before the boundary, however late the call. A base step
//! costs about 40 ns, a fold of the shortest window as much again; most ticks cross nothing.

use super::channel::{self, COUNT};
use super::{BASE, CENT, SIGMA_MIN, STEP_CENTS, Streams};
use crate::num::fixed::{ONE, ONE32, clip, exp2neg, imbalance32, isqrt, mul32};
use crate::num::log::return_q32;
use crate::num::narrow;
use crate::signal::view::input;
use crate::signal::window::{FOLDS, SAMPLES, Window};

/// Moves a mean kept with 16 more bits toward `x`, by at least 1/(n+1); answers it without the bits.
fn lean(fine: &mut i64, samples: &mut u64, x: i64, rate: i64) -> i64 {
    let young = ONE32 / (clip(narrow(i128::from(*samples)), 0, 1 << 30) + 1);
    let share = i128::from(rate.max(young));
    let gap = (i128::from(x) << 16) - i128::from(*fine);
    *fine = narrow(i128::from(*fine) + share * gap / i128::from(ONE32));
    *samples = samples.saturating_add(1);
    *fine / ONE
}

fn square(x: i64) -> i64 {
    let x = clip(x, -(ONE32 / 2), ONE32 / 2);
    x * x
}

impl Streams {
    /// Brings everything to the base step that holds `now`.
    pub(super) fn advance(&mut self, now: i64) {
        let step = now.max(0) / BASE;
        self.next = (step + 1).saturating_mul(BASE);
        let gone = clip(step - self.step, 0, 1 << 24);
        if self.step == 0 {
            // The first step: nothing to fold yet, but the grids must start where they lie.
            self.turns = Window::ALL.map(|w| now / w.fold().get());
            self.second = now / 1_000_000_000;
            self.step = step;
            return;
        }
        self.step = step;
        self.drain();
        self.accrue(gone);
        self.beat(now / 1_000_000_000);
        for w in Window::ALL {
            let (turn, i) = (now / w.fold().get(), w.index());
            let before = self.turns[i];
            if turn <= before {
                continue;
            }
            self.turns[i] = turn;
            self.fold(w, turn - before);
            let samples = turn / (FOLDS / SAMPLES) - before / (FOLDS / SAMPLES);
            if samples > 0 {
                self.sample(w, turn / (FOLDS / SAMPLES), samples);
            }
        }
    }

    /// Pending notionals become cents; what is less than a cent stays pending, so splitting a trade changes nothing.
    fn drain(&mut self) {
        for (side, parts) in self.notional.iter_mut().enumerate() {
            let whole = u128::from(parts[0]) | u128::from(parts[1]) << 64;
            if whole < CENT {
                continue;
            }
            let cents = (whole / CENT).min(STEP_CENTS);
            let rest = whole % CENT;
            *parts = [rest as u64, (rest >> 64) as u64];
            let total = &mut self.totals[channel::BUY + side];
            *total = total.wrapping_add(cents as i64);
        }
    }

    /// Adds `gone` base steps of the present states.
    fn accrue(&mut self, gone: i64) {
        if self.quoted != 0 {
            let queue = imbalance32(self.bid.qty.get(), self.ask.qty.get());
            self.add_state(channel::QUEUE, queue, gone);
            self.steady[input::BOOK] += gone as u64;
            if self.depth_known != 0 {
                self.add_state(channel::DEPTH, self.depth_q32, gone);
            }
            if self.index.get() > 0 && self.holds(input::INDEX) {
                let twice = self.index.get().saturating_mul(2);
                self.add_state(channel::PREMIUM, return_q32(twice, self.mid2), gone);
                self.steady[input::INDEX] += gone as u64;
            }
        }
        if self.mark.get() > 0 && self.holds(input::MARK) {
            self.steady[input::MARK] += gone as u64;
            if self.last.get() > 0 && self.holds(input::TRADES) {
                let gap = return_q32(self.mark.get(), self.last.get());
                self.add_state(channel::LEAN, gap, gone);
            }
        }
    }

    fn add_state(&mut self, at: usize, value: i64, gone: i64) {
        let area = value.saturating_mul(gone);
        self.totals[at] = self.totals[at].wrapping_add(area);
        self.totals[at + 1] = self.totals[at + 1].wrapping_add(gone * ONE);
    }

    /// Twice the price that returns are taken of: the mid, or the mark where no book was ever seen.
    fn reference(&self) -> i64 {
        if self.mid2 > 0 {
            self.mid2
        } else {
            self.mark.get().saturating_mul(2)
        }
    }

    /// One-second returns into the variances. A hole of more than a second is no sample, nor is silence after a loss.
    fn beat(&mut self, second: i64) {
        let gone = second - self.second;
        if gone <= 0 {
            return;
        }
        self.second = second;
        let source = if self.mid2 > 0 {
            input::BOOK
        } else {
            input::MARK
        };
        let price = if self.holds(source) {
            self.reference()
        } else {
            0
        };
        let before = core::mem::replace(&mut self.second_price, price);
        if gone != 1 || before <= 0 || price <= 0 {
            return;
        }
        let squared = i128::from(square(return_q32(before, price)));
        self.variance_samples = self.variance_samples.saturating_add(1);
        let young = ONE32 / clip(narrow(i128::from(self.variance_samples)), 1, 1 << 30);
        for w in Window::ALL {
            let variance = &mut self.variance[w.index()];
            let share = i128::from(w.second_rate().max(young));
            let moved = share * (squared - i128::from(*variance)) / i128::from(ONE32);
            *variance = narrow(i128::from(*variance) + moved);
        }
        if self.variance_samples == SIGMA_MIN {
            for w in Window::ALL {
                self.measure(w);
            }
        }
    }

    pub(super) fn measure(&mut self, w: Window) {
        if self.variance_samples >= SIGMA_MIN {
            let variance = i128::from(self.variance[w.index()]) * i128::from(w.seconds());
            self.sigmas[w.index()] = isqrt(variance);
        }
    }

    /// Brings the window's sums `turns` folds on: what came since the last fold came in the first of them.
    fn fold(&mut self, w: Window, turns: i64) {
        const KEEP: i64 = exp2neg(ONE / FOLDS);
        let i = w.index();
        let rest = exp2neg(clip(turns - 1, 0, 1 << 30) * (ONE / FOLDS));
        for c in 0..COUNT {
            let fresh = self.totals[c].wrapping_sub(self.seen[i][c]);
            self.seen[i][c] = self.totals[c];
            let sum = mul32(self.sums[i][c], KEEP).saturating_add(fresh);
            self.sums[i][c] = if turns > 1 { mul32(sum, rest) } else { sum };
        }
        if self.quoted != 0 {
            let both = self.bid.qty.plus(self.ask.qty).get();
            let (fine, n) = (&mut self.touch_fine[i], &mut self.touch_samples[i]);
            self.touch[i] = lean(fine, n, both, w.fold_rate());
        }
    }

    /// Moves the window's rings and baselines to sample number `sample`, `gone` after the last.
    fn sample(&mut self, w: Window, sample: i64, gone: i64) {
        let i = w.index();
        self.measure(w);
        let place = (sample % SAMPLES) as usize;
        let (price, interest) = (self.reference(), self.interest.get());
        let (old_price, old_interest) = (self.mids[i][place], self.interests[i][place]);
        for back in 0..gone.min(SAMPLES) {
            let at = (sample - back).rem_euclid(SAMPLES) as usize;
            self.mids[i][at] = price;
            self.interests[i][at] = interest;
        }
        self.returns_known[i] = u64::from(old_price > 0 && price > 0);
        self.returns[i] = return_q32(old_price, price);
        self.interest_known[i] = u64::from(old_interest > 0 && interest > 0);
        self.interest_moves[i] = return_q32(old_interest, interest);
        if self.interest_known[i] != 0 {
            let squared = i128::from(square(self.interest_moves[i]));
            let n = &mut self.interest_samples[i];
            *n = n.saturating_add(1);
            let share = w
                .sample_rate()
                .max(ONE32 / clip(narrow(i128::from(*n)), 1, 1 << 30));
            let var = &mut self.interest_var[i];
            let moved = i128::from(share) * (squared - i128::from(*var)) / i128::from(ONE32);
            *var = narrow(i128::from(*var) + moved);
        }
        let sums = &self.sums[i];
        let volume = sums[channel::BUY].saturating_add(sums[channel::SELL]);
        let (fine, n) = (&mut self.turnover_fine[i], &mut self.turnover_samples[i]);
        self.turnover[i] = lean(fine, n, volume, w.sample_rate());
    }
}
