//! Images and updates, joined.

use super::*;
use proptest::prelude::*;

const JOINED: [Row; 4] = [
    (Side::Buy, "80000", "1.5"),
    (Side::Buy, "79999", "1.25"),
    (Side::Sell, "80000.5", "0.3"),
    (Side::Sell, "80001", "4"),
];

#[test]
fn an_image_before_the_first_update_is_held_until_it_fits() {
    let mut three = three();
    let got = three.rest(REQUEST, IMAGE.as_bytes()).unwrap();
    assert_eq!((got.events.len(), got.resync), (0, None));
    assert!(three.fast.waits(SymbolId(0)));
    // U <= lastUpdateId <= u.
    let got = three.decode(DEPTH.as_bytes()).unwrap();
    assert_book(&got.events, &JOINED);
    assert!(got.events.iter().all(|event| event.bits & SNAPSHOT != 0));
    assert_eq!(got.events[0].bits, SNAPSHOT | FIRST | WHOLE);
    assert_eq!(got.events[3].bits, SNAPSHOT | LAST | WHOLE);
    assert!(got.events.iter().all(|event| match event.body() {
        Body::Level(level) => level.update == 105,
        _ => false,
    }));
    assert_eq!(got.events[0].exch, Nanos::millis(1_790_000_000_008));
    assert!(!three.fast.waits(SymbolId(0)));
    let got = three.decode(DEPTH_NEXT.as_bytes()).unwrap();
    let next = [
        (Side::Buy, "79999.5", "2.5"),
        (Side::Sell, "80000.5", "0.3"),
        (Side::Sell, "80001", "0"),
    ];
    assert_book(&got.events, &next);
    assert!(got.events.iter().all(|event| event.bits & SNAPSHOT == 0));
    // One that is too old for the first update is asked for again.
    let mut three = self::three();
    three
        .rest(REQUEST, image(99, r#"["79999.9","2.0"]"#, "").as_bytes())
        .unwrap();
    let got = three.decode(DEPTH.as_bytes()).unwrap();
    assert_eq!(
        (got.events.len(), got.resync, got.gap),
        (0, Some(SymbolId(0)), false)
    );
}

#[test]
fn an_image_behind_updates_is_joined_with_those_behind_it() {
    // Where the image stands among 100 -> 105 -> 110 -> 120, and whether it fits.
    for (id, fits) in [
        (99, false),
        (100, true),
        (102, true),
        (105, true),
        (107, true),
        (110, true),
        (120, true),
        (125, true),
    ] {
        let mut three = three();
        let last = update(110, 111, 120, r#"["79999.5","0"],["79998.0","7"]"#, "");
        for frame in [DEPTH, DEPTH_NEXT, &last] {
            assert_eq!(three.decode(frame.as_bytes()).unwrap().road, Road::Ignored);
        }
        let image = with(IMAGE, &[("103", &id.to_string())]);
        let got = three.rest(REQUEST, image.as_bytes()).unwrap();
        assert_eq!(got.resync.is_some(), !fits, "{id}");
        assert_eq!(got.events.is_empty(), !fits, "{id}");
        if !fits {
            continue;
        }
        let mut book = Plain::default();
        got.events.iter().for_each(|event| book.apply(event));
        // What an update behind the image has said is in it.
        let has =
            |side: Side, price: &str| book.sides[side as usize].get(&px(price).get()).copied();
        let behind = |at: u64, yes: Option<&str>, no: Option<&str>| {
            let want = if id < at { yes } else { no };
            want.map(|text| qty(text).get())
        };
        assert_eq!(has(Side::Buy, "80000"), behind(105, Some("1.5"), None));
        assert_eq!(has(Side::Buy, "79999.9"), behind(105, None, Some("2")));
        assert_eq!(has(Side::Sell, "80001"), behind(110, None, Some("4")));
        assert_eq!(has(Side::Buy, "79998"), behind(120, Some("7"), None));
        assert_eq!(has(Side::Buy, "79999.5"), None);
        let next = update(120, 130, 131, "", r#"["80000.5","9"]"#);
        let got = three.decode(next.as_bytes()).unwrap();
        assert_eq!(
            (got.road, got.events.len(), got.gap),
            (Road::Fast, 1, false)
        );
    }
}

#[test]
fn a_jump_in_the_chain_is_a_gap_until_an_image_fits() {
    let mut three = three();
    three.rest(REQUEST, IMAGE.as_bytes()).unwrap();
    three.decode(DEPTH.as_bytes()).unwrap();
    for old in [DEPTH, &update(90, 91, 99, "", "")] {
        assert_eq!(three.decode(old.as_bytes()).unwrap().road, Road::Ignored);
    }
    // One that begins before the last one ended says all that is new.
    let over = update(103, 104, 107, r#"["79999.0","3"]"#, "");
    assert_eq!(three.decode(over.as_bytes()).unwrap().events.len(), 1);
    let got = three
        .decode(update(108, 109, 112, "", r#"["80002.0","1"]"#).as_bytes())
        .unwrap();
    assert!(got.gap && got.resync == Some(SymbolId(0)));
    match got.bodies()[..] {
        [Body::Gap(g)] => assert_eq!((g.stream, g.expected, g.got), (Stream::Book, 108, 112)),
        ref other => panic!("{other:?}"),
    }
    // The next one is kept; an image from before it does not fit, one from behind does.
    let got = three
        .decode(update(112, 113, 115, r#"["79990.0","5"]"#, "").as_bytes())
        .unwrap();
    assert_eq!((got.road, got.resync), (Road::Ignored, None));
    let old = image(111, r#"["79999.0","3"]"#, r#"["80002.0","1"]"#);
    let got = three.rest(REQUEST, old.as_bytes()).unwrap();
    assert_eq!((got.events.len(), got.resync), (0, Some(SymbolId(0))));
    let new = image(112, r#"["79999.0","3"]"#, r#"["80002.0","1"]"#);
    let got = three.rest(REQUEST, new.as_bytes()).unwrap();
    let want = [
        (Side::Buy, "79999", "3"),
        (Side::Buy, "79990", "5"),
        (Side::Sell, "80002", "1"),
    ];
    assert_book(&got.events, &want);
    // One more that nobody asked for says nothing.
    let got = three.rest(REQUEST, new.as_bytes()).unwrap();
    assert_eq!((got.events.len(), got.resync), (0, None));
    // The stream's own depths and the other book are none of ours.
    for other in ["btcusdt@depth20@100ms", "btcusdt@rpiDepth@500ms"] {
        let part = with(DEPTH_NEXT, &[("btcusdt@depth@100ms", other)]);
        assert_eq!(three.decode(part.as_bytes()).unwrap().road, Road::Ignored);
    }
}

#[test]
fn an_image_without_levels_is_no_book_and_refusals_are_told() {
    let mut three = three();
    three.decode(DEPTH.as_bytes()).unwrap();
    let got = three.rest(REQUEST, image(110, "", "").as_bytes()).unwrap();
    assert_eq!((got.events.len(), got.gap), (0, false));
    assert!(three.fast.waits(SymbolId(0)));
    for (body, kind) in [
        (
            r#"{"code":-1121,"msg":"Invalid symbol."}"#,
            FaultKind::Refused,
        ),
        ("<html>", FaultKind::NotJson),
        (r#"{"lastUpdateId":1,"bids":[]}"#, FaultKind::MissingField),
        (
            r#"{"lastUpdateId":1,"bids":[["1","x"]],"asks":[]}"#,
            FaultKind::BadNumber,
        ),
        (
            r#"{"lastUpdateId":1,"bids":[["0","1"]],"asks":[]}"#,
            FaultKind::OutOfRange,
        ),
    ] {
        assert_eq!(three.rest(REQUEST, body.as_bytes()), Err(kind), "{body}");
    }
    assert_eq!(three.fast.refusal().text(), "Invalid symbol.");
    let other = REQUEST.replace("BTC", "OTHER");
    assert!(
        three
            .rest(&other, IMAGE.as_bytes())
            .unwrap()
            .events
            .is_empty()
    );
    let good = image(110, r#"["1.0","1"]"#, r#"["2.0","1"]"#);
    assert_eq!(
        three.rest(REQUEST, good.as_bytes()).unwrap().events.len(),
        2
    );
}

/// Levels of one side, `count` of them a unit apart.
fn side(count: i64, best: i64, step: i64) -> String {
    let all: Vec<_> = (0..count)
        .map(|i| format!("[\"{}.0\",\"1\"]", best + i * step))
        .collect();
    all.join(",")
}

fn touch(bid: &str, ask: &str) -> String {
    with(TOUCH, &[("\"80000.0\"", bid), ("\"80000.5\"", ask)])
}

#[test]
fn a_new_image_is_asked_for_before_the_price_leaves_the_last_one() {
    let mut three = three();
    let full = image(103, &side(1000, 80_000, -1), &side(1000, 80_001, 1));
    three.rest(REQUEST, full.as_bytes()).unwrap();
    let got = three.decode(update(100, 101, 105, "", "").as_bytes());
    assert_eq!(got.unwrap().events.len(), 2000);
    // 249 of 999 left below is near, 250 is not.
    for (bid, ask, near) in [
        ("\"80100.0\"", "\"80100.5\"", false),
        ("\"79251.0\"", "\"79252.0\"", false),
        ("\"79250.0\"", "\"79251.0\"", true),
        ("\"79250.0\"", "\"79251.0\"", false),
    ] {
        let got = three.decode(touch(bid, ask).as_bytes()).unwrap();
        assert_eq!(got.resync.is_some(), near, "{bid}");
        assert_eq!((got.events.len(), got.gap), (1, false));
    }
    // The book goes on meanwhile, and the new image is put in at its place.
    for (prev, last) in [(105, 110), (110, 120)] {
        let bids = format!("[\"79{last}.0\",\"2\"]");
        let got = three.decode(update(prev, last, last, &bids, "").as_bytes());
        assert_eq!(got.unwrap().events.len(), 1);
    }
    let fresh = image(112, &side(1000, 79_250, -1), &side(1000, 79_251, 1));
    let got = three.rest(REQUEST, fresh.as_bytes()).unwrap();
    assert_eq!((got.events.len(), got.gap, got.resync), (2000, false, None));
    let mut book = Plain::default();
    got.events.iter().for_each(|event| book.apply(event));
    let bid = |price: &str| book.sides[0][&px(price).get()];
    assert_eq!(
        (bid("79110"), bid("79120")),
        (qty("1").get(), qty("2").get())
    );
    assert!(got.events.iter().all(|event| match event.body() {
        Body::Level(level) => level.update == 120,
        _ => false,
    }));
    let got = three.decode(update(120, 121, 122, r#"["79000.0","3"]"#, "").as_bytes());
    assert_eq!(got.unwrap().events.len(), 1);
    // The price turns and nears the other end; lately asked, it waits.
    let up = touch("\"80005.0\"", "\"80006.0\"");
    assert_eq!(three.decode(up.as_bytes()).unwrap().resync, None);
    three.recv = RECV.plus(Nanos::seconds(11));
    assert!(three.decode(up.as_bytes()).unwrap().resync.is_some());
    // An answer that does not come is missed after a while.
    assert_eq!(three.decode(up.as_bytes()).unwrap().resync, None);
    three.recv = RECV.plus(Nanos::seconds(22));
    assert!(three.decode(up.as_bytes()).unwrap().resync.is_some());
}

#[test]
fn a_side_that_was_told_whole_has_no_end() {
    let mut three = three();
    let part = image(103, &side(999, 80_000, -1), &side(1000, 80_001, 1));
    three.rest(REQUEST, part.as_bytes()).unwrap();
    let got = three
        .decode(update(100, 101, 105, "", "").as_bytes())
        .unwrap();
    // The book hears the same of each side.
    for event in &got.events {
        let Body::Level(level) = event.body() else {
            panic!("{event:?}")
        };
        let is_whole = event.bits & WHOLE != 0;
        assert_eq!(is_whole, level.side == Side::Buy, "{level:?}");
    }
    for bid in ["\"79002.0\"", "\"70000.0\""] {
        let got = three.decode(touch(bid, "\"80100.0\"").as_bytes()).unwrap();
        assert_eq!(got.resync, None);
    }
}

#[test]
fn what_lies_behind_the_end_of_an_image_is_left_out() {
    let mut three = three();
    three
        .decode(update(100, 101, 105, r#"["70000.0","5"],["79500.0","6"]"#, "").as_bytes())
        .unwrap();
    let full = image(103, &side(1000, 80_000, -1), &side(1000, 80_001, 1));
    let got = three.rest(REQUEST, full.as_bytes()).unwrap();
    let prices: Vec<_> = got
        .bodies()
        .iter()
        .filter_map(|body| match body {
            Body::Level(level) if level.side == Side::Buy => Some(level.price),
            _ => None,
        })
        .collect();
    assert_eq!(
        (prices.len(), prices.iter().min()),
        (1000, Some(&px("79001")))
    );
    // The best comes first: whoever keeps a part keeps the best.
    assert_eq!(prices[0], px("80000"));
}

#[test]
fn a_full_buffer_lets_the_oldest_updates_go() {
    let mut three = three();
    for id in 101..=400u64 {
        let bids = format!("[\"{}.0\",\"1\"]", 70_000 + id);
        let got = three.decode(update(id - 1, id, id, &bids, "").as_bytes());
        assert_eq!(got.unwrap().road, Road::Ignored);
    }
    // 256 are kept: the first follows 144.
    let levels = (r#"["1.0","1"]"#, r#"["90000.0","1"]"#);
    let old = image(143, levels.0, levels.1);
    assert!(
        three
            .rest(REQUEST, old.as_bytes())
            .unwrap()
            .resync
            .is_some()
    );
    let new = image(144, levels.0, levels.1);
    assert_eq!(
        three.rest(REQUEST, new.as_bytes()).unwrap().events.len(),
        2 + 256
    );
    // Levels are bounded too: 20 updates of 1,000 do not fit.
    let mut three = self::three();
    for id in 101..=120u64 {
        let bids = side(1000, 70_000 - 1000 * (id as i64 - 100), -1);
        three
            .decode(update(id - 1, id, id, &bids, "").as_bytes())
            .unwrap();
    }
    let old = image(103, levels.0, levels.1);
    assert!(
        three
            .rest(REQUEST, old.as_bytes())
            .unwrap()
            .resync
            .is_some()
    );
    let new = image(104, levels.0, levels.1);
    assert_eq!(
        three.rest(REQUEST, new.as_bytes()).unwrap().events.len(),
        2 + 16_000
    );
}

#[test]
fn a_connection_that_is_down_forgets_its_book() {
    let mut three = three();
    three.rest(REQUEST, IMAGE.as_bytes()).unwrap();
    three.decode(DEPTH.as_bytes()).unwrap();
    for decoder in [&mut three.fast, &mut three.plain, &mut three.tolerant] {
        decoder.leg_down(0, |_| {});
    }
    // An answer that comes late says nothing of the next connection.
    let late = with(IMAGE, &[("103", "203")]);
    assert!(
        three
            .rest(REQUEST, late.as_bytes())
            .unwrap()
            .events
            .is_empty()
    );
    for decoder in [&mut three.fast, &mut three.plain, &mut three.tolerant] {
        decoder.leg_up(0, true);
    }
    let got = three.decode(update(202, 203, 204, r#"["1.0","1"]"#, "").as_bytes());
    assert_eq!(got.unwrap().events.len(), 0);
    let got = three.rest(REQUEST, late.as_bytes()).unwrap();
    assert_eq!(got.events.len(), 5);
}

#[test]
fn ids_that_begin_anew_are_believed() {
    let mut three = three();
    let level = r#"["80000.0","1"]"#;
    // While it waits: updates of high ids, then for long only low ones.
    three
        .decode(update(900, 901, 905, level, "").as_bytes())
        .unwrap();
    for id in 101..180 {
        three
            .decode(update(id - 1, id, id, level, "").as_bytes())
            .unwrap();
    }
    let low = image(170, level, "");
    assert_eq!(three.rest(REQUEST, low.as_bytes()).unwrap().events.len(), 1);
    // While it goes on, and a new image is wanted.
    let full = image(179, &side(1000, 80_000, -1), &side(1000, 80_001, 1));
    three.rest(REQUEST, full.as_bytes()).unwrap();
    three.recv = RECV.plus(Nanos::seconds(11));
    let near = touch("\"79100.0\"", "\"79101.0\"");
    assert!(three.decode(near.as_bytes()).unwrap().resync.is_some());
    three
        .decode(update(179, 180, 190, level, "").as_bytes())
        .unwrap();
    let gaps = (11..40)
        .filter(|id| {
            three
                .decode(update(id - 1, *id, *id, level, "").as_bytes())
                .unwrap()
                .gap
        })
        .count();
    assert_eq!(gaps, 1);
    let low = image(30, level, "");
    assert_eq!(three.rest(REQUEST, low.as_bytes()).unwrap().events.len(), 1);
    let got = three
        .decode(update(39, 40, 40, level, "").as_bytes())
        .unwrap();
    assert_eq!((got.road, got.gap), (Road::Fast, false));
}

/// A venue's book that changes by one level an id, and all its states.
struct Truth {
    states: Vec<(u64, Plain)>,
    changes: Vec<(u64, Side, i64, i64)>,
}

impl Truth {
    fn new(changes: &[(u8, bool, u8, u8)]) -> Self {
        let mut state = Plain::default();
        for at in 0..4 {
            state.sides[0].insert(px(&format!("{}", 100 - at)).get(), qty("1").get());
            state.sides[1].insert(px(&format!("{}", 101 + at)).get(), qty("1").get());
        }
        let mut id = 100;
        let mut truth = Self {
            states: vec![(id, state.clone())],
            changes: Vec::new(),
        };
        for (jump, buy, at, size) in changes {
            id += 1 + u64::from(*jump);
            let (side, price) = match buy {
                true => (Side::Buy, 100 - i64::from(*at)),
                false => (Side::Sell, 101 + i64::from(*at)),
            };
            let (price, size) = (price * 10_000_000_000, i64::from(*size) * 1_000_000);
            let levels = &mut state.sides[side as usize];
            if size == 0 {
                levels.remove(&price);
            } else {
                levels.insert(price, size);
            }
            truth.changes.push((id, side, price, size));
            truth.states.push((id, state.clone()));
        }
        truth
    }

    fn at(&self, id: u64) -> &Plain {
        let behind = self.states.partition_point(|(at, _)| *at <= id);
        &self.states[behind - 1].1
    }

    /// Levels as text.
    fn rows(levels: &BTreeMap<i64, i64>) -> String {
        let rows: Vec<_> = levels
            .iter()
            .map(|(p, q)| format!("[\"{}\",\"{}\"]", p / 10_000_000_000, q / 1_000_000))
            .collect();
        rows.join(",")
    }

    /// One leg's frames: the ids are cut where `cuts` says.
    fn frames(&self, cuts: &[u8]) -> Vec<(u64, String)> {
        let mut frames = Vec::new();
        let (mut from, mut prev) = (0, 100);
        let mut cuts = cuts.iter().cycle();
        while from < self.changes.len() {
            let count = 1 + usize::from(*cuts.next().unwrap_or(&0));
            let part = &self.changes[from..(from + count).min(self.changes.len())];
            let mut sides = [BTreeMap::new(), BTreeMap::new()];
            for (_, side, price, size) in part {
                sides[*side as usize].insert(*price, *size);
            }
            let (first, last) = (part[0].0, part[part.len() - 1].0);
            let [bids, asks] = sides.map(|side| Self::rows(&side));
            frames.push((last, update(prev, first, last, &bids, &asks)));
            prev = last;
            from += part.len();
        }
        frames
    }

    fn image(&self, id: u64) -> String {
        let state = self.at(id);
        image(
            id,
            &Self::rows(&state.sides[0]),
            &Self::rows(&state.sides[1]),
        )
    }
}

proptest! {
    /// One or two legs that lose frames and are cut differently, images of any age at any time:
    /// after every group that tells levels, and until a gap is told, the book is the venue's at the
    /// id the group names. When nothing is lost any more, the next image heals it.
    #[test]
    fn the_book_is_the_venue_s_or_says_that_it_is_not(
        changes in prop::collection::vec((0u8..4, any::<bool>(), 0u8..6, 0u8..4), 10..60),
        cuts in [prop::collection::vec(0u8..4, 1..8), prop::collection::vec(0u8..4, 1..8)],
        pair in any::<bool>(),
        lost in prop::collection::vec(0u8..10, 120),
        turns in prop::collection::vec(any::<u8>(), 120),
        ages in prop::collection::vec(-6i64..20, 120),
    ) {
        let truth = Truth::new(&changes);
        let mut legs = [truth.frames(&cuts[0]), truth.frames(&cuts[usize::from(pair)])];
        let mut lane = Lane::new(VenueId::BINANCE, &assets(&["BTC"]), 0).unwrap();
        let mut room = Vec::new();
        lane.connected_leg(0, RECV);
        if pair {
            lane.connected_leg(1, RECV);
        } else {
            legs[1].clear();
        }
        for leg in &mut legs {
            leg.reverse();
        }
        let mut book = None;
        let mut newest = 100u64;
        let mut spoke = false;
        let check = |book: &mut Option<Plain>, events: &[Event]| {
            for event in events {
                match event.body() {
                    Body::Gap(_) => *book = None,
                    Body::Level(level) => {
                        if event.bits & (SNAPSHOT | FIRST) == SNAPSHOT | FIRST {
                            *book = Some(Plain::default());
                        }
                        if let Some(book) = book {
                            book.apply(event);
                            if event.bits & LAST != 0 {
                                assert_eq!(&*book, truth.at(level.update), "{level:?}");
                            }
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
        };
        for ((lost, turn), age) in lost.iter().zip(&turns).zip(&ages) {
            let leg = usize::from(pair && turn % 2 == 1);
            if turn % 7 == 0 {
                let id = newest.saturating_add_signed(-age).max(100);
                let text = truth.image(id);
                check(&mut book, lane.rest(RECV, REQUEST, text.as_bytes()));
            }
            let Some((last, frame)) = legs[leg].pop() else { continue };
            newest = newest.max(last);
            if *lost > 0 {
                spoke |= leg == 0;
                check(&mut book, lane.text_leg(leg, RECV, frame.as_bytes(), &mut room));
            }
        }
        for (leg, frames) in legs.iter().enumerate() {
            for (_, frame) in frames.iter().rev() {
                spoke |= leg == 0;
                check(&mut book, lane.text_leg(leg, RECV, frame.as_bytes(), &mut room));
            }
        }
        let end = truth.states[truth.states.len() - 1].0;
        let text = truth.image(end);
        check(&mut book, lane.rest(RECV, REQUEST, text.as_bytes()));
        // A leg that never spoke could not stand in for the other.
        if pair && spoke {
            lane.disconnected_leg(1, RECV);
        }
        let next = update(end, end + 1, end + 2, r#"["50","3"]"#, "");
        lane.text_leg(0, RECV, next.as_bytes(), &mut room);
        prop_assert!(!lane.waits(0));
        prop_assert_eq!(lane.counts.faults, 0);
    }
}
