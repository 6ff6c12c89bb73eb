//! Exact positions, end to end: an account's answer into events, the accounts that trade asked within the budget, and
//! the map that stands on what they hold against the truth that no exchange tells.
//!
//! The world is the built-in exchange in Hyperliquid's words; the engine's part is the real decoder, the real shard and
//! the real choice of whom to ask. In virtual time the three run in one thread, so nothing here waits for a clock; one
//! test runs the whole engine over sockets and replays its recording.
//!
//! Compared with the truth is *position mass*, before θ: exact positions and what they leave of the model
//! (`Exact::rest_q32`), and the model alone, which sees the same stream and no account.
#![allow(
    clippy::float_arithmetic,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the judge computes in reals and stops at a surprise"
)]

use isotherm::config::Plan;
use isotherm::control::accounts::{Accounts, PART};
use isotherm::event::{ALONE, Body, Event, FIRST, Kind, LAST, Position};
use isotherm::health::FaultKind;
use isotherm::inventory::exact::ENDS;
use isotherm::log::{Form, Level, Log};
use isotherm::market::{Holder, VenueId};
use isotherm::num::log::BUCKET;
use isotherm::num::{Px, Qty, Round, Usd};
use isotherm::replay::{self, Speed};
use isotherm::run;
use isotherm::shard::{Setup, Shard};
use isotherm::shm::record::{NO_SHARE, Nowhere};
use isotherm::sim::{Dialect, Fault, Faults, Options, Params, Server, TopicKind, Truth, World};
use isotherm::tape::Grid;
use isotherm::time::{Clock as _, Nanos, ScaledClock, TICK, WallClock};
use isotherm::venue::lane::Lane;
use isotherm::venue::{ACCOUNT, Decoder, Venue, What, venue};
use std::collections::VecDeque;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const RECV: Nanos = Nanos::new(1_790_000_000_123_456_789);
const HYPERLIQUID: VenueId = VenueId::HYPERLIQUID;

fn row() -> &'static Venue {
    venue(HYPERLIQUID).unwrap()
}

/// Past the capture of the test harness, so that it is seen.
fn aloud(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn decoder(names: &[&str]) -> Decoder {
    let assets: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    Decoder::new(HYPERLIQUID, &assets).unwrap()
}

fn asks_for(user: &str) -> String {
    let ask = row().asks.iter().find(|ask| ask.what == What::Accounts);
    ask.unwrap().request.replace(ACCOUNT, user)
}

fn somebody() -> String {
    asks_for(&format!("0x{}", "5e".repeat(20)))
}

// ---- an answer ----

fn held(coin: &str, size: &str, entry: &str, liquidation: &str) -> String {
    format!(
        r#"{{"type":"oneWay","position":{{"coin":"{coin}","szi":"{size}","leverage":{{"type":"cross","value":20}},"entryPx":{entry},"positionValue":"1.0","unrealizedPnl":"-0.08007","returnOnEquity":"-0.0075","liquidationPx":{liquidation},"marginUsed":"10.5","maxLeverage":40}}}}"#
    )
}

fn state(rows: &[String]) -> String {
    let rows = rows.join(",");
    format!(r#"{{"withdrawable":"1.0","assetPositions":[{rows}],"time":1790000000500}}"#)
}

fn positions(decoder: &mut Decoder, body: &str) -> Result<Vec<(u16, Position)>, FaultKind> {
    let said = decoder.rest(RECV, &somebody(), body.as_bytes());
    let said = said.map_err(|fault| fault.kind)?;
    assert!(said.faults.is_empty());
    let told = said.events.iter().map(|event| match event.body() {
        Body::Position(told) => (event.symbol.0, told),
        other => panic!("{other:?}"),
    });
    let told: Vec<_> = told.collect();
    let ends = |event: &Event| event.bits & (FIRST | LAST);
    if let [only] = said.events {
        assert_eq!(ends(only), ALONE);
    } else if let [first, .., last] = said.events {
        assert_eq!((ends(first), ends(last)), (FIRST, LAST));
    }
    Ok(told)
}

#[test]
fn what_an_account_holds_is_told_of_every_coin_that_is_followed() {
    let mut decoder = decoder(&["BTC", "PEPE", "ETH"]);
    let body = state(&[
        held("ATOM", "-0.45", "\"10.787\"", "\"2561.83187333\""),
        held("kPEPE", "-1500000.0", "\"0.0081235\"", "\"0.012\""),
        held("BTC", "0.785", "\"80951.25\"", "null"),
    ]);
    let told = positions(&mut decoder, &body).unwrap();
    let px = |text: &str| Px::parse(text).unwrap();
    let qty = |text: &str| Qty::parse(text).unwrap();
    let account = told[0].1.account;
    let of = |holder, qty, entry, liquidation| Position {
        account,
        holder,
        qty,
        entry,
        liquidation,
    };
    // A thousand PEPE are the canonical lot, as they are the venue's.
    let want = [
        (0, of(Holder::Long, qty("0.785"), px("80951.25"), Px::ZERO)),
        (
            1,
            of(Holder::Short, qty("1500000"), px("0.0081235"), px("0.012")),
        ),
        (2, of(Holder::Long, Qty::ZERO, Px::ZERO, Px::ZERO)),
    ];
    assert_eq!(told, want);
    // The account is named by its address, whatever decoder reads it.
    let mut other = self::decoder(&["BTC"]);
    assert_eq!(positions(&mut other, &body).unwrap()[0].1.account, account);
    let elsewhere = other.rest(
        RECV,
        &asks_for(&format!("0x{}", "5f".repeat(20))),
        body.as_bytes(),
    );
    let Body::Position(elsewhere) = elsewhere.unwrap().events[0].body() else {
        panic!("no position");
    };
    assert!(elsewhere.account != account);
    // Nothing held at all is a whole answer too.
    let told = positions(&mut other, &state(&[])).unwrap();
    assert_eq!(told, [(0, of(Holder::Long, Qty::ZERO, Px::ZERO, Px::ZERO))]);
}

#[test]
fn a_price_that_no_mark_reaches_is_none() {
    let mut decoder = decoder(&["BTC"]);
    for none in [
        "null",
        "\"0.0\"",
        "\"-12.5\"",
        "\"1e30\"",
        "\"99999999999999999999999.5\"",
        "\"\"",
    ] {
        let told = positions(
            &mut decoder,
            &state(&[held("BTC", "1.0", "\"80000.0\"", none)]),
        );
        if none.contains('e') {
            assert_eq!(told, Err(FaultKind::BadNumber));
            continue;
        }
        assert_eq!(told.unwrap()[0].1.liquidation, Px::ZERO, "{none}");
    }
}

/// A coin that is left out would read as closed.
#[test]
fn an_answer_of_which_a_row_does_not_fit_tells_nothing() {
    let mut decoder = decoder(&["BTC", "ETH"]);
    let good = held("ETH", "2.0", "\"3000.0\"", "\"2500.0\"");
    for bad in [
        held("BTC", "x", "\"80000.0\"", "null"),
        held("BTC", "1.0", "null", "null"),
        held("BTC", "1.0", "\"-5.0\"", "null"),
        held("BTC", "99999999999999999.0", "\"80000.0\"", "null"),
        r#"{"type":"oneWay"}"#.to_owned(),
        r#"{"type":"oneWay","position":{"szi":"1.0"}}"#.to_owned(),
    ] {
        for rows in [[good.clone(), bad.clone()], [bad.clone(), good.clone()]] {
            assert!(positions(&mut decoder, &state(&rows)).is_err(), "{bad}");
        }
    }
    assert!(positions(&mut decoder, "{}").is_err());
    assert!(positions(&mut decoder, r#"{"assetPositions":null}"#).is_err());
    // Nor does an answer about nobody.
    let body = state(&[good]);
    for user in ["{account}", "", "0x12", "5e"] {
        let said = decoder.rest(RECV, &asks_for(user), body.as_bytes());
        assert_eq!(said.unwrap_err().kind, FaultKind::UnknownTopic, "{user}");
    }
}

#[test]
fn a_bent_answer_is_a_fault_or_of_the_same_form() {
    let mut decoder = decoder(&["BTC", "ETH"]);
    let body = state(&[
        held("BTC", "-0.785", "\"80951.25\"", "\"83198.69592357\""),
        held("ETH", "2.0", "\"3000.0\"", "null"),
    ]);
    for bit in 0..body.len() * 8 {
        let mut bytes = body.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(said) = decoder.rest(RECV, &somebody(), &bytes) else {
            continue;
        };
        assert_eq!(said.events.len(), 2);
        for (symbol, event) in said.events.iter().enumerate() {
            assert_eq!(
                (event.kind(), usize::from(event.symbol.0)),
                (Kind::Position, symbol)
            );
            let Body::Position(told) = event.body() else {
                panic!("no position");
            };
            assert!(told.qty >= Qty::ZERO && told.entry >= Px::ZERO);
            assert!(told.liquidation >= Px::ZERO);
        }
    }
}

/// The one recorded answer there is, of 2023: the form has since gained fields and lost none that are read.
#[test]
fn a_recorded_answer_is_read() {
    let root = std::env::var_os("ISOTHERM_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = root.join("captures/hyperliquid/rest-sdk-cassettes/get_user_state.0.json");
    let Ok(body) = std::fs::read_to_string(&path) else {
        return aloud(&format!(
            "SKIPPED: no recorded answer at {}",
            path.display()
        ));
    };
    let mut decoder = decoder(&["BTC", "ETH", "DYDX", "PEPE"]);
    let told = positions(&mut decoder, &body).unwrap();
    let [(_, btc), (_, eth), (_, dydx), (_, pepe)] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (btc.holder, btc.qty),
        (Holder::Short, Qty::parse("0.00785").unwrap())
    );
    assert_eq!(btc.liquidation, Px::parse("173198.69592357").unwrap());
    assert_eq!((eth.holder, eth.liquidation), (Holder::Long, Px::ZERO));
    assert_eq!(dydx.entry, Px::parse("2.36808").unwrap());
    assert_eq!(pepe.qty, Qty::ZERO);
}

// ---- the map ----

/// The engine and the exchange in one thread, in virtual time.
struct Desk {
    world: World,
    shard: Shard,
    frames: Lane,
    rest: Lane,
    accounts: Accounts,
    grid: Grid,
    buffer: Vec<u8>,
    /// When accounts were asked within the last minute, and the most of them in any minute.
    asked: VecDeque<Nanos>,
    most: usize,
    asks: usize,
}

/// Accounts are asked about between two of these.
const BEAT: Nanos = Nanos::millis(100);

impl Desk {
    fn new(seed: u64, params: Params) -> Self {
        let mut world = World::new(seed, params).unwrap();
        let assets: Vec<String> = world
            .params()
            .contracts
            .iter()
            .map(|c| c.asset.clone())
            .collect();
        let lane = |number| Lane::new(HYPERLIQUID, &assets, number).unwrap();
        let mut desk = Self {
            shard: Shard::new(&Setup::new(assets.clone(), &[HYPERLIQUID])).unwrap(),
            frames: lane(0),
            rest: lane(1),
            accounts: Accounts::new(row(), 100, None, Vec::new()).unwrap(),
            grid: Grid::default(),
            buffer: Vec::new(),
            asked: VecDeque::new(),
            most: 0,
            asks: 0,
            world: world.clone(),
        };
        desk.ask(r#"/info {"type":"meta"}"#);
        for event in desk.frames.connected(world.now()) {
            desk.shard.step(event, &mut Nowhere);
        }
        let topics: Vec<_> = world.topics().collect();
        for topic in topics {
            world.snapshot_frames(topic, &mut |frame| {
                desk.frame(frame.at, topic.kind, frame.text)
            });
        }
        desk
    }

    /// Asks the exchange; answers what the account holds.
    fn ask(&mut self, request: &str) -> Usd {
        let (path, body) = request.split_once(' ').unwrap();
        let (status, _, answer) = self.world.rest("POST", path, body);
        assert_eq!(status, 200, "the budget is passed: {request}");
        let mut held = Usd::ZERO;
        for event in self.rest.rest(self.world.now(), request, answer.as_bytes()) {
            if let Body::Position(told) = event.body() {
                held = held.plus(told.entry.notional(told.qty, Round::Down));
            }
            self.shard.step(event, &mut Nowhere);
        }
        held
    }

    fn frame(&mut self, at: Nanos, kind: TopicKind, text: &str) {
        if !matches!(kind, TopicKind::Trades | TopicKind::Ticker) {
            return;
        }
        while let Some((first, count)) = self.grid.due(at) {
            for turn in 0..i64::from(count) {
                let stamp = first.plus(Nanos::new(TICK.get() * turn));
                self.shard.step(&Event::tick(stamp), &mut Nowhere);
            }
        }
        let group = self.frames.text(at, text.as_bytes(), &mut self.buffer);
        let events = group.len();
        for event in group {
            self.shard.step(event, &mut Nowhere);
        }
        let accounts = &mut self.accounts;
        self.frames
            .owners(events, |address, usd| accounts.see(&address, usd));
    }

    fn advance(&mut self, until: Nanos) {
        while self.world.now() < until {
            let next = self.world.now().plus(BEAT);
            let mut frames = Vec::new();
            self.world.advance(next, &mut |frame| {
                frames.push((frame.at, frame.topic.kind, frame.text.to_owned()));
            });
            for (at, kind, text) in frames {
                self.frame(at, kind, &text);
            }
            let now = self.world.now();
            if let Some(due) = self.accounts.next(now) {
                let held = self.ask(&due.request);
                self.accounts.answered(now, &due.address, held);
                self.asks += 1;
                self.asked.push_back(now);
                while self
                    .asked
                    .front()
                    .is_some_and(|at| now.since(*at) >= Nanos::MINUTE)
                {
                    self.asked.pop_front();
                }
                self.most = self.most.max(self.asked.len());
            }
        }
    }
}

/// Log price as the engine counts it.
fn place(price: f64) -> f64 {
    (price * 1e10).ln()
}

const WIDTH: f64 = 0.0002;
/// Buckets of a look: to 10 % from the mark.
const REACH: usize = 500;

/// Mass by buckets from the mark outwards, as shares of open interest: true, of the model alone, with exact positions.
fn masses(desk: &Desk, truth: &Truth, holder: Holder) -> [Vec<f64>; 3] {
    let inventory = desk.shard.inventory(0).unwrap();
    let bucket_of_mark = inventory.mark_ln().unwrap().div_euclid(BUCKET);
    let way = if holder == Holder::Long { -1 } else { 1 };
    let mut all = [(); 3].map(|()| vec![0.0; REACH]);
    let mark = place(truth.mark);
    for &(price, size) in &truth.positions[holder as usize] {
        let away = (place(price) - mark) * way as f64 / WIDTH;
        // Who is being sold off lies behind the mark.
        if let Some(room) = all[0].get_mut(away.max(0.0) as usize) {
            *room += size / truth.interest;
        }
    }
    let share = |qty: Qty| qty.get() as f64 / inventory.interest_now().get() as f64;
    for (i, cell) in all[1].iter_mut().enumerate().take(REACH) {
        *cell = share(inventory.mass(holder, bucket_of_mark + way * i as i64));
    }
    all[2] = all[1].clone();
    if let Some((_, exact)) = desk.shard.exact(0) {
        let interest = inventory.interest_now();
        let one = (1u64 << 32) as f64;
        let rest = exact.rest_q32(holder, inventory, bucket_of_mark);
        for (i, mass) in all[2].iter_mut().enumerate() {
            *mass *= rest[ENDS.partition_point(|end| *end <= i as i64)] as f64 / one;
        }
        let weight = exact.weight_q32(holder, interest) as f64 / one;
        for (ln, qty) in exact.priced(holder) {
            let away = (ln.div_euclid(BUCKET) - bucket_of_mark) * way;
            if let Some(room) = all[2].get_mut(away.max(0) as usize) {
                *room += share(qty) * weight;
            }
        }
    }
    all
}

/// How far a map is from the truth.
#[derive(Debug, Clone, Copy, Default)]
struct Far {
    /// Area between the cumulative curves (the 1-Wasserstein distance where totals agree), % of log price per unit of
    /// open interest.
    area: f64,
    /// How much the mass within 1, 2 and 5 % is off, share of open interest.
    off: [f64; 3],
    /// Share of the ten heaviest true cells of 10 bp that are among the map's ten heaviest, or beside one of them.
    recall: f64,
}

/// The ten heaviest cells of 10 bp.
fn heaviest(map: &[f64]) -> Vec<usize> {
    let mut cells: Vec<(f64, usize)> = map
        .chunks(5)
        .enumerate()
        .map(|(at, cell)| (cell.iter().sum(), at))
        .collect();
    cells.sort_by(|a, b| b.0.total_cmp(&a.0));
    cells.into_iter().take(10).map(|(_, at)| at).collect()
}

fn far(map: &[f64], truth: &[f64]) -> Far {
    let (mut a, mut b) = (0.0, 0.0);
    let mut far = Far::default();
    for i in 0..REACH {
        a += map[i];
        b += truth[i];
        far.area += (a - b).abs() * WIDTH * 100.0;
        for (room, within) in far.off.iter_mut().zip([50, 100, 250]) {
            if i + 1 == within {
                *room = (a - b).abs();
            }
        }
    }
    let (ours, is) = (heaviest(map), heaviest(truth));
    let found = is
        .iter()
        .filter(|at| ours.iter().any(|own| own.abs_diff(**at) <= 1));
    far.recall = found.count() as f64 / is.len() as f64;
    far
}

/// The mean of looks.
fn mean(looks: &[Far]) -> Far {
    let of =
        |figure: &dyn Fn(&Far) -> f64| looks.iter().map(figure).sum::<f64>() / looks.len() as f64;
    Far {
        area: of(&|far| far.area),
        off: [0, 1, 2].map(|at| of(&|far| far.off[at])),
        recall: of(&|far| far.recall),
    }
}

fn told(name: &str, looks: &[Far]) -> String {
    let far = mean(looks);
    let [one, two, five] = far.off.map(|off| 100.0 * off);
    format!(
        "{name}: area {:.4} %, mass within 1, 2, 5 % off by {one:.3} {two:.3} {five:.3} % of open interest, \
         ten heaviest cells found {:.2} ({} looks)",
        far.area,
        far.recall,
        looks.len()
    )
}

/// Nearer to the truth on every figure.
fn is_nearer(with: &[Far], alone: &[Far]) -> bool {
    let (with, alone) = (mean(with), mean(alone));
    let off = with.off.iter().zip(&alone.off);
    with.area < alone.area && with.recall > alone.recall && off.into_iter().all(|(a, b)| a < b)
}

fn params() -> Params {
    Params::many(1).speaking(Dialect::Hyperliquid)
}

#[test]
fn the_map_of_exact_positions_is_nearer_to_the_truth_than_the_model_alone() {
    let full = std::env::var("ISOTHERM_PROOF").is_ok_and(|v| v == "full");
    let (seeds, hours): (&[u64], i64) = if full {
        (&[201, 202, 203, 204, 205], 8)
    } else {
        (&[201], 4)
    };
    // By two hours since the start.
    let mut looks = vec![(Vec::new(), Vec::new()); hours as usize / 2];
    for &seed in seeds {
        let mut desk = Desk::new(seed, params());
        let begin = desk.world.now();
        assert_eq!(desk.shard.wide(0).unwrap().map.coverage_e6, [NO_SHARE; 2]);
        let mut covered = Vec::new();
        for look in 1..=hours * 6 {
            desk.advance(begin.plus(Nanos::new(Nanos::MINUTE.get() * 10 * look)));
            let wide = desk.shard.wide(0).unwrap();
            covered.push(wide.map.coverage_e6);
            // Positions are part of what the venue has, and of what is expected.
            assert!(
                wide.map.venue_share_e4[0] >= 9_990,
                "{:?}",
                wide.map.venue_share_e4
            );
            for (usd, [low, high]) in [
                (wide.long_usd, wide.map.long_interval_usd),
                (wide.short_usd, wide.map.short_interval_usd),
            ] {
                assert!(low <= usd && usd <= high, "{low} {usd} {high}");
            }
            let name = desk.world.params().contracts[0].symbol.clone();
            let truth = desk.world.truth(&name).unwrap();
            for holder in Holder::BOTH {
                let [is, model, with] = masses(&desk, &truth, holder);
                let (alone, known) = &mut looks[(look as usize - 1) / 12];
                alone.push(far(&model, &is));
                known.push(far(&with, &is));
            }
        }
        let [first, .., last] = covered[..] else {
            panic!("no looks")
        };
        aloud(&format!(
            "seed {seed}: coverage {first:?} to {last:?}, {} accounts, {} asks, most in a minute {}, {} positions",
            desk.accounts.watched(),
            desk.asks,
            desk.most,
            desk.shard.exact(0).unwrap().1.count(),
        ));
        for h in 0..2 {
            assert!(last[h] > first[h] && last[h] > 100_000, "{covered:?}");
        }
        // Of 1,200 a minute, two an ask.
        assert!(desk.most as u64 <= 600 * PART / 100, "{}", desk.most);
        assert_eq!(desk.frames.counts.faults + desk.rest.counts.faults, 0);
        assert!(desk.shard.inventory(0).unwrap().conserved());
    }
    for (at, (alone, known)) in looks.iter().enumerate() {
        aloud(&told(
            &format!("hours {} to {}, model alone", 2 * at, 2 * at + 2),
            alone,
        ));
        aloud(&told(
            &format!("hours {} to {}, with positions", 2 * at, 2 * at + 2),
            known,
        ));
    }
    let (alone, known): (Vec<_>, Vec<_>) = looks.iter().cloned().unzip();
    let (alone, known) = (alone.concat(), known.concat());
    aloud(&told("model alone", &alone));
    aloud(&told("with positions", &known));
    // Nearer on every figure; over five worlds so in each two hours from the first on, and half as far on the whole.
    assert!(is_nearer(&known, &alone));
    if full {
        assert!(looks.iter().all(|(alone, known)| is_nearer(known, alone)));
        assert!(mean(&known).area < 0.55 * mean(&alone).area);
    }
}

/// The same inputs, the same state.
#[test]
fn the_same_answers_give_the_same_state() {
    let run = || {
        let mut desk = Desk::new(7, params());
        let until = desk.world.now().plus(Nanos::new(Nanos::MINUTE.get() * 3));
        desk.advance(until);
        let (_, exact) = desk.shard.exact(0).unwrap();
        assert!(exact.count() > 10, "{}", exact.count());
        (desk.shard.state_hash(), desk.shard.bytes().to_vec())
    };
    assert!(run() == run());
}

// ---- the engine ----

/// Over sockets, with an exchange whose REST fails now and then: positions come, and the recording replays to the state
/// that was live.
#[test]
fn a_recorded_run_replays_with_its_positions() {
    let mut world = World::new(3, params()).unwrap();
    let open = world.now().plus(Nanos::MINUTE);
    world.advance(open, &mut |_| {});
    let faults = Faults::NONE
        .with(Fault::Broken, 9)
        .with(Fault::ShortBody, 11)
        .with(Fault::NoJson, 13);
    let options = Options {
        speed: 10,
        faults,
        ..Options::default()
    };
    let server = Server::start(world, options).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (url, rest) = (server.ws_urls().next().unwrap(), server.rest_url());
    let text = format!(
        "[engine]\nsymbols = [\"BTC\"]\nidle = \"park\"\n[[feed]]\nvenue = \"hyperliquid\"\nurl = \"{url}\"\n\
         rest = \"{rest}\"\nchannels = [\"book\", \"trades\", \"tickers\"]\n"
    );
    let mut plan = Plan::parse(&text, "plan").unwrap();
    plan.engine.page = dir.path().join("page");
    plan.engine.tape = Some(dir.path().join("tape"));
    let shard = Shard::new(&run::setup(&plan).unwrap()).unwrap();
    let clock = ScaledClock::start(WallClock.now(), 1);
    let live = run::start(&plan, shard, clock, 1, Log::new(Level::Error, Form::Text)).unwrap();
    let begun = Instant::now();
    let reader = isotherm::shm::reader::PageReader::open(&plan.engine.page).unwrap();
    let covered = || {
        let wide = reader.wide(0).ok()?;
        let shares = wide.map.coverage_e6;
        shares
            .iter()
            .all(|share| *share != NO_SHARE && *share > 0)
            .then_some(shares)
    };
    while covered().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no coverage");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(5));
    let ended = live.stop().unwrap();
    assert_eq!(ended.tape_failed, None);
    let shard = &ended.finished.shard;
    let told = shard.count(Kind::Position);
    assert!(told > 3, "{told}");
    let path = dir.path().join("tape");
    let again = replay::run(&path, None, Speed::Max, &mut Nowhere)
        .unwrap()
        .shard;
    assert_eq!(again.count(Kind::Position), told);
    assert_eq!(again.input_seq(), shard.input_seq());
    assert_eq!(again.state_hash(), shard.state_hash());
    assert!(again.bytes() == shard.bytes());
}
