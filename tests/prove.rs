//! The proof from files to a verdict: a made-up history, refusals, the ledger, and the real histories beside the
//! repository.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_arithmetic,
    reason = "a test that cannot make its history fails; histories are made in floats"
)]

use isotherm::import::{self, Family};
use isotherm::prove::judge::{Line, Scores};
use isotherm::prove::score::Figure;
use isotherm::prove::{self, Options, ProveError, Report, forecast, input, ledger, report};
use isotherm::time::Nanos;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A fixed generator of numbers in 0..1.
struct Draws(u64);

impl Draws {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }
}

const HOUR_MS: i64 = 3_600_000;
const START_MS: i64 = 1_764_547_200_000;

/// Files of a made-up history of hourly bars: a random walk, an interest, and totals that know nothing of either.
fn files(folder: &Path, days: i64, with_totals: bool) -> Vec<PathBuf> {
    let mut draws = Draws(5);
    let mut bars = "t_ms,oi,oi_usd,open,high,low,close,volume\n".to_owned();
    let mut totals = "t_ms,long_usd,short_usd\n".to_owned();
    let (mut price, mut oi) = (90_000.0, 80_000.0);
    for hour in 0..days * 24 {
        let t = START_MS + hour * HOUR_MS;
        let open: f64 = price;
        let close = open * ((draws.unit() - 0.5) * 0.01).exp();
        let high = open.max(close) * (1.0 + draws.unit() * 0.003);
        let low = open.min(close) * (1.0 - draws.unit() * 0.003);
        oi *= 1.0 + (draws.unit() - 0.5) * 0.01;
        let volume = 2_000.0 + 8_000.0 * draws.unit();
        let usd = oi * open;
        writeln!(
            bars,
            "{t},{oi:.3},{usd:.2},{open:.1},{high:.1},{low:.1},{close:.1},{volume:.3}"
        )
        .unwrap();
        let noise = |draws: &mut Draws| 1e4 * (4.0 * draws.unit()).exp();
        writeln!(
            totals,
            "{t},{:.2},{:.2}",
            noise(&mut draws),
            noise(&mut draws)
        )
        .unwrap();
        price = close;
    }
    let mut paths = vec![folder.join("BTCUSDT_1h_oi_kline.csv")];
    std::fs::write(&paths[0], bars).unwrap();
    if with_totals {
        paths.push(folder.join("BTC_liquidations_1h.csv"));
        std::fs::write(&paths[1], totals).unwrap();
    }
    paths
}

fn imported(files: Vec<PathBuf>, out: &Path) -> PathBuf {
    let options = import::Options {
        family: Family::History,
        files,
        symbols: None,
        venue: None,
    };
    import::run(&options, out, &mut |_, _| {}).unwrap();
    out.to_path_buf()
}

fn options(files: Vec<PathBuf>) -> Options {
    Options {
        files,
        symbols: None,
        reps: 200,
        quick: true,
        sensitivity: false,
    }
}

fn proved(files: Vec<PathBuf>) -> Result<Report, ProveError> {
    prove::run(&options(files), &mut |_| {})
}

#[test]
fn totals_that_know_nothing_prove_nothing_and_the_ledger_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let tape = imported(
        files(folder.path(), 30, true),
        &folder.path().join("btc.tape"),
    );
    let found = proved(vec![tape.clone()]).unwrap();
    let proof = &found.proofs[0];
    assert_eq!((proof.symbol.as_str(), proof.test), ("BTC", "totals"));
    assert_eq!(proof.venues, ["binance"]);
    assert!(
        proof.scores.rows > 400 && proof.scores.days >= 10,
        "{} {}",
        proof.scores.rows,
        proof.scores.days
    );
    assert_ne!(proof.verdict.word(), "proven", "{:?}", proof.evidence);
    // The same tape, the same report.
    let again = proved(vec![tape]).unwrap();
    assert_eq!(report::object(&found), report::object(&again));
    let page = report::html(&found);
    assert!(page.contains(proof.verdict.word()) && page.contains("<svg"));
    // The ledger grows, and its last line is what `run` reads.
    let path = folder.path().join("proof.jsonl");
    for time in [1, 2] {
        let lines = report::ledger_lines(&found, Nanos::seconds(time));
        ledger::append(&path, &lines).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    let verdicts = ledger::verdicts(&path, found.model).unwrap();
    assert_eq!(verdicts.get("BTC"), Some(&proof.verdict));
}

#[test]
fn what_cannot_be_proven_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let bare = imported(
        files(folder.path(), 12, false),
        &folder.path().join("bare.tape"),
    );
    let why = proved(vec![bare]).unwrap_err().to_string();
    assert!(
        why.contains("extremes of the price are no liquidations"),
        "{why}"
    );
    let short = imported(
        files(folder.path(), 12, true),
        &folder.path().join("short.tape"),
    );
    let why = proved(vec![short.clone()]).unwrap_err().to_string();
    assert!(
        why.starts_with("BTC: ") && why.contains("rows of a period and a side"),
        "{why}"
    );
    let mut other = options(vec![short]);
    other.symbols = Some(vec!["ETH".to_owned()]);
    let why = prove::run(&other, &mut |_| {}).unwrap_err().to_string();
    assert!(!why.is_empty());
    let why = proved(vec![folder.path().join("none.tape")])
        .unwrap_err()
        .to_string();
    assert!(why.contains("none.tape"), "{why}");
}

/// Interest is told every four hours, periods are of one: whoever changes the next sample changes no map that was
/// frozen before it.
#[test]
fn a_frozen_map_has_not_seen_the_next_interest() {
    use isotherm::num::{Px, Qty};
    use isotherm::prove::input::{Candle, Input, Period, Source};
    use isotherm::prove::walk::{Way, walk};
    let at = |minutes: i64| Nanos::new(START_MS * 1_000_000).plus(Nanos::seconds(60 * minutes));
    let frozen = |last: i64| {
        let mut draws = Draws(3);
        let mut mid = 6_500_000i64;
        let mut source = Source::default();
        for bar in 0..2 * 288 {
            let close = mid + (draws.unit() * 20_000.0) as i64 - 10_000;
            let px = |cents: i64| Px::new(cents * 100_000_000);
            let (low, high) = (mid.min(close) - 3_000, mid.max(close) + 3_000);
            source.bars.push(Candle {
                start: at(5 * bar),
                end: at(5 * bar + 5),
                open: px(mid),
                high: px(high),
                low: px(low),
                close: px(close),
                volume: Qty::whole(600),
            });
            mid = close;
        }
        for hour in (0..=44).step_by(4) {
            let lots = if hour == 44 { last } else { 50_000 + hour };
            source.interest.push((at(60 * hour), Qty::whole(lots)));
        }
        let period = |hour: i64| Period {
            start: at(60 * hour),
            end: at(60 * hour + 60),
            usd: [0.0; 2],
        };
        let periods: Vec<Period> = (0..48).map(period).collect();
        let input = Input {
            symbol: "BTC".to_owned(),
            sources: vec![source],
            periods: Vec::new(),
        };
        let pairs = walk(&input, &Way::default(), &periods);
        let frozen = |hour: usize| pairs[hour].each_ref().map(|met| met.frozen);
        (0..48).map(frozen).collect::<Vec<_>>()
    };
    let (one, other) = (frozen(50_000), frozen(60_000));
    assert_eq!(one[..44], other[..44]);
    assert_ne!(one[46..], other[46..]);
}

fn capture(path: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("ISOTHERM_SHARED").map_or("../shared".into(), PathBuf::from);
    let path = shared.join("captures/historical").join(path);
    if !path.exists() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no history at {}; set ISOTHERM_SHARED",
            path.display()
        );
        return None;
    }
    Some(path)
}

fn history(folder: &Path, name: &str) -> Option<PathBuf> {
    let from = capture(name)?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(from)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    Some(imported(files, &folder.join("history.tape")))
}

fn line<'a>(scores: &'a Scores, view: &str) -> &'a Line {
    let mut lines = scores.lines.iter();
    lines
        .find(|line| line.name == "isotherm" && line.view == view)
        .unwrap()
}

fn at_least(figure: Option<Figure>, least: f64, what: &str) {
    let figure = figure.unwrap();
    assert!(figure.value >= least, "{what}: {figure:?} below {least}");
    assert!(figure.low > 0.0, "{what}: {figure:?} may be nothing");
}

/// What a prototype measured on a history, and how far its weeks went apart.
fn reaches(scores: &Scores, frozen: f64, updated: f64) {
    let [before, now] = ["frozen", "updated"].map(|view| line(scores, view).figures);
    at_least(before.partial, frozen, "frozen over the path");
    at_least(now.partial, updated, "updated over the path");
    let (alone, path) = (now.r_squared.unwrap(), scores.path_r_squared.unwrap());
    let said = format!("the ladder alone {alone}, the path {path}");
    assert!(alone >= path - 0.02, "{said}");
    assert!(now.weekly.unwrap() <= 0.16, "weeks {:?}", now.weekly);
}

#[test]
fn bitcoin_by_the_hour() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tape) = history(folder.path(), "btc-2025-12") else {
        return;
    };
    let found = proved(vec![tape]).unwrap();
    reaches(&found.proofs[0].scores, 0.17, 0.26);
}

/// With `ISOTHERM_PROOF=full`: a minute and more.
#[test]
fn four_coins_by_four_hours() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::env::var("ISOTHERM_PROOF").is_ok_and(|v| v == "full");
    let Some(tape) = full
        .then(|| history(folder.path(), "binance-4h-2025"))
        .flatten()
    else {
        return;
    };
    let found = proved(vec![tape]).unwrap();
    reaches(&found.together.unwrap(), 0.18, 0.38);
}

/// What the map says of the next hour, and what it adds to a rival that knows liquidations, volatility and the clock.
#[test]
fn bitcoin_the_next_hour() {
    let folder = tempfile::tempdir().unwrap();
    let Some(tape) = history(folder.path(), "btc-2025-12") else {
        return;
    };
    let named = ["FOO".to_owned(), "BTC".to_owned()];
    let told = input::read(std::slice::from_ref(&tape), Some(&named));
    assert_eq!(
        told.unwrap_err().to_string(),
        "nothing of FOO is in the files; they hold BTC"
    );
    let inputs = input::read(&[tape], None).unwrap();
    let found = forecast::found(&inputs[0], 200, &mut |_| {}).unwrap();
    let hour = &found.horizons[0];
    assert_eq!(hour.length, Nanos::HOUR);
    assert!(
        hour.days >= 40 && hour.events >= 100,
        "{} {}",
        hour.days,
        hour.events
    );
    let mut pairs = hour.pairs.iter();
    let adds = pairs
        .find(|p| (p.name, p.than) == ("HAR and the map", "HAR"))
        .unwrap();
    assert!(
        adds.crps.unwrap().high < 0.0 && adds.brier.unwrap().high < 0.0,
        "{adds:?}"
    );
    let map = &hour.lines[0];
    assert!(
        map.auc.unwrap().low > 0.75 && map.skill.unwrap().low > 0.0,
        "{map:?}"
    );
}
