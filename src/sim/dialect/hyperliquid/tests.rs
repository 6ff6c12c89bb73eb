//! What a perfect client of the Hyperliquid dialect must be able to rely on.

use crate::sim::{Dialect, Order, Params, Status, Topic, TopicKind, World};
use crate::time::Nanos;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn world(seed: u64, n: usize) -> World {
    let params = Params::many(n).speaking(Dialect::Hyperliquid).stormy();
    World::new(seed, params).unwrap()
}

fn run(world: &mut World, seconds: i64, each: &mut dyn FnMut(Topic, &Value)) {
    world.advance(world.now().plus(Nanos::seconds(seconds)), &mut |f| {
        let v: Value = serde_json::from_str(f.text).expect(f.text);
        each(f.topic, &v["data"]);
    });
}

fn ask(world: &World, body: &Value) -> Value {
    let (status, _, text) = world.rest("POST", "/info", &body.to_string());
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&text).expect(&text)
}

fn orders(world: &mut World, text: &str) -> Vec<Order> {
    let mut orders = Vec::new();
    world.obey("/ws", text, "client", &mut orders);
    orders
}

fn number(v: &Value) -> f64 {
    let text = v.as_str().unwrap();
    assert!(
        text.contains('.') && (!text.ends_with('0') || text.ends_with(".0")),
        "{text}"
    );
    text.parse().unwrap()
}

/// At most five significant digits, unless it is whole; at most 6 - decimals places.
fn is_price(text: &str, decimals: u32) -> bool {
    let (whole, places) = text.split_once('.').unwrap();
    let places = places.trim_end_matches('0');
    let digits = format!("{whole}{places}");
    let digits = digits.trim_start_matches('0').len();
    (places.is_empty() || digits <= 5) && places.len() as u32 <= 6 - decimals
}

fn rows(levels: &Value) -> Vec<(String, String)> {
    let levels = levels.as_array().unwrap().iter();
    levels
        .map(|l| {
            ["px", "sz"]
                .map(|k| l[k].as_str().unwrap().to_owned())
                .into()
        })
        .collect()
}

#[test]
fn images_are_the_told_book_and_prices_have_the_venues_form() {
    let mut world = world(3, 21);
    let decimals: Vec<u32> = world
        .params()
        .contracts
        .iter()
        .map(|c| c.lot_scale)
        .collect();
    let mut images: BTreeMap<u16, Value> = BTreeMap::new();
    let mut stamps: BTreeMap<u16, i64> = BTreeMap::new();
    run(&mut world, 40, &mut |topic, v| {
        if topic.kind != TopicKind::Book {
            return;
        }
        let time = v["time"].as_i64().unwrap();
        let before = stamps.insert(topic.symbol, time);
        assert!(before.is_none_or(|before| time - before >= 400));
        for (px, sz) in rows(&v["levels"][0]).iter().chain(&rows(&v["levels"][1])) {
            let places = decimals[usize::from(topic.symbol)];
            assert!(is_price(px, places), "{px} {}", v["coin"]);
            assert!(sz.contains('.'));
        }
        images.insert(topic.symbol, v.clone());
    });
    let names: Vec<String> = world.symbols().map(str::to_owned).collect();
    for (symbol, image) in &images {
        let name = &names[usize::from(*symbol)];
        let told = world.book(name).unwrap();
        assert_eq!(told.bids.len(), 20);
        assert_eq!(rows(&image["levels"][0]), told.bids);
        assert_eq!(rows(&image["levels"][1]), told.asks);
        assert_eq!(image["time"].as_u64(), Some(told.update));
        let rest = ask(&world, &json!({"type": "l2Book", "coin": name}));
        assert_eq!(rest, *image, "{name}");
    }
    assert_eq!(images.len(), 21);
    assert!(names.contains(&"kPEPE".to_owned()));
}

#[test]
fn trades_begin_with_the_past_and_name_their_owners() {
    let mut world = world(4, 3);
    let mut seen: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    run(&mut world, 120, &mut |topic, v| {
        if topic.kind == TopicKind::Trades {
            let rows = v.as_array().unwrap().iter().cloned();
            seen.entry(topic.symbol).or_default().extend(rows);
        }
    });
    for (symbol, rows) in &seen {
        let name = world
            .symbols()
            .nth(usize::from(*symbol))
            .unwrap()
            .to_owned();
        let told = world.trades_told(&name).unwrap();
        assert_eq!(told.rows, rows.len() as u64);
        assert_eq!(rows.last().unwrap()["tid"].as_u64(), Some(told.last));
        let sum: f64 = rows.iter().map(|r| number(&r["sz"])).sum();
        assert!((sum / told.quantity.parse::<f64>().unwrap() - 1.0).abs() < 1e-6);
        let keys: BTreeSet<String> = rows
            .iter()
            .map(|r| format!("{} {}", r["time"], r["tid"]))
            .collect();
        assert_eq!(keys.len(), rows.len(), "time and tid tell rows apart");
        for row in rows {
            assert!(row["side"] == "A" || row["side"] == "B");
            assert_eq!(row["hash"].as_str().unwrap().len(), 66);
            let users = row["users"].as_array().unwrap();
            assert!(users.iter().all(|u| u.as_str().unwrap().len() == 42));
        }
        let mut past = None;
        let topic = Topic {
            kind: TopicKind::Trades,
            symbol: *symbol,
        };
        world.snapshot_frames(topic, &mut |f| past = Some(f.text.to_owned()));
        let past: Value = serde_json::from_str(&past.unwrap()).unwrap();
        let past = past["data"].as_array().unwrap();
        assert_eq!(past[..], rows[rows.len() - 10..]);
    }
    assert_eq!(seen.len(), 3);
    // Who trades holds what the world says, dies where it says, and holds no more than there is.
    let users: BTreeSet<&str> = seen
        .values()
        .flatten()
        .flat_map(|row| row["users"].as_array().unwrap())
        .map(|user| user.as_str().unwrap())
        .collect();
    let (mut sizes, mut forced) = (BTreeMap::<String, [f64; 2]>::new(), 0);
    for (asked, user) in users.iter().enumerate() {
        if asked % 500 == 0 {
            // Their weight is of another minute.
            world.weight.set((0, 0));
        }
        assert!(super::owner(user).is_some() && super::owner(&user.replace("0x", "0y1")).is_none());
        let state = ask(&world, &json!({"type": "clearinghouseState", "user": user}));
        for asset in state["assetPositions"].as_array().unwrap() {
            let position = &asset["position"];
            let (coin, size) = (position["coin"].as_str().unwrap(), number(&position["szi"]));
            let h = usize::from(size < 0.0);
            sizes.entry(coin.to_owned()).or_default()[h] += size.abs();
            if position["liquidationPx"].is_null() {
                continue;
            }
            let price = number(&position["liquidationPx"]);
            let own = &world.truth(coin).unwrap().positions[h];
            assert!(own.iter().any(|(p, s)| {
                (p / price - 1.0).abs() < 1e-6 && (s / size.abs() - 1.0).abs() < 1e-6
            }));
            forced += 1;
        }
    }
    assert!(forced > 100, "{forced}");
    for (coin, sizes) in sizes {
        let open = world.truth(&coin).unwrap().interest;
        for size in sizes {
            assert!(
                size > 0.0 && size <= open * (1.0 + 1e-9),
                "{coin} {size} of {open}"
            );
        }
    }
}

#[test]
fn contexts_are_told_every_three_seconds_and_rest_has_the_same() {
    let mut world = world(5, 4);
    let mut last: BTreeMap<u16, Value> = BTreeMap::new();
    let mut count = 0;
    run(&mut world, 3_700, &mut |topic, v| {
        if topic.kind == TopicKind::Ticker {
            last.insert(topic.symbol, v["ctx"].clone());
            count += 1;
        }
    });
    assert!((4_900..=4_940).contains(&count), "{count}");
    let v = ask(&world, &json!({"type": "metaAndAssetCtxs"}));
    let universe = v[0]["universe"].as_array().unwrap();
    assert_eq!(
        universe[0],
        json!({"szDecimals": 5, "name": "BTC", "maxLeverage": 40, "marginTableId": 51})
    );
    assert_eq!(
        v[0]["marginTables"][0][1]["marginTiers"][1]["lowerBound"],
        "150000000.0"
    );
    for (symbol, ctx) in &last {
        let rest = &v[1][usize::from(*symbol)];
        for key in ["markPx", "oraclePx", "openInterest", "midPx"] {
            let [a, b] = [&rest[key], &ctx[key]].map(number);
            assert!((a / b - 1.0).abs() < 0.01, "{key}");
        }
        assert!(
            ctx["funding"]
                .as_str()
                .unwrap()
                .parse::<f64>()
                .unwrap()
                .abs()
                < 0.04
        );
    }
    let truth = world.truth("BTC").unwrap();
    assert!((number(&v[1][0]["openInterest"]) / truth.interest - 1.0).abs() < 1e-9);
    let from = world.now().get() / 1_000_000 - 3 * 3_600_000;
    let v = ask(
        &world,
        &json!({"type": "fundingHistory", "coin": "BTC", "startTime": from}),
    );
    assert_eq!(v.as_array().unwrap().len(), 3);
    assert!(v[2]["time"].as_i64().unwrap() % 3_600_000 < 100);
    let wish = json!({"coin": "ETH", "interval": "5m", "startTime": 0, "endTime": i64::MAX});
    let v = ask(&world, &json!({"type": "candleSnapshot", "req": wish}));
    assert_eq!(v.as_array().unwrap().len(), 13);
    assert_eq!(v[0]["s"], "ETH");
}

#[test]
fn requests_and_refusals_are_worded_as_there() {
    let mut world = world(1, 3);
    assert_eq!(
        orders(&mut world, r#"{"method":"ping"}"#),
        [Order::Reply("{\"channel\":\"pong\"}".into())]
    );
    let text = r#"{"method":"subscribe","subscription":{"type":"l2Book","coin":"SOL"}}"#;
    let arg = r#"{"type":"l2Book","coin":"SOL","nSigFigs":null,"mantissa":null,"fast":false}"#;
    let topic = Topic {
        kind: TopicKind::Book,
        symbol: 2,
    };
    let data = format!("{{\"method\":\"subscribe\",\"subscription\":{arg}}}");
    let ack = format!("{{\"channel\":\"subscriptionResponse\",\"data\":{data}}}");
    assert_eq!(
        orders(&mut world, text),
        [Order::Reply(ack), Order::Subscribe(topic)]
    );
    let again = orders(&mut world, text);
    let words = serde_json::to_string(&format!("Already subscribed: {arg}")).unwrap();
    assert_eq!(
        again,
        [Order::Reply(format!(
            "{{\"channel\":\"error\",\"data\":{words}}}"
        ))]
    );
    let undo = text.replace("\"subscribe\"", "\"unsubscribe\"");
    assert_eq!(orders(&mut world, &undo)[1], Order::Unsubscribe(topic));
    for bad in [
        "{",
        "{}",
        r#"{"method":"subscribe","subscription":{"type":"trades","coin":"NO"}}"#,
    ] {
        let got = orders(&mut world, bad);
        assert!(matches!(&got[..], [Order::Reply(text)] if text.contains("\"error\"")));
    }
    let (status, _, text) = world.rest("POST", "/info", "{\"type\":\"nothing\"}");
    assert_eq!(status, 422);
    assert!(text.starts_with("Failed"));
    assert_eq!(world.rest("GET", "/info", "").0, 405);
    assert_eq!(
        ask(&world, &json!({"type": "l2Book", "coin": "NO"})),
        Value::Null
    );
    let body = json!({"type": "meta"}).to_string();
    let refused = (0..100)
        .map(|_| world.rest("POST", "/info", &body))
        .find(|a| a.0 == 429);
    assert_eq!(refused.unwrap().2, "null");
}

#[test]
fn a_delisted_coin_keeps_its_number_and_a_halted_one_its_image() {
    let mut world = world(2, 3);
    run(&mut world, 10, &mut |_, _| ());
    world.set_status("ETH", Status::Halted);
    let mut times = 0;
    run(&mut world, 20, &mut |topic, _| {
        times += u32::from(topic.symbol == 1 && topic.kind == TopicKind::Book);
        assert!(topic.symbol != 1 || topic.kind != TopicKind::Trades);
    });
    assert!((4..=6).contains(&times), "{times}");
    world.delist("ETH");
    run(&mut world, 10, &mut |_, _| ());
    let image = ask(&world, &json!({"type": "l2Book", "coin": "ETH"}));
    assert_eq!(image["levels"], json!([[], []]));
    let meta = ask(&world, &json!({"type": "meta"}));
    assert_eq!(meta["universe"][1]["isDelisted"], true);
    assert_eq!(meta["universe"][2]["name"], "SOL");
}
