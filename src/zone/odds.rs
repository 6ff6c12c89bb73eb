//! Odds: steps 4 to 7 of the zones (scoring.md 11). How well structure supports a zone, how likely the mark reaches
//! it, whether it would then hold or run, and which zone matters most.
//!
//! Pure functions of numbers that others measured: Q16 throughout, money in cents. A zone that *runs* feeds itself:
//! what it forces moves price into more of it; one that *holds* is eaten up by those who wait there. Nothing here
//! says that price is drawn to a zone: a zone above that will run is bullish only once it is reached, which is what
//! the product of the two probabilities says.
//!
//! The weights of a run are judgement. Every touch that held or ran teaches how much that judgement is worth, and how
//! often zones run at all ([`Taught`]): a logistic recalibration, the likeliest after each touch. Weights of their own
//! for the terms are more than some hundred touches can tell. What was learned is told as whole numbers, which another
//! run may begin with.

use crate::num::HEADROOM;
use crate::num::fixed::{ONE, ONE32, clip, divq, mul_div, mulq, q16, sigmoid};
use crate::num::log::ln_q48;
use bytemuck::{Pod, Zeroable};

/// Families of structure and what each is worth at no distance.
pub const FAMILIES: [(&str, i64); 5] = [
    ("swing", q16(30, 100)),
    ("range", q16(25, 100)),
    ("profile", q16(20, 100)),
    ("previous", q16(15, 100)),
    ("round", q16(10, 100)),
];
/// A family that is not known.
pub const UNKNOWN: i64 = i64::MAX;

/// Labels of a zone, numbers of `shm::record::ZONE_LABELS`.
pub mod label {
    /// Not judged.
    pub const NONE: u8 = 0;
    /// Neither.
    pub const UNDECIDED: u8 = 1;
    /// The zone stops price: LEVEL in scoring.md.
    pub const HOLD: u8 = 2;
    /// The zone feeds itself: TRAP in scoring.md.
    pub const RUN: u8 = 3;
}

/// Confluence κ from the nearest level of each of [`FAMILIES`], as distances in sigmas of five minutes; [`UNKNOWN`]
/// adds nothing.
#[must_use]
pub fn kappa(distances: &[i64; FAMILIES.len()]) -> i64 {
    let known = distances.iter().zip(&FAMILIES);
    let sum: i64 = known
        .filter(|(distance, _)| **distance != UNKNOWN)
        .map(|(distance, (_, weight))| {
            mulq(
                *weight,
                divq(
                    ONE,
                    ONE.saturating_add(distance.saturating_abs().saturating_mul(4)),
                ),
            )
        })
        .sum();
    sum.min(ONE)
}

/// Share λ of a flow that the resting notional on its path does not eat; one half when neither is known.
#[must_use]
pub fn lambda(flow_usd: i64, path_usd: i64) -> i64 {
    let all = flow_usd.max(0).saturating_add(path_usd.max(0));
    if all == 0 {
        return ONE / 2;
    }
    divq(flow_usd.max(0), all)
}

/// Probability that the mark reaches a zone that a walk alone reaches with a `chance`.
#[must_use]
pub fn touch(chance: i64, lambda: i64) -> i64 {
    mulq(chance, ONE / 2 + lambda / 2)
}

/// What decides between run and hold, all Q16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forces {
    /// Forced flow over what the book takes, at the zone; ONE when it is not known.
    pub gain: i64,
    /// Speed of the approach in sigmas; 0 away from the zone, at most 2.
    pub speed: i64,
    /// Peak over the hot threshold; ONE = just hot.
    pub heat: i64,
    /// Structure at the zone.
    pub kappa: i64,
    /// Forced notional executed in it against how far price went in, −1 … 1.
    pub absorbed: i64,
    /// What touches on this side did before, −1 (ran) … 1 (held).
    pub history: i64,
    /// Log odds that a driftless walk at the near edge goes through before it is back out ([`through`]); 0 where the
    /// zone's place is not asked.
    pub through: i64,
}

/// Log odds, Q16, that a driftless walk at the near edge of a zone `width` wide passes the far edge by `beyond` before
/// it is back out by `back`: a narrow zone is run through easily.
#[must_use]
pub fn through(width: i64, beyond: i64, back: i64) -> i64 {
    let way = width.saturating_add(beyond);
    (ln_q48(back.max(1)) - ln_q48(way.max(1))) >> 32
}

/// Terms of a run: the forces, and last the constant.
pub const TERMS: usize = 8;
/// Their names, for people.
pub const TERM_NAMES: [&str; TERMS] = [
    "gain",
    "speed",
    "heat",
    "structure",
    "absorbed",
    "history",
    "width",
    "constant",
];
/// Weights of [`Forces`] in their order, before anything was seen (scoring.md 11.6).
const WEIGHTS: [i64; TERMS - 1] = [
    ONE,
    q16(6, 10),
    q16(4, 10),
    -ONE,
    -q16(8, 10),
    -q16(6, 10),
    ONE,
];
/// How sure a scale of one and a constant of nothing are, as inverse variances, Q32: to a half, to two.
const SURE: [i64; 2] = [4 * ONE32, ONE32 / 4];
/// The same of both together.
const ALONE: i128 = SURE[0] as i128 * SURE[1] as i128;
/// Evidence of the constant counts up to here, so that what is new is always heard: 256 touches at even
/// odds, more at others.
const SUREST: i64 = 64 * ONE32;
/// The weighed sum counts no farther than this.
const SUM: i64 = 8 * ONE;
/// How far the scale of one and the constant of nothing are moved: what is judged for a run never counts against it.
const FAR: [(i64, i64); 2] = [(-ONE, 3 * ONE), (-SUM, SUM)];
/// No term counts for more: a gain may be a thousand, and what it teaches would be of it alone.
const FARTHEST: i64 = 4 * ONE;

impl Forces {
    /// As terms without the constant, none farther than [`FARTHEST`] from what decides nothing: as they are weighed,
    /// and kept until it is known what came.
    #[must_use]
    pub fn terms(&self) -> [i32; TERMS - 1] {
        let terms = [
            self.gain.saturating_sub(ONE),
            clip(self.speed, 0, 2 * ONE),
            self.heat.saturating_sub(ONE),
            self.kappa,
            self.absorbed,
            self.history,
            self.through,
        ];
        terms.map(|term| clip(term, -FARTHEST, FARTHEST) as i32)
    }
}

/// What judgement makes of the terms, as log odds.
fn judged(terms: &[i32; TERMS - 1]) -> i64 {
    let each = terms.iter().zip(WEIGHTS);
    let sum = each
        .map(|(term, weight)| mulq(weight, (*term).into()))
        .sum();
    clip(sum, -SUM, SUM)
}

/// Numbers of [`Taught::words`].
pub const WORDS: usize = 7;
/// Their form: a version, and the weights that they scale.
const FORM: i64 = {
    let (mut form, mut at) = (2, 0);
    while at < TERMS - 1 {
        form = (form * 31 + WEIGHTS[at]).rem_euclid(1_000_000_007);
        at += 1;
    }
    form
};

/// What touches taught of runs. All zeros is nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Taught {
    /// What was added to the scale of one, and to the constant of nothing, Q16.
    moved: [i64; 2],
    /// Evidence behind them, Q32: of the scale, of both at once, of the constant.
    seen: [i64; 3],
    /// Touches that taught.
    pub touches: u64,
}

impl Taught {
    /// Probability that a zone, touched, runs.
    #[must_use]
    pub fn run(&self, terms: &[i32; TERMS - 1]) -> i64 {
        sigmoid(self.log_odds(judged(terms)))
    }

    fn log_odds(&self, judged: i64) -> i64 {
        let [scale, constant] = self.moved;
        clip(mulq(ONE + scale, judged) + constant, -SUM, SUM)
    }

    /// The weights as they are now, of the terms and of the constant.
    #[must_use]
    pub fn weights(&self) -> [i64; TERMS] {
        let [scale, constant] = self.moved;
        core::array::from_fn(|at| WEIGHTS.get(at).map_or(constant, |w| mulq(ONE + scale, *w)))
    }

    /// A zone behind which `terms` stood was touched, and ran or held: the likeliest scale and constant, by what was
    /// known before and this touch. Both move along one line, so one number is sought, the log odds that this zone has
    /// afterwards; a step of Newton would overshoot where a zone ran that was sure to hold.
    #[cold] // A touch ends now and then; where marks are taken it would be in the way.
    pub fn learn(&mut self, terms: &[i32; TERMS - 1], ran: bool) {
        let judged = judged(terms);
        let [scale, both, constant] = core::array::from_fn(|at| {
            let prior = [SURE[0], 0, SURE[1]][at];
            i128::from(self.seen[at] + prior)
        });
        // Never less than the prior's, but for what was rounded.
        let whole = (scale * constant - both * both).max(ALONE);
        // The inverse of what is sure, by cofactors, times where this touch lies.
        let at = [judged, ONE].map(i128::from);
        let way = [
            constant * at[0] - both * at[1],
            scale * at[1] - both * at[0],
        ];
        let open = (((at[0] * way[0] + at[1] * way[1]) << 16) / whole).max(0);
        let open = i64::try_from(open).unwrap_or(0);
        let said = self.log_odds(judged);
        let wrong = |odds: i64| i64::from(ran) * ONE - sigmoid(odds);
        let [mut low, mut high] = [said - i64::from(!ran) * open, said + i64::from(ran) * open];
        while high - low > 1 {
            let middle = i64::midpoint(low, high);
            if middle < said + mulq(open, wrong(middle)) {
                low = middle;
            } else {
                high = middle;
            }
        }
        let (wrong, chance) = (wrong(high), sigmoid(high));
        self.moved = core::array::from_fn(|at| {
            let step = way[at] * i128::from(wrong * ONE) / whole;
            let step = i64::try_from(step).unwrap_or(0);
            clip(self.moved[at].saturating_add(step), FAR[at].0, FAR[at].1)
        });
        let doubt = chance * (ONE - chance);
        let of = [mulq(judged, judged), judged, ONE];
        let seen: [i64; 3] = core::array::from_fn(|at| self.seen[at] + mulq(doubt, of[at]));
        self.seen = seen.map(|each| mul_div(each, SUREST, seen[2].max(SUREST)));
        self.touches = self.touches.saturating_add(1);
    }

    /// What was learned as whole numbers, to be taken up by another run: [`WORDS`] of them.
    #[must_use]
    pub fn words(&self) -> Vec<i64> {
        let touches = i64::try_from(self.touches).unwrap_or(i64::MAX);
        let head = [FORM, touches.min(HEADROOM)];
        let rows = [head.as_slice(), &self.moved, &self.seen];
        rows.concat()
    }

    /// What told these [`Taught::words`]; `None` when they are of another form, or nothing that can be learned.
    #[must_use]
    pub fn of_words(words: &[i64]) -> Option<Self> {
        let [form, touches, rest @ ..] = <&[i64; WORDS]>::try_from(words).ok()?;
        let [moved @ .., _, _, _] = *rest;
        let [_, _, seen @ ..] = *rest;
        let room = [64 * SUREST, 8 * SUREST, SUREST];
        let fits = (0..=HEADROOM).contains(touches)
            && moved
                .iter()
                .zip(FAR)
                .all(|(n, (low, high))| (low..=high).contains(n))
            && seen
                .iter()
                .zip(room)
                .all(|(n, most)| (-most..=most).contains(n))
            && seen[0].min(seen[2]) >= 0
            // What touches make is no surer of both at once than of each, but for what was rounded.
            && i128::from(seen[1]).pow(2) <= i128::from(seen[0]) * i128::from(seen[2]) + ALONE;
        (*form == FORM && fits).then(|| Self {
            moved,
            seen,
            touches: touches.unsigned_abs(),
        })
    }
}

/// The label of a probability of running.
#[must_use]
pub fn label_of(run: i64) -> u8 {
    if run > q16(60, 100) {
        label::RUN
    } else if run < q16(40, 100) {
        label::HOLD
    } else {
        label::UNDECIDED
    }
}

/// What a zone says of direction: above and likely to run is up, above and likely to hold is down; below mirrored.
#[must_use]
pub fn direction(above: bool, touch: i64, run: i64) -> i64 {
    let way = mulq(touch, 2 * run - ONE);
    if above { way } else { -way }
}

/// What makes one zone matter more than another, all Q16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worth {
    /// Its notional over the largest of 30 days, at most ONE.
    pub size: i64,
    /// Probability of a touch.
    pub touch: i64,
    /// Structure.
    pub kappa: i64,
    /// 2^(−age / half-life).
    pub fresh: i64,
    /// Share of the known open interest that is in the map.
    pub cover: i64,
    /// What thin trading leaves of trust.
    pub thin: i64,
}

/// Rank of a zone, 0 … 1.
#[must_use]
pub fn rank(worth: &Worth) -> i64 {
    [
        worth.touch,
        ONE / 2 + worth.kappa / 2,
        worth.fresh,
        worth.cover,
        worth.thin,
    ]
    .iter()
    .fold(worth.size.min(ONE), |rank, factor| mulq(rank, *factor))
}

#[cfg(test)]
#[allow(clippy::float_arithmetic, reason = "the float twin is the oracle")]
mod tests {
    use super::*;
    use crate::num::fixed::hit;
    use proptest::prelude::*;

    /// A decimal as the vectors' script rounds it.
    fn q(num: i64, den: i64) -> i64 {
        q16(num, den)
    }

    struct Row {
        above: bool,
        size: i64,
        distance: i64,
        path: i64,
        families: [i64; FAMILIES.len()],
        forces: Forces,
        fresh: i64,
        cover: i64,
        want: [i64; 6],
        label: u8,
    }

    /// scoring.md 11, zones A, B and C: every number of the table, to the unit.
    #[test]
    fn the_published_zones_are_judged_as_published() {
        let forces = |gain, speed, heat, absorbed, history| Forces {
            gain,
            speed,
            heat,
            kappa: 0,
            absorbed,
            history,
            through: 0,
        };
        let none = UNKNOWN;
        let rows = [
            Row {
                above: true,
                size: q(9, 10),
                distance: q(6, 10),
                path: 4_000_000,
                families: [q(2, 10), none, none, ONE, none],
                forces: forces(q(16, 10), q(5, 10), q(18, 10), 0, 0),
                fresh: ONE,
                cover: q(9, 10),
                want: [30_426, 45_371, 12_887, 48_209, 14_337, 14_744],
                label: label::RUN,
            },
            Row {
                above: false,
                size: q(7, 10),
                distance: q(8, 10),
                path: 12_000_000,
                families: [0, q(1, 10), q(2, 10), none, none],
                forces: forces(q(6, 10), q(1, 10), q(12, 10), q(4, 10), q(3, 10)),
                fresh: q(9, 10),
                cover: q(9, 10),
                want: [19_841, 28_086, 38_644, 13_496, 11_669, 8_940],
                label: label::HOLD,
            },
            Row {
                above: true,
                size: ONE,
                distance: 3 * ONE,
                path: 20_000_000,
                families: [none; FAMILIES.len()],
                forces: forces(q(9, 10), 0, q(15, 10), 0, 0),
                fresh: ONE,
                cover: ONE,
                want: [115, 20_338, 0, 34_404, 5, 57],
                label: label::UNDECIDED,
            },
        ];
        for row in rows {
            let lambda = lambda(9_000_000, row.path);
            let touch = touch(hit(row.distance), lambda);
            let kappa = kappa(&row.families);
            let run = Taught::zeroed().run(
                &Forces {
                    kappa,
                    ..row.forces
                }
                .terms(),
            );
            let rank = rank(&Worth {
                size: row.size,
                touch,
                kappa,
                fresh: row.fresh,
                cover: row.cover,
                thin: ONE,
            });
            let way = direction(row.above, touch, run);
            assert_eq!([touch, lambda, kappa, run, way, rank], row.want);
            assert_eq!(label_of(run), row.label);
        }
    }

    #[test]
    fn what_is_not_known_decides_nothing() {
        assert_eq!(lambda(0, 0), ONE / 2);
        assert_eq!(lambda(-5, 7), 0);
        assert_eq!(kappa(&[UNKNOWN; FAMILIES.len()]), 0);
        assert_eq!(kappa(&[0; FAMILIES.len()]), ONE);
        let neutral = Forces {
            gain: ONE,
            speed: 0,
            heat: ONE,
            kappa: 0,
            absorbed: 0,
            history: 0,
            through: 0,
        };
        let run = Taught::zeroed().run(&neutral.terms());
        assert_eq!((run, label_of(run)), (ONE / 2, 1));
        assert_eq!(direction(true, ONE, ONE / 2), 0);
    }

    #[test]
    fn a_narrow_zone_is_run_through_easily() {
        // As far back as on: one half. Ten times as far on: one in eleven.
        assert_eq!(through(80, 20, 100), 0);
        assert!((through(950, 50, 100) - q16(-2_302_585, 1_000_000)).abs() <= 2);
        assert!(through(i64::MAX, i64::MAX, 0) < -40 * ONE && through(0, 0, i64::MAX) > 40 * ONE);
        assert_eq!(through(-5, 1, 1), 0);
    }

    /// The same in floats, of all that was seen anew at every touch, by elimination.
    struct Twin {
        scale: f64,
        constant: f64,
        /// What judgement made of each, and what it counts for.
        seen: Vec<(f64, f64)>,
    }

    impl Twin {
        fn judged(terms: &[f64; TERMS]) -> f64 {
            let weights = [1.0, 0.6, 0.4, -1.0, -0.8, -0.6, 1.0, 0.0];
            let sum: f64 = terms.iter().zip(weights).map(|(t, w)| t * w).sum();
            sum.clamp(-8.0, 8.0)
        }
        fn said(&self, terms: &[f64; TERMS]) -> f64 {
            let x = self.scale * Self::judged(terms) + self.constant;
            1.0 / (1.0 + (-x.clamp(-8.0, 8.0)).exp())
        }
        fn learn(&mut self, terms: &[f64; TERMS], ran: bool) {
            let judged = Self::judged(terms);
            let sum = |power: i32| -> f64 {
                let each = self.seen.iter().map(|(z, counts)| counts * z.powi(power));
                each.sum()
            };
            let (squared, both, alone) = (sum(2) + 4.0, sum(1), sum(0) + 0.25);
            let whole = squared * alone - both * both;
            let way = [
                (alone * judged - both) / whole,
                (squared - both * judged) / whole,
            ];
            let open = way[0] * judged + way[1];
            let said = (self.scale * judged + self.constant).clamp(-8.0, 8.0);
            let (mut odds, mut wrong) = (said, 0.0);
            // A tenth of the way each time, for the whole may be too long.
            for _ in 0..2_000 {
                wrong = f64::from(u8::from(ran)) - 1.0 / (1.0 + (-odds).exp());
                odds += 0.1 * (said + open * wrong - odds);
            }
            self.scale += way[0] * wrong;
            self.constant += way[1] * wrong;
            let chance = f64::from(u8::from(ran)) - wrong;
            self.seen.push((judged, chance * (1.0 - chance)));
            let all: f64 = self.seen.iter().map(|(_, counts)| counts).sum();
            let keep = 64.0 / all.max(64.0);
            self.seen.iter_mut().for_each(|(_, counts)| *counts *= keep);
        }
    }

    fn forces(terms: &[f64; TERMS]) -> Forces {
        let q = |at: usize| (terms[at] * ONE as f64).round() as i64;
        Forces {
            gain: q(0) + ONE,
            speed: q(1),
            heat: q(2) + ONE,
            kappa: q(3),
            absorbed: q(4),
            history: q(5),
            through: q(6),
        }
    }

    /// A world whose zones run seldom, and by a third of what judgement says.
    #[test]
    fn what_closes_teaches_as_its_twin_says() {
        let mut seed = 7u64;
        let mut unit = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 11) as f64 / (1u64 << 53) as f64
        };
        let (mut taught, mut twin) = (
            Taught::zeroed(),
            Twin {
                scale: 1.0,
                constant: 0.0,
                seen: Vec::new(),
            },
        );
        let mut lost = [0.0; 2];
        for touch in 0..3_000 {
            let mut terms = [0.0; TERMS];
            terms[0] = 3.0 * unit() - 1.0;
            terms[1] = 2.0 * unit();
            terms[2] = 2.0 * unit();
            terms[3] = unit();
            terms[5] = 2.0 * unit() - 1.0;
            terms[6] = -2.0 * unit();
            terms[7] = 1.0;
            let x = Twin::judged(&terms) / 3.0 - 1.0;
            let ran = unit() < 1.0 / (1.0 + (-x).exp());
            let kept = forces(&terms).terms();
            let (said, float) = (taught.run(&kept), twin.said(&terms));
            assert!(
                (said as f64 / ONE as f64 - float).abs() < 4e-3,
                "{touch}: {said} {float}"
            );
            let loss = |said: f64| -if ran { said.ln() } else { (1.0 - said).ln() };
            if touch >= 100 {
                lost[0] += loss(float);
                lost[1] += loss(Taught::zeroed().run(&kept) as f64 / ONE as f64);
            }
            taught.learn(&kept, ran);
            twin.learn(&terms, ran);
        }
        assert!(lost[0] < 0.8 * lost[1], "{lost:?}");
        let weights = taught.weights().map(|weight| weight as f64 / ONE as f64);
        assert!((weights[0] - 0.333).abs() < 0.15, "{weights:?}");
        assert!((weights[7] + 1.0).abs() < 0.3, "{weights:?}");
        assert!(
            (weights[4] + 0.8 * weights[0]).abs() < 1e-4,
            "judgement is scaled whole: {weights:?}"
        );
        // Told and taken up it is the same, and nothing else is taken up.
        assert_eq!(taught.touches, 3_000);
        let words = taught.words();
        assert_eq!(
            (words.len(), Taught::of_words(&words)),
            (WORDS, Some(taught))
        );
        for at in 0..WORDS {
            let mut bad = words.clone();
            bad[at] = i64::MIN;
            assert_eq!(Taught::of_words(&bad), None, "{at}");
            assert_eq!(Taught::of_words(&words[..at]), None, "{at}");
        }
        assert_eq!(Taught::of_words(&[words, vec![0]].concat()), None);
        assert_eq!(Taught::of_words(&[0; WORDS]), None);
        // Surer of both at once than of each.
        let known = [FORM, 5, 0, 0, 0, 8 * SUREST, 0];
        assert_eq!(Taught::of_words(&known), None);
    }

    /// Touch by touch it comes to what is the likeliest of all touches at once.
    #[test]
    fn touches_one_by_one_teach_what_they_teach_together() {
        let mut seed = 11u64;
        let mut unit = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut taught = Taught::zeroed();
        let mut all = Vec::new();
        for _ in 0..40 {
            let width = -4.0 * unit();
            let ran = unit() < 1.0 / (1.0 + (-(0.5 * width + 0.5)).exp());
            let mut terms = [0.0; TERMS];
            terms[6] = width;
            taught.learn(&forces(&terms).terms(), ran);
            all.push((width, f64::from(u8::from(ran))));
        }
        // Uphill on the whole of it, in steps that are small enough.
        let (mut scale, mut constant) = (1.0, 0.0);
        for _ in 0..20_000 {
            let (mut up, mut over) = (-4.0 * (scale - 1.0), -0.25 * constant);
            for (z, ran) in &all {
                let wrong = ran - 1.0 / (1.0 + (-(scale * z + constant)).exp());
                up += wrong * z;
                over += wrong;
            }
            scale += 0.01 * up;
            constant += 0.01 * over;
        }
        let moved = taught.moved.map(|moved| moved as f64 / ONE as f64);
        assert!(
            (moved[0] + 1.0 - scale).abs() < 0.06 && (moved[1] - constant).abs() < 0.15,
            "{moved:?} {scale} {constant}"
        );
    }

    /// A zone that was as good as sure to hold runs, before anything else was seen: then nothing is known, not the
    /// contrary.
    #[test]
    fn one_surprise_is_no_certainty() {
        let terms = [0, 0, 0, 0, 0, 0, -4 * ONE as i32];
        for (terms, ran) in [(terms, true), (terms.map(|term| -term), false)] {
            let mut taught = Taught::zeroed();
            let far = |taught: &Taught| (taught.run(&terms) - ONE / 2).abs();
            assert!(far(&taught) > q(48, 100));
            taught.learn(&terms, ran);
            assert!(far(&taught) < q(5, 100), "{}", taught.run(&terms));
        }
    }

    proptest! {
        #[test]
        fn whatever_was_learned_is_a_share(
            lessons in prop::collection::vec((any::<[i64; 7]>(), any::<bool>()), 0..40),
            numbers in any::<[i64; 7]>(),
        ) {
            let of = |[gain, speed, heat, kappa, absorbed, history, through]: [i64; 7]| {
                Forces { gain, speed, heat, kappa, absorbed, history, through }.terms()
            };
            let mut taught = Taught::zeroed();
            for (numbers, ran) in lessons {
                taught.learn(&of(numbers), ran);
            }
            prop_assert!((0..=ONE).contains(&taught.run(&of(numbers))));
            prop_assert_eq!(Taught::of_words(&taught.words()), Some(taught));
        }

        #[test]
        fn every_answer_is_a_share_and_directions_mirror(
            numbers in prop::array::uniform12(any::<i64>())
        ) {
            let [a, b, c, d, e, f, g, h, i, j, k, l] = numbers;
            let share = |x: i64| (0..=ONE).contains(&x);
            let _ = through(a, b, c);
            let kappa = kappa(&[a, b, c, d, e]);
            let lambda = lambda(f, g);
            let touch = touch(hit(h), lambda);
            let forces = Forces { gain: i, speed: j, heat: k, kappa, absorbed: l, history: a, through: b };
            let run = Taught::zeroed().run(&forces.terms());
            let of = |x: i64| x.rem_euclid(ONE + 1);
            let worth = Worth { size: of(b), touch, kappa, fresh: of(c), cover: of(d), thin: of(e) };
            prop_assert!(share(kappa) && share(lambda) && share(touch) && share(run) && share(rank(&worth)));
            prop_assert_eq!(direction(true, touch, run), -direction(false, touch, run));
        }
    }
}
