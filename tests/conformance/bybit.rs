//! Bybit's part of the suite.

use super::*;
#[path = "../fixtures/bybit.rs"]
mod fixtures;
use fixtures::*;

pub(crate) const ROW: Row = Row {
    venue: "bybit",
    assets: &["BTC", "PEPE", "LADYS"],
    primers: &[],
    channels: &[
        Channel {
            stream: Stream::Trades,
            before: &[],
            frame: TRADE,
            told: &["1790000000100 BTC sold 0.012 at 80000.1"],
            fast: true,
        },
        Channel {
            stream: Stream::Trades,
            before: &[frame(TRADE)],
            frame: TRADES,
            told: &[
                "1790000000199 BTC bought 1.5 at 80000.2",
                "1790000000200 BTC sold 0.001 at 80000.1",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Book,
            before: &[],
            frame: SNAP,
            told: &[
                "1789999999998 BTC bid 1.5 at 80000.1 in 11, image",
                "1789999999998 BTC bid 0.25 at 80000 in 11, image",
                "1789999999998 BTC bid 12 at 79999.9 in 11, image",
                "1789999999998 BTC ask 3.001 at 80000.2 in 11, image",
                "1789999999998 BTC ask 2.1 at 80000.5 in 11, image",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Book,
            before: &[frame(SNAP)],
            frame: DELTA,
            told: &[
                "1790000000098 BTC bid 0 at 80000 in 12",
                "1790000000098 BTC ask 2.1 at 80000.5 in 12",
                "1790000000098 BTC ask 0.5 at 80000.6 in 12",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: TICKER,
            told: &[
                "1790000000000 BTC mark 80001",
                "1790000000000 BTC index 80010.25",
                "1790000000000 BTC funding -100000000 next 1790006400000 every 8 h",
                "1790000000000 BTC interest 50000.15",
                "1790000000000 BTC touch 1.5 at 80000.1 and 3.001 at 80000.2",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[frame(TICKER)],
            frame: TICK,
            told: &[
                "1790000000100 BTC mark 80002",
                "1790000000100 BTC interest 50000.1",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Liquidations,
            before: &[],
            frame: PRINT,
            told: &[
                "1790000000100 BTC long died 0.05 at 79600",
                "1790000000200 BTC short died 1.234 at 81234.5",
            ],
            fast: true,
        },
    ],
    answers: &[
        Answer {
            request: "/v5/market/instruments-info?category=linear&limit=1000",
            before: &[],
            body: r#"{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[{"symbol":"BTCUSDT","status":"Trading","priceScale":"2","leverageFilter":{"maxLeverage":"100.00"},"priceFilter":{"tickSize":"0.10"},"lotSizeFilter":{"qtyStep":"0.001"},"fundingInterval":480},{"symbol":"OTHERUSDT","status":"Trading"}],"nextPageCursor":""},"retExtInfo":{},"time":1790000000000}"#,
            told: &[
                "1790000000000 BTC terms tick 0.1 lot 0.001 leverage 10000 every 8 h status 0 places 2",
            ],
        },
        Answer {
            request: "/v5/market/risk-limit?category=linear&symbol={}",
            before: &[],
            body: r#"{"retCode":0,"result":{"category":"linear","list":[{"id":1,"symbol":"BTCUSDT","riskLimitValue":"2000000","maintenanceMargin":"0.005","initialMargin":"0.01","isLowestRisk":1,"maxLeverage":"100.00","mmDeduction":""},{"id":2,"symbol":"BTCUSDT","riskLimitValue":"2600000","maintenanceMargin":"0.0056","initialMargin":"0.0111","isLowestRisk":0,"maxLeverage":"90.00","mmDeduction":"1200"}]},"time":1790000000000}"#,
            told: &[
                "1790000000000 BTC tier 0 from 0 to 2000000 leverage 10000 rate 5000 less 0",
                "1790000000000 BTC tier 1 from 2000000 to 2600000 leverage 9000 rate 5600 less 1200",
            ],
        },
        Answer {
            request: "/v5/market/kline?category=linear&symbol={}&interval=5&limit=512",
            before: &[],
            body: r#"{"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSDT","category":"linear","list":[["1789999500000","80010","80030","80000.5","80020","12.5","1000000"],["1789999200000","80000","80020","79990","80010","10","800000"]]},"time":1790000000000}"#,
            told: &[
                "1789999200000 BTC bar 80000 80020 79990 80010 of 10 over 300 s, past",
                "1789999500000 BTC bar 80010 80030 80000.5 80020 of 12.5 over 300 s, past",
            ],
        },
        Answer {
            request: "/v5/market/open-interest?category=linear&symbol={}&intervalTime=5min&limit=200",
            before: &[],
            body: r#"{"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSDT","category":"linear","list":[{"openInterest":"100.5","timestamp":"1789999800000"},{"openInterest":"99","timestamp":"1789999500000"}],"nextPageCursor":""},"time":1790000000000}"#,
            // The old field sums both sides.
            told: &[
                "1789999500000 BTC interest 49.5, past",
                "1789999800000 BTC interest 50.25, past",
            ],
        },
        Answer {
            request: "/v5/market/funding/history?category=linear&symbol={}&limit=90",
            before: &[],
            body: r#"{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[{"symbol":"BTCUSDT","fundingRate":"0.0001","fundingRateTimestamp":"1789999200000"}]},"time":1790000000000}"#,
            told: &["1789999200000 BTC funding 100000000 next 0 every 0 h, past"],
        },
        Answer {
            request: "/v5/market/account-ratio?category=linear&symbol={}&period=5min&limit=1",
            before: &[],
            body: r#"{"retCode":0,"retMsg":"OK","result":{"list":[{"symbol":"BTCUSDT","buyRatio":"0.5412","sellRatio":"0.4588","timestamp":"1789999800000"}],"nextPageCursor":""},"time":1790000000000}"#,
            told: &["1789999800000 BTC ratio 0 541200 to 458800 over 300 s"],
        },
    ],
    refusing: r#"{"retCode":10006,"retMsg":"Too many visits","result":{}}"#,
    legs: Legs {
        first: &[frame(SNAP)],
        then: || {
            let delta = |u: u64, size: u64| {
                let next = DELTA.replace("\"u\":12", &format!("\"u\":{u}"));
                next.replace("\"0.500\"", &format!("\"{size}\""))
            };
            let trade = |id: u64| TRADE.replace("444444444444", &format!("44444444444{id}"));
            vec![
                delta(12, 1),
                trade(1),
                delta(13, 2),
                PRINT.to_owned(),
                trade(2),
                delta(14, 3),
            ]
        },
        prints: 4,
    },
    limits: Limits {
        field: "args",
        topics: 200,
        bytes: 21_000,
        pause_ms: 0,
    },
};
