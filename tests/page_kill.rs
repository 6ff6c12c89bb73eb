//! A writer is killed (kill -9) at random moments while it writes at full speed: readers neither
//! hang nor accept half a record, the next writer takes the page over, and old readers learn that
//! theirs is gone.
//!
//! The child is this same test binary, started again with a variable that names the page.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where it fails, and says what it saw"
)]

use isotherm::shm::page::{ERROR_WORDS, ERRORS, VENUE_WORDS, WIDE_WORDS};
use isotherm::shm::reader::{PageReader, ReadFault};
use isotherm::shm::record::{Headline, MODES, Publish, WIDE_STAMPS, Wide};
use isotherm::shm::writer::PageWriter;
use isotherm::time::mono_now;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CHILD: &str = "ISOTHERM_PAGE_KILL_CHILD";
const KILLS: u32 = 30;
const SYMBOLS: usize = 2;

fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) | 1
}

/// Words that all follow from the first.
fn pattern<const N: usize>(n: u64) -> [u64; N] {
    std::array::from_fn(|at| {
        if at == 0 {
            n
        } else {
            mix(n.wrapping_add(at as u64))
        }
    })
}

/// A record that no single `put` wrote.
fn is_torn<const N: usize>(words: &[u64; N]) -> bool {
    *words != pattern::<N>(words[0]) && *words != [0; N]
}

/// Runs only in the child: writes until it is killed.
#[test]
fn child_writes_at_full_speed() {
    let Ok(path) = std::env::var(CHILD) else {
        return; // Started as a test of its own: there is no page to write.
    };
    let symbols = [("S0", 1), ("S1", 1)];
    let mut writer =
        PageWriter::create_with(Path::new(&path), &symbols, &[("V0", 1)], "child").unwrap();
    let margin = writer.take_margin().unwrap();
    std::thread::spawn(move || {
        for n in 1.. {
            margin.venue(0, &bytemuck::cast(pattern::<VENUE_WORDS>(n)));
            margin.error(ERRORS - 1, &bytemuck::cast(pattern::<ERROR_WORDS>(n)));
        }
    });
    for n in 1.. {
        writer.heartbeat(mono_now(), n, mix(n));
        for symbol in 0..SYMBOLS {
            for mode in 0..MODES {
                let record: Headline = bytemuck::cast(pattern::<7>(n));
                writer.headline(symbol, mode, &record);
            }
            let record: Wide = bytemuck::cast(pattern::<WIDE_WORDS>(n));
            writer.wide(symbol, &record);
        }
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(path: &Path) -> Killed {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "child_writes_at_full_speed"])
        .env(CHILD, path);
    Killed(
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    )
}

#[derive(Debug, Default)]
struct Seen {
    whole: u64,
    stalled: u64,
    stuck_slots: u64,
}

/// One look at everything; counts what was whole and what said "stalled".
fn look(reader: &PageReader, seen: &mut Seen) -> u64 {
    let mut stalled = 0;
    let mut judge = |torn: Result<bool, ReadFault>| match torn {
        Ok(torn) => {
            assert!(!torn, "half a record was accepted");
            seen.whole += 1;
        }
        Err(ReadFault::WriterStalled) => stalled += 1,
        Err(fault) => panic!("{fault}"),
    };
    for symbol in 0..SYMBOLS {
        for mode in 0..MODES {
            let words = reader
                .headline(symbol, mode)
                .map(bytemuck::cast::<_, [u64; 7]>);
            judge(words.map(|words| is_torn(&words)));
        }
        let words = reader
            .wide(symbol)
            .map(bytemuck::cast::<_, [u64; WIDE_WORDS]>);
        // What was proven is the writer's own word: nobody told this one anything.
        judge(words.map(|mut words| {
            let (at, whole) = (WIDE_STAMPS.end - 1, pattern::<WIDE_WORDS>(words[0]));
            assert_eq!(words[at] & 0xff, 0, "a proof from nowhere");
            if words != [0; WIDE_WORDS] {
                words[at] |= whole[at] & 0xff;
            }
            is_torn(&words)
        }));
    }
    let words = reader.venue(0).map(bytemuck::cast::<_, [u64; VENUE_WORDS]>);
    // Until the child's second thread writes, its name stands there.
    judge(words.map(|words| is_torn(&words) && words[0] != u64::from_le_bytes(*b"V0\0\0\0\0\0\0")));
    let words = reader
        .error(ERRORS - 1)
        .map(bytemuck::cast::<_, [u64; ERROR_WORDS]>);
    judge(words.map(|words| is_torn(&words)));
    judge(
        reader
            .header()
            .map(|header| header.input_seq != 0 && header.state_hash != mix(header.input_seq)),
    );
    stalled
}

#[test]
fn a_killed_writer_hangs_nobody_and_leaves_no_half_record() {
    if std::env::var(CHILD).is_ok() {
        return;
    }
    let shm = Path::new("/dev/shm");
    let base = if shm.is_dir() {
        shm.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    let dir = tempfile::tempdir_in(base).unwrap();
    let path = dir.path().join("page");
    let mut seed = u64::from(std::process::id()) ^ mono_now().get().cast_unsigned();
    let mut seen = Seen::default();
    let mut last: Option<PageReader> = None;
    for _ in 0..KILLS {
        let mut child = start(&path);
        let patience = Instant::now() + Duration::from_secs(20);
        let reader = loop {
            match PageReader::open(&path) {
                Ok(reader) if Some(reader.epoch()) != last.as_ref().map(PageReader::epoch) => {
                    break reader;
                }
                // The dead predecessor's page: retired, or still to be replaced.
                Ok(_) | Err(ReadFault::Io(_) | ReadFault::Gone | ReadFault::WriterStalled) => {}
                Err(fault) => panic!("{fault}"),
            }
            assert!(
                Instant::now() < patience,
                "the next writer did not take the page over"
            );
            assert!(
                child.0.try_wait().unwrap().is_none(),
                "the writer ended by itself"
            );
            std::thread::sleep(Duration::from_millis(1));
        };
        if let Some(old) = last.take() {
            assert!(
                matches!(old.headline(0, 0), Err(ReadFault::Gone)),
                "the old page lives on"
            );
        }
        // Somewhere in the next 20 ms, at any instruction.
        seed = mix(seed);
        let until = Instant::now() + Duration::from_micros(seed % 20_000);
        while Instant::now() < until {
            seen.stalled += look(&reader, &mut seen);
        }
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        // Nothing moves any more: every call answers at once, and the same way twice.
        let begun = Instant::now();
        let stuck = look(&reader, &mut seen);
        assert_eq!(look(&reader, &mut seen), stuck);
        assert!(
            stuck <= 2,
            "each of two threads can be in the middle of one record only"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "a reader waited for a dead writer"
        );
        seen.stuck_slots += stuck;
        last = Some(reader);
    }
    assert!(seen.whole > 1_000, "{seen:?}");
    println!("{KILLS} kills: {seen:?}");
}
