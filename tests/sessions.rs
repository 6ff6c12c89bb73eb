//! The recorded sessions through the whole engine: no fault, no gap, and the venue's own best prices at the end.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read its recording fails"
)]

use isotherm::book::Book;
use isotherm::num::Px;
use isotherm::replay::{self, Outcome, Speed};
use isotherm::shm::record::Nowhere;
use isotherm::venue;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

fn capture(path: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("ISOTHERM_SHARED").map_or("../shared".into(), PathBuf::from);
    let path = shared.join("captures").join(path);
    if !path.exists() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no recording at {}; set ISOTHERM_SHARED",
            path.display()
        );
        return None;
    }
    Some(path)
}

fn px(text: &str) -> Px {
    Px::new(isotherm::num::parse_decimal(text, Px::DECIMALS).unwrap())
}

/// Best prices of every symbol that has a book.
fn touches(outcome: &Outcome) -> BTreeMap<String, (Px, Px)> {
    let id = outcome.venues[0].id;
    let book = |at| outcome.shard.book_at(at, id).and_then(Book::bbo);
    let each = outcome.symbols.iter().enumerate();
    each.filter_map(|(at, symbol)| {
        let (bid, ask) = book(at)?;
        Some((symbol.clone(), (bid.price, ask.price)))
    })
    .collect()
}

fn run(path: &str) -> Option<Outcome> {
    let path = capture(path)?;
    Some(replay::run(&path, None, Speed::Max, &mut Nowhere).unwrap())
}

fn check(outcome: &Outcome, frames: u64, want: &[(&str, &str, &str)]) {
    let counts = &outcome.counts;
    assert_eq!((counts.frames, counts.faults, counts.gaps), (frames, 0, 0));
    let want: BTreeMap<String, (Px, Px)> = want
        .iter()
        .map(|(symbol, bid, ask)| ((*symbol).to_owned(), (px(bid), px(ask))))
        .collect();
    assert_eq!(touches(outcome), want);
}

#[test]
fn bybit_2026() {
    let Some(outcome) = run("bybit/cryptofeed-2026-linear/session.recv.jsonl") else {
        return;
    };
    let want = [
        ("BTC", "65114.20", "65114.30"),
        ("ETH", "1922.54", "1922.55"),
        ("SOL", "77.260", "77.270"),
        ("DOGE", "0.07055", "0.07056"),
    ];
    check(&outcome, 2_546, &want);
    assert_eq!(outcome.venues[0].channels[..2], [1_598, 102]);
}

/// Images by REST stand before the first frame and wait for the updates they belong to.
#[test]
fn binance_2021() {
    let Some(outcome) = run("binance-usdm/cryptofeed-2021/session.recv.jsonl") else {
        return;
    };
    let want = [
        ("SUSHI", "7.6120", "7.6160"),
        ("AKRO", "0.01734", "0.01735"),
        ("KEEP", "0.2463", "0.2467"),
        ("CTK", "1.01100", "1.01200"),
    ];
    check(&outcome, 1_535, &want);
}

/// It follows a dated contract and an inverse swap, none of the swaps the engine trades in: they are followed by their
/// own names. The third, spot, is not.
#[test]
fn okx_2022() {
    let Some(outcome) = run("okx/cryptofeed-2022/session.recv.jsonl") else {
        return;
    };
    let want = [
        ("BTC-USD-220527", "30229.4", "30238.8"),
        ("UNI-USD-SWAP", "5.137", "5.145"),
    ];
    check(&outcome, 410, &want);
    assert_eq!(outcome.venues[0].channels[0], 192);
}

#[test]
fn hyperliquid_frames_of_2026() {
    let row = venue::by_name("hyperliquid").unwrap();
    let folder = "hyperliquid/live-2026-frames";
    let symbols = ["BTC", "PEPE"].map(str::to_owned);
    let Some(path) = capture(&format!("{folder}/l2Book-trimmed-to-3-levels.jsonl")) else {
        return;
    };
    let outcome = replay::run_bare(&path, row, &symbols, &mut Nowhere).unwrap();
    let want = [
        ("BTC", "84143.0", "84144.0"),
        ("PEPE", "0.004411", "0.004413"),
    ];
    check(&outcome, 3, &want);
    let path = capture(&format!("{folder}/frames.jsonl")).unwrap();
    let outcome = replay::run_bare(&path, row, &symbols, &mut Nowhere).unwrap();
    assert_eq!((outcome.counts.frames, outcome.counts.faults), (9, 0));
}
