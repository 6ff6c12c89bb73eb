//! Binance's part of the suite.

use super::*;
#[path = "../fixtures/binance.rs"]
mod fixtures;
use fixtures::*;

const INTERVALS: Step = (
    "/fapi/v1/fundingInfo",
    r#"[{"symbol":"LPTUSDT","adjustedFundingRateCap":"0.02","adjustedFundingRateFloor":"-0.02","fundingIntervalHours":4,"disclaimer":false}]"#,
);
const INFO: &str = r#"{"stream":"!contractInfo","data":{"e":"contractInfo","E":1790000000000,"s":"BTCUSDT","ps":"BTCUSDT","ct":"PERPETUAL","dt":4133404800000,"ot":1569398400000,"cs":"TRADING","bks":[{"bs":1,"bnf":0,"bnc":300000,"mmr":0.004,"cf":0,"mi":101,"ma":150},{"bs":2,"bnf":300000,"bnc":800000,"mmr":0.005,"cf":300.5,"mi":76,"ma":100}]}}"#;
/// The wrapper left out, as on a path of one stream.
const BARE: &str = r#"{"e":"trade","E":1790000000030,"T":1790000000029,"s":"BTCUSDT","t":77,"p":"80000.30","q":"0.250","X":"MARKET","m":false}"#;

pub(crate) const ROW: Row = Row {
    venue: "binance",
    assets: &["BTC", "PEPE", "TURBO"],
    primers: &[INTERVALS],
    channels: &[
        Channel {
            stream: Stream::Trades,
            before: &[],
            frame: AGG,
            told: &["1790000000011 BTC sold 0.01 at 80000.1"],
            fast: true,
        },
        Channel {
            stream: Stream::Trades,
            before: &[frame(AGG)],
            frame: AGG_LIVE,
            told: &["1790000000021 BTC bought 1.5 at 80000.2"],
            fast: true,
        },
        Channel {
            stream: Stream::Trades,
            before: &[],
            frame: BARE,
            told: &["1790000000029 BTC bought 0.25 at 80000.3"],
            fast: false,
        },
        Channel {
            stream: Stream::Book,
            before: &[(REQUEST, IMAGE)],
            frame: DEPTH,
            told: &[
                "1790000000008 BTC bid 1.5 at 80000 in 105, image",
                "1790000000008 BTC bid 1.25 at 79999 in 105, image",
                "1790000000008 BTC ask 0.3 at 80000.5 in 105, image",
                "1790000000008 BTC ask 4 at 80001 in 105, image",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Book,
            before: &[(REQUEST, IMAGE), frame(DEPTH)],
            frame: DEPTH_NEXT,
            told: &[
                "1790000000108 BTC bid 2.5 at 79999.5 in 110",
                "1790000000108 BTC ask 0.3 at 80000.5 in 110",
                "1790000000108 BTC ask 0 at 80001 in 110",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Book,
            before: &[],
            frame: TOUCH,
            told: &["1790000000008 BTC touch 1.5 at 80000 and 0.3 at 80000.5"],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: MARK,
            told: &[
                "1790000000000 BTC mark 80000.1",
                "1790000000000 BTC index 80010",
                "1790000000000 BTC funding 100000000 next 1790006400000 every 8 h",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[frame(MARK)],
            frame: MARK_LIVE,
            told: &[
                "1790000001000 BTC mark 80000.12345678",
                "1790000001000 BTC index 80010.87654321",
                "1790000001000 BTC funding -44350000 next 1790006400000 every 8 h",
            ],
            fast: true,
        },
        Channel {
            stream: Stream::Ticker,
            before: &[],
            frame: INFO,
            told: &[
                "1790000000000 BTC tier 0 from 0 to 300000 leverage 15000 rate 4000 less 0",
                "1790000000000 BTC tier 1 from 300000 to 800000 leverage 10000 rate 5000 less 300.5",
            ],
            fast: false,
        },
        Channel {
            stream: Stream::Liquidations,
            before: &[],
            frame: FORCE,
            told: &["1790000000400 BTC long died 0.2 at 80010.1"],
            fast: true,
        },
    ],
    answers: &[
        Answer {
            request: "/fapi/v1/exchangeInfo",
            before: &[INTERVALS],
            body: r#"{"timezone":"UTC","serverTime":1790000000000,"symbols":[{"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","pricePrecision":2,"quantityPrecision":3,"filters":[{"filterType":"PRICE_FILTER","tickSize":"0.10"},{"filterType":"LOT_SIZE","stepSize":"0.001"},{"filterType":"MIN_NOTIONAL","notional":"100"}]},{"symbol":"OTHERUSDT","status":"TRADING"}]}"#,
            told: &["0 BTC terms tick 0.1 lot 0.001 leverage 0 every 8 h status 0 places 2"],
        },
        Answer {
            request: "/fapi/v1/fundingInfo",
            before: &[],
            body: INTERVALS.1,
            // It is told with the terms and with each funding.
            told: &[],
        },
        Answer {
            request: "https://www.binance.com/bapi/futures/v1/friendly/future/common/brackets",
            before: &[],
            body: r#"{"code":"000000","message":null,"data":{"brackets":[{"symbol":"BTCUSDT","updateTime":1790000000000,"notionalLimit":1,"riskBrackets":[{"bracketSeq":1,"bracketNotionalFloor":0,"bracketNotionalCap":300000,"bracketMaintenanceMarginRate":0.004,"cumFastMaintenanceAmount":0.0,"minOpenPosLeverage":101,"maxOpenPosLeverage":150},{"bracketSeq":2,"bracketNotionalFloor":300000,"bracketNotionalCap":800000,"bracketMaintenanceMarginRate":0.005,"cumFastMaintenanceAmount":300,"minOpenPosLeverage":76,"maxOpenPosLeverage":100}]}]},"success":true}"#,
            told: &[
                "0 BTC tier 0 from 0 to 300000 leverage 15000 rate 4000 less 0",
                "0 BTC tier 1 from 300000 to 800000 leverage 10000 rate 5000 less 300",
            ],
        },
        Answer {
            request: "/fapi/v1/openInterest?symbol={}",
            before: &[],
            body: r#"{"symbol":"BTCUSDT","openInterest":"81234.567","time":1790000000000}"#,
            told: &["1790000000000 BTC interest 81234.567"],
        },
        Answer {
            request: "/fapi/v1/premiumIndex",
            before: &[INTERVALS],
            body: r#"[{"symbol":"BTCUSDT","markPrice":"80000.10000000","indexPrice":"80001.00000000","estimatedSettlePrice":"1","lastFundingRate":"0.00010000","interestRate":"0.00010000","nextFundingTime":1790006400000,"time":1790000000000},{"symbol":"OTHERUSDT"}]"#,
            told: &[
                "1790000000000 BTC mark 80000.1",
                "1790000000000 BTC index 80001",
                "1790000000000 BTC funding 100000000 next 1790006400000 every 8 h",
            ],
        },
        Answer {
            request: "/fapi/v1/klines?symbol={}&interval=5m&limit=1500",
            before: &[],
            body: r#"[[1789999200000,"80000.0","80100.0","79900.5","80050.0","12.5",1789999499999,"1",9,"1","1","0"],[1789999800000,"80050.0","80060.0","80040.0","80055.0","3.5",1790000099999,"1",9,"1","1","0"]]"#,
            // The last is not over.
            told: &["1789999200000 BTC bar 80000 80100 79900.5 80050 of 12.5 over 300 s, past"],
        },
        Answer {
            request: "/futures/data/openInterestHist?symbol={}&period=5m&limit=500",
            before: &[],
            body: r#"[{"symbol":"BTCUSDT","sumOpenInterest":"80000.12300000","sumOpenInterestValue":"6400000000.0","timestamp":1789999200000},{"symbol":"BTCUSDT","sumOpenInterest":"80001.5","timestamp":1789999500000}]"#,
            told: &[
                "1789999200000 BTC interest 80000.123, past",
                "1789999500000 BTC interest 80001.5, past",
            ],
        },
        Answer {
            request: "/fapi/v1/fundingRate?symbol={}&limit=100",
            before: &[],
            body: r#"[{"symbol":"BTCUSDT","fundingRate":"-0.00003750","fundingTime":1789999200000,"markPrice":"80000.1"}]"#,
            told: &["1789999200000 BTC funding -37500000 next 0 every 0 h, past"],
        },
        Answer {
            request: "/futures/data/globalLongShortAccountRatio?symbol={}&period=5m&limit=30",
            before: &[],
            body: SHARES,
            told: &["1789999500000 BTC ratio 0 644200 to 355800 over 300 s"],
        },
        Answer {
            request: "/futures/data/topLongShortAccountRatio?symbol={}&period=5m&limit=30",
            before: &[],
            body: SHARES,
            told: &["1789999500000 BTC ratio 1 644200 to 355800 over 300 s"],
        },
        Answer {
            request: "/futures/data/topLongShortPositionRatio?symbol={}&period=5m&limit=30",
            before: &[],
            body: SHARES,
            told: &["1789999500000 BTC ratio 2 644200 to 355800 over 300 s"],
        },
        Answer {
            request: "/futures/data/takerlongshortRatio?symbol={}&period=5m&limit=30",
            before: &[],
            body: r#"[{"buySellRatio":"3","buyVol":"300.0000","sellVol":"100.00","timestamp":1789999500000}]"#,
            told: &["1789999500000 BTC ratio 3 750000 to 250000 over 300 s"],
        },
    ],
    refusing: r#"{"code":-1003,"msg":"Too many requests."}"#,
    legs: Legs {
        first: &[(REQUEST, IMAGE), frame(DEPTH)],
        then: || {
            let trade = |id: u64| AGG.replace("\"a\":9", &format!("\"a\":{id}"));
            let last = DEPTH_NEXT.replace("\"u\":110,\"pu\":105", "\"u\":115,\"pu\":110");
            let last = last.replace("\"U\":108", "\"U\":112").replace("2.5", "3.5");
            let more = last.replace("\"u\":115,\"pu\":110", "\"u\":119,\"pu\":115");
            vec![
                DEPTH_NEXT.to_owned(),
                trade(9),
                last,
                FORCE.to_owned(),
                trade(10),
                more.replace("\"U\":112", "\"U\":117").replace("3.5", "4.5"),
            ]
        },
        prints: 3,
    },
    limits: Limits {
        field: "params",
        topics: 200,
        bytes: 16_384,
        pause_ms: 100,
    },
};

const SHARES: &str = r#"[{"symbol":"BTCUSDT","longShortRatio":"1.8105","longAccount":"0.6442","shortAccount":"0.3558","timestamp":1789999500000}]"#;
