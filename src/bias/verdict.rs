//! Verdict: the word for bias and confidence, with memory, and the modifiers that come before it (scoring.md 7.4,
//! 7.5).
//!
//! Every bound has five points of hysteresis: a grade that is held is lost five points later than it was gained.
//! Regime gain, BTC stress and cross-asset confirmation of 7.4 wait for their inputs (regime, cascade simulation,
//! other symbols' headlines) and are not here; thin data and the skill gate are.

use crate::num::fixed::{ONE, clip, divq, q16, sqrtq};
use crate::shm::record::verdict::{
    CONFLICTED, LEAN_LONG, LEAN_SHORT, LONG, NEUTRAL, NO_DATA, SHORT, STRONG_LONG, STRONG_SHORT,
};

/// Least |bias| and confidence of each grade: none, LEAN, plain, STRONG.
const GRADES: [(i64, i64); 4] = [(0, 0), (12, 25), (35, 45), (60, 60)];
const LONGS: [u8; 4] = [NEUTRAL, LEAN_LONG, LONG, STRONG_LONG];
const SHORTS: [u8; 4] = [NEUTRAL, LEAN_SHORT, SHORT, STRONG_SHORT];
/// Hysteresis in points, and the same in Q16 hundredths.
const HOLD: i64 = 5;
const HOLD_Q16: i64 = q16(5, 100);

/// What the skill of a mode has been shown to be; the numbers are `Headline::skill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Skill {
    /// Not shown: verdicts are at most LEAN.
    Unproven = 0,
    /// Lower bound above zero.
    Proven = 1,
    /// Upper bound at or below zero: NEUTRAL.
    Disproven = 2,
}

fn grade_in(words: [u8; 4], verdict: u8) -> usize {
    words.iter().position(|&word| word == verdict).unwrap_or(0)
}

/// The word, given the word before (before any gate).
#[must_use]
pub fn verdict(before: u8, bias: i64, confidence: i64, agreement: i64, energy: i64) -> u8 {
    let held = |word: u8| if before == word { HOLD } else { 0 };
    if confidence < 10 + held(NO_DATA) {
        return NO_DATA;
    }
    let held_q16 = if before == CONFLICTED { HOLD_Q16 } else { 0 };
    if agreement < q16(35, 100) + held_q16 && energy >= q16(10, 100) - held_q16 {
        return CONFLICTED;
    }
    let words = if bias >= 0 { LONGS } else { SHORTS };
    let grade_before = grade_in(words, before);
    let grade = (1..GRADES.len())
        .rev()
        .find(|&grade| {
            let ease = if grade <= grade_before { HOLD } else { 0 };
            let (least_bias, least_confidence) = GRADES[grade];
            bias.abs() >= least_bias - ease && confidence >= least_confidence - ease
        })
        .unwrap_or(0);
    words[grade]
}

/// The word after the skill gate (rulings 16).
#[must_use]
pub fn gate(verdict: u8, skill: Skill) -> u8 {
    match (skill, verdict) {
        (Skill::Proven, _) | (_, NO_DATA | CONFLICTED) => verdict,
        (Skill::Disproven, _) => NEUTRAL,
        (Skill::Unproven, LONG | STRONG_LONG) => LEAN_LONG,
        (Skill::Unproven, SHORT | STRONG_SHORT) => LEAN_SHORT,
        (Skill::Unproven, _) => verdict,
    }
}

/// Thin data: the share of confidence that survives few orders a minute and a shallow book (ratio to the majors,
/// Q16).
#[must_use]
pub fn thin(orders_per_minute: i64, depth_ratio: i64) -> i64 {
    let orders = clip(orders_per_minute, 0, 1 << 40);
    let busy = divq(orders, orders + 30).min(ONE);
    busy.min(sqrtq(clip(depth_ratio, 0, ONE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bias: i64, confidence: i64, agreement: i64, energy: i64) -> u8 {
        verdict(
            NEUTRAL,
            bias,
            confidence,
            q16(agreement, 100),
            q16(energy, 100),
        )
    }

    #[test]
    fn words_are_as_published() {
        for (bias, confidence, agreement, energy, want) in [
            (72, 66, 90, 30, STRONG_LONG),
            (72, 50, 90, 30, LONG),
            (54, 65, 90, 20, LONG),
            (12, 41, 50, 10, LEAN_LONG),
            (-30, 30, 80, 10, LEAN_SHORT),
            (40, 20, 80, 20, NEUTRAL),
            (2, 63, 50, 4, NEUTRAL),
            (8, 55, 20, 30, CONFLICTED),
            (-90, 9, 90, 50, NO_DATA),
        ] {
            assert_eq!(plain(bias, confidence, agreement, energy), want, "{bias}");
        }
    }

    #[test]
    fn a_grade_is_lost_five_points_later_than_it_was_gained() {
        let at = |before, bias| verdict(before, bias, 70, ONE, ONE);
        assert_eq!(at(NEUTRAL, 34), LEAN_LONG);
        assert_eq!(at(LONG, 31), LONG);
        assert_eq!(at(LONG, 29), LEAN_LONG);
        assert_eq!(at(STRONG_LONG, 56), STRONG_LONG);
        assert_eq!(at(LEAN_LONG, 7), LEAN_LONG);
        assert_eq!(at(LEAN_LONG, 6), NEUTRAL);
        assert_eq!(at(LONG, -31), LEAN_SHORT);
        assert_eq!(verdict(NO_DATA, 50, 14, ONE, ONE), NO_DATA);
        assert_eq!(verdict(NO_DATA, 50, 15, ONE, ONE), NEUTRAL);
    }

    #[test]
    fn what_is_unproven_only_leans_and_what_is_disproven_is_silent() {
        assert_eq!(gate(STRONG_SHORT, Skill::Unproven), LEAN_SHORT);
        assert_eq!(gate(STRONG_SHORT, Skill::Proven), STRONG_SHORT);
        assert_eq!(gate(LEAN_LONG, Skill::Disproven), NEUTRAL);
        assert_eq!(gate(CONFLICTED, Skill::Disproven), CONFLICTED);
    }

    #[test]
    fn thin_data_costs_confidence_as_published() {
        assert_eq!(60 * thin(20, q16(1, 4)) / ONE, 23);
        assert_eq!(60 * thin(3_000, ONE) / ONE, 59);
        assert_eq!(thin(0, ONE), 0);
    }
}
