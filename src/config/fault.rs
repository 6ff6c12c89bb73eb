//! Faults of a configuration: where, which key, what was found, what is allowed, and the nearest
//! right word.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong in a configuration. Prints as `file:line:column: text`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigFault {
    /// Name of the file.
    pub file: String,
    /// Line, from 1; 0 = the file as a whole.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.text);
        }
        let Self {
            file,
            line,
            column,
            text,
        } = self;
        write!(f, "{file}:{line}:{column}: {text}")
    }
}

/// The text being read, to tell places and to quote from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// Line and column of a byte offset, both from 1.
    pub(super) fn place(&self, at: usize) -> (u32, u32) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start..].chars().count() + 1;
        (number(line), number(column))
    }

    /// What stands there, cut to a readable length.
    pub(super) fn quote(&self, span: Range<usize>) -> String {
        const MOST: usize = 40;
        let text = self.text.get(span).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let cut: String = line.chars().take(MOST).collect();
        if cut.len() < text.len() {
            return format!("{cut}…");
        }
        cut
    }

    pub(super) fn fault(&self, at: usize, text: String) -> ConfigFault {
        let (line, column) = self.place(at);
        ConfigFault {
            file: self.file.to_owned(),
            line,
            column,
            text,
        }
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What a setter has against a value.
#[derive(Debug)]
pub(super) struct Complaint {
    /// Where, when it is not the whole value.
    pub(super) span: Option<Range<usize>>,
    /// A remark or the nearest right word, ready to print.
    pub(super) note: Option<String>,
    /// What would have been right.
    pub(super) allowed: String,
}

impl Complaint {
    pub(super) fn new(allowed: impl Into<String>) -> Self {
        Self {
            span: None,
            note: None,
            allowed: allowed.into(),
        }
    }
    pub(super) fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
    /// Adds the nearest of the right words, if one is near.
    pub(super) fn meant<'a>(mut self, word: &str, right: impl Iterator<Item = &'a str>) -> Self {
        self.note = nearest(word, right).map(|right| did_you_mean(&format!("\"{right}\"")));
        self
    }
    /// The text behind "found".
    pub(super) fn tail(&self) -> String {
        match &self.note {
            Some(note) if note.ends_with('?') => format!("; {note} allowed: {}", self.allowed),
            Some(note) => format!("; {note}; allowed: {}", self.allowed),
            None => format!("; allowed: {}", self.allowed),
        }
    }
}

pub(super) fn did_you_mean(right: &str) -> String {
    format!("did you mean {right}?")
}

/// The right word nearest to `word`, if fewer than half its letters are wrong.
pub(super) fn nearest<'a>(word: &str, right: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    right
        .map(|right| {
            let away = strsim::damerau_levenshtein(&lower, &right.to_lowercase());
            (away, right)
        })
        .filter(|(away, right)| away * 2 < right.chars().count().max(2))
        .min_by_key(|(away, _)| *away)
        .map(|(_, right)| right)
}

/// `"a", "b", "c"`.
pub(super) fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words
        .map(|word| format!("\"{word}\""))
        .collect::<Vec<_>>()
        .join(", ")
}
