//! Outside: external series on their way to the shard.
//!
//! Each datagram is stamped, taped as it came and decoded (`series`); what is good goes to the shard
//! through a ring of its own. What is ignored is counted by its reason, and said once a kind.

use super::{count, push};
use crate::event::Event;
use crate::feed::taped::{Piece, Taped};
use crate::log::{Level, Log};
use crate::ring::Producer;
use crate::series::{Input, Reason};
use crate::sync::Tally;
use crate::time::Clock;

/// The socket of external series and its ring.
#[derive(Debug)]
pub struct Outside {
    /// Where they come in.
    pub input: Input,
    /// To the shard.
    pub events: Producer<Event>,
    /// To the tape.
    pub taped: Taped,
}

impl Outside {
    /// Takes in what has come.
    pub(super) fn turn(
        &mut self,
        clock: &impl Clock,
        tally: &Tally<{ count::ALL }>,
        log: &mut Log,
    ) {
        let before = *self.input.counts();
        while let Some(came) = self.input.next(clock) {
            if !self.taped.put(Piece::Frame, 0, came.recv, came.bytes) {
                let text = "a datagram found no room on its way to the tape: behind, or over; the tape ends here";
                log.say(Level::Error, "tape", "series", text);
            }
            let Ok(event) = came.event else { continue };
            push(&mut self.events, &[event]);
        }
        let counts = self.input.counts();
        tally.set(count::SERIES, counts.taken);
        tally.set(count::SERIES_DROPPED, counts.ignored.iter().sum());
        for (reason, (now, then)) in counts.ignored.iter().zip(before.ignored).enumerate() {
            if *now > then {
                let name = Reason::NAMES.get(reason).map_or("?", |(name, _)| *name);
                let text = format!("{} datagram(s) ignored: {name}", now - then);
                log.say(Level::Warn, "series", name, &text);
            }
        }
    }
}
