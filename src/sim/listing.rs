//! Listing: twenty-one coins, and how each venue lists them.
//!
//! A world is described once, in Bybit's numbers; [`Params::speaking`] lists the same contracts
//! anew at another venue: its names, its ticks, lots and contract values, its margin rows, its
//! cadence. Price per coin, depth per basis point and the size of positions stay what they were,
//! so four worlds made from one description are four markets of about the same size.
//!
//! Prices are plausible, not current. Ticks and lots follow the venues' lists (2026), a few are
//! finer where a real tick would be ten basis points of the price here.
#![expect(
    clippy::float_arithmetic,
    reason = "the numbers of the simulated market are floats"
)]

use super::dialect::Dialect;
use super::params::{Cadence, Contract, Params, TierRow};

/// Price decimals, units in a tick, quantity decimals.
type Steps = [u32; 3];

/// A coin and its listings.
struct Coin {
    asset: &'static str,
    /// Per coin.
    price: f64,
    /// How strongly it follows the common factor, and its own volatility (1e-4 per root day).
    moves: [f64; 2],
    /// Resting value per basis point of price, thousand USDT; median position, USDT.
    size: [f64; 2],
    bybit: Steps,
    binance: Steps,
    okx: Steps,
    /// Base in one OKX contract, as a power of ten.
    okx_value: i32,
    /// Hyperliquid: quantity decimals, largest leverage, that above the bound, the bound in
    /// million USD.
    hyperliquid: [u32; 4],
}

#[rustfmt::skip]
const fn coin(
    asset: &'static str, price: f64, moves: [f64; 2], size: [f64; 2],
    bybit: Steps, binance: Steps, okx: Steps, okx_value: i32, hyperliquid: [u32; 4],
) -> Coin {
    Coin { asset, price, moves, size, bybit, binance, okx, okx_value, hyperliquid }
}

#[rustfmt::skip]
const COINS: [Coin; 21] = [
    coin("BTC", 65_000.0, [1.0, 60.0], [217.0, 2_800.0], [2, 10, 3], [2, 10, 3], [1, 1, 2], -2, [5, 40, 20, 150]),
    coin("ETH", 1_900.0, [1.25, 100.0], [171.0, 1_900.0], [2, 1, 2], [2, 1, 3], [2, 1, 2], -1, [4, 25, 15, 100]),
    coin("SOL", 80.0, [1.4, 140.0], [88.0, 1_300.0], [3, 10, 1], [4, 100, 2], [2, 1, 2], 0, [2, 20, 10, 70]),
    coin("XRP", 1.45, [1.2, 150.0], [60.0, 900.0], [4, 1, 1], [4, 1, 1], [4, 1, 2], 2, [0, 20, 10, 40]),
    coin("DOGE", 0.095, [1.5, 170.0], [45.0, 700.0], [5, 1, 0], [6, 10, 0], [5, 1, 2], 3, [0, 10, 5, 20]),
    coin("BNB", 600.0, [0.9, 90.0], [55.0, 800.0], [2, 10, 2], [3, 10, 2], [1, 1, 0], -2, [3, 10, 5, 3]),
    coin("ADA", 0.26, [1.4, 160.0], [28.0, 450.0], [4, 1, 0], [5, 10, 0], [4, 1, 1], 2, [0, 10, 5, 20]),
    coin("AVAX", 9.0, [1.5, 180.0], [24.0, 350.0], [3, 1, 1], [4, 10, 0], [3, 1, 1], 0, [2, 10, 5, 20]),
    coin("LINK", 8.6, [1.4, 170.0], [27.0, 400.0], [3, 1, 1], [3, 1, 2], [3, 1, 1], 0, [1, 10, 5, 20]),
    coin("LTC", 53.0, [1.1, 140.0], [24.0, 350.0], [2, 1, 1], [2, 1, 3], [2, 1, 1], 0, [2, 10, 5, 20]),
    coin("BCH", 450.0, [1.2, 150.0], [23.0, 350.0], [2, 5, 2], [2, 1, 3], [1, 1, 1], -1, [3, 10, 5, 20]),
    coin("DOT", 1.3, [1.4, 170.0], [16.0, 250.0], [4, 1, 1], [3, 1, 1], [4, 1, 1], 0, [1, 10, 5, 3]),
    coin("SUI", 0.9, [1.7, 220.0], [29.0, 450.0], [4, 1, 0], [6, 100, 1], [4, 1, 0], 0, [1, 10, 5, 20]),
    coin("NEAR", 1.0, [1.6, 200.0], [16.0, 250.0], [4, 1, 1], [4, 1, 0], [4, 1, 1], 1, [1, 10, 5, 20]),
    coin("APT", 0.85, [1.6, 210.0], [14.0, 220.0], [4, 1, 2], [5, 10, 1], [4, 1, 1], 0, [2, 10, 5, 20]),
    coin("ARB", 0.096, [1.6, 200.0], [14.0, 220.0], [5, 1, 1], [6, 10, 1], [5, 1, 1], 1, [1, 10, 5, 3]),
    coin("AAVE", 110.0, [1.4, 190.0], [16.0, 260.0], [2, 1, 2], [3, 10, 1], [2, 1, 1], -1, [2, 10, 5, 20]),
    coin("UNI", 3.4, [1.5, 200.0], [15.0, 240.0], [3, 1, 1], [4, 10, 0], [3, 1, 0], 0, [1, 10, 5, 20]),
    coin("HYPE", 30.0, [1.3, 260.0], [40.0, 600.0], [3, 1, 2], [5, 100, 2], [3, 1, 0], -1, [2, 10, 5, 20]),
    coin("PEPE", 0.000_003_6, [1.8, 240.0], [29.0, 450.0], [7, 1, 0], [7, 1, 0], [9, 1, 1], 7, [0, 10, 5, 20]),
    coin("SHIB", 0.000_006, [1.5, 190.0], [19.0, 300.0], [6, 1, 0], [6, 1, 0], [9, 1, 1], 6, [0, 10, 5, 3]),
];

/// Multiples of the smallest cap, leverage, maintenance (1e-5): the rows of a coin without its own.
#[rustfmt::skip]
const LADDER: [(i64, u32, i64); 9] = [
    (1, 100, 500), (3, 75, 650), (8, 50, 1_000), (20, 25, 2_000), (40, 20, 2_500), (100, 10, 5_000),
    (200, 5, 10_000), (400, 2, 25_000), (800, 1, 50_000),
];

/// Margin rows of Binance: cap in thousand USDT, leverage, maintenance (1e-5).
type Rows = &'static [(i64, u32, i64)];

#[rustfmt::skip]
const BINANCE: [(&str, Rows); 5] = [
    ("BTC", &[(300, 150, 400), (800, 100, 500), (3_000, 75, 650), (12_000, 50, 1_000), (70_000, 25, 2_000),
        (100_000, 20, 2_500), (230_000, 10, 5_000), (480_000, 5, 10_000), (600_000, 4, 12_500),
        (800_000, 3, 15_000), (1_200_000, 2, 25_000), (1_800_000, 1, 50_000)]),
    ("ETH", &[(300, 150, 400), (800, 100, 500), (3_000, 75, 650), (12_000, 50, 1_000), (50_000, 25, 2_000),
        (65_000, 20, 2_500), (150_000, 10, 5_000), (320_000, 5, 10_000), (400_000, 4, 12_500),
        (530_000, 3, 15_000), (800_000, 2, 25_000), (1_200_000, 1, 50_000)]),
    ("SOL", &[(50, 100, 500), (400, 75, 650), (1_000, 50, 1_000), (4_000, 25, 2_000), (8_000, 20, 2_500),
        (40_000, 10, 5_000), (80_000, 5, 10_000), (100_000, 4, 12_500), (200_000, 2, 25_000),
        (400_000, 1, 50_000)]),
    ("XRP", &[(40, 100, 500), (80, 75, 600), (150, 50, 1_000), (400, 40, 1_250), (1_000, 25, 2_000),
        (2_000, 20, 2_500), (10_000, 10, 5_000), (20_000, 5, 10_000), (25_000, 4, 12_500),
        (50_000, 2, 25_000), (100_000, 1, 50_000)]),
    ("DOGE", &[(80, 75, 650), (150, 50, 1_000), (750, 40, 1_250), (2_000, 25, 2_000), (4_000, 20, 2_500),
        (20_000, 10, 5_000), (40_000, 5, 10_000), (50_000, 4, 12_500), (100_000, 2, 25_000),
        (200_000, 1, 50_000)]),
];

/// The coin's rows of a ladder whose first cap is `unit` USDT and whose first leverage is `top`.
fn ladder(unit: i64, top: u32) -> Vec<TierRow> {
    LADDER
        .iter()
        .filter(|row| row.1 <= top)
        .map(|(times, leverage, maintenance)| TierRow {
            cap: unit * times,
            leverage: leverage * 100,
            maintenance: *maintenance,
        })
        .collect()
}

impl Coin {
    /// The smallest cap of its ladder, USDT.
    fn unit(&self) -> i64 {
        (self.size[1] * 100.0) as i64
    }

    fn tiers(&self, dialect: Dialect) -> Vec<TierRow> {
        match dialect {
            Dialect::Bybit => ladder(self.unit(), 75),
            Dialect::Binance => match BINANCE.iter().find(|row| row.0 == self.asset) {
                Some((_, rows)) => rows
                    .iter()
                    .map(|(cap, leverage, maintenance)| TierRow {
                        cap: cap * 1_000,
                        leverage: leverage * 100,
                        maintenance: *maintenance,
                    })
                    .collect(),
                None => ladder(self.unit(), 75),
            },
            Dialect::Okx => {
                let major = self.unit() > 150_000;
                let mut rows = ladder(self.unit() * 2, if major { 100 } else { 50 });
                if let (true, Some(first)) = (major, rows.first_mut()) {
                    first.maintenance = 400;
                }
                rows
            }
            Dialect::Hyperliquid => {
                let [_, top, above, bound] = self.hyperliquid;
                let row = |leverage: u32, cap| TierRow {
                    cap,
                    leverage: leverage * 100,
                    // m = 1 / (2 x leverage).
                    maintenance: i64::from(50_000 / leverage),
                };
                vec![
                    row(top, i64::from(bound) * 1_000_000),
                    row(above, 1_000_000_000_000),
                ]
            }
        }
    }

    /// Coins in one listed base unit, as a power of ten.
    fn bundle(&self, dialect: Dialect) -> i32 {
        let small = matches!(self.asset, "PEPE" | "SHIB");
        if small && dialect != Dialect::Okx {
            3
        } else {
            0
        }
    }

    fn steps(&self, dialect: Dialect) -> Steps {
        match dialect {
            Dialect::Bybit => self.bybit,
            Dialect::Binance => self.binance,
            Dialect::Okx => self.okx,
            Dialect::Hyperliquid => {
                let decimals = self.hyperliquid[0];
                // Five significant digits, with room for the price to rise by half, and at most
                // 6 - decimals places; whole numbers are always allowed.
                let price = self.price * 10f64.powi(self.bundle(dialect)) * 1.5;
                let places = 4 - price.log10().floor() as i32;
                [places.clamp(0, 6 - decimals as i32) as u32, 1, decimals]
            }
        }
    }
}

/// The listed name and the listed base of an asset.
fn names(asset: &str, dialect: Dialect, bundle: i32) -> (String, String) {
    let base = match (dialect, asset, bundle) {
        (Dialect::Bybit, "SHIB", 3) => "SHIB1000".to_owned(),
        (Dialect::Hyperliquid, _, 3) => format!("k{asset}"),
        (_, _, 3) => format!("1000{asset}"),
        _ => asset.to_owned(),
    };
    let symbol = match dialect {
        Dialect::Bybit | Dialect::Binance => format!("{base}USDT"),
        Dialect::Okx => format!("{base}-USDT-SWAP"),
        Dialect::Hyperliquid => base.clone(),
    };
    (symbol, base)
}

/// A coin as Bybit lists it, for the coins beyond the first three.
fn contract(coin: &Coin) -> Contract {
    let bundle = coin.bundle(Dialect::Bybit);
    let (symbol, base) = names(coin.asset, Dialect::Bybit, bundle);
    let [price_scale, tick_units, lot_scale] = coin.bybit;
    let price = coin.price * 10f64.powi(bundle);
    let tick = f64::from(tick_units) * 0.1f64.powi(price_scale as i32);
    // Half a basis point apart, or a tick.
    let cell_ticks = (price * 0.5e-4 / tick).ceil().max(1.0);
    let tiers = coin.tiers(Dialect::Bybit);
    Contract {
        symbol,
        base,
        asset: coin.asset.into(),
        bundle,
        price,
        price_scale,
        tick_units: i64::from(tick_units),
        lot_scale,
        value_scale: 0,
        max_leverage: tiers.first().map_or(100, |row| row.leverage),
        tiers,
        flat_tiers: false,
        closing_fee: 0,
        listed: true,
        beta: coin.moves[0],
        own_vol: coin.moves[1] * 1e-4,
        cell_ticks: cell_ticks as i64,
        level_usd: coin.size[0] * 1_000.0 * (cell_ticks * tick / price) * 1e4,
        position_usd: coin.size[1],
    }
}

impl Contract {
    /// The same contract as another venue lists it; one that is not in the table keeps its numbers.
    fn list_at(&mut self, dialect: Dialect) {
        let Some(coin) = COINS.iter().find(|coin| coin.asset == self.asset) else {
            (self.symbol, self.base) = names(&self.asset, dialect, self.bundle);
            return;
        };
        let bundle = coin.bundle(dialect);
        let tick = |c: &Self| c.tick_units as f64 * 0.1f64.powi(c.price_scale as i32);
        let (cell, price) = (self.cell_ticks as f64 * tick(self), self.price);
        self.price *= 10f64.powi(bundle - self.bundle);
        self.bundle = bundle;
        (self.symbol, self.base) = names(coin.asset, dialect, bundle);
        let [price_scale, tick_units, lot_scale] = coin.steps(dialect);
        self.price_scale = price_scale;
        self.tick_units = i64::from(tick_units);
        self.lot_scale = lot_scale;
        self.value_scale = match dialect {
            Dialect::Okx => coin.okx_value,
            _ => 0,
        };
        let cells = cell * (self.price / price) / tick(self);
        self.cell_ticks = cells.round().max(1.0) as i64;
        // As much per basis point as before.
        self.level_usd *= self.cell_ticks as f64 / cells;
        self.tiers = coin.tiers(dialect);
        self.flat_tiers = dialect == Dialect::Okx;
        self.closing_fee = if self.flat_tiers { 50 } else { 0 };
        self.max_leverage = self.tiers.first().map_or(100, |row| row.leverage);
    }
}

impl Params {
    /// A world of the first `n` of twenty-one coins (one at least, all at most), as Bybit lists
    /// them: BTC ETH SOL XRP DOGE BNB ADA AVAX LINK LTC BCH DOT SUI NEAR APT ARB AAVE UNI HYPE PEPE
    /// SHIB. Worlds of many coins have the price elsewhere in common.
    #[must_use]
    pub fn many(n: usize) -> Self {
        let mut params = Self::default();
        let more = COINS.iter().take(n).skip(params.contracts.len());
        params.contracts.extend(more.map(contract));
        params.contracts.truncate(n.max(1));
        params.in_common = true;
        params
    }

    /// The same world in the words, names, steps, margin rows and cadence of another venue. What is
    /// set on contracts afterwards is in that venue's numbers. To be said once, of a world that
    /// speaks Bybit.
    #[must_use]
    pub fn speaking(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        if dialect == Dialect::Bybit {
            return self;
        }
        for contract in &mut self.contracts {
            contract.list_at(dialect);
        }
        let (book, ticker, liquidation) = match dialect {
            Dialect::Bybit | Dialect::Binance => (1, 10, 10),
            Dialect::Okx => (1, 2, 1),
            Dialect::Hyperliquid => (5, 30, 1),
        };
        self.cadence = Cadence {
            book,
            ticker,
            liquidation,
            kline: 0,
        };
        if dialect == Dialect::Hyperliquid {
            self.depth.levels = 20;
            self.engine.funding_hours = 1;
            self.engine.funding_interest = 0.000_012_5;
            self.engine.funding_cap = 0.04;
        }
        self
    }
}

#[cfg(test)]
#[allow(
    clippy::float_arithmetic,
    reason = "tests read the numbers of the market"
)]
mod tests {
    use super::*;
    use crate::sim::World;
    use crate::time::Nanos;

    #[test]
    fn the_first_three_of_many_are_the_default_world() {
        let many = Params::many(21);
        assert_eq!(many.contracts.len(), 21);
        let few = |n| Params::many(n).contracts.len();
        assert_eq!([few(0), few(1), few(5), few(99)], [1, 1, 5, 21]);
        for (a, b) in many.contracts.iter().zip(Params::default().contracts) {
            assert_eq!(format!("{a:?}"), format!("{b:?}"));
        }
        for (own, coin) in Params::default().contracts.iter().zip(&COINS) {
            assert_eq!(own.asset, coin.asset);
            assert_eq!(own.price, coin.price);
            let steps = [own.price_scale, own.tick_units as u32, own.lot_scale];
            assert_eq!(steps, coin.bybit);
        }
    }

    #[test]
    fn venues_list_small_coins_under_their_own_names_and_numbers() {
        let find = |dialect, asset: &str| {
            let all = Params::many(21).speaking(dialect).contracts;
            all.into_iter().find(|c| c.asset == asset).unwrap()
        };
        for (dialect, pepe, shib) in [
            (Dialect::Bybit, "1000PEPEUSDT", "SHIB1000USDT"),
            (Dialect::Binance, "1000PEPEUSDT", "1000SHIBUSDT"),
            (Dialect::Okx, "PEPE-USDT-SWAP", "SHIB-USDT-SWAP"),
            (Dialect::Hyperliquid, "kPEPE", "kSHIB"),
        ] {
            assert_eq!(find(dialect, "PEPE").symbol, pepe);
            assert_eq!(find(dialect, "SHIB").symbol, shib);
        }
        let okx = find(Dialect::Okx, "PEPE");
        assert_eq!((okx.value_scale, okx.bundle), (7, 0));
        assert!((okx.price / 0.000_003_6 - 1.0).abs() < 1e-9);
        assert!((find(Dialect::Hyperliquid, "PEPE").price / 0.003_6 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn venues_of_one_seed_have_one_price_and_people_of_their_own() {
        let marks: Vec<[f64; 2]> = Dialect::ALL
            .into_iter()
            .map(|dialect| {
                let params = Params::many(3).speaking(dialect);
                let mut world = World::new(9, params).unwrap();
                let until = world.now().plus(Nanos::seconds(3_000));
                world.advance(until, &mut |_| ());
                let truth = world.truth("ETH").unwrap();
                [truth.mark, truth.interest]
            })
            .collect();
        for (i, a) in marks.iter().enumerate() {
            for b in &marks[..i] {
                assert!((a[0] / b[0] - 1.0).abs() < 0.004, "{marks:?}");
                assert!((a[1] / b[1] - 1.0).abs() > 1e-6, "{marks:?}");
            }
        }
    }

    #[test]
    fn depth_per_basis_point_survives_listing_elsewhere() {
        for dialect in Dialect::ALL {
            let there = Params::many(21).speaking(dialect).contracts;
            for (a, b) in Params::many(21).contracts.iter().zip(&there) {
                let density = |c: &Contract| {
                    let tick = c.tick_units as f64 * 0.1f64.powi(c.price_scale as i32);
                    c.level_usd / (c.cell_ticks as f64 * tick / c.price)
                };
                let ratio = density(a) / density(b);
                assert!((0.99..1.01).contains(&ratio), "{} {ratio}", b.symbol);
                let tick = b.tick_units as f64 * 0.1f64.powi(b.price_scale as i32);
                assert!(tick / b.price < 9e-4, "{}: a tick is too coarse", b.symbol);
            }
        }
    }
}
