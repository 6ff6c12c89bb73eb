//! Card: one signal's reading in one mode: three slots, their agreement, a state with memory, and how far to trust
//! it.
//!
//! Score, agreement, state, motion, strength and confidence are scoring.md 4 to 6. *Absent* is not 0: a card whose
//! input is stale or gapped, or none of whose slots is warm, has `known` 0 and quality 0, and nobody may read its
//! score. All scores are Q16. Learning is off: usefulness is its prior.

use crate::num::fixed::{ONE, clip, divq, mulq, q16};
use bytemuck::{Pod, Zeroable};

/// Usefulness before anything was learned.
pub const CAL_PRIOR: i64 = q16(60, 100);
/// Quality a card may have with fewer than two warm slots.
const LONELY: i64 = q16(40, 100);

/// States, as in `record::STATES`.
#[allow(missing_docs, reason = "the names are the words of scoring.md 5")]
pub mod state {
    pub const NEUTRAL: u8 = 0;
    pub const BULLISH: u8 = 1;
    pub const BEARISH: u8 = 2;
    pub const CONFLICTED: u8 = 3;
}

/// Motions, as in `record::MOTIONS`.
#[allow(missing_docs, reason = "the names are the words of scoring.md 5")]
pub mod motion {
    pub const FLAT: u8 = 0;
    pub const ACCELERATING: u8 = 1;
    pub const DECELERATING: u8 = 2;
    pub const FADING: u8 = 3;
    pub const STEADY: u8 = 4;
}

/// Score, energy and agreement of a triple, Q16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blend {
    /// Weighted sum.
    pub score: i64,
    /// Weighted sum of sizes.
    pub energy: i64,
    /// |score| / energy, at most 1.
    pub agreement: i64,
}

/// Blends the slots whose bit is set in `warm`, with their weights rescaled to one (scoring.md 4).
#[must_use]
pub const fn blend(slots: [i64; 3], weights: [i64; 3], warm: u32) -> Blend {
    let mut whole = 0;
    let mut i = 0;
    while i < 3 {
        if warm & (1 << i) != 0 {
            whole += weights[i];
        }
        i += 1;
    }
    let (mut score, mut energy) = (0, 0);
    i = 0;
    while i < 3 {
        if warm & (1 << i) != 0 {
            let weight = divq(weights[i], whole);
            score += mulq(weight, slots[i]);
            energy += mulq(weight, slots[i].saturating_abs());
        }
        i += 1;
    }
    Blend {
        score,
        energy,
        agreement: agreement(score, energy, q16(1, 10)),
    }
}

/// |score| / max(energy, least), at most 1, Q16.
#[must_use]
pub const fn agreement(score: i64, energy: i64, least: i64) -> i64 {
    let floor = if energy > least { energy } else { least };
    clip(divq(score.saturating_abs(), floor), 0, ONE)
}

/// The next state (scoring.md 5, first matching line); dwell is not its business.
#[must_use]
pub const fn next_state(from: u8, score: i64, energy: i64, agreement: i64) -> u8 {
    if energy >= q16(30, 100) && agreement < q16(40, 100) {
        return state::CONFLICTED;
    }
    let settled = agreement >= q16(60, 100);
    if from == state::CONFLICTED && !(settled || energy < q16(20, 100)) {
        return from;
    }
    if score >= q16(25, 100) && settled {
        return state::BULLISH;
    }
    if score <= -q16(25, 100) && settled {
        return state::BEARISH;
    }
    let held = agreement >= q16(40, 100);
    if from == state::BULLISH && score >= q16(12, 100) && held {
        return from;
    }
    if from == state::BEARISH && score <= -q16(12, 100) && held {
        return from;
    }
    state::NEUTRAL
}

/// Motion of three scores a quarter of the fast window apart, newest first.
#[must_use]
pub const fn motion_of(s0: i64, s1: i64, s2: i64) -> u8 {
    let small = q16(2, 100);
    let sign = s0.signum();
    let v = (s0 - s1) * sign;
    let a = (s0 - 2 * s1 + s2) * sign;
    if s0.abs() < q16(12, 100) {
        motion::FLAT
    } else if v > small && a > small {
        motion::ACCELERATING
    } else if v > small && a < -small {
        motion::DECELERATING
    } else if v < -small {
        motion::FADING
    } else {
        motion::STEADY
    }
}

/// True when the move has run its course: the slow slot is still strong, the fast one has left it.
#[must_use]
pub const fn exhausted(fast: i64, slow: i64, score: i64, peak: i64) -> bool {
    slow.abs() >= q16(60, 100)
        && peak.abs() >= q16(50, 100)
        && score.signum() * peak.signum() > 0
        && score.abs() * 4 <= peak.abs() * 3
        && (fast.signum() * peak.signum() <= 0 || fast.abs() * 4 < slow.abs())
}

/// What a score remembers of its past: state with dwell, motion samples, peak. All zeros is "no past".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Course {
    /// Shard time of the last change of state, ns.
    since: i64,
    /// Number of the last motion sample on its grid.
    sampled: i64,
    /// The two last motion samples, newest first, Q16.
    past: [i32; 2],
    /// Largest score since the last change of sign, Q16.
    peak: i32,
    /// See [`state`].
    pub state: u8,
    /// See [`motion`].
    pub motion: u8,
    /// 1 when the move has run its course.
    pub exhausted: u8,
    spare: u8,
}

impl Course {
    /// Moves on to `now` (ns); `quarter` is a quarter of the fast window: dwell and motion step. A quarter of 1 has
    /// no dwell to speak of.
    pub fn step(&mut self, now: i64, quarter: i64, blend: Blend, fast: i64, slow: i64) {
        let Blend {
            score,
            energy,
            agreement,
        } = blend;
        let next = next_state(self.state, score, energy, agreement);
        let dwelt = self.since == 0 || now.saturating_sub(self.since) >= quarter;
        if next != self.state && (dwelt || next == state::CONFLICTED) {
            self.state = next;
            self.since = now;
        }
        let sample = now / quarter.max(1);
        if sample != self.sampled {
            let [one, two] = self.past;
            self.motion = motion_of(score, i64::from(one), i64::from(two));
            self.past = [score as i32, one];
            self.sampled = sample;
        }
        let peak = i64::from(self.peak);
        if score.abs() > peak.abs() || score.signum() * peak.signum() < 0 {
            self.peak = score as i32;
        }
        self.exhausted = u8::from(exhausted(fast, slow, score, i64::from(self.peak)));
    }
}

/// 0..100: how strong a reading is, halved while its slots contradict each other.
#[must_use]
pub const fn strength(score: i64, agreement: i64, state: u8) -> u8 {
    let mut x = mulq(score.saturating_abs(), (ONE + agreement) / 2);
    if state == state::CONFLICTED {
        x /= 2;
    }
    percent(x)
}

/// Q16 as 0..100, half up.
#[must_use]
pub const fn percent(x: i64) -> u8 {
    clip((100 * clip(x, 0, ONE) + ONE / 2) / ONE, 0, 100) as u8
}

/// Freshness of an input: 1 up to half its time to live, 0 from twice that; any unit, the same for both.
#[must_use]
pub const fn fresh(age: i64, ttl: i64) -> i64 {
    let ttl = clip(ttl, 1, i64::MAX / 4);
    let age = clip(age, 0, i64::MAX / 4);
    clip(divq(2 * ttl - age, 3 * ttl / 2), 0, ONE)
}

/// Warmth of `n` occurrences where `least` are asked: 0 below, then n / (n + 4 least).
#[must_use]
pub const fn warm(n: u64, least: u64) -> i64 {
    let n = if n < 1 << 40 { n as i64 } else { 1 << 40 };
    let least = if least < 1 << 40 {
        least as i64
    } else {
        1 << 40
    };
    if n < least {
        return 0;
    }
    divq(n, n + 4 * least)
}

/// The quality q of a card, Q16: product of its factors (scoring.md 6).
#[must_use]
pub const fn quality(fresh: i64, cover: i64, warm: i64, agreement: i64, cal: i64) -> i64 {
    let joint = q16(4, 10) + mulq(q16(6, 10), agreement);
    mulq(mulq(mulq(mulq(fresh, cover), warm), joint), cal)
}

/// One signal in one mode. All zeros is "absent".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Card {
    /// Memory of state and motion.
    pub course: Course,
    /// Score of the fast, middle and slow slot, Q16; read only where `warm` has the bit.
    pub slots: [i32; 3],
    /// Bit per slot that is warm.
    pub warm: u32,
    /// Blended score, Q16; not to be read while `known` is 0.
    pub score: i32,
    /// Blended size, Q16.
    pub energy: i32,
    /// Agreement of the slots, Q16.
    pub agreement: i32,
    /// Trust in the card, Q16.
    pub quality: i32,
    /// 0..100.
    pub strength: u8,
    /// 0..100.
    pub confidence: u8,
    /// 1 when the score may be read; 0 = absent, which is not 0.
    pub known: u8,
    spare: [u8; 5],
}

/// What a card is made from at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Make {
    /// Shard time, ns.
    pub now: i64,
    /// A quarter of the fast window, ns.
    pub quarter: i64,
    /// Slot scores, Q16.
    pub slots: [i64; 3],
    /// Slot weights, Q16.
    pub weights: [i64; 3],
    /// Bit per warm slot.
    pub warm: u32,
    /// Freshness, coverage and warmth, Q16.
    pub trust: [i64; 3],
}

impl Card {
    /// Remakes the card.
    pub fn remake(&mut self, make: &Make) {
        let [fresh, cover, warm] = make.trust;
        if fresh == 0 || make.warm == 0 {
            let course = self.course;
            *self = Self {
                course,
                ..Self::default()
            };
            return;
        }
        let made = blend(make.slots, make.weights, make.warm);
        self.course
            .step(make.now, make.quarter, made, make.slots[0], make.slots[2]);
        let mut q = quality(fresh, cover, warm, made.agreement, CAL_PRIOR);
        if make.warm.count_ones() < 2 {
            q = q.min(LONELY);
        }
        self.slots = make.slots.map(|s| s as i32);
        self.warm = make.warm;
        self.score = made.score as i32;
        self.energy = made.energy as i32;
        self.agreement = made.agreement as i32;
        self.quality = q as i32;
        self.strength = strength(made.score, made.agreement, self.course.state);
        self.confidence = percent(q);
        self.known = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::SLOT_WEIGHTS;
    use super::*;

    fn hundredths(xs: [i64; 3]) -> [i64; 3] {
        xs.map(|x| q16(x, 100))
    }

    #[test]
    fn triples_blend_as_published() {
        for (mode, slots, score, energy, agreement) in [
            (1, [60, 50, 40], 32_767, 32_767, 65_536),
            (1, [60, 20, -50], 7_208, 26_868, 17_581),
            (1, [5, -2, 1], 655, 1_703, 6_549),
            (1, [45, 10, -15], 8_519, 14_417, 38_725),
            (1, [52, 47, 30], 28_441, 28_441, 65_536),
            (0, [60, 20, -50], 17_040, 30_146, 37_044),
            (2, [60, 20, -50], -2_294, 27_196, 5_528),
        ] {
            let got = blend(hundredths(slots), SLOT_WEIGHTS[mode], 7);
            assert_eq!(
                got,
                Blend {
                    score,
                    energy,
                    agreement
                }
            );
        }
    }

    #[test]
    fn a_cold_slot_is_left_out_and_the_rest_rescaled() {
        let slots = hundredths([60, 60, -90]);
        let got = blend(slots, SLOT_WEIGHTS[1], 3);
        assert!((got.score - q16(60, 100)).abs() <= 2);
        assert_eq!(got.agreement, ONE);
        assert_eq!(blend(slots, SLOT_WEIGHTS[1], 0), Blend::default());
    }

    #[test]
    fn states_motions_and_exhaustion_follow_the_published_story() {
        use motion::{ACCELERATING, DECELERATING, FADING, FLAT, STEADY};
        use state::{BEARISH, BULLISH, CONFLICTED, NEUTRAL};
        let story = [
            ([10, 5, 0], NEUTRAL, FLAT, 0),
            ([40, 15, 5], NEUTRAL, ACCELERATING, 0),
            ([55, 35, 15], BULLISH, STEADY, 0),
            ([60, 50, 35], BULLISH, DECELERATING, 0),
            ([62, 58, 50], BULLISH, DECELERATING, 0),
            ([50, 60, 60], BULLISH, STEADY, 0),
            ([10, 45, 65], BULLISH, FADING, 1),
            ([-15, 30, 66], BULLISH, FADING, 1),
            ([-45, 5, 60], CONFLICTED, FLAT, 1),
            ([-60, -35, 30], CONFLICTED, ACCELERATING, 0),
            ([-60, -50, -20], BEARISH, DECELERATING, 0),
        ];
        let mut course = Course::default();
        for (i, (slots, state, motion, gone)) in story.into_iter().enumerate() {
            let slots = hundredths(slots);
            let made = blend(slots, SLOT_WEIGHTS[1], 7);
            course.step(i as i64 + 1, 1, made, slots[0], slots[2]);
            assert_eq!(
                (course.state, course.motion, course.exhausted),
                (state, motion, gone),
                "step {}",
                i + 1
            );
        }
    }

    #[test]
    fn a_state_dwells_but_conflict_does_not_wait() {
        let bull = Blend {
            score: q16(5, 10),
            energy: q16(5, 10),
            agreement: ONE,
        };
        let bear = Blend {
            score: -q16(5, 10),
            ..bull
        };
        let torn = Blend {
            score: 0,
            energy: q16(5, 10),
            agreement: 0,
        };
        let mut course = Course::default();
        course.step(1_000, 100, bull, 0, 0);
        course.step(1_050, 100, bear, 0, 0);
        assert_eq!(course.state, state::BULLISH);
        course.step(1_060, 100, torn, 0, 0);
        assert_eq!(course.state, state::CONFLICTED);
        course.step(1_160, 100, bear, 0, 0);
        assert_eq!(course.state, state::BEARISH);
    }

    #[test]
    fn strength_and_confidence_are_as_published() {
        for (score, agreement, state, want) in [
            (50, 100, state::BULLISH, 50),
            (50, 40, state::NEUTRAL, 35),
            (20, 30, state::CONFLICTED, 6),
            (-85, 90, state::BEARISH, 81),
        ] {
            assert_eq!(strength(q16(score, 100), q16(agreement, 100), state), want);
        }
        for (age, cover, n, agreement, cal, q, c) in [
            (200, 100, 5_000, 100, 60, 37_809, 58),
            (1_500, 70, 5_000, 80, 60, 7_762, 12),
            (200, 100, 49, 100, 60, 0, 0),
            (2_100, 100, 5_000, 100, 60, 0, 0),
            (0, 100, 400, 95, 85, 36_021, 55),
        ] {
            let got = quality(
                fresh(age, 1_000),
                q16(cover, 100),
                warm(n, 50),
                q16(agreement, 100),
                q16(cal, 100),
            );
            assert_eq!((got, percent(got)), (q, c), "age {age} n {n}");
        }
    }

    #[test]
    fn stale_is_absent_and_not_zero() {
        let mut card = Card::default();
        let mut make = Make {
            now: 5,
            quarter: 1,
            slots: [ONE; 3],
            weights: SLOT_WEIGHTS[0],
            warm: 7,
            trust: [ONE, ONE, ONE],
        };
        card.remake(&make);
        assert_eq!((card.known, card.confidence), (1, 60));
        make.trust[0] = 0;
        card.remake(&make);
        assert_eq!((card.known, card.confidence, card.score), (0, 0, 0));
    }
}
