//! Import: files of others, synthetic ones of every form and the collected histories, to the events on a tape.
//!
//! Collected files are never part of the repository. They are read from `ISOTHERM_SHARED` or `../shared`, and a test
//! that cannot find them says so loudly and passes.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it fails"
)]

use isotherm::event::{ALONE, Body, Event, FIRST, Kind, LAST, SNAPSHOT};
use isotherm::import::{self, Family, ImportError, Options, Summary, WINDOW};
use isotherm::market::{Holder, Side, SymbolId, VenueId};
use isotherm::num::{Px, Qty, Usd};
use isotherm::replay::{self, Speed};
use isotherm::shm::record::Nowhere;
use isotherm::tape::{self, Header, Record};
use isotherm::time::Nanos;
use isotherm::venue;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder of files to import.
struct Desk {
    folder: TempDir,
}

/// An import and what it left on its tape.
struct Got {
    path: PathBuf,
    summary: Summary,
    header: Header,
    events: Vec<Event>,
}

impl Got {
    fn bodies(&self) -> Vec<Body> {
        self.events.iter().map(Event::body).collect()
    }

    /// Receive stamp of each event in milliseconds since the first.
    fn late_ms(&self) -> Vec<i64> {
        let since = |event: &Event| event.recv.since(self.summary.first).get() / 1_000_000;
        self.events.iter().map(since).collect()
    }
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn try_run(&self, options: &Options) -> Result<Got, ImportError> {
        let count = std::fs::read_dir(self.folder.path()).unwrap().count();
        let path = self.path(&format!("{count}.tape"));
        match import::run(options, &path, &mut |_, _| {}) {
            Ok(summary) => Ok(read(path, summary)),
            Err(error) => {
                assert!(!path.exists(), "a failed import left a tape");
                Err(error)
            }
        }
    }

    fn run(&self, family: Family, files: &[PathBuf]) -> Got {
        self.try_run(&options(family, files)).unwrap()
    }

    fn fault(&self, family: Family, files: &[PathBuf]) -> String {
        let error = self.try_run(&options(family, files)).err();
        error.expect("it was imported").to_string()
    }
}

fn options(family: Family, files: &[PathBuf]) -> Options {
    Options {
        family,
        files: files.to_vec(),
        symbols: None,
        venue: None,
    }
}

fn read(path: PathBuf, summary: Summary) -> Got {
    let mut source = tape::open(&path).unwrap();
    let header = source.header().unwrap().clone();
    let (mut events, mut records): (Vec<Event>, Vec<_>) = (Vec::new(), Vec::new());
    while let Some(record) = source.next_record().unwrap() {
        match record {
            Record::Events { recv, bytes, .. } => {
                let group = bytes.as_chunks::<64>().0;
                events.extend(
                    group
                        .iter()
                        .map(|one| bytemuck::pod_read_unaligned::<Event>(one)),
                );
                records.push(recv);
            }
            Record::End(_) => {}
            other => panic!("{other:?} on an imported tape"),
        }
    }
    assert!(source.end().is_some(), "the tape has its end");
    assert_eq!(summary.groups, records.len() as u64);
    assert_eq!(summary.events.iter().sum::<u64>(), events.len() as u64);
    assert!(records.is_sorted());
    Got {
        path,
        summary,
        header,
        events,
    }
}

fn px(text: &str) -> Px {
    Px::parse(text).unwrap()
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

/// 2024-01-01 00:00:00 UTC.
const T: i64 = 1_704_067_200;

fn ms(after: i64) -> Nanos {
    Nanos::millis(T * 1_000 + after)
}

const TARDIS: &str = "exchange,symbol,timestamp,local_timestamp";

fn tardis_trades(exchange: &str, symbol: &str) -> String {
    format!(
        "{TARDIS},id,side,price,amount\n\
         {exchange},{symbol},1704067200000000,1704067200002000,81,buy,42000.5,0.25\n\
         {exchange},{symbol},1704067200010000,1704067200012000,a-1,sell,42000.4,1\n"
    )
}

#[test]
fn tardis_files_of_four_forms_become_one_tape_in_the_order_of_local_stamps() {
    let desk = Desk::new();
    let trades = desk.put(
        "bybit_trades_2024-01-01_BTCUSDT.csv",
        tardis_trades("bybit", "BTCUSDT"),
    );
    let liquidations = format!(
        "{TARDIS},id,side,price,amount\n\
         bybit,BTCUSDT,1704067200004000,1704067200005000,,buy,42010,0.5\n\
         bybit,BTCUSDT,1704067200020000,1704067200021000,,sell,41990,2\n"
    );
    let liquidations = desk.put("liquidations/BTCUSDT.csv", liquidations);
    let ticker = format!(
        "{TARDIS},funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price\n\
         bybit,BTCUSDT,1704067200001000,1704067200003000,1704096000000000,0.0001,,50000.5,42000,42001,42002\n\
         bybit,BTCUSDT,1704067200006000,1704067200007000,,,,50000.5,42000,,42003\n"
    );
    let ticker = desk.put("derivative_ticker.csv", ticker);
    let book = format!(
        "{TARDIS},is_snapshot,side,price,amount\n\
         bybit,BTCUSDT,1704067200000500,1704067200001000,false,bid,41999,9\n\
         bybit,BTCUSDT,1704067200000500,1704067200001500,true,bid,42000,3\n\
         bybit,BTCUSDT,1704067200000500,1704067200001500,true,ask,42001,4\n\
         bybit,BTCUSDT,1704067200008000,1704067200009000,false,bid,42000,0\n"
    );
    let book = desk.put("incremental_book_L2.csv", book);
    let got = desk.run(Family::Tardis, &[trades, liquidations, ticker, book]);

    assert_eq!(got.summary.symbols, ["BTC"]);
    assert_eq!(got.summary.venues, ["bybit"]);
    assert_eq!(
        (got.summary.rows, got.summary.early, got.summary.bad),
        (10, 1, 0)
    );
    assert_eq!(got.header.plan.symbols, ["BTC"]);
    assert_eq!(got.header.plan.rings[0].venue, "bybit");
    assert!(!got.header.journalled);
    let kinds: Vec<Kind> = got.events.iter().map(Event::kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::Level,
            Kind::Level,
            Kind::Trade,
            Kind::Mark,
            Kind::Index,
            Kind::Funding,
            Kind::Interest,
            Kind::Liquidation,
            Kind::Mark,
            Kind::Level,
            Kind::Trade,
            Kind::Liquidation
        ]
    );
    let bits: Vec<u8> = got.events.iter().take(7).map(|event| event.bits).collect();
    let (first, last) = (SNAPSHOT | FIRST, SNAPSHOT | LAST);
    assert_eq!(bits, [first, last, ALONE, FIRST, 0, 0, LAST]);
    let bodies = got.bodies();
    let Body::Trade(trade) = bodies[2] else {
        panic!("{:?}", bodies[2])
    };
    assert_eq!((trade.price, trade.qty), (px("42000.5"), qty("0.25")));
    assert_eq!((trade.side, trade.id), (Side::Buy, 81));
    // The second id is a text: a hash of it.
    assert!(
        matches!(bodies[10], Body::Trade(trade) if trade.id > 1 << 32 && trade.side == Side::Sell)
    );
    let Body::Funding(funding) = bodies[5] else {
        panic!("{:?}", bodies[5])
    };
    assert_eq!(
        (funding.rate_e12, funding.next),
        (100_000_000, Nanos::seconds(T + 28_800))
    );
    assert_eq!(bodies[6], Body::Interest(qty("50000.5")));
    // The side is the order's: who had to buy was short.
    assert!(matches!(bodies[7], Body::Liquidation(died) if died.holder == Holder::Short));
    assert!(matches!(bodies[11], Body::Liquidation(died) if died.holder == Holder::Long));
    assert!(
        matches!(bodies[9], Body::Level(level) if level.qty.is_zero() && level.side == Side::Buy)
    );
    let (event, trade) = (got.events[2], Nanos::new(T * 1_000_000_000));
    assert_eq!(
        (event.exch, event.recv),
        (trade, trade.plus(Nanos::millis(2)))
    );
    assert_eq!((event.venue, event.symbol), (VenueId::BYBIT, SymbolId(0)));
}

/// A zip of one deflated file, sizes and checksum behind it, as the dumps have them, and the mark of a directory.
fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, text) in members {
        out.extend(b"PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0");
        out.extend([0; 12]);
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0; 2]);
        out.extend(name.as_bytes());
        let mut packed =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        out.extend(&packed);
        out.extend(b"PK\x07\x08");
        out.extend(crc32fast::hash(text.as_bytes()).to_le_bytes());
        out.extend((packed.len() as u32).to_le_bytes());
        out.extend((text.len() as u32).to_le_bytes());
    }
    out.extend(b"PK\x01\x02 the directory");
    out
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

const AGG: &str = "7,42000.1,0.5,1,2,1704067200100,true\n8,42000.2,1.5,3,3,1704067200200,false\n";

#[test]
fn public_dumps_are_read_with_and_without_a_head_packed_or_not() {
    let desk = Desk::new();
    let head =
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n";
    let name = "BTCUSDT-aggTrades-2024-01-01";
    let whole = format!("\u{feff}{head}{AGG}").replace('\n', "\r\n");
    let forms = [
        (format!("{name}.csv"), AGG.as_bytes().to_vec()),
        (format!("a/{name}.csv"), whole.into_bytes()),
        (format!("{name}.zip"), zip(&[("x.csv", AGG)])),
        (format!("{name}.csv.gz"), gzip(AGG)),
        (
            format!("{name}.csv.zst"),
            zstd::encode_all(AGG.as_bytes(), 1).unwrap(),
        ),
    ];
    for (name, bytes) in forms {
        let got = desk.run(Family::Binance, &[desk.put(&name, bytes)]);
        let bodies = got.bodies();
        assert_eq!(bodies.len(), 2, "{name}");
        assert!(
            matches!(bodies[0], Body::Trade(trade) if trade.side == Side::Sell && trade.id == 7),
            "{name}"
        );
        assert!(
            matches!(bodies[1], Body::Trade(trade) if trade.side == Side::Buy && trade.qty == qty("1.5")),
            "{name}"
        );
        assert_eq!(got.events[0].recv, ms(100));
        assert_eq!(got.header.plan.rings[0].venue, "binance");
    }
}

#[test]
fn metrics_are_interest_mark_and_ratios_and_the_taker_ratio_comes_when_its_period_is_over() {
    let desk = Desk::new();
    let text = "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,\
                sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n\
                2024-01-01 00:00:00,BTCUSDT,80000.000,3360000000.00,1.5,3,1,0.25\n\
                2024-01-01 00:05:00,BTCUSDT,80001.5,,,\"\",0,\n";
    let got = desk.run(
        Family::Binance,
        &[desk.put("BTCUSDT-metrics-2024-01-01.csv", text)],
    );
    let mut bodies = got.bodies();
    assert_eq!(bodies.remove(0), Body::Mark(px("42000")));
    assert_eq!(bodies.remove(0), Body::Interest(qty("80000")));
    let told: Vec<(u16, i64, i64)> = bodies
        .iter()
        .filter_map(|body| match body {
            Body::Ratio(r) => Some((r.which, r.long_e6, r.short_e6)),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            (0, 500_000, 500_000),
            (1, 600_000, 400_000),
            (2, 750_000, 250_000),
            (3, 200_000, 800_000)
        ]
    );
    assert_eq!(got.late_ms(), [0, 0, 0, 0, 0, 300_000, 300_000]);
    assert_eq!(got.summary.events[Kind::Interest as usize], 2);
}

#[test]
fn bars_arrive_at_their_end_and_funding_when_it_is_settled() {
    let desk = Desk::new();
    let bars = "1704067200000,42000,42100,41900,42050,12.5,1704067499999,525000,10,6,252000,0\n\
                1704067500000,42050,42060,42040,42055,1,1704067799999,42055,1,1,42055,0\n";
    let bars = desk.put("BTCUSDT-5m-2024-01.csv", bars);
    let funding =
        "calc_time,funding_interval_hours,last_funding_rate\n1704067200003,8,-0.00012345\n";
    let funding = desk.put("BTCUSDT-fundingRate-2024-01.csv", funding);
    let got = desk.run(Family::Binance, &[bars, funding]);
    let bodies = got.bodies();
    let Body::Funding(funding) = bodies[0] else {
        panic!("{:?}", bodies[0])
    };
    assert_eq!(funding.rate_e12, -123_450_000);
    assert_eq!(funding.interval, Nanos::seconds(28_800));
    let Body::Bar(bar) = bodies[1] else {
        panic!("{:?}", bodies[1])
    };
    assert_eq!(
        (bar.high, bar.volume, bar.seconds),
        (px("42100"), qty("12.5"), 300)
    );
    let event = got.events[1];
    assert_eq!((event.exch, event.recv), (ms(0), ms(300_000)));
    assert_eq!(event.bits, ALONE);
}

#[test]
fn rows_that_a_liquidation_dump_has_twice_count_once() {
    let desk = Desk::new();
    let row = |after: i64, side: &str| {
        let time = T * 1_000 + after;
        format!("{time},{side},LIMIT,IOC,0.5,41000,41050.5,FILLED,0.1,0.4\n")
    };
    let (sell, buy) = (row(0, "SELL"), row(1_000, "BUY"));
    // Once beside each other, once as a whole: both have been seen.
    let text = format!("{sell}{sell}{buy}{sell}{buy}");
    let got = desk.run(
        Family::Binance,
        &[desk.put("ETHUSDT-liquidationSnapshot-2024-01-01.csv", text)],
    );
    assert_eq!((got.summary.rows, got.summary.duplicates), (5, 3));
    let Body::Liquidation(died) = got.bodies()[0] else {
        panic!("{:?}", got.bodies())
    };
    assert_eq!((died.price, died.qty), (px("41050.5"), qty("0.4")));
    assert_eq!(died.holder, Holder::Long);
    assert!(matches!(got.bodies()[1], Body::Liquidation(died) if died.holder == Holder::Short));
}

#[test]
fn histories_of_every_form_become_events_at_the_time_they_were_known() {
    let desk = Desk::new();
    let t = T * 1_000;
    let later = t + 300_000;
    let files = [
        (
            "ARBUSDT_oi_5m.csv",
            format!("t,oi,oi_usd\n{t},100.5,201.0\n"),
        ),
        ("ARB_funding.csv", format!("ts,rate\n{t},8.5e-06\n")),
        (
            "BTCUSDT_funding.csv",
            format!("t_ms,funding_rate\n{t},-0.0001\n"),
        ),
        (
            "BTCUSDT_5m_oi_kline.csv",
            format!(
                "t_ms,oi,oi_usd,mark_implied,open,high,low,close,volume\n\
                 {t},2,84000,42000.0,42000,42100,41900,42050,5\n{later},3,,,,,,,\n"
            ),
        ),
        (
            "ETHUSDT_5m.csv",
            format!("t_ms,open,high,low,close,volume\n{t},2200,2210,2190,2205,7\n"),
        ),
        (
            "ETHUSDT_mark_1h.csv",
            format!("t_ms,open,high,low,close\n{t},2200,2210,2190,2201.5\n"),
        ),
        (
            "BTC_liquidations_1h.csv",
            format!("t_ms,long_usd,short_usd,snapshot\n{t},1.005,2.015,2026-05-22\n"),
        ),
        (
            "SOL_liquidations_oi_4h.csv",
            format!(
                "t_ms,long_usd,short_usd,oi_binance_stable_coins_o,oi_binance_stable_coins_c\n{t},10,0,8,9\n"
            ),
        ),
    ];
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, text)| desk.put(name, text))
        .collect();
    let got = desk.run(Family::History, &paths);
    assert_eq!(got.summary.symbols, ["ARB", "BTC", "ETH", "SOL"]);
    assert_eq!(got.summary.venues, ["binance"]);
    let told: Vec<(u16, Kind, i64)> = got
        .events
        .iter()
        .zip(got.late_ms())
        .map(|(event, late)| (event.symbol.0, event.kind(), late / 1_000))
        .collect();
    assert_eq!(
        told,
        [
            (0, Kind::Mark, 0),
            (0, Kind::Interest, 0),
            (0, Kind::Funding, 0),
            (1, Kind::Funding, 0),
            (1, Kind::Mark, 0),
            (1, Kind::Interest, 0),
            (1, Kind::Bar, 300),
            // A bar is over before anything else of its end, whichever file it stands in.
            (2, Kind::Bar, 300),
            (1, Kind::Interest, 300),
            (2, Kind::Mark, 3_600),
            (1, Kind::Total, 3_600),
            (3, Kind::Total, 14_400),
            (3, Kind::Interest, 14_400),
        ]
    );
    let bodies = got.bodies();
    assert_eq!(bodies[0], Body::Mark(px("2")));
    assert!(
        matches!(bodies[2], Body::Funding(f) if f.rate_e12 == 8_500_000 && f.interval == Nanos::HOUR)
    );
    assert!(
        matches!(bodies[3], Body::Funding(f) if f.rate_e12 == -100_000_000 && f.interval == Nanos::ZERO)
    );
    assert_eq!(bodies[9], Body::Mark(px("2201.5")));
    let Body::Total(total) = bodies[10] else {
        panic!("{:?}", bodies[10])
    };
    // Half a cent goes to the even one.
    assert_eq!((total.long, total.short), (Usd::new(100), Usd::new(202)));
    assert_eq!((total.period, got.events[10].exch), (Nanos::HOUR, ms(0)));
    assert_eq!(bodies[12], Body::Interest(qty("9")));
}

#[test]
fn trades_and_context_of_hyperliquid_have_the_takers_side_and_an_hourly_rate() {
    let desk = Desk::new();
    let t = T * 1_000;
    let trades = format!("t_ms,px,sz,side\n{t},0.0123,7.0,A\n{t},0.0124,3,B\n");
    let trades = desk.put("kPEPE_trades.csv", trades);
    let context =
        format!("t_ms,oi,mark,oracle,funding\n{t},3496342.4400000023,0.0122,0.0121,-1.58696e-05\n");
    let context = desk.put("kPEPE_ctx.csv", context);
    let got = desk.run(Family::History, &[trades, context]);
    assert_eq!(
        (
            got.summary.symbols.as_slice(),
            got.summary.venues.as_slice()
        ),
        (&["PEPE".to_owned()][..], &["hyperliquid"][..])
    );
    let bodies = got.bodies();
    let ids: Vec<(Side, u64)> = bodies
        .iter()
        .filter_map(|body| match body {
            Body::Trade(trade) => Some((trade.side, trade.id)),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [(Side::Sell, 2), (Side::Buy, 3)]);
    assert_eq!(bodies[2], Body::Mark(px("0.0122")));
    assert!(
        matches!(bodies[4], Body::Funding(f) if f.rate_e12 == -15_869_600 && f.interval == Nanos::HOUR)
    );
    assert_eq!(bodies[5], Body::Interest(qty("3496342.44")));
}

#[test]
fn many_files_merge_by_stamp_and_the_same_files_give_the_same_bytes() {
    let desk = Desk::new();
    let mut files = Vec::new();
    // Interleaved: file f has the stamps f, f + 7, f + 14, …; two symbols share every stamp of file 0.
    for (file, symbol) in (0..8).map(|n| (n % 7, if n == 7 { "ETHUSDT" } else { "BTCUSDT" })) {
        let mut text = format!("{TARDIS},id,side,price,amount\n");
        for row in 0..500 {
            let at = (T * 1_000 + file + row * 7) * 1_000;
            text += &format!("bybit,{symbol},{at},{at},{row},buy,{},1\n", 100 + file);
        }
        files.push(desk.put(&format!("trades_{}_{symbol}.csv", files.len()), text));
    }
    let got = desk.run(Family::Tardis, &files);
    assert_eq!(got.summary.groups, 4_000);
    assert_eq!(got.summary.symbols, ["BTC", "ETH"]);
    // Of the same stamp, the file that was named first.
    assert_eq!(
        (got.events[0].symbol, got.events[1].symbol),
        (SymbolId(0), SymbolId(1))
    );
    let again = desk.run(Family::Tardis, &files);
    assert_eq!(
        std::fs::read(&got.path).unwrap(),
        std::fs::read(&again.path).unwrap()
    );

    let packed = desk.path("packed.tape.zst");
    let options = options(Family::Tardis, &files);
    import::run(&options, &packed, &mut |_, _| {}).unwrap();
    let unpacked = zstd::decode_all(std::fs::File::open(&packed).unwrap()).unwrap();
    assert_eq!(unpacked, std::fs::read(&got.path).unwrap());
    let there = import::run(&options, &packed, &mut |_, _| {})
        .unwrap_err()
        .to_string();
    assert!(there.contains("there already"), "{there}");
}

#[test]
fn rows_out_of_order_are_sorted_within_the_window_and_refused_beyond_it() {
    let desk = Desk::new();
    let head =
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n";
    let rows = |count: usize, late: usize| {
        let mut stamps: Vec<i64> = (0..count as i64).map(|n| T * 1_000 + n * 10).collect();
        // The first row comes `late` rows too late.
        stamps[..=late].rotate_left(1);
        let row = |stamp: &i64| format!("1,100,1,1,1,{stamp},true\n");
        head.to_owned() + &stamps.iter().map(row).collect::<String>()
    };
    let name = "BTCUSDT-aggTrades-2024-01-01.csv";
    let got = desk.run(
        Family::Binance,
        &[desk.put(name, rows(2 * WINDOW, WINDOW - 1))],
    );
    assert_eq!(got.summary.groups as usize, 2 * WINDOW);
    assert_eq!(got.events[0].recv, ms(0));
    let fault = desk.fault(Family::Binance, &[desk.put(name, rows(2 * WINDOW, WINDOW))]);
    let line = format!("{name}:{}:", WINDOW + 2);
    assert!(
        fault.contains(&line) && fault.contains("sort the file"),
        "{fault}"
    );
}

#[test]
fn a_bad_row_is_counted_and_named_and_more_than_one_in_a_hundred_is_an_error() {
    let desk = Desk::new();
    let rows = |bad: usize| {
        let mut text = tardis_trades("bybit", "BTCUSDT");
        for n in 0..98 {
            let at = 1_704_067_200_020_000i64 + n;
            text += &format!("bybit,BTCUSDT,{at},{at},{n},buy,42000,1\n");
        }
        let lines: Vec<&str> = text.lines().collect();
        let spoilt = lines.iter().enumerate().map(|(at, line)| {
            let is_bad = at > 0 && at <= bad;
            if is_bad {
                line.replace("4200", "4200x")
            } else {
                (*line).to_owned()
            }
        });
        spoilt.collect::<Vec<_>>().join("\n")
    };
    let got = desk.run(Family::Tardis, &[desk.put("trades.csv", rows(1))]);
    assert_eq!(
        (got.summary.rows, got.summary.bad, got.summary.groups),
        (100, 1, 99)
    );
    let named = &got.summary.bad_named[0];
    assert!(
        named.contains("trades.csv:2: price") && named.contains("4200x0.5"),
        "{named}"
    );
    let fault = desk.fault(Family::Tardis, &[desk.put("trades.csv", rows(2))]);
    assert!(
        fault.contains("2 of 100 rows") && fault.contains("trades.csv:2"),
        "{fault}"
    );
}

#[test]
fn what_is_not_asked_for_is_left_out_and_counted_by_name() {
    let desk = Desk::new();
    let mut text = tardis_trades("okex-swap", "BTC-USDT-SWAP");
    text += "okex-swap,PEPE-USDT-SWAP,1704067200030000,1704067200030000,1,buy,0.001,1\n";
    text += "okex-swap,BTC-USD-SWAP,1704067200030000,1704067200030000,1,buy,42000,1\n";
    let file = desk.put("okex-swap_trades.csv", text);
    let fault = desk.fault(Family::Tardis, std::slice::from_ref(&file));
    assert!(
        fault.contains(":4: okx counts PEPE-USDT-SWAP in contracts"),
        "{fault}"
    );
    let named = Options {
        symbols: Some(vec!["ETH".to_owned(), "BTC".to_owned()]),
        ..options(Family::Tardis, &[file])
    };
    let got = desk.try_run(&named).unwrap();
    assert_eq!(got.header.plan.symbols, ["ETH", "BTC"]);
    // A contract is a hundredth of a coin.
    assert!(matches!(got.bodies()[0], Body::Trade(trade) if trade.qty == qty("0.0025")));
    assert_eq!(got.events[0].symbol, SymbolId(1));
    let left: Vec<(String, u64)> = got.summary.left_out.into_iter().collect();
    assert_eq!(
        left,
        [
            ("okx BTC-USD-SWAP".to_owned(), 1),
            ("okx PEPE-USDT-SWAP".to_owned(), 1)
        ]
    );
}

#[test]
fn files_that_are_not_what_they_seem_are_refused_in_words() {
    let desk = Desk::new();
    let tardis = tardis_trades("bybit", "BTCUSDT");
    for (family, name, bytes, want) in [
        (
            Family::Tardis,
            "x.csv",
            tardis.clone().into_bytes(),
            "trades and liquidations have the same columns",
        ),
        (
            Family::Tardis,
            "trades.csv",
            tardis_trades("deribit", "BTC-PERPETUAL").into_bytes(),
            "\"deribit\" is not known",
        ),
        (
            Family::Tardis,
            "trades.csv",
            b"a,b,c\n".to_vec(),
            "of no form that is known",
        ),
        (Family::Tardis, "trades.csv", Vec::new(), "it is empty"),
        (
            Family::Tardis,
            "trades.csv",
            TARDIS.as_bytes().to_vec(),
            "of no form that is known",
        ),
        (
            Family::Binance,
            "trades.csv",
            AGG.as_bytes().to_vec(),
            "it has no head",
        ),
        (
            Family::History,
            "BTC_liquidations.csv",
            b"t_ms,long_usd,short_usd\n1,1,1\n".to_vec(),
            "how long a row's period",
        ),
        (
            Family::Binance,
            "BTCUSDT-aggTrades-1.zip",
            zip(&[("a", AGG), ("b", AGG)]),
            "more than one file",
        ),
        (
            Family::Binance,
            "BTCUSDT-aggTrades-1.csv",
            vec![b'1'; 70_000],
            "more than 64 KiB",
        ),
    ] {
        let fault = desk.fault(family, &[desk.put(name, bytes)]);
        assert!(fault.contains(want), "{fault}");
    }
    let mut spoilt = zip(&[("a", AGG)]);
    let at = spoilt
        .windows(4)
        .position(|four| four == b"PK\x07\x08")
        .unwrap();
    spoilt[at + 4] ^= 1;
    let fault = desk.fault(
        Family::Binance,
        &[desk.put("BTCUSDT-aggTrades-1.zip", spoilt)],
    );
    assert!(fault.contains("checksum"), "{fault}");
    let torn = gzip(AGG);
    let fault = desk.fault(
        Family::Binance,
        &[desk.put("BTCUSDT-aggTrades-1.gz", &torn[..torn.len() - 9])],
    );
    assert!(fault.contains("BTCUSDT-aggTrades-1.gz:"), "{fault}");
    let missing = desk.fault(Family::Binance, &[desk.path("none.csv")]);
    assert!(missing.contains("none.csv"), "{missing}");
    let none = Options {
        symbols: Some(vec!["ETH".to_owned()]),
        ..options(Family::Binance, &[desk.put("BTCUSDT-aggTrades-1.csv", AGG)])
    };
    let none = desk.try_run(&none).err().unwrap().to_string();
    assert!(
        none.contains("no event in 1 files of the symbols"),
        "{none}"
    );
}

#[test]
fn no_byte_of_any_form_makes_it_panic() {
    let desk = Desk::new();
    let t = T * 1_000;
    let forms = [
        (
            Family::Tardis,
            "trades.csv",
            tardis_trades("bybit", "BTCUSDT"),
        ),
        (
            Family::Tardis,
            "book.csv",
            format!(
                "{TARDIS},is_snapshot,side,price,amount\nbybit,BTCUSDT,{t}000,{t}000,true,bid,42000,3\n"
            ),
        ),
        (Family::Binance, "BTCUSDT-aggTrades-1.csv", AGG.to_owned()),
        (
            Family::Binance,
            "BTCUSDT-metrics-1.csv",
            "2024-01-01 00:00:00,BTCUSDT,80000.000,3360000000.00,1.5,3,1,0.25\n".to_owned(),
        ),
        (
            Family::History,
            "BTCUSDT_5m_oi_kline.csv",
            format!(
                "t_ms,oi,oi_usd,mark_implied,open,high,low,close,volume\n{t},2,84000,1,1,1,1,1,5e0\n"
            ),
        ),
    ];
    let out = desk.path("out.tape");
    for (family, name, text) in forms {
        let path = desk.path(name);
        let run = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            // Whatever it says, it says it; no number is beyond what a tape may hold.
            let _ = import::run(
                &options(family, std::slice::from_ref(&path)),
                &out,
                &mut |_, _| {},
            );
            let _ = std::fs::remove_file(&out);
        };
        let bytes = text.as_bytes();
        for at in 0..bytes.len() {
            run(&bytes[..at]);
            for with in [b'9', b'-', b',', b'e', 0xff] {
                let mut spoilt = bytes.to_vec();
                spoilt[at] = with;
                run(&spoilt);
            }
        }
    }
}

#[test]
fn an_imported_tape_replays_to_the_same_hash_every_time() {
    let desk = Desk::new();
    let mut ticker =
        format!("{TARDIS},funding_timestamp,funding_rate,open_interest,index_price,mark_price\n");
    let mut trades = format!("{TARDIS},id,side,price,amount\n");
    for n in 0..400i64 {
        let at = (T * 1_000 + n * 50) * 1_000;
        let (price, side) = (42_000 + n % 37, if n % 3 == 0 { "sell" } else { "buy" });
        for source in [
            "bybit,BTCUSDT",
            "binance-futures,BTCUSDT",
            "okex-swap,BTC-USDT-SWAP",
            "hyperliquid,BTC",
        ] {
            trades += &format!("{source},{at},{at},{n},{side},{price},0.5\n");
        }
        ticker += &format!(
            "bybit,BTCUSDT,{at},{at},,0.0001,{},{price},{price}\n",
            50_000 + n
        );
    }
    let files = [
        desk.put("trades.csv", trades),
        desk.put("derivative_ticker.csv", ticker),
    ];
    let got = desk.run(Family::Tardis, &files);
    let play = || replay::run(&got.path, None, Speed::Max, &mut Nowhere).unwrap();
    let (one, two) = (play(), play());
    assert_eq!(one.shard.state_hash(), two.shard.state_hash());
    assert_eq!(one.shard.count(Kind::Trade), 1_600);
    assert_eq!(one.venues.len(), 4);
    assert_eq!(one.shard.count(Kind::Interest), 400);
    assert_eq!(one.span, Nanos::millis(399 * 50));
    assert_eq!(one.symbols, ["BTC"]);
    assert_eq!((one.counts.frames, one.counts.faults), (0, 0));
    assert!(one.shard.wide(0).is_some());
}

#[test]
fn a_venue_followed_alone_is_as_if_no_other_had_been_recorded() {
    let desk = Desk::new();
    let rows = |sources: &[(&str, &str)]| {
        let mut trades = format!("{TARDIS},id,side,price,amount\n");
        let mut ticker = format!(
            "{TARDIS},funding_timestamp,funding_rate,open_interest,index_price,mark_price\n"
        );
        for n in 0..2_000i64 {
            let at = (T * 1_000 + n * 50) * 1_000;
            for (exchange, symbol) in sources {
                let price = 42_000 + n % 37 + 100 * i64::from(*exchange != "bybit");
                let side = if n % 3 == 0 { "sell" } else { "buy" };
                trades += &format!("{exchange},{symbol},{at},{at},{n},{side},{price},0.5\n");
                let interest = 50_000 + n % 91;
                ticker +=
                    &format!("{exchange},{symbol},{at},{at},,0.0001,{interest},{price},{price}\n");
            }
        }
        [trades, ticker]
    };
    let tape = |name: &str, sources: &[(&str, &str)]| {
        let [trades, ticker] = rows(sources);
        let files = [
            desk.put(&format!("{name}_trades.csv"), trades),
            desk.put(&format!("{name}_derivative_ticker.csv"), ticker),
        ];
        desk.run(Family::Tardis, &files).path
    };
    let bybit = ("bybit", "BTCUSDT");
    let alone = tape("alone", &[bybit]);
    let both = tape("both", &[("okex-swap", "BTC-USDT-SWAP"), bybit]);
    let id = |name: &str| venue::by_name(name).unwrap().id;
    let play = |path: &Path, only: Option<&[_]>| {
        replay::run_venues(path, None, only, Speed::Max, &mut Nowhere)
    };
    let want = play(&alone, None).unwrap();
    let got = play(&both, Some(&[id("bybit")])).unwrap();
    assert!(want.shard.wide(0).is_some_and(|wide| wide.mark_e10 > 0));
    assert_eq!(got.shard.state_hash(), want.shard.state_hash());
    assert!(
        got.shard.bytes() == want.shard.bytes(),
        "the hashes agree and the states do not"
    );
    assert_eq!(
        got.venues.iter().map(|seen| seen.name).collect::<Vec<_>>(),
        ["bybit"]
    );
    let whole = play(&both, None).unwrap();
    assert_ne!(whole.shard.state_hash(), want.shard.state_hash());
    let fault = play(&both, Some(&[id("binance")])).unwrap_err().to_string();
    assert!(
        fault.ends_with("nothing of binance is in it; it holds okx, bybit"),
        "{fault}"
    );
    let named = ["DOGE".to_owned()];
    let fault = replay::run(&both, Some(&named), Speed::Max, &mut Nowhere).unwrap_err();
    let want = "nothing of DOGE is in it; it holds BTC";
    assert!(fault.to_string().ends_with(want), "{fault}");
}

// ---- collected histories ----

/// A folder of collected files, if this machine has it.
fn captures(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ISOTHERM_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let path = root.join("captures/historical").join(part);
    if path.exists() {
        return Some(path);
    }
    // Written, not printed: the test harness must not swallow it.
    let line = format!("SKIPPED: no collected files at {}", path.display());
    let _ = Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
    None
}

/// The columns of a collected file, as text.
fn columns(path: &Path) -> Vec<Vec<String>> {
    let mut text = String::new();
    let mut file = std::fs::File::open(path).unwrap();
    if path.extension().is_some_and(|end| end == "zst") {
        zstd::Decoder::new(file)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
    } else {
        file.read_to_string(&mut text).unwrap();
    }
    let fields = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().skip(1).map(fields).collect()
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".csv"))
        .collect();
    files.sort();
    files
}

/// An exact decimal in 1e-12.
fn exact(text: &str) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<12}");
    whole.parse::<i128>().unwrap() * 1_000_000_000_000 + part[..12].parse::<i128>().unwrap()
}

#[test]
fn totals_of_liquidations_are_conserved() {
    let Some(folder) = captures("btc-2025-12") else {
        return;
    };
    let file = folder.join("BTC_liquidations_1h.csv.zst");
    let rows = columns(&file);
    let got = Desk::new().run(Family::History, &[file]);
    assert_eq!(got.events.len(), rows.len());
    let (mut long, mut short) = (0, 0);
    for body in got.bodies() {
        let Body::Total(total) = body else {
            panic!("{body:?}")
        };
        long += i128::from(total.long.get());
        short += i128::from(total.short.get());
    }
    for (sum, column) in [(long, 1), (short, 2)] {
        let want: i128 = rows.iter().map(|row| exact(&row[column])).sum();
        // A cent is 1e10 of them; each row was rounded by half a cent at most.
        let off = (sum * 10_000_000_000 - want).abs();
        assert!(
            off <= rows.len() as i128 * 5_000_000_000,
            "column {column}: off by {off}e-12"
        );
    }
}

#[test]
fn every_row_of_the_collected_histories_is_on_the_tape() {
    for (part, kinds) in [
        (
            "btc-2025-12",
            &[
                Kind::Interest,
                Kind::Bar,
                Kind::Mark,
                Kind::Funding,
                Kind::Total,
            ][..],
        ),
        (
            "binance-4h-2025",
            &[
                Kind::Interest,
                Kind::Bar,
                Kind::Mark,
                Kind::Funding,
                Kind::Total,
            ],
        ),
        (
            "binance-oi-5m",
            &[Kind::Interest, Kind::Mark, Kind::Funding],
        ),
        (
            "hyperliquid-2026-06",
            &[
                Kind::Interest,
                Kind::Trade,
                Kind::Mark,
                Kind::Index,
                Kind::Funding,
            ],
        ),
    ] {
        let Some(folder) = captures(part) else {
            return;
        };
        let files = files_of(&folder);
        let rows: u64 = files.iter().map(|file| columns(file).len() as u64).sum();
        let desk = Desk::new();
        let tape = desk.path("it.tape.zst");
        let options = options(Family::History, &files);
        let summary = import::run(&options, &tape, &mut |_, _| {}).unwrap();
        assert_eq!(summary.rows, rows, "{part}");
        assert_eq!(
            (summary.bad, summary.duplicates),
            (0, 0),
            "{part}: {:?}",
            summary.bad_named
        );
        assert!(summary.left_out.is_empty(), "{part}");
        for kind in Kind::ALL {
            let is_there = summary.events[kind as usize] > 0;
            assert_eq!(is_there, kinds.contains(&kind), "{part}: {kind:?}");
        }
    }
}
