//! From the ledger to a reader of the page: at the start, when a verdict is appended, and when the ledger is damaged.

use isotherm::config::{Feed, Plan};
use isotherm::inventory::params::Choice;
use isotherm::log::{Form, Level, Log};
use isotherm::market::VenueId;
use isotherm::prove::gate::Verdict;
use isotherm::prove::{ledger, model_hash};
use isotherm::run;
use isotherm::shard::Shard;
use isotherm::shm::reader::PageReader;
use isotherm::sim::{Options, Params, Server, World};
use isotherm::time::{Nanos, ScaledClock};
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::{Duration, Instant};

const SPEED: u32 = 10;

fn line(symbol: &str, verdict: Verdict, model: u64) -> Value {
    json!({ "symbol": symbol, "verdict": verdict.word(), "model": ledger::model_text(model) })
}

/// Waits until the page carries these verdicts of BTC and ETH.
fn shown(page: &PageReader, want: [Verdict; 2]) {
    let begun = Instant::now();
    loop {
        let seen = [0, 1].map(|symbol| page.wide(symbol).map(|wide| wide.map_proof));
        if seen
            .iter()
            .zip(want)
            .all(|(seen, want)| seen.as_ref().is_ok_and(|seen| *seen == want as u8))
        {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{want:?} never came, the page says {seen:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_the_ledger_says_reaches_a_reader_while_the_engine_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proof.jsonl");
    let model = model_hash(&Choice::default());
    let (proven, disproven) = (Verdict::Proven, Verdict::Disproven);
    let first = [
        line("BTC", proven, model),
        line("ETH", disproven, model),
        // Of another model: nothing is known of ours.
        line("ETH", proven, model + 1),
    ];
    ledger::append(&path, &first).unwrap();

    let mut world = World::new(3, Params::only(&["BTCUSDT", "ETHUSDT"])).unwrap();
    let open = world.now().plus(Nanos::MINUTE);
    world.advance(open, &mut |_| {});
    let clock = ScaledClock::start(world.now(), SPEED);
    let options = Options {
        speed: SPEED,
        ..Options::default()
    };
    let server = Server::start(world, options).unwrap();
    let mut plan = Plan::default();
    plan.engine.symbols = vec!["BTC".to_owned(), "ETH".to_owned()];
    plan.engine.page = folder.path().join("page");
    plan.engine.proof = Some(path.clone());
    plan.feeds = vec![Feed {
        venue: VenueId::BYBIT,
        url: server.ws_url(),
        rest: server.rest_url(),
        ..Feed::default()
    }];
    let shard = Shard::new(&run::setup(&plan).unwrap()).unwrap();
    let log = Log::new(Level::Error, Form::Text);
    let live = run::start(&plan, shard, clock, SPEED, log).unwrap();
    let page = PageReader::open(&live.page).unwrap();
    shown(&page, [proven, disproven]);
    ledger::append(&path, &[line("BTC", disproven, model)]).unwrap();
    shown(&page, [disproven, disproven]);
    // A ledger that cannot be read whole proves nothing.
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(b"{\n").unwrap();
    shown(&page, [Verdict::Unproven; 2]);
    live.stop().unwrap();
    server.stop().unwrap();
}
