//! Steer: what a feed decides now and then. Which legs are wanted and which is too old, who is silent, which books are
//! asked for anew.

use super::line::{Line, Silence};
use super::{ASK, ASK_AGAIN, ASK_DOUBLINGS, Feed, Memory, SETTLE, SILENT, Wish, count};
use crate::event::Stream;
use crate::time::{Clock, Nanos};

impl<C: Clock> Feed<C> {
    /// A contract has another name from now on: connections are made anew, and subscribe to that. Once in months, so
    /// the memory of the old texts is released here.
    pub(super) fn rename(&mut self, memory: &mut Memory) {
        let (_, script) = self.script.later.remove(0);
        let later = core::mem::replace(&mut self.script, script);
        self.script.later = later.later;
        for leg in 0..2 {
            if memory.lines[leg].is_up() {
                self.down(memory, leg, "a contract has another name from now on");
            }
        }
    }

    /// Asks for the connections that are wanted, and lets the old one go when the new one has taken over.
    pub(super) fn steer(&mut self, memory: &mut Memory, now: Nanos) {
        let (current, other) = (memory.current, 1 - memory.current);
        let up = [memory.lines[0].is_up(), memory.lines[1].is_up()];
        if self.script.pair {
            for leg in 0..2 {
                if !up[leg] {
                    self.wish(&mut memory.lines[leg], leg);
                } else if self.is_old(&memory.lines[leg], leg, now) && up[1 - leg] {
                    self.down(memory, leg, "replaced before its lifetime ends");
                    return;
                }
            }
            return;
        }
        match (up[current], up[other]) {
            (false, false) => self.wish(&mut memory.lines[current], current),
            (false, true) => memory.current = other,
            (true, false) => {
                if self.is_old(&memory.lines[current], current, now) {
                    self.wish(&mut memory.lines[other], other);
                }
            }
            (true, true) => {
                let new = &memory.lines[other];
                let late = now.since(new.since) > SETTLE && new.data_at > new.since;
                if new.is_complete(&self.script) && now.since(new.since) > ASK || late {
                    self.tally.add(count::SWITCHES, 1);
                    memory.current = other;
                    self.down(memory, current, "replaced before its lifetime ends");
                }
            }
        }
    }

    /// True when a connection should be replaced: the venue has said that it will close it, or it is past nine tenths
    /// of its lifetime, feeds and legs spread over the last of them.
    fn is_old(&self, line: &Line, leg: usize, now: Nanos) -> bool {
        let life = self.script.lifetime.get();
        let spread = life / 400 * ((self.number * 2 + leg) as i64 % 20);
        line.leaving || life != 0 && now.since(line.since).get() > life / 10 * 9 + spread
    }

    fn wish(&self, line: &mut Line, leg: usize) {
        if line.wished {
            return;
        }
        // A full channel is tried again at the next look.
        line.wished = self
            .wishes
            .try_send(Wish::Connection {
                feed: self.number,
                leg,
                spent: core::mem::take(&mut line.early),
            })
            .is_ok();
    }

    /// Looks for silence on a leg.
    pub(super) fn judge(&mut self, memory: &mut Memory, leg: usize, now: Nanos) {
        let line = &mut memory.lines[leg];
        let every = self.script.ping_every;
        let quiet = now.since(line.bytes_at).get();
        if every != Nanos::ZERO && quiet >= every.get().saturating_mul(SILENT) {
            return self.down(memory, leg, "no byte came for three pings");
        }
        if let Some((stream, symbol)) = line.mend(now, self.refusals(), &self.script) {
            self.renew(line, leg, stream, symbol);
        }
        match line.silent(now, &self.script) {
            None => {}
            Some(Silence::Connection) => self.down(memory, leg, "no data came"),
            Some(Silence::GiveUp(stream, symbol)) => {
                let _ = self.wishes.try_send(Wish::Silent {
                    feed: self.number,
                    stream,
                    symbol,
                });
                self.down(memory, leg, "a subscription stays silent");
            }
            Some(Silence::Renew(stream, symbol)) => self.renew(line, leg, stream, symbol),
        }
    }

    /// Subscribes to one stream of one symbol anew.
    fn renew(&mut self, line: &mut Line, leg: usize, stream: Stream, symbol: usize) {
        self.tally.add(count::RENEWED, 1);
        let at = (stream as usize).saturating_sub(1) & 3;
        let Some(renew) = self.script.renew.get_mut(symbol) else {
            return;
        };
        let texts = core::mem::take(&mut renew[at]);
        for text in &texts {
            self.send(line, leg, text.as_bytes());
        }
        self.script.renew[symbol][at] = texts;
    }

    /// Asks anew for the books that broke, each at most once a second: a venue that keeps sending what does not fit
    /// must not be flooded with our subscriptions. A book that still waits for its image is asked for after ten, then
    /// ever less often: the venue may have refused, or what it sent may not have fitted.
    pub(super) fn resync(&mut self, memory: &mut Memory, now: Nanos) -> bool {
        let leg = match (memory.lines[0].is_up(), memory.lines[1].is_up()) {
            (true, true) => memory.current,
            (true, false) => 0,
            (false, true) => 1,
            (false, false) => return false,
        };
        let mut asked = false;
        let look = now.since(memory.asked) >= ASK;
        if look {
            memory.asked = now;
        }
        for symbol in 0..memory.resynced.len() {
            let since = now.since(memory.resynced[symbol]);
            let broke = self.lane.resync().get(symbol).is_some_and(|wanted| *wanted);
            let due = if broke {
                memory.vain[symbol] = 0;
                since >= ASK
            } else if look && self.lane.waits(symbol) {
                since.get() >= ASK_AGAIN.get() << memory.vain[symbol]
            } else {
                false
            };
            if due && self.renew_book(&mut memory.lines[leg], leg, symbol) {
                let vain = &mut memory.vain[symbol];
                *vain = if broke {
                    0
                } else {
                    (*vain + 1).min(ASK_DOUBLINGS)
                };
                memory.resynced[symbol] = now;
                asked = true;
            }
        }
        asked
    }

    /// Asks for a book; false when that has to wait.
    fn renew_book(&mut self, line: &mut Line, leg: usize, symbol: usize) -> bool {
        if self.script.images {
            let wish = Wish::Image {
                feed: self.number,
                symbol,
            };
            if self.wishes.try_send(wish).is_err() {
                return false;
            }
            self.tally.add(count::IMAGES, 1);
        } else {
            let Some(resync) = self.script.resync.get_mut(symbol) else {
                return false;
            };
            if resync.is_empty() {
                return false;
            }
            let texts = core::mem::take(resync);
            for text in &texts {
                self.send(line, leg, text.as_bytes());
            }
            self.script.resync[symbol] = texts;
        }
        if let Some(wanted) = self.lane.resync().get_mut(symbol) {
            *wanted = false;
        }
        true
    }
}
