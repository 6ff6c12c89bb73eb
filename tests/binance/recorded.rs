//! What the venue really sent.

use super::*;

const RECORDED: [&str; 4] = ["SUSHI", "AKRO", "KEEP", "CTK"];
const SESSION: &str = "binance-usdm/cryptofeed-2021";

/// The bodies of the four images: request and answer.
fn recorded_images(path: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    RECORDED
        .iter()
        .map(|asset| {
            let name = format!("fapi_v1_depth_symbol={asset}USDT_limit=1000.json");
            let body = std::fs::read(path.join("rest").join(name)).unwrap();
            ((row().image.unwrap())(&format!("{asset}USDT")), body)
        })
        .collect()
}

/// Best bid and ask: price and quantity.
type Touch = [(i64, i64); 2];

/// What came of a session.
#[derive(Default)]
struct Played {
    books: Vec<Plain>,
    frames: usize,
    ignored: usize,
    tolerant: usize,
    trades: usize,
    images: usize,
    /// Symbol, update and touch after every change of a book.
    touches: Vec<(usize, u64, Option<Touch>)>,
}

impl Played {
    fn apply(&mut self, event: &Event) {
        let symbol = usize::from(event.symbol.0);
        let book = &mut self.books[symbol];
        book.apply(event);
        self.trades += usize::from(matches!(event.body(), Body::Trade(_)));
        self.images += usize::from(event.bits & (FIRST | SNAPSHOT) == FIRST | SNAPSHOT);
        if let Body::Level(level) = event.body()
            && event.bits & LAST != 0
        {
            self.touches.push((symbol, level.update, book.best()));
        }
    }
}

/// Plays the recorded session, the images before the frame with this number.
fn play(path: &std::path::Path, at: usize, decoder: &mut Decoder) -> Played {
    let mut room = FrameBuffer::with_capacity(1 << 16);
    let mut played = Played {
        books: vec![Plain::default(); RECORDED.len()],
        ..Played::default()
    };
    for line in session(path.join("session.recv.jsonl")) {
        let (Some(frame), "recv") = (line.frame, line.kind.as_str()) else {
            continue;
        };
        let recv = Nanos::new(line.recv_ns);
        if played.frames == at {
            for (request, body) in recorded_images(path) {
                let got = decoder.rest(recv, &request, &body).unwrap();
                assert!(!got.gap && got.resync.is_none());
                got.events.iter().for_each(|event| played.apply(event));
            }
        }
        played.frames += 1;
        let got = decoder
            .decode(recv, room.put(frame.as_bytes()))
            .unwrap_or_else(|fault| panic!("{fault:?}: {frame}"));
        assert!(!got.gap && got.resync.is_none(), "{frame}");
        played.ignored += usize::from(got.road == Road::Ignored);
        played.tolerant += usize::from(got.road == Road::Tolerant);
        assert!(got.events.iter().all(|event| event.recv == recv));
        got.events.iter().for_each(|event| played.apply(event));
    }
    played
}

/// The venue's own touches by symbol and update id.
fn recorded_touches(path: &std::path::Path) -> Vec<BTreeMap<u64, [(i64, i64); 2]>> {
    let mut touches = vec![BTreeMap::new(); RECORDED.len()];
    for line in session(path.join("session.recv.jsonl")) {
        let Some(frame) = line.frame else { continue };
        let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
        let row = &frame["data"];
        if row["e"] != "bookTicker" {
            continue;
        }
        let text = |name: &str| row[name].as_str().unwrap();
        let symbol = RECORDED
            .iter()
            .position(|a| text("s") == format!("{a}USDT"));
        let price = |name: &str| px(text(name)).get();
        let size = |name: &str| qty(text(name)).get();
        let touch = [(price("b"), size("B")), (price("a"), size("A"))];
        touches[symbol.unwrap()].insert(row["u"].as_u64().unwrap(), touch);
    }
    touches
}

#[test]
fn the_recorded_session_takes_the_fast_road_and_its_books_chain() {
    let Some(path) = captures(SESSION) else {
        return;
    };
    let mut decoder = decoder(&RECORDED);
    let played = play(&path, 0, &mut decoder);
    assert_eq!((played.frames, played.trades), (1_535, 91));
    assert_eq!((played.tolerant, played.images), (0, 4));
    // 67 bars, and the updates that end before the images, but for the first of each: it tells the
    // image.
    assert_eq!(played.ignored, 67 + 11);
    // After every update the touch kept here is the venue's own.
    let theirs = recorded_touches(&path);
    let mut compared = 0;
    for (symbol, update, ours) in &played.touches {
        if let Some((_, touch)) = theirs[*symbol].range(..=update).next_back() {
            assert_eq!(*ours, Some(*touch), "{symbol} {update}");
            compared += 1;
        }
    }
    assert!(compared > 600, "{compared}");
    assert_eq!(decoder.places(SymbolId(0)), (4, 0));
    assert_eq!(decoder.places(SymbolId(1)), (5, 0));
}

#[test]
fn wherever_the_images_come_the_books_are_the_same() {
    let Some(path) = captures(SESSION) else {
        return;
    };
    let want = play(&path, 0, &mut decoder(&RECORDED));
    for at in [1, 5, 20, 40, 100] {
        let got = play(&path, at, &mut decoder(&RECORDED));
        assert_eq!(got.images, 4, "{at}");
        for (symbol, (want, got)) in want.books.iter().zip(&got.books).enumerate() {
            assert_eq!(want.best(), got.best(), "{at}");
            // Of the first the image knew a part only.
            assert!(symbol == 0 || want == got, "{at} {symbol}");
        }
    }
}

#[test]
fn every_recorded_frame_means_the_same_on_both_roads() {
    let Some(path) = captures(SESSION) else {
        return;
    };
    let mut three = Three::new(&RECORDED);
    for (request, body) in recorded_images(&path) {
        three.rest(&request, &body).unwrap();
    }
    for line in session(path.join("session.recv.jsonl")) {
        if let (Some(frame), "recv") = (line.frame, line.kind.as_str()) {
            three.decode(frame.as_bytes()).unwrap();
        }
    }
}

#[test]
fn recorded_single_frames_are_read() {
    let Some(path) = captures("binance-usdm/live-2026-frames") else {
        return;
    };
    for (file, roads) in [
        ("bookTicker.jsonl", vec![Road::Fast]),
        (
            "btcusdt-2026-02-16.jsonl",
            // The `trade` frame is of a stream we do not ask for.
            vec![Road::Fast, Road::Tolerant, Road::Fast, Road::Fast],
        ),
        ("forceOrder.jsonl", vec![Road::Fast; 5]),
    ] {
        let mut three = Three::new(&["BTC", "XRP", "MANTA", "KAIA", "IOTX"]);
        let text = std::fs::read_to_string(path.join(file)).unwrap();
        let got: Vec<Road> = text
            .lines()
            .map(|line| three.decode(line.as_bytes()).unwrap().road)
            .collect();
        assert_eq!(got, roads, "{file}");
    }
}
