//! Liquidation: forced flow that was seen, and the map of what would be forced. Longs are sold below, shorts are
//! bought above; more short mass within reach is bullish. The map's rows say nothing while it is not LIVE.

use super::normaliser::Kind;
use super::streams::channel::{BUY, LONGS, SELL, SHORTS};
use super::view::{HeatReading, NODE_Q32, View, ZoneReading, input};
use super::window::{Class, Window};
use super::{Category, Cold, Count, Raw, Role, Row, micro, needs};
use crate::market::Holder;
use crate::num::fixed::{ONE, clip, div32, divq, hit, imbalance32, mul_div};
use crate::num::narrow;

const MAP: u64 = needs(&[input::HEATMAP]);
const MAP_AND_PRICE: u64 = needs(&[input::HEATMAP, input::MARK]);
/// Zones farther than this many hourly sigmas count as this far, Q16.
const FAR: i64 = 6 * ONE;
const SAMPLED: Cold = Cold {
    of: Count::Samples,
    least: 16,
};

/// A row on the map; the others differ only in what they read.
const fn on_map(
    id: &'static str,
    claim: &'static str,
    inputs: u64,
    smooth: bool,
    raw: fn(&View<'_>, Window) -> Raw,
) -> Row {
    Row {
        id,
        category: Category::Liquidation,
        claim,
        role: Role::D,
        kind: Kind::N,
        class: Class::F,
        inputs,
        cold: SAMPLED,
        floor: micro(1_000),
        smooth,
        raw,
    }
}

/// The rows.
pub(super) const ROWS: [Row; 7] = [
    Row {
        id: "liquidation",
        category: Category::Liquidation,
        claim: "forced purchases push price on while they last; silent until prints were seen",
        role: Role::D,
        kind: Kind::N,
        class: Class::F,
        inputs: needs(&[input::PRINTS, input::TRADES]),
        cold: Cold {
            of: Count::Heard(input::PRINTS),
            least: 5,
        },
        floor: micro(10),
        smooth: false,
        raw: forced,
    },
    on_map(
        "liquidation-heatmap",
        "price visits the heavier side of the reachable band; silent on a band of dust",
        MAP_AND_PRICE,
        false,
        reachable,
    ),
    on_map(
        "cumulative-liq-level",
        "the larger of the two cumulative curves out to 9 % draws price",
        MAP,
        true,
        |view, _| area(live(view)?),
    ),
    on_map(
        "magnet-gravity",
        "near and heavy zones pull with the inverse square of their distance",
        MAP_AND_PRICE,
        true,
        |view, _| gravity(zones(view)?, hourly(view)?),
    ),
    on_map(
        "hit-weighted-mass",
        "the side whose forced notional is likelier to be reached draws price",
        MAP_AND_PRICE,
        false,
        |view, w| weighted(live(view)?, sigma(view, w)?),
    ),
    on_map(
        "nearest-hot-zone",
        "price visits the nearer hot zone first",
        MAP_AND_PRICE,
        true,
        |view, _| nearest(zones(view)?, hourly(view)?),
    ),
    Row {
        kind: Kind::Z,
        floor: 0,
        ..on_map(
            "liq-max-pain",
            "the heaviest bucket within five sigmas draws price; silent when none is within",
            MAP_AND_PRICE,
            false,
            |view, w| max_pain(live(view)?, sigma(view, w)?),
        )
    },
];

fn live<'a>(view: &View<'a>) -> Option<&'a HeatReading> {
    (view.heat.valid != 0).then_some(view.heat)
}

fn zones<'a>(view: &View<'a>) -> Option<&'a ZoneReading> {
    (view.zones.valid != 0).then_some(view.zones)
}

fn sigma(view: &View<'_>, w: Window) -> Option<i64> {
    let sigma = view.streams.sigma(w);
    (sigma > 0).then_some(sigma)
}

fn hourly(view: &View<'_>) -> Option<i64> {
    sigma(view, Window::H1)
}

/// A distance in units of a sigma, Q16.
fn in_sigmas(distance: i64, sigma: i64) -> i64 {
    divq(distance, sigma)
}

fn forced(view: &View<'_>, w: Window) -> Raw {
    let [longs, shorts, buy, sell] = [LONGS, SHORTS, BUY, SELL].map(|c| view.streams.sum(w, c));
    let traded = buy
        .saturating_add(sell)
        .max(view.streams.turnover[w.index()]);
    (traded > 0).then(|| div32(shorts.saturating_sub(longs), traded))
}

fn reachable(view: &View<'_>, w: Window) -> Raw {
    let heat = live(view)?;
    let reach = sigma(view, w)?.saturating_mul(2);
    let above = heat.within(Holder::Short, reach);
    let below = heat.within(Holder::Long, reach);
    let band = i128::from(above) + i128::from(below);
    // Less than a thousandth of the open interest within reach is dust.
    let dust = band * 1_000 < i128::from(heat.interest_usd);
    (band > 0 && !dust).then(|| imbalance32(above, below))
}

/// Every node counts the same, and nodes are half an octave apart: equal weight per octave.
fn area(heat: &HeatReading) -> Raw {
    let sum = |holder: Holder| -> i128 {
        let curve = heat.within[holder as usize];
        curve.into_iter().map(i128::from).sum()
    };
    let (above, below) = (sum(Holder::Short), sum(Holder::Long));
    ratio(above, below)
}

fn gravity(zones: &ZoneReading, sigma: i64) -> Raw {
    let (mut above, mut below) = (0i128, 0i128);
    for zone in zones.zones.iter().filter(|zone| zone.usd > 0) {
        let far = in_sigmas(zone.distance_q32.saturating_abs(), sigma);
        let far = i128::from(far.min(1 << 30) + ONE / 2);
        let pull = (i128::from(zone.usd) << 32) / (far * far);
        if zone.distance_q32 >= 0 {
            above += pull;
        }
        // A zone at the mark itself pulls neither way: it is counted on both sides.
        if zone.distance_q32 <= 0 {
            below += pull;
        }
    }
    ratio(above, below)
}

/// Shells between nodes, each taken at its middle, times the chance to be touched.
fn weighted(heat: &HeatReading, sigma: i64) -> Raw {
    let sum = |holder: Holder| -> i128 {
        let (mut total, mut near, mut inner) = (0i128, 0, 0);
        for (far, mass) in NODE_Q32.into_iter().zip(heat.within[holder as usize]) {
            let shell = i128::from(mass) - i128::from(inner);
            let chance = hit(in_sigmas((near + far) / 2, sigma));
            total += shell.max(0) * i128::from(chance);
            (near, inner) = (far, mass);
        }
        total
    };
    ratio(sum(Holder::Short), sum(Holder::Long))
}

/// (a - b) / (a + b) of sums that may not fit 64 bits, Q32; none when nothing is there.
fn ratio(a: i128, b: i128) -> Raw {
    if a <= 0 && b <= 0 {
        return None;
    }
    // Both lose the same low bits, so swapping them still negates the answer exactly.
    let bits = 128 - (a.unsigned_abs() | b.unsigned_abs()).leading_zeros();
    let shift = bits.saturating_sub(62);
    Some(imbalance32(narrow(a >> shift), narrow(b >> shift)))
}

fn nearest(zones: &ZoneReading, sigma: i64) -> Raw {
    let far = |distance: i64| match distance {
        i64::MAX => FAR,
        d => clip(in_sigmas(d, sigma), 0, FAR),
    };
    if zones.above_q32 == i64::MAX && zones.below_q32 == i64::MAX {
        return None;
    }
    let (above, below) = (far(zones.above_q32), far(zones.below_q32));
    (above > 0 || below > 0).then(|| imbalance32(below, above))
}

fn max_pain(heat: &HeatReading, sigma: i64) -> Raw {
    let reach = sigma.saturating_mul(5);
    let mass = |holder: Holder| {
        let inside = heat.peak_distance_q32[holder as usize] <= reach;
        if inside {
            heat.peak_usd[holder as usize]
        } else {
            0
        }
    };
    let (above, below) = (mass(Holder::Short), mass(Holder::Long));
    if above <= 0 && below <= 0 {
        return None;
    }
    let (holder, sign) = match above.cmp(&below) {
        core::cmp::Ordering::Equal => return Some(0),
        core::cmp::Ordering::Greater => (Holder::Short, 1),
        core::cmp::Ordering::Less => (Holder::Long, -1),
    };
    let distance = heat.peak_distance_q32[holder as usize].max(0);
    Some(sign * mul_div(distance, 1 << 32, reach))
}
