//! Derivatives: open interest and the perpetual's own prices. Open interest comes every 0.1 to 10 s, so its rows look
//! through the polled windows; a change over a window is known only after one whole window was seen.

use super::normaliser::Kind;
use super::streams::channel::LEAN;
use super::view::{View, input};
use super::window::{Class, Window};
use super::{Category, Cold, Count, Raw, Role, Row, micro, needs};
use crate::num::fixed::{ONE32, div32, isqrt, mul32};

/// The rows.
pub(super) const ROWS: [Row; 3] = [
    Row {
        id: "open-interest",
        category: Category::Derivatives,
        claim: "how fast positions are being built, against history; no direction",
        role: Role::C,
        kind: Kind::L,
        class: Class::P,
        inputs: needs(&[input::INTEREST]),
        cold: Cold {
            of: Count::Heard(input::INTEREST),
            least: 30,
        },
        floor: micro(10),
        smooth: false,
        raw: |view, w| view.streams.interest_moved(w),
    },
    Row {
        id: "oi-price-divergence",
        category: Category::Derivatives,
        claim: "a move with new money goes on; a move on shrinking interest is faded at half weight",
        role: Role::D,
        kind: Kind::Z,
        class: Class::P,
        inputs: needs(&[input::INTEREST, input::BOOK]),
        cold: Cold {
            of: Count::Heard(input::INTEREST),
            least: 30,
        },
        floor: 0,
        smooth: false,
        raw: quadrant,
    },
    Row {
        id: "mark-last-gap",
        category: Category::Derivatives,
        claim: "trades stretched away from the mark come back to it",
        role: Role::D,
        kind: Kind::N,
        class: Class::F,
        inputs: needs(&[input::TRADES, input::MARK]),
        cold: Cold {
            of: Count::Heard(input::TRADES),
            least: 200,
        },
        floor: micro(1),
        smooth: false,
        raw: |view, w| view.streams.mean(w, LEAN).map(|gap| -gap),
    },
];

fn quadrant(view: &View<'_>, w: Window) -> Raw {
    let streams = view.streams;
    let spread = isqrt(i128::from(streams.interest_var[w.index()]));
    let sigma = streams.sigma(w);
    if spread == 0 || sigma == 0 {
        return None;
    }
    let built = div32(streams.interest_moved(w)?, spread);
    let moved = div32(streams.moved(w)?, sigma);
    let share = built.saturating_abs().min(ONE32);
    let whole = mul32(moved, share);
    Some(if built > 0 { whole } else { -(whole / 2) })
}
