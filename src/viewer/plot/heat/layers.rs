//! Layers: what is drawn over the cells and beside them: axes, zones, the mark's path, liquidations, the map now.
//!
//! `across` and `down` place a time and a log price; what lies outside the panel is left out or cut at its edge.

use super::super::PlotError;
use super::super::canvas::{At, Canvas, Pen};
use super::super::colour::{self, Ramp};
use super::super::scale::{length, price, ticks, times, usd};
use super::rows::{Rows, ln};
use super::{Frame, Heat};
use crate::historian::column::Column;
use crate::shm::record::ZoneRecord;
use crate::time::Nanos;
use plotters::style::{Color, RGBColor};

/// Most zone labels a side.
const LABELS: usize = 4;

/// The map at the end: a bar a row.
pub(super) fn profile(
    canvas: &mut Canvas,
    frame: &Frame,
    rows: &Rows,
    cells: Option<Vec<f64>>,
    ramp: &Ramp,
    share: &impl Fn(f64) -> f64,
) {
    let unit = canvas.unit();
    let px = |units: f64| (units * unit).round() as i32;
    let left = frame.right + 8.0;
    let Some(cells) = cells else {
        canvas.hatch(px(left), px(frame.top), px(frame.profile), px(frame.bottom));
        return;
    };
    canvas.fill(
        px(left),
        px(frame.top),
        px(frame.profile),
        px(frame.bottom),
        colour::PANEL,
    );
    let most = cells.iter().copied().fold(0.0, f64::max).max(1.0);
    let edge =
        |row: usize| frame.bottom - row as f64 / rows.count as f64 * (frame.bottom - frame.top);
    for (row, cents) in cells.iter().enumerate().filter(|(_, cents)| **cents > 0.0) {
        let long = (cents / most).sqrt() * (frame.profile - left - 4.0);
        let colour = ramp.at(share(*cents).max(0.25));
        canvas.fill(
            px(left),
            px(edge(row + 1)),
            px(left + long).max(px(left) + 1),
            px(edge(row)),
            colour,
        );
    }
}

pub(super) fn axes(
    pen: &Pen<'_>,
    heat: &Heat<'_>,
    frame: &Frame,
    (low, high): (f64, f64),
    across: &impl Fn(Nanos) -> f64,
    down: &impl Fn(f64) -> f64,
) -> Result<(), PlotError> {
    let (bottom, top) = (low.exp() / 1e10, high.exp() / 1e10);
    let all = ticks(bottom, top, 12);
    let step = all
        .first()
        .zip(all.get(1))
        .map_or(top - bottom, |(a, b)| b - a);
    let mark = heat
        .columns
        .last()
        .map_or(0.0, |column| down(ln(column.head.close_e10)));
    for value in all {
        let y = down((value * 1e10).ln());
        pen.line(
            &[(frame.left, y), (frame.profile, y)],
            colour::INK.mix(0.10),
            1.0,
        )?;
        // The mark's own label stands there.
        if (y - mark).abs() > 30.0 && y > frame.top + 12.0 && y < frame.bottom - 12.0 {
            pen.text(
                (frame.profile + 10.0, y),
                &price(value, step),
                26.0,
                false,
                colour::QUIET,
                At::Left,
            )?;
        }
    }
    for (at, text) in times(heat.from, heat.to, 6) {
        let x = across(at);
        pen.line(
            &[(x, frame.top), (x, frame.bottom)],
            colour::INK.mix(0.10),
            1.0,
        )?;
        pen.line(
            &[(x, frame.bottom), (x, frame.bottom + 8.0)],
            colour::QUIET.mix(1.0),
            2.0,
        )?;
        if x > frame.left + 30.0 && x < frame.right - 30.0 {
            pen.text(
                (x, frame.bottom + 28.0),
                &text,
                26.0,
                false,
                colour::QUIET,
                At::Middle,
            )?;
        }
    }
    pen.text(
        (frame.right + 8.0, frame.bottom + 28.0),
        "the map now",
        24.0,
        false,
        colour::QUIET,
        At::Left,
    )?;
    if let Some(last) = heat.columns.last() {
        let value = last.head.close_e10 as f64 / 1e10;
        pen.line(
            &[(frame.left, mark), (frame.profile, mark)],
            colour::INK.mix(0.45),
            1.5,
        )?;
        let text = price(value, step / 10.0);
        pen.plate(
            (frame.profile + 4.0, mark),
            &text,
            26.0,
            colour::PAPER,
            colour::INK.mix(1.0),
            At::Left,
        )?;
    }
    Ok(())
}

/// The mark: a line through the closes, thin lines from low to high; nothing is drawn over a hole.
pub(super) fn path(
    pen: &Pen<'_>,
    heat: &Heat<'_>,
    frame: &Frame,
    across: &impl Fn(Nanos) -> f64,
    down: &impl Fn(f64) -> f64,
) -> Result<(), PlotError> {
    let y = |e10: i64| down(ln(e10)).clamp(frame.top, frame.bottom);
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut last = None;
    for column in heat.columns {
        let (start, head) = (column.start(), &column.head);
        let joined = last.is_some_and(|at: Nanos| start.since(at) <= heat.level.span);
        if !joined {
            runs.push(vec![(across(start), y(head.open_e10))]);
        }
        let end = across(start.plus(heat.level.span));
        let middle = f64::midpoint(across(start), end);
        let wick = [(middle, y(head.low_e10)), (middle, y(head.high_e10))];
        pen.line(&wick, colour::INK.mix(0.55), 1.5)?;
        if let Some(run) = runs.last_mut() {
            run.push((end, y(head.close_e10)));
        }
        last = Some(start);
    }
    for (colour, width) in [(colour::PAPER.mix(0.8), 6.0), (colour::INK.mix(1.0), 3.0)] {
        for run in &runs {
            pen.line(run, colour, width)?;
        }
    }
    Ok(())
}

/// Printed liquidations; answers the USD of the largest.
pub(super) fn dots(
    pen: &Pen<'_>,
    heat: &Heat<'_>,
    across: &impl Fn(Nanos) -> f64,
    down: &impl Fn(f64) -> f64,
    frame: &Frame,
) -> Result<f64, PlotError> {
    let half = Nanos::new(heat.level.span.get() / 2);
    let mut all: Vec<(f64, (f64, f64), RGBColor)> = Vec::new();
    for column in heat.columns {
        let x = across(column.start().plus(half));
        let head = &column.head;
        for (cents, e10, colour) in [
            (head.liquidated[0], head.low_e10, colour::LONG),
            (head.liquidated[1], head.high_e10, colour::SHORT),
        ] {
            let y = down(ln(e10));
            if cents > 0 && y > frame.top && y < frame.bottom {
                all.push((cents as f64 / 100.0, (x, y), colour));
            }
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let most = all.first().map_or(0.0, |(usd, _, _)| *usd);
    // What is a hundredth of the largest is no dot: there are many, and they say nothing.
    for (usd, at, colour) in all.iter().filter(|(usd, _, _)| *usd >= most / 100.0) {
        pen.dot(*at, radius(*usd, most), colour.mix(0.9))?;
    }
    Ok(most)
}

/// Area is money.
fn radius(usd: f64, most: f64) -> f64 {
    (18.0 * (usd / most.max(1e-9)).sqrt()).max(3.0)
}

/// What is said of a zone, and where.
pub(super) struct Label {
    at: (f64, f64),
    text: String,
    tint: RGBColor,
}

/// Frames of the hot zones; answers the labels of the heaviest, for they lie over everything else.
pub(super) fn zones(
    pen: &Pen<'_>,
    column: &Column,
    frame: &Frame,
    (low, high): (f64, f64),
    across: &impl Fn(Nanos) -> f64,
    down: &impl Fn(f64) -> f64,
) -> Result<Vec<Label>, PlotError> {
    let mut labels = Vec::new();
    for place in [0, 1] {
        let mut all: Vec<&ZoneRecord> = column
            .zones
            .iter()
            .filter(|zone| {
                // Of what was swept nothing is expected any more.
                let is_live = zone.place == place && zone.usd > 0;
                is_live && ln(zone.high_e10) > low && ln(zone.low_e10) < high
            })
            .collect();
        all.sort_by_key(|zone| core::cmp::Reverse(zone.usd));
        let mut taken: Vec<f64> = Vec::new();
        for (rank, zone) in all.iter().enumerate() {
            let born = Nanos::new(column.head.last_ns).plus(Nanos::seconds(-i64::from(zone.age_s)));
            // A young zone is still a frame that can be seen.
            let x = across(born).min(frame.right - 40.0);
            let clip = |y: f64| y.clamp(frame.top, frame.bottom);
            let (mut y0, mut y1) = (clip(down(ln(zone.high_e10))), clip(down(ln(zone.low_e10))));
            if y1 - y0 < 6.0 {
                let middle = f64::midpoint(y0, y1);
                (y0, y1) = (middle - 3.0, middle + 3.0);
            }
            let tint = if zone.holder == 0 {
                colour::LONG
            } else {
                colour::SHORT
            };
            pen.frame((x, y0), (frame.right, y1), tint.mix(0.95), 2.0)?;
            let y = f64::midpoint(y0, y1);
            let clear = taken.iter().all(|other| (y - other).abs() > 38.0);
            if rank < LABELS && clear && y > frame.top + 20.0 && y < frame.bottom - 20.0 {
                taken.push(y);
                let who = if zone.holder == 0 { "longs" } else { "shorts" };
                let leverage = match zone.leverage {
                    0 => String::new(),
                    x => format!(" {x}x"),
                };
                let text = format!("{} {who}{leverage}", usd(zone.usd as f64 / 100.0));
                let age = length(i64::from(zone.age_s));
                let text = format!("{text} · {age} old");
                // Before the frame when there is room, else at the edge.
                let room = pen.width(&text, 24.0, true) + 30.0;
                let left = (x - 8.0 - room).max(frame.left + 6.0);
                let at = (left, y);
                labels.push(Label { at, text, tint });
            }
        }
    }
    Ok(labels)
}

pub(super) fn told(pen: &Pen<'_>, labels: &[Label]) -> Result<(), PlotError> {
    for Label { at, text, tint } in labels {
        let plate = colour::PAPER.mix(0.8);
        pen.plate(*at, text, 24.0, *tint, plate, At::Left)?;
    }
    Ok(())
}
