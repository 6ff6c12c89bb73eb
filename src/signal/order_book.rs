//! Order book: what rests at and near the touch, and how it changes. Says nothing while the book is not trusted.

use super::normaliser::Kind;
use super::streams::channel::{DEPTH, OFI, QUEUE};
use super::view::{View, input};
use super::window::{Class, Window};
use super::{Category, Cold, Count, Raw, Role, Row, micro, needs};
use crate::num::fixed::div32;

/// The rows.
pub(super) const ROWS: [Row; 3] = [
    Row {
        id: "queue-imbalance",
        category: Category::OrderBook,
        claim: "the longer best queue holds: the next move of the mid is away from it",
        role: Role::D,
        kind: Kind::N,
        class: Class::F,
        inputs: needs(&[input::BOOK]),
        cold: Cold {
            of: Count::Quotes,
            least: 200,
        },
        floor: micro(1_000),
        smooth: false,
        raw: |view, w| view.streams.mean(w, QUEUE),
    },
    Row {
        id: "depth-imbalance",
        category: Category::OrderBook,
        claim: "more resting notional within 25 bp below than above carries price up",
        role: Role::D,
        kind: Kind::N,
        class: Class::F,
        inputs: needs(&[input::BOOK]),
        cold: Cold {
            of: Count::Seconds(input::BOOK),
            least: 300,
        },
        floor: micro(1_000),
        smooth: false,
        raw: |view, w| view.streams.mean(w, DEPTH),
    },
    Row {
        id: "book-ofi",
        category: Category::OrderBook,
        claim: "bids added and asks taken or pulled at the touch move the mid up",
        role: Role::D,
        kind: Kind::N,
        class: Class::F,
        inputs: needs(&[input::BOOK]),
        cold: Cold {
            of: Count::Quotes,
            least: 500,
        },
        floor: micro(10_000),
        smooth: false,
        raw: quote_flow,
    },
];

/// Best-quote flow of the window over the usual size of both best queues.
fn quote_flow(view: &View<'_>, w: Window) -> Raw {
    let usual = view.streams.touch[w.index()];
    (usual > 0).then(|| div32(view.streams.sum(w, OFI), usual))
}
