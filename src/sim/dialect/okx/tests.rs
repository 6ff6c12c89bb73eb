//! What a perfect client of the OKX dialect must be able to rely on.

use crate::sim::{Dialect, Order, Params, Status, Topic, TopicKind, World};
use crate::time::Nanos;
use serde_json::Value;
use std::collections::BTreeMap;

fn world(seed: u64) -> World {
    World::new(seed, Params::many(21).speaking(Dialect::Okx).stormy()).unwrap()
}

fn few(seed: u64) -> World {
    World::new(seed, Params::many(4).speaking(Dialect::Okx).stormy()).unwrap()
}

fn run(world: &mut World, seconds: i64, each: &mut dyn FnMut(Topic, &Value)) {
    world.advance(world.now().plus(Nanos::seconds(seconds)), &mut |f| {
        let v: Value = serde_json::from_str(f.text).expect(f.text);
        assert_eq!(f.text, f.bare);
        each(f.topic, &v);
    });
}

fn ask(world: &World, path: &str) -> (u16, Value) {
    let (status, _, text) = world.rest("GET", &format!("/api/v5/{path}"), "");
    (status, serde_json::from_str(&text).expect(&text))
}

fn orders(world: &mut World, text: &str) -> Vec<Order> {
    let mut orders = Vec::new();
    world.obey("/ws/v5/public", text, "client", &mut orders);
    orders
}

fn text<'a>(v: &'a Value, key: &str) -> &'a str {
    v[key].as_str().unwrap_or_else(|| panic!("{key} in {v}"))
}

#[derive(Default)]
struct Book {
    last: Option<i64>,
    sides: [BTreeMap<String, String>; 2],
}

impl Book {
    fn read(&mut self, v: &Value) {
        let data = &v["data"][0];
        if v["action"] == "snapshot" {
            *self = Self::default();
            assert_eq!(data["prevSeqId"], -1);
        } else {
            assert_eq!(data["prevSeqId"].as_i64(), self.last, "a hole");
        }
        self.last = data["seqId"].as_i64();
        for (side, key) in self.sides.iter_mut().zip(["bids", "asks"]) {
            for row in data[key].as_array().unwrap() {
                assert_eq!(row.as_array().unwrap().len(), 4);
                let [price, size, zero, orders] = [0, 1, 2, 3].map(|i| row[i].as_str().unwrap());
                assert_eq!(zero, "0");
                if size == "0" {
                    assert_eq!(orders, "0");
                    assert!(side.remove(price).is_some());
                } else {
                    assert!(!price.contains('.') || !price.ends_with('0'));
                    side.insert(price.into(), size.into());
                }
            }
        }
    }

    fn agrees(&self, world: &World, name: &str) {
        let told = world.book(name).unwrap();
        assert_eq!(Some(told.update as i64), self.last);
        for (side, rows) in self.sides.iter().zip([told.bids, told.asks]) {
            assert_eq!(*side, rows.into_iter().collect(), "{name}");
        }
    }
}

fn subscribed(world: &mut World, kind: TopicKind, symbol: u16) -> Option<Value> {
    let mut got = None;
    world.snapshot_frames(Topic { kind, symbol }, &mut |f| {
        got = Some(serde_json::from_str(f.text).unwrap());
    });
    got
}

#[test]
fn a_snapshot_and_the_updates_behind_it_are_the_told_book() {
    let mut world = world(3);
    run(&mut world, 30, &mut |_, _| ());
    let names: Vec<String> = world.symbols().map(str::to_owned).collect();
    let mut books: Vec<Book> = Vec::new();
    for symbol in 0..names.len() {
        let snapshot = subscribed(&mut world, TopicKind::Book, symbol as u16).unwrap();
        let mut book = Book::default();
        book.read(&snapshot);
        books.push(book);
    }
    run(&mut world, 40, &mut |topic, v| {
        let place = usize::from(topic.symbol);
        match topic.kind {
            TopicKind::Book => books[place].read(v),
            TopicKind::Bbo => {
                let data = &v["data"][0];
                assert_eq!(data["seqId"].as_i64(), books[place].last);
                for (key, side) in [("bids", 0), ("asks", 1)] {
                    let row = &data[key][0];
                    let side = &books[place].sides[side];
                    // A side may be eaten empty.
                    assert_eq!(row.is_null(), side.is_empty());
                    if let [Some(price), Some(size)] = [0, 1].map(|i| row[i].as_str()) {
                        assert_eq!(side[price], size);
                    }
                }
            }
            _ => {}
        }
    });
    for (name, book) in names.iter().zip(&books) {
        book.agrees(&world, name);
        let (_, v) = ask(&world, &format!("market/books?instId={name}&sz=400"));
        assert_eq!(v["data"][0]["seqId"].as_i64(), book.last);
        let rows = v["data"][0]["asks"].as_array().unwrap().len();
        assert_eq!(rows, book.sides[1].len());
    }
}

#[test]
fn a_halt_is_quiet_with_signs_of_life_and_the_numbers_begin_lower_after_it() {
    let mut world = few(4);
    let mut book = Book::default();
    book.read(&subscribed(&mut world, TopicKind::Book, 0).unwrap());
    let (mut frames, mut signs, mut states) = (0, 0, Vec::new());
    let mut see = |world: &mut World, seconds: i64| {
        run(world, seconds, &mut |topic, v| {
            if topic.kind == TopicKind::Book && topic.symbol == 0 {
                frames += 1;
                let data = &v["data"][0];
                signs += i32::from(data["seqId"] == data["prevSeqId"]);
                book.read(v);
            } else if topic.kind == TopicKind::Instruments {
                states.push(text(&v["data"][0], "state").to_owned());
            }
        });
        book.agrees(world, "BTC");
        (
            std::mem::take(&mut frames),
            std::mem::take(&mut signs),
            book.last,
        )
    };
    assert!(see(&mut world, 10).0 > 90);
    world.set_status("BTC", Status::Halted);
    let (frames, signs, before) = see(&mut world, 200);
    assert_eq!((frames, signs), (3, 3));
    world.set_status("BTC", Status::Trading);
    let (frames, _, after) = see(&mut world, 10);
    assert!(frames > 90 && after < before);
    // Another contract size: the book is told empty, then in the new size.
    assert!(world.set_contract_value("BTC", -1));
    assert!(see(&mut world, 10).0 > 80);
    let (_, v) = ask(
        &world,
        "public/instruments?instType=SWAP&instId=BTC-USDT-SWAP",
    );
    assert_eq!(text(&v["data"][0], "ctVal"), "0.1");
    assert_eq!(text(&v["data"][0], "lotSz"), "0.001");
    assert!(world.set_tick("BTC", 5));
    see(&mut world, 10);
    let (_, v) = ask(
        &world,
        "public/instruments?instType=SWAP&instId=BTC-USDT-SWAP",
    );
    assert_eq!(text(&v["data"][0], "tickSz"), "0.5");
    world.delist("BTC");
    see(&mut world, 10);
    assert_eq!(states, ["suspend", "live", "live", "live", "expired"]);
    let (_, v) = ask(&world, "public/instruments?instType=SWAP");
    assert_eq!(v["data"].as_array().unwrap().len(), 3);
}

#[test]
fn trades_count_their_fills_and_interest_is_told_in_three_units() {
    let mut world = world(5);
    let mut last: BTreeMap<u16, u64> = BTreeMap::new();
    let mut rows: BTreeMap<u16, u64> = BTreeMap::new();
    let mut oi: BTreeMap<u16, Value> = BTreeMap::new();
    run(&mut world, 120, &mut |topic, v| {
        let data = &v["data"][0];
        match topic.kind {
            TopicKind::Trades => {
                let id: u64 = text(data, "tradeId").parse().unwrap();
                let count: u64 = text(data, "count").parse().unwrap();
                let before = last.insert(topic.symbol, id);
                assert!(before.is_none_or(|before| before + count == id));
                *rows.entry(topic.symbol).or_default() += 1;
            }
            TopicKind::Interest => {
                oi.insert(topic.symbol, data.clone());
            }
            _ => {}
        }
    });
    let contracts = world.params().contracts.clone();
    for (place, c) in contracts.iter().enumerate() {
        let told = world.trades_told(&c.symbol).unwrap();
        let place = place as u16;
        assert_eq!(told.rows, rows.get(&place).copied().unwrap_or_default());
        assert_eq!(last.get(&place).copied().unwrap_or(told.last), told.last);
        let [oi, coin, usd] =
            ["oi", "oiCcy", "oiUsd"].map(|k| text(&oi[&place], k).parse::<f64>().unwrap());
        assert!((coin / oi / 10f64.powi(c.value_scale) - 1.0).abs() < 1e-9);
        let truth = world.truth(&c.asset).unwrap();
        assert!((coin / truth.interest - 1.0).abs() < 0.05, "{}", c.symbol);
        assert!((usd / coin / truth.mark - 1.0).abs() < 0.05, "{}", c.symbol);
    }
}

#[test]
fn liquidations_of_all_swaps_come_on_one_stream_and_are_repeated_to_newcomers() {
    let mut world = few(1);
    let (mut rows, mut disordered) = (Vec::new(), 0);
    let mut youngest: BTreeMap<String, i64> = BTreeMap::new();
    let until = world.now().plus(Nanos::seconds(5_000));
    world.advance(until, &mut |f| {
        if f.topic.kind != TopicKind::Liquidation {
            return;
        }
        assert_eq!(f.topic.symbol, Topic::ALL);
        let v: Value = serde_json::from_str(f.text).unwrap();
        assert_eq!(v["arg"]["instType"], "SWAP");
        for inst in v["data"].as_array().unwrap() {
            let name = text(inst, "instId");
            for row in inst["details"].as_array().unwrap() {
                let side = (text(row, "posSide"), text(row, "side"));
                assert!(side == ("long", "sell") || side == ("short", "buy"));
                let ms: i64 = text(row, "ts").parse().unwrap();
                let before = youngest.entry(name.to_owned()).or_default();
                disordered += i32::from(ms < *before);
                *before = ms.max(*before);
                rows.push((name.to_owned(), row.clone()));
            }
        }
    });
    assert!(
        rows.len() > 50 && disordered > 0,
        "{} {disordered}",
        rows.len()
    );
    let names = ["BTC", "ETH", "SOL", "XRP"];
    let told: u64 = names
        .map(|asset| world.liquidations_told(asset).unwrap().rows)
        .iter()
        .flatten()
        .sum();
    assert_eq!(told, rows.len() as u64);
    let again = subscribed(&mut world, TopicKind::Liquidation, Topic::ALL).unwrap();
    for inst in again["data"].as_array().unwrap() {
        for row in inst["details"].as_array().unwrap() {
            assert!(
                rows.iter()
                    .any(|(name, old)| name == text(inst, "instId") && old == row)
            );
        }
    }
}

#[test]
fn requests_are_answered_one_argument_at_a_time() {
    let mut world = few(1);
    assert_eq!(orders(&mut world, "ping"), [Order::Reply("pong".into())]);
    let request = r#"{"id":"a1","op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT-SWAP"},
        {"channel":"liquidation-orders","instType":"SWAP","instId":"BTC-USDT-SWAP"},
        {"channel":"liquidation-orders","instId":"BTC-USDT-SWAP"},
        {"channel":"index-tickers","instId":"ETH-USDT"},{"channel":"candle1m","instId":"BTC-USDT-SWAP"}]}"#;
    let got = orders(&mut world, request);
    let replies: Vec<Value> = got
        .iter()
        .filter_map(|order| match order {
            Order::Reply(text) => Some(serde_json::from_str(text).unwrap()),
            _ => None,
        })
        .collect();
    let events: Vec<&str> = replies.iter().map(|v| text(v, "event")).collect();
    assert_eq!(
        events,
        ["subscribe", "subscribe", "error", "subscribe", "error"]
    );
    assert!(
        replies
            .iter()
            .all(|v| v["id"] == "a1" && v["connId"] == "client")
    );
    assert_eq!(replies[1]["arg"].as_object().unwrap().len(), 2);
    assert_eq!(replies[2]["code"], "60018");
    assert_eq!(got.len(), 8);
    assert_eq!(
        orders(&mut world, request).len(),
        5,
        "asked again: only told so"
    );
    let undo = r#"{"op":"unsubscribe","args":[{"channel":"books","instId":"BTC-USDT-SWAP"}]}"#;
    assert!(matches!(
        orders(&mut world, undo)[..],
        [Order::Reply(_), Order::Unsubscribe(_)]
    ));
    for bad in ["{", "{}", r#"{"op":"login","args":[]}"#] {
        let got = orders(&mut world, bad);
        assert!(matches!(&got[..], [Order::Reply(text)] if text.contains("\"60012\"")));
    }
    let list = subscribed(&mut world, TopicKind::Instruments, Topic::ALL).unwrap();
    assert_eq!(list["data"].as_array().unwrap().len(), 4);
}

#[test]
fn rest_answers_are_what_the_stream_has_told() {
    let mut world = few(6);
    let mut told: BTreeMap<(TopicKind, u16), Value> = BTreeMap::new();
    run(&mut world, 1_300, &mut |topic, v| {
        told.insert((topic.kind, topic.symbol), v["data"][0].clone());
    });
    let at = |kind| &told[&(kind, 0)];
    let inst = "instId=BTC-USDT-SWAP";
    let (_, v) = ask(&world, &format!("public/funding-rate?{inst}"));
    for key in ["fundingTime", "nextFundingTime", "prevFundingTime"] {
        assert_eq!(v["data"][0][key], at(TopicKind::Funding)[key]);
    }
    let (_, v) = ask(&world, "public/funding-rate?instId=ANY");
    assert_eq!(v["data"].as_array().unwrap().len(), 4);
    let (_, v) = ask(&world, "public/mark-price?instType=SWAP");
    let [a, b] = [&v["data"][0], at(TopicKind::Mark)].map(|v| text(v, "markPx").to_owned());
    assert!((a.parse::<f64>().unwrap() / b.parse::<f64>().unwrap() - 1.0).abs() < 0.01);
    for (path, rows) in [
        (format!("public/funding-rate-history?{inst}&limit=7"), 7),
        (format!("market/candles?{inst}&bar=1m"), 22),
        (format!("market/history-candles?{inst}&bar=5m"), 5),
        (
            format!("rubik/stat/contracts/long-short-account-ratio-contract?{inst}"),
            5,
        ),
        (
            format!("rubik/stat/taker-volume-contract?{inst}&period=5m&unit=2"),
            5,
        ),
        (
            format!("rubik/stat/contracts/open-interest-history?{inst}&limit=2"),
            2,
        ),
    ] {
        let (_, v) = ask(&world, &path);
        let list = v["data"].as_array().unwrap();
        assert_eq!(
            (&v["code"], list.len()),
            (&Value::from("0"), rows),
            "{path} {v}"
        );
        let stamp = |row: &Value| match row.as_array() {
            Some(row) => row[0].as_str().unwrap().parse::<i64>().unwrap(),
            None => text(row, "fundingTime").parse().unwrap(),
        };
        assert!(
            list.windows(2).all(|w| stamp(&w[0]) > stamp(&w[1])),
            "newest first"
        );
    }
    let tiers = "public/position-tiers?instType=SWAP&tdMode=isolated&instFamily=BTC-USDT,ETH-USDT";
    let (_, v) = ask(&world, tiers);
    let first = &v["data"][0];
    assert_eq!(
        (
            text(first, "imr"),
            text(first, "mmr"),
            text(first, "maxLever")
        ),
        ("0.01", "0.004", "100")
    );
    assert_eq!(text(first, "maxSz"), "861");
    for (path, status, code) in [
        ("public/position-tiers?instType=SWAP", 400, "50014"),
        ("market/books?instId=NO", 200, "51001"),
        ("nothing", 404, "404"),
    ] {
        let (got, v) = ask(&world, path);
        assert_eq!((got, text(&v, "code")), (status, code));
    }
}
