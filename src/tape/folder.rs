//! Folder: a directory that holds a recording in segments, and what else may lie in it.
//!
//! ```text
//!   000001.tape.zst   a closed segment, compressed
//!   000002.tape       a closed segment that waits for it, or the open one
//!   000002.tape.zst.part   being compressed; worthless when nobody does
//!   000002-00000000000000812345.checkpoint   a state to start from, with the segment it reads on in
//!   index.json        what `index` remembers of the segments: a cache, never the truth
//!   lock              held by the one process that writes here
//! ```
//! Numbers rise and are never used twice; the highest is the open segment or, when nobody records,
//! the last one. A number that stands both plain and compressed is the same segment: whoever
//! compressed it was stopped before the plain file was removed, and the plain file is read.

use super::Error;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// What a plain segment ends in.
const PLAIN: &str = ".tape";
/// What a compressed one ends in.
const PACKED: &str = ".tape.zst";
/// What a file that is not finished ends in.
pub const PART: &str = ".part";
/// What a checkpoint ends in.
const CHECKPOINT: &str = ".checkpoint";
/// The file whose lock makes a process the writer.
const LOCK: &str = "lock";

/// One segment as it lies in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its number in the folder, from 1.
    pub number: u32,
    /// The file to read.
    pub path: PathBuf,
    /// That file is compressed.
    pub is_packed: bool,
}

/// Name of a plain segment.
#[must_use]
pub fn plain_name(number: u32) -> String {
    format!("{number:06}{PLAIN}")
}

/// Name of a compressed segment.
#[must_use]
pub fn packed_name(number: u32) -> String {
    format!("{number:06}{PACKED}")
}

/// The segments of a folder by number. Files with other names are not looked at.
///
/// # Errors
/// The machine.
pub fn segments(folder: &Path) -> Result<Vec<Segment>, Error> {
    let mut found: Vec<Segment> = Vec::new();
    for name in names(folder)? {
        let Some((number, is_packed)) = segment_of(&name) else {
            continue;
        };
        found.push(Segment {
            number,
            path: folder.join(&name),
            is_packed,
        });
    }
    // Of two files of one number the plain one comes first and stays.
    found.sort_by_key(|segment| (segment.number, segment.is_packed));
    found.dedup_by_key(|segment| segment.number);
    Ok(found)
}

/// Names of everything in the folder that is text.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let fail = |source| Error::io(&folder.display().to_string(), source);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        if let Ok(name) = entry.map_err(fail)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

fn segment_of(name: &str) -> Option<(u32, bool)> {
    let (digits, is_packed) = match name.strip_suffix(PACKED) {
        Some(digits) => (digits, true),
        None => (name.strip_suffix(PLAIN)?, false),
    };
    let number = digits.parse().ok().filter(|number| *number > 0)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some((number, is_packed))
}

/// Name of a checkpoint whose tail is read from segment `number` on.
#[must_use]
pub fn checkpoint_name(number: u32, input_seq: u64) -> String {
    format!("{number:06}-{input_seq:020}{CHECKPOINT}")
}

/// The checkpoints of a folder, newest first: number of the segment to read on from, and file.
/// What is in them is not looked at.
///
/// # Errors
/// The machine.
pub fn checkpoints(folder: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    let mut found: Vec<(u32, u64, PathBuf)> = Vec::new();
    for name in names(folder)? {
        let parts = name
            .strip_suffix(CHECKPOINT)
            .and_then(|stem| stem.split_once('-'));
        if let Some((number, seq)) = parts
            && let (Ok(number), Ok(seq)) = (number.parse(), seq.parse())
        {
            found.push((number, seq, folder.join(&name)));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    Ok(found
        .into_iter()
        .map(|(number, _, path)| (number, path))
        .collect())
}

/// The right to write into a folder: one process has it at a time, and a killed one has lost it.
#[derive(Debug)]
pub struct Lock {
    folder: PathBuf,
    /// The folder was made for it.
    is_new: bool,
    _file: File,
}

impl Lock {
    /// Takes it, making the folder if it is not there.
    ///
    /// # Errors
    /// [`Error::Locked`] when somebody has it; the machine.
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let is_new = !folder.exists();
        let fail = |path: &Path, source| Error::io(&path.display().to_string(), source);
        fs::create_dir_all(folder).map_err(|source| fail(folder, source))?;
        let path = folder.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(|source| fail(&path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                // Only for people: who it is may have changed since.
                let _ = file.read_to_string(&mut by);
                let by = by.trim();
                return Err(Error::Locked {
                    name: folder.display().to_string(),
                    by: match by.parse::<u32>() {
                        Ok(process) => format!(" (process {process})"),
                        Err(_) => String::new(),
                    },
                });
            }
            Err(TryLockError::Error(source)) => return Err(fail(&path, source)),
        }
        // Only for people, so a full disk does not matter here.
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self {
            folder: folder.to_path_buf(),
            is_new,
            _file: file,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the folder was made for it.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Gives the folder up and removes it if it was made for this and is empty.
    pub fn discard(self) {
        if self.is_new {
            // What is in the way stays.
            let _ = fs::remove_file(self.folder.join(LOCK));
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_found_by_their_names_and_the_plain_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "000002.tape.zst",
            "000001.tape.zst",
            "000002.tape",
            "1000000.tape",
            "000003.tape.zst.part",
            "000000.tape",
            "+00004.tape",
            "index.json",
            "a.tape",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = segments(folder.path()).unwrap();
        let found: Vec<(u32, bool)> = found.iter().map(|s| (s.number, s.is_packed)).collect();
        assert_eq!(found, [(1, true), (2, false), (1_000_000, false)]);
    }

    #[test]
    fn the_newest_checkpoint_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        for (number, seq) in [(2, 900), (10, 5), (2, 1_000)] {
            fs::write(folder.path().join(checkpoint_name(number, seq)), "").unwrap();
        }
        fs::write(folder.path().join("x-1.checkpoint"), "").unwrap();
        let found = checkpoints(folder.path()).unwrap();
        let numbers: Vec<u32> = found.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [10, 2, 2]);
        assert!(found[1].1.ends_with(checkpoint_name(2, 1_000)));
    }

    #[test]
    fn one_writer_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("deeper");
        let lock = Lock::take(&path).unwrap();
        let error = Lock::take(&path).unwrap_err().to_string();
        let process = format!("(process {})", std::process::id());
        assert!(
            error.contains("another process records in this folder") && error.contains(&process),
            "{error}"
        );
        drop(lock);
        Lock::take(&path).unwrap().discard();
        assert!(path.exists(), "it was there before");
        let fresh = folder.path().join("fresh");
        Lock::take(&fresh).unwrap().discard();
        assert!(!fresh.exists());
    }
}
