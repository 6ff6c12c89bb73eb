//! Pit: one contract's market, one beat of 100 ms at a time.
//!
//! In a beat, in this order: the price elsewhere moves and arbitrage pulls; makers quote; the mark
//! is taken; whoever the mark has crossed is doomed and doomed positions are sold (bought) into the
//! book clip by clip; plans and times that are reached close positions; newcomers open; makers
//! trade among themselves. Every taker leaves a part of his way in the price, so forced orders move
//! the mark that forces the next.
//!
//! Mark = index x exp(premium), the premium being our distance to the index smoothed over seconds.
//! Beside the premium the part of it that forced orders of the last minutes made is carried along
//! (the dynamics are linear in the logarithm), so a liquidation that would not have happened
//! without them is counted as induced.
//!
//! Every trade has two owners; the other side of a person's trade is a makers' account, netted. So
//! the longs' sum and the shorts' sum are one number, open interest, at all times. Funding is paid
//! from wallets, never from margin.
#![expect(
    clippy::float_arithmetic,
    reason = "the generator of the simulated market works in floats"
)]

use super::book::{Book, Fill, Level};
use super::crowd::{Crowd, KEYS, Why, Wish};
use super::history::{History, Sample, Settled};
use super::margin;
use super::params::{self, Params};
use super::rng::{Rng, mix};
use super::weather::{BEAT_SECONDS, BEATS_PER_DAY};
use crate::market::{Holder, Side};
use std::collections::VecDeque;

/// Whether a contract trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// As usual.
    #[default]
    Trading,
    /// Nothing trades; book, prices and open interest stand still.
    Halted,
    /// Gone from the list, book empty.
    Delisted,
    /// Not listed yet.
    Unlisted,
}

/// New terms of a contract, taken on when its book has been told empty.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// Units in one tick.
    Tick(i64),
    /// Base in one contract, as a power of ten.
    Value(i32),
}

/// One fill as the tape of the exchange shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Print {
    pub(crate) ms: i64,
    pub(crate) units: i64,
    pub(crate) lots: u32,
    pub(crate) taker: Side,
    pub(crate) seq: u64,
    /// 0 plus, 1 zero-plus, 2 minus, 3 zero-minus.
    pub(crate) direction: u8,
    /// Buyer and seller: the place of a person's position, or [`MAKERS`] plus the place of a makers' account.
    pub(crate) owners: [u32; 2],
}

/// Makers' accounts are numbered from here; below are people.
pub(crate) const MAKERS: u32 = 1 << 31;

/// One clip of a forced order, as the liquidation stream shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    pub(crate) ms: i64,
    pub(crate) holder: Holder,
    pub(crate) lots: i64,
    /// Bankruptcy price, units, on the tick.
    pub(crate) units: i64,
    /// Mean price of its fills, units; the bankruptcy price when it found nobody.
    pub(crate) filled: i64,
    /// Lots of its last fill; all of them when it found nobody.
    pub(crate) last_lots: i64,
}

/// A position that the mark has crossed: what no exchange tells in this form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forced {
    /// Exchange time, milliseconds.
    pub ms: i64,
    /// Whose.
    pub holder: Holder,
    /// The mark at which it had to be, quote units.
    pub price: f64,
    /// Base.
    pub size: f64,
}

/// Forced positions remembered; the oldest go first.
const REMEMBERED: usize = 65_536;

/// What has happened in one contract since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Fills printed.
    pub trades: u64,
    /// Positions opened by people.
    pub opened: u64,
    /// Positions closed by their owners.
    pub closed: u64,
    /// Positions forced out, by holder (long, short).
    pub forced: [u64; 2],
    /// Of these, the ones that needed the push of earlier forced orders.
    pub induced: u64,
    /// Clips printed by the liquidation stream.
    pub clips: u64,
    /// Lots the fund took because the book had nothing left before bankruptcy.
    pub fund_lots: u64,
    /// Positions alive.
    pub positions: u64,
}

/// The market of one contract.
#[derive(Debug, Clone)]
pub(crate) struct Pit {
    pub(crate) contract: params::Contract,
    pub(crate) status: Status,
    pub(crate) change: Option<Change>,
    /// Listing or terms have changed and nobody has been told.
    pub(crate) news: bool,
    depth: params::Depth,
    people: params::Crowd,
    engine: params::Engine,
    rng: Rng,
    pub(crate) crowd: Crowd,
    pub(crate) book: Book,
    /// Makers' netted accounts, lots; the last one is the fund.
    accounts: Vec<i64>,
    account_lots: [i64; 2],
    log_index: f64,
    tide: Option<Tide>,
    basis: f64,
    premium: f64,
    pushed_basis: f64,
    pushed_index: f64,
    pushed_premium: f64,
    slow: f64,
    funding_premium: f64,
    /// 1e-8.
    pub(crate) funding: i64,
    pub(crate) funding_ms: i64,
    pub(crate) mark_units: i64,
    pub(crate) index_units: i64,
    pub(crate) last_units: i64,
    anchor: f64,
    /// As in [`Print`], of the last one.
    pub(crate) direction: u8,
    doomed: VecDeque<u32>,
    pub(crate) forced: VecDeque<Forced>,
    fills: Vec<Fill>,
    pub(crate) prints: Vec<Print>,
    pub(crate) deaths: Vec<Death>,
    pub(crate) seq: u64,
    pub(crate) history: History,
    pub(crate) stats: Stats,
    beat: u64,
    ms: i64,
    /// Base per lot, quote per unit.
    lot: f64,
    unit: f64,
    rough: f64,
}

/// A price that several worlds share: what an asset is worth elsewhere, whatever happens here.
#[derive(Debug, Clone)]
struct Tide {
    rng: Rng,
    log: f64,
}

/// How fast arbitrage brings an index that went its own way back to the tide, seconds.
const ARBITRAGE_SECONDS: f64 = 60.0;

/// How fast the memory of forced pushes into the index fades, seconds.
const PUSH_SECONDS: f64 = 600.0;

impl Pit {
    pub(crate) fn new(params: &Params, slot: usize, seed: u64) -> Option<Self> {
        let contract = params.contracts.get(slot)?.clone();
        let mut rng = Rng::new(seed ^ params.dialect.salt(), slot as u64 + 1);
        // The same for an asset in every world of this seed.
        let tide = params.in_common.then(|| Tide {
            rng: Rng::new(
                seed,
                contract.asset.bytes().fold(0, |h, b| mix(h ^ u64::from(b))),
            ),
            log: contract.price.ln(),
        });
        let book = Book::new(&params.depth, contract.cell_ticks, &mut rng);
        let unit = 0.1f64.powi(contract.price_scale as i32);
        let units = (contract.price / unit).round() as i64;
        let ms = params.start.get() / 1_000_000;
        let mut pit = Self {
            crowd: Crowd::new(&contract, &params.crowd),
            book,
            depth: params.depth.clone(),
            people: params.crowd.clone(),
            engine: params.engine.clone(),
            accounts: vec![0; params.depth.makers.max(2) + 1],
            account_lots: [0; 2],
            log_index: contract.price.ln(),
            tide,
            basis: 0.0,
            premium: 0.0,
            pushed_basis: 0.0,
            pushed_index: 0.0,
            pushed_premium: 0.0,
            slow: contract.price.ln(),
            funding_premium: 0.0,
            funding: (params.engine.funding_interest * 1e8).round() as i64,
            funding_ms: next_funding(ms, params.engine.funding_hours),
            mark_units: units,
            index_units: units,
            last_units: units,
            anchor: contract.price,
            direction: 1,
            doomed: VecDeque::new(),
            forced: VecDeque::new(),
            fills: Vec::with_capacity(512),
            prints: Vec::with_capacity(512),
            deaths: Vec::new(),
            seq: 100_000_000 + rng.below(1_000_000_000),
            history: History::new(ms, units),
            stats: Stats::default(),
            beat: 0,
            ms,
            lot: 0.1f64.powi(contract.lot_scale as i32 - contract.value_scale),
            unit,
            rough: 1.0,
            status: if contract.listed {
                Status::Trading
            } else {
                Status::Unlisted
            },
            change: None,
            news: false,
            contract,
            rng,
        };
        pit.remember_funding();
        pit.populate(&params.weather);
        pit.set_depth();
        let anchor = pit.anchor / pit.tick();
        pit.book.quote(anchor, 1.0, &mut pit.rng);
        Some(pit)
    }

    /// Lots held by longs and by shorts: the same number, always.
    pub(crate) fn interest(&self) -> [i64; 2] {
        [0, 1].map(|h| self.crowd.lots[h] + self.account_lots[h])
    }

    /// Lots the makers' and the fund's accounts hold, by holder.
    pub(crate) const fn account_lots(&self) -> [i64; 2] {
        self.account_lots
    }

    fn tick(&self) -> f64 {
        self.unit * self.contract.tick_units as f64
    }

    /// What was paid in the weeks before the start: the interest part alone.
    fn remember_funding(&mut self) {
        let span = self.engine.funding_hours * 3_600_000;
        for back in (1..=100).rev() {
            self.history.settle(Settled {
                ms: self.funding_ms - back * span,
                rate: (self.engine.funding_interest * 1e8).round() as i64,
                mark: self.mark_units,
            });
        }
    }

    /// The first population: who came in the past two days, at the prices of a walk that ends at
    /// the start, and is still there.
    fn populate(&mut self, weather: &params::Weather) {
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

    fn set_depth(&mut self) {
        let usd = self.contract.level_usd * self.rough.powf(-self.depth.thinning);
        self.book.set_depth(usd / self.anchor / self.lot);
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

    fn maker(&mut self) -> usize {
        self.rng.below(self.accounts.len() as u64 - 1) as usize
    }

    /// Adds lots (signed) to a makers' account.
    fn give(&mut self, account: usize, lots: i64) {
        if let Some(own) = self.accounts.get_mut(account) {
            self.account_lots[0] -= (*own).max(0);
            self.account_lots[1] -= (-*own).max(0);
            *own += lots;
            self.account_lots[0] += (*own).max(0);
            self.account_lots[1] += (-*own).max(0);
        }
    }

    /// One beat: `gust` is the common factor's log return, `rough` its volatility as a multiple of
    /// calm.
    pub(crate) fn step(&mut self, beat: u64, ms: i64, gust: f64, rough: f64) {
        self.beat = beat;
        self.ms = ms;
        self.rough = rough;
        let swing = self.swing(gust);
        if self.status != Status::Trading || self.change.is_some() {
            return;
        }
        self.move_price(swing);
        if beat.is_multiple_of(10) {
            self.slow_step();
        }
        let anchor = self.anchor / self.tick();
        self.book.quote(anchor, rough, &mut self.rng);
        self.force();
        self.follow_plans();
        let p = &self.people;
        let activity = rough.powf(p.activity[0]).clamp(0.3, p.activity[1]);
        for _ in 0..self.rng.count(p.open_rate * BEAT_SECONDS * activity) {
            self.open();
        }
        let noise = self.depth.noise_rate * BEAT_SECONDS * activity;
        for _ in 0..self.rng.count(noise) {
            self.noise();
        }
    }

    /// What the price elsewhere does in this beat; a shared one goes on while we stand still.
    fn swing(&mut self, gust: f64) -> f64 {
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

    fn move_price(&mut self, swing: f64) {
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
    fn slow_step(&mut self) {
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

    /// A taker's order into the book: prints, statistics, and what it leaves in the price.
    fn take(&mut self, taker: Side, lots: i64, limit: Option<i64>, forced: bool) -> (i64, f64) {
        let lots = u32::try_from(lots).unwrap_or(u32::MAX);
        self.fills.clear();
        self.book.take(taker, lots, limit, &mut self.fills);
        self.seq += 1;
        let (mut done, mut sum) = (0i64, 0i64);
        for fill in &self.fills {
            let units = fill.tick * self.contract.tick_units;
            self.direction = match (units.cmp(&self.last_units), self.direction) {
                (std::cmp::Ordering::Greater, _) => 0,
                (std::cmp::Ordering::Less, _) => 2,
                (std::cmp::Ordering::Equal, before) => before | 1,
            };
            self.last_units = units;
            done += i64::from(fill.lots);
            sum += units * i64::from(fill.lots);
            let bought = taker == Side::Buy;
            self.history.trade(units, i64::from(fill.lots), bought);
            self.prints.push(Print {
                ms: self.ms,
                units,
                lots: fill.lots,
                taker,
                seq: self.seq,
                direction: self.direction,
                owners: [MAKERS; 2],
            });
        }
        self.stats.trades += self.fills.len() as u64;
        if done == 0 {
            return (0, 0.0);
        }
        let price = sum as f64 / done as f64 * self.unit;
        let usd = done as f64 * self.lot * price;
        let step = self.contract.cell_ticks as f64 * self.tick() / price;
        let thin = self.rough.powf(-self.depth.thinning);
        let way = usd * step / (self.contract.level_usd * thin) * self.depth.impact;
        let push = if taker == Side::Buy { way } else { -way };
        self.basis += push;
        if forced {
            self.pushed_basis += push;
        }
        (done, price)
    }

    /// Says whose the prints from the `from`th on are: `holder`'s side was `one`'s, the other's `other`.
    fn sign_off(&mut self, from: usize, holder: Holder, one: u32, other: u32) {
        let owners = match holder {
            Holder::Long => [one, other],
            Holder::Short => [other, one],
        };
        for print in self.prints.iter_mut().skip(from) {
            print.owners = owners;
        }
    }

    /// What an owner of [`Print::owners`] that is a makers' account holds, lots, shorts negative.
    pub(crate) fn maker_lots(&self, owner: u32) -> Option<i64> {
        let place = usize::try_from(owner.checked_sub(MAKERS)?).ok()?;
        self.accounts.get(place).copied()
    }

    /// Doomed positions: everyone the mark has crossed, sold or bought clip by clip.
    fn force(&mut self) {
        let mark = self.mark_units * KEYS as i64;
        let calm = (-(self.pushed_index + self.pushed_premium)).exp() * mark as f64;
        while let Some(id) = self.crowd.next_forced(mark) {
            if let Some(position) = self.crowd.get(id) {
                let holder = position.holder;
                let key = position.forced_at.unwrap_or(mark) as f64;
                let alone = margin::way(holder) * (key - calm) >= 0.0;
                self.stats.forced[holder as usize] += 1;
                self.stats.induced += u64::from(!alone);
                if self.forced.len() >= REMEMBERED {
                    self.forced.pop_front();
                }
                self.forced.push_back(Forced {
                    ms: self.ms,
                    holder,
                    price: key / KEYS * self.unit,
                    size: position.lots as f64 * self.lot,
                });
            }
            self.crowd.doom(id);
            self.doomed.push_back(id);
        }
        let clip = (self.engine.clip_usd / self.anchor / self.lot) as i64;
        for _ in 0..self.doomed.len() {
            let Some(id) = self.doomed.pop_front() else {
                return;
            };
            if self.force_clip(id, clip.max(1)) {
                self.doomed.push_back(id);
            }
        }
    }

    /// One clip; true when more is left.
    fn force_clip(&mut self, id: u32, clip: i64) -> bool {
        let Some(position) = self.crowd.get(id) else {
            return false;
        };
        let (holder, lots) = (position.holder, position.lots.min(clip));
        let rest = position.lots - lots;
        let tick = (self.crowd.bankruptcy(position) / self.tick()).round() as i64;
        let from = self.prints.len();
        let (done, price) = self.take(closing(holder), lots, Some(tick), true);
        let maker = self.maker();
        self.sign_off(from, turned(holder), id, maker_number(maker));
        let fund = self.accounts.len() - 1;
        self.give(maker, done * sign(holder));
        self.give(fund, (lots - done) * sign(holder));
        self.stats.fund_lots += (lots - done).unsigned_abs();
        self.stats.clips += 1;
        self.crowd.reduce(id, lots);
        self.deaths.push(Death {
            ms: self.ms,
            holder,
            lots,
            units: tick.max(1) * self.contract.tick_units,
            filled: if done > 0 {
                (price / self.unit).round() as i64
            } else {
                tick.max(1) * self.contract.tick_units
            },
            last_lots: self.fills.last().map_or(lots, |fill| i64::from(fill.lots)),
        });
        rest > 0
    }

    /// Stops, targets, second thoughts, and those whose time is over.
    fn follow_plans(&mut self) {
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

    fn open(&mut self) {
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

    /// Makers among themselves: often the longest account meets the shortest.
    fn noise(&mut self) {
        let [median, spread] = self.depth.noise_usd;
        let value = median * (spread * self.rng.normal()).exp();
        let mut lots = ((value / self.anchor / self.lot) as i64).max(1);
        let (mut buyer, mut seller) = (self.maker(), self.maker());
        if self.rng.chance(self.depth.netting) {
            for (i, own) in self.accounts.iter().enumerate() {
                if *own < self.accounts[buyer] {
                    buyer = i;
                }
                if *own > self.accounts[seller] {
                    seller = i;
                }
            }
            let most = self.accounts[seller].min(-self.accounts[buyer]);
            if most > 0 {
                lots = (lots * 4).min(most);
            }
        }
        let taker = Side::from_u8(self.rng.below(2) as u8);
        let from = self.prints.len();
        let (done, _) = self.take(taker, lots, None, false);
        let [one, other] = [buyer, seller].map(maker_number);
        self.sign_off(from, Holder::Long, one, other);
        self.give(buyer, done);
        self.give(seller, -done);
    }

    /// Positions alive that are not hedges: liquidation price and size in base; and the rest by
    /// holder.
    pub(crate) fn holdings(&self) -> ([Vec<(f64, f64)>; 2], [f64; 2]) {
        let mut at = [Vec::new(), Vec::new()];
        let mut inert = self.account_lots.map(|lots| lots as f64 * self.lot);
        for position in self.crowd.iter() {
            let size = position.lots as f64 * self.lot;
            let h = position.holder as usize;
            match self.crowd.forced_price(position) {
                Some(price) => at[h].push((price, size)),
                None => inert[h] += size,
            }
        }
        (at, inert)
    }

    /// Entry prices of the positions that [`Pit::holdings`] lists, in its order.
    pub(crate) fn entries(&self) -> [Vec<f64>; 2] {
        let mut entries = [Vec::new(), Vec::new()];
        for position in self.crowd.iter().filter(|p| p.forced_at.is_some()) {
            entries[position.holder as usize].push(position.entry);
        }
        entries
    }

    /// The levels the public may see, best first, into `out` (cleared).
    pub(crate) fn shown(&self, side: Side, out: &mut Vec<Level>) {
        match self.status {
            Status::Trading | Status::Halted if self.change.is_none() => self.book.shown(side, out),
            _ => out.clear(),
        }
    }

    /// The best level of a side, where the book is open and has one.
    pub(crate) fn best(&self, side: Side) -> Option<Level> {
        let open = self.is_listed() && self.change.is_none();
        open.then(|| self.book.best(side))
            .filter(|level| level.lots > 0)
    }

    /// Whole contracts that were worth `usd` at the start: the bound of a flat margin row.
    pub(crate) fn contracts(&self, usd: i64) -> i64 {
        let one = 10f64.powi(self.contract.value_scale) * self.contract.price;
        (usd as f64 / one) as i64
    }

    /// True when the venue knows the contract now.
    pub(crate) const fn is_listed(&self) -> bool {
        matches!(self.status, Status::Trading | Status::Halted)
    }

    /// Takes on new terms; what is held stays what it is.
    pub(crate) fn apply_change(&mut self) {
        match self.change.take() {
            Some(Change::Tick(units)) => {
                let cell = self.contract.cell_ticks * self.contract.tick_units;
                self.contract.tick_units = units;
                self.contract.cell_ticks = (cell / units).max(1);
                self.book = Book::new(&self.depth, self.contract.cell_ticks, &mut self.rng);
                self.set_depth();
                let anchor = self.anchor / self.tick();
                self.book.quote(anchor, self.rough, &mut self.rng);
            }
            Some(Change::Value(scale)) => {
                let by = scale - self.contract.value_scale;
                self.contract.value_scale = scale;
                self.contract.lot_scale = self.contract.lot_scale.saturating_add_signed(by);
            }
            None => return,
        }
        self.news = true;
    }

    /// Base in one lot, quote in one unit.
    pub(crate) const fn scales(&self) -> (f64, f64) {
        (self.lot, self.unit)
    }
}

const fn sign(holder: Holder) -> i64 {
    match holder {
        Holder::Long => 1,
        Holder::Short => -1,
    }
}

const fn turned(holder: Holder) -> Holder {
    match holder {
        Holder::Long => Holder::Short,
        Holder::Short => Holder::Long,
    }
}

const fn maker_number(place: usize) -> u32 {
    MAKERS | place as u32
}

const fn closing(holder: Holder) -> Side {
    match holder {
        Holder::Long => Side::Sell,
        Holder::Short => Side::Buy,
    }
}

const fn other(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

/// The next funding stamp strictly after `ms`.
const fn next_funding(ms: i64, hours: i64) -> i64 {
    let span = hours * 3_600_000;
    (ms / span + 1) * span
}

#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    reason = "tests drive the market with floats"
)]
mod tests;
