//! Params: every number the built-in exchange is generated from, in one place.
//!
//! The world is made before anything that reads it, and on purpose without a look at how it will be
//! read: what people hold, how they leave, how deep the book is and how the price wanders are
//! stated here once. Change code, not these, when a reader of the world disappoints.
//!
//! Units are in the field docs: prices and money in quote units (USDT), rates per second of virtual
//! time, volatilities per square root of a day, shares in 0..1. Floats are fine here: nothing of
//! this reaches a scoring path.
#![expect(
    clippy::float_arithmetic,
    reason = "the numbers of the simulated market are floats"
)]

use super::dialect::Dialect;
use crate::time::Nanos;

/// 2026-01-01T00:00:00Z, where a world starts unless told otherwise.
pub const EPOCH: Nanos = Nanos::seconds(1_767_225_600);

/// One row of a margin table: positions worth up to `cap` need `maintenance` of their value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierRow {
    /// Largest position value of the row, USDT.
    pub cap: i64,
    /// Largest leverage, hundredths.
    pub leverage: u32,
    /// Maintenance rate, 1e-5.
    pub maintenance: i64,
}

const fn row(cap: i64, leverage: u32, maintenance: i64) -> TierRow {
    TierRow {
        cap,
        leverage: leverage * 100,
        maintenance,
    }
}

/// One contract: its numbers as the exchange lists them, and the size of its market.
#[derive(Debug, Clone)]
pub struct Contract {
    /// Listed name, `BTCUSDT`.
    pub symbol: String,
    /// Coin as listed, `BTC`, `1000PEPE`.
    pub base: String,
    /// Coin itself, `PEPE`.
    pub asset: String,
    /// Coins in one unit of the listed base, as a power of ten.
    pub bundle: i32,
    /// Price at the start.
    pub price: f64,
    /// Decimals of every printed price; one *unit* is the last of them.
    pub price_scale: u32,
    /// Units in one tick.
    pub tick_units: i64,
    /// Decimals of every printed quantity; one *lot* is the last of them.
    pub lot_scale: u32,
    /// Listed base in one contract, as a power of ten; 0 where quantities are base.
    pub value_scale: i32,
    /// Largest leverage, hundredths.
    pub max_leverage: u32,
    /// Margin table, smallest cap first.
    pub tiers: Vec<TierRow>,
    /// A row's rate holds for the whole position, and the row is chosen by quantity; otherwise rates
    /// are progressive.
    pub flat_tiers: bool,
    /// Fee kept back for closing, part of the requirement, 1e-5.
    pub closing_fee: i64,
    /// False: listed later, by [`super::World::list`].
    pub listed: bool,
    /// How strongly it follows the common factor.
    pub beta: f64,
    /// Own volatility per square root of a day, beside the common factor.
    pub own_vol: f64,
    /// Resting orders stand one per this many ticks on average.
    pub cell_ticks: i64,
    /// Mean value of one resting level, USDT.
    pub level_usd: f64,
    /// Median value of a new position, USDT.
    pub position_usd: f64,
}

/// The price elsewhere: what moves without us.
#[derive(Debug, Clone)]
pub struct Weather {
    /// Volatility of the common factor per square root of a day, in calm.
    pub vol: f64,
    /// Spread of the logarithm of volatility around its mean.
    pub vol_of_vol: f64,
    /// Time in which half of a volatility excess is gone, seconds.
    pub vol_half_life: f64,
    /// Typical size of the trend, log return per day.
    pub trend: f64,
    /// Time in which half of a trend is gone, seconds.
    pub trend_half_life: f64,
    /// News per day: an impulse of one sign over a short time.
    pub shocks_per_day: f64,
    /// Median total size of such an impulse, log return.
    pub shock: f64,
    /// Spread of its logarithm.
    pub shock_spread: f64,
    /// Shortest and longest impulse, seconds.
    pub shock_seconds: [f64; 2],
    /// What an impulse adds to the logarithm of volatility.
    pub shock_vol: f64,
}

/// Resting orders and what eating them does.
#[derive(Debug, Clone)]
pub struct Depth {
    /// Levels shown a side.
    pub levels: usize,
    /// Spread of the logarithm of a level's size.
    pub spread: f64,
    /// One level in this many is a wall.
    pub wall_every: u64,
    /// A wall is this many ordinary levels.
    pub wall: f64,
    /// How long a level keeps its character, seconds.
    pub character_seconds: f64,
    /// The touch holds this many mean levels.
    pub touch: f64,
    /// Gap between the touches in calm, ticks.
    pub spread_ticks: i64,
    /// Share of its target an eaten level near the touch regains per beat.
    pub refill: f64,
    /// Levels a side whose size changes by itself per beat.
    pub flickers: u32,
    /// Share of a taker's way through the book that stays in the price.
    pub impact: f64,
    /// Time in which half of the distance to the index is arbitraged away, seconds.
    pub basis_half_life: f64,
    /// Share of that which is done by the index coming to us.
    pub drag: f64,
    /// How strongly depth thins when volatility doubles (power).
    pub thinning: f64,
    /// Market makers, each with one netted account.
    pub makers: usize,
    /// Trades among market makers per second at activity 1.
    pub noise_rate: f64,
    /// Median value of such a trade, USDT, and the spread of its logarithm.
    pub noise_usd: [f64; 2],
    /// Share of them in which inventories are brought together.
    pub netting: f64,
}

/// The people: what they open, and how they leave.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// New positions per second at activity 1.
    pub open_rate: f64,
    /// Leverage and its weight among new positions.
    pub leverages: Vec<(f64, f64)>,
    /// Spread of the logarithm of a position's value.
    pub size_spread: f64,
    /// Largest position, in medians.
    pub size_cap: f64,
    /// Above this many medians leverage falls with the root of the size.
    pub whale: f64,
    /// Share of new positions that hedge something elsewhere and are never forced.
    pub hedged_share: f64,
    /// How much larger these are.
    pub hedged_size: f64,
    /// Mean time these are kept, seconds.
    pub hedged_seconds: f64,
    /// Mean time a position with leverage 10 is kept, seconds.
    pub hold_seconds: f64,
    /// It falls with this power of leverage.
    pub hold_power: f64,
    /// Share with a stop order.
    pub stop_share: f64,
    /// Where stops lie, as shares of the distance to the liquidation price.
    pub stop_range: [f64; 2],
    /// Share with a profit target.
    pub take_share: f64,
    /// Where targets lie, as shares of the same distance.
    pub take_range: [f64; 2],
    /// No plan lies further than this, log return.
    pub plan_cap: f64,
    /// Those without a stop look again when this share of the distance is lost.
    pub warn: f64,
    /// Then this share adds margin.
    pub top_up_share: f64,
    /// As a share of the margin, least and most.
    pub top_up_range: [f64; 2],
    /// And this share halves the position.
    pub halve_share: f64,
    /// Share whose whole wallet stands behind the position (cross margin). 0: nobody, and no chance
    /// is asked about it.
    pub cross_share: f64,
    /// What the wallet adds to the margin, in margins, least and most.
    pub cross_range: [f64; 2],
    /// How often such a wallet is worth something else, because of what its owner holds elsewhere;
    /// times per day and position.
    pub cross_moves: f64,
    /// Spread of the logarithm of the margin in such a move.
    pub cross_spread: f64,
    /// Share of openings and closings done by a resting order (the print has the other side).
    pub passive_share: f64,
    /// How strongly new positions follow the last half hour (share of probability).
    pub chase: f64,
    /// How strongly they fill up the lighter side.
    pub balance: f64,
    /// How strongly they take the side that is paid by the premium.
    pub carry: f64,
    /// How strongly activity follows volatility (power), and its largest value.
    pub activity: [f64; 2],
    /// Length of the past the first population comes from, seconds.
    pub past_seconds: f64,
}

/// The liquidation engine, the mark and funding.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Smoothing time of the premium inside the mark, seconds.
    pub premium_seconds: f64,
    /// A forced order goes to the book in clips of at most this value per beat, USDT.
    pub clip_usd: f64,
    /// Hours between fundings.
    pub funding_hours: i64,
    /// Interest part of funding per interval.
    pub funding_interest: f64,
    /// Damper of the interest part.
    pub funding_damper: f64,
    /// Largest rate either way.
    pub funding_cap: f64,
}

/// How often what is sent; one beat is 100 ms.
#[derive(Debug, Clone, Copy)]
pub struct Cadence {
    /// Beats between book deltas.
    pub book: u64,
    /// Beats between ticker deltas.
    pub ticker: u64,
    /// Beats between liquidation batches.
    pub liquidation: u64,
    /// Beats between running bars; 0 sends none.
    pub kline: u64,
}

/// Everything a world is generated from, beside its seed.
#[derive(Debug, Clone)]
pub struct Params {
    /// Whose words it speaks.
    pub dialect: Dialect,
    /// The price elsewhere of an asset is one for all worlds of a seed that say so, whatever the
    /// venue; otherwise every contract has its own.
    pub in_common: bool,
    /// Virtual time of the first beat.
    pub start: Nanos,
    /// At most thirty-two.
    pub contracts: Vec<Contract>,
    /// The price elsewhere.
    pub weather: Weather,
    /// Resting orders.
    pub depth: Depth,
    /// The people.
    pub crowd: Crowd,
    /// Liquidations, mark, funding.
    pub engine: Engine,
    /// Frame rates.
    pub cadence: Cadence,
}

impl Contract {
    /// Bitcoin.
    #[must_use]
    pub fn btc() -> Self {
        Self {
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            asset: "BTC".into(),
            bundle: 0,
            price: 65_000.0,
            price_scale: 2,
            tick_units: 10,
            lot_scale: 3,
            value_scale: 0,
            max_leverage: 15_000,
            tiers: vec![
                row(300_000, 150, 330),
                row(2_000_000, 100, 500),
                row(2_600_000, 90, 560),
                row(3_200_000, 80, 630),
                row(3_800_000, 75, 670),
                row(4_400_000, 70, 710),
                row(5_000_000, 65, 770),
                row(5_600_000, 55, 910),
                row(8_500_000, 50, 1_000),
                row(10_000_000, 45, 1_300),
                row(14_000_000, 40, 1_500),
                row(20_000_000, 35, 1_600),
                row(28_000_000, 30, 2_000),
                row(38_000_000, 25, 2_500),
                row(50_000_000, 20, 2_900),
                row(80_000_000, 14, 4_500),
                row(200_000_000, 10, 6_000),
                row(500_000_000, 4, 15_000),
                row(1_000_000_000, 1, 60_000),
            ],
            flat_tiers: false,
            closing_fee: 0,
            listed: true,
            beta: 1.0,
            own_vol: 0.006,
            cell_ticks: 15,
            level_usd: 50_000.0,
            position_usd: 2_800.0,
        }
    }

    /// Ether.
    #[must_use]
    pub fn eth() -> Self {
        Self {
            symbol: "ETHUSDT".into(),
            base: "ETH".into(),
            asset: "ETH".into(),
            bundle: 0,
            price: 1_900.0,
            price_scale: 2,
            tick_units: 1,
            lot_scale: 2,
            value_scale: 0,
            max_leverage: 10_000,
            tiers: vec![
                row(500_000, 100, 500),
                row(1_500_000, 75, 650),
                row(3_000_000, 50, 1_000),
                row(8_000_000, 33, 1_500),
                row(20_000_000, 25, 2_000),
                row(50_000_000, 20, 2_500),
                row(100_000_000, 10, 5_000),
                row(300_000_000, 5, 10_000),
                row(600_000_000, 1, 50_000),
            ],
            flat_tiers: false,
            closing_fee: 0,
            listed: true,
            beta: 1.25,
            own_vol: 0.010,
            cell_ticks: 5,
            level_usd: 45_000.0,
            position_usd: 1_900.0,
        }
    }

    /// Solana.
    #[must_use]
    pub fn sol() -> Self {
        Self {
            symbol: "SOLUSDT".into(),
            base: "SOL".into(),
            asset: "SOL".into(),
            bundle: 0,
            price: 80.0,
            price_scale: 3,
            tick_units: 10,
            lot_scale: 1,
            value_scale: 0,
            max_leverage: 10_000,
            tiers: vec![
                row(200_000, 100, 500),
                row(600_000, 75, 650),
                row(1_500_000, 50, 1_000),
                row(4_000_000, 25, 2_000),
                row(8_000_000, 20, 2_500),
                row(40_000_000, 10, 5_000),
                row(80_000_000, 5, 10_000),
                row(200_000_000, 1, 50_000),
            ],
            flat_tiers: false,
            closing_fee: 0,
            listed: true,
            beta: 1.4,
            own_vol: 0.014,
            cell_ticks: 1,
            level_usd: 110_000.0,
            position_usd: 1_300.0,
        }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self {
            dialect: Dialect::Bybit,
            in_common: false,
            start: EPOCH,
            contracts: vec![Contract::btc(), Contract::eth(), Contract::sol()],
            weather: Weather {
                vol: 0.016,
                vol_of_vol: 0.45,
                vol_half_life: 7_200.0,
                trend: 0.020,
                trend_half_life: 10_800.0,
                shocks_per_day: 3.0,
                shock: 0.010,
                shock_spread: 0.55,
                shock_seconds: [20.0, 400.0],
                shock_vol: 0.5,
            },
            depth: Depth {
                levels: 200,
                spread: 0.9,
                wall_every: 61,
                wall: 9.0,
                character_seconds: 900.0,
                touch: 2.0,
                spread_ticks: 1,
                refill: 0.25,
                flickers: 2,
                impact: 0.7,
                basis_half_life: 60.0,
                drag: 0.35,
                thinning: 0.6,
                makers: 8,
                noise_rate: 1.5,
                noise_usd: [1_200.0, 1.3],
                netting: 0.6,
            },
            crowd: Crowd {
                open_rate: 0.65,
                leverages: vec![
                    (3.0, 0.09),
                    (5.0, 0.15),
                    (10.0, 0.25),
                    (15.0, 0.06),
                    (20.0, 0.17),
                    (25.0, 0.09),
                    (50.0, 0.11),
                    (75.0, 0.02),
                    (100.0, 0.06),
                ],
                size_spread: 1.7,
                size_cap: 700.0,
                whale: 20.0,
                hedged_share: 0.06,
                hedged_size: 3.0,
                hedged_seconds: 86_400.0,
                hold_seconds: 28_800.0,
                hold_power: 0.6,
                stop_share: 0.42,
                stop_range: [0.25, 0.9],
                take_share: 0.6,
                take_range: [0.3, 1.8],
                plan_cap: 0.12,
                warn: 0.6,
                top_up_share: 0.22,
                top_up_range: [0.3, 1.5],
                halve_share: 0.12,
                cross_share: 0.0,
                cross_range: [0.0, 0.0],
                cross_moves: 0.0,
                cross_spread: 0.0,
                passive_share: 0.3,
                chase: 0.14,
                balance: 0.9,
                carry: 0.10,
                activity: [0.8, 5.0],
                past_seconds: 172_800.0,
            },
            engine: Engine {
                premium_seconds: 20.0,
                clip_usd: 250_000.0,
                funding_hours: 8,
                funding_interest: 0.000_1,
                funding_damper: 0.000_5,
                funding_cap: 0.005,
            },
            cadence: Cadence {
                book: 5,
                ticker: 10,
                liquidation: 5,
                kline: 100,
            },
        }
    }
}

impl Params {
    /// The default world with only the named contracts (unknown names are left out).
    #[must_use]
    pub fn only(symbols: &[&str]) -> Self {
        let mut params = Self::default();
        params
            .contracts
            .retain(|c| symbols.contains(&c.symbol.as_str()));
        params
    }

    /// A world without forced impact on anyone's price: taker orders leave nothing behind.
    #[must_use]
    pub fn without_impact(mut self) -> Self {
        self.depth.impact = 0.0;
        self
    }

    /// A second crowd: low leverage, wallets behind the positions, margin added when it gets
    /// close, and patience; few hedges, quiet makers. (The first crowd is the default.)
    #[must_use]
    pub fn patient(mut self) -> Self {
        let crowd = &mut self.crowd;
        crowd.open_rate = 0.30;
        crowd.leverages = vec![
            (2.0, 0.12),
            (3.0, 0.20),
            (5.0, 0.27),
            (10.0, 0.23),
            (20.0, 0.12),
            (25.0, 0.04),
            (50.0, 0.02),
        ];
        crowd.size_spread = 1.9;
        crowd.size_cap = 900.0;
        crowd.whale = 15.0;
        crowd.hedged_share = 0.02;
        crowd.hedged_size = 2.0;
        crowd.hedged_seconds = 172_800.0;
        crowd.hold_seconds = 86_400.0;
        crowd.hold_power = 0.4;
        crowd.stop_share = 0.20;
        crowd.stop_range = [0.4, 0.95];
        crowd.take_share = 0.45;
        crowd.take_range = [0.3, 2.5];
        crowd.warn = 0.5;
        crowd.top_up_share = 0.55;
        crowd.top_up_range = [0.2, 1.2];
        crowd.halve_share = 0.08;
        crowd.cross_share = 0.55;
        crowd.cross_range = [0.3, 3.0];
        crowd.cross_moves = 6.0;
        crowd.cross_spread = 0.12;
        crowd.passive_share = 0.45;
        crowd.past_seconds = 432_000.0;
        self.depth.noise_rate = 0.7;
        self
    }

    /// A third crowd: high leverage, gone within the hour, stops close by, hardly any margin added;
    /// and most of open interest held by hedges nobody sees, among makers that trade a lot.
    #[must_use]
    pub fn hasty(mut self) -> Self {
        let crowd = &mut self.crowd;
        crowd.open_rate = 1.6;
        crowd.leverages = vec![
            (5.0, 0.03),
            (10.0, 0.10),
            (20.0, 0.20),
            (25.0, 0.15),
            (50.0, 0.25),
            (75.0, 0.09),
            (100.0, 0.18),
        ];
        crowd.size_spread = 1.5;
        crowd.size_cap = 400.0;
        crowd.whale = 30.0;
        crowd.hedged_share = 0.08;
        crowd.hedged_size = 4.0;
        crowd.hedged_seconds = 43_200.0;
        crowd.hold_seconds = 7_200.0;
        crowd.hold_power = 0.7;
        crowd.stop_share = 0.50;
        crowd.stop_range = [0.15, 0.85];
        crowd.take_share = 0.70;
        crowd.take_range = [0.2, 1.4];
        crowd.warn = 0.75;
        crowd.top_up_share = 0.05;
        crowd.top_up_range = [0.2, 0.6];
        crowd.halve_share = 0.05;
        crowd.cross_share = 0.08;
        crowd.cross_range = [0.2, 1.0];
        crowd.cross_moves = 6.0;
        crowd.cross_spread = 0.15;
        crowd.passive_share = 0.2;
        self.depth.noise_rate = 4.0;
        self
    }

    /// A rougher world: twice the news, half the depth.
    #[must_use]
    pub fn stormy(mut self) -> Self {
        self.weather.shocks_per_day = 8.0;
        for contract in &mut self.contracts {
            contract.level_usd *= 0.5;
        }
        self
    }

    /// A world in which nobody is ever forced: every position is hedged.
    #[must_use]
    pub fn hedged(mut self) -> Self {
        self.crowd.hedged_share = 1.0;
        self
    }
}
