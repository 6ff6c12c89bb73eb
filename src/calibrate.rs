//! Calibration: θ, the share of swept mass that is really liquidated, fitted on what a venue prints (heatmap.md 2.8).
//!
//! One per inventory. For each class of the ladder it keeps, decayed alike with a half-life, what was liquidated (A)
//! and what the mark met (B), both as base quantity:
//!
//! ```text
//!   print -> where its position must have died -> shares r_k ~ θ_k m_k N(place; x, σ) of the buckets swept in the
//!            last W and of what still stands there, against a background ε: a print where the map is empty is a miss
//!   A_k += w q r_k      B_k += mass met, before removal      θ_k = exp(smooth fit to ln((a0 u + A_k) / (b0 u + B_k)))
//! ```
//! u is the unit of evidence (a share of open interest), a0 the prior's shape, a0 / b0 the *level*: what all classes
//! say together, (a0 u + Σ A) / (a0 u / prior + Σ B). A crowd of another magnitude is learned once, not by each class.
//! The fit minimises Σ w_k (l_k − y_k)² + λ Σ p_k (l_{k−1} − 2 l_k + l_{k+1})², w_k the precision of ln θ_k and p_k the
//! least of the three it joins: a class without evidence leans on its neighbours and never drags them.
//!
//! Exposure *waits* until the next print shows that the venue's prints are heard at all, a day at most: a venue that
//! prints nothing, or whose stream is dead, keeps the prior instead of learning that nobody ever dies.
//!
//! Width ([`Width`]): θ_k has that of a Gamma of shape a0 + A_k / u', u' the larger of u and the *lump*, variance over
//! mean of clusters of prints (< 30 s apart, one holder): what comes in lumps says less. Beside it stand that lump, and
//! the scatter of whole hours beyond both. Where only totals per period are known, [`Calibration::period`] does the
//! same fit on exposure and total.
//!
//! A venue that hides prints (the largest per second) is weighted by how many were expected in that second; what that
//! adds beyond the printed quantity is held until the next open interest and never exceeds its fall.
//!
//! Integers only; quantities 1e-6 lots, θ and shares Q16, logarithms Q32 in the fit. All zeros is "not begun". No
//! clock, no allocation; a print reads at most the 128 swept buckets and 65 standing ones.

use crate::event::{Liquidation, Total};
use crate::inventory::params::{self, CLASSES, Params};
use crate::inventory::{Inventory, Swept, Width};
use crate::market::{Holder, VenueId};
use crate::num::fixed::{ONE, ONE32, clip, exp2neg, mul_div, mul32};
use crate::num::log::{BUCKET, exp_q48, ln_px, ln_q48};
use crate::num::{HEADROOM, Px, Qty, Round, narrow};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// What the price of a print says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locates {
    /// The bankruptcy price: the liquidation price follows by the margin table.
    Bankruptcy,
    /// A fill: the market when it died.
    Fill,
    /// Close to the mark.
    Mark,
}

/// Whose prints compete to be the one that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Every liquidation.
    All,
    /// The largest of a second, both holders together, or an unstated part.
    Some,
}

/// What a venue's prints tell: a row of [`OBSERVATIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Venue.
    pub venue: VenueId,
    /// What the price means.
    pub locates: Locates,
    /// How many are shown.
    pub shown: Shown,
    /// Deviation of the place beyond the model's own, bp: a judgement.
    pub blur_bp: i64,
}

/// A row per venue that prints liquidations; a venue without a row (Hyperliquid) keeps the prior.
pub const OBSERVATIONS: [Observation; 3] = [
    Observation {
        venue: VenueId::BYBIT,
        locates: Locates::Bankruptcy,
        shown: Shown::All,
        blur_bp: 0,
    },
    Observation {
        venue: VenueId::BINANCE,
        locates: Locates::Fill,
        shown: Shown::Some,
        blur_bp: 3,
    },
    Observation {
        venue: VenueId::OKX,
        locates: Locates::Mark,
        shown: Shown::Some,
        blur_bp: 2,
    },
];

/// The row of a venue.
#[must_use]
pub fn observation(venue: VenueId) -> Option<&'static Observation> {
    OBSERVATIONS.iter().find(|row| row.venue == venue)
}

/// Numbers of [`Calibration::words`].
pub const WORDS: usize = 6 + 2 * CLASSES + 2 + 2 + 3;
/// Their form: a version, and the ladder they are of.
const FORM: i64 = {
    let (mut form, mut k) = (1, 0);
    while k < CLASSES {
        form = (form * 31 + params::LADDER_E6[k]) % 1_000_000_007;
        k += 1;
    }
    form
};
/// Weeks that are kept.
pub const WEEKS: usize = 13;
/// Length of a week.
const WEEK: i64 = 7 * Nanos::DAY.get();
/// Exposure waits this long for a print.
const WAIT: Nanos = Nanos::DAY;
/// Prints of one holder closer than this are one cluster.
const CLUSTER: Nanos = Nanos::new(30 * Nanos::SECOND.get());
/// ... but none is longer than this: where prints never cease, not all of them are one event.
const CLUSTER_MAX: Nanos = Nanos::new(5 * Nanos::MINUTE.get());
/// Exposure is read, and θ fitted after new evidence, at most this often.
const OFTEN: Nanos = Nanos::SECOND;
/// θ is fitted this often when there is none, for what fades.
const SELDOM: Nanos = Nanos::MINUTE;
/// Buckets either side of a print's place where standing mass is looked at.
const STANDING: i64 = 32;
/// Width over which a missed print could lie, buckets.
const MISSED_OVER: i64 = 100;
/// Steps in which evidence fades, per half-life: exact values of the table.
const FADES: i64 = 256;
/// Expected prints of a second are held to this.
const COUNTED: usize = 256;
/// θ is held to these, Q16.
const THETA: [i64; 2] = [ONE / 1_024, 4 * ONE];

/// What one week said: Σ θ·exposure before it was learned from, and what was printed. Base quantity, per holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Week {
    /// Weeks since the epoch; 0 = unused.
    pub number: i64,
    /// Expected.
    pub predicted: [i64; 2],
    /// Printed, weighted where prints are hidden.
    pub realised: [i64; 2],
}

/// Prints of one holder that are one cluster so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct Cluster {
    first: Nanos,
    last: Nanos,
    qty: i64,
    /// Expected since the cluster before it.
    expected: i64,
    /// Expected since its last print.
    since: i64,
}

/// The hour that runs: what was met under the eyes of prints, and what was printed, per holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct Hour {
    number: i64,
    met: [[i64; CLASSES]; 2],
    realised: [i64; 2],
}

/// Evidence on θ of one venue's contract, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Calibration {
    /// Liquidated per class.
    a: [i64; CLASSES],
    /// Met per class.
    b: [i64; CLASSES],
    /// Variance over mean of clusters: Σ (size − expected)² / u, Σ size.
    lumps: [i64; 2],
    clusters: [Cluster; 2],
    /// Evidence faded up to here; zero = none yet.
    faded: Nanos,
    /// The inventory's exposure as it was read.
    seen: [[i64; CLASSES]; 2],
    /// Exposure that no print has confirmed, since when, and what it predicts per holder.
    waiting: [[i64; CLASSES]; 2],
    waits: Nanos,
    expects: [i64; 2],
    /// Held for the next open interest: beyond what was printed, per class and holder, and what was printed.
    extra: [i64; CLASSES],
    extra_of: [i64; 2],
    told: i64,
    interest: i64,
    /// Mean size of a print where prints are hidden: Σ size, count.
    sizes: [i64; 2],
    theta: [i64; CLASSES],
    width: Width,
    hour: Hour,
    /// Of whole hours: Σ (realised − expected)² / u, Σ expected, Σ expected² / u. It and the lumps fade eight times
    /// faster, so that what θ had still to learn is forgotten.
    hours: [i64; 3],
    weeks: [Week; WEEKS],
    /// Exposure and time at the last totals.
    totalled: [[i64; CLASSES]; 2],
    totalled_at: Nanos,
    read_at: Nanos,
    fitted_at: Nanos,
    /// 1 when there is evidence that the fit does not know.
    fresh: u64,
    /// Prints taken.
    pub prints: u64,
    /// Prints of venues that are not read, and totals of periods that were not watched whole.
    pub unread: u64,
    /// Quantity taken, and of it what was given to the background.
    pub taken: i64,
    /// Quantity that the map missed.
    pub missed: i64,
}

/// Sums 1 + 1/2 + … + 1/n, Q16.
const HARMONIC: [i64; COUNTED + 1] = {
    let mut sums = [0; COUNTED + 1];
    let mut n = 1;
    while n <= COUNTED {
        sums[n] = sums[n - 1] + ONE / n as i64;
        n += 1;
    }
    sums
};

/// Where the position of a bankruptcy price died: `LP = (Q BP ∓ c) / (Q (1 ∓ m))`, upper sign long, by the row of the
/// margin table that holds the position. The price itself where that has no answer.
#[must_use]
pub fn liquidation_of(print: &Liquidation, params: &Params) -> Px {
    let value = i128::from(print.price.get()) * i128::from(print.qty.get());
    let rows = &params.margin[..(params.margins as usize).min(params.margin.len())];
    let cents = value / 100_000_000_000_000;
    let holds = rows.iter().find(|row| cents <= i128::from(row.cap.get()));
    let Some(row) = holds.or(rows.last()) else {
        return print.price;
    };
    let sign = match print.holder {
        Holder::Long => -1,
        Holder::Short => 1,
    };
    let below = i128::from(print.qty.get()) * i128::from(1_000_000 + sign * row.maintenance_e6);
    let above = i128::from(row.deduction.get())
        .checked_mul(100_000_000_000_000)
        .and_then(|c| value.checked_add(i128::from(sign) * c))
        .and_then(|n| n.checked_mul(1_000_000));
    match above {
        Some(above) if below > 0 && above > 0 => match i64::try_from(above / below) {
            Ok(px) if px > 0 => Px::new(px),
            _ => print.price,
        },
        _ => print.price,
    }
}

impl Calibration {
    /// Takes a print. Nothing for a venue whose prints say nothing.
    pub fn print(
        &mut self,
        now: Nanos,
        row: Option<&Observation>,
        print: &Liquidation,
        inventory: &Inventory,
        params: &Params,
    ) {
        let qty = print.qty.get().min(HEADROOM);
        let Some(row) = row.filter(|_| qty > 0 && print.price.get() > 0) else {
            self.unread = self.unread.wrapping_add(1);
            return;
        };
        self.read(now, inventory, params);
        let unit = unit(inventory.interest_now(), params);
        self.confirm(now, unit, params);
        let holder = print.holder;
        let price = match row.locates {
            Locates::Bankruptcy => liquidation_of(print, params),
            Locates::Fill | Locates::Mark => print.price,
        };
        let sigma = params.blur.saturating_add(inventory.mark_step());
        let sigma = sigma
            .saturating_add(row.blur_bp * (BUCKET / 2))
            .max(BUCKET / 16);
        let found = self.shares(now, holder, ln_px(price), sigma, inventory, params);
        let extra = self.hidden(now, row, qty, inventory);
        let mut given = 0;
        for (k, share) in found.iter().enumerate() {
            let mine = mul32(qty, *share);
            self.a[k] = add(self.a[k], mine);
            self.extra[k] = add(self.extra[k], mul32(extra, *share));
            given += mine;
        }
        let d = holder as usize;
        self.extra_of[d] = add(self.extra_of[d], extra);
        self.told = add(self.told, qty);
        self.taken = add(self.taken, qty);
        self.missed = add(self.missed, (qty - given).max(0));
        self.prints = self.prints.wrapping_add(1);
        let week = self.week(now);
        week.realised[d] = add(week.realised[d], qty);
        self.hour.realised[d] = add(self.hour.realised[d], qty);
        self.lump(now, holder, qty, unit);
    }

    /// Share of a print at `place` that each class gets, Q32; what lacks to one is the background's.
    fn shares(
        &self,
        now: Nanos,
        holder: Holder,
        place: i64,
        sigma: i64,
        inventory: &Inventory,
        params: &Params,
    ) -> [i64; CLASSES] {
        let mut near = [0i128; CLASSES];
        let mut all = [0i128; CLASSES];
        let mut meet = |bucket: i64, mass: &[i64; CLASSES]| {
            let away = bucket
                .saturating_mul(BUCKET)
                .saturating_add(BUCKET / 2)
                .saturating_sub(place);
            let weight = bell(away, sigma);
            for k in 0..CLASSES {
                all[k] += i128::from(mass[k]);
                near[k] += i128::from(mass[k]) * i128::from(weight);
            }
        };
        let since = |swept: &Swept| now.since(swept.at).get() <= params.match_ns;
        for swept in inventory.swept() {
            if swept.at != Nanos::ZERO && swept.holder == holder as u64 && since(swept) {
                meet(swept.bucket, &swept.mass);
            }
        }
        let reach = (sigma.saturating_mul(4) / BUCKET).clamp(1, STANDING);
        let middle = place.div_euclid(BUCKET);
        for bucket in middle - reach..=middle + reach {
            meet(bucket, &inventory.masses(holder, bucket));
        }
        let theta = self.theta_or(params);
        let (mut sum, mut whole) = (0i128, 0i128);
        for k in 0..CLASSES {
            near[k] *= i128::from(theta[k]);
            sum += near[k];
            whole += all[k] * i128::from(theta[k]);
        }
        // Of the mass at hand ε is expected anywhere within MISSED_OVER buckets: its density under the same bell, whose
        // width is sqrt(2 pi) sigmas. `near` carries the bell's 2^16.
        let wide = mul_div(sigma, 164_276, BUCKET).max(ONE);
        let missed =
            (whole / i128::from(MISSED_OVER)) * i128::from(mul_div(params.miss_q16, wide, ONE));
        let total = sum + missed;
        if sum <= 0 || total <= 0 {
            return [0; CLASSES];
        }
        let shift = (128 - total.leading_zeros()).saturating_sub(62);
        let total = (total >> shift).max(1) as i64;
        near.map(|part| mul_div(ONE32, (part >> shift) as i64, total))
    }

    /// What a hidden print stands for beyond itself: of n expected in its second the largest is shown.
    fn hidden(&mut self, now: Nanos, row: &Observation, qty: i64, inventory: &Inventory) -> i64 {
        if row.shown == Shown::All {
            return 0;
        }
        let mut expected = 0i128;
        for swept in inventory.swept() {
            if swept.at != Nanos::ZERO && now.since(swept.at) <= Nanos::SECOND {
                for (mass, theta) in swept.mass.iter().zip(inventory.theta()) {
                    expected += i128::from(*mass) * i128::from(*theta);
                }
            }
        }
        let mean = if self.sizes[1] == 0 {
            qty
        } else {
            self.sizes[0] / self.sizes[1]
        };
        let count = narrow((expected >> 16) / i128::from(mean.max(1)));
        let count = count.clamp(1, COUNTED as i64);
        let sum = HARMONIC[count as usize];
        // The largest of n of one exponential law is H_n means: what it says of the mean.
        let size = mul_div(qty, ONE, sum);
        if self.sizes[1] >= 1_024 {
            self.sizes = self.sizes.map(|half| half / 2);
        }
        self.sizes = [add(self.sizes[0], size), self.sizes[1] + 1];
        (mul_div(qty, count * ONE, sum) - qty).max(0)
    }

    /// Open interest was told: what hidden prints stand for is taken as far as it fell.
    pub fn interest(&mut self, now: Nanos, interest: Qty) {
        let interest = interest.get().clamp(0, HEADROOM);
        let fall = (self.interest - interest).max(0);
        let all = add(self.extra_of[0], self.extra_of[1]);
        if all > 0 {
            let taken = (fall - self.told).clamp(0, all);
            for k in 0..CLASSES {
                self.a[k] = add(self.a[k], mul_div(self.extra[k], taken, all));
            }
            let parts = self.extra_of.map(|part| mul_div(part, taken, all));
            let hour = &mut self.hour.realised;
            for (sum, part) in hour.iter_mut().zip(parts) {
                *sum = add(*sum, part);
            }
            let week = self.week(now);
            for (sum, part) in week.realised.iter_mut().zip(parts) {
                *sum = add(*sum, part);
            }
        }
        (self.extra, self.extra_of, self.told) = ([0; CLASSES], [0; 2], 0);
        self.interest = interest;
    }

    /// Takes a total that a venue published for a period: liquidated of one holder, while the mark met `exposure` of
    /// each class. The same fit where there are no prints.
    pub fn period(
        &mut self,
        now: Nanos,
        holder: Holder,
        exposure: &[i64; CLASSES],
        realised: Qty,
        interest: Qty,
        params: &Params,
    ) {
        self.fade(now, params);
        let realised = realised.get().clamp(0, HEADROOM);
        let theta = self.theta_or(params);
        let parts: [i128; CLASSES] = core::array::from_fn(|k| {
            i128::from(exposure[k].clamp(0, HEADROOM)) * i128::from(theta[k])
        });
        let whole: i128 = parts.iter().sum();
        let predicted = narrow(whole >> 16).min(HEADROOM);
        // The background is a share of what is expected.
        let total = whole + ((whole * i128::from(params.miss_q16)) >> 16);
        let shift = (128 - total.leading_zeros()).saturating_sub(62);
        let below = (total >> shift) as i64;
        let mut given = 0;
        for k in 0..CLASSES {
            let mine = mul_div(realised, (parts[k] >> shift) as i64, below);
            self.a[k] = add(self.a[k], mine);
            self.b[k] = add(self.b[k], exposure[k].clamp(0, HEADROOM));
            given += mine;
        }
        self.taken = add(self.taken, realised);
        self.missed = add(self.missed, (realised - given).max(0));
        // Periods do not cluster: their scatter around what was expected takes the place of lumps.
        let off = (realised - predicted).abs();
        let unit = unit(interest, params);
        self.lumps[0] = add(self.lumps[0], mul_div(off, off, unit));
        self.lumps[1] = add(self.lumps[1], predicted);
        let week = self.week(now);
        let d = holder as usize;
        week.predicted[d] = add(week.predicted[d], predicted);
        week.realised[d] = add(week.realised[d], realised);
        self.fresh = 1;
    }

    /// Takes the totals that a venue told for the period that ends now, where there are no prints: what the mark met
    /// since the totals before. Those of a period that was not watched whole are left out, and counted.
    pub fn totals(
        &mut self,
        now: Nanos,
        totals: &Total,
        mark: Px,
        inventory: &Inventory,
        params: &Params,
    ) {
        let watched = now.since(self.totalled_at).get();
        let length = totals.period.get();
        let exposure = Holder::BOTH.map(|holder| *inventory.exposure(holder));
        let before = core::mem::replace(&mut self.totalled, exposure);
        let began = core::mem::replace(&mut self.totalled_at, now);
        let whole = began != Nanos::ZERO && length > 0 && (watched - length).abs() <= length / 10;
        if self.prints > 0 || !whole || mark.get() <= 0 || !inventory.is_seeded() {
            self.unread = self.unread.wrapping_add(1);
            return;
        }
        for (holder, usd) in [(Holder::Long, totals.long), (Holder::Short, totals.short)] {
            let d = holder as usize;
            let met = core::array::from_fn(|k| exposure[d][k].wrapping_sub(before[d][k]));
            let qty = mark.quantity(usd, Round::HalfEven);
            self.period(now, holder, &met, qty, inventory.interest_now(), params);
        }
    }

    /// Reads exposure and fits when it is time, and gives the inventory its θ.
    pub fn tick(&mut self, now: Nanos, inventory: &mut Inventory, params: &Params) {
        if now.since(self.read_at) < OFTEN || !inventory.is_seeded() {
            return;
        }
        self.read(now, inventory, params);
        let due = if self.fresh != 0 { OFTEN } else { SELDOM };
        if now.since(self.fitted_at) >= due {
            self.fit(now, inventory.interest_now(), params);
        }
        self.apply(inventory);
    }

    /// Prints or marks were lost: what the mark met meanwhile has no prints to be compared with.
    pub fn lose(&mut self, inventory: &Inventory) {
        self.totalled_at = Nanos::ZERO;
        self.seen = Holder::BOTH.map(|holder| *inventory.exposure(holder));
        (self.waiting, self.expects) = ([[0; CLASSES]; 2], [0; 2]);
    }

    /// Reads what the mark has met since the last reading; it waits for a print.
    fn read(&mut self, now: Nanos, inventory: &Inventory, params: &Params) {
        self.read_at = now;
        if self.waits == Nanos::ZERO || now.since(self.waits) > WAIT {
            (self.waiting, self.expects) = ([[0; CLASSES]; 2], [0; 2]);
            self.waits = now;
        }
        let theta = self.theta_or(params);
        for holder in Holder::BOTH {
            let d = holder as usize;
            let exposure = *inventory.exposure(holder);
            let mut expects = 0i128;
            for k in 0..CLASSES {
                // Below zero the inventory was begun anew: nothing is known of the difference.
                let met = exposure[k].wrapping_sub(self.seen[d][k]).max(0);
                self.waiting[d][k] = add(self.waiting[d][k], met);
                expects += i128::from(met) * i128::from(theta[k]);
            }
            self.expects[d] = add(self.expects[d], narrow(expects >> 16));
            self.seen[d] = exposure;
        }
        self.fade(now, params);
    }

    /// A print was heard: what waited was exposed under its eyes.
    fn confirm(&mut self, now: Nanos, unit: i64, params: &Params) {
        let number = now.get().max(0) / Nanos::HOUR.get();
        if self.hour.number != number {
            self.close_hour(unit, params);
            self.hour.number = number;
        }
        for (hour, row) in self.hour.met.iter_mut().zip(&self.waiting) {
            for k in 0..CLASSES {
                hour[k] = add(hour[k], row[k]);
                self.b[k] = add(self.b[k], row[k]);
            }
        }
        let expects = self.expects;
        for (cluster, part) in self.clusters.iter_mut().zip(expects) {
            cluster.since = add(cluster.since, part);
        }
        let week = self.week(now);
        for (sum, part) in week.predicted.iter_mut().zip(expects) {
            *sum = add(*sum, part);
        }
        (self.waiting, self.expects, self.waits) = ([[0; CLASSES]; 2], [0; 2], now);
        self.fresh = 1;
    }

    /// An hour is whole: how far it was from what θ, as it is known by now, expects of it.
    fn close_hour(&mut self, unit: i64, params: &Params) {
        let theta = self.theta_or(params);
        for (met, realised) in self.hour.met.iter().zip(self.hour.realised) {
            let parts = met.iter().zip(theta);
            let whole = parts.fold(0i128, |sum, (met, theta)| {
                sum + i128::from(*met) * i128::from(theta)
            });
            let expected = narrow(whole >> 16).min(HEADROOM);
            let off = realised - expected;
            let sums = [
                mul_div(off, off, unit),
                expected,
                mul_div(expected, expected, unit),
            ];
            for (sum, part) in self.hours.iter_mut().zip(sums) {
                *sum = add(*sum, part);
            }
        }
        self.hour = Hour::zeroed();
    }

    /// Halves evidence with age, A and B alike.
    fn fade(&mut self, now: Nanos, params: &Params) {
        let step = (params.theta_half_life_ns / FADES).max(1);
        if self.faded == Nanos::ZERO {
            self.faded = now;
            return;
        }
        let steps = now.since(self.faded).get() / step;
        if steps <= 0 {
            return;
        }
        let kept = exp2neg(steps.min(64 * FADES) * (ONE / FADES));
        for sum in self.a.iter_mut().chain(&mut self.b) {
            *sum = mul32(*sum, kept);
        }
        let kept = exp2neg(steps.min(8 * FADES) * (8 * ONE / FADES));
        for sum in self.hours.iter_mut().chain(&mut self.lumps) {
            *sum = mul32(*sum, kept);
        }
        self.faded = self.faded.plus(Nanos::new(steps * step));
        self.fresh = 1;
    }

    fn lump(&mut self, now: Nanos, holder: Holder, qty: i64, unit: i64) {
        let cluster = &mut self.clusters[holder as usize];
        if now.since(cluster.last) >= CLUSTER || now.since(cluster.first) >= CLUSTER_MAX {
            *cluster = Cluster {
                first: now,
                since: cluster.since,
                ..Cluster::zeroed()
            };
        }
        // A cluster that grows adds what its square grows by.
        let square = |cluster: &Cluster| {
            let off = cluster.qty - cluster.expected;
            mul_div(off, off, unit)
        };
        let before = square(cluster);
        cluster.last = now;
        cluster.qty = add(cluster.qty, qty);
        cluster.expected = add(cluster.expected, cluster.since);
        cluster.since = 0;
        self.lumps[0] = add(self.lumps[0], square(cluster).saturating_sub(before));
        self.lumps[1] = add(self.lumps[1], qty);
    }

    fn week(&mut self, now: Nanos) -> &mut Week {
        let number = now.get().max(0) / WEEK;
        let week = &mut self.weeks[(number % WEEKS as i64) as usize];
        if week.number != number {
            *week = Week {
                number,
                ..Week::zeroed()
            };
        }
        week
    }

    fn theta_or(&self, params: &Params) -> [i64; CLASSES] {
        if self.fitted_at == Nanos::ZERO {
            return [params.theta_q16; CLASSES];
        }
        self.theta
    }

    /// Fits θ to the evidence there is; the prior where there is none.
    pub fn fit(&mut self, now: Nanos, interest: Qty, params: &Params) {
        (self.fresh, self.fitted_at) = (0, now);
        let unit = unit(interest, params);
        // Evidence in lumps of more than a unit counts by the lump.
        let lump = mul_div(unit, self.lumps[0], self.lumps[1]);
        let by = lump.max(unit);
        let shape = params.theta_shape_q16.max(1);
        let prior = mul_wide(unit, shape);
        let of = |evidence: i64, prior: i128| narrow(i128::from(evidence) + prior).max(1);
        let all = |sums: &[i64; CLASSES]| sums.iter().fold(0, |sum, part| add(sum, *part));
        let rate = prior * i128::from(ONE) / i128::from(params.theta_q16.max(1));
        // The level of all classes is the mean of each one's prior.
        let [dead, met] = [of(all(&self.a), prior), of(all(&self.b), rate)];
        let rate = prior * i128::from(met) / i128::from(dead);
        let target = core::array::from_fn(|k| {
            (ln_q48(of(self.a[k], prior)) - ln_q48(of(self.b[k], rate))) >> 16
        });
        let shapes: [i64; CLASSES] =
            core::array::from_fn(|k| add(shape, mul_div(self.a[k], ONE, by)).min(ONE << 20));
        let weight = shapes.map(params::precision);
        let fitted = smooth(&target, &weight, params.theta_smooth_q16);
        self.theta = fitted.map(|ln| {
            let ln = ln.clamp(-40 << 32, 40 << 32) << 16;
            exp_q48(ln + ln_q48(ONE)).clamp(THETA[0], THETA[1])
        });
        // What hours scatter beyond their lumps; a unit beside them, so that one hour alone says little.
        let beyond = self.hours[0].saturating_sub(mul_div(self.hours[1], lump, unit));
        self.width = Width {
            doubt_q16: shapes.map(params::doubt),
            scatter_q16: clip(mul_div(beyond, ONE, add(self.hours[2], unit)), 0, 16 * ONE),
            // Nothing is known of lumps until prints of a unit have come: till then they are one.
            lump: mul_div(unit, add(self.lumps[0], unit), add(self.lumps[1], unit)),
        };
    }

    /// Gives an inventory the fitted θ and its width.
    pub fn apply(&self, inventory: &mut Inventory) {
        let known = self.fitted_at != Nanos::ZERO;
        if known && (*inventory.theta() != self.theta || *inventory.width() != self.width) {
            inventory.set_thetas(&self.theta, &self.width);
        }
    }

    /// The evidence as whole numbers, to be taken up by another run: [`WORDS`] of them.
    #[must_use]
    pub fn words(&self) -> Vec<i64> {
        let single = [self.faded.get(), self.interest, self.taken, self.missed];
        let prints = i64::try_from(self.prints).unwrap_or(i64::MAX);
        [FORM, prints]
            .iter()
            .chain(&single)
            .chain(&self.a)
            .chain(&self.b)
            .chain(&self.lumps)
            .chain(&self.sizes)
            .chain(&self.hours)
            .copied()
            .collect()
    }

    /// The calibration that told these [`Calibration::words`]; `None` when they are of another form, or no evidence.
    #[must_use]
    pub fn of_words(words: &[i64]) -> Option<Self> {
        let (form, rest) = words.split_first()?;
        // The second of them is a time, the others are quantities and counts.
        let [_, faded, ..] = rest else { return None };
        let fits = rest.iter().filter(|n| !(0..=HEADROOM).contains(*n)).count();
        let times = usize::from(!(0..=HEADROOM).contains(faded));
        if *form != FORM || words.len() != WORDS || *faded < 0 || fits > times {
            return None;
        }
        let mut next = rest.iter().copied();
        let mut take = || next.next().unwrap_or_default();
        let mut held = Self::zeroed();
        held.prints = take().unsigned_abs();
        held.faded = Nanos::new(take());
        (held.interest, held.taken, held.missed) = (take(), take(), take());
        let rows = held.a.iter_mut().chain(&mut held.b);
        let rows = rows.chain(&mut held.lumps).chain(&mut held.sizes);
        for slot in rows.chain(&mut held.hours) {
            *slot = take();
        }
        held.fresh = 1;
        Some(held)
    }

    /// Open interest as it was last told, which the unit of evidence is a share of.
    #[must_use]
    pub const fn interest_told(&self) -> Qty {
        Qty::new(self.interest)
    }

    /// Forgets all evidence; what the inventory has met so far stays read.
    pub fn reset(&mut self) {
        let seen = self.seen;
        *self = Self {
            seen,
            ..Self::zeroed()
        };
    }

    /// θ per class, Q16, as last fitted; `None` before the first fit.
    #[must_use]
    pub fn theta(&self) -> Option<&[i64; CLASSES]> {
        (self.fitted_at != Nanos::ZERO).then_some(&self.theta)
    }

    /// How wide θ is, and what is expected by it.
    #[must_use]
    pub const fn width(&self) -> &Width {
        &self.width
    }

    /// Evidence per class, faded: liquidated and met, base quantity.
    #[must_use]
    pub const fn evidence(&self) -> (&[i64; CLASSES], &[i64; CLASSES]) {
        (&self.a, &self.b)
    }

    /// The weeks that are kept, in no order; number 0 = unused.
    #[must_use]
    pub const fn weeks(&self) -> &[Week; WEEKS] {
        &self.weeks
    }
}

/// A sum of quantities that never leaves what is admitted.
fn add(a: i64, b: i64) -> i64 {
    a.saturating_add(b).clamp(0, HEADROOM)
}

/// The unit of evidence, quantity: at least 16 steps, so that logarithms of it are fine.
fn unit(interest: Qty, params: &Params) -> i64 {
    mul_div(interest.get(), params.theta_unit_e6, 1_000_000).max(16)
}

/// `qty` times a Q16.
const fn mul_wide(qty: i64, factor_q16: i64) -> i128 {
    (qty as i128 * factor_q16 as i128) >> 16
}

/// exp(−½ (away / σ)²) in Q16; 0 from four deviations on.
fn bell(away: i64, sigma: i64) -> i64 {
    let z = mul_div(away.saturating_abs(), ONE, sigma);
    if z >= 4 * ONE {
        return 0;
    }
    // ½ log2 e = .721348.
    exp2neg((((z * z) >> 16) * 47_274) >> 16) >> 16
}

/// Minimises Σ w (l − y)² + λ Σ p (second difference of l)²; y and the answer Q32, w and λ Q16. p is the least of the
/// three weights it joins.
#[must_use]
fn smooth(y: &[i64; CLASSES], w: &[i64; CLASSES], lambda_q16: i64) -> [i64; CLASSES] {
    // Bands of W + λP: diagonal, first, second.
    let mut band = [[0i128; 3]; CLASSES];
    let mut right = [0i128; CLASSES];
    for k in 0..CLASSES {
        band[k][0] = i128::from(w[k].max(1)) << 16;
        right[k] = i128::from(w[k].max(1)) * i128::from(y[k]);
    }
    for k in 1..CLASSES - 1 {
        let least = w[k - 1].min(w[k]).min(w[k + 1]).max(1);
        let p = i128::from(least) * i128::from(lambda_q16);
        for (i, a) in [(0, 1), (1, -2), (2, 1)] {
            for (j, b) in [(0, 1), (1, -2), (2, 1)] {
                if j >= i {
                    band[k - 1 + i][j - i] += p * a * b;
                }
            }
        }
    }
    // L D Lᵀ, L unit lower triangular with two bands in Q32; w is Q32 here, positive definite.
    let mut down = [[0i128; 2]; CLASSES];
    for k in 0..CLASSES {
        let pivot = band[k][0].max(1);
        for i in 0..2 {
            down[k][i] = (band[k][i + 1] << 32) / pivot;
        }
        for i in 0..2 {
            for j in i..2 {
                if k + 1 + j < CLASSES {
                    let part = (band[k][j + 1] * down[k][i]) >> 32;
                    band[k + 1 + i][j - i] -= part;
                }
            }
            if k + 1 + i < CLASSES {
                right[k + 1 + i] -= (right[k] * down[k][i]) >> 32;
            }
        }
        // Q48 over Q32 makes Q16: the rest of the Q32 answer comes in here.
        right[k] = (right[k] << 16) / pivot;
    }
    for k in (0..CLASSES).rev() {
        for i in 0..2 {
            if k + 1 + i < CLASSES {
                right[k] -= (right[k + 1 + i] * down[k][i]) >> 32;
            }
        }
    }
    right.map(narrow)
}

#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    reason = "the dense solve it is compared with is in reals"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_banded_solve_is_the_dense_one(
            y in proptest::array::uniform15(-(6i64 << 32)..6 << 32),
            w in proptest::array::uniform15(ONE..ONE << 14),
            lambda in ONE / 10..ONE * 10,
        ) {
            let got = smooth(&y, &w, lambda);
            let real = |q: i64| q as f64 / ONE as f64;
            let mut m = [[0.0f64; CLASSES + 1]; CLASSES];
            for k in 0..CLASSES {
                m[k][k] += real(w[k]);
                m[k][CLASSES] = real(w[k]) * y[k] as f64 / ONE32 as f64;
            }
            for k in 1..CLASSES - 1 {
                let p = real(lambda) * real(w[k - 1].min(w[k]).min(w[k + 1]));
                let d = [(k - 1, 1.0), (k, -2.0), (k + 1, 1.0)];
                for (i, a) in d {
                    for (j, b) in d {
                        m[i][j] += p * a * b;
                    }
                }
            }
            for k in 0..CLASSES {
                let pivot = m[k];
                for (i, row) in m.iter_mut().enumerate() {
                    if i != k {
                        let f = row[k] / pivot[k];
                        row.iter_mut().zip(pivot).for_each(|(x, p)| *x -= f * p);
                    }
                }
            }
            for k in 0..CLASSES {
                let want = m[k][CLASSES] / m[k][k];
                let got = got[k] as f64 / ONE32 as f64;
                prop_assert!((got - want).abs() < 1e-6, "{} {} {}", k, got, want);
            }
        }
    }

    #[test]
    fn the_bell_is_the_bell() {
        for (z, want) in [
            (0.0, 1.0),
            (0.5, 0.882_497),
            (1.0, 0.606_531),
            (2.0, 0.135_335),
            (4.0, 0.0),
        ] {
            let got = bell((z * BUCKET as f64) as i64, BUCKET) as f64 / ONE as f64;
            assert!((got - want).abs() < 2e-4, "{z} {got}");
            assert_eq!(
                bell(-(z * BUCKET as f64) as i64, BUCKET) as f64 / ONE as f64,
                got
            );
        }
        assert_eq!(bell(i64::MIN, 1), 0);
    }

    #[test]
    fn harmonic_sums_are_sums() {
        assert_eq!((HARMONIC[1], HARMONIC[2]), (ONE, ONE * 3 / 2));
        assert!((HARMONIC[COUNTED] as f64 / ONE as f64 - 6.124_345).abs() < 0.004);
    }
}
