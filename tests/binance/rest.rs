//! The row, its names and texts, and what REST answers mean.

use super::*;
use isotherm::venue::{What, canonical, instrument_name};

#[test]
fn names_go_there_and_back() {
    let binance = VenueId::BINANCE;
    for (name, asset, shift) in [
        ("BTCUSDT", "BTC", 0),
        ("1000PEPEUSDT", "PEPE", 0),
        ("1000SHIBUSDT", "SHIB", 0),
        ("1MBABYDOGEUSDT", "BABYDOGE", 0),
        ("1000000MOGUSDT", "MOG", 0),
        ("1000CHEEMSUSDT", "CHEEMS", -3),
        ("TURBOUSDT", "TURBO", -3),
        ("1INCHUSDT", "1INCH", 0),
        ("4USDT", "4", 0),
    ] {
        assert_eq!(canonical(binance, name), Some((asset, shift)), "{name}");
        assert_eq!(instrument_name(binance, asset).as_deref(), Some(name));
        let topics = texts::topics(row(), &assets(&[asset]), &[Stream::Book]);
        assert_eq!(texts::assets_of(row(), &topics), [asset]);
    }
    for none in ["BTCUSD_PERP", "USDT", "BTCUSDT_261225", "ETHBTC"] {
        assert_eq!(canonical(binance, none), None, "{none}");
    }
}

#[test]
fn multiples_become_canonical_lots() {
    let mut three = three();
    for (name, price, size, want) in [
        (
            "1000PEPEUSDT",
            "0.0079230",
            "123400",
            ("0.007923", "123400"),
        ),
        ("TURBOUSDT", "0.0012345", "5000", ("1.2345", "5")),
    ] {
        let frame = with(
            AGG,
            &[
                ("BTCUSDT", name),
                ("80000.1", price),
                ("\"0.010\"", &format!("\"{size}\"")),
            ],
        );
        let got = three.decode(frame.as_bytes()).unwrap();
        assert!(
            matches!(got.bodies()[..], [Body::Trade(t)] if t.price == px(want.0) && t.qty == qty(want.1)),
            "{name}"
        );
    }
    assert_eq!(three.fast.places(SymbolId(2)), (4, 3));
}

#[test]
fn each_stream_is_asked_for_on_its_own_path() {
    let row = row();
    let path = |stream| row.root(stream).unwrap().path;
    assert_eq!(path(Stream::Book), "/public/stream");
    for stream in [Stream::Trades, Stream::Ticker, Stream::Liquidations] {
        assert_eq!(path(stream), "/market/stream");
    }
    let two = assets(&["BTC", "PEPE"]);
    let topics = |stream| texts::topics(row, &two, &[stream]);
    assert_eq!(
        topics(Stream::Book),
        [
            "btcusdt@depth@100ms",
            "btcusdt@bookTicker",
            "1000pepeusdt@depth@100ms",
            "1000pepeusdt@bookTicker"
        ]
    );
    assert_eq!(topics(Stream::Liquidations), ["!forceOrder@arr"]);
    let many: Vec<String> = (0..300).map(|i| format!("COIN{i}")).collect();
    let texts = texts::subscribe(row, &many, &[Stream::Trades, Stream::Ticker]);
    let mut all = Vec::new();
    let mut ids = Vec::new();
    for text in &texts {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(value["method"], "SUBSCRIBE");
        let params = value["params"].as_array().unwrap();
        assert!(!params.is_empty() && params.len() <= 200);
        all.extend(params.iter().map(|p| p.as_str().unwrap().to_owned()));
        ids.push(value["id"].as_u64().unwrap());
    }
    assert_eq!((all.len(), ids), (601, vec![1, 2, 3, 4]));
    let [off, on] = &texts::renew(row, "BTC", Stream::Trades)[..] else {
        panic!("two texts renew")
    };
    assert!(off.contains("UNSUBSCRIBE") && on.contains("\"SUBSCRIBE\""));
    assert!(texts::resync(row, "BTC").is_empty(), "books come by REST");
    assert_eq!((row.image.unwrap())("BTCUSDT"), REQUEST);
    for (stream, start) in row.streams {
        assert!(topics(*stream).iter().any(|topic| topic.contains(start)));
    }
}

#[test]
fn contract_terms_are_read() {
    let mut decoder = decoder(&["BTC", "TURBO", "ETH"]);
    let terms = br#"{"timezone":"UTC","serverTime":1790000000000,"symbols":[
        {"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","pricePrecision":2,"quantityPrecision":3,"filters":[{"filterType":"PRICE_FILTER","tickSize":"0.10"},{"filterType":"LOT_SIZE","stepSize":"0.001"},{"filterType":"MIN_NOTIONAL","notional":"100"}]},
        {"symbol":"OTHERUSDT","status":"TRADING"},
        {"symbol":"ETHUSDT","status":"TRADING","pricePrecision":2,"filters":[]},
        {"symbol":"TURBOUSDT","status":"SETTLING","pricePrecision":7,"filters":[{"filterType":"PRICE_FILTER","tickSize":"0.0000010"},{"filterType":"LOT_SIZE","stepSize":"1"}]}]}"#;
    let got = decoder.rest(RECV, "/fapi/v1/exchangeInfo", terms).unwrap();
    assert_eq!((got.events.len(), got.faults.len()), (2, 1));
    let terms: Vec<_> = got
        .events
        .iter()
        .map(|event| match event.body() {
            Body::Instrument(i) => (event.symbol.0, i),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((terms[0].1.tick, terms[0].1.lot), (px("0.1"), qty("0.001")));
    assert_eq!((terms[0].1.status, terms[0].1.price_places), (0, 2));
    assert_eq!((terms[1].0, terms[1].1.status), (1, 2));
    assert_eq!(
        (terms[1].1.tick, terms[1].1.lot),
        (px("0.001"), qty("0.001"))
    );
    assert_eq!(terms[1].1.price_places, 4);
}

#[test]
fn margin_tables_of_the_site_are_read() {
    let mut decoder = decoder(&["BTC", "ETH"]);
    let ask = row().asks.iter().filter(|ask| ask.what == What::Tiers);
    let request = ask
        .map(|ask| ask.request)
        .find(|r| r.contains("://"))
        .unwrap();
    let tables = br#"{"code":"000000","message":null,"messageDetail":null,"data":{"brackets":[
        {"symbol":"OTHERUSDT","riskBrackets":[{"bracketSeq":1}]},
        {"symbol":"ETHUSDT","riskBrackets":[{"bracketSeq":1,"bracketNotionalFloor":5,"bracketNotionalCap":5,"bracketMaintenanceMarginRate":0.01,"cumFastMaintenanceAmount":0,"minOpenPosLeverage":1,"maxOpenPosLeverage":20}]},
        {"symbol":"BTCUSDT","updateTime":1790000000000,"notionalLimit":1,"riskBrackets":[
            {"bracketSeq":1,"bracketNotionalFloor":0,"bracketNotionalCap":300000,"bracketMaintenanceMarginRate":0.004,"cumFastMaintenanceAmount":0.0,"minOpenPosLeverage":101,"maxOpenPosLeverage":150},
            {"bracketSeq":2,"bracketNotionalFloor":300000,"bracketNotionalCap":800000,"bracketMaintenanceMarginRate":0.005,"cumFastMaintenanceAmount":300,"minOpenPosLeverage":76,"maxOpenPosLeverage":100}]}]},"success":true}"#;
    let got = decoder.rest(RECV, request, tables).unwrap();
    assert_eq!((got.events.len(), got.faults.len()), (2, 1));
    match got.events[1].body() {
        Body::Tier(t) => {
            assert_eq!((t.row, t.leverage_e2, t.maintenance_e6), (1, 10_000, 5_000));
            assert_eq!((t.floor.get(), t.cap.get()), (30_000_000, 80_000_000));
            assert_eq!(t.deduction.get(), 30_000);
        }
        other => panic!("{other:?}"),
    }
    // The terms now know the leverage, and the interval once it was told.
    decoder.rest(RECV, "/fapi/v1/fundingInfo", b"[]").unwrap();
    let terms = br#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","pricePrecision":2,"filters":[{"filterType":"PRICE_FILTER","tickSize":"0.10"},{"filterType":"LOT_SIZE","stepSize":"0.001"}]}]}"#;
    let got = decoder.rest(RECV, "/fapi/v1/exchangeInfo", terms).unwrap();
    match got.events[0].body() {
        Body::Instrument(i) => {
            assert_eq!(i.leverage_e2, 15_000);
            assert_eq!(i.funding_interval.get(), 8 * Nanos::HOUR.get());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_of_now_are_read() {
    let mut decoder = decoder(&["BTC", "ETH"]);
    let body = br#"{"symbol":"BTCUSDT","openInterest":"81234.567","time":1790000000000}"#;
    let got = decoder
        .rest(RECV, "/fapi/v1/openInterest?symbol=BTCUSDT", body)
        .unwrap();
    assert_eq!(got.events[0].body(), Body::Interest(qty("81234.567")));
    assert_eq!(got.events[0].exch, Nanos::millis(1_790_000_000_000));
    assert_eq!(got.events[0].bits, FIRST | LAST);
    let body = br#"[{"symbol":"ETHUSDT","markPrice":"4000.10000000","indexPrice":"4001.00000000","estimatedSettlePrice":"1","lastFundingRate":"0.00010000","interestRate":"0.00010000","nextFundingTime":1790006400000,"time":1790000000000},{"symbol":"OTHERUSDT"},{"symbol":"BTCUSDT","markPrice":"0","time":1790000000000}]"#;
    let got = decoder.rest(RECV, "/fapi/v1/premiumIndex", body).unwrap();
    assert_eq!((got.events.len(), got.faults.len()), (3, 1));
    assert_eq!(got.events[0].body(), Body::Mark(px("4000.1")));
    assert!(got.events.iter().all(|event| event.symbol == SymbolId(1)));
}

#[test]
fn the_past_says_that_it_is_the_past() {
    let mut decoder = decoder(&["BTC"]);
    let mut read = |request: &str, body: &str| {
        let request = request.replace("{}", "BTCUSDT");
        let got = decoder.rest(RECV, &request, body.as_bytes()).unwrap();
        let all: Vec<_> = got
            .events
            .iter()
            .map(|event| (event.exch, event.bits & HISTORY != 0, event.body()))
            .collect();
        (all, got.faults.len())
    };
    let at = |seconds: i64| Nanos::seconds(1_789_999_200 + seconds);
    let (bars, faults) = read(
        "/fapi/v1/klines?symbol={}&interval=5m&limit=1500",
        r#"[[1789999200000,"80000.0","80100.0","79900.5","80050.0","12.5",1789999499999,"1",9,"1","1","0"],
            [1789999500000,"x","1","1","1","1",1789999799999],
            [1789999500000,"80050.0","80060.0","80040.0","80055.0","3.5",1789999799999],
            [1789999800000,"80050.0","80060.0","80040.0","80055.0","3.5",1790000099999]]"#,
    );
    assert_eq!((bars.len(), faults), (2, 1), "the last is not finished");
    match bars[0] {
        (exch, true, Body::Bar(bar)) => {
            assert_eq!((exch, bar.seconds), (at(0), 300));
            assert_eq!((bar.open, bar.high), (px("80000"), px("80100")));
            assert_eq!((bar.low, bar.close), (px("79900.5"), px("80050")));
            assert_eq!(bar.volume, qty("12.5"));
        }
        ref other => panic!("{other:?}"),
    }
    let (interest, _) = read(
        "/futures/data/openInterestHist?symbol={}&period=5m&limit=500",
        r#"[{"symbol":"BTCUSDT","sumOpenInterest":"80000.12300000","sumOpenInterestValue":"6400000000.0","timestamp":1789999200000},{"symbol":"BTCUSDT","sumOpenInterest":"80001.5","timestamp":1789999500000}]"#,
    );
    assert_eq!(interest[0], (at(0), true, Body::Interest(qty("80000.123"))));
    assert_eq!(interest[1].0, at(300));
    let (funding, _) = read(
        "/fapi/v1/fundingRate?symbol={}&limit=100",
        r#"[{"symbol":"BTCUSDT","fundingRate":"-0.00003750","fundingTime":1789999200000,"markPrice":"80000.1"}]"#,
    );
    assert!(
        matches!(funding[0], (exch, true, Body::Funding(f)) if exch == at(0) && f.rate_e12 == -37_500_000)
    );
    let (ratios, _) = read(
        "/futures/data/globalLongShortAccountRatio?symbol={}&period=5m&limit=30",
        r#"[{"symbol":"BTCUSDT","longShortRatio":"1.8105","longAccount":"0.6442","shortAccount":"0.3558","timestamp":1789999200000},{"symbol":"BTCUSDT","longAccount":"0.5000","shortAccount":"0.5000","timestamp":"1789999500000"}]"#,
    );
    assert!(
        matches!(ratios[0], (_, true, Body::Ratio(r)) if r.which == 0 && r.long_e6 == 644_200 && r.short_e6 == 355_800)
    );
    assert!(
        matches!(ratios[1], (exch, false, Body::Ratio(r)) if exch == at(300) && r.period == Nanos::seconds(300))
    );
    let (takers, faults) = read(
        "/futures/data/takerlongshortRatio?symbol={}&period=5m&limit=30",
        r#"[{"buySellRatio":"3","buyVol":"300.0000","sellVol":"100.00","timestamp":1789999200000},{"buyVol":"0","sellVol":"0","timestamp":1789999500000},{"buyVol":"1","sellVol":"-1","timestamp":1789999500000}]"#,
    );
    assert_eq!((takers.len(), faults), (1, 1), "no volume has no shares");
    assert!(matches!(takers[0], (_, _, Body::Ratio(r)) if r.which == 3 && r.long_e6 == 750_000));
}

#[test]
fn every_ask_is_read_and_refusals_are_told() {
    let mut decoder = decoder(&["BTC"]);
    let refused = br#"{"code":-1003,"msg":"Too many requests."}"#;
    for ask in row().asks {
        let request = ask.request.replace("{}", "BTCUSDT");
        let fault = decoder.rest(RECV, &request, refused).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused, "{request}");
        let fault = decoder.rest(RECV, &request, b"{\"other\":1}").unwrap_err();
        assert_eq!(fault.kind, FaultKind::MissingField, "{request}");
        assert!(decoder.rest(RECV, &request, b"<html>").is_err());
        assert_eq!((row().next_page)(&request, refused), None);
    }
    let fault = decoder.rest(RECV, "/fapi/v1/other", b"[]").unwrap_err();
    assert_eq!(fault.kind, FaultKind::UnknownTopic);
    let said = (row().refusal)(refused).unwrap();
    assert_eq!(said, "code -1003: Too many requests.");
    assert_eq!((row().refusal)(br#"{"code":"000000","data":{}}"#), None);
    assert_eq!((row().refusal)(b"[1]"), None);
    assert!(
        row()
            .primers
            .iter()
            .all(|primer| row().asks.iter().any(|a| a.request == *primer))
    );
}

#[test]
fn recorded_terms_are_read() {
    let Some(path) = captures("binance-usdm/cryptofeed-2021/rest/fapi_v1_exchangeInfo.json") else {
        return;
    };
    let body = std::fs::read(path).unwrap();
    let mut decoder = decoder(&["BTC", "SHIB", "SUSHI", "1INCH"]);
    let got = decoder.rest(RECV, "/fapi/v1/exchangeInfo", &body).unwrap();
    assert_eq!((got.events.len(), got.faults.len()), (4, 0));
}
