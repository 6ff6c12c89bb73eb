//! Bias: cards become one opinion per mode, with its reasons: bias, confidence, verdict.
//!
//! Three outputs that must not be confused. *Bias* is how one-sided the evidence is now, *confidence* how good that
//! evidence is, *p_up* the calibrated chance of an up-move; without learning p_up is one half (5000) by construction
//! and weights are their priors. Skill is UNPROVEN, so verdicts are at most LEAN and flagged so.
//!
//! When what is remade: a card when its inputs changed and its sampling step is over; a mode at once after one of its
//! cards moved by 1/256, and everything at least every 100 ms of shard time, so that staleness shows.

mod correlation;
mod sum;
mod verdict;

pub use correlation::Correlations;
pub use sum::{Composite, Opinion, Voice, bias_of, category, composite, novelty};
pub use verdict::{Skill, gate, thin, verdict};

use crate::health::flag;
use crate::num::fixed::{ONE, clip, divq, mulq};
use crate::shm::record::{CATEGORIES, MODES, verdict as word};
use crate::signal::card::{Blend, Course};
use crate::signal::normaliser::phi;
use crate::signal::view::input;
use crate::signal::window::{GRID, rate32};
use crate::signal::{Card, Cards, Category, Class, ROWS, Role, SIGNALS, View, next_sample};
use crate::time::Nanos;
use bytemuck::{Pod, Zeroable};

/// Longest time between two remakes of everything.
const PERIOD: i64 = 100_000_000;
/// A card that moved by this much (1/256, Q16) remakes its mode at once.
const MOVED: i64 = ONE / 256;
/// Confidence without a venue's margin table is at most this.
const TIERS_CAP: i64 = 50;
/// Half-life of correlations per mode.
const MEMORY: [Nanos; MODES] = [
    Nanos::seconds(7 * 86_400),
    Nanos::seconds(14 * 86_400),
    Nanos::seconds(60 * 86_400),
];
/// Score of a category that is asleep, in `ModeRecord::categories`.
pub const ASLEEP: i8 = -128;

/// Prior weight of a category in a mode, Q16 (scoring.md 8.4).
#[must_use]
pub const fn prior_weight(mode: usize, category: u8) -> i64 {
    use Category as C;
    const FAST: [u8; 4] = [
        C::Liquidation as u8,
        C::OrderFlow as u8,
        C::OrderBook as u8,
        C::Microstructure as u8,
    ];
    const SLOW: [u8; 3] = [C::Derivatives as u8, C::Funding as u8, C::SmartMoney as u8];
    const DAILY: [u8; 4] = [
        C::Macro as u8,
        C::OnChain as u8,
        C::DeFi as u8,
        C::TradFi as u8,
    ];
    const fn has(set: &[u8], category: u8) -> bool {
        let mut i = 0;
        while i < set.len() {
            if set[i] == category {
                return true;
            }
            i += 1;
        }
        false
    }
    if category == C::MetaSignals as u8 {
        return 0;
    }
    match mode {
        0 if has(&FAST, category) => 2 * ONE,
        1 | 2 if has(&SLOW, category) => 2 * ONE,
        0 | 1 if has(&DAILY, category) => ONE / 2,
        _ => ONE,
    }
}

/// One category in one mode. All zeros is "asleep".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct CategoryScore {
    /// State and motion.
    pub course: Course,
    /// C, Q16; not to be read while `quality` is 0.
    pub score: i32,
    /// Agreement of its cards, Q16.
    pub agreement: i32,
    /// q, Q16; 0 = asleep.
    pub quality: i32,
    /// Effective number of cards, Q16.
    pub number: i32,
    /// Mean of its cards' fast, middle and slow slots, Q16.
    pub slots: [i32; 3],
    spare: i32,
}

/// One mode of one symbol. All zeros is NO_DATA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct ModeScore {
    /// State and motion of the whole.
    pub course: Course,
    /// X, Q16.
    pub score: i32,
    /// Mean size of the evidence, Q16.
    pub energy: i32,
    /// Agreement of the evidence, Q16.
    pub agreement: i32,
    /// The strip: fast, middle and slow windows on the scale of the bias, Q16.
    pub slots: [i32; 3],
    /// Bit per category that is awake.
    pub awake: u32,
    /// `health::flag` bits.
    pub flags: u32,
    scores: [i8; CATEGORIES],
    /// -100..100.
    pub bias: i8,
    /// 0..100.
    pub confidence: u8,
    /// `record::verdict`, after the gate.
    pub verdict: u8,
    /// `record::verdict` before the gate; hysteresis lives on this one.
    pub ungated: u8,
    /// [`Skill`] as a number.
    pub skill: u8,
    spare: [u8; 2],
}

impl ModeScore {
    /// Score of each category in 1e-2, [`ASLEEP`] where it sleeps.
    #[must_use]
    pub fn categories(&self) -> [i8; CATEGORIES] {
        core::array::from_fn(|c| {
            if self.awake & (1 << c) != 0 {
                self.scores[c]
            } else {
                ASLEEP
            }
        })
    }
    /// Calibrated chance of an up-move, 1e-4. Nothing has been learned, so it is one half.
    #[must_use]
    pub const fn p_up_e4(&self) -> u16 {
        5_000
    }
    /// `record::STATES` as a number.
    #[must_use]
    pub const fn state(&self) -> u8 {
        self.course.state
    }
    /// `record::MOTIONS` as a number.
    #[must_use]
    pub const fn motion(&self) -> u8 {
        self.course.motion
    }
    /// What a reader of the headline can see.
    fn published(&self) -> ([i8; CATEGORIES + 1], [u8; 5], u32) {
        let categories = self.categories();
        let mut signed = [self.bias; CATEGORIES + 1];
        signed[1..].copy_from_slice(&categories);
        let words = [
            self.confidence,
            self.verdict,
            self.state(),
            self.motion(),
            self.skill,
        ];
        (signed, words, self.flags)
    }
    /// True when the move has run its course.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        self.course.exhausted != 0
    }
}

/// Everything scored about one symbol. All zeros is "nothing known".
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Scores {
    cards: Cards,
    categories: [[CategoryScore; CATEGORIES]; MODES],
    modes: [ModeScore; MODES],
    repeats: [Correlations; MODES],
    category_repeats: [Correlations; MODES],
    grid: [i64; MODES],
    next: i64,
    next_sample: i64,
    next_whole: i64,
}

const _: () = assert!(ROWS <= correlation::CAP && CATEGORIES <= correlation::CAP);

/// -1..1 in Q16 as hundredths, half away from zero.
const fn hundredths(score: i64) -> i8 {
    let twice = 200 * clip(score, -ONE, ONE) + score.signum() * ONE;
    (twice / (2 * ONE)) as i8
}

impl Scores {
    /// True when [`Scores::refresh`] has something to do at `now`: asked first, a frame in between costs one compare.
    #[must_use]
    #[inline]
    pub const fn is_due(&self, now: Nanos) -> bool {
        now.get() >= self.next
    }

    /// Brings the scores to `now`; true when a mode's published answer changed. `flags` are the symbol's. Streams
    /// must have been rolled to `now` (`Streams::tick`).
    pub fn refresh(&mut self, now: Nanos, view: &View<'_>, flags: u32) -> bool {
        let at = now.get();
        if at < self.next {
            return false;
        }
        let view = View { now, ..*view };
        let trust = view.trust();
        let mut sampled = 0;
        if at >= self.next_sample {
            self.next_sample = next_sample(at);
            sampled = self.cards.sample(&view, &trust);
        }
        let whole = at >= self.next_whole;
        if whole {
            self.next_whole = (at / PERIOD + 1).saturating_mul(PERIOD);
        }
        self.next = self.next_sample.min(self.next_whole);
        let mut changed = false;
        for (mode, step) in GRID.into_iter().enumerate() {
            let mut moved = 0;
            for number in 0..ROWS {
                if whole || sampled & (1 << number) != 0 {
                    moved = self.cards.remake(mode, number, &view, &trust).max(moved);
                }
            }
            if whole || moved >= MOVED {
                changed |= self.conclude(mode, &view, flags);
            }
            let grid = at / step.get();
            if grid != self.grid[mode] {
                self.grid[mode] = grid;
                self.remember(mode);
            }
        }
        changed
    }

    /// A mode's answer; a mode beyond the last reads as the last.
    #[must_use]
    pub fn mode(&self, mode: usize) -> &ModeScore {
        &self.modes[mode.min(MODES - 1)]
    }

    /// A card, by mode and place in `SIGNALS`; beyond the last reads as the last.
    #[must_use]
    pub fn card(&self, mode: usize, number: usize) -> &Card {
        &self.cards.cards[mode.min(MODES - 1)][number.min(ROWS - 1)]
    }

    /// A category's score; beyond the last reads as the last.
    #[must_use]
    pub fn category(&self, mode: usize, category: usize) -> &CategoryScore {
        &self.categories[mode.min(MODES - 1)][category.min(CATEGORIES - 1)]
    }

    /// The bias of a mode as it would be if these categories (bit each) slept: summed as the bias is, of the others as
    /// they stand. Where none of them is awake it is the mode's own; where no other is, 0.
    #[must_use]
    pub fn bias_without(&self, mode: usize, categories: u32) -> i8 {
        let mode = mode.min(MODES - 1);
        if self.modes[mode].awake & categories == 0 {
            return self.modes[mode].bias;
        }
        let (voices, count, _) = self.gather(mode, !categories);
        clip(sum::composite(&voices[..count]).bias, -100, 100) as i8
    }

    /// Readings and cards.
    #[must_use]
    pub fn cards(&self) -> &Cards {
        &self.cards
    }

    /// Known directional cards of a mode that are in a category.
    fn speaking(&self, mode: usize, category: usize) -> impl Iterator<Item = (usize, &Card)> {
        let cards = self.cards.cards[mode].iter().enumerate();
        cards.filter(move |(number, card)| {
            let row = &SIGNALS[*number];
            row.category as usize == category
                && row.role.is_directional()
                && card.known != 0
                && card.quality > 0
        })
    }

    /// Sums one category.
    fn sum_category(&mut self, mode: usize, category: usize, at: i64) {
        let mut voices = [Voice::default(); ROWS];
        let mut count = 0;
        let (mut slots, mut pulls) = ([0i64; 3], [0i64; 3]);
        for (number, card) in self.speaking(mode, category) {
            let others = self.speaking(mode, category).map(|(other, _)| other);
            let rhos = others
                .filter(|&other| other != number)
                .map(|other| self.repeats[mode].of(number, other));
            let voice = Voice {
                score: i64::from(card.score),
                quality: i64::from(card.quality),
                weight: ONE,
                novelty: novelty(rhos),
            };
            let pull = mulq(voice.quality, voice.novelty);
            for k in (0..3).filter(|k| card.warm & (1 << k) != 0) {
                slots[k] += pull * i64::from(card.slots[k]);
                pulls[k] += pull;
            }
            voices[count] = voice;
            count += 1;
        }
        let made = sum::category(&voices[..count]);
        let score = &mut self.categories[mode][category];
        if made.quality == 0 {
            let course = score.course;
            *score = CategoryScore {
                course,
                ..CategoryScore::default()
            };
            return;
        }
        let slots: [i64; 3] = core::array::from_fn(|k| slots[k] / pulls[k].max(1));
        let blend = Blend {
            score: made.score,
            energy: made.energy,
            agreement: made.agreement,
        };
        score
            .course
            .step(at, quarter(mode), blend, slots[0], slots[2]);
        score.score = made.score as i32;
        score.agreement = made.agreement as i32;
        score.quality = made.quality as i32;
        score.number = made.number as i32;
        score.slots = slots.map(|s| s as i32);
    }

    /// Sums a mode and says its word; true when the published answer changed.
    fn conclude(&mut self, mode: usize, view: &View<'_>, flags: u32) -> bool {
        let at = view.now.get();
        for category in 0..CATEGORIES {
            if BUILT & (1 << category) != 0 {
                self.sum_category(mode, category, at);
            }
        }
        let (voices, count, awake) = self.gather(mode, u32::MAX);
        let made = sum::composite(&voices[..count]);
        let slots = self.strip(mode, awake, &voices[..count]);
        let score = &mut self.modes[mode];
        let before = *score;
        let blend = Blend {
            score: phi(sum::GAIN * made.score),
            energy: phi(sum::GAIN * made.energy),
            agreement: made.agreement,
        };
        score
            .course
            .step(at, quarter(mode), blend, slots[0], slots[2]);
        score.score = made.score as i32;
        score.energy = made.energy as i32;
        score.agreement = made.agreement as i32;
        score.slots = slots.map(|s| s as i32);
        score.awake = awake;
        let categories = &self.categories[mode];
        score.scores = core::array::from_fn(|c| hundredths(i64::from(categories[c].score)));
        self.judge(mode, &made, view, flags);
        self.modes[mode].published() != before.published()
    }

    /// Modifiers, word and flags of a mode whose sum is made.
    fn judge(&mut self, mode: usize, made: &Composite, view: &View<'_>, flags: u32) {
        let score = &mut self.modes[mode];
        let mut confidence = made.confidence * thinned(view) / ONE;
        if flags & flag::TIERS_ASSUMED != 0 {
            confidence = confidence.min(TIERS_CAP);
        }
        // Two of the mode's three windows must have been seen whole; before that there is no evidence to be sure of.
        let middle = Class::F.windows(mode)[1];
        let warm = view.streams.returns_known[middle.index()] != 0;
        confidence = if warm {
            confidence.min(view.confidence_max)
        } else {
            0
        };
        let skill = Skill::Unproven;
        score.bias = clip(made.bias, -100, 100) as i8;
        score.confidence = clip(confidence, 0, 100) as u8;
        score.ungated = verdict(
            score.ungated,
            made.bias,
            confidence,
            made.agreement,
            made.energy,
        );
        score.verdict = gate(score.ungated, skill);
        score.skill = skill as u8;
        score.flags = flags | flag::LEARNING | flag::UNPROVEN;
        if !warm || u64::from(score.awake) != BUILT {
            score.flags |= flag::WARMING;
        }
        if score.course.exhausted != 0 && score.verdict != word::NO_DATA {
            score.flags |= flag::EXHAUSTED;
        }
        if self.cards.saturated > 0 {
            score.flags |= flag::SATURATED;
        }
    }

    /// Those of some categories that are awake as voices, and which they are.
    fn gather(&self, mode: usize, of: u32) -> ([Voice; CATEGORIES], usize, u32) {
        let mut voices = [Voice::default(); CATEGORIES];
        let (mut count, mut awake, mut weights) = (0, 0u32, 0);
        for (category, score) in self.categories[mode].iter().enumerate() {
            let weight = prior_weight(mode, category as u8);
            if score.quality > 0 && weight > 0 && of & (1 << category) != 0 {
                awake |= 1 << category;
                weights += weight;
                count += 1;
            }
        }
        let mean = weights / (count as i64).max(1);
        let mut place = 0;
        for (category, score) in self.categories[mode].iter().enumerate() {
            if awake & (1 << category) == 0 {
                continue;
            }
            let others = (0..CATEGORIES)
                .filter(|other| awake & (1 << other) != 0 && *other != category)
                .map(|other| self.category_repeats[mode].of(category, other));
            voices[place] = Voice {
                score: i64::from(score.score),
                quality: i64::from(score.quality),
                weight: divq(prior_weight(mode, category as u8), mean),
                novelty: novelty(others),
            };
            place += 1;
        }
        (voices, count, awake)
    }

    /// The three windows summed like the composite, on the scale of the bias.
    fn strip(&self, mode: usize, awake: u32, voices: &[Voice]) -> [i64; 3] {
        let (mut slots, mut pulls) = ([0i64; 3], 0i64);
        let categories = (0..CATEGORIES).filter(|c| awake & (1 << c) != 0);
        for (category, voice) in categories.zip(voices) {
            let pull = mulq(mulq(voice.weight, voice.quality), voice.novelty);
            let shrink = divq(
                i64::from(self.categories[mode][category].number),
                i64::from(self.categories[mode][category].number) + ONE / 2,
            );
            pulls += pull;
            for (slot, one) in slots.iter_mut().zip(self.categories[mode][category].slots) {
                *slot += pull * mulq(i64::from(one), shrink);
            }
        }
        slots.map(|slot| phi(sum::GAIN * (slot / pulls.max(1))))
    }

    /// Takes one step of the decision grid into the correlations.
    fn remember(&mut self, mode: usize) {
        let rate = rate32(GRID[mode].get(), MEMORY[mode].get());
        let cards = &self.cards.cards[mode];
        let scores: [Option<i64>; ROWS] = core::array::from_fn(|number| {
            let card = &cards[number];
            let speaks = card.known != 0 && SIGNALS[number].role.is_directional();
            speaks.then_some(i64::from(card.score))
        });
        self.repeats[mode].take(&scores, rate);
        let categories = &self.categories[mode];
        let scores: [Option<i64>; CATEGORIES] = core::array::from_fn(|c| {
            (categories[c].quality > 0).then_some(i64::from(categories[c].score))
        });
        self.category_repeats[mode].take(&scores, rate);
    }
}

/// Bit per category that has a directional signal.
const BUILT: u64 = {
    let mut bits = 0;
    let mut i = 0;
    while i < ROWS {
        let row = &crate::signal::ALL[i];
        if matches!(row.role, Role::D | Role::Dq) {
            bits |= 1 << row.category as u8;
        }
        i += 1;
    }
    bits
};

/// Bit per category that has a signal which reads the map, its zones or prints of liquidations.
pub const FORCED: u32 = {
    let mut bits = 0;
    let mut i = 0;
    while i < ROWS {
        let row = &crate::signal::ALL[i];
        if row.inputs & FORCED_INPUTS != 0 {
            bits |= 1 << row.category as u8;
        }
        i += 1;
    }
    bits
};

/// What these read.
const FORCED_INPUTS: u64 = 1 << input::HEATMAP | 1 << input::PRINTS;

/// A quarter of the mode's fast window, ns: dwell and motion step.
const fn quarter(mode: usize) -> i64 {
    Class::F.windows(mode)[0].length().get() / 4
}

/// Share of confidence that survives thin data.
fn thinned(view: &View<'_>) -> i64 {
    let reference = view.depth_reference.get();
    let ratio = if reference > 0 {
        divq(view.streams.depth_usd.get(), reference)
    } else {
        ONE
    };
    thin(view.streams.orders_per_minute(), ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prior_weights_follow_the_mode() {
        let weight = |mode, category: Category| prior_weight(mode, category as u8);
        assert_eq!(weight(0, Category::Liquidation), 2 * ONE);
        assert_eq!(weight(1, Category::Liquidation), ONE);
        assert_eq!(weight(2, Category::Funding), 2 * ONE);
        assert_eq!(weight(0, Category::Macro), ONE / 2);
        assert_eq!(weight(2, Category::Macro), ONE);
        assert_eq!(weight(1, Category::MetaSignals), 0);
    }

    #[test]
    fn a_category_is_of_liquidations_or_not() {
        for row in &SIGNALS {
            let reads = row.inputs & FORCED_INPUTS != 0;
            assert_eq!(reads, FORCED & (1 << row.category as u8) != 0, "{}", row.id);
        }
        assert_eq!(FORCED, 1 << Category::Liquidation as u8);
    }

    /// A mode whose awake categories are these, each of a score and a quality.
    fn concluded(categories: &[(Category, i64)]) -> Box<Scores> {
        use crate::signal::{HeatReading, Streams, ZoneReading};
        let mut scores: Box<Scores> = bytemuck::allocation::zeroed_box();
        let streams: Box<Streams> = bytemuck::allocation::zeroed_box();
        let (heat, zones) = (HeatReading::zeroed(), ZoneReading::zeroed());
        for (number, row) in SIGNALS.iter().enumerate() {
            let said = categories.iter().find(|(of, _)| *of == row.category);
            let Some((_, score)) = said.filter(|_| row.role.is_directional()) else {
                continue;
            };
            for mode in 0..MODES {
                let card = &mut scores.cards.cards[mode][number];
                (card.score, card.quality, card.known) = (*score as i32, ONE as i32 / 2, 1);
            }
        }
        let view = View::new(Nanos::SECOND, &[], &streams, &heat, &zones);
        (0..MODES).for_each(|mode| {
            scores.conclude(mode, &view, 0);
        });
        scores
    }

    #[test]
    fn what_is_taken_out_of_a_bias_is_as_if_it_slept() {
        use Category::{Funding, Liquidation, OrderFlow};
        let others = [(OrderFlow, ONE / 5), (Funding, -ONE / 3)];
        let forced = (Liquidation, ONE / 2);
        let (with, without) = (
            concluded(&[forced, others[0], others[1]]),
            concluded(&others),
        );
        for mode in 0..MODES {
            let own = |scores: &Scores| scores.mode(mode).bias;
            let (all, left) = (own(&with), own(&without));
            assert!(
                all != left && with.bias_without(mode, FORCED) == left,
                "{all} {left}"
            );
            // Nothing to take out, nothing changes.
            assert_eq!(with.bias_without(mode, 0), all);
            assert_eq!(without.bias_without(mode, FORCED), left);
            // Nothing else, no opinion.
            let alone = concluded(&[forced]);
            assert!(own(&alone) > 0 && alone.bias_without(mode, FORCED) == 0);
        }
    }

    #[test]
    fn what_is_missing_caps_confidence() {
        use crate::signal::{HeatReading, Streams, ZoneReading, streams::channel};
        let mut scores: Box<Scores> = bytemuck::allocation::zeroed_box();
        let mut streams: Box<Streams> = bytemuck::allocation::zeroed_box();
        streams.sums[crate::signal::Window::M1.index()][channel::BUYS] = 1 << 50;
        let (heat, zones) = (HeatReading::zeroed(), ZoneReading::zeroed());
        let cold = *streams;
        streams.returns_known = [1; crate::signal::window::WINDOWS];
        let view = View::new(Nanos::SECOND, &[], &streams, &heat, &zones);
        let made = Composite {
            score: ONE / 2,
            energy: ONE / 2,
            agreement: ONE,
            bias: bias_of(ONE / 2),
            confidence: 90,
        };
        scores.judge(0, &made, &view, 0);
        let free = *scores.mode(0);
        assert_eq!((free.confidence, free.ungated), (89, word::STRONG_LONG));
        assert_eq!(free.verdict, word::LEAN_LONG);
        scores.judge(1, &made, &view, flag::TIERS_ASSUMED);
        let assumed = *scores.mode(1);
        assert_eq!((assumed.confidence, assumed.ungated), (50, word::LONG));
        assert_ne!(assumed.flags & flag::TIERS_ASSUMED, 0);
        let view = View::new(Nanos::SECOND, &[], &cold, &heat, &zones);
        scores.judge(2, &made, &view, 0);
        let cold = *scores.mode(2);
        assert_eq!(
            (cold.confidence, cold.verdict),
            (0, word::NO_DATA),
            "nothing seen yet"
        );
        assert_ne!(cold.flags & flag::WARMING, 0);
    }
}
