//! What each kind of frame means.

use super::*;

#[test]
fn synthetic_frames_take_the_fast_road_wrapped_and_bare() {
    for whole in [true, false] {
        let mut three = three();
        three.rest(REQUEST, IMAGE.as_bytes()).unwrap();
        for frame in CHANNELS {
            let frame = if whole { frame } else { bare(frame) };
            let got = three.decode(frame.as_bytes()).unwrap();
            assert_eq!((got.road, got.gap), (Road::Fast, false), "{frame}");
            assert!(!got.events.is_empty(), "{frame}");
        }
    }
}

#[test]
fn a_trade_s_taker_sold_when_the_buyer_was_the_maker() {
    let mut three = three();
    let got = three.decode(AGG.as_bytes()).unwrap();
    match got.bodies()[..] {
        [Body::Trade(t)] => assert_eq!(
            (t.price, t.qty, t.side, t.id),
            (px("80000.1"), qty("0.01"), Side::Sell, 9)
        ),
        ref other => panic!("{other:?}"),
    }
    assert_eq!(got.events[0].exch, Nanos::millis(1_790_000_000_011));
    assert_eq!(got.events[0].bits, FIRST | LAST);
    match three.decode(AGG_LIVE.as_bytes()).unwrap().bodies()[..] {
        [Body::Trade(t)] => assert_eq!(
            (t.price, t.qty, t.side, t.id),
            (px("80000.2"), qty("1.5"), Side::Buy, 10)
        ),
        ref other => panic!("{other:?}"),
    }
    let again = three.decode(AGG.as_bytes()).unwrap();
    assert!(again.events.is_empty(), "the same trade again is no trade");
}

#[test]
fn a_hole_in_the_trades_is_told_before_the_trade() {
    let mut three = three();
    let trade = |id: u64| with(AGG, &[("\"a\":9", &format!("\"a\":{id}"))]);
    for id in [9, 10] {
        assert!(!three.decode(trade(id).as_bytes()).unwrap().gap);
    }
    let got = three.decode(trade(13).as_bytes()).unwrap();
    assert!(got.gap && got.resync.is_none());
    match got.bodies()[..] {
        [Body::Gap(gap), Body::Trade(trade)] => {
            assert_eq!(
                (gap.stream, gap.expected, gap.got),
                (Stream::Trades, 11, 13)
            );
            assert_eq!(trade.id, 13);
        }
        ref other => panic!("{other:?}"),
    }
    assert_eq!((got.events[0].bits, got.events[1].bits), (FIRST, LAST));
    assert!(!three.decode(trade(14).as_bytes()).unwrap().gap);
}

#[test]
fn single_fills_count_where_no_aggregates_are_heard() {
    let single = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1790000000064,"T":1790000000063,"s":"BTCUSDT","t":77,"p":"80000.00","q":"0.100","X":"MARKET","m":true}}"#;
    let mut three = three();
    let got = three.decode(single.as_bytes()).unwrap();
    assert!(matches!(got.bodies()[..], [Body::Trade(t)] if t.id == 77 && t.side == Side::Sell));
    for other in ["INSURANCE_FUND", "ADL", "NA"] {
        let frame = with(single, &[("MARKET", other), ("77", "78")]);
        assert_eq!(three.decode(frame.as_bytes()).unwrap().road, Road::Ignored);
    }
    three.decode(AGG.as_bytes()).unwrap();
    let next = with(single, &[("77", "79")]);
    let got = three.decode(next.as_bytes()).unwrap();
    assert!(got.events.is_empty(), "it is part of an aggregate");
}

#[test]
fn a_print_is_what_was_filled_at_the_average() {
    let mut three = three();
    let got = three.decode(FORCE.as_bytes()).unwrap();
    assert_eq!(got.events[0].exch, Nanos::millis(1_790_000_000_400));
    assert!(
        matches!(got.bodies()[..], [Body::Liquidation(p)] if p.holder == Holder::Long
            && p.price == px("80010.1") && p.qty == qty("0.2"))
    );
    assert!(three.decode(FORCE.as_bytes()).unwrap().events.is_empty());
    let buy = with(
        FORCE,
        &[("SELL", "BUY"), ("\"z\":\"0.200\"", "\"z\":\"0.150\"")],
    );
    let got = three.decode(buy.as_bytes()).unwrap();
    assert!(
        matches!(got.bodies()[..], [Body::Liquidation(p)] if p.holder == Holder::Short
            && p.qty == qty("0.15"))
    );
    // The stream of one symbol, and the forms of before the merge.
    let own = with(
        FORCE,
        &[
            ("!forceOrder@arr", "btcusdt@forceOrder"),
            (",\"ps\":\"BTCUSDT\",\"st\":1", ""),
            ("1790000000400", "1790000001400"),
        ],
    );
    assert_eq!(three.decode(own.as_bytes()).unwrap().road, Road::Fast);
    let none = [
        // COIN-M, another symbol, a name that is not ASCII, nothing filled.
        with(FORCE, &[("\"st\":1", "\"st\":2")]),
        with(FORCE, &[("\"s\":\"BTCUSDT\"", "\"s\":\"BTCUSD_PERP\"")]),
        with(FORCE, &[("\"s\":\"BTCUSDT\"", "\"s\":\"币安人生USDT\"")]),
        with(
            FORCE,
            &[("\"z\":\"0.200\"", "\"z\":\"0\""), ("80010.10", "0")],
        ),
    ];
    for frame in none {
        let got = three.decode(frame.as_bytes()).unwrap();
        assert_eq!((got.road, got.events.len()), (Road::Ignored, 0), "{frame}");
    }
}

#[test]
fn a_mark_tells_index_and_funding_and_nothing_that_was_not_said() {
    let mut three = three();
    let got = three.decode(MARK.as_bytes()).unwrap();
    let funding = |got: &Got| match got.events[2].body() {
        Body::Funding(funding) => funding,
        other => panic!("{other:?}"),
    };
    assert_eq!(got.bodies()[0], Body::Mark(px("80000.1")));
    assert_eq!(got.bodies()[1], Body::Index(px("80010")));
    assert_eq!(funding(&got).rate_e12, 100_000_000);
    assert_eq!(funding(&got).next, Nanos::millis(1_790_006_400_000));
    assert_eq!(
        funding(&got).interval,
        Nanos::ZERO,
        "nobody has said it yet"
    );
    assert_eq!(got.events[0].exch, Nanos::millis(1_790_000_000_000));
    // Who is not in the table pays every eight hours.
    let table = br#"[{"symbol":"1000PEPEUSDT","adjustedFundingRateCap":"0.02","adjustedFundingRateFloor":"-0.02","fundingIntervalHours":4,"disclaimer":false},{"symbol":"OTHERUSDT","fundingIntervalHours":1}]"#;
    three.rest("/fapi/v1/fundingInfo", table).unwrap();
    let got = three.decode(MARK_LIVE.as_bytes()).unwrap();
    assert_eq!(got.bodies()[0], Body::Mark(px("80000.12345678")));
    assert_eq!(got.bodies()[1], Body::Index(px("80010.87654321")));
    assert_eq!(funding(&got).rate_e12, -44_350_000);
    assert_eq!(funding(&got).interval.get(), 8 * Nanos::HOUR.get());
    let pepe = with(
        MARK,
        &[
            ("BTCUSDT", "1000PEPEUSDT"),
            ("80000.10", "0.0079"),
            ("80010.00", "0.0078"),
        ],
    );
    let got = three.decode(pepe.as_bytes()).unwrap();
    assert_eq!(got.bodies()[0], Body::Mark(px("0.0079")));
    assert_eq!(funding(&got).interval.get(), 4 * Nanos::HOUR.get());
    let empty = with(MARK, &[("0.00010000", ""), ("80010.00", "")]);
    let got = three.decode(empty.as_bytes()).unwrap();
    assert_eq!((got.road, got.bodies().len()), (Road::Tolerant, 1));
    assert_eq!(
        three.fast.places(SymbolId(0)),
        (0, 0),
        "marks teach no places"
    );
}

#[test]
fn a_touch_is_both_sides_and_an_empty_side_is_zero() {
    let mut three = three();
    match three.decode(TOUCH.as_bytes()).unwrap().bodies()[..] {
        [Body::Bbo(b)] => {
            assert_eq!((b.bid, b.bid_qty), (px("80000"), qty("1.5")));
            assert_eq!((b.ask, b.ask_qty), (px("80000.5"), qty("0.3")));
        }
        ref other => panic!("{other:?}"),
    }
    let empty = with(TOUCH, &[("\"80000.0\"", "\"0.0\""), ("\"1.5\"", "\"0\"")]);
    let got = three.decode(empty.as_bytes()).unwrap();
    assert!(matches!(got.bodies()[..], [Body::Bbo(b)] if b.bid == Px::ZERO && b.ask != Px::ZERO));
    let old = r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":106,"s":"BTCUSDT","b":"80000.10","B":"2","a":"80000.20","A":"297","T":1790000000012,"E":1790000000017}}"#;
    assert_eq!(three.decode(old.as_bytes()).unwrap().road, Road::Fast);
}

#[test]
fn new_margin_tables_are_told_by_the_stream() {
    let news = r#"{"stream":"!contractInfo","data":{"e":"contractInfo","E":1790000000000,"s":"BTCUSDT","ps":"BTCUSDT","ct":"PERPETUAL","dt":4133404800000,"ot":1569398400000,"cs":"TRADING","bks":[{"bs":1,"bnf":0,"bnc":300000,"mmr":0.004,"cf":0,"mi":101,"ma":150},{"bs":2,"bnf":300000,"bnc":800000,"mmr":0.005,"cf":300.5,"mi":76,"ma":100}]}}"#;
    let got = three().decode(news.as_bytes()).unwrap();
    let tiers: Vec<_> = got
        .bodies()
        .iter()
        .map(|body| match body {
            Body::Tier(tier) => *tier,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((tiers[0].row, tiers[1].row), (0, 1));
    assert_eq!(
        (tiers[1].maintenance_e6, tiers[1].leverage_e2),
        (5_000, 10_000)
    );
    assert_eq!(
        (tiers[1].floor.get(), tiers[1].cap.get()),
        (30_000_000, 80_000_000)
    );
    assert_eq!(tiers[1].deduction.get(), 30_050);
    let listed = news.replace(&news[news.find(",\"bks\"").unwrap()..], "}}");
    assert_eq!(
        three().decode(listed.as_bytes()).unwrap().road,
        Road::Ignored
    );
}
