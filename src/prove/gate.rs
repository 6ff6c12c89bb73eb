//! Gate: from figures to a verdict (heatmap.md 4.8). Pure, and strict: what is not known does not pass.

use super::score::Figure;

/// What the proof says of a symbol's map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Verdict {
    /// Neither shown nor refuted.
    #[default]
    Unproven = 0,
    /// It knows something that the path and the simpler ladder do not, and its dollars are right.
    Proven = 1,
    /// It knows nothing beyond them.
    Disproven = 2,
}

impl Verdict {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Proven => "proven",
            Self::Disproven => "disproven",
        }
    }
    /// The verdict of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Unproven, Self::Proven, Self::Disproven]
            .into_iter()
            .find(|verdict| verdict.word() == word)
    }
}

/// What the gate looks at; `None` = could not be measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evidence {
    /// Information gain over the path, nats per dollar.
    pub over_path: Option<Figure>,
    /// Information gain over the time-at-price ladder.
    pub over_time: Option<Figure>,
    /// Slope of what was realised on what was said.
    pub slope: Option<Figure>,
    /// Diebold and Mariano's statistic of the daily gains over both, every day with one voice: a second opinion, no
    /// part of the verdict.
    pub statistics: [Option<f64>; 2],
    /// Blocks (days, or clusters of prints) behind it.
    pub blocks: usize,
}

impl Evidence {
    /// Chance that one of the two gains is none; one where it could not be measured.
    #[must_use]
    pub fn chance(&self) -> f64 {
        let of = |gain: Option<Figure>| gain.map_or(1.0, |gain| gain.none);
        f64::max(of(self.over_path), of(self.over_time))
    }
}

/// Level of the one-sided test of a gain, shared by all symbols of a proof.
pub const LEVEL: f64 = 0.025;
/// A slope as near to 1 as this is 1. No map is right to a hundredth, and of enough days any interval misses 1: that of
/// a map that is the truth did so by a ten-thousandth, because places are rounded to buckets.
pub const SLOPE_OFF: f64 = 0.01;
/// Fewer blocks than this prove nothing, either way.
pub const LEAST_BLOCKS: usize = 10;

/// The verdict and why. `holds` says that the gains stand up among those of all symbols that were tried: of many
/// symbols one is above 0 by chance.
#[must_use]
pub fn verdict(evidence: &Evidence, holds: bool) -> (Verdict, String) {
    if evidence.blocks < LEAST_BLOCKS {
        let why = format!(
            "{} independent blocks; at least {LEAST_BLOCKS} are needed",
            evidence.blocks
        );
        return (Verdict::Unproven, why);
    }
    let (Some(path), Some(time)) = (evidence.over_path, evidence.over_time) else {
        return (
            Verdict::Unproven,
            "the gain could not be measured".to_owned(),
        );
    };
    for (gain, over) in [(path, "the path"), (time, "the time-at-price ladder")] {
        if gain.high <= 0.0 {
            let why = format!(
                "it gains nothing over {over}: {:+.3} nats per dollar at most",
                gain.high
            );
            return (Verdict::Disproven, why);
        }
    }
    for (gain, over) in [(path, "the path"), (time, "the time-at-price ladder")] {
        if gain.low <= 0.0 {
            let why = format!(
                "its gain over {over} is not surely above 0: {:+.3} at least",
                gain.low
            );
            return (Verdict::Unproven, why);
        }
    }
    if !holds {
        let why = "it gains over the path and over the time-at-price ladder, but not surely enough for one of so many \
                   symbols (Holm)";
        return (Verdict::Unproven, why.to_owned());
    }
    match evidence.slope {
        Some(slope) if slope.low <= 1.0 + SLOPE_OFF && slope.high >= 1.0 - SLOPE_OFF => (
            Verdict::Proven,
            "it gains over the path and over the time-at-price ladder, and its slope holds 1"
                .to_owned(),
        ),
        Some(slope) => (
            Verdict::Unproven,
            format!(
                "it ranks, but its slope {:.2} to {:.2} does not hold 1",
                slope.low, slope.high
            ),
        ),
        None => (
            Verdict::Unproven,
            "its slope could not be measured".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn figure(low: f64, high: f64) -> Option<Figure> {
        Some(Figure {
            value: low,
            low,
            high,
            none: 0.0,
        })
    }

    #[test]
    fn the_gate_is_strict() {
        let good = Evidence {
            over_path: figure(0.01, 0.2),
            over_time: figure(0.02, 0.3),
            slope: figure(0.9, 1.1),
            statistics: [None; 2],
            blocks: 30,
        };
        assert_eq!(verdict(&good, true).0, Verdict::Proven);
        assert_eq!(verdict(&good, false).0, Verdict::Unproven);
        // Right to a hundredth is right, however sure.
        for (low, high, want) in [
            (1.000_1, 1.005, Verdict::Proven),
            (0.98, 0.992, Verdict::Proven),
            (1.011, 1.02, Verdict::Unproven),
            (0.9, 0.989, Verdict::Unproven),
        ] {
            let sure = Evidence {
                slope: figure(low, high),
                ..good
            };
            assert_eq!(verdict(&sure, true).0, want, "{low} {high}");
        }
        assert_eq!(good.chance(), 0.0);
        assert_eq!(Evidence::default().chance(), 1.0);
        for (worse, want) in [
            (
                Evidence {
                    over_path: figure(-0.2, 0.0),
                    ..good
                },
                Verdict::Disproven,
            ),
            (
                Evidence {
                    over_time: figure(-0.2, -0.1),
                    ..good
                },
                Verdict::Disproven,
            ),
            (
                Evidence {
                    over_path: figure(-0.1, 0.2),
                    ..good
                },
                Verdict::Unproven,
            ),
            (
                Evidence {
                    slope: figure(1.1, 1.4),
                    ..good
                },
                Verdict::Unproven,
            ),
            (
                Evidence {
                    slope: None,
                    ..good
                },
                Verdict::Unproven,
            ),
            (
                Evidence {
                    over_time: None,
                    ..good
                },
                Verdict::Unproven,
            ),
            (Evidence { blocks: 9, ..good }, Verdict::Unproven),
            (Evidence::default(), Verdict::Unproven),
        ] {
            assert_eq!(verdict(&worse, true).0, want, "{worse:?}");
        }
        for verdict in [Verdict::Unproven, Verdict::Proven, Verdict::Disproven] {
            assert_eq!(Verdict::of(verdict.word()), Some(verdict));
        }
        assert_eq!(Verdict::of("sure"), None);
    }
}
