//! Heat: price × time, how much would be force-closed where, in absolute USD.
//!
//! A cell of the picture is the sum of the buckets it covers; the unit under the colour bar says how many basis
//! points that is, so the same colour is the same density wherever it stands. The colours are logarithmic, from what
//! a third of the cells are below to what one in a thousand is above. The mark is a white line over its high and low,
//! printed liquidations are dots whose area is their USD (a small circle is drawn for the smallest so that it is
//! seen), hot zones as last seen are frames with labels. On the right the map as it stands at the end. Hatched: not
//! recorded, or no map.

use super::canvas::{At, Canvas, Pen};
use super::colour::{self, Ramp};
use super::frame;
use super::scale::{length, near, price, stamp, ticks, times, usd};
use super::{PlotError, Size};
use crate::health::flag;
use crate::historian::Level;
use crate::historian::column::Column;
use crate::shm::record::{PROOFS, ZoneRecord};
use crate::time::Nanos;
use plotters::style::{Color, RGBColor};

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

/// Log price of a bucket's width.
const BUCKET: f64 = 0.000_2;
/// Decades of the colour bar, at least and at most.
const DECADES: (f64, f64) = (1.0, 4.0);
/// Units of a row of cells at least.
const ROW: f64 = 5.0;
/// Most zone labels a side.
const LABELS: usize = 4;

/// Edges of the panels, in units.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Right end of the profile.
    profile: f64,
}

/// Prices as rows.
struct Rows {
    /// First cell and cells of a row.
    first: i64,
    each: i64,
    count: usize,
    merge: i64,
}

impl Rows {
    /// Log price of the lowest edge, and of a row's height.
    fn edges(&self) -> (f64, f64) {
        let cell = self.merge as f64 * BUCKET;
        (self.first as f64 * cell, self.each as f64 * cell)
    }
    fn of_cell(&self, cell: i64) -> Option<usize> {
        let row = (cell - self.first).div_euclid(self.each);
        usize::try_from(row).ok().filter(|row| *row < self.count)
    }
    fn bps(&self) -> f64 {
        (self.each * self.merge * 2) as f64
    }
}

/// Log of a price in its steps of 1e-10.
fn ln(e10: i64) -> f64 {
    (e10.max(1) as f64).ln()
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
    if let Some(newest) = newest {
        zones(&pen, newest, &frame, (low, high), &across, &down)?;
    }
    path(&pen, heat, &frame, &across, &down)?;
    let biggest = dots(&pen, heat, &across, &down, &frame)?;
    header(&pen, heat, last, newest)?;
    footer(&pen, heat, depth, &ramp, bounds, rows.bps(), biggest)?;
    drop(pen);
    canvas.png()
}

/// How far from the mark half of a column's money lies, log.
fn half_way(column: &Column, cell: f64) -> Option<f64> {
    let mark = ln(column.head.close_e10) / cell;
    let all = column.halves.iter().flat_map(|strip| strip.cells());
    let mut away: Vec<(f64, f64)> = all
        .map(|(at, cents)| ((at as f64 + 0.5 - mark).abs() * cell, cents as f64))
        .collect();
    away.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut left: f64 = away.iter().map(|(_, cents)| cents).sum::<f64>() / 2.0;
    let far = away.iter().find(|(_, cents)| {
        left -= cents;
        left <= 0.0
    });
    far.map(|(away, _)| *away)
}

/// The prices that are shown: the mark's path, and around the mark what holds half of the map's money.
fn rows(heat: &Heat<'_>, frame: &Frame) -> Rows {
    let merge = heat.level.merge.max(1);
    let cell = merge as f64 * BUCKET;
    let (mut path_low, mut path_high) = (f64::MAX, f64::MIN);
    for column in heat.columns {
        path_low = path_low.min(ln(column.head.low_e10));
        path_high = path_high.max(ln(column.head.high_e10));
    }
    let newest = heat
        .columns
        .iter()
        .rev()
        .find(|column| column.head.mapped > 0);
    let far = newest
        .and_then(|newest| half_way(newest, cell))
        .unwrap_or(0.02);
    // What holds half the money may be far: the path must stay a path.
    let path = path_high - path_low;
    let most = (3.0 * path).clamp(0.03, 0.6);
    let mark = heat
        .columns
        .last()
        .map_or(0.0, |column| ln(column.head.close_e10));
    let (low, high) = match heat.reach {
        Some(share) => (mark - share.ln_1p(), mark + share.ln_1p()),
        None => {
            let reach = far.clamp(path.clamp(0.004, most), most);
            let room = 0.1 * reach;
            (
                (mark - reach).min(path_low - room),
                (mark + reach).max(path_high + room),
            )
        }
    };
    let (first, last) = ((low / cell).floor() as i64, (high / cell).ceil() as i64);
    let most = ((frame.bottom - frame.top) / ROW).max(10.0);
    let each = (((last - first) as f64 / most).ceil() as i64).max(1);
    let first = first.div_euclid(each) * each;
    Rows {
        first,
        each,
        count: usize::try_from((last - first).div_euclid(each) + 1).unwrap_or(1),
        merge,
    }
}

/// Cents of every row, lowest first; `None` for a column without a map.
fn sums(column: &Column, rows: &Rows) -> Option<Vec<f64>> {
    (column.head.mapped > 0).then(|| {
        let mut sums = vec![0.0; rows.count];
        for (cell, cents) in column.halves.iter().flat_map(|strip| strip.cells()) {
            if let Some(sum) = rows.of_cell(cell).and_then(|row| sums.get_mut(row)) {
                *sum += cents as f64;
            }
        }
        sums
    })
}

/// Cents that the darkest and the brightest colour stand for: round numbers that a third of the cells are below, and
/// one in a thousand above.
fn bounds(cells: &[Option<Vec<f64>>]) -> (f64, f64) {
    let all = cells.iter().flatten().flatten().copied();
    let mut all: Vec<f64> = all.filter(|cents| *cents > 0.0).collect();
    all.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (all.len() as f64 * share) as usize;
        all.get(place.min(all.len().saturating_sub(1))).copied()
    };
    let top = near(at(0.999).unwrap_or(0.0) / 100.0);
    let low = near(at(0.33).unwrap_or(0.0) / 100.0);
    let [least, most] = [DECADES.1, DECADES.0].map(|decades| top / 10f64.powf(decades));
    (low.clamp(least, most) * 100.0, top * 100.0)
}

/// The map at the end: a bar a row.
fn profile(
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

fn axes(
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
fn path(
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
fn dots(
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

fn zones(
    pen: &Pen<'_>,
    column: &Column,
    frame: &Frame,
    (low, high): (f64, f64),
    across: &impl Fn(Nanos) -> f64,
    down: &impl Fn(f64) -> f64,
) -> Result<(), PlotError> {
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
                let text = format!("{text} · {age}");
                // Before the frame when there is room, else at the edge.
                let room = pen.width(&text, 24.0, true) + 30.0;
                let left = (x - 8.0 - room).max(frame.left + 6.0);
                let plate = colour::PAPER.mix(0.8);
                pen.plate((left, y), &text, 24.0, tint, plate, At::Left)?;
            }
        }
    }
    Ok(())
}

fn header(
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
    pen.text((30.0, 218.0), &text, 25.0, true, colour::WARN, At::Left)?;
    Ok(())
}

fn footer(
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
