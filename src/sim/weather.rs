//! Weather: the price elsewhere, the part of the world that does not listen to us.
//!
//! One common factor for all contracts: a log price whose volatility wanders (Ornstein-Uhlenbeck in
//! its logarithm), with a slow trend, and now and then news: an impulse of one sign over seconds to
//! minutes that also leaves the volatility higher. Advanced once per beat of 100 ms; the slow
//! states once per second.
#![expect(
    clippy::float_arithmetic,
    reason = "the generator of the simulated market works in floats"
)]

use super::params::Weather as WeatherParams;
use super::rng::Rng;

/// Beats of 100 ms in a day.
pub(crate) const BEATS_PER_DAY: f64 = 864_000.0;
/// Seconds in one beat.
pub(crate) const BEAT_SECONDS: f64 = 0.1;

/// The state of the common factor.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    params: WeatherParams,
    rng: Rng,
    log_vol: f64,
    trend: f64,
    impulse: f64,
    impulse_beats: u32,
    beat: u64,
    rough: f64,
    /// Log return of the common factor in this beat.
    pub(crate) gust: f64,
}

impl Weather {
    pub(crate) fn new(params: &WeatherParams, seed: u64) -> Self {
        let mut rng = Rng::new(seed, 0);
        let log_vol = params.vol_of_vol * rng.normal();
        let trend = params.trend * rng.normal();
        Self {
            params: params.clone(),
            rng,
            log_vol,
            trend,
            impulse: 0.0,
            impulse_beats: 0,
            beat: 0,
            rough: log_vol.exp(),
            gust: 0.0,
        }
    }

    /// Volatility now, as a multiple of calm.
    pub(crate) const fn rough(&self) -> f64 {
        self.rough
    }

    /// One beat on.
    pub(crate) fn step(&mut self) {
        if self.beat.is_multiple_of(10) {
            self.slow();
        }
        self.beat += 1;
        let sigma = self.params.vol * self.rough / BEATS_PER_DAY.sqrt();
        self.gust = sigma * self.rng.normal() + self.trend / BEATS_PER_DAY;
        if self.impulse_beats > 0 {
            self.impulse_beats -= 1;
            self.gust += self.impulse;
        }
    }

    /// Once per second: volatility and trend relax, news may come.
    fn slow(&mut self) {
        let p = &self.params;
        let k = std::f64::consts::LN_2 / p.vol_half_life;
        self.log_vol += -k * self.log_vol + p.vol_of_vol * (2.0 * k).sqrt() * self.rng.normal();
        let k = std::f64::consts::LN_2 / p.trend_half_life;
        self.trend += -k * self.trend + p.trend * (2.0 * k).sqrt() * self.rng.normal();
        if self.rng.chance(p.shocks_per_day / 86_400.0) {
            let size = p.shock * (p.shock_spread * self.rng.normal()).exp();
            let beats = self.rng.between(p.shock_seconds) / BEAT_SECONDS;
            let sign = if self.rng.chance(0.5) { 1.0 } else { -1.0 };
            self.impulse_beats = beats as u32;
            self.impulse = sign * size / beats;
            self.log_vol += p.shock_vol;
        }
        // LIMIT: beyond six times calm the market would be closed, not traded.
        self.log_vol = self.log_vol.clamp(-1.8, 1.8);
        self.rough = self.log_vol.exp();
    }
}
