//! Hyperliquid's part of the suite.

use super::*;
#[path = "../fixtures/hyperliquid.rs"]
mod fixtures;
use fixtures::*;

const META: &str = r#"{"universe":[{"name":"OLD","szDecimals":1,"maxLeverage":5,"isDelisted":true},{"szDecimals":5,"name":"BTC","maxLeverage":40,"marginTableId":56}],"marginTables":[[50,{"description":"","marginTiers":[]}],[56,{"description":"tiered 40x","marginTiers":[{"lowerBound":"0.0","maxLeverage":40},{"lowerBound":"150000000.0","maxLeverage":20}]}]]}"#;

/// A cross position whose venue states a price, an isolated one, and one that nothing forces.
const STATE: &str = r#"{"marginSummary":{"accountValue":"1182.312496","totalNtlPos":"3434.815334","totalRawUsd":"86.549602","totalMarginUsed":"171.740766"},"crossMarginSummary":{"accountValue":"1182.312496","totalNtlPos":"3434.815334","totalRawUsd":"86.549602","totalMarginUsed":"171.740766"},"crossMaintenanceMarginUsed":"66.25","withdrawable":"1010.57173","assetPositions":[{"type":"oneWay","position":{"coin":"ETH","szi":"0.1334","leverage":{"type":"cross","value":20},"entryPx":"1705.82","positionValue":"227.675114","unrealizedPnl":"0.118726","returnOnEquity":"0.01042942","liquidationPx":null,"marginUsed":"11.383755","maxLeverage":25,"cumFunding":{"allTime":"1.5","sinceOpen":"0.0","sinceChange":"0.0"}}},{"type":"oneWay","position":{"coin":"BTC","szi":"-0.785","leverage":{"type":"isolated","value":20,"rawUsd":"66650.25"},"entryPx":"80951.0","positionValue":"62800.0","unrealizedPnl":"746.535","returnOnEquity":"0.2","liquidationPx":"83198.69592357","marginUsed":"3140.0","maxLeverage":40,"cumFunding":{"allTime":"0.0","sinceOpen":"0.0","sinceChange":"0.0"}}}],"time":1790000000500}"#;

pub(crate) const ROW: Row = Row {
    venue: "hyperliquid",
    assets: &["BTC", "PEPE"],
    primers: &[],
    channels: &[
        Channel {
            stream: Stream::Trades,
            before: &[],
            frame: TRADE,
            told: &[
                "1790000000100 BTC account 1 is 11 to 11",
                "1790000000100 BTC account 2 is 22 to 22",
                "1790000000100 BTC sold 0.00036 at 80000 2 to 1",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Trades,
            before: &[frame(TRADE)],
            frame: TRADES,
            told: &[
                "1790000000200 BTC account 3 is 33 to 33",
                "1790000000200 BTC bought 1 at 80001.5 1 to 3",
                "1790000000200 BTC bought 0.25 at 80002 2 to 3",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Book,
            before: &[],
            frame: BOOK,
            told: &[
                "1790000000546 BTC bid 10.25923 at 80000 in 1790000000546, image",
                "1790000000546 BTC bid 1.65875 at 79999.5 in 1790000000546, image",
                "1790000000546 BTC ask 50.66449 at 80001 in 1790000000546, image",
                "1790000000546 BTC ask 0.00711 at 80002 in 1790000000546, image",
                "1790000000546 BTC ask 0.01782 at 80010 in 1790000000546, image",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: BBO,
            told: &["1790000000145 BTC touch 10.25923 at 80000 and 50.66422 at 80001"],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: CONTEXT,
            told: &[
                "0 BTC mark 80000.5",
                "0 BTC index 80010.5",
                "0 BTC interest 36585.31848",
                "0 BTC funding -1895200 next 0 every 1 h",
            ],
            fast: true,
        },
    ],
    answers: &[
        Answer {
            request: r#"/info {"type":"meta"}"#,
            before: &[],
            body: META,
            // The last row ends nowhere: at the most that is admitted.
            told: &[
                "0 BTC terms tick 0.1 lot 0.00001 leverage 4000 every 1 h status 0 places 1",
                "0 BTC tier 0 from 0 to 150000000 leverage 4000 rate 12500 less 0",
                "0 BTC tier 1 from 150000000 to 360287970189639.67 leverage 2000 rate 25000 less 1875000",
            ],
        },
        Answer {
            request: r#"/info {"type":"metaAndAssetCtxs"}"#,
            before: &[],
            body: r#"[{"universe":[{"name":"OLD","szDecimals":1,"maxLeverage":5,"isDelisted":true},{"szDecimals":5,"name":"BTC","maxLeverage":40,"marginTableId":56}],"marginTables":[]},[{"funding":"0.0","openInterest":"0.0","oraclePx":"1.0","markPx":"1.0","midPx":null},{"funding":"0.0000125","openInterest":"5.5","oraclePx":"80010.0","markPx":"80000.5","midPx":"80000.0"}]]"#,
            // A place in the list is a coin's number, so the gone one stays.
            told: &[
                "0 BTC mark 80000.5",
                "0 BTC index 80010",
                "0 BTC interest 5.5",
                "0 BTC funding 12500000 next 0 every 1 h",
            ],
        },
        Answer {
            request: r#"/info {"type":"candleSnapshot","req":{"coin":"{}","interval":"5m","startTime":0,"endTime":4102444800000}}"#,
            before: &[],
            body: r#"[{"T":1789999799999,"c":"80001.0","h":"80002.0","i":"5m","l":"79999.0","n":709,"o":"80000.0","s":"BTC","t":1789999500000,"v":"12.5"},{"T":1790000099999,"c":"1.0","h":"1.0","i":"5m","l":"1.0","n":1,"o":"1.0","s":"BTC","t":1789999800000,"v":"1.0"}]"#,
            told: &["1789999500000 BTC bar 80000 80002 79999 80001 of 12.5 over 300 s, past"],
        },
        Answer {
            request: r#"/info {"type":"fundingHistory","coin":"{}","startTime":{since}}"#,
            before: &[],
            body: r#"[{"coin":"BTC","fundingRate":"0.0000125","premium":"-0.00001","time":1789992000048},{"coin":"BTC","fundingRate":"-0.00061334","premium":"-0.00091334","time":1789995600021}]"#,
            told: &[
                "1789992000048 BTC funding 12500000 next 0 every 1 h, past",
                "1789995600021 BTC funding -613340000 next 0 every 1 h, past",
            ],
        },
        Answer {
            request: r#"/info {"type":"clearinghouseState","user":"{account}"}"#,
            before: &[],
            body: STATE,
            // PEPE is followed and not held; ETH is held and not followed.
            told: &[
                "1790000000500 BTC fcf31c11232f5733 holds 0.785 Short from 80951 to 83198.69592357",
                "1790000000500 PEPE fcf31c11232f5733 holds 0 Long from 0 to 0",
            ],
        },
    ],
    refusing: "null",
    legs: Legs {
        first: &[frame(BOOK)],
        then: || {
            let book = |ms: u64, size: u64| {
                let next = BOOK.replace("1790000000546", &format!("179000000{ms}"));
                next.replace("10.25923", &format!("{size}.0"))
            };
            let trade = |tid: u64| TRADE.replace("1045359869404765", &tid.to_string());
            vec![
                book(1_046, 1),
                trade(7),
                TRADES.to_owned(),
                trade(8),
                book(1_546, 2),
            ]
        },
        prints: 4,
    },
    limits: Limits {
        field: "subscription",
        topics: 1,
        bytes: 1_024,
        pause_ms: 30,
    },
};
