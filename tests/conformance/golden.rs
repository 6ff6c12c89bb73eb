//! Golden: what a forced closure means at each venue (venues.md 1.2), one second of one down-move as three of them told
//! it (1.3), and liquidation prices by the tables that are read from the venues' own answers (4.3).
//!
//! The vectors of 4.3 that need no venue's answer stand beside the formulas, in `inventory::liquidation`.

use super::*;
use isotherm::event::Liquidation;
use isotherm::num::{Px, Qty};

fn px(text: &str) -> Px {
    Px::parse(text).unwrap()
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

/// The one forced closure of a frame and its stamp, the same by every road.
fn died(row: &Row, frame: &str) -> (Liquidation, i64) {
    let mut roads = Roads::new(row, &[]);
    let (got, _) = roads.decode(frame.as_bytes()).unwrap();
    match got.events[..] {
        [event] => match event.body() {
            Body::Liquidation(l) => (l, event.exch.get() / Nanos::MILLI.get()),
            other => panic!("{other:?}"),
        },
        ref other => panic!("{other:?}"),
    }
}

fn binance(side: &str, limit: &str, average: &str, filled: &str, last: &str) -> String {
    format!(
        r#"{{"stream":"!forceOrder@arr","data":{{"e":"forceOrder","E":1790000000500,"o":{{"s":"BTCUSDT","S":"{side}","o":"LIMIT","f":"IOC","q":"9.000","p":"{limit}","ap":"{average}","X":"FILLED","l":"{last}","z":"{filled}","T":1790000000100,"ps":"BTCUSDT","st":1}}}}}}"#
    )
}

fn bybit(side: &str, bankruptcy: &str, size: &str) -> String {
    format!(
        r#"{{"topic":"allLiquidation.BTCUSDT","type":"snapshot","ts":1790000000500,"data":[{{"T":1790000000100,"s":"BTCUSDT","S":"{side}","v":"{size}","p":"{bankruptcy}"}}]}}"#
    )
}

fn okx(position: &str, side: &str, price: &str, contracts: &str) -> String {
    format!(
        r#"{{"arg":{{"channel":"liquidation-orders","instType":"SWAP"}},"data":[{{"details":[{{"bkLoss":"0","bkPx":"{price}","ccy":"","posSide":"{position}","side":"{side}","sz":"{contracts}","ts":"1790000000100"}}],"instFamily":"BTC-USDT","instId":"BTC-USDT-SWAP","instType":"SWAP","uly":"BTC-USDT"}}]}}"#
    )
}

/// venues.md 1.3: three venues, one second, one direction: at each of them a long died.
#[test]
fn in_the_same_second_a_long_dies_at_three_venues() {
    let rows = [
        (
            &binance::ROW,
            binance("SELL", "82338.30", "82651.90", "0.190", "0.050"),
            "82651.9",
            "0.19",
        ),
        (
            &bybit::ROW,
            bybit("Buy", "82396.90", "0.006"),
            "82396.9",
            "0.006",
        ),
        (
            &okx::ROW,
            okx("long", "sell", "82655.7", "8.55"),
            "82655.7",
            "0.0855",
        ),
    ];
    for (row, frame, price, size) in rows {
        let (print, at) = died(row, &frame);
        assert_eq!(print.holder, Holder::Long, "{}", row.venue);
        assert_eq!(
            (print.price, print.qty),
            (px(price), qty(size)),
            "{}",
            row.venue
        );
        assert_eq!(at, 1_790_000_000_100);
    }
}

/// venues.md 1.2: whose position, which price, which size, which stamp.
#[test]
fn a_forced_closure_is_read_as_its_venue_means_it() {
    use Holder::{Long, Short};
    // Binance: the side of the order, the average fill, what was filled; not the limit, nor the last fill.
    for (side, holder) in [("SELL", Long), ("BUY", Short)] {
        let (print, at) = died(
            &binance::ROW,
            &binance(side, "79700.00", "80010.10", "0.200", "0.050"),
        );
        let want = (holder, px("80010.1"), qty("0.2"));
        assert_eq!((print.holder, print.price, print.qty), want);
        assert_eq!(at, 1_790_000_000_100, "of the order, not of the message");
    }
    // Bybit: the side of the position, the bankruptcy price, coins.
    for (side, holder) in [("Buy", Long), ("Sell", Short)] {
        let (print, at) = died(&bybit::ROW, &bybit(side, "79600.00", "0.050"));
        let want = (holder, px("79600"), qty("0.05"));
        assert_eq!((print.holder, print.price, print.qty), want);
        assert_eq!(at, 1_790_000_000_100, "of the row, not of the batch");
    }
    // OKX: told, or the side of the order where positions are netted; contracts of 0.01 coins.
    for (position, side, holder) in [
        ("long", "sell", Long),
        ("short", "buy", Short),
        ("net", "sell", Long),
        ("net", "buy", Short),
    ] {
        let (print, at) = died(&okx::ROW, &okx(position, side, "79990.1", "12"));
        let want = (holder, px("79990.1"), qty("0.12"));
        assert_eq!(
            (print.holder, print.price, print.qty),
            want,
            "{position} {side}"
        );
        assert_eq!(at, 1_790_000_000_100);
    }
    // Hyperliquid tells nobody's.
    let venue = hyperliquid::ROW.venue();
    assert!(venue.root(Stream::Liquidations).is_none());
    assert!((venue.topics)("BTC", Stream::Liquidations).is_empty());
}

/// On the all-market stream COIN-M comes with USD-M: its sizes are contracts, and none of ours.
#[test]
fn a_coin_margined_closure_is_left_out() {
    let frame = binance("SELL", "79700.00", "80010.10", "0.200", "0.050");
    let other = frame.replace("\"st\":1", "\"st\":2");
    let mut roads = Roads::new(&binance::ROW, &[]);
    let (got, _) = roads.decode(other.as_bytes()).unwrap();
    assert!(got.ignored && got.events.is_empty());
}
