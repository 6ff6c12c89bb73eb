//! A recording engine is killed (kill -9) at random moments: every complete record is accounted for, a checkpoint and
//! the tape behind it give the state of a straight replay byte for byte, and the engine that goes on from it says the
//! outage, heals, and ends in the state that a replay of the whole folder ends in.
//!
//! The child is this same test binary, started again with a variable that names the folder; the exchange is here.
//! `ISOTHERM_PROOF=full` kills it 50 times instead of five.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where it fails, and says what it saw"
)]

use isotherm::checkpoint;
use isotherm::config::Plan;
use isotherm::cut::{self, Range};
use isotherm::event::Kind;
use isotherm::health::flag;
use isotherm::log::{Form, Level, Log};
use isotherm::replay::{self, Outcome, Speed};
use isotherm::run::{self, recording::Begin};
use isotherm::shm::page::{counter, status};
use isotherm::shm::reader::PageReader;
use isotherm::shm::record::Nowhere;
use isotherm::sim::{Dialect, Handle, Options, Params, Server, World};
use isotherm::tape::index::Closed;
use isotherm::tape::survey::{Survey, survey};
use isotherm::tape::{self, Lock, RunPlan, file, folder};
use isotherm::time::{Clock as _, Nanos, ScaledClock, WallClock};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CHILD: &str = "ISOTHERM_KILL_CHILD";
const PLAN: &str = "ISOTHERM_KILL_PLAN";
/// Long enough for a machine that does eight things at once.
const DEADLINE: Duration = Duration::from_secs(120);

/// Past the capture of the test harness, so that it is seen.
fn aloud(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The built-in exchange in one venue's words.
fn exchange_of(dialect: Dialect, speed: u32) -> Handle {
    let mut world = World::new(21, Params::default().speaking(dialect)).unwrap();
    let open = world.now().plus(Nanos::MINUTE);
    world.advance(open, &mut |_| {});
    let options = Options {
        speed,
        ..Options::default()
    };
    Server::start(world, options).unwrap()
}

fn exchange() -> Handle {
    exchange_of(Dialect::Bybit, 40)
}

/// A plan's feeds of one venue: part of the address, channels, whether two connections carry them.
const FEEDS: [(Dialect, &str, &str, bool); 6] = [
    (Dialect::Bybit, "", r#"["book", "trades"]"#, false),
    (Dialect::Bybit, "", r#"["tickers", "liquidations"]"#, false),
    (Dialect::Binance, "/public", r#"["book"]"#, true),
    (
        Dialect::Binance,
        "/market",
        r#"["trades", "tickers", "liquidations"]"#,
        false,
    ),
    (
        Dialect::Okx,
        "",
        r#"["book", "trades", "tickers", "liquidations"]"#,
        false,
    ),
    (
        Dialect::Hyperliquid,
        "",
        r#"["book", "trades", "tickers"]"#,
        true,
    ),
];

fn feeds(dialect: Dialect, server: &Handle) -> String {
    let urls: Vec<String> = server.ws_urls().collect();
    let mut text = String::new();
    for (_, part, channels, pair) in FEEDS.iter().filter(|row| row.0 == dialect) {
        let url = urls.iter().find(|url| url.contains(part)).unwrap();
        let (venue, rest) = (dialect.name(), server.rest_url());
        text.push_str(&format!(
            "[[feed]]\nvenue = \"{venue}\"\nurl = \"{url}\"\nrest = \"{rest}\"\nchannels = {channels}\n\
             pair = {pair}\n"
        ));
    }
    text
}

/// Two coins at these feeds, recorded to `folder` in small segments.
fn plan_of(folder: &Path, feeds: &str) -> Plan {
    let text = format!("[engine]\nsymbols = [\"BTC\", \"ETH\"]\nidle = \"park\"\n{feeds}");
    let mut plan = Plan::parse(&text, "plan").unwrap();
    plan.engine.page = folder.with_extension("page");
    plan.engine.tape = Some(folder.to_path_buf());
    plan.engine.tape_segment = 100_000;
    plan
}

fn plan(folder: &Path, server: &Handle) -> Plan {
    plan_of(folder, &feeds(Dialect::Bybit, server))
}

fn start(plan: &Plan) -> Result<run::Live, run::RunError> {
    let clock = ScaledClock::start(WallClock.now(), 1);
    let begin = Begin::of(plan, clock)?;
    run::start_from(plan, begin, clock, 1, Log::new(Level::Warn, Form::Text))
}

/// Runs only in the child: records until it is killed, or its input ends.
#[test]
fn child_records() {
    let Ok(path) = std::env::var(CHILD) else {
        return; // Started as a test of its own: there is nothing to record.
    };
    let feeds = std::env::var(PLAN).unwrap();
    let live = start(&plan_of(Path::new(&path), &feeds)).unwrap();
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let ended = live.stop().unwrap();
    assert_eq!(ended.tape_failed, None);
    let shard = &ended.finished.shard;
    println!("ENDED {} {:016x}", shard.input_seq(), shard.state_hash());
}

fn child(folder: &Path, feeds: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "child_records",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, folder)
        .env(PLAN, feeds)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.spawn().unwrap()
}

fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn replayed(folder: &Path) -> Outcome {
    replay::run(folder, None, Speed::Max, &mut Nowhere).unwrap()
}

/// Whole records and left-over bytes of a plain file, by nothing but its lengths.
fn walk(bytes: &[u8]) -> (u64, u64) {
    let word = |at: usize| {
        let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
        four.map_or(0, u32::from_le_bytes) as usize
    };
    let (mut at, mut records) = (file::HEAD_BYTES + word(24), 0);
    if at > bytes.len() {
        return (0, bytes.len() as u64);
    }
    while at + file::RECORD_BYTES <= bytes.len() {
        let next = at + file::RECORD_BYTES + word(at + 4);
        if next > bytes.len() {
            break;
        }
        at = next;
        records += 1;
    }
    (records, (bytes.len() - at) as u64)
}

/// Every byte of every file is accounted for, and a naive walk finds the same records.
fn assert_accounted(folder: &Path) {
    let found = survey(folder).unwrap();
    assert!(!found.is_empty());
    for one in &found {
        assert!(one.is_accounted() && one.faults.is_empty(), "{one:?}");
        let bytes = fs::read(folder.join(&one.row.file)).unwrap();
        let bytes = if one.row.file.ends_with(".zst") {
            zstd::decode_all(bytes.as_slice()).unwrap()
        } else {
            bytes
        };
        assert_eq!(walk(&bytes), (one.row.records(), one.row.torn), "{one:?}");
    }
}

/// A checkpoint's state, and the straight replay's, byte for byte.
fn assert_same_state(folder: &Path, out: &Path) -> Option<PathBuf> {
    let straight = replayed(folder);
    assert!(!straight.short, "the journal names what is not there");
    let made = checkpoint::make(folder, Some(out)).unwrap();
    assert_eq!(made.passed, [""; 0]);
    let (meta, body) = checkpoint::read(&made.path).unwrap();
    assert_eq!(meta.input_seq, straight.shard.input_seq());
    assert_eq!(
        meta.state_hash,
        format!("{:016x}", straight.shard.state_hash())
    );
    let state = &body[..meta.state_bytes as usize];
    assert!(
        state == straight.shard.bytes(),
        "the hashes agree and the states do not"
    );
    made.from
}

/// The plan that the last run was told.
fn last_plan(folder: &Path) -> RunPlan {
    let mut source = tape::open(folder).unwrap();
    while source.next_run().unwrap() {}
    source.header().unwrap().plan.clone()
}

#[test]
fn a_killed_recorder_loses_no_complete_record_and_its_state_goes_on() {
    let full = std::env::var("ISOTHERM_PROOF").is_ok_and(|v| v == "full");
    let kills = if full { 50 } else { 5 };
    let dir = tempfile::tempdir().unwrap();
    let (folder, out) = (dir.path().join("tape"), dir.path().join("out.checkpoint"));
    let servers = Dialect::ALL.map(|dialect| (dialect, exchange_of(dialect, 10)));
    let feeds: String = servers
        .iter()
        .map(|(dialect, server)| feeds(*dialect, server))
        .collect();
    let (mut taken_up, mut outages, mut lost) = (0, 0, 0);
    for kill in 0..kills {
        let before = folder::segments(&folder).map_or(0, |all| all.len());
        let mut child = child(&folder, &feeds);
        wait("a run begins", || {
            folder::segments(&folder).is_ok_and(|all| all.len() > before)
        });
        if kill % 3 > 0 {
            // At any point of a run that has come so far; else while it still connects.
            let frames = |one: &Survey| one.row.count(tape::Kind::Frame) > 0;
            wait("frames come", || {
                survey(&folder).is_ok_and(|all| all[before..].iter().any(frames))
            });
        }
        std::thread::sleep(Duration::from_millis(mix(kill + 1) % 900));
        if kill % 2 == 0 {
            // Beside the engine that records; how far it gets is another matter.
            checkpoint::make(&folder, None).unwrap();
            std::thread::sleep(Duration::from_millis(mix(kill + 99) % 300));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_accounted(&folder);
        taken_up += usize::from(assert_same_state(&folder, &out).is_some());
        let torn: u64 = survey(&folder)
            .unwrap()
            .iter()
            .map(|one| one.row.torn)
            .sum();
        lost += usize::from(torn > 0);

        // The outage is said: what was up is down, and flagged.
        let _lock = Lock::take(&folder).unwrap();
        let resumed = checkpoint::resume(&folder, &last_plan(&folder))
            .unwrap()
            .unwrap();
        if resumed.down > 0 {
            outages += 1;
            let flags = resumed.shard.wide(0).unwrap().flags;
            assert!(flags & flag::DISCONNECTED != 0, "{flags:x}");
        }
    }
    assert!(outages > 0, "never killed while connected");
    assert_eq!(taken_up, kills as usize, "each began at a checkpoint");

    // And heals.
    let mut child = child(&folder, &feeds);
    let page = folder.with_extension("page");
    wait("the outage heals", || {
        PageReader::open(&page).is_ok_and(|page| {
            let count = |id: usize| page.counters().get(id).map_or(0, |c| c.value);
            let up = count(counter::FRAMES) > 100 && count(counter::TAPE_BYTES) > 10_000;
            let bad = flag::DISCONNECTED | flag::BOOK_UNTRUSTED;
            let well = |at| page.wide(at).is_ok_and(|wide| wide.flags & bad == 0);
            up && well(0) && well(1)
        })
    });
    drop(child.stdin.take());
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    // Compared with the End of the run, too.
    let straight = replayed(&folder);
    let shard = &straight.shard;
    let ended = format!("ENDED {} {:016x}", shard.input_seq(), shard.state_hash());
    assert!(said.contains(&ended), "{ended}: {said}");
    assert!(shard.count(Kind::Disconnect) >= outages && shard.count(Kind::Gap) > 0);
    assert_accounted(&folder);
    assert_same_state(&folder, &out);
    let segments = folder::segments(&folder).unwrap();
    aloud(&format!(
        "kill: {kills} kills, {outages} outages, {lost} torn ends, {} segments, {} inputs, {} frames",
        segments.len(),
        shard.input_seq(),
        straight.counts.frames
    ));
    for (_, server) in servers {
        server.stop().unwrap();
    }
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_passed_over_and_another_plan_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out) = (dir.path().join("tape"), dir.path().join("out.checkpoint"));
    let server = exchange();
    let mut child = child(&folder, &feeds(Dialect::Bybit, &server));
    let frames = || survey(&folder).is_ok_and(|all| all.iter().any(|one| one.row.records() > 60));
    wait("something is recorded", frames);
    let first = checkpoint::make(&folder, None).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    let second = checkpoint::make(&folder, None).unwrap();
    assert_eq!(second.from.as_ref(), Some(&first.path));
    // One alone is looked at where it stands, and nowhere else.
    let (shard, setup) = checkpoint::look_at(&first.path).unwrap();
    assert_eq!(
        format!("{:016x}", shard.state_hash()),
        first.meta.state_hash
    );
    assert_eq!(setup.symbols, first.meta.symbols);
    fs::copy(&first.path, &out).unwrap();
    assert!(checkpoint::look_at(&out).is_err());
    let kept = fs::read(&first.path).unwrap();
    // More than is torn off below must lie behind the second, however busy the machine is.
    let records = || -> u64 {
        let all = survey(&folder).unwrap_or_default();
        all.iter().map(|one| one.row.records()).sum()
    };
    let then = records();
    wait("more is recorded", || records() > then + 60);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    server.stop().unwrap();
    assert_eq!(assert_same_state(&folder, &out), Some(second.path.clone()));

    // A tape that ends before the checkpoint does: the machine lost power, and the tape was not on the disk yet.
    let third = checkpoint::make(&folder, None).unwrap();
    let last = folder::segments(&folder).unwrap().pop().unwrap().path;
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() - 300]).unwrap();
    let resumed = checkpoint::resume(&folder, &last_plan(&folder))
        .unwrap()
        .unwrap();
    assert_eq!(resumed.from.as_ref(), Some(&second.path));
    assert!(
        resumed.passed[0].contains("ends before the place"),
        "{:?}",
        resumed.passed
    );
    fs::write(&last, &bytes).unwrap();
    fs::remove_file(&third.path).unwrap();
    fs::write(&first.path, &kept).unwrap();

    // Every byte matters.
    let whole = fs::read(&second.path).unwrap();
    for at in [0, 9, 13, 20, 25, 40, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&second.path, &bytes).unwrap();
        let error = checkpoint::read(&second.path).unwrap_err().to_string();
        assert!(error.contains("not a usable checkpoint"), "{at}: {error}");
    }
    for cut in [0, 31, 32, 100, whole.len() - 1] {
        fs::write(&second.path, &whole[..cut]).unwrap();
        assert!(checkpoint::read(&second.path).is_err(), "{cut}");
    }
    // The one before it is taken, and it is said.
    let plan = last_plan(&folder);
    let straight = replayed(&folder);
    let resumed = checkpoint::resume(&folder, &plan).unwrap().unwrap();
    assert_eq!(resumed.from.as_ref(), Some(&first.path));
    assert!(
        resumed.passed[0].contains("not a usable checkpoint"),
        "{:?}",
        resumed.passed
    );
    assert!(resumed.down == 2 && resumed.shard.input_seq() > straight.shard.input_seq());

    // Of another layout: refused by name, and the whole tape is played.
    let layout = format!("{:016x}", isotherm::shard::layout_hash());
    let other = spoiled(&fs::read(&first.path).unwrap(), &layout, "00000000deadbeef");
    fs::write(&first.path, &other).unwrap();
    let resumed = checkpoint::resume(&folder, &plan).unwrap().unwrap();
    assert_eq!((resumed.from, resumed.passed.len()), (None, 2));
    let said = &resumed.passed[1];
    assert!(
        said.contains("of layout 00000000deadbeef") && said.contains(&layout),
        "{said}"
    );

    // Of the version before, whose lanes remembered other things in as many bytes: refused by number.
    let (now, before) = (checkpoint::VERSION, checkpoint::VERSION - 1);
    let head = |version: u32| format!("ISOCKPT\0{}", char::from(version as u8));
    let older = spoiled(&kept, &head(now), &head(before));
    fs::write(&first.path, &older).unwrap();
    let resumed = checkpoint::resume(&folder, &plan).unwrap().unwrap();
    let said = &resumed.passed[1];
    assert!(
        resumed.from.is_none()
            && said.contains(&format!("version {before}, this program reads {now}")),
        "{said}"
    );
    fs::write(&first.path, &other).unwrap();

    // Another plan is refused, and both are named.
    let mut coins = plan.clone();
    coins.symbols = vec!["BTC".to_owned(), "SOL".to_owned()];
    let error = checkpoint::resume(&folder, &coins).unwrap_err().to_string();
    assert!(
        error.contains("symbols BTC ETH") && error.contains("BTC SOL"),
        "{error}"
    );
    let mut model = plan.clone();
    model.model.insert("psi".to_owned(), "0.77".to_owned());
    let error = checkpoint::resume(&folder, &model).unwrap_err().to_string();
    assert!(
        error.contains("the model") && error.contains("psi = 0.77"),
        "{error}"
    );

    // Damage behind a checkpoint: the state cannot be taken up.
    let segments = folder::segments(&folder).unwrap();
    assert!(segments.len() > 1, "too little was recorded");
    fs::write(&first.path, &kept).unwrap();
    let last = &segments.last().unwrap().path;
    let sound = fs::read(last).unwrap();
    let mut damaged = sound.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(last, &damaged).unwrap();
    assert!(checkpoint::resume(&folder, &plan).is_err());
    // A run that then began with nothing is gone on from: what is before it, checkpoint and all, is left behind.
    let run: Vec<_> = segments
        .iter()
        .map(|one| fs::read(&one.path).unwrap())
        .collect();
    let behind = segments.last().unwrap().number;
    let again: Vec<_> = (behind + 1..)
        .zip(&run)
        .map(|(number, bytes)| {
            let path = folder.join(format!("{number:06}.tape"));
            let bytes = if number == behind + run.len() as u32 {
                &sound
            } else {
                bytes
            };
            fs::write(&path, bytes).unwrap();
            path
        })
        .collect();
    let resumed = checkpoint::resume(&folder, &plan).unwrap().unwrap();
    assert_eq!((resumed.from, resumed.passed.len()), (None, 0));
    assert_eq!(resumed.stepped, resumed.shard.input_seq());
    checkpoint::make(&folder, None).unwrap();
    again.iter().for_each(|path| fs::remove_file(path).unwrap());
    fs::write(last, &sound).unwrap();
    fs::write(&first.path, &other).unwrap();

    // Without its beginning there is nothing to go on from.
    fs::remove_file(&segments[0].path).unwrap();
    let error = checkpoint::resume(&folder, &plan).unwrap_err().to_string();
    assert!(error.contains("beginning is gone"), "{error}");
    let empty = dir.path().join("empty");
    assert!(checkpoint::resume(&empty, &plan).unwrap().is_none());
}

/// A checkpoint with a word of its meta changed and its checksum right.
fn spoiled(bytes: &[u8], word: &str, other: &str) -> Vec<u8> {
    let at = bytes
        .windows(word.len())
        .position(|w| w == word.as_bytes())
        .unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + word.len()].copy_from_slice(other.as_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..24]);
    crc.update(&bytes[28..]);
    bytes[24..28].copy_from_slice(&crc.finalize().to_le_bytes());
    bytes
}

// ---- disks that say no ----

/// Runs an engine on `folder` until its tape has failed, and a while longer; gives why.
fn runs_without_its_tape(folder: &Path, harm: impl FnOnce()) -> String {
    let server = exchange();
    let mut plan = plan(folder, &server);
    let elsewhere = tempfile::tempdir().unwrap();
    plan.engine.page = elsewhere.path().join("page");
    let live = start(&plan).unwrap();
    let page = PageReader::open(&live.page).unwrap();
    wait("something is recorded", || {
        survey(folder).is_ok_and(|all| all.iter().any(|one| one.row.records() > 30))
    });
    harm();
    wait("the tape fails", || live.tape_failed().is_some());
    let why = live.tape_failed().unwrap().to_owned();
    let inputs = page.header().unwrap().input_seq;
    wait("the page says so", || {
        page.header().unwrap().status & status::TAPE_GAP != 0
    });
    wait("and its error log says why", || {
        (0..8)
            .filter_map(|place| page.error(place).ok())
            .any(|error| {
                let [code, subject, text] = error.texts();
                code == "tape" && subject == "recording" && text.contains("the engine goes on")
            })
    });
    wait("the engine goes on", || {
        page.header().unwrap().input_seq > inputs + 500
    });
    assert!(live.is_alive());
    let frames = page.counters().get(counter::FRAMES).map_or(0, |c| c.value);
    wait("and so do the feeds", || {
        page.counters().get(counter::FRAMES).map_or(0, |c| c.value) > frames + 50
    });
    let ended = live.stop().unwrap();
    assert_eq!(
        (ended.tape_whole, ended.tape_failed),
        (Some(false), Some(why.clone()))
    );
    server.stop().unwrap();
    why
}

/// A disk of so many bytes, or nothing when this process may not make one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={bytes}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self(dir));
        }
        aloud("SKIPPED: no small disk can be mounted here");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_ends_the_tape_and_not_the_engine() {
    let Some(disk) = Disk::new(512 << 10) else {
        return;
    };
    let folder = disk.0.path().join("tape");
    let why = runs_without_its_tape(&folder, || {});
    assert!(
        why.contains("No space left on device") && why.contains(".tape"),
        "{why}"
    );
    let found = survey(&folder).unwrap();
    for one in &found {
        assert!(one.is_accounted() && one.faults.is_empty(), "{one:?}");
    }
    let last = found.last().unwrap();
    assert_eq!(last.row.torn, 0, "cut back to the last whole record");
    assert!(
        matches!(last.row.closed, Closed::Hole | Closed::Not),
        "{last:?}"
    );
    let short = replayed(&folder).short;
    assert!(!short, "what is there can be played to its end");
    // With the disk still full, the next start says so and runs.
    fs::write(disk.0.path().join("fill"), vec![0; 600 << 10]).unwrap_err();
    let server = exchange();
    let mut plan = plan(&folder, &server);
    let elsewhere = tempfile::tempdir().unwrap();
    plan.engine.page = elsewhere.path().join("page");
    let live = start(&plan).unwrap();
    wait("without a tape", || {
        live.tape_failed()
            .is_some_and(|why| why.contains("No space"))
    });
    live.stop().unwrap();
    plan.engine.tape_required = true;
    let why = start(&plan).unwrap_err().to_string();
    assert!(why.contains("No space left on device"), "{why}");
    server.stop().unwrap();
}

#[test]
fn a_folder_that_is_gone_ends_the_tape_and_not_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tape");
    let why = runs_without_its_tape(&folder, || fs::remove_dir_all(&folder).unwrap());
    let gone = why.contains("the file is gone") || why.contains("No such file or directory");
    assert!(gone && why.contains("tape"), "{why}");
}

#[test]
fn a_second_writer_is_told_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tape");
    let server = exchange();
    let mut plan = plan(&folder, &server);
    let first = start(&plan).unwrap();
    plan.engine.page = dir.path().join("second.page");
    let second = start(&plan).unwrap();
    let why = second.tape_failed().unwrap().to_owned();
    let us = format!(
        "another process records in this folder (process {})",
        std::process::id()
    );
    assert!(why.contains(&us), "{why}");
    let page = PageReader::open(&second.page).unwrap();
    wait(
        "the second runs all the same, and says what it lacks",
        || {
            let header = page.header().unwrap();
            header.input_seq > 100 && header.status & status::TAPE_GAP != 0
        },
    );
    second.stop().unwrap();
    assert_eq!(first.stop().unwrap().tape_failed, None);
    assert_eq!(
        folder::segments(&folder).unwrap().len(),
        survey(&folder).unwrap().len()
    );
    server.stop().unwrap();
}

/// Runs only in the child, as another user: the folder may be read and not written.
#[test]
fn child_may_not_write() {
    let Ok(path) = std::env::var("ISOTHERM_KILL_READ_ONLY") else {
        return;
    };
    let path = Path::new(&path);
    let begin = tape::Recorder::begin(
        &path.join("tape"),
        &tape::Header::default(),
        &tape::Limits::default(),
    );
    println!("SAID {}", begin.unwrap_err());
    let begin = tape::Recorder::begin(
        &path.join("a.tape"),
        &tape::Header::default(),
        &tape::Limits::default(),
    );
    println!("SAID {}", begin.unwrap_err());
}

#[test]
fn a_folder_of_another_user_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    if rustix::process::getuid().as_raw() != 0 {
        aloud("SKIPPED: only root can try to write as somebody else");
        return;
    }
    let (ours, binary) = (dir.path().join("ours"), dir.path().join("test"));
    fs::create_dir_all(ours.join("tape")).unwrap();
    // Where another user may run it.
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    for path in [dir.path(), &ours, &ours.join("tape"), &binary] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(path, mode).unwrap();
    }
    let mut command = Command::new(&binary);
    command
        .args(["child_may_not_write", "--exact", "--nocapture"])
        .env("ISOTHERM_KILL_READ_ONLY", &ours)
        .current_dir("/")
        .uid(65_534)
        .gid(65_534);
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{said} {}",
        String::from_utf8_lossy(&done.stderr)
    );
    let refused = said.lines().filter(|line| line.contains("SAID"));
    let refused: Vec<&str> = refused.collect();
    assert_eq!(refused.len(), 2, "{said}");
    assert!(
        refused
            .iter()
            .all(|line| line.contains("Permission denied")),
        "{said}"
    );
    assert!(
        refused[0].contains("ours/tape") && refused[1].contains("a.tape"),
        "{said}"
    );
}

// ---- parts of a recording ----

#[test]
fn a_part_of_a_recording_begins_with_what_was_up_and_replays_to_its_own_end() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tape");
    let server = exchange();
    let plan = plan(&folder, &server);
    for _ in 0..2 {
        let before = folder::segments(&folder).map_or(0, |all| all.len());
        let live = start(&plan).unwrap();
        wait("enough is recorded", || {
            let frames = |one: &Survey| one.row.count(tape::Kind::Frame);
            survey(&folder).is_ok_and(|all| all.iter().skip(before).map(frames).sum::<u64>() > 150)
        });
        // Over a time, too: what waited in the exchange comes at once.
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(live.stop().unwrap().tape_failed, None);
    }
    server.stop().unwrap();
    let whole = replayed(&folder);
    let cut = |range, name: &str| cut::cut(&folder, &range, &dir.path().join(name));
    let all = Range::default();

    // Everything: the same state, in one folder; two runs do not fit one file.
    cut(all, "all").unwrap();
    assert!(replayed(&dir.path().join("all")).shard.bytes() == whole.shard.bytes());
    let error = cut(all, "all.tape").unwrap_err().to_string();
    assert!(error.contains("more than one run") && !dir.path().join("all.tape").exists());
    let error = cut(all, "all").unwrap_err().to_string();
    assert!(error.contains("there already"), "{error}");

    // The middle of the second run.
    let mut source = tape::open(&folder).unwrap();
    assert!(source.next_run().unwrap());
    let (mut first, mut last) = (Nanos::ZERO, Nanos::ZERO);
    while let Some(record) = source.next_record().unwrap() {
        if record.kind() == tape::Kind::Frame {
            first = if first == Nanos::ZERO {
                record.stamp()
            } else {
                first
            };
            last = last.max(record.stamp());
        }
    }
    let at = |share: i64| first.plus(Nanos::new(last.since(first).get() * share / 10));
    let range = Range {
        from: Some(at(3)),
        to: Some(at(8)),
        first: None,
    };
    let done = cut(range, "middle.tape").unwrap();
    assert_eq!(done.runs, 1);
    let path = dir.path().join("middle.tape");
    assert!(
        survey(&path)
            .unwrap()
            .iter()
            .all(|one| one.is_accounted() && one.faults.is_empty())
    );
    let middle = replayed(&path);
    assert!(
        !middle.short && middle.counts.faults == 0,
        "{:?}",
        middle.counts
    );
    assert!(middle.counts.frames > 20 && middle.counts.frames < whole.counts.frames / 2);
    let mut source = tape::open(&path).unwrap();
    let first = source.next_record().unwrap().unwrap();
    assert!(
        matches!(first, tape::Record::Connect { ring: 0, recv, .. } if recv >= at(3)),
        "{first:?}"
    );
    let shard = &middle.shard;
    assert!(shard.count(Kind::Tier) > 0 && shard.count(Kind::Trade) > 0);
    assert_eq!(shard.count(Kind::Connect), 2);

    // The beginning.
    let range = Range {
        first: Some(100),
        ..all
    };
    assert_eq!(cut(range, "begin.tape").unwrap().records, 100);
    assert!(!replayed(&dir.path().join("begin.tape")).short);
    let range = Range {
        from: Some(last.plus(Nanos::HOUR)),
        ..all
    };
    let error = cut(range, "none.tape").unwrap_err().to_string();
    assert!(error.contains("no record in this range"), "{error}");
}
