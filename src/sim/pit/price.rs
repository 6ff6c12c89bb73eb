//! Price: what an asset is worth elsewhere, what trades leave of it here, the mark of the two, and funding.
//!
//! All in logarithms, so that what forced orders have pushed (`pushed_*`) is carried beside the whole by the same
//! steps and never feeds back. Basis is our distance to the index, premium the basis smoothed over seconds. A world
//! that shares its prices with others follows the *tide*: it goes on while we stand still, and arbitrage brings our
//! index back to it within minutes.

use super::super::history::{Sample, Settled};
use super::super::params::Contract;
use super::super::rng::{Rng, mix};
use super::super::weather::{BEAT_SECONDS, BEATS_PER_DAY};
use super::{Pit, Status};

/// A price that several worlds share: what an asset is worth elsewhere, whatever happens here.
#[derive(Debug, Clone)]
pub(super) struct Tide {
    rng: Rng,
    log: f64,
}

impl Tide {
    /// The same for an asset in every world of this seed.
    pub(super) fn new(contract: &Contract, seed: u64) -> Self {
        Self {
            rng: Rng::new(
                seed,
                contract.asset.bytes().fold(0, |h, b| mix(h ^ u64::from(b))),
            ),
            log: contract.price.ln(),
        }
    }
}

/// How fast arbitrage brings an index that went its own way back to the tide, seconds.
const ARBITRAGE_SECONDS: f64 = 60.0;

/// How fast the memory of forced pushes into the index fades, seconds.
const PUSH_SECONDS: f64 = 600.0;

impl Pit {
    /// What the price elsewhere does in this beat; a shared one goes on while we stand still.
    pub(super) fn swing(&mut self, gust: f64) -> f64 {
        let own = self.contract.own_vol * self.rough / BEATS_PER_DAY.sqrt();
        let common = self.contract.beta * gust;
        match &mut self.tide {
            None if self.status != Status::Trading => 0.0,
            None => common + own * self.rng.normal(),
            Some(tide) => {
                let back = (tide.log - self.log_index) * BEAT_SECONDS / ARBITRAGE_SECONDS;
                let swing = common + own * tide.rng.normal();
                tide.log += swing;
                swing + back
            }
        }
    }

    pub(super) fn move_price(&mut self, swing: f64) {
        let pull = std::f64::consts::LN_2 / self.depth.basis_half_life * BEAT_SECONDS;
        let drag = pull * self.depth.drag;
        self.log_index += swing;
        self.log_index += drag * self.basis;
        self.pushed_index += drag * self.pushed_basis;
        self.pushed_index *= 1.0 - BEAT_SECONDS / PUSH_SECONDS;
        self.basis -= pull * self.basis;
        self.pushed_basis -= pull * self.pushed_basis;
        let smooth = BEAT_SECONDS / self.engine.premium_seconds;
        self.premium += (self.basis - self.premium) * smooth;
        self.pushed_premium += (self.pushed_basis - self.pushed_premium) * smooth;
        let index = self.log_index.exp();
        self.anchor = (self.log_index + self.basis).exp();
        self.index_units = (index / self.unit).round() as i64;
        self.mark_units = (index * (1.0 + self.premium) / self.unit).round() as i64;
    }

    /// Once a second: depth, memory of the price, funding, housekeeping.
    pub(super) fn slow_step(&mut self) {
        self.set_depth();
        self.slow += (self.log_index + self.basis - self.slow) / 1_800.0;
        self.funding_premium += (self.premium - self.funding_premium) / 7_200.0;
        if self.ms >= self.funding_ms {
            self.history.settle(Settled {
                ms: self.funding_ms,
                rate: self.funding,
                mark: self.mark_units,
            });
            self.funding_ms = next_funding(self.ms, self.engine.funding_hours);
        }
        if self.beat.is_multiple_of(600) {
            let e = &self.engine;
            let premium = self.funding_premium;
            let damped = (e.funding_interest - premium).clamp(-e.funding_damper, e.funding_damper);
            let rate = (premium + damped).clamp(-e.funding_cap, e.funding_cap);
            self.funding = (rate * 1e8).round() as i64;
            let (moves, spread) = (self.people.cross_moves, self.people.cross_spread);
            if moves > 0.0 {
                // Once a minute.
                self.crowd.revalue(moves / 1_440.0, spread, &mut self.rng);
            }
            self.crowd.sweep();
        }
        self.history.roll(self.ms, self.last_units);
        if let Some(ms) = self.history.sample_due(self.ms) {
            let mut accounts = [0; 2];
            for position in self.crowd.iter() {
                accounts[position.holder as usize] += 1;
            }
            self.history.sample(Sample {
                ms,
                interest: self.interest()[0],
                mark: self.mark_units,
                accounts,
                lots: self.crowd.lots,
                taken: [0; 2],
            });
        }
    }

    /// What was paid in the weeks before the start: the interest part alone.
    pub(super) fn remember_funding(&mut self) {
        let span = self.engine.funding_hours * 3_600_000;
        for back in (1..=100).rev() {
            self.history.settle(Settled {
                ms: self.funding_ms - back * span,
                rate: (self.engine.funding_interest * 1e8).round() as i64,
                mark: self.mark_units,
            });
        }
    }
}

/// The next funding stamp strictly after `ms`.
pub(super) const fn next_funding(ms: i64, hours: i64) -> i64 {
    let span = hours * 3_600_000;
    (ms / span + 1) * span
}
