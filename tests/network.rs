//! Connections that misbehave: servers that are silent, that refuse, that answer half. Every peer here is a plain
//! socket of this machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test"
)]

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use isotherm::config::Plan;
use isotherm::control::{self, Line, Poll, RestRing, Seat};
use isotherm::event::{Body, Event};
use isotherm::feed::taped::Taped;
use isotherm::feed::{Feed, Handed, Ready, Script, Wish, count};
use isotherm::idle::Strategy;
use isotherm::log::{Form, Level, Log};
use isotherm::market::VenueId;
use isotherm::ring::{Consumer, byte_channel, channel};
use isotherm::run::{self, RunError};
use isotherm::shard::Shard;
use isotherm::sync::{Flag, Tally};
use isotherm::time::{Clock as _, Nanos, WallClock};
use isotherm::venue::{self, What, lane::Lane};
use isotherm::wire::socket::{Stream as Socket, Target};
use isotherm::wire::tls::Trust;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(4);
const INSTRUMENTS: &str = "/v5/market/instruments-info?category=linear&limit=1000";
const TIERS: &str = "/v5/market/risk-limit?category=linear&symbol=BTCUSDT";

fn assets() -> Vec<String> {
    ["BTC", "ETH", "SOL"].map(String::from).to_vec()
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

// ---- control ----

struct Control {
    thread: JoinHandle<()>,
    stop: Arc<Flag>,
    wishes: Sender<Wish>,
    says: Receiver<String>,
    events: Consumer<Event>,
    hole: Arc<Flag>,
    // A control thread whose feed is gone has nobody to hand a socket to.
    _handed: Receiver<Handed>,
}

/// Lines of a log, one a message.
struct Said(Sender<String>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Control {
    fn start(feed: &str, rest: &str, requests: &[&str], taped: Taped) -> Self {
        let (stop, hole) = (Arc::new(Flag::default()), taped.hole());
        let (wish, wishes) = bounded(8);
        let (said, says) = unbounded();
        let (handed, to_take) = bounded(8);
        let (to_shard, events) = channel::<Event>(1 << 10);
        let row = venue::venue(VenueId::BYBIT).unwrap();
        let poll = |request: &&str| Poll {
            what: What::Instruments,
            request: (*request).to_string(),
            every: Duration::from_secs(3_600),
            weight: 1,
            pages: 64,
        };
        let ring = RestRing {
            base: format!("http://{rest}"),
            venue: row,
            assets: assets(),
            lane: Lane::new(VenueId::BYBIT, &assets(), 1).unwrap(),
            events: to_shard,
            taped,
            polls: requests.iter().map(poll).collect(),
            later: Vec::new(),
            share: 100,
            agent: String::new(),
            given: Vec::new(),
            trust: Trust::new(&[]).unwrap(),
            accounts: None,
        };
        let line = Line {
            feed: 0,
            leg: 0,
            venue: 0,
            target: Target::new(format!("ws://{feed}/v5/public/linear")),
            trust: Trust::new(&[]).unwrap(),
            handed,
        };
        let control = control::Control {
            lines: vec![line],
            venues: vec![ring],
            wishes,
            seats: vec![Seat {
                venue: row,
                tallies: Vec::new(),
            }],
            log: Log::to(Level::Debug, Form::Text, Box::new(Said(said)), || {
                WallClock.now()
            }),
            outside: None,
            margin: None,
            tape: Arc::default(),
            tally: Arc::default(),
        };
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            control::run(control, &WallClock, &|| flag.is_up());
        });
        Self {
            thread,
            stop,
            wishes: wish,
            says,
            events,
            hole,
            _handed: to_take,
        }
    }

    fn wish(&self) {
        let spent = Vec::new();
        let wish = Wish::Connection {
            feed: 0,
            leg: 0,
            spent,
        };
        self.wishes.try_send(wish).unwrap();
    }

    fn hears(&self, part: &str) -> String {
        let until = Instant::now() + SOON;
        loop {
            let text = self.says.recv_deadline(until);
            let text = text.unwrap_or_else(|_| panic!("nobody said {part:?}"));
            if text.contains(part) {
                return text;
            }
        }
    }

    fn end(self) {
        let asked = Instant::now();
        self.stop.raise();
        self.thread.join().unwrap();
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
}

#[test]
fn a_silent_rest_server_stands_in_nobody_s_way() {
    // It takes connections and never answers.
    let (_silent, rest) = listener();
    let (feed, address) = listener();
    let requests = [INSTRUMENTS, TIERS, TIERS, TIERS, TIERS];
    let control = Control::start(&address, &rest, &requests, Taped::new(1, None));
    std::thread::sleep(Duration::from_millis(200));
    let wished = Instant::now();
    control.wish();
    feed.set_nonblocking(true).unwrap();
    while feed.accept().is_err() {
        assert!(wished.elapsed() < SOON, "the wish waits for all of REST");
        std::thread::sleep(Duration::from_millis(5));
    }
    let said = control.hears("rest bybit");
    assert!(said.trim_end().ends_with("trying again in 10s"), "{said}");
    control.end();
}

/// Answers every request by its path until nobody asks any more.
fn serve(listener: TcpListener, answer: fn(&str) -> &'static str) -> Receiver<String> {
    let (tell, told) = unbounded();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            let request = String::from_utf8_lossy(&request);
            let path = request.split(' ').nth(1).unwrap_or_default().to_string();
            let body = answer(&path);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            if tell.send(path).is_err() {
                return;
            }
        }
    });
    told
}

fn answer(path: &str) -> &'static str {
    if path.contains("risk-limit") {
        return r#"{"retCode":10006,"retMsg":"Too many visits","result":{}}"#;
    }
    if path.contains("cursor=p2") {
        return r#"{"retCode":0,"result":{"list":[
            {"symbol":"SOLUSDT","status":"Trading","priceScale":"3","fundingInterval":480,
             "leverageFilter":{"maxLeverage":"50.00"},"priceFilter":{"tickSize":"0.010"},
             "lotSizeFilter":{"qtyStep":"0.1"}}],"nextPageCursor":""},"time":1790000000000}"#;
    }
    r#"{"retCode":0,"result":{"list":[
        {"symbol":"BTCUSDT","status":"Trading","priceScale":"2"},
        {"symbol":"ETHUSDT","status":"Trading","priceScale":"2","fundingInterval":480,
         "leverageFilter":{"maxLeverage":"100.00"},"priceFilter":{"tickSize":"0.01"},
         "lotSizeFilter":{"qtyStep":"0.01"}}],"nextPageCursor":"p2"},"time":1790000000000}"#
}

#[test]
fn pages_are_followed_and_a_bad_row_costs_itself_only() {
    let (server, rest) = listener();
    let asked = serve(server, answer);
    // A tape whose ring has no room for an answer.
    let (to_tape, _from) = byte_channel(64);
    let taped = Taped::new(1, Some(to_tape));
    let mut control = Control::start("127.0.0.1:1", &rest, &[INSTRUMENTS, TIERS], taped);
    control.hears("the tape ends here");
    assert!(control.hole.is_up());
    control.hears("1 row(s) do not fit");
    let said = control.hears("Too many visits");
    assert!(
        said.contains("retCode 10006") && said.trim_end().ends_with("10s"),
        "{said}"
    );
    let mut terms = Vec::new();
    let until = Instant::now() + SOON;
    while terms.len() < 2 && Instant::now() < until {
        match control.events.pop() {
            Some(event) => terms.push((event.symbol.0, event.body())),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    let symbols: Vec<u16> = terms.iter().map(|(symbol, _)| *symbol).collect();
    assert_eq!(symbols, [1, 2]);
    assert!(
        terms
            .iter()
            .all(|(_, body)| matches!(body, Body::Instrument(_)))
    );
    // Everything once: what was answered is not asked again, what failed only later.
    std::thread::sleep(Duration::from_millis(300));
    let asked: Vec<String> = asked.try_iter().collect();
    let page = format!("{INSTRUMENTS}&cursor=p2");
    assert_eq!(asked.len(), 3, "{asked:?}");
    for path in [INSTRUMENTS, TIERS, page.as_str()] {
        assert!(asked.iter().any(|a| a == path), "{path}");
    }
    control.end();
}

// ---- feed ----

struct Peer {
    thread: JoinHandle<()>,
    stop: Arc<Flag>,
    tally: Arc<Tally<{ count::ALL }>>,
    wishes: Receiver<Wish>,
    events: Consumer<Event>,
    socket: TcpStream,
    // Without it the feed would be without control.
    handed: Sender<Handed>,
}

fn connection(wish: &Wish) -> bool {
    matches!(
        wish,
        Wish::Connection {
            feed: 0,
            leg: 0,
            ..
        }
    )
}

/// A feed whose connection, with `early` read behind the handshake, ends in `socket`.
fn feed(script: Script, early: Vec<u8>) -> Peer {
    let (server, address) = listener();
    let client = TcpStream::connect(address).unwrap();
    client.set_nonblocking(true).unwrap();
    let (socket, _) = server.accept().unwrap();
    let (stop, tally) = (Arc::new(Flag::default()), Arc::new(Tally::default()));
    let (wish, wishes) = bounded(64);
    let (handed, to_take) = bounded(8);
    let (to_shard, events) = channel::<Event>(1 << 10);
    let feed = Feed {
        number: 0,
        urls: ["ws://peer".to_string(), "ws://peer".to_string()],
        lane: Lane::new(VenueId::BYBIT, &["BTC".into()], 0).unwrap(),
        events: to_shard,
        taped: Taped::new(0, None),
        sightings: None,
        script,
        handed: to_take,
        wishes: wish,
        clock: WallClock,
        idle: Strategy::Yield,
        tally: Arc::clone(&tally),
        stop: Arc::clone(&stop),
    };
    let thread = std::thread::spawn(move || feed.run());
    let first = wishes.recv_timeout(SOON).unwrap();
    assert!(connection(&first));
    let ready = Ready {
        leg: 0,
        stream: Socket::Plain(client),
        early,
    };
    handed.send(Handed::Ready(ready)).unwrap();
    Peer {
        thread,
        stop,
        tally,
        wishes,
        events,
        socket,
        handed,
    }
}

impl Peer {
    fn end(self) {
        self.stop.raise();
        self.thread.join().unwrap();
    }

    /// The next text the feed sent.
    fn hears(&mut self, within: Duration) -> String {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut head = [0; 6];
        self.socket.read_exact(&mut head).unwrap();
        let mut text = vec![0; usize::from(head[1] & 0x7f)];
        self.socket.read_exact(&mut text).unwrap();
        for (n, byte) in text.iter_mut().enumerate() {
            *byte ^= head[2 + n % 4];
        }
        String::from_utf8(text).unwrap()
    }
}

/// A text of less than 64 KiB as a server frames it.
fn framed(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(short) if short < 126 => frame.push(short),
        _ => {
            frame.push(126);
            frame.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    frame
}

fn wait(what: &str, mut ready: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !ready() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_came_with_the_handshake_is_read_at_once() {
    let trade = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000000,"data":[{"T":1790000000000,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"60000.10","L":"PlusTick","i":"a9188a0a-82bc-50de-be60-03eedbe3cdd7","BT":false}]}"#;
    let mut peer = feed(Script::default(), framed(trade));
    let mut seen = false;
    wait("the trade of the handshake", || {
        while let Some(event) = peer.events.pop() {
            seen |= matches!(event.body(), Body::Trade(_));
        }
        seen
    });
    peer.end();
}

#[test]
fn connections_are_made_anew_when_a_contract_is_renamed() {
    let new = Script {
        subscribe: vec!["new".to_owned()],
        ..Script::default()
    };
    let script = Script {
        subscribe: vec!["old".to_owned()],
        later: vec![(WallClock.now().plus(Nanos::millis(300)), new)],
        ..Script::default()
    };
    let mut peer = feed(script, Vec::new());
    assert_eq!(peer.hears(SOON), "old");
    let down = peer.wishes.recv_timeout(SOON).unwrap();
    assert!(
        matches!(down, Wish::Down { reason, .. } if reason.contains("another name")),
        "{down:?}"
    );
    assert!(connection(&peer.wishes.recv_timeout(SOON).unwrap()));
    let (server, address) = listener();
    let client = TcpStream::connect(address).unwrap();
    client.set_nonblocking(true).unwrap();
    peer.socket = server.accept().unwrap().0;
    let ready = Ready {
        leg: 0,
        stream: Socket::Plain(client),
        early: Vec::new(),
    };
    peer.handed.send(Handed::Ready(ready)).unwrap();
    assert_eq!(peer.hears(SOON), "new");
    peer.end();
}

#[test]
fn a_silent_connection_is_given_up() {
    let script = Script {
        ping: "ping!".to_string(),
        ping_every: Nanos::millis(60),
        ..Script::default()
    };
    let mut peer = feed(script, Vec::new());
    assert_eq!(peer.hears(SOON), "ping!");
    let down = peer.wishes.recv_timeout(SOON).unwrap();
    assert!(matches!(down, Wish::Down { feed: 0, .. }), "{down:?}");
    let again = peer.wishes.recv_timeout(SOON).unwrap();
    assert!(connection(&again));
    assert_eq!(peer.tally.get(count::UP), 0);
    peer.end();
}

#[test]
fn pings_go_out_however_much_comes_in() {
    let script = Script {
        ping: "ping!".to_string(),
        ping_every: Nanos::millis(500),
        ..Script::default()
    };
    let mut peer = feed(script, Vec::new());
    let mut writer = peer.socket.try_clone().unwrap();
    let (done, stopped) = bounded::<()>(1);
    let flood = std::thread::spawn(move || {
        let frame = framed(r#"{"success":true,"op":"pong"}"#).repeat(64);
        while stopped.is_empty() && writer.write_all(&frame).is_ok() {}
    });
    for _ in 0..3 {
        assert_eq!(peer.hears(SOON), "ping!");
    }
    done.send(()).unwrap();
    flood.join().unwrap();
    assert_eq!(peer.tally.get(count::UP), 1);
    peer.end();
}

#[test]
fn a_refused_subscription_is_told_once_a_connection() {
    let mut peer = feed(Script::default(), Vec::new());
    let refused = r#"{"success":false,"ret_msg":"error:handler not found","op":"subscribe"}"#;
    let two = framed(refused).repeat(2);
    peer.socket.write_all(&two).unwrap();
    match peer.wishes.recv_timeout(SOON).unwrap() {
        Wish::Refused { feed, said } => {
            assert_eq!((feed, said.text()), (0, "error:handler not found"));
        }
        other => panic!("{other:?}"),
    }
    wait("both are counted", || peer.tally.get(count::REFUSED) == 2);
    peer.socket.write_all(&two).unwrap();
    wait("all are counted", || peer.tally.get(count::REFUSED) == 4);
    std::thread::sleep(Duration::from_millis(50));
    assert!(peer.wishes.is_empty(), "told twice");
    peer.end();
}

#[test]
fn a_book_that_does_not_come_is_asked_for_again() {
    let script = Script {
        subscribe: vec!["subscribe".to_string()],
        resync: vec![vec!["again".to_string()]],
        ..Script::default()
    };
    let mut peer = feed(script, Vec::new());
    assert_eq!(peer.hears(SOON), "subscribe");
    let began = Instant::now();
    assert_eq!(peer.hears(Duration::from_secs(14)), "again");
    assert!(began.elapsed() > Duration::from_secs(9), "not a flood");
    let image = r#"{"topic":"orderbook.200.BTCUSDT","type":"snapshot","ts":1790000000000,"data":{"s":"BTCUSDT","b":[["60000.00","1.5"]],"a":[["60000.10","2"]],"u":7,"seq":9},"cts":1790000000000}"#;
    peer.socket.write_all(&framed(image)).unwrap();
    let after = Some(Duration::from_secs(12));
    peer.socket.set_read_timeout(after).unwrap();
    assert!(
        peer.socket.read(&mut [0; 6]).is_err(),
        "asked for a book that is there"
    );
    peer.end();
}

// ---- run ----

fn plan(name: &str) -> (Plan, PathBuf) {
    let name = format!("network-{name}-{}", std::process::id());
    let tape = std::env::temp_dir().join(format!("{name}.tape"));
    let mut plan = Plan::default();
    plan.engine.symbols = vec!["BTC".to_string()];
    plan.engine.page = std::env::temp_dir().join(format!("{name}.page"));
    plan.engine.tape = Some(tape.clone());
    for feed in &mut plan.feeds {
        feed.url = "ws://127.0.0.1:1/".to_string();
        feed.rest = String::new();
    }
    (plan, tape)
}

fn start(plan: &Plan) -> Result<run::Live, RunError> {
    let shard = Shard::new(&run::setup(plan).unwrap()).unwrap();
    run::start(
        plan,
        shard,
        WallClock,
        1,
        Log::new(Level::Debug, Form::Text),
    )
}

#[test]
fn a_start_that_fails_leaves_nothing_behind() {
    let (mut plan, tape) = plan("fails");
    let mut strange = plan.feeds[0].clone();
    strange.venue = VenueId(250);
    plan.feeds.push(strange);
    let fault = start(&plan).unwrap_err();
    assert!(matches!(fault, RunError::Venue(_)), "{fault}");
    assert!(!tape.exists() && !plan.engine.page.exists());
    // And the same name is free for the next one.
    plan.feeds.pop();
    let live = start(&plan).unwrap();
    assert_eq!(live.tape_failed(), None);
    assert_eq!(live.stop().unwrap().tape_whole, Some(true));
    std::fs::remove_file(&tape).unwrap();
}

#[test]
fn a_tape_that_is_there_stays_and_is_named() {
    let (mut plan, tape) = plan("there");
    plan.engine.tape_required = true;
    std::fs::write(&tape, "a recording").unwrap();
    let fault = start(&plan).unwrap_err().to_string();
    assert!(
        fault.contains("choose another name or move it") && fault.contains("network-there"),
        "{fault}"
    );
    assert_eq!(std::fs::read(&tape).unwrap(), b"a recording");
    std::fs::remove_file(&tape).unwrap();
}

// ---- two legs ----

/// A feed with the wishes it makes; sockets are handed over by leg.
struct Legs {
    thread: JoinHandle<()>,
    stop: Arc<Flag>,
    tally: Arc<Tally<{ count::ALL }>>,
    wishes: Receiver<Wish>,
    handed: Sender<Handed>,
    events: Consumer<Event>,
}

impl Legs {
    fn start(script: Script) -> Self {
        Self::of(VenueId::BYBIT, script)
    }

    fn of(venue: VenueId, script: Script) -> Self {
        let (stop, tally) = (Arc::new(Flag::default()), Arc::new(Tally::default()));
        let (wish, wishes) = bounded(64);
        let (handed, to_take) = bounded(8);
        let (to_shard, events) = channel::<Event>(1 << 10);
        let feed = Feed {
            number: 0,
            urls: ["ws://a".to_string(), "ws://b".to_string()],
            lane: Lane::new(venue, &["BTC".into()], 0).unwrap(),
            events: to_shard,
            taped: Taped::new(0, None),
            sightings: None,
            script,
            handed: to_take,
            wishes: wish,
            clock: WallClock,
            idle: Strategy::Park,
            tally: Arc::clone(&tally),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::spawn(move || feed.run());
        Self {
            thread,
            stop,
            tally,
            wishes,
            handed,
            events,
        }
    }

    /// Waits until a connection is wished for and makes it; the far end and the leg.
    fn connect(&self) -> (TcpStream, usize) {
        let until = Instant::now() + Duration::from_secs(20);
        let leg = loop {
            match self.wishes.recv_deadline(until).expect("no wish") {
                Wish::Connection { leg, .. } => break leg,
                _ => continue,
            }
        };
        let (server, address) = listener();
        let near = TcpStream::connect(address).unwrap();
        near.set_nonblocking(true).unwrap();
        let (far, _) = server.accept().unwrap();
        let ready = Ready {
            leg,
            stream: Socket::Plain(near),
            early: Vec::new(),
        };
        self.handed.send(Handed::Ready(ready)).unwrap();
        (far, leg)
    }

    /// Kinds of the events that have come.
    fn heard(&mut self) -> Vec<String> {
        let mut kinds = Vec::new();
        while let Some(event) = self.events.pop() {
            kinds.push(format!("{:?}", event.kind()));
        }
        kinds
    }

    fn end(self) {
        self.stop.raise();
        self.thread.join().unwrap();
    }
}

fn trade(id: u32) -> Vec<u8> {
    framed(&format!(
        r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1790000000101,"data":[{{"T":1790000000100,"s":"BTCUSDT","S":"Sell","v":"0.012","p":"80000.10","L":"MinusTick","i":"00000000-1111-5222-8333-{id:012}","BT":false,"RPI":false,"seq":900000001}}]}}"#
    ))
}

fn image(update: u64) -> Vec<u8> {
    framed(&format!(
        r#"{{"topic":"orderbook.200.BTCUSDT","type":"snapshot","ts":1790000000100,"data":{{"s":"BTCUSDT","b":[["80000.00","1"]],"a":[["80000.50","2"]],"u":{update},"seq":900}},"cts":1790000000098}}"#
    ))
}

#[test]
fn a_pair_wants_both_legs_and_takes_what_comes_first_once() {
    let mut feed = Legs::start(Script {
        pair: true,
        ..Script::default()
    });
    let (mut a, first) = feed.connect();
    let (mut b, second) = feed.connect();
    assert_eq!(first + second, 1, "one of each leg");
    wait("both are up", || feed.tally.get(count::LEGS) == 2);
    for id in 0..3 {
        a.write_all(&trade(id)).unwrap();
        b.write_all(&trade(id)).unwrap();
    }
    wait("six frames", || feed.tally.get(count::FRAMES) == 6);
    wait("three of them known", || {
        feed.tally.get(count::DUPLICATES) == 3
    });
    let kinds = feed.heard();
    assert_eq!(kinds, ["Connect", "Trade", "Trade", "Trade"]);
    // One leg goes: nothing is lost, and it is wished for again.
    drop(a);
    wait("one is left", || feed.tally.get(count::LEGS) == 1);
    b.write_all(&trade(3)).unwrap();
    let (_a, _) = feed.connect();
    wait("both are up again", || feed.tally.get(count::LEGS) == 2);
    assert_eq!(feed.heard(), ["Trade"]);
    feed.end();
}

#[test]
fn a_connection_is_replaced_before_its_lifetime_ends_and_nothing_is_lost() {
    let mut feed = Legs::start(Script {
        lifetime: Nanos::seconds(3),
        silence: vec![(isotherm::event::Stream::Book, Nanos::seconds(60))],
        ..Script::default()
    });
    let (mut old, leg) = feed.connect();
    old.write_all(&image(10)).unwrap();
    // The wish for the other leg comes while this one is still up.
    let (mut new, other) = feed.connect();
    assert_eq!(leg + other, 1);
    assert_eq!(
        feed.tally.get(count::LEGS) + feed.tally.get(count::SWITCHES),
        1
    );
    // Not before it is heard on what never rests does the old one go.
    std::thread::sleep(Duration::from_millis(300));
    old.write_all(&trade(1)).unwrap();
    new.write_all(&trade(1)).unwrap();
    assert_eq!(feed.tally.get(count::SWITCHES), 0);
    new.write_all(&image(10)).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while feed.tally.get(count::SWITCHES) == 0 {
        assert!(Instant::now() < until, "no switch");
        std::thread::sleep(Duration::from_millis(5));
    }
    new.write_all(&trade(2)).unwrap();
    wait("the trade behind the switch", || {
        feed.tally.get(count::FRAMES) >= 5
    });
    let kinds = feed.heard();
    assert_eq!(kinds.iter().filter(|kind| *kind == "Trade").count(), 2);
    assert!(
        !kinds
            .iter()
            .any(|kind| kind == "Gap" || kind == "Disconnect"),
        "{kinds:?}"
    );
    feed.end();
}

#[test]
fn a_connection_that_will_be_closed_is_replaced_before() {
    let feed = Legs::of(VenueId::OKX, Script::default());
    let (mut old, leg) = feed.connect();
    let notice = r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed.","connId":"a"}"#;
    old.write_all(&framed(notice)).unwrap();
    // The wish for the other leg comes while this one is still up.
    let (_new, other) = feed.connect();
    assert_eq!(leg + other, 1);
    wait("the switch", || feed.tally.get(count::SWITCHES) == 1);
    // The new one was told nothing, and stays.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(feed.tally.get(count::LEGS), 1);
    feed.end();
}

#[test]
fn what_an_earlier_connection_was_refused_is_not_mended_on_the_next() {
    let feed = Legs::start(Script {
        renew: vec![["book", "trades", "ticker", "prints"].map(|text| vec![text.to_string()])],
        ..Script::default()
    });
    let (mut old, _) = feed.connect();
    let refused = r#"{"success":false,"ret_msg":"error:handler not found","op":"subscribe"}"#;
    old.write_all(&framed(refused)).unwrap();
    wait("the refusal", || feed.tally.get(count::REFUSED) == 1);
    drop(old);
    let (mut new, _) = feed.connect();
    new.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(new.read(&mut [0; 6]).is_err(), "nothing was refused here");
    feed.end();
}
