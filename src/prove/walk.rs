//! Walk: the product's own map over history, and what it held where the price went.
//!
//! Every venue has its own [`Inventory`], driven in the order that the shard drives it: the mark first, then the trade
//! at it, a flush at the latest every second of the walk, open interest at its stamp. A bar is walked as the shard does
//! ([`crate::inventory::candle`]). Between two samples of open interest that lie further apart than bars do, interest
//! is laid on a line, unless a map is frozen in between: that one has seen nothing of the line's end, so the first
//! sample stands there.
//!
//! For each period and holder two masses per class, in dollars at the price of the begin, before θ:
//! - *frozen*: a copy of the map as at the begin is led to the period's extremes. Nothing of the period but where the
//!   price went is in it.
//! - *updated*: what the walked map met, positions opened within the period included. A nowcast.
//!
//! Where prints are told, the venue's own calibration can be walked beside the map ([`Learnt`]), with ticks on a grid
//! as the shard has them: at 10 ms inventory and calibration are the shard's, byte for byte, losses included, if
//! nothing of the tape was merged. [`windows`] shows such maps frozen, bucket by bucket.

use super::input::{Candle, Input, Period, Source};
use crate::calibrate::{self, Calibration};
use crate::inventory::params::Choice;
use crate::inventory::{CLASSES, Inventory, Params, liquidation};
use crate::market::{Holder, VenueId};
use crate::num::log::{BUCKET, ln_px, px_of_ln};
use crate::num::{Px, Qty};
use crate::time::Nanos;
use std::collections::VecDeque;

/// Half width of the kernel that a frozen map is read with, 15 bp: that far the extremes of a period lie apart between
/// venues and pairs, whose liquidations are summed in one total; a hard edge at one venue's extreme misses them.
const KERNEL: i64 = BUCKET / 2 * 15;
/// Steps of the kernel on either side; it is a triangle.
const KERNEL_STEPS: i64 = 4;
/// How old yesterday's map is.
const YESTERDAY: Nanos = Nanos::DAY;
/// Yesterday's maps are kept this far apart.
const KEPT_EVERY: Nanos = Nanos::HOUR;
/// Ticks that bring a hot plane up to date, whatever was asked of it: two passes, of 64 slices each.
const PASSES: usize = 130;
/// How far the placebo's interest is shifted.
const SHIFT: Nanos = Nanos::new(30 * Nanos::DAY.get());

/// Mass per class, dollars.
pub type Mass = [f64; CLASSES];

/// What interest a walk is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// As it was.
    True,
    /// The first value, always.
    Constant,
    /// That of thirty days before, the history taken as a ring.
    Shifted,
    /// As it was and when it was: no line between samples, so a map in between has seen nothing of the next.
    Stepwise,
}

/// Where θ of the walked map comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// The prior, for ever: θ is fitted to what was met, outside of the walk. Ticks come with events.
    Nothing,
    /// The engine's own calibration, from the prints on the way; a tick every so often, on its own grid.
    Prints(Nanos),
}

/// A way to walk: the product's, or one of its ablations.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// The model's choices.
    pub choice: Choice,
    /// Openings lie at 1/L of their entry instead of the exact distance.
    pub reciprocal: bool,
    /// What interest is told.
    pub interest: Told,
    /// Mirrored and yesterday's maps are wanted too.
    pub controls: bool,
    /// The hot planes of [`maps`] are wanted as a shard has them that was given the time to bring them up to date.
    pub planes: bool,
    /// Where θ comes from.
    pub learnt: Learnt,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            choice: Choice::default(),
            reciprocal: false,
            interest: Told::True,
            controls: false,
            planes: false,
            learnt: Learnt::Nothing,
        }
    }
}

/// What the map held of one holder where the price went in one period.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Met {
    /// The map as at the begin.
    pub frozen: Mass,
    /// With what opened within.
    pub updated: Mass,
    /// The frozen map of the other holder, reflected about the price of the begin.
    pub mirrored: Mass,
    /// The map of a day before.
    pub yesterday: Mass,
    /// Share of the map that is still the seeding prior, at the begin.
    pub prior: f64,
    /// False while a map has nothing to say: not seeded.
    pub known: bool,
}

/// One period: both holders.
pub type Pair = [Met; 2];

/// One venue's inventory and how far its data are played.
struct Stage<'a> {
    source: &'a Source,
    params: Params,
    map: Box<Inventory>,
    calibration: Option<Box<Calibration>>,
    /// Between two ticks of the grid, and the next of them; zero = ticks come with events, or none came yet.
    step: Nanos,
    tick: Nanos,
    interest: Vec<(Nanos, Qty)>,
    bar: usize,
    trade: usize,
    mark: usize,
    sample: usize,
    print: usize,
    loss: usize,
    /// Bars that begin later are played from trades.
    bars_until: Nanos,
    /// Extremes of the log mark since they were last reset.
    low: i64,
    high: i64,
    kept: VecDeque<(Nanos, Box<Inventory>)>,
}

fn rule_of(venue: VenueId) -> &'static liquidation::Rule {
    match venue {
        VenueId::BINANCE => &liquidation::BINANCE,
        VenueId::OKX => &liquidation::OKX,
        VenueId::HYPERLIQUID => &liquidation::HYPERLIQUID,
        _ => &liquidation::BYBIT,
    }
}

/// Interest with a line between samples that lie further apart than bars do, where no map is looked at in between:
/// at none of the `moments`, told in order.
fn filled(source: &Source, told: Told, moments: &[Nanos]) -> Vec<(Nanos, Qty)> {
    let mut samples = source.interest.clone();
    match (told, samples.first().copied(), samples.last().copied()) {
        (Told::Constant, Some(first), _) => samples.iter_mut().for_each(|s| s.1 = first.1),
        (Told::Shifted, Some(first), Some(last)) => {
            let span = last.0.since(first.0).get().max(1);
            let of = |at: Nanos| {
                let back = at.since(first.0).get() - SHIFT.get();
                let at = first.0.plus(Nanos::new(back.rem_euclid(span)));
                let next = source.interest.partition_point(|s| s.0 <= at);
                source.interest[next.saturating_sub(1)].1
            };
            samples.iter_mut().for_each(|s| s.1 = of(s.0));
        }
        _ => {}
    }
    if !source.trades.is_empty() || told == Told::Stepwise {
        return samples;
    }
    let mut line: Vec<(Nanos, Qty)> = Vec::with_capacity(source.bars.len());
    let mut bar = 0;
    for (i, sample) in samples.iter().enumerate() {
        if let Some(last) = i.checked_sub(1).map(|i| samples[i]) {
            let span = sample.0.since(last.0).get();
            while source.bars.get(bar).is_some_and(|b| b.end <= last.0) {
                bar += 1;
            }
            let next = moments.partition_point(|at| *at <= last.0);
            if moments.get(next).is_some_and(|at| *at < sample.0) {
                line.push(*sample);
                continue;
            }
            while let Some(b) = source.bars.get(bar).filter(|b| b.end < sample.0) {
                let part = b.end.since(last.0).get() as f64 / span as f64;
                let change = (sample.1.get() - last.1.get()) as f64 * part;
                line.push((b.end, Qty::new(last.1.get() + change as i64)));
                bar += 1;
            }
        }
        line.push(*sample);
    }
    line
}

impl<'a> Stage<'a> {
    fn new(source: &'a Source, way: &Way, moments: &[Nanos]) -> Self {
        let rule = rule_of(source.venue);
        let mut params = Params::chosen(&way.choice, rule, &source.tiers);
        if way.reciprocal {
            super::naive::reciprocal(&mut params, &way.choice);
        }
        let step = match way.learnt {
            Learnt::Nothing => Nanos::ZERO,
            Learnt::Prints(step) => step.max(Nanos::new(1)),
        };
        Self {
            source,
            params,
            map: bytemuck::allocation::zeroed_box(),
            calibration: (step > Nanos::ZERO).then(bytemuck::allocation::zeroed_box),
            step,
            tick: Nanos::ZERO,
            interest: filled(source, way.interest, moments),
            bar: 0,
            trade: 0,
            mark: 0,
            sample: 0,
            print: 0,
            loss: 0,
            bars_until: source.trades.first().map_or(Nanos::new(i64::MAX), |t| t.at),
            low: i64::MAX,
            high: i64::MIN,
            kept: VecDeque::new(),
        }
    }

    /// Plays everything up to and with `until`.
    fn advance(&mut self, until: Nanos) {
        loop {
            let bars = &self.source.bars;
            let bar = bars.get(self.bar).filter(|b| b.end <= self.bars_until);
            let next = |at: Option<Nanos>| at.filter(|at| *at <= until).unwrap_or(NEVER);
            // A bar is over before anything else of its end.
            let bar_at = next(bar.map(|b| b.end));
            let sample_at = next(self.interest.get(self.sample).map(|s| s.0));
            let trade_at = next(self.source.trades.get(self.trade).map(|t| t.at));
            let mark_at = next(self.source.marks.get(self.mark).map(|m| m.0));
            let learns = self.calibration.as_ref();
            let print = learns.and(self.source.prints.get(self.print));
            let print_at = next(print.map(|p| p.at));
            let loss = learns.and(self.source.losses.get(self.loss));
            let loss_at = next(loss.copied());
            let stamps = [bar_at, sample_at, trade_at, mark_at, loss_at, print_at];
            let first = stamps.into_iter().fold(NEVER, Nanos::min);
            // Bars bring their own ticks.
            if bar.is_none() {
                self.tick_to(first.min(until));
            }
            if first == NEVER {
                return;
            }
            if bar_at == first {
                let bar = bars[self.bar];
                self.bar += 1;
                self.play(&bar);
            } else if mark_at == first {
                let (at, mark) = self.source.marks[self.mark];
                self.mark += 1;
                // Along bars the mark is theirs; a mark from beside them would sweep what no trade saw.
                if at >= self.bars_until || self.source.bars.is_empty() {
                    self.lead(at, mark);
                    self.tick_at(at);
                }
            } else if trade_at == first {
                let trade = self.source.trades[self.trade];
                self.trade += 1;
                if self.source.marks.is_empty() {
                    self.lead(trade.at, trade.price);
                }
                self.map.trade(trade.price, trade.qty);
                self.tick_at(trade.at);
            } else if sample_at == first {
                let (at, qty) = self.interest[self.sample];
                self.sample += 1;
                let laid = self.map.is_seeded();
                self.map.interest(at, qty, &self.params);
                if let Some(calibration) = self.calibration.as_mut().filter(|_| laid) {
                    calibration.interest(at, qty);
                }
            } else if loss_at == first {
                self.loss += 1;
                self.lose();
            } else {
                let told = self.source.prints[self.print];
                self.print += 1;
                if let Some(calibration) = self.calibration.as_mut() {
                    let row = calibrate::observation(self.source.venue);
                    let print = told.as_printed();
                    calibration.print(told.at, row, &print, &self.map, &self.params);
                }
            }
        }
    }

    /// What the mark met has no prints to be compared with.
    fn lose(&mut self) {
        if let Some(calibration) = self.calibration.as_mut() {
            calibration.lose(&self.map);
        }
    }

    /// A tick with an event, where there is no grid.
    fn tick_at(&mut self, at: Nanos) {
        if self.step == Nanos::ZERO {
            self.map.tick(at, &self.params);
        }
    }

    /// The ticks of the grid up to and with a moment: before the events of the same stamp.
    fn tick_to(&mut self, at: Nanos) {
        let step = self.step.get();
        if step == 0 || at == NEVER {
            return;
        }
        if self.tick == Nanos::ZERO {
            self.tick = Nanos::new(at.get() - at.get().rem_euclid(step));
        }
        while self.tick <= at {
            self.map.tick(self.tick, &self.params);
            if let Some(calibration) = self.calibration.as_mut() {
                calibration.tick(self.tick, &mut self.map, &self.params);
            }
            self.tick = self.tick.plus(self.step);
        }
    }

    fn lead(&mut self, at: Nanos, mark: Px) {
        self.map.mark(at, mark, &self.params);
        let ln = ln_px(mark);
        (self.low, self.high) = (self.low.min(ln), self.high.max(ln));
    }

    /// Walks a bar.
    fn play(&mut self, bar: &Candle) {
        self.map.candle(bar, &self.params);
        self.low = self.low.min(ln_px(bar.low));
        self.high = self.high.max(ln_px(bar.high));
        // The past has no prints.
        self.lose();
    }

    fn exposure(&self) -> [[i64; CLASSES]; 2] {
        Holder::BOTH.map(|holder| *self.map.exposure(holder))
    }

    /// Keeps a copy for the map of yesterday.
    fn keep(&mut self, now: Nanos) {
        if self
            .kept
            .back()
            .is_none_or(|(at, _)| now.since(*at) >= KEPT_EVERY)
        {
            self.kept.push_back((now, self.map.clone()));
        }
        while self
            .kept
            .get(1)
            .is_some_and(|(at, _)| now.since(*at) >= YESTERDAY)
        {
            self.kept.pop_front();
        }
    }

    fn yesterday(&self, now: Nanos) -> Option<Box<Inventory>> {
        let (at, map) = self.kept.front()?;
        (now.since(*at) >= YESTERDAY).then(|| map.clone())
    }

    /// Ladder mass that a copy of a map meets on the way to a log price and [`KERNEL`] around it, in dollars.
    fn met(&self, map: &mut Inventory, holder: Holder, to: i64, dollars: f64, at: Nanos) -> Mass {
        let before = *map.exposure(holder);
        let start = map.mark_ln().unwrap_or(to);
        let out = holder.hurts();
        around(|further| {
            let goal = to + out * further;
            if (goal - start) * out > 0 {
                map.mark(at, px_of_ln(goal), &self.params);
            }
            worth(&before, map.exposure(holder), dollars)
        })
    }
}

/// What a frozen map holds on a way, under the kernel: `met` says it of the way that ends so much further in log
/// price, Q48, the shortest first.
pub(super) fn around(mut met: impl FnMut(i64) -> Mass) -> Mass {
    let (mut sum, mut all) = ([0.0; CLASSES], 0.0);
    for i in -KERNEL_STEPS..=KERNEL_STEPS {
        let weight = (KERNEL_STEPS + 1 - i.abs()) as f64;
        let more = met(KERNEL / KERNEL_STEPS * i);
        add(&mut sum, &more.map(|mass| mass * weight));
        all += weight;
    }
    sum.map(|mass| mass / all)
}

const NEVER: Nanos = Nanos::new(i64::MAX);

fn worth(before: &[i64; CLASSES], after: &[i64; CLASSES], dollars: f64) -> Mass {
    core::array::from_fn(|k| after[k].wrapping_sub(before[k]) as f64 * dollars)
}

fn add(sum: &mut Mass, more: &Mass) {
    sum.iter_mut().zip(more).for_each(|(a, b)| *a += b);
}

/// Dollars of one 1e-6 lot at a log price.
pub(super) fn dollars_at(ln: i64) -> f64 {
    px_of_ln(ln).get() as f64 / Px::ONE as f64 / Qty::ONE as f64
}

/// A venue's map and calibration after a walk.
pub type Led = (VenueId, Box<Inventory>, Option<Box<Calibration>>);

/// Walks a symbol's venues to a moment.
#[must_use]
pub fn led(input: &Input, way: &Way, until: Nanos) -> Vec<Led> {
    let of = |source| {
        let mut stage = Stage::new(source, way, &[until]);
        stage.advance(until);
        (source.venue, stage.map, stage.calibration)
    };
    input.sources.iter().map(of).collect()
}

/// One venue's window: its map as at the begin, and where the mark went.
#[derive(Debug)]
pub struct Glimpse<'a> {
    /// Number of the window.
    pub window: usize,
    /// The venue's data.
    pub source: &'a Source,
    /// What its map is walked with.
    pub params: &'a Params,
    /// The map as at the begin.
    pub frozen: &'a Inventory,
    /// The map of a day before, led to the begin.
    pub past: Option<&'a Inventory>,
    /// Log price at the begin.
    pub begin: i64,
    /// Lowest and highest log price within.
    pub ends: [i64; 2],
}

/// A venue's map.
pub type Mapped<'a> = (VenueId, &'a Inventory);

/// Walks the venues with interest side by side and shows their maps at each of some moments, in the order of time.
///
/// With interest told stepwise nothing after a moment is in what is shown of it.
pub fn maps(
    input: &Input,
    way: &Way,
    moments: &[Nanos],
    seen: &mut dyn FnMut(usize, &[Mapped<'_>]),
) {
    let kept = input.sources.iter().filter(|s| !s.interest.is_empty());
    let mut stages: Vec<Stage<'_>> = kept
        .map(|source| Stage::new(source, way, moments))
        .collect();
    let passes = if way.planes { PASSES } else { 0 };
    for (number, moment) in moments.iter().enumerate() {
        for stage in &mut stages {
            stage.advance(*moment);
            for _ in 0..passes {
                stage.map.tick(*moment, &stage.params);
            }
        }
        let maps: Vec<Mapped<'_>> = stages
            .iter()
            .filter(|stage| stage.map.is_seeded() && stage.map.mark_ln().is_some())
            .map(|stage| (stage.source.venue, &*stage.map))
            .collect();
        seen(number, &maps);
    }
}

/// Walks the venues that are kept over windows, window by window, and shows each frozen map.
pub fn windows(
    input: &Input,
    way: &Way,
    keep: &dyn Fn(&Source) -> bool,
    windows: &[(Nanos, Nanos)],
    seen: &mut dyn FnMut(&Glimpse<'_>),
) {
    let kept = input.sources.iter().filter(|source| keep(source));
    let starts: Vec<Nanos> = windows.iter().map(|window| window.0).collect();
    let mut stages: Vec<Stage<'_>> = kept
        .map(|source| Stage::new(source, way, &starts))
        .collect();
    for (window, (start, end)) in windows.iter().enumerate() {
        for stage in &mut stages {
            stage.advance(*start);
            let Some(begin) = stage.map.mark_ln().filter(|_| stage.map.is_seeded()) else {
                continue;
            };
            if way.controls {
                stage.keep(*start);
            }
            let mut past = stage.yesterday(*start);
            if let Some(past) = past.as_mut() {
                past.mark(*start, px_of_ln(begin), &stage.params);
            }
            let frozen = stage.map.clone();
            (stage.low, stage.high) = (begin, begin);
            stage.advance(*end);
            seen(&Glimpse {
                window,
                source: stage.source,
                params: &stage.params,
                frozen: &frozen,
                past: past.as_deref(),
                begin,
                ends: [stage.low, stage.high],
            });
        }
    }
}

/// Walks a symbol's venues over the periods; one pair a period.
#[must_use]
pub fn walk(input: &Input, way: &Way, periods: &[Period]) -> Vec<Pair> {
    let starts: Vec<Nanos> = periods.iter().map(|period| period.start).collect();
    let mut stages: Vec<Stage<'_>> = input
        .sources
        .iter()
        .filter(|source| !source.interest.is_empty())
        .map(|source| Stage::new(source, way, &starts))
        .collect();
    let mut pairs = Vec::with_capacity(periods.len());
    for period in periods {
        let mut pair = Pair::default();
        for stage in &mut stages {
            stage.advance(period.start);
            let Some(begin) = stage.map.mark_ln().filter(|_| stage.map.is_seeded()) else {
                stage.advance(period.end);
                continue;
            };
            let dollars = dollars_at(begin);
            let prior = stage.map.prior_share_e6() as f64 / 1e6;
            let mut frozen = stage.map.clone();
            if way.controls {
                stage.keep(period.start);
            }
            let past = stage.yesterday(period.start);
            let mirror = way.controls.then(|| stage.map.clone());
            let before = stage.exposure();
            (stage.low, stage.high) = (begin, begin);
            stage.advance(period.end);
            let (low, high) = (stage.low, stage.high);
            let after = stage.exposure();
            let ends = [low, high];
            let mut mets = Holder::BOTH.map(|holder| {
                let d = holder as usize;
                Met {
                    updated: worth(&before[d], &after[d], dollars),
                    frozen: stage.met(&mut frozen, holder, ends[d], dollars, period.end),
                    prior,
                    known: true,
                    ..Met::default()
                }
            });
            if let Some(mut past) = past {
                past.mark(period.start, px_of_ln(begin), &stage.params);
                for holder in Holder::BOTH {
                    let d = holder as usize;
                    mets[d].yesterday = stage.met(&mut past, holder, ends[d], dollars, period.end);
                }
            }
            if let Some(mut mirror) = mirror {
                for holder in Holder::BOTH {
                    // Where the other holder's mass lies as far on the other side.
                    let other = Holder::BOTH[1 - holder as usize];
                    let to = begin + begin - ends[holder as usize];
                    let mass = stage.met(&mut mirror, other, to, dollars, period.end);
                    mets[holder as usize].mirrored = mass;
                }
            }
            for (sum, met) in pair.iter_mut().zip(&mets) {
                add(&mut sum.frozen, &met.frozen);
                add(&mut sum.updated, &met.updated);
                add(&mut sum.mirrored, &met.mirrored);
                add(&mut sum.yesterday, &met.yesterday);
                sum.prior = sum.prior.max(met.prior);
                sum.known = true;
            }
        }
        pairs.push(pair);
    }
    pairs
}
