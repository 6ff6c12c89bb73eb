//! Switch: what people tell all executors of an instance, in a file of its own beside the page.
//!
//! ```text
//!   byte  0      8               16
//!         ┌──────┬───────┬───────┬─────────────────┬────────┐
//!         │magic │ level │ reason│ since, wall, ns │ 0 … 64 │     <page>.kill
//!         └──────┴───────┴───────┴─────────────────┴────────┘
//! ```
//! `level` is a value of [`super::page::kill`] and one word with its reason, so nobody sees half of a change. Whoever
//! may write the file may raise it: `isotherm kill`, an executor, a watchdog. The engine only mirrors it to its page,
//! where executors read it with the heartbeat. It outlives the engine: what was said holds for the next start too,
//! until it is taken back; only a switch that says *run* goes with the engine that ends in order.

use super::birth::{is_same, open_flags};
use super::page::{LINE, Mapped, kill};
use super::writer::{PageError, io_error};
use crate::sync::{AtomicU64, Ordering};
use crate::time::Nanos;
use memmap2::MmapOptions;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// First word: `ISOKILL1`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"ISOKILL1");
const ADVICE: usize = 1;
const SINCE: usize = 2;

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Advice {
    /// A value of [`kill`]; a greater one means the greatest.
    pub level: u32,
    /// Whatever whoever raised it means by it.
    pub reason: u32,
}

impl Advice {
    /// Its name, as `isotherm kill` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        kill::NAMES[(self.level as usize).min(kill::NAMES.len() - 1)]
    }
}

/// A mapped switch.
#[derive(Debug)]
pub struct Switch {
    map: Mapped,
    file: File,
    path: PathBuf,
}

impl Switch {
    /// Where the switch of a page lies.
    #[must_use]
    pub fn path_of(page: &Path) -> PathBuf {
        let mut name: OsString = page.as_os_str().to_owned();
        name.push(".kill");
        PathBuf::from(name)
    }

    /// Opens the switch of a page; where there is none one is made that says *run*.
    ///
    /// # Errors
    /// A file that is none, or the system.
    pub fn open(page: &Path) -> Result<Self, PageError> {
        let path = Self::path_of(page);
        let file = file_of(&path).map_err(io_error(&path, "opening the switch"))?;
        let told = file
            .metadata()
            .map_err(io_error(&path, "reading the switch"))?;
        if !told.is_file() || ![0, LINE as u64].contains(&told.len()) {
            return Err(PageError::NotASwitch(path));
        }
        if told.len() == 0 {
            // Of its group too, whatever the umask; somebody else's file keeps its mode.
            let _ = file.set_permissions(Permissions::from_mode(0o660));
            let none = rustix::fs::FallocateFlags::empty();
            rustix::fs::fallocate(&file, none, 0, LINE as u64)
                .map_err(|e| io_error(&path, "reserving memory")(e.into()))?;
        }
        let mut options = MmapOptions::new();
        let map = options
            .len(LINE)
            .map_raw(&file)
            .map(Mapped::new)
            .map_err(io_error(&path, "mapping"))?;
        let switch = Self { map, file, path };
        // ORDER: relaxed: the magic says what the file is, not that anything else was stored.
        match switch.cell(0).load(Ordering::Relaxed) {
            MAGIC => {}
            // ORDER: relaxed: two that make it at once store the same.
            0 => switch.cell(0).store(MAGIC, Ordering::Relaxed),
            _ => return Err(PageError::NotASwitch(switch.path)),
        }
        Ok(switch)
    }

    fn cell(&self, word: usize) -> &AtomicU64 {
        &self.map.cells()[word]
    }

    /// What it says.
    #[must_use]
    pub fn advice(&self) -> Advice {
        // ORDER: relaxed: one word, which stands for itself.
        let word = self.cell(ADVICE).load(Ordering::Relaxed);
        Advice {
            level: (word as u32).min(kill::FLATTEN),
            reason: (word >> 32) as u32,
        }
    }

    /// When that was said, by the wall clock; zero = never.
    #[must_use]
    pub fn since(&self) -> Nanos {
        // ORDER: relaxed: for people.
        Nanos::new(self.cell(SINCE).load(Ordering::Relaxed).cast_signed())
    }

    /// Says something else. False when the file has been taken away meanwhile: nobody who opens it now will see it.
    #[must_use]
    pub fn say(&self, advice: Advice, now: Nanos) -> bool {
        let word = u64::from(advice.level) | u64::from(advice.reason) << 32;
        // ORDER: relaxed: the stamp is for people, and the advice is one word.
        self.cell(SINCE)
            .store(now.get().cast_unsigned(), Ordering::Relaxed);
        self.cell(ADVICE).store(word, Ordering::Relaxed);
        is_same(&self.file, &self.path)
    }

    /// Takes the file away if it says *run*: nothing is forgotten by that. What is said in that moment is said again.
    ///
    /// # Errors
    /// The system.
    pub fn retire(&self, page: &Path) -> Result<(), PageError> {
        if self.advice().level != kill::RUN || !is_same(&self.file, &self.path) {
            return Ok(());
        }
        fs::remove_file(&self.path).map_err(io_error(&self.path, "removing the switch"))?;
        let advice = self.advice();
        while advice.level != kill::RUN && !Self::open(page)?.say(advice, self.since()) {}
        Ok(())
    }
}

/// The file, made where there is none.
fn file_of(path: &Path) -> io::Result<File> {
    let mut open = OpenOptions::new();
    open.read(true)
        .write(true)
        .mode(0o660)
        .custom_flags(open_flags());
    loop {
        // Apart: in a folder that is everybody's the system lets nobody "create" what somebody else has.
        match open.open(path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
        match open.clone().create_new(true).open(path) {
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_kept_and_what_says_run_goes() {
        let folder = crate::shm::place();
        let page = folder.path().join("isotherm.x");
        let engine = Switch::open(&page).unwrap();
        assert_eq!(
            (engine.advice(), engine.since()),
            (Advice::default(), Nanos::ZERO)
        );
        let (level, reason) = (kill::FLATTEN, 7);
        let desk = Switch::open(&page).unwrap();
        assert!(desk.say(Advice { level, reason }, Nanos::new(5)));
        assert_eq!(engine.advice(), Advice { level, reason });
        assert_eq!(
            (engine.advice().name(), engine.since()),
            ("flatten", Nanos::new(5))
        );
        engine.retire(&page).unwrap();
        drop(engine);
        let next = Switch::open(&page).unwrap();
        assert_eq!(next.advice(), Advice { level, reason });
        assert!(desk.say(
            Advice {
                level: 9,
                reason: 0
            },
            Nanos::new(6)
        ));
        assert_eq!(
            next.advice().level,
            kill::FLATTEN,
            "what is not known is the worst"
        );
        assert!(desk.say(Advice::default(), Nanos::new(7)));
        next.retire(&page).unwrap();
        assert!(!Switch::path_of(&page).exists());
        assert!(
            !desk.say(Advice { level, reason }, Nanos::new(8)),
            "nobody will see it"
        );
    }

    #[test]
    fn what_is_no_switch_is_left_alone() {
        let folder = crate::shm::place();
        let page = folder.path().join("isotherm.x");
        for bytes in [vec![1; LINE], vec![0; LINE + 1], b"text".to_vec()] {
            fs::write(Switch::path_of(&page), &bytes).unwrap();
            let fault = Switch::open(&page).unwrap_err();
            assert!(matches!(fault, PageError::NotASwitch(_)), "{fault}");
            assert_eq!(fs::read(Switch::path_of(&page)).unwrap(), bytes);
        }
        fs::remove_file(Switch::path_of(&page)).unwrap();
        std::os::unix::fs::symlink("/dev/null", Switch::path_of(&page)).unwrap();
        assert!(
            Switch::open(&page).is_err(),
            "a link somebody else may have laid"
        );
    }
}
