//! Eye: what the engine's page said of its hot zones, and what became of those that were touched, while tapes are
//! replayed through it.
//!
//! Of every minute are kept the highest and the lowest mark; of a minute at which a mode asks ([`SCORED`]) what the
//! last record before it said of every zone. A touch is told by the page's events, what was thought of it by the last
//! record before. A *hole* is longer than [`HOLE`] without a record of a young mark: the minutes it lies in are not
//! whole, and what became of the zones that were touched then is not known. Log prices `f64`.

use super::SCORED;
use crate::num::Px;
use crate::prove::path;
use crate::shm::record::{
    EVENT_LIFE, EventRecord, HotRecord, NO_E4, OddsRecord, Wide, ZoneRecord, mode_of,
};
use crate::time::Nanos;
use crate::zone::state;

/// Longest silence of the mark that nothing is missed in.
pub const HOLE: Nanos = Nanos::new(10 * Nanos::SECOND.get());

/// A hot zone as a record told it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// Its identity.
    pub id: u32,
    /// Of shorts: above the mark until it is touched.
    pub above: bool,
    /// Number of its state.
    pub state: u8,
    /// Number of its label.
    pub label: u8,
    /// Log price of its near edge.
    pub near: f64,
    /// Its width, log.
    pub width: f64,
    /// Probability of a touch; `None` = not judged.
    pub touch: Option<f64>,
    /// Probability of a run once touched; `None` = not judged.
    pub run: Option<f64>,
}

/// What was said last before a minute.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Number of the minute since the epoch.
    pub at: i64,
    /// Which replay.
    pub turn: u32,
    /// Log price of the mark.
    pub mark: f64,
    /// Sigma of an hour; 0 = not warm.
    pub sigma: f64,
    /// Every hot zone that was listed.
    pub zones: Vec<Told>,
}

/// One minute that was heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    /// Its number since the epoch.
    pub at: i64,
    /// Which replay.
    pub turn: u32,
    /// Highest log price of the mark.
    pub high: f64,
    /// Lowest.
    pub low: f64,
    /// Without a hole.
    pub is_whole: bool,
}

/// What came of a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The mark went through the far edge first.
    Ran,
    /// It went back out over the near edge first.
    Held,
    /// The zone was given up before.
    Over,
    /// Nobody heard the rest.
    Cut,
}

/// One touch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Touch {
    /// When.
    pub at: Nanos,
    /// When it was known what came of it.
    pub end: Nanos,
    /// Which replay.
    pub turn: u32,
    /// The zone as of the last record before; `None` where that did not list it.
    pub zone: Option<Told>,
    /// Sigma of an hour as of that record; 0 = not warm.
    pub sigma: f64,
    /// What came of it.
    pub came: Came,
}

/// Of one mode.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OfMode {
    /// In the order of time.
    pub asked: Vec<Asked>,
    /// In the order of their ends.
    pub touches: Vec<Touch>,
}

/// What was heard of a symbol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// In the order of time, once each.
    pub minutes: Vec<Minute>,
    /// In the order of [`SCORED`].
    pub modes: [OfMode; SCORED.len()],
}

/// The hot zones that a record lists of a mode, with what is thought of each.
fn listed(hot: &HotRecord) -> impl Iterator<Item = (bool, (&ZoneRecord, &OddsRecord))> {
    let above = hot.above.iter().zip(&hot.odds_above);
    let below = hot.below.iter().zip(&hot.odds_below);
    let all = above.map(|zone| (true, zone));
    all.chain(below.map(|zone| (false, zone)))
        .filter(|(_, (zone, _))| zone.high_e10 > 0)
}

fn told((above, (zone, odds)): (bool, (&ZoneRecord, &OddsRecord))) -> Told {
    let [low, high] = [zone.low_e10, zone.high_e10].map(|price| path::ln(Px::new(price)));
    let share = |e4: u16| (e4 != NO_E4).then(|| f64::from(e4) / 1e4);
    Told {
        id: zone.id,
        above,
        state: zone.state,
        label: odds.label,
        near: if above { low } else { high },
        width: high - low,
        touch: share(odds.p_touch_e4),
        run: share(odds.p_run_e4),
    }
}

fn minute(at: Nanos) -> i64 {
    at.get().div_euclid(Nanos::MINUTE.get())
}

/// What a mode's zones were, and which of them are touched.
#[derive(Debug, Default)]
struct Watch {
    zones: Vec<Told>,
    open: Vec<(u32, Touch)>,
    of: OfMode,
}

/// The last record of a young mark.
#[derive(Debug, Clone, Copy)]
struct Last {
    at: Nanos,
    mark: f64,
    sigma: f64,
}

/// Listens to the page of one symbol.
#[derive(Debug, Default)]
pub struct Eye {
    turn: u32,
    last: Option<Last>,
    minutes: Vec<Minute>,
    modes: [Watch; SCORED.len()],
}

impl Eye {
    /// A replay begins; what was said in another is not said in it.
    pub fn begin(&mut self) {
        if let Some(last) = self.last {
            let end = (minute(last.at) + 1) * Nanos::MINUTE.get();
            if end - last.at.get() > HOLE.get() {
                self.tear();
            }
            self.cut(last.at);
        }
        self.turn += 1;
    }

    /// The newest minute is not whole.
    fn tear(&mut self) {
        if let Some(newest) = self.minutes.last_mut() {
            newest.is_whole = false;
        }
    }

    /// Nothing is known of what was said before, nor of what comes of it.
    fn cut(&mut self, now: Nanos) {
        self.last = None;
        for mode in &mut self.modes {
            mode.zones.clear();
            for (_, touch) in mode.open.drain(..) {
                mode.of.touches.push(Touch {
                    end: now,
                    came: Came::Cut,
                    ..touch
                });
            }
        }
    }

    /// Looks whether a hole lies before a moment.
    fn listen(&mut self, now: Nanos) {
        if let Some(last) = self.last
            && now.since(last.at) > HOLE
        {
            self.tear();
            self.cut(now);
        }
    }

    /// Takes a record of the page.
    pub fn take(&mut self, wide: &Wide) {
        let young = i64::from(wide.ages.mark_ms) <= HOLE.get() / 1_000_000;
        if wide.mark_e10 <= 0 || !young {
            return;
        }
        let (now, mark) = (Nanos::new(wide.recv_ns), path::ln(Px::new(wide.mark_e10)));
        self.listen(now);
        let at = minute(now);
        if let Some(last) = self.last.filter(|last| minute(last.at) + 1 == at) {
            for (mode, watch) in SCORED.iter().zip(&mut self.modes) {
                if at % mode.grid == 0 {
                    watch.of.asked.push(Asked {
                        at,
                        turn: self.turn,
                        mark: last.mark,
                        sigma: last.sigma,
                        zones: watch.zones.clone(),
                    });
                }
            }
        }
        let late = now.get() - at * Nanos::MINUTE.get() > HOLE.get();
        let is_whole = self.last.is_some() || !late;
        match self.minutes.last_mut() {
            Some(own) if own.at == at && own.turn == self.turn => {
                own.high = own.high.max(mark);
                own.low = own.low.min(mark);
            }
            _ => self.minutes.push(Minute {
                at,
                turn: self.turn,
                high: mark,
                low: mark,
                is_whole,
            }),
        }
        self.last = Some(Last {
            at: now,
            mark,
            sigma: wide.sigma_1h_q32 as f64 / (1i64 << 32) as f64,
        });
        for (mode, watch) in SCORED.iter().zip(&mut self.modes) {
            watch.zones.clear();
            watch.zones.extend(listed(&wide.hot(mode.number)).map(told));
        }
    }

    /// Takes an event of the page.
    pub fn event(&mut self, event: &EventRecord) {
        if event.kind != EVENT_LIFE {
            return;
        }
        let now = Nanos::new(event.recv_ns);
        self.listen(now);
        let was_touched = event.from == state::TOUCHED;
        let came = match event.to {
            state::TOUCHED => None,
            state::SWEPT => Some(Came::Ran),
            state::APPROACHED if was_touched => Some(Came::Held),
            state::EXPIRED if was_touched => Some(Came::Over),
            _ => return,
        };
        let mode = mode_of(event.zone);
        let Some(scored) = SCORED.iter().position(|of| of.number == mode) else {
            return;
        };
        let watch = &mut self.modes[scored];
        let found = watch.open.iter().position(|(id, _)| *id == event.zone);
        let touch = match found.filter(|_| came.is_some()) {
            Some(at) => watch.open.swap_remove(at).1,
            // Its touch fell into a hole.
            None if was_touched => return,
            None => Touch {
                at: now,
                end: now,
                turn: self.turn,
                zone: watch
                    .zones
                    .iter()
                    .find(|zone| zone.id == event.zone)
                    .copied(),
                sigma: self.last.map_or(0.0, |last| last.sigma),
                came: Came::Cut,
            },
        };
        match came {
            None => watch.open.push((event.zone, touch)),
            Some(came) => watch.of.touches.push(Touch {
                end: now,
                came,
                ..touch
            }),
        }
    }

    /// All that was heard. Of a minute that several tapes hold the first that heard it whole is kept, and so is what
    /// was asked and touched in it.
    #[must_use]
    pub fn close(mut self) -> Heard {
        self.begin();
        let mut minutes = self.minutes;
        minutes.sort_by_key(|minute| (minute.at, !minute.is_whole, minute.turn));
        minutes.dedup_by_key(|minute| minute.at);
        let own = |at: i64, turn: u32| {
            let found = minutes.binary_search_by_key(&at, |minute| minute.at);
            found.is_ok_and(|found| minutes[found].turn == turn)
        };
        let modes = self.modes.map(|watch| {
            let mut of = watch.of;
            of.asked.retain(|asked| own(asked.at, asked.turn));
            of.touches.retain(|touch| own(minute(touch.at), touch.turn));
            of.asked.sort_by_key(|asked| asked.at);
            of.touches.sort_by_key(|touch| touch.end);
            of
        });
        Heard { minutes, modes }
    }
}
