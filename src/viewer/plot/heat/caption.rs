//! Caption: the words above the picture and below it: sums with their intervals, since when, what is to be doubted,
//! and how colours and dots are read.

use super::super::canvas::{At, Pen};
use super::super::colour::{self, Ramp};
use super::super::scale::{stamp, usd};
use super::super::{PlotError, frame};
use super::Heat;
use crate::health::flag;
use crate::historian::column::Column;
use crate::shm::record::PROOFS;
use crate::time::Nanos;
use plotters::style::Color;

pub(super) fn header(
    pen: &Pen<'_>,
    heat: &Heat<'_>,
    last: &Column,
    newest: Option<&Column>,
) -> Result<(), PlotError> {
    frame::title(pen, heat.symbol, "liquidation map", 44.0)?;
    let proof = usize::try_from(last.head.proof).unwrap_or(0);
    frame::plate(pen, 56.0, PROOFS.get(proof).copied().unwrap_or(PROOFS[0]))?;
    let stretch = format!(
        "{}  to  {} UTC",
        stamp(
            heat.from
                .max(heat.columns.first().map_or(heat.from, Column::start))
        ),
        stamp(Nanos::new(last.head.last_ns)),
    );
    let one = last.head.last_ns < heat.from.plus(heat.level.span).get();
    let text = if one {
        format!("as of {} UTC", stamp(Nanos::new(last.head.last_ns)))
    } else {
        format!("{stretch},  {} columns", heat.level.name)
    };
    pen.text((30.0, 120.0), &text, 30.0, false, colour::QUIET, At::Left)?;
    match newest {
        None => {
            pen.text(
                (30.0, 172.0),
                "no map yet: no open interest was heard",
                34.0,
                true,
                colour::WARN,
                At::Left,
            )?;
        }
        Some(newest) => {
            let parts = [
                (0, "longs below", colour::LONG),
                (1, "shorts above", colour::SHORT),
            ]
            .map(|(h, word, tint)| {
                let total = usd(newest.halves[h].total() as f64 / 100.0);
                let [low, high] = newest.head.intervals[h];
                let band = if low >= 0 && high >= low {
                    format!(
                        ", 80 % {}–{}",
                        usd(low as f64 / 100.0),
                        usd(high as f64 / 100.0)
                    )
                } else {
                    String::new()
                };
                (total, format!("{word}{band}"), tint)
            });
            // Smaller type when it would leave the picture.
            let room = 1_020.0 - 2.0 * 10.0 - 34.0;
            let wide = parts.iter().fold(0.0, |wide, (total, rest, _)| {
                wide + pen.width(total, 38.0, true) + pen.width(rest, 28.0, false)
            });
            let fit = (room / wide).min(1.0);
            let mut x = 30.0;
            for (total, rest, tint) in &parts {
                x += pen.text((x, 172.0), total, 38.0 * fit, true, *tint, At::Left)? + 10.0;
                let at = (x, 174.0);
                x += pen.text(at, rest, 28.0 * fit, false, colour::INK, At::Left)? + 34.0;
            }
        }
    }
    let told = flag::PRIOR
        | flag::GAP
        | flag::TIERS_ASSUMED
        | flag::MARK_STALE
        | flag::INTEREST_STALE
        | flag::TRADES_STALE
        | flag::DISCONNECTED
        | flag::HALTED
        | flag::DELISTED
        | flag::MAINTENANCE;
    let mut notes: Vec<&str> = flag::names(last.head.flags & told).collect();
    let short = heat
        .columns
        .iter()
        .any(|column| column.head.mapped < column.head.samples);
    if short {
        notes.push("PART WITHOUT MAP");
    }
    if notes.is_empty() {
        return Ok(());
    }
    let text = format!("in the last {}: {}", heat.level.name, notes.join("  "));
    let fit = (1_020.0 / pen.width(&text, 25.0, true)).min(1.0);
    pen.text(
        (30.0, 218.0),
        &text,
        25.0 * fit,
        true,
        colour::WARN,
        At::Left,
    )?;
    Ok(())
}

pub(super) fn footer(
    pen: &Pen<'_>,
    heat: &Heat<'_>,
    depth: f64,
    ramp: &Ramp,
    (dark, bright): (f64, f64),
    bps: f64,
    biggest: f64,
) -> Result<(), PlotError> {
    let (left, right, y) = (30.0, 1_050.0, depth - 176.0);
    let steps = 255;
    for step in 0..steps {
        let share = |n: i32| left + f64::from(n) / f64::from(steps) * (right - left);
        let tint = ramp.at(f64::from(step) / f64::from(steps));
        pen.block((share(step), y), (share(step + 1), y + 30.0), tint.mix(1.0))?;
    }
    // The ends, and the powers of ten between them that have room.
    let (low, high) = ((dark / 100.0).log10(), (bright / 100.0).log10());
    let between = (low.ceil() as i32..=high.floor() as i32).map(|n| 10f64.powi(n));
    let x = |amount: f64| left + (amount.log10() - low) / (high - low) * (right - left);
    let below = format!("≤ {}", usd(dark / 100.0));
    pen.text((left, y + 50.0), &below, 26.0, false, colour::INK, At::Left)?;
    let above = format!("≥ {}", usd(bright / 100.0));
    pen.text(
        (right, y + 50.0),
        &above,
        26.0,
        false,
        colour::INK,
        At::Right,
    )?;
    for amount in between.filter(|amount| x(*amount) > left + 170.0 && x(*amount) < right - 170.0) {
        let line = [(x(amount), y + 30.0), (x(amount), y + 36.0)];
        pen.line(&line, colour::QUIET.mix(1.0), 2.0)?;
        pen.text(
            (x(amount), y + 50.0),
            &usd(amount),
            26.0,
            false,
            colour::INK,
            At::Middle,
        )?;
    }
    let unit = format!(
        "USD force-closed when the mark gets there, per {bps:.0} bp of price (log colours)"
    );
    pen.text(
        (30.0, y - 20.0),
        &unit,
        25.0,
        false,
        colour::QUIET,
        At::Left,
    )?;
    let y = depth - 84.0;
    let mut x = 30.0;
    if biggest > 0.0 {
        for (word, tint) in [("longs", colour::LONG), ("shorts", colour::SHORT)] {
            pen.dot((x + 12.0, y), 10.0, tint.mix(1.0))?;
            x += 32.0;
            x += pen.text(
                (x, y),
                &format!("{word} liquidated"),
                25.0,
                false,
                colour::INK,
                At::Left,
            )? + 26.0;
        }
        let text = format!("largest {}", usd(biggest));
        x += pen.text((x, y), &text, 25.0, false, colour::QUIET, At::Left)? + 26.0;
    } else {
        x += pen.text(
            (x, y),
            "no liquidations printed in this time",
            25.0,
            false,
            colour::QUIET,
            At::Left,
        )? + 26.0;
    }
    pen.text(
        (x, y),
        "hatched: not recorded",
        25.0,
        false,
        colour::QUIET,
        At::Left,
    )?;
    frame::foot(pen, depth, "An estimate from public feeds.", heat.source)
}
