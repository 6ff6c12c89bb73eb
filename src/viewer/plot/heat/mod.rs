//! Heat: price × time, how much would be force-closed where, in absolute USD.
//!
//! A cell of the picture is the sum of the buckets it covers; the unit under the colour bar says how many basis
//! points that is, so the same colour is the same density wherever it stands. The colours are logarithmic, from what
//! a third of the cells are below to what one in a thousand is above. The mark is a white line over its high and low,
//! printed liquidations are dots whose area is their USD (a small circle is drawn for the smallest so that it is
//! seen), hot zones as last seen are frames with labels. On the right the map as it stands at the end. Hatched: not
//! recorded, or no map.
//!
//! `rows` decides which prices are shown and sums the cells, `layers` draws over them, `caption` says how it is read.

mod caption;
mod layers;
mod rows;

use super::canvas::Canvas;
use super::colour::Ramp;
use super::{PlotError, Size};
use crate::historian::Level;
use crate::historian::column::Column;
use crate::time::Nanos;
use caption::{footer, header};
use layers::{axes, dots, path, profile, told, zones};
use rows::{bounds, rows, sums};

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Heat<'a> {
    /// Canonical asset.
    pub symbol: &'a str,
    /// Where it comes from, for the foot of the picture.
    pub source: &'a str,
    /// Whose columns they are.
    pub level: &'a Level,
    /// Oldest first, none twice.
    pub columns: &'a [Column],
    /// Begin of the picture.
    pub from: Nanos,
    /// End of the picture.
    pub to: Nanos,
    /// Share of the mark to show on either side; `None` = as much as the map asks for.
    pub reach: Option<f64>,
}

/// Edges of the panels, in units.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Right end of the profile.
    profile: f64,
}

/// Draws the picture, as PNG.
///
/// # Errors
/// Nothing to draw, a size that is none.
pub fn draw(heat: &Heat<'_>, size: Size) -> Result<Vec<u8>, PlotError> {
    let Some(last) = heat.columns.last() else {
        let nothing = format!("nothing is recorded of {} in that time", heat.symbol);
        return Err(PlotError::Nothing(nothing));
    };
    let mut canvas = Canvas::new(size)?;
    let depth = canvas.depth();
    let frame = Frame {
        left: 30.0,
        right: 780.0,
        top: 250.0,
        bottom: (depth - 262.0).max(400.0),
        profile: 922.0,
    };
    let rows = rows(heat, &frame);
    let newest = heat
        .columns
        .iter()
        .rev()
        .find(|column| column.head.mapped > 0);
    let cells: Vec<Option<Vec<f64>>> = heat
        .columns
        .iter()
        .map(|column| sums(column, &rows))
        .collect();
    let bounds = bounds(&cells);
    let ramp = Ramp::new();
    let (dark, bright) = (bounds.0.log10(), bounds.1.log10());
    let share = |cents: f64| (cents.max(1e-3).log10() - dark) / (bright - dark);
    let span = heat.to.since(heat.from).get().max(1) as f64;
    let across = |at: Nanos| {
        let gone = at.since(heat.from).get() as f64 / span;
        frame.left + gone.clamp(0.0, 1.0) * (frame.right - frame.left)
    };
    let (low, high) = rows.edges();
    let high = low + high * rows.count as f64;
    let down = |ln: f64| frame.bottom - (ln - low) / (high - low) * (frame.bottom - frame.top);

    // Cells: pixel by pixel, so that neither gaps nor overlaps show.
    let unit = canvas.unit();
    let px = |units: f64| (units * unit).round() as i32;
    canvas.hatch(
        px(frame.left),
        px(frame.top),
        px(frame.right),
        px(frame.bottom),
    );
    let edge =
        |row: usize| frame.bottom - row as f64 / rows.count as f64 * (frame.bottom - frame.top);
    for (column, cells) in heat.columns.iter().zip(&cells) {
        let (x0, x1) = (
            px(across(column.start())),
            px(across(column.start().plus(heat.level.span))),
        );
        let Some(cells) = cells else { continue };
        for (row, cents) in cells.iter().enumerate() {
            let colour = ramp.at(if *cents > 0.0 { share(*cents) } else { 0.0 });
            canvas.fill(x0, px(edge(row + 1)), x1.max(x0 + 1), px(edge(row)), colour);
        }
    }
    profile(
        &mut canvas,
        &frame,
        &rows,
        newest.and_then(|column| sums(column, &rows)),
        &ramp,
        &share,
    );

    let pen = canvas.pen();
    axes(&pen, heat, &frame, (low, high), &across, &down)?;
    let labels = match newest {
        Some(newest) => zones(&pen, newest, &frame, (low, high), &across, &down)?,
        None => Vec::new(),
    };
    path(&pen, heat, &frame, &across, &down)?;
    let biggest = dots(&pen, heat, &across, &down, &frame)?;
    told(&pen, &labels)?;
    header(&pen, heat, last, newest)?;
    footer(&pen, heat, depth, &ramp, bounds, rows.bps(), biggest)?;
    drop(pen);
    canvas.png()
}
