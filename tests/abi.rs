//! The page is one format in three hands: Rust, C and the document say the same, byte by byte.
//!
//! Needs `cc` (and `c++` for the last check); says loudly when there is none.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where it fails, and says what it saw"
)]
#![allow(clippy::print_stderr, reason = "a skipped check must be heard")]

use bytemuck::Zeroable;
use isotherm::health::flag;
use isotherm::shm::page::{self, LAYOUT_HASH, SHAPES, status};
use isotherm::shm::reader::{PageReader, ReadFault};
use isotherm::shm::record::{
    CHANNELS, EVENT_CAUSES, ErrorRecord, EventRecord, Headline, MODES, MapRecord, MapView, Publish,
    VenueRecord, Wide, ZoneRecord, bytes_of, verdict,
};
use isotherm::shm::snapshot::cents_of;
use isotherm::shm::writer::PageWriter;
use isotherm::time::mono_now;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[allow(dead_code, reason = "only its report is called here, not its main")]
#[path = "../examples/executor.rs"]
mod executor;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn place() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    let base = if shm.is_dir() {
        shm.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    tempfile::tempdir_in(base).unwrap()
}

/// True when the compiler is there; otherwise says what is not checked.
fn has(compiler: &str) -> bool {
    let there = Command::new(compiler)
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success());
    if !there {
        // Written, not printed: the test harness must not swallow it.
        let line =
            format!("SKIPPED: no `{compiler}` here, so that face of the page is NOT checked");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
    }
    there
}

fn text(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn compile(source: &Path, program: &Path) {
    let output = Command::new("cc")
        .args([
            "-std=c99",
            "-O2",
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
            "-I",
        ])
        .arg(root("include"))
        .arg(source)
        .arg("-o")
        .arg(program)
        .output()
        .unwrap();
    text(&output);
}

/// Runs a C program with `body` as its main.
fn run_c(dir: &Path, body: &str, argument: &Path) -> String {
    let source = dir.join("program.c");
    let program = dir.join("program");
    let all = format!(
        "#include \"isotherm.h\"\n#include <stdio.h>\n\
         int main(int argc, char **argv) {{ (void)argc; (void)argv;\n{body}\nreturn 0; }}\n"
    );
    std::fs::write(&source, all).unwrap();
    compile(&source, &program);
    text(&Command::new(&program).arg(argument).output().unwrap())
}

/// Events of the sample: more than the page keeps.
const EVENTS: u64 = page::EVENTS as u64 + 3;

/// A page with a different number everywhere.
fn sample(path: &Path) -> PageWriter {
    let symbols = [("BTC", 1), ("SIXTEEN_LETTERS_", 1_000_000), ("PEPE", 1_000)];
    let venues = [("bybit", 2), ("hyperliquid", 4)];
    let mut writer = PageWriter::create_with(path, &symbols, &venues, "abi test").unwrap();
    let venue = VenueRecord {
        up: 1,
        gaps: 3,
        offset_ns: -1_500_000,
        offset_error_ns: 250_000,
        heard_mono_ns: [1, 0, 3, 4],
        ..VenueRecord::new("hyperliquid", 4)
    };
    writer.venue(1, &venue);
    let error = ErrorRecord {
        count: 12,
        first_ns: 5,
        last_ns: 6,
        level: 1,
        code: bytes_of("connect"),
        subject: bytes_of("sixteen letters!"),
        text: bytes_of(&"a long text ".repeat(30)),
        ..Zeroable::zeroed()
    };
    writer.error(page::ERRORS - 1, &error);
    writer.status(status::LIVE | status::DEGRADED);
    writer.kill(1, 7);
    writer.hashes(11, 12);
    writer.venues_up(4);
    writer.heartbeat(mono_now(), 77, 0xdead_beef_0000_0001);
    writer.counter(page::counter::GAPS, 99);
    writer.set_proof(2, 2);
    writer.set_proof(1, 3);
    writer.set_proof(3, 1);
    for number in 1..=EVENTS {
        let event = EventRecord {
            number,
            usd: -(number as i64),
            p_run_e4: 9,
            ..Zeroable::zeroed()
        };
        writer.event(&event);
    }
    for symbol in 0..symbols.len() {
        for mode in 0..MODES {
            let n = (symbol * MODES + mode) as i32;
            let record = Headline {
                input_seq: 1000 + n as u64,
                mark_e10: 1_000_000_000_000 + i64::from(n),
                bias: (n * 20 - 100) as i8,
                confidence: (n * 10) as u8,
                verdict: verdict::NAMES.len() as u8 - 1 - n as u8,
                p_up_e4: 5000 + n as u16,
                flags: 1 << n,
                ttl_ms: 60_000,
                above_bps_e2: if n == 4 { i32::MAX } else { 1205 + n },
                below_bps_e2: 7,
                ..Zeroable::zeroed()
            };
            writer.headline(symbol, mode, &record);
        }
        let mut wide = Wide {
            mark_e10: -5 - symbol as i64,
            ..Zeroable::zeroed()
        };
        wide.cold_below[3] = ZoneRecord {
            usd: -9,
            venues: 513,
            ..Zeroable::zeroed()
        };
        wide.mode[2].categories[24] = -128;
        wide.map = MapRecord::ABSENT;
        wide.map.ladder_down_usd[5] = i64::MAX - symbol as i64;
        wide.odds_below[7].heat_e4 = 12_345;
        wide.mode[1].model_hash = u64::MAX - symbol as u64;
        writer.wide(symbol, &wide);
        // Symbol 0 has none, 1 one, 2 two: every choice a reader can have.
        for turn in 0..symbol as i64 {
            let halves = [-1, 1].map(|way: i64| {
                std::array::from_fn(|i| (way + turn).saturating_mul((i as i64).saturating_pow(5)))
            });
            let view = MapView {
                input_seq: 5,
                recv_ns: 6 + turn,
                mark_e10: 7,
                bucket: -8,
                liquidated: [9, 10],
                venues: 3,
                flags: 4,
                halves: [&halves[0], &halves[1]],
            };
            writer.map(symbol, &view);
        }
    }
    writer
}

#[test]
fn c_has_the_same_fields_at_the_same_places() {
    if !has("cc") {
        return;
    }
    let mut body = String::new();
    let mut want = String::new();
    for shape in SHAPES {
        let name = shape.name;
        writeln!(
            body,
            r#"printf("{name} %zu\n", sizeof(struct isotherm_{name}));"#
        )
        .unwrap();
        writeln!(want, "{name} {}", shape.size).unwrap();
        for field in shape.fields {
            let field_name = field.name;
            writeln!(
                body,
                r#"printf("{name}.{field_name} %zu %zu\n",
                    offsetof(struct isotherm_{name}, {field_name}),
                    sizeof(((struct isotherm_{name} *)0)->{field_name}));"#
            )
            .unwrap();
            writeln!(want, "{name}.{field_name} {} {}", field.offset, field.size).unwrap();
        }
    }
    body.push_str(r#"printf("%016llx\n", (unsigned long long)ISOTHERM_LAYOUT_HASH);"#);
    writeln!(want, "{LAYOUT_HASH:016x}").unwrap();
    let dir = place();
    assert_eq!(run_c(dir.path(), &body, Path::new("")), want);
}

#[test]
fn c_has_the_same_numbers_for_the_same_words() {
    if !has("cc") {
        return;
    }
    let mut wanted: Vec<(String, i64)> = vec![
        ("ISOTHERM_MAGIC".into(), page::MAGIC.cast_signed()),
        ("ISOTHERM_ABI_MAJOR".into(), page::ABI_MAJOR.into()),
        ("ISOTHERM_ABI_MINOR".into(), page::ABI_MINOR.into()),
        ("ISOTHERM_MODES".into(), MODES as i64),
        ("ISOTHERM_SYMBOLS_MAX".into(), page::MAX_SYMBOLS as i64),
        ("ISOTHERM_CHANNELS".into(), CHANNELS.len() as i64),
        ("ISOTHERM_RETRIES".into(), isotherm::sync::RETRIES.into()),
        (
            "ISOTHERM_HEARTBEAT_MAX_NS".into(),
            page::HEARTBEAT_MAX.get(),
        ),
        ("ISOTHERM_AHEAD_MAX_NS".into(), page::AHEAD_MAX.get()),
    ];
    let bits = |names: &[&str], prefix: &str| -> Vec<(String, i64)> {
        let named = names.iter().enumerate();
        named
            .map(|(bit, name)| (format!("ISOTHERM_{prefix}{name}"), 1 << bit))
            .collect()
    };
    wanted.extend(bits(&flag::NAMES, "FLAG_"));
    wanted.extend(bits(&status::NAMES, ""));
    for (number, name) in verdict::NAMES.iter().enumerate() {
        wanted.push((format!("ISOTHERM_{name}"), number as i64));
    }
    let mut body = String::new();
    let mut want = String::new();
    for (name, value) in &wanted {
        writeln!(body, r#"printf("{name} %lld\n", (long long){name});"#).unwrap();
        writeln!(want, "{name} {value}").unwrap();
    }
    for (number, name) in verdict::NAMES.iter().enumerate() {
        writeln!(body, r#"puts(isotherm_verdict_name({number}));"#).unwrap();
        writeln!(want, "{name}").unwrap();
    }
    let dir = place();
    assert_eq!(run_c(dir.path(), &body, Path::new("")), want);
}

#[test]
fn c_reads_what_rust_wrote() {
    if !has("cc") {
        return;
    }
    let dir = place();
    let path = dir.path().join("page");
    let _writer = sample(&path);
    // Every byte of every record, as C copied it.
    let body = r#"
        isotherm_page page; struct isotherm_header header; struct isotherm_counter counter;
        struct isotherm_headline headline; struct isotherm_wide wide; struct isotherm_symbol symbol;
        struct isotherm_venue venue; struct isotherm_error error;
        if (isotherm_open(&page, argv[1]) != ISOTHERM_OK) return 1;
        #define DUMP(x) for (size_t n = 0; n < sizeof x; n++) \
            printf("%02x%s", ((unsigned char *)&x)[n], n + 1 == sizeof x ? "\n" : "")
        if (isotherm_header_read(&page, &header) != ISOTHERM_OK) return 2;
        DUMP(header);
        for (uint32_t s = 0; s < page.directory.count; s++) {
            if (isotherm_symbol_read(&page, s, &symbol) != ISOTHERM_OK) return 3;
            printf("%.16s %u\n", symbol.name, symbol.lot);
            for (uint32_t m = 0; m < ISOTHERM_MODES; m++) {
                if (isotherm_headline_read(&page, s, m, &headline) != ISOTHERM_OK) return 4;
                DUMP(headline);
            }
            if (isotherm_wide_read(&page, s, &wide) != ISOTHERM_OK) return 5;
            DUMP(wide);
        }
        if (isotherm_counter_read(&page, 3, &counter) != ISOTHERM_OK) return 6;
        printf("%.24s %llu\n", counter.name, (unsigned long long)counter.value);
        if (isotherm_headline_read(&page, 3, 0, &headline) != ISOTHERM_NO_RECORD) return 7;
        if (isotherm_headline_read(&page, 0, 3, &headline) != ISOTHERM_NO_RECORD) return 8;
        if (isotherm_wide_read(&page, 3, &wide) != ISOTHERM_NO_RECORD) return 9;
        for (uint32_t v = 0; v < page.venues.count; v++) {
            if (isotherm_venue_read(&page, v, &venue) != ISOTHERM_OK) return 10;
            DUMP(venue);
        }
        for (uint32_t e = 0; e < page.errors.count; e++) {
            if (isotherm_error_read(&page, e, &error) != ISOTHERM_OK) return 11;
            DUMP(error);
        }
        struct isotherm_snapshot snapshot;
        int64_t cents = 0;
        for (uint32_t s = 0; s < page.directory.count; s++) {
            if (isotherm_snapshot_read(&page, s, &snapshot) != ISOTHERM_OK) return 14;
            DUMP(snapshot);
            for (int i = 0; i < 4096; i++) cents ^= isotherm_cents(snapshot.above_short[i]);
        }
        printf("%lld\n", (long long)cents);
        if (isotherm_snapshot_read(&page, 3, &snapshot) != ISOTHERM_NO_RECORD) return 15;
        struct isotherm_event event;
        for (uint64_t n = 1; n <= isotherm_newest_event(&page) + 1; n++) {
            int fault = isotherm_event_read(&page, n, &event);
            if (fault == ISOTHERM_OK) DUMP(event); else printf("%d\n", fault);
        }
        if (isotherm_venue_read(&page, 2, &venue) != ISOTHERM_NO_RECORD) return 12;
        if (isotherm_error_read(&page, page.errors.count, &error) != ISOTHERM_NO_RECORD) return 13;
        isotherm_close(&page);"#;
    let reader = PageReader::open(&path).unwrap();
    let dump = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let mut want = vec![dump(bytemuck::bytes_of(&reader.header().unwrap()))];
    for (index, symbol) in reader.symbols().iter().enumerate() {
        want.push(format!("{} {}", symbol.name, symbol.lot));
        for mode in 0..MODES {
            want.push(dump(bytemuck::bytes_of(
                &reader.headline(index, mode).unwrap(),
            )));
        }
        want.push(dump(bytemuck::bytes_of(&reader.wide(index).unwrap())));
    }
    want.push("gaps 99".into());
    assert_eq!((reader.venues(), reader.errors()), (2, page::ERRORS));
    for slot in 0..reader.venues() {
        want.push(dump(bytemuck::bytes_of(&reader.venue(slot).unwrap())));
    }
    for slot in 0..reader.errors() {
        want.push(dump(bytemuck::bytes_of(&reader.error(slot).unwrap())));
    }
    let mut cents = 0;
    for symbol in 0..3 {
        let snapshot = reader.snapshot(symbol).unwrap();
        assert_eq!(reader.snapshot_turns(symbol).unwrap(), symbol as u64);
        want.push(dump(bytemuck::bytes_of(&*snapshot)));
        cents = snapshot
            .above_short
            .iter()
            .fold(cents, |sum, code| sum ^ cents_of(*code));
    }
    want.push(cents.to_string());
    assert_ne!(cents, 0);
    assert_eq!(reader.snapshot(2).unwrap().recv_ns, 7, "the newer one");
    assert!(reader.snapshot(3).is_err());
    assert_eq!(reader.newest_event(), EVENTS);
    for number in 1..=EVENTS + 1 {
        want.push(match reader.event(number) {
            Ok(Some(event)) => dump(bytemuck::bytes_of(&event)),
            Ok(None) => "8".into(),
            Err(ReadFault::Lapped) => "9".into(),
            Err(other) => panic!("{other}"),
        });
    }
    assert!(want.contains(&"8".to_string()) && want.contains(&"9".to_string()));
    assert_eq!(reader.wide(2).unwrap().map_proof, 2);
    assert_eq!(reader.wide(1).unwrap().map_proof, 0, "that number is none");
    assert_eq!(reader.venue(0).unwrap(), VenueRecord::new("bybit", 2));
    let newest = reader.error(page::ERRORS - 1).unwrap();
    assert_eq!(
        (newest.count, newest.texts()[1].as_str()),
        (12, "sixteen letters!")
    );
    let got = run_c(dir.path(), body, &path);
    assert_eq!(got.lines().collect::<Vec<_>>(), want);
}

#[test]
fn the_executors_say_the_same() {
    if !has("cc") {
        return;
    }
    let dir = place();
    let path = dir.path().join("page");
    let mut writer = sample(&path);
    let program = dir.path().join("executor");
    compile(&root("examples/executor.c"), &program);
    assert_eq!(
        Command::new(&program).output().unwrap().status.code(),
        Some(2),
        "asks for a page"
    );
    let missing = Command::new(&program)
        .arg(dir.path().join("missing"))
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(1));

    let without_age = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| {
            let (said, age) = line.rsplit_once(" age ").unwrap();
            let ns: i64 = age.strip_suffix(" ns").unwrap().parse().unwrap();
            assert!((0..60_000_000_000).contains(&ns), "{line}");
            said.to_string()
        });
        lines.collect()
    };
    let beat = |writer: &mut PageWriter| writer.heartbeat(mono_now(), 78, 1);
    // The sample has its switch raised: nobody calls it live.
    beat(&mut writer);
    let raised = text(&Command::new(&program).arg(&path).arg("1").output().unwrap());
    assert!(
        !raised.contains(" LIVE ") && raised.contains("BTC scalp "),
        "{raised}"
    );
    writer.kill(0, 0);
    // A slow machine may take longer than a heartbeat may, so the pair is compared until both say
    // LIVE.
    let mut c = Vec::new();
    for _ in 0..50 {
        beat(&mut writer);
        c = without_age(&text(
            &Command::new(&program).arg(&path).arg("1").output().unwrap(),
        ));
        if c.iter().filter(|line| line.contains(" LIVE ")).count() == 8 {
            break;
        }
    }
    let reader = PageReader::open(&path).unwrap();
    let mut out = Vec::new();
    beat(&mut writer);
    executor::report(&reader, &mut out).unwrap();
    let rust = without_age(std::str::from_utf8(&out).unwrap());
    assert_eq!(c, rust);
    assert_eq!(
        rust[0],
        "BTC scalp LIVE bias -100 confidence 0 STRONG_SHORT above 12.05 bp below 0.07 bp"
    );
    assert_eq!(
        rust[8],
        "PEPE swing NO_DATA bias 60 confidence 80 NO_DATA above 12.13 bp below 0.07 bp"
    );
    assert!(rust[4].contains("above none"), "{}", rust[4]);
    if has("python3") && cfg!(target_arch = "x86_64") {
        let script = root("examples/executor.py");
        let mut python = Vec::new();
        // Starting it takes longer than a heartbeat lives, so the heart beats beside it.
        for _ in 0..20 {
            let run = Command::new("python3")
                .arg(&script)
                .arg(&path)
                .stdout(Stdio::piped())
                .spawn();
            let mut run = run.unwrap();
            while run.try_wait().unwrap().is_none() {
                beat(&mut writer);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            python = without_age(&text(&run.wait_with_output().unwrap()));
            if python == rust {
                break;
            }
        }
        assert_eq!(python, rust);
        let gone = Command::new("python3")
            .arg(&script)
            .arg(dir.path().join("missing"))
            .output();
        assert_eq!(gone.unwrap().status.code(), Some(1));
    }
    drop(writer);
    let gone = Command::new(&program).arg(&path).output().unwrap();
    assert_eq!(gone.status.code(), Some(1));
}

#[test]
fn c_refuses_every_damaged_header_that_rust_refuses() {
    if !has("cc") {
        return;
    }
    let dir = place();
    let path = dir.path().join("page");
    let writer = sample(&path);
    let bytes = std::fs::read(&path).unwrap();
    drop(writer);
    // Every 32-bit half of the header, set to extremes, one file each; the last one is whole.
    let mut files = Vec::new();
    for at in (0..384).step_by(4) {
        for value in [0u32, 1, 63, u32::MAX / 2, u32::MAX] {
            let mut bytes = bytes.clone();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            files.push((format!("{at}-{value}"), bytes));
        }
    }
    for len in [
        0,
        8,
        319,
        320,
        383,
        384,
        4095,
        4096,
        bytes.len() - 1,
        bytes.len(),
    ] {
        files.push((format!("cut-{len}"), bytes[..len].to_vec()));
    }
    let mut want = String::new();
    let mut list = String::new();
    for (name, bytes) in &files {
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        writeln!(list, "{}", file.display()).unwrap();
        let opens = PageReader::open(&file).is_ok();
        writeln!(want, "{} {}", file.display(), i32::from(opens)).unwrap();
    }
    let list_path = dir.path().join("list");
    std::fs::write(&list_path, list).unwrap();
    let body = r#"
        char line[4096];
        FILE *list = fopen(argv[1], "r");
        while (list && fgets(line, sizeof line, list)) {
            isotherm_page page; struct isotherm_wide wide; struct isotherm_headline headline;
            line[strcspn(line, "\n")] = 0;
            int opens = isotherm_open(&page, line) == ISOTHERM_OK;
            if (opens)
                for (uint32_t s = 0; s < 5; s++) {
                    (void)isotherm_wide_read(&page, s, &wide);
                    (void)isotherm_headline_read(&page, s, 2, &headline);
                }
            printf("%s %d\n", line, opens);
            isotherm_close(&page);
        }"#;
    let got = run_c(dir.path(), body, &list_path);
    assert_eq!(got, want);
    assert!(got.ends_with(" 1\n") && got.contains(" 0\n"));
}

#[test]
fn the_header_is_also_cxx() {
    if !has("c++") {
        return;
    }
    let dir = place();
    let source = dir.path().join("program.cc");
    let body = "#include \"isotherm.h\"\nint main() { isotherm_page page; isotherm_headline h;\n\
        return isotherm_open(&page, \"/missing\") == ISOTHERM_OK\n\
            && isotherm_headline_read(&page, 0, 0, &h) == ISOTHERM_OK; }\n";
    std::fs::write(&source, body).unwrap();
    let output = Command::new("c++")
        .args([
            "-std=c++11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsyntax-only",
            "-I",
        ])
        .arg(root("include"))
        .arg(&source)
        .output()
        .unwrap();
    text(&output);
}

#[test]
fn the_document_lists_every_field_and_the_hash() {
    let document = std::fs::read_to_string(root("docs/PAGE.md")).unwrap();
    let mut missing = String::new();
    let mut expect = |line: String| {
        if !document.contains(&line) {
            writeln!(missing, "{line}").unwrap();
        }
    };
    expect(format!("`{LAYOUT_HASH:016x}`"));
    let script = std::fs::read_to_string(root("examples/executor.py")).unwrap();
    let version = format!("0, {}, 0x{LAYOUT_HASH:016X}", page::ABI_MINOR);
    assert!(
        script.contains(&version),
        "examples/executor.py lacks: {version}"
    );
    for shape in SHAPES {
        expect(format!("### {} ({} bytes)", shape.name, shape.size));
        for field in shape.fields {
            expect(format!(
                "| {} | {} | `{}` |",
                field.offset, field.size, field.name
            ));
        }
    }
    for (bit, name) in flag::NAMES.iter().enumerate() {
        expect(format!("| {bit} | `{name}` |"));
    }
    for (bit, name) in status::NAMES.iter().enumerate() {
        expect(format!("| {bit} | `{name}` |"));
    }
    for (number, name) in verdict::NAMES.iter().enumerate() {
        expect(format!("| {number} | `{name}` |"));
    }
    for (number, name) in EVENT_CAUSES.iter().enumerate() {
        expect(format!("| {number} | `{name}` |"));
    }
    for (id, (name, meaning)) in page::COUNTERS.iter().enumerate() {
        expect(format!("| {id} | `{name}` | {meaning} |"));
    }
    assert!(
        missing.is_empty(),
        "docs/PAGE.md lacks these lines:\n{missing}"
    );
}
