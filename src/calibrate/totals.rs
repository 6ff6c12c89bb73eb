//! Totals per period: evidence where a venue tells what was liquidated, but not each one. Quantities 1e-6 lots.
//!
//! A period that was not watched whole is left out and counted.

use super::{Calibration, add, unit};
use crate::event::Total;
use crate::inventory::Inventory;
use crate::inventory::params::{CLASSES, Params};
use crate::market::Holder;
use crate::num::fixed::mul_div;
use crate::num::{HEADROOM, Px, Qty, Round, narrow};
use crate::time::Nanos;

impl Calibration {
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
        let square = mul_div(off, off, unit);
        self.lumps[0] = add(self.lumps[0], square);
        self.lumps[3] = add(self.lumps[3], square);
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
}
