//! People: who is there at the start, who comes, and how those leave whom nobody forces.
//!
//! Stops, targets, second thoughts before a liquidation, and time close positions; newcomers lean with the price,
//! against the crowd and against the premium. Who cannot close whole tries again half a second later.

use super::super::crowd::{KEYS, Why, Wish};
use super::super::params;
use super::super::weather::BEAT_SECONDS;
use super::Pit;
use super::trade::{closing, maker_number, other, sign, turned};

impl Pit {
    /// The first population: who came in the past two days, at the prices of a walk that ends at
    /// the start, and is still there.
    pub(super) fn populate(&mut self, weather: &params::Weather) {
        let minutes = (self.people.past_seconds / 60.0) as usize;
        let vol = (weather.vol * self.contract.beta).hypot(self.contract.own_vol) * 1.2;
        let sigma = vol / 1_440f64.sqrt();
        // path[i] is the price i minutes ago; low and high are the extremes since.
        let mut path = Vec::with_capacity(minutes + 1);
        let (mut price, mut low, mut high) = (self.contract.price, f64::MAX, 0.0f64);
        for _ in 0..=minutes {
            low = low.min(price);
            high = high.max(price);
            path.push((price, low, high));
            price *= (sigma * self.rng.normal()).exp();
        }
        let comers = (self.people.open_rate * self.people.past_seconds) as u64;
        for _ in 0..comers {
            let long = self.leaning();
            let wish = self.wish(long);
            let age = self.rng.unit() * self.people.past_seconds;
            let Some(&(entry, low, high)) = path.get((age / 60.0) as usize) else {
                continue;
            };
            if wish.hold <= age {
                continue;
            }
            let lots = ((wish.value / entry / self.lot) as i64).max(1);
            let due = ((wish.hold - age) / BEAT_SECONDS) as u64;
            let position = self.crowd.position(&self.people, &wish, lots, entry, due);
            let met = position.forced_at.is_some_and(|key| {
                let forced = key as f64 / KEYS * self.unit;
                low * 0.999 <= forced && forced <= high * 1.001
            });
            if !met {
                let maker = self.maker();
                self.give(maker, -lots * sign(wish.holder));
                self.crowd.admit(position);
            }
        }
        // Plans that the past has already met fire in the first beats; that is a few, and it is
        // life.
    }

    /// Probability that a newcomer goes long.
    fn leaning(&self) -> f64 {
        let p = &self.people;
        let [long, short] = self.crowd.lots;
        let weight = (long - short) as f64 / (long + short).max(1) as f64;
        let chase = ((self.log_index + self.basis - self.slow) / 0.01).tanh();
        let carry = (self.premium / 0.000_5).tanh();
        (0.5 + p.chase * chase - p.balance * weight - p.carry * carry).clamp(0.1, 0.9)
    }

    fn wish(&mut self, long: f64) -> Wish {
        let median = self.contract.position_usd;
        self.crowd.wish(&self.people, median, long, &mut self.rng)
    }

    /// Stops, targets, second thoughts, and those whose time is over.
    pub(super) fn follow_plans(&mut self) {
        let price = (self.anchor / self.unit * KEYS) as i64;
        while let Some((id, why)) = self.crowd.next_plan(price) {
            match why {
                Why::Stop | Why::Take => self.close(id, why == Why::Take),
                Why::Warn | Why::Liquidation => self.second_thoughts(id),
            }
        }
        while let Some(id) = self.crowd.next_exit(self.beat) {
            self.close(id, true);
        }
    }

    fn second_thoughts(&mut self, id: u32) {
        let draw = self.rng.unit();
        if draw < self.people.top_up_share {
            let share = self.rng.between(self.people.top_up_range);
            self.crowd.top_up(id, share);
        } else if draw < self.people.top_up_share + self.people.halve_share {
            let half = self.crowd.get(id).map_or(0, |p| p.lots / 2);
            if half > 0 {
                self.close_lots(id, half, false);
                self.crowd.rearm(id, |_| ());
            }
        }
    }

    fn close(&mut self, id: u32, patient: bool) {
        let Some(lots) = self.crowd.get(id).map(|p| p.lots) else {
            return;
        };
        if self.close_lots(id, lots, patient) < lots {
            self.crowd.postpone(id, self.beat + 5);
        } else {
            self.stats.closed += 1;
        }
    }

    /// The owner closes; patient ones may be met by a maker instead of taking.
    fn close_lots(&mut self, id: u32, lots: i64, patient: bool) -> i64 {
        let Some(holder) = self.crowd.get(id).map(|p| p.holder) else {
            return 0;
        };
        let mut taker = closing(holder);
        if patient && self.rng.chance(self.people.passive_share) {
            taker = other(taker);
        }
        let from = self.prints.len();
        let (done, _) = self.take(taker, lots, None, false);
        let maker = self.maker();
        self.sign_off(from, turned(holder), id, maker_number(maker));
        self.give(maker, done * sign(holder));
        self.crowd.reduce(id, done);
        done
    }

    pub(super) fn open(&mut self) {
        let long = self.leaning();
        let wish = self.wish(long);
        let mut taker = other(closing(wish.holder));
        if self.rng.chance(self.people.passive_share) {
            taker = other(taker);
        }
        let lots = ((wish.value / self.anchor / self.lot) as i64).max(1);
        let from = self.prints.len();
        let (done, entry) = self.take(taker, lots, None, false);
        if done == 0 {
            return;
        }
        let maker = self.maker();
        self.give(maker, -done * sign(wish.holder));
        let due = self.beat + (wish.hold / BEAT_SECONDS) as u64 + 1;
        let position = self.crowd.position(&self.people, &wish, done, entry, due);
        let id = self.crowd.admit(position);
        self.sign_off(from, wish.holder, id, maker_number(maker));
        self.stats.opened += 1;
    }
}
