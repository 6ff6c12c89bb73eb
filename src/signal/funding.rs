//! Funding: what holding costs, and the premium it is made of. The sign of both is disputed (signals.md 1.3): the
//! rows carry the prior sign and wait for the learner.

use super::normaliser::Kind;
use super::streams::channel::PREMIUM;
use super::view::input;
use super::window::Class;
use super::{Category, Cold, Count, Role, Row, needs};

/// The rows.
pub(super) const ROWS: [Row; 2] = [
    Row {
        id: "funding-rate",
        category: Category::Funding,
        claim: "the side that pays unusually much is crowded and gives way; sign to be learned",
        role: Role::Dq,
        kind: Kind::L,
        class: Class::P,
        inputs: needs(&[input::FUNDING]),
        cold: Cold {
            of: Count::Heard(input::FUNDING),
            least: 200,
        },
        floor: 4_295,
        smooth: true,
        raw: |view, _| Some(view.streams.funding_q32.saturating_neg()),
    },
    Row {
        id: "perp-premium",
        category: Category::Funding,
        claim: "a premium over the index shows leveraged demand; sign to be learned",
        role: Role::Dq,
        kind: Kind::L,
        class: Class::F,
        inputs: needs(&[input::BOOK, input::INDEX]),
        cold: Cold {
            of: Count::Seconds(input::INDEX),
            least: 600,
        },
        floor: 42_950,
        smooth: false,
        raw: |view, w| view.streams.mean(w, PREMIUM),
    },
];
