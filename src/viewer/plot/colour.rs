//! Colour: one ramp whose lightness rises evenly, and the few colours beside it.
//!
//! The ramp is made in OKLCH: lightness goes in a straight line from near black to near white, hue from violet over
//! red and orange to yellow. Holders are mint and blue, far from any colour of the ramp and, for eyes that do not
//! tell them apart, one much lighter than the other.

use plotters::style::RGBColor;

/// Behind everything.
pub(super) const PAPER: RGBColor = RGBColor(13, 15, 22);
/// Behind a panel.
pub(super) const PANEL: RGBColor = RGBColor(20, 22, 31);
/// Lines of hatching and of grids.
pub(super) const FAINT: RGBColor = RGBColor(52, 56, 72);
/// Text of second rank.
pub(super) const QUIET: RGBColor = RGBColor(160, 166, 184);
/// Text and the mark.
pub(super) const INK: RGBColor = RGBColor(245, 247, 252);
/// Longs.
pub(super) const LONG: RGBColor = RGBColor(130, 255, 210);
/// Shorts.
pub(super) const SHORT: RGBColor = RGBColor(112, 150, 255);
/// Warnings.
pub(super) const WARN: RGBColor = RGBColor(255, 209, 102);
/// What is shown to be good.
pub(super) const GOOD: RGBColor = RGBColor(120, 220, 170);
/// What is shown to be bad.
pub(super) const BAD: RGBColor = RGBColor(255, 120, 120);

/// Steps of the ramp.
const STEPS: usize = 256;

/// A ramp from nothing to most.
#[derive(Debug)]
pub(super) struct Ramp(Vec<RGBColor>);

impl Ramp {
    pub(super) fn new() -> Self {
        Self(
            (0..STEPS)
                .map(|step| of(step as f64 / (STEPS - 1) as f64))
                .collect(),
        )
    }

    /// The colour of a share of the most; clipped at both ends.
    pub(super) fn at(&self, share: f64) -> RGBColor {
        let step = (share.clamp(0.0, 1.0) * (STEPS - 1) as f64).round() as usize;
        self.0.get(step).copied().unwrap_or(PAPER)
    }
}

/// The colour at a share of the ramp.
fn of(share: f64) -> RGBColor {
    let lightness = 0.20 + 0.76 * share;
    // Violet 300°, through red 20°, to yellow 105°.
    let hue = (300.0 + 165.0 * share.powf(0.85)).to_radians();
    // Strong in the middle, weak at the ends, where few colours are.
    let chroma = 0.035 + 0.155 * (std::f64::consts::PI * share.powf(0.8)).sin().max(0.0);
    oklab(lightness, chroma * hue.cos(), chroma * hue.sin())
}

/// OKLab to sRGB, clipped.
fn oklab(lightness: f64, a: f64, b: f64) -> RGBColor {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let channel = |value: f64| {
        let value = value.clamp(0.0, 1.0);
        let bent = if value <= 0.003_130_8 {
            12.92 * value
        } else {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        };
        (bent * 255.0).round() as u8
    };
    RGBColor(
        channel(4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s),
        channel(-1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s),
        channel(-0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(RGBColor(r, g, b): RGBColor) -> f64 {
        let linear = |c: u8| (f64::from(c) / 255.0).powf(2.2);
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    #[test]
    fn more_is_lighter_at_every_step() {
        let ramp = Ramp::new();
        let steps: Vec<f64> = (0..=64)
            .map(|n| luminance(ramp.at(f64::from(n) / 64.0)))
            .collect();
        assert!(steps.windows(2).all(|two| two[1] > two[0]), "{steps:?}");
        assert!(steps[0] < 0.02 && steps[64] > 0.8);
        assert_eq!(ramp.at(-1.0), ramp.at(0.0));
        assert_eq!(ramp.at(f64::NAN), ramp.at(0.0));
    }
}
