//! OKX's part of the suite.

use super::*;
#[path = "../fixtures/okx.rs"]
mod fixtures;
use fixtures::*;

const TERMS: Step = (INSTRUMENTS, CONTRACTS);
const MARKS: Step = (
    "/api/v5/public/mark-price?instType=SWAP",
    r#"{"code":"0","data":[{"instId":"SOL-USDT-SWAP","instType":"SWAP","markPx":"100","ts":"1790000000000"},{"instId":"BTC-USDT-SWAP","instType":"SWAP","markPx":"80000","ts":"1790000000000"}],"msg":""}"#,
);
const RATIO: &str = r#"{"code":"0","data":[["1789999500000","1.5"]],"msg":""}"#;

pub(crate) const ROW: Row = Row {
    venue: "okx",
    assets: &["BTC", "PEPE"],
    primers: &[TERMS],
    channels: &[
        Channel {
            stream: Stream::Trades,
            before: &[],
            frame: TRADE,
            told: &["1790000000100 BTC sold 0.0855 at 80000.1"],
            fast: true,
        },
        Channel {
            stream: Stream::Trades,
            before: &[frame(TRADE)],
            frame: TRADES,
            told: &[
                "1790000000199 BTC bought 3 at 80000",
                "1790000000200 BTC sold 0.0001 at 80000.1",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Book,
            before: &[],
            frame: SNAP,
            told: &[
                "1790000000100 BTC ask 0.1 at 80000.5 in 500, image",
                "1790000000100 BTC ask 0.025 at 80001 in 500, image",
                "1790000000100 BTC ask 10 at 80003.25 in 500, image",
                "1790000000100 BTC bid 0.08 at 80000.4 in 500, image",
                "1790000000100 BTC bid 0.0001 at 79999 in 500, image",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Book,
            before: &[frame(SNAP)],
            frame: DELTA,
            told: &[
                "1790000000200 BTC ask 0 at 80001 in 507",
                "1790000000200 BTC ask 0.03 at 80002.5 in 507",
                "1790000000200 BTC bid 0.095 at 80000.4 in 507",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Book,
            before: &[frame(SNAP), frame(DELTA)],
            frame: BEAT,
            told: &[],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: BBO,
            told: &["1790000000105 BTC touch 2.6268 at 80000 and 8.2089 at 80000.5"],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: MARK,
            told: &["1790000000110 BTC mark 80001.7"],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: INDEX,
            told: &["1790000000120 BTC index 80010.25"],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: FUNDING,
            told: &["1790000000130 BTC funding -26346322 next 1790006400000 every 8 h"],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: INTEREST,
            told: &["1790000000140 BTC interest 31858.7869"],
            fast: true,
        },
        Channel {
            stream: Stream::Liquidations,
            before: &[],
            frame: PRINT,
            told: &["1790000000100 BTC long died 0.12 at 79990.1"],
            fast: false,
        },
    ],
    answers: &[
        Answer {
            request: TERMS.0,
            before: &[],
            body: TERMS.1,
            // A contract of PEPE is 10,000 lots of a thousand; a thousandth of its price is the lot's.
            told: &[
                "0 BTC terms tick 0.1 lot 0.0001 leverage 10000 every 0 h status 0 places 1",
                "0 PEPE terms tick 0.000001 lot 1000 leverage 5000 every 0 h status 0 places 6",
            ],
        },
        Answer {
            request: MARKS.0,
            before: &[TERMS],
            body: MARKS.1,
            told: &["1790000000000 BTC mark 80000"],
        },
        Answer {
            request: "/api/v5/market/index-tickers?quoteCcy=USDT",
            before: &[TERMS],
            body: r#"{"code":"0","data":[{"instId":"BTC-USDT","idxPx":"80001","ts":"1790000000000"}],"msg":""}"#,
            told: &["1790000000000 BTC index 80001"],
        },
        Answer {
            request: "/api/v5/public/funding-rate?instId=ANY",
            before: &[TERMS],
            body: r#"{"code":"0","data":[{"instId":"BTC-USDT-SWAP","fundingRate":"0.0001","fundingTime":"1790006400000","nextFundingTime":"1790020800000","ts":"1790000000000"}],"msg":""}"#,
            told: &["1790000000000 BTC funding 100000000 next 1790006400000 every 4 h"],
        },
        Answer {
            request: "/api/v5/public/position-tiers?instType=SWAP&tdMode=isolated&instFamily={base}-USDT",
            before: &[TERMS, MARKS],
            body: r#"{"code":"0","data":[{"instFamily":"BTC-USDT","maxSz":"1000","minSz":"0","maxLever":"100","mmr":"0.004","imr":"0.01","tier":"1"},{"instFamily":"BTC-USDT","maxSz":"5000.5","minSz":"1000.01","maxLever":"66.66","mmr":"0.005","imr":"0.015","tier":"2"}],"msg":""}"#,
            // Contracts of 0.01 coins at the mark.
            told: &[
                "0 BTC tier 0 from 0 to 800000 leverage 10000 rate 4000 less 0",
                "0 BTC tier 1 from 800000 to 4000400 leverage 6666 rate 5000 less 0",
            ],
        },
        Answer {
            request: "/api/v5/public/open-interest?instType=SWAP",
            before: &[TERMS],
            body: r#"{"code":"0","data":[{"instId":"BTC-USDT-SWAP","instType":"SWAP","oi":"100.5","oiCcy":"1.005","oiUsd":"80400","ts":"1790000000000"}],"msg":""}"#,
            told: &["1790000000000 BTC interest 1.005"],
        },
        Answer {
            request: "/api/v5/market/history-candles?instId={}&bar=5m&limit=300",
            before: &[TERMS],
            body: r#"{"code":"0","data":[["1790000600000","3","4","2","3.5","1","0.01","1","0"],["1789999500000","80002","80004.5","80000.5","80003","700","7","560000","1"],["1789999200000","80001","80003","80000","80002","300","3","240000","1"]],"msg":""}"#,
            told: &[
                "1789999200000 BTC bar 80001 80003 80000 80002 of 3 over 300 s, past",
                "1789999500000 BTC bar 80002 80004.5 80000.5 80003 of 7 over 300 s, past",
            ],
        },
        Answer {
            request: "/api/v5/rubik/stat/contracts/open-interest-history?instId={}&period=5m&limit=100",
            before: &[TERMS],
            body: r#"{"code":"0","data":[["1789999500000","200","2","160000"],["1789999200000","100","1","80000"]],"msg":""}"#,
            told: &[
                "1789999200000 BTC interest 1, past",
                "1789999500000 BTC interest 2, past",
            ],
        },
        Answer {
            request: "/api/v5/public/funding-rate-history?instId={}&limit=100",
            before: &[TERMS],
            body: r#"{"code":"0","data":[{"fundingRate":"0.0003","fundingTime":"1789999200000","instId":"BTC-USDT-SWAP","realizedRate":"0.0006"},{"fundingRate":"0.0002","fundingTime":"1789970400000","realizedRate":"0.0004"}],"msg":""}"#,
            told: &[
                "1789970400000 BTC funding 400000000 next 0 every 0 h, past",
                "1789999200000 BTC funding 600000000 next 0 every 8 h, past",
            ],
        },
        Answer {
            request: "/api/v5/rubik/stat/contracts/long-short-account-ratio-contract?instId={}&period=5m&limit=1",
            before: &[TERMS],
            body: RATIO,
            told: &["1789999500000 BTC ratio 0 600000 to 400000 over 300 s"],
        },
        Answer {
            request: concat!(
                "/api/v5/rubik/stat/contracts/long-short-account-ratio-contract-top-trader",
                "?instId={}&period=5m&limit=1"
            ),
            before: &[TERMS],
            body: RATIO,
            told: &["1789999500000 BTC ratio 1 600000 to 400000 over 300 s"],
        },
        Answer {
            request: concat!(
                "/api/v5/rubik/stat/contracts/long-short-position-ratio-contract-top-trader",
                "?instId={}&period=5m&limit=1"
            ),
            before: &[TERMS],
            body: RATIO,
            told: &["1789999500000 BTC ratio 2 600000 to 400000 over 300 s"],
        },
        Answer {
            request: "/api/v5/rubik/stat/taker-volume-contract?instId={}&period=5m&limit=1",
            before: &[TERMS],
            // What was sold stands first.
            body: r#"{"code":"0","data":[["1789999500000","30","10"]],"msg":""}"#,
            told: &["1789999500000 BTC ratio 3 250000 to 750000 over 300 s"],
        },
    ],
    refusing: r#"{"code":"50011","msg":"Too Many Requests","data":[]}"#,
    legs: Legs {
        first: &[frame(SNAP)],
        then: || {
            let delta = |prev: u64, id: u64, size: u64| {
                let links = format!("\"seqId\":{id},\"prevSeqId\":{prev}");
                let next = DELTA.replace("\"seqId\":507,\"prevSeqId\":500", &links);
                next.replace("\"9.5\"", &format!("\"{size}\""))
            };
            vec![
                // Numbers are lower after maintenance, and linked all the same.
                delta(500, 30, 1),
                TRADE.to_owned(),
                delta(30, 34, 2),
                PRINT.to_owned(),
                TRADES.to_owned(),
                delta(34, 37, 3),
            ]
        },
        prints: 4,
    },
    limits: Limits {
        field: "args",
        topics: 4_096,
        bytes: 64 << 10,
        pause_ms: 0,
    },
};
