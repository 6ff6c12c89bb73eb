//! Stream: one file as groups in the order of their stamps.
//!
//! Rows may stand out of order, and one row may give groups of two stamps: [`WINDOW`] groups are held, and the earliest
//! of them is the next. A row that is later than that is a fault with file and line, for the order of what was given
//! cannot be mended. A bad row is counted, the first few of an import are named, and a file in which more than one row
//! in a hundred is bad is not what it seems.

use super::form::{Form, Reject, is_head};
use super::input::Lines;
use super::names::Names;
use super::row::{Cuts, Group};
use super::{ImportError, Options};
use crate::time::Nanos;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::path::Path;

/// Groups of a file among which order is made.
pub const WINDOW: usize = 4_096;
/// One bad row in so many is too much.
const BAD_PART: u64 = 100;
/// Bad rows of a file that are named.
const NAMED: usize = 5;

/// A group and its place in the file: what is due first, then earlier rows.
#[derive(Debug)]
struct Waiting {
    group: Group,
    number: u64,
}

impl Waiting {
    fn key(&self) -> ((Nanos, bool), u64) {
        (self.group.due(), self.number)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// What was read of a file so far.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tally {
    /// Rows, the head not among them.
    pub(super) rows: u64,
    /// Rows that did not fit.
    pub(super) bad: u64,
    /// The first few of them, in words.
    pub(super) named: Vec<String>,
    /// Rows that were there already.
    pub(super) duplicates: u64,
    /// Rows of a book before its first image.
    pub(super) early: u64,
}

/// One file.
#[derive(Debug)]
pub(super) struct Stream {
    name: String,
    lines: Lines,
    form: Form,
    /// The first line, when it is a row.
    first: Option<Vec<u8>>,
    cuts: Cuts,
    made: Vec<Group>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    number: u64,
    last: Nanos,
    is_over: bool,
    tally: Tally,
}

impl Stream {
    /// Opens a file and reads its first line.
    ///
    /// # Errors
    /// The machine, or a file of no form of the family.
    pub(super) fn open(path: &Path, file: u64, options: &Options) -> Result<Self, ImportError> {
        let name = path.display().to_string();
        let mut lines = Lines::open(path)?;
        let Some((_, first)) = lines.next_line()? else {
            let why = "it is empty".to_owned();
            return Err(ImportError::Unknown { name, why });
        };
        let form = Form::of(path, file, first, options.family, options.venue)?;
        let first = (!is_head(first)).then(|| first.to_vec());
        Ok(Self {
            name,
            lines,
            form,
            first,
            cuts: Cuts::default(),
            made: Vec::new(),
            waiting: BinaryHeap::with_capacity(WINDOW + 2),
            number: 0,
            last: Nanos::ZERO,
            is_over: false,
            tally: Tally::default(),
        })
    }

    /// Its form, in words.
    pub(super) fn form(&self) -> &'static str {
        self.form.spec.word
    }

    /// The stamp of the next group; `None` when there is none.
    ///
    /// # Errors
    /// As [`Stream::next_group`].
    pub(super) fn next_due(
        &mut self,
        names: &mut Names,
    ) -> Result<Option<(Nanos, bool)>, ImportError> {
        self.fill(names)?;
        Ok(self.waiting.peek().map(|next| next.0.group.due()))
    }

    /// The next group; `None` at the end.
    ///
    /// # Errors
    /// The machine, a row too late for the window, a file of bad rows, what a form refuses.
    pub(super) fn next_group(&mut self, names: &mut Names) -> Result<Option<Group>, ImportError> {
        self.fill(names)?;
        let next = self.waiting.pop().map(|next| next.0.group);
        self.last = next.as_ref().map_or(self.last, |group| group.recv);
        Ok(next)
    }

    /// What was read.
    pub(super) fn tally(self) -> Tally {
        Tally {
            duplicates: self.form.duplicates,
            early: self.form.early,
            ..self.tally
        }
    }

    /// Rows so far.
    pub(super) const fn rows(&self) -> u64 {
        self.tally.rows
    }

    fn fill(&mut self, names: &mut Names) -> Result<(), ImportError> {
        while !self.is_over && self.waiting.len() < WINDOW {
            let first = self.first.take();
            let read = match &first {
                Some(first) => Some((1, first.as_slice())),
                None => self.lines.next_line()?,
            };
            let Some((line, text)) = read else {
                self.is_over = true;
                self.form.end(&mut self.made);
                self.hold()?;
                return self.judge();
            };
            self.tally.rows += 1;
            let (cuts, made) = (&mut self.cuts, &mut self.made);
            match self.form.read(line, text, cuts, names, made) {
                Ok(()) => {}
                Err(Reject::Wrong(wrong)) => {
                    self.tally.bad += 1;
                    if self.tally.named.len() < NAMED {
                        let (name, column, found) = (&self.name, wrong.column, wrong.found);
                        let words = format!("{name}:{line}: {column}: {found:?}");
                        self.tally.named.push(words);
                    }
                }
                Err(Reject::Stop(source)) => {
                    return Err(ImportError::Row {
                        name: self.name.clone(),
                        line,
                        source: Box::new(source),
                    });
                }
            }
            self.hold()?;
        }
        Ok(())
    }

    /// Takes what was made to where it waits.
    fn hold(&mut self) -> Result<(), ImportError> {
        for group in self.made.drain(..) {
            if group.recv < self.last {
                return Err(ImportError::Disorder {
                    name: self.name.clone(),
                    line: group.line,
                    late_ms: self.last.since(group.recv).get() / 1_000_000,
                });
            }
            let number = self.number;
            self.number += 1;
            self.waiting.push(Reverse(Waiting { group, number }));
        }
        Ok(())
    }

    /// Whether the file was one.
    fn judge(&self) -> Result<(), ImportError> {
        if self.tally.bad * BAD_PART <= self.tally.rows {
            return Ok(());
        }
        Err(ImportError::Bad {
            name: self.name.clone(),
            form: self.form(),
            bad: self.tally.bad,
            rows: self.tally.rows,
            first: self.tally.named.first().cloned().unwrap_or_default(),
        })
    }
}
