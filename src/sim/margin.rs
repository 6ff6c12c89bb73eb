//! Margin: where a position is forced out, by the venue's tiers.
//!
//! The mark-based isolated formula of the linear contracts: with way `s` (+1 long), size `Q`, entry
//! `E`, margin `M` and the tier (rate `m`, deduction `c`) that holds at the answer itself, `price =
//! (s Q E - M - c) / (Q (s - m))`, where a closing fee is part of `m` and rows that are flat have no
//! `c` and are chosen by quantity. Bankruptcy is where nothing is left: `E - s M / Q`.
#![expect(
    clippy::float_arithmetic,
    reason = "the generator of the simulated market works in floats"
)]

use super::params::{Contract, TierRow};
use crate::market::Holder;

/// A margin row with its deduction worked out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tier {
    pub(crate) floor: f64,
    pub(crate) cap: f64,
    pub(crate) leverage: f64,
    pub(crate) rate: f64,
    pub(crate) deduction: f64,
    /// Largest quantity, base, where rows are flat and chosen by quantity.
    pub(crate) most: Option<f64>,
}

/// Deductions in 1e-5 USDT, so that the requirement is continuous across rows.
pub(crate) fn deductions(rows: &[TierRow]) -> Vec<i64> {
    let mut out = Vec::with_capacity(rows.len());
    let (mut floor, mut rate, mut sum) = (0, 0, 0);
    for row in rows {
        if !out.is_empty() {
            sum += floor * (row.maintenance - rate);
        }
        out.push(sum);
        floor = row.cap;
        rate = row.maintenance;
    }
    out
}

/// The table with deductions.
pub(crate) fn table(contract: &Contract) -> Vec<Tier> {
    let mut floor = 0.0;
    let rows = &contract.tiers;
    rows.iter()
        .zip(deductions(rows))
        .map(|(row, deduction)| {
            let tier = Tier {
                floor,
                cap: row.cap as f64,
                leverage: f64::from(row.leverage) / 100.0,
                rate: (row.maintenance + contract.closing_fee) as f64 * 1e-5,
                deduction: if contract.flat_tiers {
                    0.0
                } else {
                    deduction as f64 * 1e-5
                },
                most: contract.flat_tiers.then(|| row.cap as f64 / contract.price),
            };
            floor = tier.cap;
            tier
        })
        .collect()
}

/// Largest leverage allowed for a value.
pub(crate) fn leverage_at(table: &[Tier], value: f64) -> f64 {
    table
        .iter()
        .find(|tier| value <= tier.cap)
        .or(table.last())
        .map_or(1.0, |tier| tier.leverage)
}

/// +1 for a long, -1 for a short.
pub(crate) const fn way(holder: Holder) -> f64 {
    match holder {
        Holder::Long => 1.0,
        Holder::Short => -1.0,
    }
}

/// The mark at which a position is forced; `None` when that is never (at or below zero).
pub(crate) fn liquidation(
    table: &[Tier],
    holder: Holder,
    size: f64,
    entry: f64,
    margin: f64,
) -> Option<f64> {
    let s = way(holder);
    let at = |tier: &Tier| (s * size * entry - margin - tier.deduction) / (size * (s - tier.rate));
    let flat = table
        .iter()
        .find(|tier| tier.most.is_some_and(|most| size <= most));
    if let Some(tier) = flat {
        return Some(at(tier)).filter(|price| *price > 0.0);
    }
    let price = table
        .iter()
        .map(|tier| (tier, at(tier)))
        .find(|(tier, price)| (tier.floor..=tier.cap).contains(&(size * price)))
        .map(|(_, price)| price)
        .or_else(|| {
            // Worth less than nothing at the answer (a long with too much margin), or beyond the
            // last row.
            table.last().map(at)
        })?;
    (price > 0.0).then_some(price)
}

/// The price at which the margin is gone.
pub(crate) fn bankruptcy(holder: Holder, size: f64, entry: f64, margin: f64) -> f64 {
    entry - way(holder) * margin / size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_forced_where_the_reference_says() {
        let table = table(&Contract::btc());
        for (size, leverage, want) in [(1.0, 10.0, 72_238.386_676), (10.0, 20.0, 76_330.653_266)] {
            let margin = size * 80_000.0 / leverage;
            let price = liquidation(&table, Holder::Long, size, 80_000.0, margin).unwrap();
            assert!((price - want).abs() < 1e-6, "{price}");
            assert!(bankruptcy(Holder::Long, size, 80_000.0, margin) < price);
            let short = liquidation(&table, Holder::Short, size, 80_000.0, margin).unwrap();
            assert!(short > 80_000.0);
            assert!(bankruptcy(Holder::Short, size, 80_000.0, margin) > short);
        }
        assert_eq!(
            liquidation(&table, Holder::Long, 1.0, 80_000.0, 80_000.0),
            None
        );
    }

    #[test]
    fn deductions_make_the_requirement_continuous() {
        let rows = Contract::btc().tiers;
        let all = deductions(&rows);
        assert_eq!(all[0], 0);
        assert_eq!(all[1], 51_000_000);
        for (i, pair) in rows.windows(2).enumerate() {
            let edge = pair[0].cap;
            assert_eq!(
                edge * pair[0].maintenance - all[i],
                edge * pair[1].maintenance - all[i + 1]
            );
        }
    }
}
