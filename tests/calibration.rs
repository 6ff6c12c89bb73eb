//! The calibration of θ against a naive float twin, and what it must do whatever comes: keep the prior without
//! prints, count what the map misses, know nothing of sides, stay within its bounds.
//!
//! The twin reads what anybody can read of an inventory (swept buckets, standing mass, exposure) and computes the text
//! of heatmap.md 2.8 in reals: no code is shared.
#![allow(
    clippy::float_arithmetic,
    clippy::unwrap_used,
    reason = "the twin computes in reals, and a test may stop"
)]

use isotherm::calibrate::{
    Calibration, OBSERVATIONS, Observation, WORDS, liquidation_of, observation,
};
use isotherm::config::Plan;
use isotherm::config::evidence::{self, Evidence, Rows};
use isotherm::event::{Liquidation, Total};
use isotherm::inventory::params::{self, LADDER_HALF, band_80};
use isotherm::inventory::{CLASSES, Inventory, Params};
use isotherm::log::Level;
use isotherm::market::{Holder, VenueId};
use isotherm::num::fixed::ONE;
use isotherm::num::log::{BUCKET, ln_px, px_of_ln};
use isotherm::num::{Px, Qty, Usd};
use isotherm::replay;
use isotherm::run;
use isotherm::shard::{Setup, Shard};
use isotherm::tape::RunPlan;
use isotherm::time::{Nanos, WallClock};
use isotherm::zone::odds::Taught;
use proptest::prelude::*;

const BYBIT: Option<&Observation> = Some(&OBSERVATIONS[0]);

fn inventory() -> Box<Inventory> {
    bytemuck::allocation::zeroed_box()
}

fn calibration() -> Box<Calibration> {
    bytemuck::allocation::zeroed_box()
}

/// Without a margin table a bankruptcy price is taken as it is, which leaves prints where a test puts them; and no
/// leverage moves a row.
fn bare() -> Params {
    Params {
        margins: 0,
        // Both holders alike, on the ladder.
        far_half: [LADDER_HALF; 2],
        ..Params::default()
    }
}

/// As [`bare`], learning ten times faster: these markets are hours long.
fn eager() -> Params {
    Params {
        theta_unit_e6: 100,
        ..bare()
    }
}

fn thetas(calibration: &Calibration) -> [f64; CLASSES] {
    let theta = calibration.theta().copied().unwrap();
    theta.map(|q16| q16 as f64 / ONE as f64)
}

/// A seeded market: trades, marks and interest, and a crowd in which θ of what is swept dies.
struct Market {
    state: u64,
    ln: f64,
    interest: f64,
    now: i64,
}

impl Market {
    fn new(seed: u64) -> Self {
        Self {
            state: seed | 1,
            ln: 65_000f64.ln(),
            interest: 50_000.0,
            now: 1_700_000_000_000_000_000,
        }
    }
    fn draw(&mut self) -> f64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as f64 / (1u64 << 53) as f64
    }
    fn price(&self, off: f64) -> Px {
        Px::new(((self.ln + off).exp() * 1e10) as i64)
    }
    fn at(&self) -> Nanos {
        Nanos::new(self.now)
    }
    /// A second: trades, a mark, now and then an interest. Answers the exposure of the step per holder and class.
    fn second(&mut self, engine: &mut Inventory, params: &Params) -> [[i64; CLASSES]; 2] {
        let before = Holder::BOTH.map(|holder| *engine.exposure(holder));
        self.now += 1_000_000_000;
        for _ in 0..3 {
            let (a, b) = (self.draw(), self.draw());
            engine.trade(
                self.price((a - 0.5) * 0.0006),
                Qty::new((40e6 * b * b) as i64 + 1),
            );
        }
        // Waves of several sizes, so that every near class is met.
        self.ln += (self.draw() - 0.5) * 0.0012 + 0.0004 * (self.now as f64 / 9e11).sin();
        engine.mark(self.at(), self.price(0.0), params);
        if self.now / 1_000_000_000 % 5 == 0 {
            self.interest += (self.draw() - 0.5) * 20.0;
            engine.interest(self.at(), Qty::new((self.interest * 1e6) as i64), params);
        }
        engine.tick(self.at(), params);
        let after = Holder::BOTH.map(|holder| *engine.exposure(holder));
        [0, 1].map(|d| core::array::from_fn(|k| after[d][k] - before[d][k]))
    }
}

// ------------------------------------------------------------------------------------------
// the twin

#[derive(Default)]
struct Twin {
    /// (when, class shares liquidated, exposure): summed with their age when asked.
    evidence: Vec<(i64, [f64; CLASSES], [f64; CLASSES])>,
    waiting: [f64; CLASSES],
    missed: f64,
    /// (holder, when, quantity, expected since the holder's print before) of every print.
    prints: Vec<(usize, i64, f64, f64)>,
    expects: [f64; 2],
    /// Expected of both since the last print.
    silent: f64,
}

impl Twin {
    fn place(price: Px) -> f64 {
        (price.get() as f64).ln() * (1u64 << 48) as f64 / BUCKET as f64
    }
    fn print(
        &mut self,
        now: i64,
        print: &Liquidation,
        engine: &Inventory,
        theta: &[f64; CLASSES],
        params: &Params,
    ) {
        let at = Self::place(print.price);
        let sigma = (params.blur + engine.mark_step()) as f64 / BUCKET as f64;
        let bell = |bucket: i64| {
            let z = (bucket as f64 + 0.5 - at) / sigma;
            if z.abs() < 4.0 {
                (-0.5 * z * z).exp()
            } else {
                0.0
            }
        };
        let mut cells: Vec<(i64, [f64; CLASSES])> = Vec::new();
        for swept in engine.swept() {
            let age = now - swept.at.get();
            if swept.at.get() != 0 && swept.holder == print.holder as u64 && age <= params.match_ns
            {
                cells.push((swept.bucket, swept.mass.map(|m| m as f64)));
            }
        }
        let reach = ((4.0 * sigma).floor() as i64).clamp(1, 32);
        for bucket in at.floor() as i64 - reach..=at.floor() as i64 + reach {
            cells.push((
                bucket,
                engine.masses(print.holder, bucket).map(|m| m as f64),
            ));
        }
        let mut near = [0.0; CLASSES];
        let mut all = 0.0;
        for (bucket, mass) in &cells {
            for k in 0..CLASSES {
                near[k] += mass[k] * theta[k] * bell(*bucket);
                all += mass[k] * theta[k];
            }
        }
        let epsilon = params.miss_q16 as f64 / ONE as f64;
        let missed = epsilon * all / 100.0 * (sigma * (2.0 * std::f64::consts::PI).sqrt()).max(1.0);
        let whole = near.iter().sum::<f64>() + missed;
        let qty = print.qty.get() as f64;
        let mine = near.map(|part| {
            if whole > missed {
                qty * part / whole
            } else {
                0.0
            }
        });
        self.missed += qty - mine.iter().sum::<f64>();
        self.evidence.push((now, mine, self.waiting));
        self.waiting = [0.0; CLASSES];
        self.silent = 0.0;
        let d = print.holder as usize;
        let expected = std::mem::take(&mut self.expects[d]);
        self.prints.push((d, now, qty, expected));
    }
    /// What waits is evidence at once, unless prints were never heard, or not for longer than five lumps.
    fn wait(&mut self, now: i64, lump: f64) {
        if !self.prints.is_empty() && self.silent <= 5.0 * lump {
            let waiting = std::mem::take(&mut self.waiting);
            self.evidence.push((now, [0.0; CLASSES], waiting));
        }
    }
    fn sums(&self, now: i64, params: &Params) -> ([f64; CLASSES], [f64; CLASSES]) {
        let (mut a, mut b) = ([0.0; CLASSES], [0.0; CLASSES]);
        for (at, dead, met) in &self.evidence {
            let kept = (-(now - at) as f64 / params.theta_half_life_ns as f64).exp2();
            for k in 0..CLASSES {
                a[k] += dead[k] * kept;
                b[k] += met[k] * kept;
            }
        }
        (a, b)
    }
    /// Variance over mean of clusters: around what was expected or around nothing, whichever is less; a unit beside it.
    fn lump(&self, now: i64, unit: f64, params: &Params) -> f64 {
        let (mut squares, mut sum) = ([0.0; 2], 0.0);
        for d in 0..2 {
            let (mut first, mut last, mut off) = (i64::MIN / 2, i64::MIN / 2, [0.0f64; 2]);
            for &(_, at, qty, expected) in self.prints.iter().filter(|print| print.0 == d) {
                let kept = (-8.0 * (now - at) as f64 / params.theta_half_life_ns as f64).exp2();
                if at - last >= 30_000_000_000 || at - first >= 300_000_000_000 {
                    (first, off) = (at, [0.0; 2]);
                }
                last = at;
                for (square, (off, by)) in
                    squares.iter_mut().zip(off.iter_mut().zip([expected, 0.0]))
                {
                    let before = off.powi(2);
                    *off += qty - by;
                    *square += (off.powi(2) - before) * kept;
                }
                sum += qty * kept;
            }
        }
        (squares[0].min(squares[1]) + unit * unit) / (sum + unit)
    }
    /// ln θ by walking down the slope of minus the log posterior, row by row, until nothing moves; no linear algebra.
    fn fit(&self, now: i64, interest: f64, params: &Params) -> ([f64; CLASSES], [f64; CLASSES]) {
        let (a, b) = self.sums(now, params);
        let unit = interest * params.theta_unit_e6 as f64 / 1e6;
        let shape = params.theta_shape_q16 as f64 / ONE as f64;
        let background = params.background as usize;
        // Of the rows nearer than any leverage a quarter as much is known.
        let own = |k: usize| shape / if k < background { 4.0 } else { 1.0 };
        let prior = (params.theta_q16 as f64 / ONE as f64).ln();
        let lump = self.lump(now, unit, params);
        let each = lump.min(unit);
        let precision =
            |shape: f64| 1.0 / (1.0 / shape + 0.5 / shape.powi(2) + 1.0 / 6.0 / shape.powi(3));
        // A bend with the background or the row next to it in it is penalised by a sixteenth.
        let stiff = |middle: usize| {
            params.theta_smooth_q16 as f64
                / ONE as f64
                / if middle > background + 1 { 1.0 } else { 16.0 }
        };
        let mut l = [prior; CLASSES];
        for _ in 0..200_000 {
            let mut moved = 0.0f64;
            for k in 0..CLASSES {
                let sure = precision(own(k));
                let expected = b[k] / each * l[k].exp();
                let mut slope = expected - a[k] / each + sure * (l[k] - prior);
                let mut curve = expected + sure;
                for middle in 1..CLASSES - 1 {
                    if middle.abs_diff(k) <= 1 {
                        let part = if middle == k { -2.0 } else { 1.0 };
                        let bend = l[middle - 1] - 2.0 * l[middle] + l[middle + 1];
                        slope += stiff(middle) * part * bend;
                        curve += stiff(middle) * part * part;
                    }
                }
                let step = (slope / curve).clamp(-1.0, 1.0);
                l[k] -= step;
                moved = moved.max(step.abs());
            }
            if moved < 1e-9 {
                break;
            }
        }
        (
            l.map(|l| l.exp().clamp(1.0 / 1_024.0, 4.0)),
            core::array::from_fn(|k| (own(k) + a[k] / lump).sqrt().recip()),
        )
    }
}

/// Prints what θ of the exposure of a step makes, one print per holder and class, at a bucket that was swept.
fn prints_of(
    engine: &Inventory,
    exposure: &[[i64; CLASSES]; 2],
    truth: &[f64; CLASSES],
    now: Nanos,
) -> Vec<Liquidation> {
    let mut prints = Vec::new();
    for holder in Holder::BOTH {
        for k in 0..CLASSES {
            let dead = (exposure[holder as usize][k] as f64 * truth[k]) as i64;
            // The largest of the buckets that were swept this second holds it.
            let swept = engine.swept().iter();
            let mine = swept.filter(|s| s.at == now && s.holder == holder as u64 && s.mass[k] > 0);
            let Some(place) = mine.max_by_key(|s| s.mass[k]) else {
                continue;
            };
            if dead > 0 {
                prints.push(Liquidation {
                    price: px_of_ln(place.bucket * BUCKET + BUCKET / 2),
                    qty: Qty::new(dead),
                    holder,
                });
            }
        }
    }
    prints
}

/// Runs a market; answers the engine, its calibration, the twin and the time.
fn run(
    seed: u64,
    seconds: usize,
    truth: &[f64; CLASSES],
    params: &Params,
) -> (Box<Inventory>, Box<Calibration>, Twin, i64) {
    let (mut engine, mut calibration) = (inventory(), calibration());
    let (mut market, mut twin) = (Market::new(seed), Twin::default());
    for _ in 0..seconds {
        let exposure = market.second(&mut engine, params);
        let now = market.at();
        let theta = calibration.theta().copied();
        let theta = theta.unwrap_or([params.theta_q16; CLASSES]);
        let theta = theta.map(|q16| q16 as f64 / ONE as f64);
        for (row, expects) in exposure.iter().zip(&mut twin.expects) {
            for k in 0..CLASSES {
                *expects += row[k] as f64 * theta[k];
                twin.silent += row[k] as f64 * theta[k];
                twin.waiting[k] += row[k] as f64;
            }
        }
        for print in prints_of(&engine, &exposure, truth, now) {
            twin.print(now.get(), &print, &engine, &theta, params);
            calibration.print(now, BYBIT, &print, &engine, params);
        }
        calibration.tick(now, &mut engine, params);
        twin.wait(now.get(), calibration.width().lump as f64);
        assert!(engine.conserved());
    }
    (engine, calibration, twin, market.now)
}

#[test]
fn theta_is_the_twins_within_two_percent() {
    let params = bare();
    let truth = core::array::from_fn(|k| 0.08 + 0.06 * k as f64);
    for seed in [3, 4] {
        let (engine, mut calibration, twin, now) = run(seed, 3_000, &truth, &params);
        let interest = engine.interest_now();
        calibration.fit(Nanos::new(now), interest, &params);
        let (want, width) = twin.fit(now, interest.get() as f64, &params);
        for (k, got) in thetas(&calibration).into_iter().enumerate() {
            let off = (got / want[k] - 1.0).abs();
            assert!(off < 0.02, "seed {seed} class {k}: {got} {}", want[k]);
            let doubt = calibration.width().doubt_q16[k] as f64 / ONE as f64;
            assert!(
                (doubt / width[k] - 1.0).abs() < 0.02,
                "{k} {doubt} {}",
                width[k]
            );
        }
        let (a, b) = twin.sums(now, &params);
        let (got_a, got_b) = calibration.evidence();
        for k in 0..CLASSES {
            assert!(
                (got_a[k] as f64 - a[k]).abs() <= a[k] * 0.01 + 500.0,
                "{k} {} {}",
                got_a[k],
                a[k]
            );
            assert!(
                (got_b[k] as f64 - b[k]).abs() <= b[k] * 0.01 + 500.0,
                "{k} {} {}",
                got_b[k],
                b[k]
            );
        }
        assert!((calibration.missed as f64 / twin.missed - 1.0).abs() < 0.02);
    }
}

#[test]
fn magnitude_and_slope_of_a_crowd_are_found() {
    let params = eager();
    for scale in [0.5, 3.0] {
        let truth = core::array::from_fn(|k| scale * (0.1 + 0.04 * k as f64));
        let (_, calibration, ..) = run(11, 8_000, &truth, &params);
        let (_, met) = calibration.evidence();
        let got = thetas(&calibration);
        // Neighbours swept in one bucket cannot be told apart by place: what is held is the sum and the slope.
        let sum =
            |theta: &[f64; CLASSES]| (0..CLASSES).map(|k| met[k] as f64 * theta[k]).sum::<f64>();
        let off = |theta: &[f64; CLASSES]| (sum(theta) / sum(&truth)).ln().abs();
        let (got_off, prior_off) = (off(&got), off(&[0.2; CLASSES]));
        assert!(
            got_off < prior_off / 4.0 && got_off < 0.1,
            "{scale}: {got_off} {prior_off}"
        );
        assert!(got[6] > got[0] * 1.2, "{got:?}");
    }
}

#[test]
fn without_prints_theta_is_the_prior_and_evidence_fades_back_to_it() {
    let params = eager();
    let (mut engine, mut quiet) = (inventory(), calibration());
    let mut market = Market::new(21);
    for _ in 0..1_500 {
        market.second(&mut engine, &params);
        quiet.tick(market.at(), &mut engine, &params);
    }
    let prior = params.theta_q16;
    let near = |theta: i64| (theta - prior).abs() <= prior / 1_000;
    assert!(quiet.theta().unwrap().iter().all(|theta| near(*theta)));
    assert!(engine.exposure(Holder::Long).iter().sum::<i64>() > 0);
    // 1 / sqrt of the prior's shape, and of a quarter of it where no leverage lies.
    let shape = params.theta_shape_q16 as f64 / ONE as f64;
    for (k, doubt) in quiet.width().doubt_q16.into_iter().enumerate() {
        let want = if k < 4 { shape / 4.0 } else { shape }.sqrt().recip() * ONE as f64;
        assert!((doubt as f64 - want).abs() < 20.0, "{doubt}");
    }

    let (mut engine, mut told, _, now) = run(22, 3_000, &[1.0; CLASSES], &params);
    let is_told = |theta: &i64| *theta > prior * 3 / 2;
    assert!(told.theta().unwrap().iter().all(is_told));
    for day in 1..=250 {
        let at = Nanos::new(now + day * Nanos::DAY.get());
        told.tick(at, &mut engine, &params);
    }
    let theta = *told.theta().unwrap();
    assert!(theta.iter().all(|theta| near(*theta)), "{theta:?}");
    assert_eq!(*engine.theta(), theta);
}

#[test]
fn a_print_where_the_map_is_empty_is_a_miss() {
    let params = bare();
    let (mut engine, mut calibration) = (inventory(), calibration());
    engine.mark(Nanos::SECOND, Px::whole(100), &params);
    let print = Liquidation {
        price: Px::whole(100),
        qty: Qty::whole(7),
        holder: Holder::Long,
    };
    calibration.print(Nanos::SECOND, BYBIT, &print, &engine, &params);
    assert_eq!(
        (calibration.missed, calibration.taken),
        (print.qty.get(), print.qty.get())
    );
    let (a, _) = calibration.evidence();
    assert!(a.iter().all(|a| *a == 0));

    // In a living market too, far from everything.
    let (engine, mut calibration, _, now) = run(31, 600, &[0.2; CLASSES], &params);
    let (missed, a) = (calibration.missed, *calibration.evidence().0);
    let far = px_of_ln(engine.mark_ln().unwrap() + 3_000 * BUCKET);
    let print = Liquidation {
        price: far,
        ..print
    };
    calibration.print(Nanos::new(now), BYBIT, &print, &engine, &params);
    assert_eq!(calibration.missed - missed, print.qty.get());
    assert_eq!(*calibration.evidence().0, a);
    // A venue that is not read changes nothing but a count.
    let before = *calibration;
    calibration.print(
        Nanos::new(now),
        observation(VenueId::HYPERLIQUID),
        &print,
        &engine,
        &params,
    );
    assert_eq!(calibration.unread, before.unread + 1);
    assert_eq!(calibration.taken, before.taken);
}

#[test]
fn holders_swapped_and_prices_reflected_give_the_same_theta() {
    let mut params = bare();
    params.mix[1] = params.mix[0];
    let centre = ln_px(Px::whole(65_000)).div_euclid(BUCKET);
    let reflect = |price: Px| px_of_ln(2 * centre * BUCKET - ln_px(price));
    let other = |holder| {
        if holder == Holder::Long {
            Holder::Short
        } else {
            Holder::Long
        }
    };
    let (mut one, mut two) = ([inventory(), inventory()], [calibration(), calibration()]);
    let mut market = Market::new(41);
    for second in 1..2_500 {
        market.now += 1_000_000_000;
        let (now, a, b) = (market.at(), market.draw(), market.draw());
        market.ln += (a - 0.5) * 0.0014;
        let (mark, trade) = (market.price(0.0), market.price((b - 0.5) * 0.0004));
        let before = *one[0].exposure(Holder::Long);
        for (engine, flip) in one.iter_mut().zip([false, true]) {
            let at = |price| if flip { reflect(price) } else { price };
            engine.trade(at(trade), Qty::whole(60));
            engine.mark(now, at(mark), &params);
            if second % 5 == 0 {
                engine.interest(now, Qty::whole(50_000), &params);
            }
            engine.tick(now, &params);
        }
        let met: i64 = one[0]
            .exposure(Holder::Long)
            .iter()
            .zip(before)
            .map(|(a, b)| a - b)
            .sum();
        if met > 0 {
            for flip in [false, true] {
                let at = usize::from(flip);
                let print = Liquidation {
                    price: if flip { reflect(mark) } else { mark },
                    qty: Qty::new(met / 2),
                    holder: if flip {
                        other(Holder::Long)
                    } else {
                        Holder::Long
                    },
                };
                two[at].print(now, BYBIT, &print, &one[at], &params);
            }
        }
        for (calibration, engine) in two.iter_mut().zip(&mut one) {
            calibration.tick(now, engine, &params);
        }
    }
    assert!(two[0].prints > 100);
    let (a, b) = (thetas(&two[0]), thetas(&two[1]));
    for k in 0..CLASSES {
        assert!((a[k] / b[k] - 1.0).abs() < 0.02, "{k} {} {}", a[k], b[k]);
    }
    for holder in Holder::BOTH {
        let bands = [one[0].band_q16(holder), one[1].band_q16(other(holder))];
        for i in 0..2 {
            assert!(
                (bands[0][i] - bands[1][i]).abs() <= bands[0][i] / 50,
                "{bands:?}"
            );
        }
    }
}

#[test]
fn what_hidden_prints_stand_for_never_exceeds_the_fall_of_interest() {
    let params = bare();
    let (engine, _, _, now) = run(51, 900, &[0.2; CLASSES], &params);
    let now = Nanos::new(now);
    let binance = observation(VenueId::BINANCE);
    // A fall that sweeps much at once, and one small print of it.
    let taken = |fall: i64| {
        let (mut engine, mut calibration) = (engine.clone(), calibration());
        let interest = engine.interest_now();
        calibration.interest(now, interest);
        let ln = engine.mark_ln().unwrap();
        engine.mark(now, px_of_ln(ln - 30 * BUCKET), &params);
        let print = Liquidation {
            price: px_of_ln(ln - 15 * BUCKET),
            qty: Qty::new(10_000),
            holder: Holder::Long,
        };
        // The first shows what a print is; of the later ones many are expected in the second.
        for _ in 0..3 {
            calibration.print(now, binance, &print, &engine, &params);
        }
        let printed: i64 = calibration.evidence().0.iter().sum();
        calibration.interest(now, Qty::new(interest.get() - fall));
        calibration.evidence().0.iter().sum::<i64>() - printed
    };
    assert_eq!(taken(0), 0);
    assert_eq!(taken(-5_000_000), 0);
    assert_eq!(taken(30_000), 0, "the fall is what was printed");
    let some = taken(40_000);
    assert!(some > 5_000 && some <= 10_000, "{some}");
    let all = taken(40_000_000_000);
    assert!(all > some && all < 3_000_000, "{all}");
    assert_eq!(taken(50_000_000_000), all);
}

#[test]
fn totals_of_periods_find_the_same() {
    let params = bare();
    let truth: [f64; CLASSES] = core::array::from_fn(|k| 0.6 - 0.035 * k as f64);
    let (mut engine, mut by_period) = (inventory(), calibration());
    let mut market = Market::new(61);
    let mut sums = [[0i64; CLASSES]; 2];
    for second in 1..=12_000 {
        let exposure = market.second(&mut engine, &params);
        for d in 0..2 {
            for k in 0..CLASSES {
                sums[d][k] += exposure[d][k];
            }
        }
        if second % 300 == 0 {
            for holder in Holder::BOTH {
                let row = &sums[holder as usize];
                let dead: f64 = row
                    .iter()
                    .zip(truth)
                    .map(|(met, theta)| *met as f64 * theta)
                    .sum();
                let interest = engine.interest_now();
                by_period.period(
                    market.at(),
                    holder,
                    row,
                    Qty::new(dead as i64),
                    interest,
                    &params,
                );
            }
            by_period.fit(market.at(), engine.interest_now(), &params);
            sums = [[0; CLASSES]; 2];
        }
    }
    by_period.apply(&mut engine);
    let got = thetas(&by_period);
    let (_, met) = by_period.evidence();
    let (mut expected, mut dead) = (0.0, 0.0);
    for k in 0..CLASSES {
        expected += met[k] as f64 * got[k];
        dead += met[k] as f64 * truth[k];
    }
    // The background keeps a twentieth of every total.
    assert!(
        (expected / dead - 0.97).abs() < 0.12,
        "{expected} {dead} {got:?}"
    );
    let week = by_period
        .weeks()
        .iter()
        .find(|week| week.number != 0)
        .unwrap();
    assert!(week.predicted[0] > 0 && week.realised[0] > 0);
}

#[test]
fn totals_count_for_periods_that_were_watched_whole() {
    let params = bare();
    let (mut engine, mut known) = (inventory(), calibration());
    let mut market = Market::new(91);
    let minute = Nanos::new(5 * Nanos::MINUTE.get());
    let tell = |known: &mut Calibration, engine: &Inventory, market: &Market| {
        let totals = Total {
            long: Usd::whole(1_000_000),
            short: Usd::whole(2_000_000),
            period: minute,
        };
        known.totals(market.at(), &totals, market.price(0.0), engine, &params);
    };
    for second in 1..=900 {
        market.second(&mut engine, &params);
        if second % 300 == 0 {
            tell(&mut known, &engine, &market);
        }
    }
    // The first began before anything was watched.
    assert_eq!(known.unread, 1);
    let week = known.weeks().iter().find(|week| week.number != 0).unwrap();
    let [long, short] = week.realised;
    let want = 2.0 * 1e6 / (market.price(0.0).get() as f64 / 1e10) * 1e6;
    // The price wanders between the two.
    assert!((long as f64 / want - 1.0).abs() < 0.1, "{long} {want}");
    assert!((short - 2 * long).abs() <= short / 100, "{long} {short}");
    let met: i64 = known.evidence().1.iter().sum();
    // A hole, a period of another length: neither says what was met.
    known.lose(&engine);
    tell(&mut known, &engine, &market);
    market.second(&mut engine, &params);
    tell(&mut known, &engine, &market);
    assert_eq!(
        (known.unread, known.evidence().1.iter().sum::<i64>()),
        (3, met)
    );
}

#[test]
fn a_bankruptcy_price_tells_the_liquidation_price() {
    // Q LP (1 − m) + c = Q BP for a long: 1 at 80,000 with m .4 % and no deduction.
    let params = Params::default();
    let print = |price: &str, qty: &str, holder| Liquidation {
        price: Px::parse(price).unwrap(),
        qty: Qty::parse(qty).unwrap(),
        holder,
    };
    let real = |px: Px| px.get() as f64 / 1e10;
    let lp = real(liquidation_of(&print("79680", "1", Holder::Long), &params));
    assert!((lp - 80_000.0).abs() < 0.01, "{lp}");
    let lp = real(liquidation_of(&print("80320", "1", Holder::Short), &params));
    assert!((lp - 80_000.0).abs() < 0.01, "{lp}");
    // The second row: m .65 %, c = 300,000 (.0065 − .004) = 750.
    let bankrupt = 80_000.0 * (1.0 - 0.0065) + 750.0 / 10.0;
    let lp = real(liquidation_of(
        &print(&format!("{bankrupt:.4}"), "10", Holder::Long),
        &params,
    ));
    assert!((lp - 80_000.0).abs() < 0.01, "{lp}");
    let lp = real(liquidation_of(&print("5", "1", Holder::Long), &bare()));
    assert!((lp - 5.0).abs() < 1e-9);
}

#[test]
fn silence_is_evidence_once_prints_are_heard_and_until_it_is_too_long() {
    let params = bare();
    let (mut engine, mut calibration, mut market) = (inventory(), calibration(), Market::new(73));
    let mut exposure = [[0; CLASSES]; 2];
    for second in 1..=1_200 {
        for (sum, met) in exposure
            .iter_mut()
            .flatten()
            .zip(market.second(&mut engine, &params).iter().flatten())
        {
            *sum += met;
        }
        // A minute's together: where prints come by the second, a minute without one is no silence.
        if second % 60 == 0 {
            for print in prints_of(&engine, &exposure, &[0.4; CLASSES], market.at()) {
                calibration.print(market.at(), BYBIT, &print, &engine, &params);
            }
            exposure = [[0; CLASSES]; 2];
        }
        calibration.tick(market.at(), &mut engine, &params);
    }
    let met = |c: &Calibration| c.evidence().1.iter().sum::<i64>();
    // The market goes on without a print.
    let known = calibration.clone();
    let quiet = |seconds: usize, engine: &mut Inventory, c: &mut Calibration, m: &mut Market| {
        let before = met(c);
        for _ in 0..seconds {
            m.second(engine, &params);
            c.tick(m.at(), engine, &params);
        }
        met(c) - before
    };
    assert!(quiet(60, &mut engine, &mut calibration, &mut market) > 0);
    // A silence of more than five lumps is no longer taken for one.
    quiet(6_000, &mut engine, &mut calibration, &mut market);
    assert!(quiet(60, &mut engine, &mut calibration, &mut market) <= 0);
    let sum = |c: &Calibration| c.theta().unwrap().iter().sum::<i64>();
    let learned = sum(&calibration);
    assert!(
        learned < sum(&known) && learned > sum(&known) / 4,
        "{learned}"
    );
    // Where something was lost a print must be heard first.
    let mut lost = known.clone();
    lost.lose(&engine);
    assert!(quiet(60, &mut engine, &mut lost, &mut market) <= 0);
}

#[test]
fn bands_are_the_priors_without_evidence_and_narrow_with_it() {
    let params = bare();
    let empty = inventory();
    assert_eq!(empty.band_q16(Holder::Long), [0, 4 * ONE]);
    let (mut engine, _, _, _) = run(71, 300, &[0.0; CLASSES], &params);
    let wide = engine.band_q16(Holder::Long);
    // The prior's, of all classes together: what is wrong with one is half as wrong with the row beside it.
    let (theta, width) = (*engine.theta(), *engine.width());
    let mut parts: [f64; CLASSES] = core::array::from_fn(|k| {
        let mass =
            engine.class_mass(Holder::Long, k).get() - engine.far_mass(Holder::Long, k).get();
        mass as f64 * theta[k] as f64
    });
    let (hot, unit) = (parts.iter().sum::<f64>(), ONE as f64);
    assert_eq!(params.background, 4);
    for (k, (part, doubt)) in parts.iter_mut().zip(width.doubt_q16).enumerate() {
        assert_eq!(doubt, params::doubt(params.shape_q16(k)));
        *part *= doubt as f64 / unit / hot;
    }
    let mut variance = width.lump as f64 / (hot / unit);
    for j in 0..CLASSES {
        for k in 0..CLASSES {
            variance += parts[j] * parts[k] * 0.5f64.powi(j.abs_diff(k) as i32);
        }
    }
    let none = (-hot / unit / width.single as f64).exp();
    let mut want = band_80((variance * unit) as i64, (none * unit) as i64).into_iter();
    assert!(
        wide.iter()
            .all(|end| (end - want.next().unwrap()).abs() < ONE / 100),
        "{wide:?}"
    );
    let (told, calibration, _, _) = run(71, 4_000, &[0.4; CLASSES], &params);
    let tight = told.band_q16(Holder::Long);
    assert!(
        tight[0] > wide[0] && tight[1] < wide[1],
        "{tight:?} {wide:?}"
    );
    calibration.apply(&mut engine);
    assert_eq!(engine.theta(), told.theta());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_comes_theta_stays_within_its_bounds(steps in proptest::collection::vec(
        (0u8..7, any::<i64>(), any::<i64>(), any::<i64>(), 0u8..3), 1..80,
    )) {
        let params = Params::default();
        let (mut engine, mut calibration) = (inventory(), calibration());
        for (what, a, b, now, small) in steps {
            let (a, b, now) = if small < 2 { (a, b, now) } else { (a >> 12, b >> 14, now >> 4) };
            let at = Nanos::new(now);
            let (px, qty) = (Px::new(a), Qty::new(b));
            let holder = if b % 2 == 0 { Holder::Long } else { Holder::Short };
            let print = Liquidation { price: px, qty, holder };
            match what {
                0 => engine.trade(px, qty),
                1 => { engine.mark(at, px, &params); }
                2 => { engine.interest(at, qty, &params); calibration.interest(at, qty); }
                3 => calibration.tick(at, &mut engine, &params),
                4 => calibration.period(at, holder, &[a; CLASSES], qty, engine.interest_now(), &params),
                5 => calibration.lose(&engine),
                _ => {
                    let row = &OBSERVATIONS[b.unsigned_abs() as usize % OBSERVATIONS.len()];
                    calibration.print(at, Some(row), &print, &engine, &params);
                }
            }
            calibration.fit(at, engine.interest_now(), &params);
            calibration.apply(&mut engine);
            prop_assert!(engine.conserved());
            for theta in calibration.theta().unwrap() {
                prop_assert!((ONE / 1_024..=4 * ONE).contains(theta), "{}", theta);
            }
            for holder in Holder::BOTH {
                let [low, high] = engine.interval_q16(engine.exposure(holder));
                prop_assert!(0 <= low && low <= high, "{} {}", low, high);
            }
        }
    }
}

#[test]
fn what_is_kept_of_a_calibration_goes_on_and_nothing_else_is_taken_up() {
    let params = bare();
    let (engine, calibration, _, now) = run(81, 1_500, &[0.7; CLASSES], &params);
    let words = calibration.words();
    assert_eq!(words.len(), WORDS);
    let mut again = Calibration::of_words(&words).unwrap();
    assert_eq!(again.words(), words);
    let interest = engine.interest_now();
    again.fit(Nanos::new(now), interest, &params);
    let mut fitted = calibration.clone();
    fitted.fit(Nanos::new(now), interest, &params);
    assert_eq!(again.theta(), fitted.theta());
    // Another inventory, another run: what it met before is not this evidence's.
    assert_eq!((again.prints, again.missed), (fitted.prints, fitted.missed));
    for at in 0..words.len() {
        let mut bad = words.clone();
        bad[at] = -1;
        assert!(Calibration::of_words(&bad).is_none(), "{at}");
        assert!(Calibration::of_words(&words[..at]).is_none(), "{at}");
    }
    assert!(Calibration::of_words(&vec![0; WORDS]).is_none());

    // A plan's shard begins with it, at its venue and symbol alone; the model's hash is what it was.
    let evidence = Rows::from([
        ("BTC bybit".to_owned(), words.clone()),
        ("DOGE bybit".to_owned(), words.clone()),
    ]);
    let symbols = ["ETH", "BTC"].map(str::to_owned).to_vec();
    let venues = [VenueId::BINANCE, VenueId::BYBIT];
    let mut setup = Setup::new(symbols.clone(), &venues);
    let hash = setup.model_hash();
    setup.calibrations = replay::calibrations(&evidence, &symbols, &venues).unwrap();
    assert_eq!((setup.calibrations.len(), setup.model_hash()), (1, hash));
    let shard = Shard::new(&setup).unwrap();
    assert_eq!(
        shard.calibration_at(1, VenueId::BYBIT).unwrap().words(),
        words
    );
    assert_eq!(shard.calibration_at(0, VenueId::BYBIT).unwrap().prints, 0);
    assert_eq!(shard.calibration_at(1, VenueId::BINANCE).unwrap().prints, 0);
    let kept = replay::evidence_of(&shard, &symbols, &venues);
    assert_eq!(kept.theta.keys().collect::<Vec<_>>(), ["BTC bybit"]);
    assert!(kept.taught.is_empty());
    let bad = Rows::from([("BTC bybit".to_owned(), vec![1, 2, 3])]);
    let told = replay::calibrations(&bad, &symbols, &venues).unwrap_err();
    assert!(told.contains("BTC bybit"), "{told}");

    // The head of a tape tells it again.
    let plan = RunPlan {
        calibration: evidence.clone(),
        ..RunPlan::default()
    };
    let told = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<RunPlan>(&told).unwrap(), plan);
    assert!(
        !serde_json::to_string(&RunPlan::default())
            .unwrap()
            .contains("calibration")
    );

    // A plan names the file; what is wrong with it is said at the key.
    let evidence = Evidence {
        theta: evidence,
        ..Evidence::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let (file, toml) = (
        folder.path().join("a.calibration"),
        folder.path().join("a.toml"),
    );
    let text = format!("[engine]\ncalibration = \"{}\"\n", file.display());
    std::fs::write(&toml, text).unwrap();
    std::fs::write(&file, evidence::text(&evidence).unwrap()).unwrap();
    assert_eq!(Plan::load(&toml).unwrap().engine.evidence, evidence);
    std::fs::write(&file, "{}").unwrap();
    let faults = Plan::load(&toml).unwrap_err();
    let said = faults[0].to_string();
    assert!(
        said.contains(":2:1: key \"calibration\" in [engine]"),
        "{said}"
    );
    assert!(said.contains("no calibration"), "{said}");
}

/// What touches taught goes the same way: into the file, from it into a run, and into the head of its tape.
#[test]
fn what_touches_taught_is_kept_by_symbol_and_mode() {
    let mut taught: Taught = bytemuck::Zeroable::zeroed();
    for at in 0..40 {
        taught.learn(&[ONE as i32 / 2; 7], at % 4 == 0);
    }
    let rows = |names: &[&str]| -> Rows {
        let each = names
            .iter()
            .map(|name| ((*name).to_owned(), taught.words()));
        each.collect()
    };
    let evidence = Evidence {
        theta: Rows::new(),
        taught: rows(&["BTC day", "DOGE swing"]),
    };
    let symbols = ["ETH", "BTC"].map(str::to_owned).to_vec();
    let venues = [VenueId::BYBIT];
    let mut plan = Plan::default();
    plan.engine.symbols.clone_from(&symbols);
    plan.feeds = vec![isotherm::config::Feed {
        venue: VenueId::BYBIT,
        ..Default::default()
    }];
    let hash = run::setup(&plan).unwrap().model_hash();
    plan.engine.evidence = evidence.clone();
    let setup = run::setup(&plan).unwrap();
    assert_eq!((setup.taught.len(), setup.model_hash()), (1, hash));
    let shard = Shard::new(&setup).unwrap();
    assert_eq!(shard.taught(1, 1), Some(&taught));
    for (symbol, mode) in [(0, 1), (1, 0), (1, 2)] {
        assert_eq!(shard.taught(symbol, mode).unwrap().touches, 0);
    }
    let told = [0, 1].map(|symbol| shard.wide(symbol).unwrap().mode.map(|m| m.run_touches));
    assert_eq!(
        told,
        [[0; 3], [0, 40, 0]],
        "the page says on how many touches it stands"
    );
    let kept = replay::evidence_of(&shard, &symbols, &venues);
    assert_eq!(kept.taught, rows(&["BTC day"]));
    // A run says how much of the file is its own.
    plan.engine.calibration = Some("a.calibration".into());
    let begin = run::recording::Begin::of(&plan, WallClock).unwrap();
    let (level, note) = &begin.notes[0];
    assert_eq!(*level, Level::Info);
    assert!(
        note.contains("1 of the 2 row(s) of a.calibration"),
        "{note}"
    );

    // A venue that is none.
    let theta = Rows::from([("BTC bybyt".to_owned(), calibration().words())]);
    let why = replay::calibrations(&theta, &symbols, &venues).unwrap_err();
    assert!(
        why.contains("wants a symbol and a venue (bybit, binance"),
        "{why}"
    );

    let head = RunPlan {
        taught: evidence.taught.clone(),
        ..RunPlan::default()
    };
    let told = serde_json::to_string(&head).unwrap();
    assert_eq!(serde_json::from_str::<RunPlan>(&told).unwrap(), head);
    assert!(
        !serde_json::to_string(&RunPlan::default())
            .unwrap()
            .contains("taught")
    );

    // Another form, a mode that is none.
    let mut damaged = rows(&["BTC day"]);
    damaged.get_mut("BTC day").unwrap()[0] += 1;
    for (rows, want) in [
        (damaged, "not of this build's form"),
        (
            rows(&["BTC hour"]),
            "wants a symbol and a mode (scalp, day, swing)",
        ),
    ] {
        let why = replay::taught(&rows, &symbols).unwrap_err();
        assert!(why.contains(want), "{why}");
        plan.engine.evidence.taught = rows;
        let why = run::setup(&plan).unwrap_err().to_string();
        assert!(
            why.contains("key \"calibration\" in [engine]") && why.contains(want),
            "{why}"
        );
    }
}
