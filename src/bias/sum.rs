//! Sums of evidence: cards into a category, categories into the composite (scoring.md 7.1 to 7.3).
//!
//! A sum of weighted evidence, not a mean over all signals that could exist: what is absent neither adds nor dilutes,
//! it lowers breadth. Copies share one voice through `novelty`. Everything is odd in the scores, bit for bit.

use crate::num::fixed::{ONE, clip, divq, mulq, q16, sqrtq};
use crate::signal::card::{agreement, percent};
use crate::signal::normaliser::phi;

/// How fast the composite becomes a bias.
pub(super) const GAIN: i64 = 3;

/// One voice, all Q16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Voice {
    /// -1..1.
    pub score: i64,
    /// 0..1: how far to trust it.
    pub quality: i64,
    /// Learned or prior weight; may be negative.
    pub weight: i64,
    /// 1 / (1 + sum of squared positive correlations with the others).
    pub novelty: i64,
}

impl Voice {
    const fn pull(&self) -> i64 {
        mulq(mulq(self.weight, self.quality), self.novelty)
    }
}

/// Weighted means of a set of voices, Q16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Means {
    score: i64,
    energy: i64,
    quality: i64,
    /// Effective number: sum of quality times novelty.
    number: i64,
}

/// A quotient rounded toward zero; nothing to divide by gives 0.
const fn over(n: i64, d: i64) -> i64 {
    if d == 0 { 0 } else { n / d }
}

fn means(voices: &[Voice]) -> Means {
    let (mut all, mut score, mut energy, mut quality, mut number) = (0i64, 0i64, 0i64, 0i64, 0i64);
    for voice in voices {
        let (pull, size) = (voice.pull(), voice.pull().abs());
        all += size;
        score += pull * voice.score;
        energy += size * voice.score.abs();
        quality += size * voice.quality;
        number += mulq(voice.quality, voice.novelty);
    }
    Means {
        score: over(score, all),
        energy: over(energy, all),
        quality: over(quality, all),
        number,
    }
}

/// A category's opinion, Q16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opinion {
    /// C: mean score shrunk by the effective number of voices.
    pub score: i64,
    /// Agreement of the voices.
    pub agreement: i64,
    /// Mean size of the scores.
    pub energy: i64,
    /// Effective number of voices.
    pub number: i64,
    /// q: how far to trust it; 0 = asleep.
    pub quality: i64,
}

const fn joint(agreement: i64) -> i64 {
    q16(4, 10) + mulq(q16(6, 10), agreement)
}

/// Sums cards into a category.
#[must_use]
pub fn category(voices: &[Voice]) -> Opinion {
    let means = means(voices);
    let agreement = agreement(means.score, means.energy, q16(1, 10));
    Opinion {
        score: mulq(means.score, divq(means.number, means.number + ONE / 2)),
        agreement,
        energy: means.energy,
        number: means.number,
        quality: mulq(means.quality, joint(agreement)),
    }
}

/// What all categories say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Composite {
    /// X, Q16.
    pub score: i64,
    /// Mean size, Q16.
    pub energy: i64,
    /// Agreement, Q16.
    pub agreement: i64,
    /// -100..100.
    pub bias: i64,
    /// 0..100, before modifiers.
    pub confidence: i64,
}

/// -100..100 of a composite score, half away from zero.
#[must_use]
pub const fn bias_of(score: i64) -> i64 {
    let twice = 100 * phi(GAIN * score) * 2 + if score >= 0 { ONE } else { -ONE };
    twice / (2 * ONE)
}

/// Sums categories into the composite.
#[must_use]
pub fn composite(voices: &[Voice]) -> Composite {
    let means = means(voices);
    let agreement = agreement(means.score, means.energy, q16(5, 100));
    let breadth = divq(means.number, means.number + 2 * ONE);
    let known = sqrtq(mulq(means.quality, breadth));
    Composite {
        score: means.score,
        energy: means.energy,
        agreement,
        bias: bias_of(means.score),
        confidence: i64::from(percent(mulq(known, joint(agreement)))),
    }
}

/// 1 / (1 + sum of squares) of the positive correlations (Q16) with the others.
#[must_use]
pub fn novelty(others: impl Iterator<Item = i64>) -> i64 {
    let mut sum = ONE;
    for rho in others {
        let rho = clip(rho, 0, ONE);
        sum += mulq(rho, rho);
    }
    divq(ONE, sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::card::blend;
    use crate::signal::window::SLOT_WEIGHTS;
    use proptest::prelude::*;

    fn voices(of: &[(i64, i64, i64)], rho: &[&[i64]]) -> Vec<Voice> {
        let one = |i: usize| {
            novelty(
                rho[i]
                    .iter()
                    .enumerate()
                    .filter(|(j, _)| *j != i)
                    .map(|(_, rho)| q16(*rho, 100)),
            )
        };
        of.iter()
            .enumerate()
            .map(|(i, (score, quality, weight))| Voice {
                score: q16(*score, 100),
                quality: q16(*quality, 100),
                weight: q16(*weight, 100),
                novelty: one(i),
            })
            .collect()
    }

    #[test]
    fn categories_sum_as_published() {
        let pair = [(60, 60, 100), (-20, 60, 100)];
        let copied = [(60, 60, 100), (60, 60, 100), (-20, 60, 100)];
        let rows: [(&[_], &[&[i64]], _); 5] = [
            (
                &pair,
                &[&[100, 0], &[0, 100]],
                (9_251, 32_768, 78_644, 27_525),
            ),
            (
                &copied,
                &[&[100, 100, 0], &[100, 100, 0], &[0, 0, 100]],
                (9_251, 32_768, 78_644, 27_525),
            ),
            (
                &copied,
                &[&[100, 0, 0], &[0, 100, 0], &[0, 0, 100]],
                (17_096, 46_811, 117_966, 32_580),
            ),
            (
                &[(50, 50, 100), (40, 60, 150), (45, 55, 50)],
                &[&[100, 70, 70], &[70, 100, 70], &[70, 70, 100]],
                (17_942, 65_536, 54_612, 36_827),
            ),
            (
                &[(50, 60, 100)],
                &[&[100]],
                (17_873, 65_536, 39_322, 39_322),
            ),
        ];
        for (of, rho, want) in rows {
            let got = category(&voices(of, rho));
            assert_eq!((got.score, got.agreement, got.number, got.quality), want);
        }
        assert_eq!(category(&[]), Opinion::default());
        assert_eq!(composite(&[]), Composite::default());
    }

    /// The twelve categories of the published example, 1m / 5m / 1h before and after, in hundredths.
    const STORY: [[[i64; 3]; 2]; 12] = [
        [[40, 12, -5], [66, 58, 42]],
        [[30, 10, -10], [60, 52, 30]],
        [[20, 10, 5], [42, 40, 26]],
        [[5, 10, 12], [28, 34, 30]],
        [[10, -5, 4], [40, 36, 24]],
        [[-10, -12, -14], [-12, -14, -16]],
        [[20, 4, -12], [58, 50, 28]],
        [[8, 10, 6], [30, 34, 26]],
        [[12, 6, 0], [38, 30, 18]],
        [[12, 6, 2], [30, 28, 20]],
        [[-6, -8, -10], [-10, -10, -8]],
        [[14, 8, 6], [36, 30, 20]],
    ];

    fn told(which: usize, sign: i64) -> (Composite, Vec<i64>) {
        let opinions: Vec<Opinion> = STORY
            .iter()
            .map(|story| {
                let slots = story[which].map(|s| sign * q16(s, 100));
                let made = blend(slots, SLOT_WEIGHTS[1], 7);
                let voice = Voice {
                    score: made.score,
                    quality: mulq(q16(66, 100), joint(made.agreement)),
                    weight: ONE,
                    novelty: q16(55, 100),
                };
                category(&[voice; 4])
            })
            .collect();
        let voices: Vec<Voice> = opinions
            .iter()
            .map(|o| Voice {
                score: o.score,
                quality: o.quality,
                weight: ONE,
                novelty: q16(8, 10),
            })
            .collect();
        let milli = |s: i64| (s * 2_000 + s.signum() * ONE) / (2 * ONE);
        let scores = opinions.iter().map(|o| milli(o.score)).collect();
        (composite(&voices), scores)
    }

    #[test]
    fn the_seeds_example_comes_out_as_published() {
        let (before, _) = told(0, 1);
        assert_eq!((before.bias, before.confidence), (11, 45));
        let (after, scores) = told(1, 1);
        assert_eq!((after.bias, after.confidence), (57, 66));
        let want = [414, 356, 271, 231, 250, -104, 341, 226, 214, 195, -69, 214];
        assert_eq!(scores, want);
        let (mirror, _) = told(1, -1);
        assert_eq!((mirror.bias, mirror.confidence), (-57, 66));
        assert_eq!(mirror.score, -after.score);
        assert_eq!(bias_of(ONE / 5), 54);
    }

    proptest! {
        #[test]
        fn an_exact_copy_changes_no_category(
            of in prop::collection::vec((-100i64..=100, 1i64..=100), 1..8), which in any::<prop::sample::Index>()
        ) {
            let plain: Vec<Voice> = of.iter().map(|(s, q)| Voice {
                score: q16(*s, 100), quality: q16(*q, 100), weight: ONE, novelty: ONE,
            }).collect();
            let copied = which.index(plain.len());
            let mut twice = plain.clone();
            twice[copied].novelty = novelty([ONE].into_iter());
            twice.push(twice[copied]);
            let (a, b) = (category(&plain), category(&twice));
            // Halving a Q16 product may lose its last bit, on each of the copies.
            for (x, y) in [(a.score, b.score), (a.agreement, b.agreement), (a.quality, b.quality)] {
                prop_assert!((x - y).abs() <= 40, "{a:?} {b:?}");
            }
        }

        #[test]
        fn sums_are_odd_and_bounded(
            of in prop::collection::vec(
                (-65_536i64..=65_536, 0i64..=65_536, -262_144i64..=262_144, 1i64..=65_536),
                0..25,
            )
        ) {
            let voices: Vec<Voice> = of.iter().map(|&(score, quality, weight, novelty)|
                Voice { score, quality, weight, novelty }).collect();
            let turned: Vec<Voice> = voices.iter().map(|v| Voice { score: -v.score, ..*v }).collect();
            let (a, b) = (composite(&voices), composite(&turned));
            let mirrored = (-b.bias, -b.score, b.confidence, b.agreement);
            prop_assert_eq!((a.bias, a.score, a.confidence, a.agreement), mirrored);
            let c = category(&voices);
            prop_assert!(c.score.abs() <= ONE && (0..=ONE).contains(&c.quality) && (0..=ONE).contains(&c.agreement));
            prop_assert!(a.bias.abs() <= 100 && (0..=100).contains(&a.confidence));
        }
    }
}
