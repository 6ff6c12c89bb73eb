//! Pictures: sound PNG, the same bytes every time, and nothing drawn that is not known.
#![cfg(feature = "plot")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_arithmetic,
    reason = "a test stops where it fails"
)]

use bytemuck::Zeroable;
use isotherm::historian::LEVELS;
use isotherm::historian::column::Column;
use isotherm::historian::file::Archive;
use isotherm::historian::gather::Gather;
use isotherm::num::Px;
use isotherm::num::log::{bucket_low, bucket_of};
use isotherm::shm::record::{CELLS, MapRecord, MapView, Publish, Wide, ZoneRecord};
use isotherm::shm::writer::PageWriter;
use isotherm::time::Nanos;
use isotherm::viewer::plot::curve::{self, Curve};
use isotherm::viewer::plot::heat::{self, Heat};
use isotherm::viewer::plot::reliability::{self, Bin, Reliability};
use isotherm::viewer::plot::{PlotError, Size};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output};

const START: i64 = 1_767_225_600;
const MARK: i64 = 60_000;
/// Where the one heavy bucket of each half lies.
const AT: usize = 50;

fn show(out: &mut impl Publish, second: i64, venues: u32) {
    let mut halves = [Box::new([0i64; CELLS]), Box::new([0i64; CELLS])];
    for half in &mut halves {
        half[AT] = 5_000_000_000;
        half[AT + 80] = 40_000_000;
    }
    let mark = Px::whole(MARK);
    let bucket = bucket_of(mark);
    let view = MapView {
        input_seq: 1,
        recv_ns: (START + second) * 1_000_000_000,
        mark_e10: mark.get(),
        bucket,
        liquidated: [second * 100_000, 0],
        venues,
        flags: 0,
        halves: [&halves[0], &halves[1]],
    };
    let mut wide = Wide::zeroed();
    wide.map = MapRecord::ABSENT;
    wide.map.long_interval_usd = [3_000_000_000, 8_000_000_000];
    wide.hot_below[0] = ZoneRecord {
        low_e10: bucket_low(bucket - AT as i64).get(),
        high_e10: bucket_low(bucket - AT as i64 + 1).get(),
        usd: 5_000_000_000,
        id: 1,
        age_s: 100_000,
        place: 1,
        leverage: 25,
        ..ZoneRecord::zeroed()
    };
    out.wide(0, &wide);
    out.map(0, &view);
}

/// A map in the first and the last ten minutes of forty, none from twenty to thirty, nothing from ten to twenty.
fn columns() -> Vec<Column> {
    let mut gather = Gather::new(Archive::in_memory().unwrap(), vec!["BTC".into()]);
    for minute in (0..10).chain(20..40) {
        let venues = u32::from(!(20..30).contains(&minute));
        (0..3).for_each(|n| show(&mut gather, minute * 60 + n, venues));
    }
    gather.finish().unwrap();
    let history = gather.keep.history().unwrap();
    history
        .columns(0, 0, Nanos::ZERO, Nanos::new(i64::MAX))
        .unwrap()
}

fn heat_of(columns: &[Column], size: Size) -> Result<Vec<u8>, PlotError> {
    let from = Nanos::seconds(START);
    heat::draw(
        &Heat {
            symbol: "BTC",
            source: "test",
            level: &LEVELS[0],
            columns,
            from,
            to: from.plus(Nanos::new(40 * Nanos::MINUTE.get())),
            reach: Some(0.03),
        },
        size,
    )
}

const SIZE: Size = Size {
    width: 1_080,
    height: 1_720,
};

/// The pixels of a PNG: every chunk's checksum, and exactly as many rows as the head says.
fn pixels(png: &[u8]) -> (usize, Vec<[u8; 3]>) {
    let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let (mut at, mut packed, mut size, mut kinds) = (8, Vec::new(), (0, 0), Vec::new());
    while at < png.len() {
        let len = word(at);
        let (kind, body) = (&png[at + 4..at + 8], &png[at + 8..at + 8 + len]);
        let crc = crc32fast::hash(&png[at + 4..at + 8 + len]);
        assert_eq!(word(at + 8 + len) as u32, crc);
        match kind {
            b"IHDR" => {
                size = (word(at + 8), word(at + 12));
                assert_eq!(body[8..], [8, 2, 0, 0, 0]);
            }
            b"IDAT" => packed.extend_from_slice(body),
            _ => {}
        }
        kinds.push(kind.to_vec());
        at += 12 + len;
    }
    assert_eq!(kinds, [b"IHDR", b"IDAT", b"IEND"]);
    let mut rows = Vec::new();
    flate2::read::ZlibDecoder::new(&packed[..])
        .read_to_end(&mut rows)
        .unwrap();
    let width = size.0 * 3;
    assert_eq!(rows.len(), (width + 1) * size.1);
    let (mut above, mut all) = (vec![0u8; width], Vec::new());
    for row in rows.chunks_exact(width + 1) {
        assert_eq!(row[0], 2);
        for (above, step) in above.iter_mut().zip(&row[1..]) {
            *above = above.wrapping_add(*step);
        }
        all.extend(above.chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]));
    }
    (size.0, all)
}

/// Colours within a rectangle.
fn colours(png: &[u8], x: std::ops::Range<usize>, y: std::ops::Range<usize>) -> Vec<[u8; 3]> {
    let (width, all) = pixels(png);
    let mut found: Vec<[u8; 3]> = y
        .flat_map(|y| x.clone().map(move |x| (x, y)))
        .map(|(x, y)| all[y * width + x])
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn the_widest_headline_stays_in_the_picture() {
    let mut columns = columns();
    for column in &mut columns {
        column.head.intervals = [[12_345_678_900, 9_876_543_210_000]; 2];
    }
    let png = heat_of(&columns, SIZE).unwrap();
    let shades = |x| colours(&png, x, 150..200).len();
    assert!(
        shades(1_000..1_052) > 1,
        "the headline is as wide as there is room"
    );
    assert_eq!(
        shades(1_054..1_080),
        1,
        "and nothing of it is beyond the edge"
    );
}

#[test]
fn a_picture_is_the_same_every_time_and_at_every_size() {
    let columns = columns();
    let one = heat_of(&columns, SIZE).unwrap();
    assert_eq!(one, heat_of(&columns, SIZE).unwrap());
    assert_eq!(pixels(&one).1.len(), 1_080 * 1_720);
    for (width, height) in [(320, 520), (1_600, 900), (2_160, 3_440)] {
        let size = Size { width, height };
        let png = heat_of(&columns, size).unwrap();
        assert_eq!(pixels(&png).1.len(), (width * height) as usize);
    }
    for (width, height) in [(0, 0), (319, 600), (9_000, 600)] {
        let answer = heat_of(&columns, Size { width, height });
        assert!(matches!(answer, Err(PlotError::Size)));
    }
}

#[test]
fn what_is_not_known_is_hatched_and_what_is_empty_is_not() {
    let png = heat_of(&columns(), SIZE).unwrap();
    // The panel is 30 .. 780 across: 18.75 a minute. Just above its foot, where no bucket has anything.
    let y = 1_410..1_440;
    let within = |from: usize, to: usize| (30 + from * 75 / 4 + 4)..(30 + to * 75 / 4 - 4);
    let known = colours(&png, within(1, 9), y.clone());
    let unseen = colours(&png, within(11, 19), y.clone());
    let unmapped = colours(&png, within(21, 29), y.clone());
    assert!(
        unseen.len() >= 2 && unseen == unmapped,
        "{unseen:?} {unmapped:?}"
    );
    // But for the faint lines of the time axis, an empty map is one colour.
    let ground: Vec<_> = known
        .iter()
        .filter(|colour| unseen.contains(colour))
        .collect();
    assert!(ground.is_empty(), "{known:?} {unseen:?}");
}

#[test]
fn curves_and_bins_are_drawn_and_say_when_there_is_nothing() {
    let columns = columns();
    let size = Size {
        width: 1_080,
        height: 1_180,
    };
    let draw = |column: &Column| {
        let curve = Curve {
            symbol: "BTC",
            source: "test",
            column,
            merge: 1,
            reach: None,
        };
        curve::draw(&curve, size)
    };
    let known = draw(&columns[0]).unwrap();
    assert_eq!(known, draw(&columns[0]).unwrap());
    assert!(
        matches!(draw(&columns[10]), Err(PlotError::Nothing(_))),
        "a path without a map"
    );
    assert!(matches!(heat_of(&[], SIZE), Err(PlotError::Nothing(_))));
    let bin = |predicted_usd, realised_usd, n| Bin {
        predicted_usd,
        realised_usd,
        n,
    };
    let draw = |bins: &[Bin]| {
        let of = Reliability {
            symbol: "BTC",
            source: "test",
            outcome: Some("proven"),
            bins,
            is_nowcast: true,
        };
        reliability::draw(&of, size)
    };
    let bins = [
        bin(10.0, 12.0, 300.0),
        bin(100.0, 0.0, 30.0),
        bin(1e6, 2e6, 3.0),
    ];
    pixels(&draw(&bins).unwrap());
    // One bin, one amount: an axis all the same.
    pixels(&draw(&[bin(1_000.0, 1_000.0, 1.0)]).unwrap());
    for none in [
        vec![],
        vec![
            bin(f64::NAN, 1.0, 1.0),
            bin(0.0, 1.0, 1.0),
            bin(1.0, 1.0, 0.0),
        ],
    ] {
        assert!(matches!(draw(&none), Err(PlotError::Nothing(_))));
    }
}

fn isotherm(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isotherm"))
        .args(args)
        .output()
        .unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_commands_draw_histories_pages_and_proofs() {
    let shm = Path::new("/dev/shm");
    let dir = if shm.is_dir() {
        tempfile::tempdir_in(shm).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    };
    let at = |name: &str| dir.path().join(name);
    let (page, history, png) = (at("page"), at("btc.history"), at("map.png"));
    let mut writer = PageWriter::create(&page, &["BTC".into()], "test").unwrap();
    show(&mut writer, 0, 1);
    let plot = |source: &Path, more: &[&str]| {
        let _ = std::fs::remove_file(&png);
        let mut args = vec!["plot", text(source), "-o", text(&png)];
        args.extend_from_slice(more);
        let done = isotherm(&args);
        let picture = std::fs::read(&png).ok().map(|png| pixels(&png).0);
        (picture, String::from_utf8_lossy(&done.stderr).into_owned())
    };
    assert_eq!(plot(&page, &[]).0, Some(1_080));
    assert_eq!(
        plot(&page, &["--kind", "curve", "--width", "640"]).0,
        Some(640)
    );
    let followed = isotherm(&[
        "historian",
        text(&page),
        "-o",
        text(&history),
        "--seconds",
        "1",
    ]);
    assert!(followed.status.success(), "{followed:?}");
    drop(writer);
    assert_eq!(
        plot(&history, &["--hours", "3", "--range", "5"]).0,
        Some(1_080)
    );
    for (more, said) in [
        (&["--symbol", "DOGE"][..], "no map of DOGE; there is: BTC"),
        (&["--range", "0"], "--range takes"),
        (&["--width", "10"], "sides of 320"),
        (&["--kind", "reliability"], "prove --json"),
    ] {
        let (picture, error) = plot(&history, more);
        assert!(
            picture.is_none() && error.contains(said),
            "{more:?}: {error}"
        );
    }
    let proof = at("proof.json");
    let bins = r#"[{"predicted_usd": 10, "realised_usd": 9.5, "n": 4}, {"predicted_usd": 100, "realised_usd": 0, "n": 1}]"#;
    for json in [
        format!(r#"{{"symbols": {{"BTC": {{"reliability": {bins}, "outcome": "unproven"}}}}}}"#),
        format!(r#"{{"symbols": [{{"symbol": "BTC", "reliability": {bins}}}]}}"#),
        format!(r#"{{"reliability": {bins}}}"#),
    ] {
        std::fs::write(&proof, json).unwrap();
        assert_eq!(plot(&proof, &["--kind", "reliability"]).0, Some(1_080));
    }
    std::fs::write(
        &proof,
        r#"{"reliability": [{"predicted_usd": 10, "n": 4}]}"#,
    )
    .unwrap();
    let (picture, error) = plot(&proof, &["--kind", "reliability"]);
    assert!(
        picture.is_none() && error.contains("no number `realised_usd`"),
        "{error}"
    );
    let (picture, error) = plot(&at("nowhere"), &[]);
    assert!(picture.is_none() && error.contains("nowhere"), "{error}");
}
