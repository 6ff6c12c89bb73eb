//! The built-in exchange as its users meet it: frames, truth, sockets, faults.
#![allow(
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

use isotherm::num::{decimal_text, parse_decimal};
use isotherm::sim::{Fault, Faults, Handle, Options, Params, Server, TopicKind, World};
use isotherm::time::Nanos;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

const NAMES: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

fn world(seed: u64) -> World {
    World::new(seed, Params::default()).unwrap()
}

fn on(world: &mut World, span: Nanos, mut each: impl FnMut(Nanos, TopicKind, &str, &str)) {
    let names: Vec<String> = world.symbols().map(str::to_owned).collect();
    world.advance(world.now().plus(span), &mut |f| {
        each(
            f.at,
            f.topic.kind,
            &names[usize::from(f.topic.symbol)],
            f.text,
        );
    });
}

fn fold(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn hours(n: i64) -> Nanos {
    Nanos::new(Nanos::HOUR.get() * n)
}

#[test]
fn the_same_seed_gives_the_same_bytes_however_time_is_cut() {
    let run = |seed, cut: Nanos| {
        let mut world = world(seed);
        let end = world.now().plus(hours(1));
        let mut hash = 0xcbf2_9ce4_8422_2325;
        while world.now() < end {
            let until = world.now().plus(cut).min(end);
            world.advance(until, &mut |f| {
                hash = fold(hash, &f.at.get().to_le_bytes());
                hash = fold(hash, f.text.as_bytes());
            });
        }
        hash
    };
    let whole = run(11, hours(1));
    assert_eq!(whole, run(11, Nanos::millis(777)));
    assert_eq!(whole, run(11, Nanos::seconds(61)));
    assert_ne!(whole, run(12, hours(1)));
}

#[test]
fn three_crowds_hold_different_things() {
    // Share of open interest that can be forced at all; median distance to it; opened; forced.
    let look = |params: Params| {
        let mut world = World::new(31, params).unwrap();
        let before = world.stats("BTCUSDT").unwrap();
        on(&mut world, hours(6), |_, _, _, _| ());
        let truth = world.truth("BTCUSDT").unwrap();
        let [long, short] = world.interest_lots("BTCUSDT").unwrap();
        assert_eq!(long, short);
        let mut all: Vec<(f64, f64)> = truth
            .positions
            .iter()
            .flatten()
            .map(|&(price, size)| ((price / truth.mark).ln().abs(), size))
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let sum: f64 = all.iter().map(|p| p.1).sum();
        let mut half = sum / 2.0;
        let median = all.iter().find(|p| {
            half -= p.1;
            half <= 0.0
        });
        let stats = world.stats("BTCUSDT").unwrap();
        let opened = (stats.opened - before.opened) as f64;
        let closed = stats.closed as f64;
        let forced = stats.forced.iter().sum::<u64>() as f64;
        let share = sum / truth.interest / 2.0;
        let distance = median.unwrap().0;
        eprintln!(
            "interest {:.1} forceable {share:.3} median distance {distance:.4} opened {opened} closed {closed} \
             forced {forced}",
            truth.interest
        );
        (share, distance, opened, forced)
    };
    let btc = || Params::only(&["BTCUSDT"]);
    let [patient, mixed, hasty] = [btc().patient(), btc(), btc().hasty()].map(look);
    // Hidden inert mass, distance, churn: each in its own order; few of the patient are forced.
    assert!(patient.0 > mixed.0 && mixed.0 > hasty.0);
    assert!(patient.1 > mixed.1 && mixed.1 > hasty.1);
    assert!(patient.2 < mixed.2 && mixed.2 < hasty.2);
    assert!(10.0 * patient.3 < mixed.3.min(hasty.3) && patient.3 > 0.0);
}

#[test]
fn longs_and_shorts_are_one_number_and_truth_adds_up_to_it() {
    let mut world = world(2);
    for _ in 0..36 {
        on(
            &mut world,
            Nanos::new(Nanos::MINUTE.get() * 20),
            |_, _, _, _| (),
        );
        for name in NAMES {
            let [long, short] = world.interest_lots(name).unwrap();
            assert_eq!(long, short, "{name}");
            assert!(long > 0);
            let truth = world.truth(name).unwrap();
            for holder in 0..2 {
                let forced: f64 = truth.positions[holder].iter().map(|p| p.1).sum();
                let sum = forced + truth.inert[holder];
                assert!((sum / truth.interest - 1.0).abs() < 1e-9, "{name} {holder}");
                assert!(forced / truth.interest > 0.3, "{name}: too much is inert");
            }
        }
    }
}

/// What a reader of the stream knows.
#[derive(Default)]
struct Reader {
    levels: [BTreeMap<i64, i64>; 2],
    update: Option<u64>,
    ticker: BTreeMap<String, String>,
    seen: BTreeMap<String, u64>,
}

/// Printed decimals as a count of the last one; the number of decimals must be exact.
fn steps(text: &str, places: u32) -> i64 {
    let n = parse_decimal(text, places).unwrap_or_else(|| panic!("not a decimal: {text}"));
    assert_eq!(decimal_text(n, places, places), text);
    n
}

impl Reader {
    fn book(&mut self, v: &Value, price: u32, tick: i64, lot: u32) {
        let data = &v["data"];
        let update = data["u"].as_u64().unwrap();
        if v["type"] == "snapshot" {
            self.levels = Default::default();
        } else {
            assert_eq!(Some(update), self.update.map(|u| u + 1), "u has a hole");
        }
        self.update = Some(update);
        assert!(v["cts"].as_i64().unwrap() <= v["ts"].as_i64().unwrap());
        for (side, key) in ["b", "a"].into_iter().enumerate() {
            for row in data[key].as_array().unwrap() {
                let units = steps(row[0].as_str().unwrap(), price);
                assert_eq!(units % tick, 0);
                let size = row[1].as_str().unwrap();
                if size == "0" {
                    let gone = self.levels[side].remove(&units);
                    assert!(gone.is_some(), "deleted what was not there");
                } else {
                    assert!(steps(size, lot) > 0);
                    self.levels[side].insert(units, steps(size, lot));
                }
            }
        }
        let (bid, ask) = (
            self.levels[0].last_key_value(),
            self.levels[1].first_key_value(),
        );
        assert!(bid.unwrap().0 < ask.unwrap().0, "crossed");
        assert!(self.levels.iter().all(|l| (20..=200).contains(&l.len())));
    }

    fn ticker(&mut self, v: &Value) {
        let data = v["data"].as_object().unwrap();
        assert_eq!(data.keys().next().unwrap(), "symbol");
        for (key, value) in data {
            let value = value.as_str().unwrap().to_owned();
            let before = self.ticker.insert(key.clone(), value.clone());
            let paired = key.starts_with("bid1") || key.starts_with("ask1");
            if v["type"] == "delta" && key != "symbol" && !paired {
                assert_ne!(before, Some(value), "{key} was told without a change");
            }
        }
    }
}

/// (decimals of prices, units in a tick, decimals of quantities).
fn scales(name: &str) -> (u32, i64, u32) {
    match name {
        "BTCUSDT" => (2, 10, 3),
        "ETHUSDT" => (2, 1, 2),
        _ => (3, 10, 1),
    }
}

#[test]
fn every_frame_is_well_formed_and_the_book_can_be_rebuilt_from_them() {
    let mut world = world(3);
    let mut readers: BTreeMap<String, Reader> = BTreeMap::new();
    // A subscription in the middle of things must fit as well as one at the start.
    on(&mut world, Nanos::seconds(1_234), |_, _, _, _| ());
    for topic in world.topics().collect::<Vec<_>>() {
        let name = world
            .symbols()
            .nth(usize::from(topic.symbol))
            .unwrap()
            .to_owned();
        let (price, tick, lot) = scales(&name);
        let reader = readers.entry(name).or_default();
        world.snapshot_frames(topic, &mut |f| {
            let v: Value = serde_json::from_str(f.text).unwrap();
            match topic.kind {
                TopicKind::Book => reader.book(&v, price, tick, lot),
                TopicKind::Ticker => reader.ticker(&v),
                _ => panic!("no snapshot expected"),
            }
        });
    }
    let mut last = world.now();
    let mut levels = 0;
    on(&mut world, hours(3), |at, kind, name, text| {
        assert!(at > last, "frames are received one after the other");
        last = at;
        let v: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        let topic = v["topic"].as_str().unwrap();
        assert!(topic.ends_with(name));
        let (price, tick, lot) = scales(name);
        let reader = readers.get_mut(name).unwrap();
        *reader.seen.entry(topic.to_owned()).or_default() += 1;
        let ts = v["ts"].as_i64().unwrap();
        assert!((0..100).contains(&(at.get() / 1_000_000 - ts)));
        match kind {
            TopicKind::Book => {
                reader.book(&v, price, tick, lot);
                levels += v["data"]["b"].as_array().unwrap().len();
            }
            TopicKind::Ticker => reader.ticker(&v),
            TopicKind::Trades | TopicKind::Liquidation => {
                for row in v["data"].as_array().unwrap() {
                    assert_eq!(row["s"], name);
                    assert!(row["S"] == "Buy" || row["S"] == "Sell");
                    assert_eq!(steps(row["p"].as_str().unwrap(), price) % tick, 0);
                    assert!(steps(row["v"].as_str().unwrap(), lot) > 0);
                    let age = ts - row["T"].as_i64().unwrap();
                    assert!((0..=600).contains(&age));
                }
            }
            _ => assert!(v["data"][0]["end"].as_i64().unwrap() > 0),
        }
    });
    for (name, reader) in &readers {
        let truth = world.truth(name).unwrap();
        let t = &reader.ticker;
        let single: f64 = t["singleOpenInterest"].parse().unwrap();
        let both: f64 = t["openInterest"].parse().unwrap();
        assert!((both / single - 2.0).abs() < 1e-9);
        assert!((single / truth.interest - 1.0).abs() < 0.01);
        assert!((t["markPrice"].parse::<f64>().unwrap() / truth.mark - 1.0).abs() < 0.01);
        let seen = |words: &str| reader.seen[&format!("{words}{name}")];
        assert!((21_000..=21_600).contains(&seen("orderbook.200.")));
        assert!((10_700..=10_800).contains(&seen("tickers.")));
        assert!(seen("publicTrade.") > 10_000);
    }
    assert!(levels > 0);
}

#[test]
fn liquidations_happen_only_where_the_mark_was_and_print_beyond_it() {
    let mut world = world(4);
    // Marks are told once a second; between two of them the mark may have been anywhere a second
    // can carry it.
    let mut marks: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    let mut prints: Vec<(String, bool, i64, f64)> = Vec::new();
    let before: BTreeMap<&str, _> = NAMES.map(|n| (n, world.truth(n).unwrap())).into();
    on(&mut world, hours(12), |_, kind, name, text| match kind {
        TopicKind::Ticker => {
            let v: Value = serde_json::from_str(text).unwrap();
            if let Some(mark) = v["data"]["markPrice"].as_str() {
                let row = (v["ts"].as_i64().unwrap(), mark.parse().unwrap());
                marks.entry(name.to_owned()).or_default().push(row);
            }
        }
        TopicKind::Liquidation => {
            let v: Value = serde_json::from_str(text).unwrap();
            for row in v["data"].as_array().unwrap() {
                let long = row["S"] == "Buy";
                let price: f64 = row["p"].as_str().unwrap().parse().unwrap();
                prints.push((name.to_owned(), long, row["T"].as_i64().unwrap(), price));
            }
        }
        _ => {}
    });
    assert!(prints.len() > 300, "{}", prints.len());
    for (name, long, ms, bankruptcy) in &prints {
        let around: Vec<f64> = marks[name]
            .iter()
            .filter(|(t, _)| (t - ms).abs() <= 3_000)
            .map(|(_, mark)| *mark)
            .collect();
        assert!(!around.is_empty());
        // A long is bankrupt below where it is forced, so the mark comes from above; it may
        // overshoot.
        let gap = around
            .iter()
            .map(|m| (m / bankruptcy - 1.0) * if *long { 1.0 } else { -1.0 });
        let most = gap.fold(f64::MIN, f64::max);
        assert!((-0.01..0.03).contains(&most), "{name} {long} {most}");
    }
    for name in NAMES {
        let (old, now) = (&before[name], world.truth(name).unwrap());
        // Nobody alive is beyond the mark, except one whose order is still being worked off.
        let beyond = |h: usize, p: f64| if h == 0 { p > now.mark } else { p < now.mark };
        for h in 0..2 {
            let wrong = now.positions[h]
                .iter()
                .filter(|(p, _)| beyond(h, *p))
                .count();
            assert!(wrong <= 3, "{name}: {wrong}");
        }
        assert!(old.interest > 0.0 && now.interest > 0.0);
    }
}

#[test]
fn cascades_happen_and_forced_orders_cause_them() {
    let mut world = world(1);
    let mut minutes: BTreeMap<(String, i64), u32> = BTreeMap::new();
    on(&mut world, hours(24), |at, kind, name, text| {
        if kind == TopicKind::Liquidation {
            let n = text.matches("\"T\":").count() as u32;
            let minute = at.get() / Nanos::MINUTE.get();
            *minutes.entry((name.to_owned(), minute)).or_default() += n;
        }
    });
    let bursts = minutes.values().filter(|n| **n >= 30).count();
    assert!(bursts >= 3, "{bursts}");
    for name in NAMES {
        let stats = world.stats(name).unwrap();
        assert!(stats.induced > 50, "{name} {stats:?}");
        assert!(stats.forced.iter().all(|n| *n > 50), "{name} {stats:?}");
    }
    // Where taking leaves nothing in the price, nothing can be induced.
    let mut tame = World::new(1, Params::only(&["BTCUSDT"]).without_impact()).unwrap();
    on(&mut tame, hours(12), |_, _, _, _| ());
    assert_eq!(tame.stats("BTCUSDT").unwrap().induced, 0);
    // Where everybody is hedged, nobody is forced.
    let mut hedged = World::new(1, Params::only(&["BTCUSDT"]).hedged()).unwrap();
    on(&mut hedged, hours(12), |_, kind, _, _| {
        assert_ne!(kind, TopicKind::Liquidation)
    });
    let truth = hedged.truth("BTCUSDT").unwrap();
    assert!(truth.positions.iter().all(Vec::is_empty));
}

#[test]
fn worlds_that_cannot_be_are_refused() {
    assert!(World::new(1, Params::only(&[])).is_err());
    let mut params = Params::default();
    params.contracts[0].price = -1.0;
    assert!(World::new(1, params).is_err());
    let mut params = Params::default();
    params.contracts[1].tiers.clear();
    assert!(World::new(1, params).is_err());
}

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

fn connect(handle: &Handle) -> Socket {
    let (mut socket, _) = tungstenite::connect(handle.ws_url()).unwrap();
    if let MaybeTlsStream::Plain(tcp) = socket.get_mut() {
        tcp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    }
    socket
}

fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.read().expect("a frame") {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Pong(_) | Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn say(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).unwrap();
}

fn serve(seed: u64, speed: u32, faults: Faults) -> Handle {
    let mut world = world(seed);
    on(&mut world, Nanos::seconds(600), |_, _, _, _| ());
    let options = Options {
        speed,
        faults,
        ..Options::default()
    };
    Server::start(world, options).unwrap()
}

#[test]
fn a_client_subscribes_reads_pings_and_asks_over_real_sockets() {
    let handle = serve(6, 20, Faults::default());
    let mut socket = connect(&handle);
    say(
        &mut socket,
        r#"{"req_id":"7","op":"subscribe","args":["orderbook.200.BTCUSDT","tickers.BTCUSDT","publicTrade.BTCUSDT"]}"#,
    );
    let ack = next(&mut socket);
    assert_eq!(ack["success"], true);
    assert_eq!(
        (&ack["op"], &ack["req_id"]),
        (&"subscribe".into(), &"7".into())
    );
    let mut reader = Reader::default();
    let (mut deltas, mut trades) = (0, 0);
    let start = Instant::now();
    while deltas < 40 || trades < 10 {
        let v = next(&mut socket);
        match v["topic"].as_str().unwrap() {
            "orderbook.200.BTCUSDT" => {
                reader.book(&v, 2, 10, 3);
                deltas += u32::from(v["type"] == "delta");
            }
            "tickers.BTCUSDT" => reader.ticker(&v),
            "publicTrade.BTCUSDT" => trades += 1,
            other => panic!("not asked for: {other}"),
        }
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    // 40 deltas are 20 virtual seconds, one real one at this speed: time must not run ahead of its
    // speed.
    assert!(start.elapsed() > Duration::from_millis(600));
    assert!(reader.ticker.contains_key("fundingRate"));

    say(&mut socket, r#"{"op":"ping"}"#);
    let pong = std::iter::repeat_with(|| next(&mut socket)).find(|v| v["op"] == "ping");
    assert_eq!(pong.unwrap()["ret_msg"], "pong");

    let mut second = connect(&handle);
    say(
        &mut second,
        r#"{"op":"subscribe","args":["orderbook.200.NOPEUSDT"]}"#,
    );
    assert_eq!(next(&mut second)["success"], false);
    say(&mut second, "not json");
    assert_eq!(next(&mut second)["success"], false);
    say(
        &mut second,
        r#"{"op":"subscribe","args":["tickers.SOLUSDT"]}"#,
    );
    assert_eq!(next(&mut second)["success"], true);
    assert_eq!(next(&mut second)["type"], "snapshot");
    assert_eq!(next(&mut second)["topic"], "tickers.SOLUSDT");
    second.send(Message::Ping("hello".into())).unwrap();
    let start = Instant::now();
    loop {
        if let Message::Pong(echo) = second.read().unwrap() {
            assert_eq!(echo.as_ref(), b"hello");
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    say(
        &mut second,
        r#"{"op":"unsubscribe","args":["tickers.SOLUSDT"]}"#,
    );
    let told = std::iter::repeat_with(|| next(&mut second)).find(|v| v["op"] == "unsubscribe");
    assert_eq!(told.unwrap()["success"], true);

    let get = |path: &str| -> Value {
        let url = format!("{}{path}", handle.rest_url());
        let mut answer = ureq::get(&url).call().unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    };
    let listed = get("/v5/market/instruments-info?category=linear&limit=1000");
    assert_eq!(listed["result"]["list"].as_array().unwrap().len(), 3);
    let tickers = get("/v5/market/tickers?category=linear&symbol=ETHUSDT");
    assert_eq!(tickers["result"]["list"][0]["symbol"], "ETHUSDT");
    let missing = format!("{}/v5/market/nothing", handle.rest_url());
    assert!(matches!(
        ureq::get(&missing).call(),
        Err(ureq::Error::StatusCode(404))
    ));

    let injected = handle.injected();
    assert_eq!((injected.faults().count(), injected.slow), (0, 0));
    assert!(injected.frames > 50);
    let now = handle.now();
    let world = handle.stop().unwrap();
    assert!(world.now() >= now);
    assert!(world.truth("BTCUSDT").unwrap().interest > 0.0);
}

#[test]
fn a_wrong_path_is_refused() {
    let handle = serve(6, 1, Faults::default());
    let url = handle.ws_url().replace("linear", "inverse");
    assert!(tungstenite::connect(url).is_err());
    // The exchange goes on.
    say(&mut connect(&handle), r#"{"op":"ping"}"#);
}

#[test]
fn injected_gaps_are_silent_and_each_can_be_noticed() {
    let handle = serve(8, 50, Faults::NONE.with(Fault::Gap, 20));
    let mut socket = connect(&handle);
    let ask = |socket: &mut Socket, op: &str| {
        let text = format!(r#"{{"op":"{op}","args":["orderbook.200.BTCUSDT"]}}"#);
        say(socket, &text);
    };
    ask(&mut socket, "subscribe");
    let (mut jumps, mut update, mut deltas) = (0u64, None, 0);
    while deltas < 300 {
        let v = next(&mut socket);
        let Some(u) = v["data"]["u"].as_u64() else {
            continue;
        };
        deltas += 1;
        match update {
            _ if v["type"] == "snapshot" => update = Some(u),
            Some(before) if u == before + 1 => update = Some(u),
            Some(_) => {
                // Until the book is asked for again, no other gap could be noticed.
                jumps += 1;
                update = None;
                ask(&mut socket, "unsubscribe");
                ask(&mut socket, "subscribe");
            }
            None => {}
        }
    }
    assert!((8..=40).contains(&jumps), "{jumps}");
    let counted = handle.injected().count(Fault::Gap);
    // One more may be on its way.
    assert!((jumps..=jumps + 1).contains(&counted), "{jumps} {counted}");
}

#[test]
fn injected_disconnects_are_abrupt_and_counted() {
    let faults = Faults::NONE.with(Fault::Cut, 100);
    let handle = serve(9, 50, faults);
    for round in 1..=3 {
        let mut socket = connect(&handle);
        say(
            &mut socket,
            r#"{"op":"subscribe","args":["orderbook.200.BTCUSDT","tickers.BTCUSDT"]}"#,
        );
        let mut frames = 0;
        while socket.read().is_ok() {
            frames += 1;
        }
        assert!((1..=160).contains(&frames), "{frames}");
        assert_eq!(handle.injected().count(Fault::Cut), round);
    }
}

#[test]
fn a_consumer_that_does_not_read_is_cut_off_and_the_others_go_on() {
    let handle = serve(10, 3_600, Faults::default());
    let mut idle = connect(&handle);
    say(
        &mut idle,
        r#"{"op":"subscribe","args":["orderbook.200.BTCUSDT","orderbook.200.ETHUSDT","orderbook.200.SOLUSDT"]}"#,
    );
    let start = Instant::now();
    while handle.injected().slow == 0 {
        std::thread::sleep(Duration::from_millis(20));
        assert!(start.elapsed() < Duration::from_secs(30), "never cut off");
    }
    let mut reading = connect(&handle);
    say(
        &mut reading,
        r#"{"op":"subscribe","args":["tickers.BTCUSDT"]}"#,
    );
    assert_eq!(next(&mut reading)["success"], true);
    assert_eq!(next(&mut reading)["type"], "snapshot");
}

/// A path that only one of the two knows is wrong in one of them.
#[test]
fn the_exchange_answers_all_that_a_venues_row_asks() {
    use isotherm::sim::Dialect;
    use isotherm::venue::{VENUES, What, texts};
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    for dialect in Dialect::ALL {
        let row = VENUES.iter().find(|row| row.name == dialect.name());
        let row = row.expect("a dialect is a venue's");
        let mut world = World::new(4, Params::default().speaking(dialect)).unwrap();
        world.advance(world.now().plus(Nanos::HOUR), &mut |_| {});
        let assets = ["BTC".to_owned(), "ETH".to_owned()];
        let now = world.now();
        let handle = Server::start(world, Options::default()).unwrap();
        // Whom to ask about is learned from trades.
        for ask in row.asks.iter().filter(|ask| ask.what != What::Accounts) {
            for request in texts::requests(row, ask, &assets) {
                let request = texts::dated(&request, now);
                // A table that lies elsewhere is asked here by its path.
                let path = request
                    .strip_prefix("https://")
                    .and_then(|rest| rest.find('/'));
                let request = path.map_or(&request[..], |at| &request["https://".len() + at..]);
                let mut answer = match request.split_once(' ') {
                    Some((path, body)) => {
                        let post = agent.post(format!("{}{path}", handle.rest_url()));
                        post.content_type("application/json").send(body).unwrap()
                    }
                    None => agent
                        .get(format!("{}{request}", handle.rest_url()))
                        .call()
                        .unwrap(),
                };
                let body = answer.body_mut().read_to_vec().unwrap();
                let refused = (row.refusal)(&body);
                assert_eq!(
                    (answer.status().as_u16(), refused),
                    (200, None),
                    "{} {request}",
                    row.name
                );
            }
        }
        handle.stop().unwrap();
    }
}
