//! Calibration: θ, the share of swept mass that is really liquidated, fitted on what a venue prints (heatmap.md 2.8).
//!
//! One per inventory. For each class of the ladder it keeps, decayed alike with a half-life, what was liquidated (A)
//! and what the mark met (B), both as base quantity:
//!
//! ```text
//!   print -> where its position must have died -> shares r_k ~ θ_k m_k N(place; x, σ) of the buckets swept in the
//!            last W and of what still stands there, against a background ε: a print where the map is empty is a miss
//!   A_k += w q r_k      B_k += mass met, before removal      θ: the likeliest of A / s deaths where B / s were met
//! ```
//! s is the *lump*, variance over mean of clusters of prints (< 30 s apart, one holder), here at most u, the unit of
//! evidence (a share of open interest): deaths as they come. They come as by chance (Poisson), ln θ runs nearly
//! straight along the ladder and somewhere about the prior: `fit` maximises Σ (A_k / s) l_k − (B_k / s) exp(l_k) less
//! what departs from that. A class that was met often is bent by nobody; one that no mark has reached lies where the
//! line of the others leads, not at their level.
//!
//! Exposure is evidence while prints are *heard*: one has come since the last loss, and no more than five lumps have
//! failed to come since. Otherwise it waits for the next print, a day at most: a venue that prints nothing, or whose
//! stream is dead, keeps what is known instead of learning that nobody ever dies.
//!
//! Width ([`Width`]): θ_k has that of a Gamma of the prior's shape and A_k / lump: what comes in lumps says less.
//! Beside it: the lump, and the scatter of whole hours beyond both. A lump and an hour are measured around what was
//! expected, or around nothing where they scatter less around that: while θ was still far too high, what was expected
//! says nothing of lumps. Where only totals per period are known, [`Calibration::period`] does the same fit on exposure
//! and total.
//!
//! A venue that hides prints (the largest per second) is weighted by how many were expected in that second; what that
//! adds beyond the printed quantity is held until the next open interest and never exceeds its fall.
//!
//! `print` takes one print, `totals` what is told per period, `fit` makes θ of the evidence, `width` says how it
//! scatters; here stand the state, what waits, and what fades.
//!
//! Integers only; quantities 1e-6 lots, θ and shares Q16, logarithms Q32 in the fit. All zeros is "not begun". No
//! clock, no allocation; a print reads at most the 128 swept buckets and 65 standing ones.

mod fit;
mod print;
mod totals;
mod width;

pub use print::{Locates, OBSERVATIONS, Observation, Shown, died_at, liquidation_of, observation};

use crate::inventory::params::{self, CLASSES, Params};
use crate::inventory::{Inventory, Width};
use crate::market::Holder;
use crate::num::fixed::{ONE, exp2neg, mul_div, mul32};
use crate::num::{HEADROOM, Qty, narrow};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};
use width::{Cluster, Hour};

/// Numbers of [`Calibration::words`].
pub const WORDS: usize = 6 + 2 * CLASSES + 4 + 2 + 4;
/// Their form: a version, and the ladder they are of.
const FORM: i64 = {
    let (mut form, mut k) = (3, 0);
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
/// Exposure is read, and θ fitted after new evidence, at most this often.
const OFTEN: Nanos = Nanos::SECOND;
/// So many expected clusters may fail to come before a silence is doubted: one in 148 does by chance.
const SILENCE: i64 = 5;
/// θ is fitted this often when there is none, for what fades.
const SELDOM: Nanos = Nanos::MINUTE;
/// Steps in which evidence fades, per half-life: exact values of the table.
const FADES: i64 = 256;

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

/// Evidence on θ of one venue's contract, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Calibration {
    /// Liquidated per class.
    a: [i64; CLASSES],
    /// Met per class.
    b: [i64; CLASSES],
    /// Clusters: Σ (size − expected)² / u and Σ size, together their variance over their mean; the seconds in which
    /// there were prints of a holder (Q16; none of totals); and Σ size² / u, which says the same of clusters that come
    /// as by chance, whatever was expected.
    lumps: [i64; 4],
    clusters: [Cluster; 2],
    /// Evidence faded up to here; zero = none yet.
    faded: Nanos,
    /// The inventory's exposure as it was read.
    seen: [[i64; CLASSES]; 2],
    /// Exposure that no print has confirmed, since when, and what it predicts per holder.
    waiting: [[i64; CLASSES]; 2],
    waits: Nanos,
    expects: [i64; 2],
    /// 1 once a print was heard and nothing was lost since; expected of both holders since the last.
    heard: u64,
    silent: i64,
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
    /// Of whole hours: Σ (realised − expected)² / u, Σ expected, Σ expected² / u, Σ realised² / u. It and the lumps
    /// fade eight times faster, so that what θ had still to learn is forgotten.
    hours: [i64; 4],
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
    /// Prints of venues that are not read or whose history is still being laid, and totals of periods that were not
    /// watched whole.
    pub unread: u64,
    /// Quantity taken, and of it what was given to the background.
    pub taken: i64,
    /// Quantity that the map missed.
    pub missed: i64,
}

impl Calibration {
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
        (self.waiting, self.expects, self.heard) = ([[0; CLASSES]; 2], [0; 2], 0);
    }

    /// Reads what the mark has met since the last reading. It is evidence at once where prints are heard and have not
    /// been silent for longer than is likely; otherwise it waits for a print.
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
            if exposure == self.seen[d] {
                continue;
            }
            let mut expects = 0i128;
            for k in 0..CLASSES {
                // Below zero the inventory was begun anew: nothing is known of the difference.
                let met = exposure[k].wrapping_sub(self.seen[d][k]).max(0);
                self.waiting[d][k] = add(self.waiting[d][k], met);
                expects += i128::from(met) * i128::from(theta[k]);
            }
            let expects = narrow(expects >> 16);
            self.expects[d] = add(self.expects[d], expects);
            self.silent = add(self.silent, expects);
            self.seen[d] = exposure;
        }
        self.fade(now, params);
        if self.heard != 0 && self.silent <= self.width.lump.saturating_mul(SILENCE) {
            self.confirm(now, unit(inventory.interest_now(), params), params);
        }
    }

    /// What waited was exposed under the eyes of prints.
    fn confirm(&mut self, now: Nanos, unit: i64, params: &Params) {
        let number = now.get().max(0) / Nanos::HOUR.get();
        if self.hour.number != number {
            self.close_hour(unit, params);
            self.hour.number = number;
        }
        for (hour, row) in self.hour.met.iter_mut().zip(&self.waiting) {
            if row.iter().all(|waits| *waits == 0) {
                continue;
            }
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
