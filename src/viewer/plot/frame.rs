//! What stands around every picture: its title, the proof's word as a plate, its last line. Units are those of the
//! canvas, 1,080 across.

use super::PlotError;
use super::canvas::{At, Pen};
use super::colour;
use plotters::style::Color as _;

/// The symbol, large, and beside it what the picture is of.
pub(super) fn title(pen: &Pen<'_>, symbol: &str, what: &str, size: f64) -> Result<(), PlotError> {
    let wide = pen.text((30.0, 56.0), symbol, 60.0, true, colour::INK, At::Left)?;
    let at = (30.0 + wide + 22.0, 60.0);
    pen.text(at, what, size, false, colour::QUIET, At::Left)?;
    Ok(())
}

/// What the proof says, at the right edge: one of `PROOFS`.
pub(super) fn plate(pen: &Pen<'_>, y: f64, word: &str) -> Result<(), PlotError> {
    let tint = match word {
        "PROVEN" => colour::GOOD,
        "DISPROVEN" => colour::BAD,
        _ => colour::WARN,
    };
    let (at, ink) = ((1_050.0, y), colour::PAPER);
    pen.plate(at, word, 30.0, ink, tint.mix(1.0), At::Right)?;
    Ok(())
}

/// How to read it, what it was drawn from, and by which build.
pub(super) fn foot(
    pen: &Pen<'_>,
    depth: f64,
    reading: &str,
    source: &str,
) -> Result<(), PlotError> {
    let build = concat!("isotherm ", env!("CARGO_PKG_VERSION"));
    let text = format!("{reading}  {source}  ·  {build}");
    let at = (30.0, depth - 36.0);
    pen.text(at, &text, 23.0, false, colour::QUIET, At::Left)?;
    Ok(())
}
