//! Follow: the historian's look at a live page. It only reads; the engine does not know of it.
//!
//! A page that is torn down or replaced is opened anew, for as long as that takes; a page whose engine is silent shows
//! nothing new and so adds nothing.

use super::HistoryError;
use super::file::{Archive, DEAD_MIN, History};
use super::gather::Gather;
use super::{LEVELS, gather};
use crate::shm::reader::{PageReader, ReadFault};
use crate::time::Nanos;
use std::path::{Path, PathBuf};

/// A page that is read into a history.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    page: Option<Watched>,
    gather: Gather<Archive>,
}

#[derive(Debug)]
struct Watched {
    reader: PageReader,
    /// Snapshots seen of each symbol: how often its pair had been written.
    turns: Vec<u64>,
}

/// What one look brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// There is a page.
    pub present: bool,
    /// Snapshots that were new.
    pub snapshots: u64,
}

impl Follow {
    /// Follows the page at `path`, whether it is there or not, into `archive`.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn new(path: &Path, archive: Archive) -> Self {
        Self {
            path: path.to_path_buf(),
            page: None,
            gather: Gather::new(archive, Vec::new()),
        }
    }

    /// Takes what is new.
    ///
    /// # Errors
    /// When the history cannot be written, or the page is of another version.
    pub fn look(&mut self) -> Result<Looked, HistoryError> {
        if self.page.is_none() {
            self.page = self.open()?;
        }
        // Torn down, replaced, or removed by force.
        self.page = self.page.take().filter(|page| !page.reader.is_replaced());
        let Some(page) = &mut self.page else {
            return Ok(Looked::default());
        };
        let mut looked = Looked {
            present: true,
            snapshots: 0,
        };
        for (symbol, seen) in page.turns.iter_mut().enumerate() {
            match take(&page.reader, symbol, seen, &mut self.gather) {
                Ok(new) => looked.snapshots += u64::from(new),
                // Somebody else's half: the next look will do.
                Err(HistoryError::Page(ReadFault::WriterStalled)) => {}
                Err(HistoryError::Page(ReadFault::Gone)) => {
                    self.page = None;
                    return Ok(Looked::default());
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(looked)
    }

    fn open(&mut self) -> Result<Option<Watched>, HistoryError> {
        let reader = match PageReader::open(&self.path) {
            Ok(reader) => reader,
            Err(ReadFault::Io(_) | ReadFault::Gone | ReadFault::WriterStalled) => return Ok(None),
            Err(fault) => return Err(fault.into()),
        };
        let names: Vec<String> = reader
            .symbols()
            .iter()
            .map(|symbol| symbol.name.clone())
            .collect();
        let turns = vec![0; names.len()];
        let io = |source| HistoryError::Io {
            name: self.path.display().to_string(),
            source,
        };
        let history = self.gather.keep.history()?;
        let is_first = self.gather.columns() == 0;
        self.gather.begin(names.clone()).map_err(io)?;
        if is_first {
            go_on(&mut self.gather, &history, &names)?;
        }
        Ok(Some(Watched { reader, turns }))
    }

    /// Has what was written on the disk, and the file no longer than it must be.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn settle(&mut self) -> Result<(), HistoryError> {
        let io = |source| HistoryError::Io {
            name: "history".to_owned(),
            source,
        };
        self.gather.keep.sync().map_err(io)?;
        self.gather.keep.tidy(DEAD_MIN).map(|_| ())
    }

    /// Writes what is open: the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<Archive, HistoryError> {
        let io = |source| HistoryError::Io {
            name: "history".to_owned(),
            source,
        };
        self.gather.finish().map_err(io)?;
        self.gather.keep.sync().map_err(io)?;
        Ok(self.gather.keep)
    }

    /// Columns written so far.
    #[must_use]
    pub const fn columns(&self) -> u64 {
        self.gather.columns()
    }
}

/// Takes a symbol's snapshot when there is a new one.
fn take(
    reader: &PageReader,
    symbol: usize,
    seen: &mut u64,
    gather: &mut Gather<Archive>,
) -> Result<bool, HistoryError> {
    let turns = reader.snapshot_turns(symbol)?;
    if turns == *seen {
        return Ok(false);
    }
    let io = |source| HistoryError::Io {
        name: "history".to_owned(),
        source,
    };
    let snapshot = reader.snapshot(symbol)?;
    gather.zones(symbol, &reader.wide(symbol)?).map_err(io)?;
    gather.snapshot(symbol, &snapshot).map_err(io)?;
    *seen = turns;
    Ok(true)
}

/// Lets a gatherer go on from what a history holds of its symbols.
///
/// # Errors
/// When the history cannot be read.
pub fn go_on(
    gather: &mut Gather<Archive>,
    history: &History,
    names: &[String],
) -> Result<(), HistoryError> {
    let longest = LEVELS[LEVELS.len() - 1].span;
    for (symbol, name) in names.iter().enumerate() {
        let Some(number) = history.symbols().iter().position(|known| known == name) else {
            continue;
        };
        let Some(newest) = history.newest(number, 0) else {
            continue;
        };
        let from = gather::floor(newest, longest);
        let columns = history.parts(number, 0, from, Nanos::new(i64::MAX))?;
        let mut written = [Nanos::ZERO; LEVELS.len()];
        for (level, written) in written.iter_mut().enumerate() {
            let last = history.parts(number, level, from, Nanos::new(i64::MAX))?;
            *written = last
                .last()
                .map_or(Nanos::ZERO, |column| Nanos::new(column.head.last_ns));
        }
        gather
            .resume(symbol, &columns, written)
            .map_err(|source| HistoryError::Io {
                name: "history".to_owned(),
                source,
            })?;
    }
    Ok(())
}
