//! Switch: looks at what people tell executors, for the shard's thread to show.
//!
//! A slow thread of its own reads the file and keeps what it says in one word, which the shard's thread copies to
//! the page with a heartbeat: a file can be taken away, cut short or replaced at any time, and the hot path must not
//! notice.

use crate::log::{Level, Log};
use crate::shm::switch::{self, Advice};
use crate::sync::{Flag, Tally};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at the file.
const LOOK: Duration = Duration::from_millis(20);

/// What was said last: [`Advice::word`].
pub type Said = Arc<Tally<1>>;

/// The switch of a page.
#[derive(Debug)]
pub struct Watch {
    page: PathBuf,
    said: Said,
    /// What was told of it last.
    told: (Advice, String),
    log: Log,
}

impl Watch {
    /// A switch that has been looked at once: what was said before the start holds.
    #[must_use]
    pub fn new(page: PathBuf, log: Log) -> Self {
        let mut watch = Self {
            page,
            said: Said::default(),
            told: Default::default(),
            log,
        };
        watch.look();
        watch
    }

    /// Where what it says is kept.
    #[must_use]
    pub fn said(&self) -> Said {
        Arc::clone(&self.said)
    }

    fn look(&mut self) {
        let (advice, fault) = match switch::read(&self.page) {
            Ok(advice) => (advice, String::new()),
            Err(fault) => (fault.advice(), fault.to_string()),
        };
        self.said.set(0, advice.word());
        let now = (advice, fault);
        if self.told == now {
            return;
        }
        let path = switch::path_of(&self.page).display().to_string();
        let (advice, fault) = &now;
        if !fault.is_empty() {
            self.log.say(Level::Error, "kill", &path, fault);
        }
        if self.told.0 != *advice {
            // A kind a level: a log that keeps lines of a kind apart shall not keep a change to itself.
            let text = format!("executors are told so, reason {}", advice.reason);
            self.log.say(Level::Warn, "kill", advice.name(), &text);
        }
        self.told = now;
    }

    /// Looks until the flag is up.
    pub fn watch(mut self, stop: &Flag) {
        while !stop.is_up() {
            std::thread::sleep(LOOK);
            self.look();
        }
    }
}
