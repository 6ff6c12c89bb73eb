//! Curve: how much would be force-closed if the mark went so far, longs to the left and shorts to the right.
//!
//! The shaded band is the 80 % interval of a holder's whole map, laid along the curve in proportion: what is uncertain
//! is above all the scale.

use super::canvas::{At, Canvas};
use super::colour;
use super::frame;
use super::scale::{price, round_up, stamp, ticks, usd};
use super::{PlotError, Size};
use crate::historian::column::{Column, Strip};
use crate::shm::record::PROOFS;
use crate::time::Nanos;
use plotters::style::Color;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a> {
    /// Canonical asset.
    pub symbol: &'a str,
    /// Where it comes from.
    pub source: &'a str,
    /// A column with a map.
    pub column: &'a Column,
    /// Buckets of a cell.
    pub merge: i64,
    /// Share of the mark to show on either side; `None` = 10 %.
    pub reach: Option<f64>,
}

/// Points of a cumulative curve, and its interval as factors of it.
type Side = (Vec<(f64, f64)>, [f64; 2]);

/// Points of a cumulative curve: how far the price moves, as a positive share of it, and cents up to there.
fn points(strip: &Strip, mark: f64, way: f64, merge: i64) -> Vec<(f64, f64)> {
    let cell = merge as f64 * 0.000_2;
    let mut away: Vec<(f64, f64)> = strip
        .cells()
        .map(|(at, cents)| (((at as f64 + 0.5) * cell - mark) * way, cents as f64))
        .collect();
    away.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut sum = 0.0;
    let mut all = vec![(0.0, 0.0)];
    for (distance, cents) in away {
        sum += cents;
        all.push(((way * distance.max(0.0)).exp_m1().abs(), sum));
    }
    all
}

/// Draws the picture, as PNG.
///
/// # Errors
/// Nothing to draw, a size that is none.
pub fn draw(curve: &Curve<'_>, size: Size) -> Result<Vec<u8>, PlotError> {
    let head = &curve.column.head;
    if head.mapped == 0 {
        return Err(PlotError::Nothing(format!(
            "there is no map of {} at that time",
            curve.symbol
        )));
    }
    let mut canvas = Canvas::new(size)?;
    let depth = canvas.depth();
    let reach = curve.reach.unwrap_or(0.10).clamp(0.002, 0.6);
    let mark = (head.close_e10.max(1) as f64).ln();
    let sides: Vec<Side> = [-1.0, 1.0]
        .iter()
        .zip(&curve.column.halves)
        .zip(head.intervals)
        .map(|((way, strip), [low, high])| {
            let all = points(strip, mark, *way, curve.merge);
            let whole = all.last().map_or(0.0, |(_, sum)| *sum).max(1.0);
            let band = if low >= 0 && high >= low {
                [low as f64 / whole, high as f64 / whole]
            } else {
                [1.0; 2]
            };
            let shown: Vec<(f64, f64)> =
                all.into_iter().filter(|(away, _)| *away <= reach).collect();
            (shown, band)
        })
        .collect();
    let most = sides
        .iter()
        .map(|(all, band)| all.last().map_or(0.0, |(_, sum)| *sum) * band[1].max(1.0))
        .fold(100.0, f64::max)
        * 1.05;
    let (left, right, top, bottom) = (30.0, 1_050.0, 250.0, (depth - 150.0).max(330.0));
    let middle = f64::midpoint(left, right);
    let across = |away: f64, way: f64| middle + way * away / reach * (right - left) / 2.0;
    let down = |cents: f64| bottom - cents / most * (bottom - top);

    let pen = canvas.pen();
    frame::title(&pen, curve.symbol, "force-closed if the mark moves", 40.0)?;
    let proof = usize::try_from(head.proof).unwrap_or(0);
    frame::plate(&pen, 120.0, PROOFS.get(proof).copied().unwrap_or(PROOFS[0]))?;
    let value = head.close_e10 as f64 / 1e10;
    let text = format!(
        "mark {}   ·   {} UTC",
        price(value, round_up(value / 20_000.0)),
        stamp(Nanos::new(head.last_ns))
    );
    pen.text((30.0, 120.0), &text, 30.0, false, colour::QUIET, At::Left)?;
    for (h, (x, stand, word)) in [
        (left, At::Left, "longs, if it falls"),
        (right, At::Right, "shorts, if it rises"),
    ]
    .into_iter()
    .enumerate()
    {
        let tint = [colour::LONG, colour::SHORT][h];
        let total = sides[h].0.last().map_or(0.0, |(_, sum)| *sum);
        let text = format!("{} {word} {:.0} %", usd(total / 100.0), reach * 100.0);
        pen.text((x, 190.0), &text, 32.0, true, tint, stand)?;
    }
    pen.block((left, top), (right, bottom), colour::PANEL.mix(1.0))?;
    for cents in ticks(0.0, most / 100.0, 7) {
        let y = down(cents * 100.0);
        pen.line(&[(left, y), (right, y)], colour::FAINT.mix(1.0), 1.0)?;
        if cents > 0.0 && y > top + 14.0 {
            pen.text(
                (middle + 8.0, y - 16.0),
                &usd(cents),
                24.0,
                false,
                colour::QUIET,
                At::Left,
            )?;
        }
    }
    for (h, ((all, band), way)) in sides.iter().zip([-1.0, 1.0]).enumerate() {
        let tint = [colour::LONG, colour::SHORT][h];
        // To the edge of the picture at the last height.
        let mut all = all.clone();
        if let Some((_, sum)) = all.last().copied() {
            all.push((reach, sum));
        }
        let at = |factor: f64| {
            all.iter()
                .map(move |(away, sum)| (across(*away, way), down(sum * factor)))
        };
        let shade: Vec<(f64, f64)> = at(band[1]).chain(at(band[0]).rev()).collect();
        if band[0] < band[1] {
            pen.shape(&shade, tint.mix(0.22))?;
        }
        let line: Vec<(f64, f64)> = at(1.0).collect();
        pen.line(&line, tint.mix(1.0), 4.0)?;
    }
    pen.line(
        &[(middle, top), (middle, bottom)],
        colour::INK.mix(0.8),
        2.0,
    )?;
    let step = round_up(reach * 100.0 / 4.0);
    for n in -10i32..=10 {
        let percent = f64::from(n) * step;
        let away = percent / 100.0;
        if away.abs() > reach * 1.001 {
            continue;
        }
        let x = across(away.abs(), if n < 0 { -1.0 } else { 1.0 });
        pen.line(
            &[(x, bottom), (x, bottom + 8.0)],
            colour::QUIET.mix(1.0),
            2.0,
        )?;
        let stand = match x {
            x if x < left + 50.0 => At::Left,
            x if x > right - 50.0 => At::Right,
            _ => At::Middle,
        };
        let text = if n == 0 {
            "mark".to_owned()
        } else {
            format!("{percent:+} %")
        };
        pen.text((x, bottom + 26.0), &text, 26.0, false, colour::INK, stand)?;
        let there = value * (1.0 + percent / 100.0);
        let text = price(there, round_up(value * step / 1_000.0));
        pen.text((x, bottom + 58.0), &text, 24.0, false, colour::QUIET, stand)?;
    }
    let told = head
        .intervals
        .iter()
        .all(|[low, high]| *low >= 0 && high >= low);
    let band = if told {
        "Shaded: the map's 80 % interval."
    } else {
        "No interval was told."
    };
    let reading = format!("{band}  From public feeds.");
    frame::foot(&pen, depth, &reading, curve.source)?;
    drop(pen);
    canvas.png()
}
