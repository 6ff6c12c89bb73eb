//! Order flow: who takes, how often, and how big. Reads decayed sums only; says nothing without trades.

use super::normaliser::Kind;
use super::streams::channel::{BUY, BUYS, SELL, SELLS};
use super::view::{View, input};
use super::window::{Class, Window};
use super::{Category, Cold, Count, Raw, Role, Row, micro, needs};
use crate::num::fixed::{imbalance32, log2i};

/// The rows.
pub(super) const ROWS: [Row; 3] = [
    Row {
        id: "order-flow-imbalance",
        category: Category::OrderFlow,
        claim: "takers who buy more notional than is sold push price up; silent without trades",
        role: Role::D,
        kind: Kind::N,
        class: Class::F,
        inputs: needs(&[input::TRADES]),
        cold: Cold {
            of: Count::Heard(input::TRADES),
            least: 50,
        },
        floor: micro(1_000),
        smooth: false,
        raw: |view, w| imbalance(view, w, BUY, SELL),
    },
    Row {
        id: "trade-count-imbalance",
        category: Category::OrderFlow,
        claim: "more buying than selling orders, whatever their size, push price up",
        role: Role::D,
        kind: Kind::N,
        class: Class::F,
        inputs: needs(&[input::TRADES]),
        cold: Cold {
            of: Count::Merged,
            least: 50,
        },
        floor: micro(1_000),
        smooth: false,
        raw: |view, w| imbalance(view, w, BUYS, SELLS),
    },
    Row {
        id: "taker-size-ratio",
        category: Category::OrderFlow,
        claim: "the side whose mean order is larger is the better informed; silent until both took",
        role: Role::D,
        kind: Kind::N,
        class: Class::F,
        inputs: needs(&[input::TRADES]),
        cold: Cold {
            of: Count::Orders,
            least: 30,
        },
        floor: micro(10_000),
        smooth: false,
        raw: size_ratio,
    },
];

fn imbalance(view: &View<'_>, w: Window, up: usize, down: usize) -> Raw {
    let (a, b) = (view.streams.sum(w, up), view.streams.sum(w, down));
    (a > 0 || b > 0).then(|| imbalance32(a, b))
}

/// log2((B / nB) / (S / nS)): the scales of counts and notionals cancel.
fn size_ratio(view: &View<'_>, w: Window) -> Raw {
    let [buy, sell, buys, sells] = [BUY, SELL, BUYS, SELLS].map(|c| view.streams.sum(w, c));
    if buy <= 0 || sell <= 0 || buys <= 0 || sells <= 0 {
        return None;
    }
    let q16 = (log2i(buy) - log2i(buys)) - (log2i(sell) - log2i(sells));
    Some(q16 << 16)
}
