//! Switch: what people tell all executors of an instance, in a line of text beside its page.
//!
//! The file is the page's name with `.kill` behind it and holds one line: a name of [`kill::NAMES`] and, if wanted, a
//! number that says why (`flatten 7`). `isotherm kill` writes it, and so may a watchdog, an executor or a person with
//! `echo`. No file says *run*. What is there and cannot be understood says *no-new*: somebody meant something. It is
//! heeded when it is root's, the engine's user's or its group's: a folder may be everybody's. It outlives the engine:
//! what was said holds from the next start on, until it is taken back.

use super::page::kill;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes that are read.
const MOST: u64 = 64;

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Advice {
    /// A value of [`kill`]; a greater one means the greatest.
    pub level: u32,
    /// Whatever whoever raised it means by it.
    pub reason: u32,
}

/// Why a switch says less than it was meant to.
#[derive(Debug, thiserror::Error)]
pub enum SwitchFault {
    /// Not a line of a switch.
    #[error(
        "{0:?} is no line of a kill switch (run, no-new or flatten, and a number): it counts as no-new"
    )]
    Line(String),
    /// Of a user who has no say.
    #[error(
        "it is of user {0}, who is neither root nor of the engine's user or group: it is not heeded"
    )]
    Stranger(u32),
    /// The system refused.
    #[error("it cannot be read ({0}): it counts as no-new")]
    Io(#[from] io::Error),
}

impl SwitchFault {
    /// What it counts as.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        let level = match self {
            Self::Stranger(_) => kill::RUN,
            Self::Line(_) | Self::Io(_) => kill::NO_NEW,
        };
        Advice { level, reason: 0 }
    }
}

impl Advice {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        kill::NAMES[(self.level as usize).min(kill::NAMES.len() - 1)]
    }

    /// The advice of a name and a number.
    #[must_use]
    pub fn of(name: &str, reason: u32) -> Option<Self> {
        let level = (0..).zip(kill::NAMES).find(|(_, own)| *own == name)?.0;
        Some(Self { level, reason })
    }

    fn of_line(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?;
        let reason = words.next().map_or(Some(0), |word| word.parse().ok())?;
        match words.next() {
            None => Self::of(name, reason),
            Some(_) => None,
        }
    }

    /// As one word.
    #[must_use]
    pub fn word(self) -> u64 {
        u64::from(self.level) | u64::from(self.reason) << 32
    }

    /// The advice of [`Advice::word`].
    #[must_use]
    pub const fn of_word(word: u64) -> Self {
        Self {
            level: word as u32,
            reason: (word >> 32) as u32,
        }
    }
}

/// Where the switch of a page lies.
#[must_use]
pub fn path_of(page: &Path) -> PathBuf {
    beside(page, ".kill")
}

fn beside(page: &Path, end: &str) -> PathBuf {
    let mut name: OsString = page.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// What the switch of a page says.
///
/// # Errors
/// Why that is not what it was meant to say; [`SwitchFault::advice`] is what it counts as.
pub fn read(page: &Path) -> Result<Advice, SwitchFault> {
    let mut open = OpenOptions::new();
    let open = open.read(true).custom_flags(super::birth::open_flags());
    let file = match open.open(path_of(page)) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Advice::default()),
        file => file?,
    };
    let told = file.metadata()?;
    let users = [0, rustix::process::geteuid().as_raw()];
    if !users.contains(&told.uid()) && told.gid() != rustix::process::getegid().as_raw() {
        return Err(SwitchFault::Stranger(told.uid()));
    }
    let mut line = Vec::new();
    file.take(MOST).read_to_end(&mut line)?;
    let line = String::from_utf8_lossy(&line);
    Advice::of_line(&line).ok_or_else(|| SwitchFault::Line(line.into_owned()))
}

/// Says something else, in one step: nobody reads half of it.
///
/// # Errors
/// The system's.
pub fn write(page: &Path, advice: Advice) -> io::Result<()> {
    let path = path_of(page);
    if advice.level == kill::RUN {
        return match fs::remove_file(path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
            _ => Ok(()),
        };
    }
    let temporary = beside(page, &format!(".kill.{}.new", std::process::id()));
    let line = format!("{} {}\n", advice.name(), advice.reason);
    let done = File::create_new(&temporary).and_then(|mut file| {
        // Read by everybody, whatever the umask: the engine is another user.
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(line.as_bytes())?;
        fs::rename(&temporary, &path)
    });
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    done
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_read_and_no_file_says_run() {
        let folder = crate::shm::place();
        let page = folder.path().join("isotherm.x");
        assert_eq!(read(&page).unwrap(), Advice::default());
        for (name, reason) in [("no-new", 7), ("flatten", u32::MAX)] {
            let advice = Advice::of(name, reason).unwrap();
            write(&page, advice).unwrap();
            assert_eq!(read(&page).unwrap(), advice);
            assert_eq!(
                (Advice::of_word(advice.word()), advice.name()),
                (advice, name)
            );
        }
        write(&page, Advice::default()).unwrap();
        write(&page, Advice::default()).unwrap();
        assert_eq!(read(&page).unwrap(), Advice::default());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_person_writes_is_read_and_what_nobody_understands_opens_nothing() {
        let folder = crate::shm::place();
        let page = folder.path().join("isotherm.x");
        let put = |line: &str| fs::write(path_of(&page), line).unwrap();
        for (line, level, reason) in [
            ("flatten", 2, 0),
            (" no-new\t12 \n", 1, 12),
            ("run 3", 0, 3),
        ] {
            put(line);
            assert_eq!(read(&page).unwrap(), Advice { level, reason }, "{line:?}");
        }
        for line in [
            "",
            "stop",
            "2",
            "flatten now",
            "no-new 1 2",
            "flatten -1",
            &"x".repeat(99),
        ] {
            put(line);
            let fault = read(&page).unwrap_err();
            assert_eq!(fault.advice().level, kill::NO_NEW, "{fault}");
        }
        fs::remove_file(path_of(&page)).unwrap();
        fs::create_dir(path_of(&page)).unwrap();
        assert_eq!(read(&page).unwrap_err().advice().level, kill::NO_NEW);
        fs::remove_dir(path_of(&page)).unwrap();
        std::os::unix::fs::symlink("/dev/null", path_of(&page)).unwrap();
        assert!(
            matches!(read(&page), Err(SwitchFault::Io(_))),
            "a link somebody may have laid"
        );
    }

    #[test]
    fn whoever_has_no_say_is_not_heeded() {
        let folder = crate::shm::place();
        let page = folder.path().join("isotherm.x");
        fs::write(path_of(&page), "flatten").unwrap();
        // Only root can give a file away.
        if std::os::unix::fs::chown(path_of(&page), Some(12_345), Some(12_345)).is_err() {
            return;
        }
        let fault = read(&page).unwrap_err();
        assert_eq!(fault.advice(), Advice::default(), "{fault}");
    }
}
