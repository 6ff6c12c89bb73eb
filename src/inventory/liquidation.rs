//! Liquidation and bankruptcy prices: the one authority, exact in integers.
//!
//! Equity of a linear position at price P is `M + s Q (P − E)`, the requirement `Q P (m + f) − c`;
//! where they meet is
//!
//! ```text
//! LP = (s Q E − M − c) / (Q (s − m − f))        s = +1 long, −1 short
//! ```
//! Venues differ in three things, so each is a row ([`Rule`]), not code: whether maintenance is
//! taken on the *entry* value or at mark, whether the tier's deduction `c` counts, and the closing
//! fee `f`. The tier is the one that applies *at the liquidation price*, so it is searched, not
//! chosen by entry; flat-rate venues (no deduction) are discontinuous and choose by present value.
//!
//! Units: prices `Px`; linear margin in [`Money`], 1e-16 quote (a price step times a quantity step,
//! so nothing is lost); inverse size in `Usd`, inverse margin in [`Coin`], 1e-12 coin. Rates are
//! 1e-6. Quotients are rounded half to even. `None` means "never": the price would be zero,
//! negative or beyond the type.
//!
//! Not here: cross margin of a whole account. A cross position is given the margin that is left for
//! it.

use crate::event::Tier;
use crate::market::Holder;
use crate::num::{Px, Qty, Round, Usd, div_round};

/// Quote money in 1e-16: a price step times a quantity step.
pub type Money = i128;
/// Coin in 1e-12 units: margin of inverse contracts.
pub type Coin = i128;

/// One cent in [`Money`].
const CENT: Money = 100_000_000_000_000;
const ONE: i128 = 1_000_000;

/// How a venue computes maintenance. A row of [`RULES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Name for tables and messages.
    pub name: &'static str,
    /// Maintenance is taken on the entry value instead of the value at mark.
    pub on_entry: bool,
    /// The tier's deduction counts; without it the tier's rate is flat on the whole position.
    pub deduction: bool,
    /// Closing fee inside the requirement, 1e-6.
    pub fee_e6: i64,
}

const fn rule(name: &'static str, on_entry: bool, deduction: bool, fee_e6: i64) -> Rule {
    Rule {
        name,
        on_entry,
        deduction,
        fee_e6,
    }
}

/// Binance USD-M, and Aster, which speaks its dialect.
pub const BINANCE: Rule = rule("binance", false, true, 0);
/// Bybit since margin is taken at mark (2026): the estimated fee cancels.
pub const BYBIT: Rule = rule("bybit", false, true, 0);
/// Bybit to 2025: maintenance on entry value.
pub const BYBIT_CLASSIC: Rule = rule("bybit-classic", true, true, 0);
/// OKX: the tier's rate on the whole position, taker fee reserved.
pub const OKX: Rule = rule("okx", false, false, 500);
/// Hyperliquid: m is half of the inverse of the tier's highest leverage.
pub const HYPERLIQUID: Rule = rule("hyperliquid", false, true, 0);
/// Bitget: flat tiers, taker fee reserved.
pub const BITGET: Rule = rule("bitget", false, false, 600);
/// Gate since tiers are progressive (2025-07).
pub const GATE: Rule = rule("gate", false, true, 750);
/// `BitMEX` linear: maintenance on entry value.
pub const BITMEX: Rule = rule("bitmex", true, false, 0);
/// Kraken PF: whether its levels are progressive is not known; taken as flat.
pub const KRAKEN: Rule = rule("kraken", false, false, 0);
/// dYdX v4: oracle price, isolated collateral.
pub const DYDX: Rule = rule("dydx", false, false, 0);

/// Every rule, for tests and tables.
pub const RULES: [Rule; 10] = [
    BINANCE,
    BYBIT,
    BYBIT_CLASSIC,
    OKX,
    HYPERLIQUID,
    BITGET,
    GATE,
    BITMEX,
    KRAKEN,
    DYDX,
];

/// A linear position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Long or short.
    pub holder: Holder,
    /// Size.
    pub qty: Qty,
    /// Average entry.
    pub entry: Px,
    /// Margin assigned, without unrealised profit; may be negative for a cross account in debt.
    pub margin: Money,
}

const fn sign(holder: Holder) -> i128 {
    -(holder.hurts() as i128)
}

fn price(n: i128) -> Option<Px> {
    i64::try_from(n).ok().filter(|&n| n > 0).map(Px::new)
}

fn quotient(num: i128, den: i128) -> Option<Px> {
    (den != 0)
        .then(|| div_round(num, den, Round::HalfEven))
        .and_then(price)
}

/// Quote money as [`Money`].
#[must_use]
pub const fn money(usd: Usd) -> Money {
    usd.get() as i128 * CENT
}

impl Linear {
    /// A position opened with `leverage_e2` hundredths of leverage (0 counts as 1x) and margin `Q E
    /// / L`.
    #[must_use]
    pub fn leveraged(holder: Holder, qty: Qty, entry: Px, leverage_e2: u32) -> Self {
        let value = i128::from(qty.get()) * i128::from(entry.get());
        let leverage = if leverage_e2 == 0 { 100 } else { leverage_e2 };
        // The remainder is handled apart: a value of 2^126 times 100 would not fit.
        let (whole, rest) = (
            value / i128::from(leverage),
            value % i128::from(leverage) * 100,
        );
        let margin = whole
            .saturating_mul(100)
            .saturating_add(rest / i128::from(leverage));
        Self {
            holder,
            qty,
            entry,
            margin,
        }
    }

    fn value(&self) -> i128 {
        i128::from(self.qty.get()) * i128::from(self.entry.get())
    }

    /// Where equity is zero, with a closing fee reserved (0 = none): `(s Q E − M) / (Q (s − f))`.
    #[must_use]
    pub fn bankruptcy(&self, fee_e6: i64) -> Option<Px> {
        let s = sign(self.holder);
        let num = (s * self.value())
            .checked_sub(self.margin)?
            .checked_mul(ONE)?;
        let den = i128::from(self.qty.get()) * (s * ONE - i128::from(fee_e6));
        quotient(num, den)
    }

    /// Where the position dies when `maintenance_e6` and `deduction` apply; `None` = never.
    #[must_use]
    pub fn at_rate(&self, rule: &Rule, maintenance_e6: u32, deduction: Usd) -> Option<Px> {
        if self.qty.get() <= 0 || self.entry.get() <= 0 {
            return None;
        }
        let s = sign(self.holder);
        let q = i128::from(self.qty.get());
        let m = i128::from(maintenance_e6);
        let c = if rule.deduction { money(deduction) } else { 0 };
        let value = s * self.value();
        let free = value.checked_sub(self.margin)?.checked_sub(c)?;
        if rule.on_entry {
            // LP = E − s (M − (Q E m − c)) / Q, with the fee as part of the requirement.
            let held = self.value().checked_mul(m + i128::from(rule.fee_e6))?;
            let num = free.checked_mul(ONE)?.checked_add(held)?;
            return quotient(num, s * q * ONE);
        }
        let rate = s * ONE - m - i128::from(rule.fee_e6);
        // A requirement of the whole value or more leaves a long nothing that could grow into
        // equity.
        if rate.signum() != s {
            return None;
        }
        quotient(free.checked_mul(ONE)?, q * rate)
    }

    /// Where the position dies by a venue's margin table, and the row that applies there.
    ///
    /// `None` = never, or no table. A position beyond the last row is judged by the last row.
    #[must_use]
    pub fn liquidation(&self, rule: &Rule, tiers: &[Tier]) -> Option<(Px, usize)> {
        let holds = |tier: &Tier, at: Px| {
            // At mark value, to the money: a cent of rounding must not fall between two rows.
            let value = i128::from(self.qty.get()) * i128::from(at.get());
            money(tier.floor) <= value && value <= money(tier.cap)
        };
        let last = tiers.len().checked_sub(1)?;
        if rule.on_entry || !rule.deduction {
            let row = tiers
                .iter()
                .position(|t| holds(t, self.entry))
                .unwrap_or(last);
            let lp = self.at_rate(rule, tiers[row].maintenance_e6, tiers[row].deduction)?;
            return Some((lp, row));
        }
        for (row, tier) in tiers.iter().enumerate() {
            if let Some(lp) = self.at_rate(rule, tier.maintenance_e6, tier.deduction)
                && holds(tier, lp)
            {
                return Some((lp, row));
            }
        }
        // No row holds its own price: either the position never dies, or it is larger than the
        // table.
        let top = &tiers[last];
        let lp = self.at_rate(rule, top.maintenance_e6, top.deduction)?;
        let value = i128::from(self.qty.get()) * i128::from(lp.get());
        (value > money(top.cap)).then_some((lp, last))
    }
}

/// The deductions that make a table of rates continuous: `c_1 = 0, c_n = c_(n−1) + floor_n (m_n −
/// m_(n−1))`.
pub fn fill_deductions(tiers: &mut [Tier]) {
    let mut before: Option<Tier> = None;
    for tier in tiers {
        tier.deduction = before.map_or(Usd::ZERO, |b| {
            let step = i128::from(tier.maintenance_e6) - i128::from(b.maintenance_e6);
            let more = div_round(i128::from(tier.floor.get()) * step, ONE, Round::HalfEven);
            b.deduction.plus(Usd::new(crate::num::narrow(more)))
        });
        before = Some(*tier);
    }
}

/// An inverse position: size in quote, margin in coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inverse {
    /// Long or short.
    pub holder: Holder,
    /// Contract value.
    pub size: Usd,
    /// Average entry.
    pub entry: Px,
    /// Margin assigned (for cross: the available balance).
    pub margin: Coin,
}

/// Coin (1e-12) worth `size` at `at`; 0 at price zero.
#[must_use]
pub fn coin_value(size: Usd, at: Px) -> Coin {
    div_round(
        i128::from(size.get()) * 100_000_000_000_000_000_000,
        i128::from(at.get()),
        Round::HalfEven,
    )
}

impl Inverse {
    fn meet(&self, grown_e6: i128, coin: Coin) -> Option<Px> {
        if coin <= 0 || self.size.get() <= 0 || self.entry.get() <= 0 {
            return None;
        }
        let size = i128::from(self.size.get())
            .checked_mul(grown_e6)?
            .checked_mul(CENT)?;
        quotient(size, coin)
    }

    /// Where equity is zero with a fee reserved: `S (1 ± f) / (S/E ± M)`.
    #[must_use]
    pub fn bankruptcy(&self, fee_e6: i64) -> Option<Px> {
        let s = sign(self.holder);
        let coin = coin_value(self.size, self.entry).checked_add(self.margin.checked_mul(s)?)?;
        self.meet(ONE + s * i128::from(fee_e6), coin)
    }

    /// Maintenance at mark: `S (1 ± m) / (S/E ± (M + D))`, D the deduction in coin.
    #[must_use]
    pub fn at_mark(&self, maintenance_e6: u32, deduction: Coin) -> Option<Px> {
        let s = sign(self.holder);
        let held = self.margin.checked_add(deduction)?;
        let coin = coin_value(self.size, self.entry).checked_add(held.checked_mul(s)?)?;
        self.meet(ONE + s * i128::from(maintenance_e6), coin)
    }

    /// Maintenance on entry value plus the closing fee at the bankruptcy price: `S / (S/E ± (M − MM
    /// − fee))`.
    ///
    /// Isolated contracts reserve no fee here (`fee_e6` 0); the old cross form does.
    #[must_use]
    pub fn on_entry(&self, maintenance_e6: u32, fee_e6: i64) -> Option<Px> {
        let s = sign(self.holder);
        let worth = coin_value(self.size, self.entry);
        let kept = div_round(
            worth.checked_mul(i128::from(maintenance_e6))?,
            ONE,
            Round::HalfEven,
        );
        let fee = match self.bankruptcy(fee_e6) {
            Some(end) if fee_e6 != 0 => div_round(
                coin_value(self.size, end) * i128::from(fee_e6),
                ONE,
                Round::HalfEven,
            ),
            _ => 0,
        };
        let free = self.margin.checked_sub(kept)?.checked_sub(fee)?;
        let coin = worth.checked_add(free.checked_mul(s)?)?;
        self.meet(ONE, coin)
    }
}

#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    clippy::type_complexity,
    reason = "published values are compared as reals; a row of a table is a tuple"
)]
mod tests;
