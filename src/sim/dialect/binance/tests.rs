//! What a perfect client of the Binance dialect must be able to rely on.

use crate::sim::{Dialect, Order, Params, Status, Topic, TopicKind, World};
use crate::time::Nanos;
use serde_json::Value;
use std::collections::BTreeMap;

fn world(seed: u64) -> World {
    World::new(seed, Params::many(4).speaking(Dialect::Binance).stormy()).unwrap()
}

fn run(world: &mut World, seconds: i64, each: &mut dyn FnMut(Topic, &Value, &Value)) {
    world.advance(world.now().plus(Nanos::seconds(seconds)), &mut |f| {
        let whole: Value = serde_json::from_str(f.text).expect(f.text);
        let bare: Value = serde_json::from_str(f.bare).expect(f.bare);
        assert_eq!(whole["data"], bare);
        each(f.topic, &whole, &bare);
    });
}

fn ask(world: &World, url: &str) -> (u16, Value) {
    let (status, headers, text) = world.rest("GET", url, "");
    assert_eq!(headers[0].0, "X-MBX-USED-WEIGHT-1M");
    (status, serde_json::from_str(&text).expect(&text))
}

fn orders(world: &mut World, path: &str, text: &str) -> Vec<Order> {
    let mut orders = Vec::new();
    world.obey(path, text, "client", &mut orders);
    orders
}

type Side = BTreeMap<String, String>;

fn apply(side: &mut Side, rows: &Value) {
    for row in rows.as_array().unwrap() {
        let [price, size] = [0, 1].map(|i| row[i].as_str().unwrap().to_owned());
        if size.bytes().all(|b| matches!(b, b'0' | b'.')) {
            assert!(side.remove(&price).is_some(), "deleted what was not there");
        } else {
            side.insert(price, size);
        }
    }
}

fn told(rows: &[(String, String)]) -> Side {
    rows.iter().cloned().collect()
}

#[test]
fn a_snapshot_and_the_diffs_behind_it_are_the_told_book() {
    let mut world = world(3);
    let names: Vec<String> = world.symbols().map(str::to_owned).collect();
    run(&mut world, 90, &mut |_, _, _| ());
    let mut books: Vec<(u64, [Side; 2])> = Vec::new();
    for name in &names {
        let (status, v) = ask(&world, &format!("/fapi/v1/depth?symbol={name}&limit=1000"));
        assert_eq!(status, 200);
        let mut sides = [Side::new(), Side::new()];
        apply(&mut sides[0], &v["bids"]);
        apply(&mut sides[1], &v["asks"]);
        books.push((v["lastUpdateId"].as_u64().unwrap(), sides));
    }
    run(&mut world, 180, &mut |topic, _, v| match topic.kind {
        TopicKind::Book => {
            let (last, sides) = &mut books[usize::from(topic.symbol)];
            let [first, until, before] = ["U", "u", "pu"].map(|k| v[k].as_u64().unwrap());
            assert_eq!(before, *last);
            assert!(before < first && first <= until);
            *last = until;
            apply(&mut sides[0], &v["b"]);
            apply(&mut sides[1], &v["a"]);
        }
        TopicKind::Bbo => {
            let (last, sides) = &books[usize::from(topic.symbol)];
            assert_eq!(v["u"].as_u64(), Some(*last));
            for (key, side) in [("b", &sides[0]), ("a", &sides[1])] {
                let best = side.get(v[key].as_str().unwrap()).unwrap();
                assert_eq!(best, v[key.to_uppercase()].as_str().unwrap());
            }
        }
        _ => {}
    });
    for (name, (last, sides)) in names.iter().zip(&books) {
        let book = world.book(name).unwrap();
        assert_eq!(book.update, *last);
        assert_eq!([told(&book.bids), told(&book.asks)], *sides, "{name}");
    }
}

#[test]
fn trades_are_numbered_without_a_hole_and_aggregates_hold_them_all() {
    let mut world = world(4);
    let mut last: BTreeMap<(u16, &str), u64> = BTreeMap::new();
    let mut rows: BTreeMap<u16, u64> = BTreeMap::new();
    run(&mut world, 300, &mut |topic, _, v| {
        let next = |last: &mut BTreeMap<_, u64>, key, first: u64, until: u64| {
            let before = last.insert((topic.symbol, key), until);
            assert!(before.is_none_or(|before| before + 1 == first));
        };
        match topic.kind {
            TopicKind::Trades => {
                let id = v["t"].as_u64().unwrap();
                next(&mut last, "t", id, id);
                *rows.entry(topic.symbol).or_default() += 1;
            }
            TopicKind::Aggregate => {
                let [a, f, l] = ["a", "f", "l"].map(|k| v[k].as_u64().unwrap());
                next(&mut last, "a", a, a);
                next(&mut last, "f", f, l);
                assert_eq!(last[&(topic.symbol, "t")], l);
            }
            _ => {}
        }
    });
    for (place, name) in world.symbols().enumerate() {
        let told = world.trades_told(name).unwrap();
        let place = place as u16;
        assert_eq!(told.rows, rows[&place]);
        assert_eq!(told.last, last[&(place, "t")]);
        assert_eq!(told.last_aggregate, last[&(place, "a")]);
        assert!(told.rows > 100);
    }
}

#[test]
fn one_forced_order_a_second_is_told_and_the_fill_is_better_than_the_limit() {
    let mut world = world(1);
    let mut seen: BTreeMap<(String, i64), u32> = BTreeMap::new();
    let (mut foreign, mut all, mut own) = (0, 0, 0);
    let until = world.now().plus(Nanos::seconds(4_000));
    world.advance(until, &mut |f| {
        if f.topic.kind != TopicKind::Liquidation {
            return;
        }
        let v: Value = serde_json::from_str(f.bare).unwrap();
        let o = &v["o"];
        if o["st"] == 2 {
            foreign += 1;
            return;
        }
        if f.topic.symbol == Topic::ALL {
            all += 1;
            return;
        }
        own += 1;
        let name = o["s"].as_str().unwrap().to_owned();
        let second = v["E"].as_i64().unwrap() / 1_000;
        *seen.entry((name, second)).or_default() += 1;
        let [p, ap] = ["p", "ap"].map(|k| o[k].as_str().unwrap().parse::<f64>().unwrap());
        assert!(if o["S"] == "SELL" { p <= ap } else { p >= ap });
    });
    assert!(
        own > 30 && all == own && foreign > 2,
        "{own} {all} {foreign}"
    );
    assert!(seen.values().all(|n| *n == 1));
    let told: u64 = ["BTC", "ETH", "SOL", "XRP"]
        .map(|asset| world.liquidations_told(asset).unwrap().rows)
        .iter()
        .flatten()
        .sum();
    assert_eq!(told, own);
}

#[test]
fn what_is_asked_on_the_wrong_root_is_acknowledged_and_stays_silent() {
    let mut world = world(1);
    let text = r#"{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","btcusdt@depth@100ms","x@y"],"id":7}"#;
    let ack = Order::Reply("{\"result\":null,\"id\":7}".into());
    let topic = |kind| Topic { kind, symbol: 0 };
    assert_eq!(
        orders(&mut world, "/public/stream", text),
        [ack.clone(), Order::Subscribe(topic(TopicKind::Book))]
    );
    world.leave("client");
    assert_eq!(
        orders(&mut world, "/market/stream", text),
        [ack.clone(), Order::Subscribe(topic(TopicKind::Aggregate))]
    );
    let list = r#"{"method":"LIST_SUBSCRIPTIONS","id":8}"#;
    assert_eq!(
        orders(&mut world, "/market/stream", list),
        [Order::Reply(
            "{\"result\":[\"btcusdt@aggTrade\"],\"id\":8}".into()
        )]
    );
    let mut welcomed = Vec::new();
    let query = "streams=btcusdt@depth@100ms/btcusdt@aggTrade/ethusdt@bookTicker";
    world.welcome("/stream", query, &mut welcomed);
    assert_eq!(welcomed.len(), 2, "the old address is public only");
    welcomed.clear();
    world.welcome("/market/ws/!forceOrder@arr", "", &mut welcomed);
    assert_eq!(welcomed[0], Order::Bare(true));
    assert_eq!(welcomed.len(), 2);
    for bad in ["{", "{\"id\":1}", r#"{"method":"NO","params":[],"id":1}"#] {
        let got = orders(&mut world, "/market/ws", bad);
        assert!(matches!(&got[..], [Order::Reply(text)] if text.contains("\"code\"")));
    }
    let closed = (0..20).any(|_| {
        let got = orders(&mut world, "/market/ws", list);
        got == [Order::Close("too many requests")]
    });
    assert!(closed, "more than ten texts in a second");
}

#[test]
fn rest_agrees_with_the_stream_and_counts_its_weight() {
    let mut world = world(6);
    let mut marks = BTreeMap::new();
    run(&mut world, 1_900, &mut |topic, _, v| {
        if topic.kind == TopicKind::Mark && topic.symbol != Topic::ALL {
            marks.insert(v["s"].to_string(), v.clone());
        }
    });
    let (_, v) = ask(&world, "/fapi/v1/premiumIndex");
    for row in v.as_array().unwrap() {
        let mark = &marks[&row["symbol"].to_string()];
        assert_eq!(row["nextFundingTime"], mark["T"]);
        let [a, b] = [&row["markPrice"], &mark["p"]];
        let [a, b] = [a, b].map(|v| v.as_str().unwrap().parse::<f64>().unwrap());
        assert!((a / b - 1.0).abs() < 0.01);
    }
    let symbol = "symbol=BTCUSDT";
    for (url, rows) in [
        (format!("/fapi/v1/fundingRate?{symbol}&limit=20"), 20),
        (format!("/fapi/v1/klines?{symbol}&interval=1m"), 32),
        (format!("/fapi/v1/klines?{symbol}&interval=5m&limit=3"), 3),
        (
            format!("/futures/data/openInterestHist?{symbol}&period=5m"),
            7,
        ),
        (
            format!("/futures/data/globalLongShortAccountRatio?{symbol}&period=5m"),
            7,
        ),
        (
            format!("/futures/data/topLongShortAccountRatio?{symbol}&period=5m"),
            7,
        ),
        (
            format!("/futures/data/topLongShortPositionRatio?{symbol}&period=15m"),
            3,
        ),
        (
            format!("/futures/data/takerlongshortRatio?{symbol}&period=5m&limit=2"),
            2,
        ),
        ("/fapi/v1/fundingInfo".into(), 0),
    ] {
        let (status, v) = ask(&world, &url);
        assert_eq!(status, 200, "{url} {v}");
        assert_eq!(v.as_array().unwrap().len(), rows, "{url}");
    }
    let (_, v) = ask(&world, "/fapi/v1/openInterest?symbol=BTCUSDT");
    let [long, _] = world.interest_lots("BTC").unwrap();
    assert_eq!(
        v["openInterest"].as_str().unwrap().replace('.', ""),
        long.to_string()
    );
    let (_, v) = ask(&world, "/fapi/v1/exchangeInfo");
    assert_eq!(v["symbols"].as_array().unwrap().len(), 4);
    assert_eq!(v["symbols"][0]["filters"][0]["tickSize"], "0.10");
    let (_, v) = ask(&world, "/bapi/futures/v1/friendly/future/common/brackets");
    let other = "https://www.binance.com/bapi/futures/v1/friendly/future/common/brackets";
    assert_eq!(ask(&world, other).1, v, "whatever the host");
    let row = &v["data"]["brackets"][0]["riskBrackets"][4];
    assert_eq!(row["cumFastMaintenanceAmount"], 132_000);
    for (url, status, code) in [
        ("/fapi/v1/depth?symbol=NO", 400, -1121),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=7", 400, -4021),
        ("/fapi/v1/openInterest", 400, -1102),
    ] {
        let (got, v) = ask(&world, url);
        assert_eq!((got, v["code"].as_i64()), (status, Some(code)), "{url}");
    }
    let used = |world: &World| {
        let (status, headers, _) =
            world.rest("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", "");
        (status, headers[0].1.parse::<u32>().unwrap())
    };
    let (_, before) = used(&world);
    assert_eq!(used(&world), (200, before + 20));
    let refused = (0..200).any(|_| used(&world).0 == 429);
    assert!(refused);
    run(&mut world, 60, &mut |_, _, _| ());
    assert_eq!(used(&world), (200, 20));
}

#[test]
fn halts_delistings_and_new_ticks_show_where_the_venue_shows_them() {
    let mut world = world(8);
    let mut news = Vec::new();
    let mut see = |world: &mut World, seconds: i64| {
        let mut books = 0;
        run(world, seconds, &mut |topic, _, v| {
            if topic.kind == TopicKind::Instruments {
                news.push(v["cs"].as_str().unwrap().to_owned());
            }
            books += u32::from(topic.kind == TopicKind::Book && topic.symbol == 0);
        });
        books
    };
    assert!(see(&mut world, 10) > 90);
    assert!(world.set_status("BTC", Status::Halted));
    let held = world.interest_lots("BTC").unwrap();
    assert_eq!(see(&mut world, 10), 0);
    assert_eq!(world.interest_lots("BTC").unwrap(), held);
    assert!(world.set_status("BTCUSDT", Status::Trading));
    assert!(see(&mut world, 10) > 90);
    assert!(world.set_tick("BTCUSDT", 100));
    assert!(see(&mut world, 10) > 80);
    let book = world.book("BTCUSDT").unwrap();
    assert!(book.bids.iter().all(|(price, _)| price.ends_with(".00")));
    let (_, v) = ask(&world, "/fapi/v1/exchangeInfo");
    assert_eq!(v["symbols"][0]["filters"][0]["tickSize"], "1.00");
    assert!(world.delist("BTCUSDT"));
    assert!(see(&mut world, 10) <= 1);
    assert!(world.book("BTCUSDT").unwrap().bids.is_empty());
    assert_eq!(world.topic("btcusdt@aggTrade"), None);
    assert_eq!(news, ["PENDING_TRADING", "TRADING", "TRADING", "CLOSE"]);
}
