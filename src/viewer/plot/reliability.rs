//! Reliability: what was predicted against what came, bin by bin, both in USD on logarithmic axes.
//!
//! On the diagonal a map is right; above it more came than was said. A dot's area is how many cells stand behind it. A
//! bin in which nothing came has no place on a logarithmic axis: it is drawn at the foot, hollow.

use super::canvas::{At, Canvas};
use super::colour;
use super::frame;
use super::scale::usd;
use super::{PlotError, Size};
use plotters::style::Color;

/// One bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Mean that was predicted, USD.
    pub predicted_usd: f64,
    /// Mean that came, USD.
    pub realised_usd: f64,
    /// Rows in it: periods and sides, or cells.
    pub n: f64,
}

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Reliability<'a> {
    /// Canonical asset.
    pub symbol: &'a str,
    /// Where it comes from.
    pub source: &'a str,
    /// What the proof says, when it says so.
    pub outcome: Option<&'a str>,
    /// The bins, in any order.
    pub bins: &'a [Bin],
    /// They are of the map that has seen what opened within the period.
    pub is_nowcast: bool,
}

/// Draws the picture, as PNG.
///
/// # Errors
/// Nothing to draw, a size that is none.
pub fn draw(of: &Reliability<'_>, size: Size) -> Result<Vec<u8>, PlotError> {
    let sound = |bin: &&Bin| bin.predicted_usd > 0.0 && bin.realised_usd >= 0.0 && bin.n > 0.0;
    let finite = |bin: &&Bin| {
        bin.predicted_usd.is_finite() && bin.realised_usd.is_finite() && bin.n.is_finite()
    };
    let mut bins: Vec<&Bin> = of.bins.iter().filter(sound).filter(finite).collect();
    if bins.is_empty() {
        return Err(PlotError::Nothing(format!(
            "no bins of {} to draw",
            of.symbol
        )));
    }
    bins.sort_by(|a, b| a.predicted_usd.total_cmp(&b.predicted_usd));
    let mut canvas = Canvas::new(size)?;
    let depth = canvas.depth();
    let amounts = bins
        .iter()
        .flat_map(|bin| [bin.predicted_usd, bin.realised_usd])
        .filter(|usd| *usd > 0.0);
    let (least, most) = amounts.fold((f64::MAX, f64::MIN), |(a, b), usd| (a.min(usd), b.max(usd)));
    let (low, high) = ((least.log10() - 0.15).floor(), (most.log10() + 0.15).ceil());
    let (left, right, top, bottom) = (150.0, 1_035.0, 212.0, (depth - 190.0).max(330.0));
    let share = |usd: f64| (usd.log10() - low) / (high - low);
    let across = |usd: f64| left + share(usd) * (right - left);
    let down = |usd: f64| bottom - share(usd) * (bottom - top);

    let pen = canvas.pen();
    frame::title(&pen, of.symbol, "predicted and realised", 44.0)?;
    if let Some(word) = of.outcome {
        frame::plate(&pen, 56.0, &word.to_ascii_uppercase())?;
    }
    let cells: f64 = bins.iter().map(|bin| bin.n).sum();
    let text = format!(
        "n = {cells:.0} in {} bins; above the line more came than was said",
        bins.len()
    );
    pen.text((30.0, 124.0), &text, 30.0, false, colour::QUIET, At::Left)?;
    pen.text(
        (30.0, 168.0),
        "realised USD",
        26.0,
        true,
        colour::INK,
        At::Left,
    )?;
    pen.block((left, top), (right, bottom), colour::PANEL.mix(1.0))?;
    let every = ((high - low) / 8.0).ceil().max(1.0) as i32;
    for decade in (low as i32..=high as i32).step_by(every.unsigned_abs() as usize) {
        let amount = 10f64.powi(decade);
        let (x, y) = (across(amount), down(amount));
        pen.line(&[(left, y), (right, y)], colour::FAINT.mix(1.0), 1.0)?;
        pen.line(&[(x, top), (x, bottom)], colour::FAINT.mix(1.0), 1.0)?;
        pen.text(
            (left - 10.0, y),
            &usd(amount),
            26.0,
            false,
            colour::QUIET,
            At::Right,
        )?;
        pen.text(
            (x, bottom + 28.0),
            &usd(amount),
            26.0,
            false,
            colour::QUIET,
            At::Middle,
        )?;
    }
    let ends = [10f64.powf(low), 10f64.powf(high)];
    // Twice too much and twice too little, and exactly right.
    let near = 2f64.log10() / (high - low);
    let band = [
        (left, bottom - near * (bottom - top)),
        (right - near * (right - left), top),
        (right, top),
        (right, top + near * (bottom - top)),
        (left + near * (right - left), bottom),
        (left, bottom),
    ];
    pen.shape(&band, colour::INK.mix(0.07))?;
    pen.line(
        &ends.map(|usd| (across(usd), down(usd))),
        colour::INK.mix(0.7),
        2.5,
    )?;
    let line: Vec<(f64, f64)> = bins
        .iter()
        .filter(|bin| bin.realised_usd > 0.0)
        .map(|bin| (across(bin.predicted_usd), down(bin.realised_usd)))
        .collect();
    pen.line(&line, colour::SHORT.mix(0.6), 3.0)?;
    let largest = bins.iter().map(|bin| bin.n).fold(1.0, f64::max);
    for bin in &bins {
        let radius = (22.0 * (bin.n / largest).sqrt()).max(5.0);
        if bin.realised_usd > 0.0 {
            pen.dot(
                (across(bin.predicted_usd), down(bin.realised_usd)),
                radius,
                colour::SHORT.mix(1.0),
            )?;
        } else {
            let at = (across(bin.predicted_usd), bottom);
            pen.dot(at, radius, colour::QUIET.mix(1.0))?;
            pen.dot(at, (radius - 5.0).max(1.0), colour::PANEL.mix(1.0))?;
        }
    }
    pen.text(
        (f64::midpoint(left, right), bottom + 70.0),
        "predicted USD",
        26.0,
        true,
        colour::INK,
        At::Middle,
    )?;
    let whose = if of.is_nowcast {
        " Updated map (nowcast)."
    } else {
        ""
    };
    let reading = format!("Band: a factor of two. Area: rows.{whose}");
    frame::foot(&pen, depth, &reading, of.source)?;
    drop(pen);
    canvas.png()
}
