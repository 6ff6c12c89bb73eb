//! Log: what the slow threads tell people, and the distinct error log.
//!
//! A line has a time, a level, a *code* (what kind of thing, one word), a *subject* (with whom: a feed, a venue, a
//! file) and a text; it goes to standard error as text or as one JSON object. The hot path never logs: it counts, and
//! control says what the counts mean.
//!
//! Warnings and errors also enter the *distinct error log*: every kind, which is code and subject, stands there once,
//! with its first and newest time, how often it came and its newest text. It has room for [`KINDS`] kinds; what does
//! not fit is counted in one more entry, `others`. The page shows it (`shm::record::ErrorRecord`), so what went wrong
//! is found without reading a file. Because it counts, a kind that repeats need not fill the disk: its lines are at
//! least a second apart, while it goes on twice as far each time, to a minute, and say how many were left out. Nothing
//! here fails: when nobody can be told, nobody is told.

use crate::shm::record::{ErrorRecord, bytes_of};
use crate::time::{Clock, Nanos, WallClock};
use bytemuck::Zeroable as _;
use serde_json::json;
use std::fmt;
use std::io::{self, Write};

/// Kinds that are told apart.
// LIMIT: further ones are counted as `others`.
pub const KINDS: usize = 64;

/// Lines of one kind are at least the first of these apart; while it goes on, twice as far each time up to the last.
const APART: [Nanos; 2] = [Nanos::SECOND, Nanos::MINUTE];

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Something is lost until a person acts.
    Error,
    /// Something is missing and is being repaired.
    Warn,
    /// What a person may want to know once.
    #[default]
    Info,
    /// Every step of the slow threads.
    Debug,
}

impl Level {
    /// Name of each, as the plan writes it.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

impl Form {
    /// Name of each, as the plan writes it.
    pub const NAMES: [(&'static str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// One kind and what is known of its lines.
#[derive(Clone, Copy)]
struct Entry {
    record: ErrorRecord,
    /// When a line of it was last written; zero = never.
    told: Nanos,
    /// How far behind it the next may be.
    apart: Nanos,
    /// How many were not written since.
    held: u64,
    /// Changed since [`Log::changed`] last looked.
    changed: bool,
}

/// The log of one instance. Belongs to one thread.
pub struct Log {
    least: Level,
    form: Form,
    out: Box<dyn Write + Send>,
    now: fn() -> Nanos,
    /// Kinds in the order they first came; place [`KINDS`] is `others`.
    kinds: Vec<Entry>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Log");
        out.field("least", &self.least).field("form", &self.form);
        out.field("kinds", &self.kinds.len())
            .finish_non_exhaustive()
    }
}

impl Log {
    /// A log on standard error that writes lines of level `least` and worse.
    #[must_use]
    pub fn new(least: Level, form: Form) -> Self {
        Self::to(least, form, Box::new(io::stderr()), || WallClock.now())
    }

    /// A log on `out`, its lines stamped by `now` (Unix nanoseconds).
    #[must_use]
    pub fn to(least: Level, form: Form, out: Box<dyn Write + Send>, now: fn() -> Nanos) -> Self {
        let kinds = Vec::with_capacity(KINDS + 1);
        Self {
            least,
            form,
            out,
            now,
            kinds,
        }
    }

    /// Says something: `code` is the kind of thing in one word, `subject` with whom (may be empty). Codes and subjects
    /// are told apart by their first 16 bytes. Warnings and errors enter the distinct error log whatever `least` is.
    pub fn say(&mut self, level: Level, code: &str, subject: &str, text: &str) {
        let at = (self.now)();
        let mut left_out = 0;
        if level <= Level::Warn {
            match self.note(at, level, code, subject, text) {
                Some(held) => left_out = held,
                None => return,
            }
        }
        if level <= self.least {
            let line = match self.form {
                Form::Text => text_line(at, level, code, subject, text, left_out),
                Form::Json => json_line(at, level, code, subject, text, left_out),
            };
            // One write a line: lines of several processes on one pipe stay whole. Nobody reading is no reason to stop.
            let _ = self.out.write_all(line.as_bytes());
        }
    }

    /// Enters it; how many were left out since this kind's last line, or `None` when it is to be left out as well.
    fn note(
        &mut self,
        at: Nanos,
        level: Level,
        code: &str,
        subject: &str,
        text: &str,
    ) -> Option<u64> {
        let kind: ([u8; 16], [u8; 16]) = (bytes_of(code), bytes_of(subject));
        let known = |entry: &Entry| (entry.record.code, entry.record.subject) == kind;
        let place = self.kinds.iter().take(KINDS).position(known);
        let others = place.is_none() && self.kinds.len() >= KINDS;
        let place = place.unwrap_or(self.kinds.len().min(KINDS));
        if place == self.kinds.len() {
            let (code, subject) = if others {
                (bytes_of("others"), [0; 16])
            } else {
                kind
            };
            self.kinds.push(Entry {
                record: ErrorRecord {
                    code,
                    subject,
                    first_ns: at.get(),
                    ..ErrorRecord::zeroed()
                },
                told: Nanos::ZERO,
                apart: APART[0],
                held: 0,
                changed: true,
            });
        }
        let entry = self.kinds.get_mut(place)?;
        let record = &mut entry.record;
        record.count = record.count.saturating_add(1);
        record.last_ns = at.get();
        record.level = level as u32;
        record.text = if others {
            bytes_of(&format!("{code} {subject}: {text}"))
        } else {
            bytes_of(text)
        };
        entry.changed = true;
        // A clock that was stepped back must not silence anything.
        let gone = at.since(entry.told);
        if gone >= Nanos::ZERO && gone < entry.apart {
            entry.held += 1;
            return None;
        }
        // It goes on when it came while it was held, or soon behind; else it is news.
        let goes_on = gone >= Nanos::ZERO && gone < entry.apart.plus(entry.apart);
        entry.apart = if goes_on {
            entry.apart.plus(entry.apart).min(APART[1])
        } else {
            APART[0]
        };
        entry.told = at;
        Some(core::mem::take(&mut entry.held))
    }

    /// Gives every entry of the distinct error log that changed since the last call, with its place in the page.
    pub fn changed(&mut self, mut put: impl FnMut(usize, &ErrorRecord)) {
        for (place, entry) in self.kinds.iter_mut().enumerate() {
            if core::mem::take(&mut entry.changed) {
                put(place, &entry.record);
            }
        }
    }
}

fn text_line(
    at: Nanos,
    level: Level,
    code: &str,
    subject: &str,
    text: &str,
    left_out: u64,
) -> String {
    let mut line = format!("{} {:<5} {code}", utc(at), level.name());
    if !subject.is_empty() {
        line.push(' ');
        line.push_str(subject);
    }
    line.push_str(": ");
    // A venue's words must not be able to look like lines of ours.
    line.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    if left_out > 0 {
        line.push_str(&format!(" ({left_out} like it left out)"));
    }
    line.push('\n');
    line
}

fn json_line(
    at: Nanos,
    level: Level,
    code: &str,
    subject: &str,
    text: &str,
    left_out: u64,
) -> String {
    let object = json!({
        "time": utc(at),
        "level": level.name(),
        "code": code,
        "subject": subject,
        "text": text,
        "left_out": left_out,
    });
    format!("{object}\n")
}

/// A Unix stamp as `2026-11-22T01:14:24.031Z`; what lies before 1970 is shown as its first moment.
#[must_use]
pub fn utc(at: Nanos) -> String {
    let at = at.max(Nanos::ZERO);
    let (year, month, day) = at.civil();
    let of_day = at.get() % Nanos::DAY.get() / 1_000_000;
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, ms) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// How long something was, for people: `12ms`, `40s`, `25m`, `3h`, `2d`.
#[must_use]
pub fn span(of: Nanos) -> String {
    let ms = of.get().max(0) / 1_000_000;
    match ms {
        0..=9_999 => format!("{ms}ms"),
        10_000..=599_999 => format!("{}s", ms / 1_000),
        600_000..=7_199_999 => format!("{}m", ms / 60_000),
        7_200_000..=172_799_999 => format!("{}h", ms / 3_600_000),
        _ => format!("{}d", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::{Arc, Mutex};

    thread_local! {
        static NOW: Cell<i64> = const { Cell::new(1_795_310_064_031_000_000) };
    }

    fn pass(ms: i64) {
        NOW.with(|now| now.set(now.get() + ms * 1_000_000));
    }

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Heard {
        fn log(&self, least: Level, form: Form) -> Log {
            let now = || Nanos::new(NOW.with(Cell::get));
            Log::to(least, form, Box::new(self.clone()), now)
        }
        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().unwrap().clone();
            String::from_utf8(bytes)
                .unwrap()
                .lines()
                .map(str::to_string)
                .collect()
        }
    }

    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn entries(log: &mut Log) -> Vec<(usize, ErrorRecord)> {
        let mut all = Vec::new();
        log.changed(|place, record| all.push((place, *record)));
        all
    }

    #[test]
    fn a_line_is_text_or_json_and_keeps_to_its_level() {
        let heard = Heard::default();
        let mut log = heard.log(Level::Info, Form::Text);
        log.say(Level::Info, "start", "", "two feeds");
        log.say(
            Level::Warn,
            "connect",
            "feed 1",
            "refused\n2026 error forged: line",
        );
        log.say(Level::Debug, "poll", "okx", "not heard");
        assert_eq!(
            heard.lines(),
            [
                "2026-11-22T01:14:24.031Z info  start: two feeds",
                "2026-11-22T01:14:24.031Z warn  connect feed 1: refused 2026 error forged: line",
            ]
        );
        let heard = Heard::default();
        let mut log = heard.log(Level::Error, Form::Json);
        log.say(Level::Warn, "connect", "feed 1", "not written, but entered");
        log.say(Level::Error, "tape", "a\"b", "disk\nfull");
        let line: serde_json::Value = serde_json::from_str(&heard.lines()[0]).unwrap();
        assert_eq!(
            (&line["subject"], &line["text"]),
            (&json!("a\"b"), &json!("disk\nfull"))
        );
        assert_eq!((heard.lines().len(), entries(&mut log).len()), (1, 2));
    }

    #[test]
    fn a_kind_stands_there_once_and_its_lines_are_a_second_apart() {
        let heard = Heard::default();
        let mut log = heard.log(Level::Info, Form::Text);
        let first = NOW.with(Cell::get);
        for _ in 0..5 {
            log.say(Level::Warn, "rest", "okx", "status 503");
            pass(300);
        }
        log.say(Level::Error, "rest", "okx", "status 418");
        log.say(Level::Warn, "rest", "bybit", "status 503");
        let lines = heard.lines();
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(
            lines[1].ends_with("status 503 (3 like it left out)"),
            "{lines:#?}"
        );
        let all = entries(&mut log);
        assert_eq!(all.len(), 2);
        let okx = all[0].1;
        assert_eq!((okx.count, okx.level, okx.first_ns), (6, 0, first));
        assert_eq!(okx.last_ns - okx.first_ns, 1_500_000_000);
        assert_eq!(okx.texts(), ["rest", "okx", "status 418"]);
        assert!(entries(&mut log).is_empty(), "nothing changed since");
        pass(-3_600_000);
        log.say(
            Level::Warn,
            "rest",
            "okx",
            "after the clock was stepped back",
        );
        assert_eq!(heard.lines().len(), 4);
    }

    #[test]
    fn what_goes_on_is_said_ever_less_often_and_news_at_once() {
        let heard = Heard::default();
        let mut log = heard.log(Level::Info, Form::Text);
        let mut say = |times: usize, ms: i64| {
            let before = heard.lines().len();
            for _ in 0..times {
                log.say(Level::Warn, "clock_step", "okx", "moved");
                pass(ms);
            }
            heard.lines().len() - before
        };
        // Ten minutes of it every 100 ms: behind 0, 1, 3, 7, 15, 31 s, and then once a minute.
        assert_eq!(say(6_000, 100), 15);
        pass(180_000);
        assert_eq!(say(1, 500), 1, "it had stopped");
        assert_eq!(say(20, 100), 1, "a second behind it, as at first");
    }

    #[test]
    fn kinds_beyond_the_room_are_counted_as_others() {
        let heard = Heard::default();
        let mut log = heard.log(Level::Error, Form::Text);
        for n in 0..KINDS + 10 {
            log.say(Level::Warn, "frame", &format!("feed {n}"), "bad");
        }
        log.say(Level::Warn, "frame", "feed 3", "bad again");
        let all = entries(&mut log);
        assert_eq!(all.len(), KINDS + 1);
        assert_eq!(all[3].1.count, 2);
        let (place, others) = all[KINDS];
        assert_eq!((place, others.count), (KINDS, 10));
        assert_eq!(others.texts(), ["others", "", "frame feed 73: bad"]);
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (-5, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(Nanos::seconds(seconds)), text);
        }
    }
}
