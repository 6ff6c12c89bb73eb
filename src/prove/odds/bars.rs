//! Bars: rows of touches from a history that no page was heard of: the zones of the product's own engine, walked over
//! it, at every full hour, and whether the path came to them within the next.
//!
//! The chance is what the engine says without book and flow, by the path's own moves with a half-life of an hour as the
//! engine expects the next; the walk it is held against is by those of a day. Whether a zone ran or held a bar does not
//! show.

use super::{Row, Rows};
use crate::num::fixed::{self, ONE};
use crate::prove::direction::Mode;
use crate::prove::magnet::price::Path;
use crate::prove::magnet::{self, eye::Stood};
use crate::time::Nanos;
use crate::zone::odds::label;

/// A shorter hole between two steps is none.
const HOLE: Nanos = Nanos::new(10 * Nanos::SECOND.get());

/// True when the path is told without a hole from the end of a step to a moment.
fn is_whole(path: &Path, from: usize, until: Nanos) -> bool {
    let hole = HOLE.get().max(path.length.get() / 2);
    let close = |a: Nanos, b: Nanos| b.since(a).get() <= hole;
    let mut end = path.steps[from].end;
    for step in &path.steps[from + 1..] {
        if step.end > until {
            break;
        }
        if !close(end, step.start) {
            return false;
        }
        end = step.end;
    }
    close(end, until)
}

fn row(path: &Path, zone: &Stood, mode: &Mode) -> Result<Row, bool> {
    let step = path.steps[zone.step];
    let sigma = mode.sigma(path.sigma[zone.step]);
    if sigma <= 0.0 {
        return Err(false);
    }
    let until = step
        .end
        .plus(Nanos::new(mode.horizon * Nanos::MINUTE.get()));
    let reached = path.first_at(zone.step + 1, until, zone.level, zone.above);
    if !is_whole(path, zone.step, until) {
        return Err(true);
    }
    let way = (zone.level - step.close).abs();
    let [distance, expected] =
        [sigma, mode.sigma(path.expected[zone.step])].map(|sigma| way / sigma);
    let at = step.end.get().div_euclid(Nanos::MINUTE.get());
    let chance = fixed::hit_fat((expected * ONE as f64) as i64);
    Ok(Row {
        at,
        known: at + mode.horizon,
        zone: (0, zone.id),
        p: chance as f64 / ONE as f64,
        walk: super::reached(distance),
        near: -distance,
        label: label::NONE,
        happened: reached.is_ok(),
    })
}

/// Rows of a walk, in the order of time; none before the map was warm.
#[must_use]
pub fn rows(walked: &magnet::Walked, mode: &Mode) -> Rows {
    let path = &walked.path;
    let mut out = Rows::default();
    for zone in walked
        .seen
        .stood
        .iter()
        .filter(|zone| path.steps[zone.step].end >= walked.warm)
    {
        match row(path, zone, mode) {
            Ok(row) => out.add(row),
            Err(true) => out.left.unheard += 1,
            Err(false) => out.left.unknown += 1,
        }
    }
    out
}
