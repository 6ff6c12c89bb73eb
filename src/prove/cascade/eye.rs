//! Eye: what the engine's page said of cascades, minute by minute, while tapes are replayed through it.
//!
//! Records of the page come a tenth of a second apart. Of a minute is kept the last that stood before its begin, if it
//! is not older than a minute, and the marks within it. The replay learns on its way what the engine learned on its
//! way, from the state its tape began with; how that run ended is not compared: what is asked is what this build says.
//! Log prices `f64`; arrays by holder.

use crate::market::Holder;
use crate::num::Px;
use crate::prove::path;
use crate::shm::record::{CascadeRecord, NO_SHARE, NO_USD, Wide};
use crate::time::Nanos;

/// What a record of the page said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// Log price of the mark.
    pub mark: f64,
    /// Sigma of an hour; `None` = not warm.
    pub sigma: Option<f64>,
    /// The gain of the path; `None` = not known, or no book behind it.
    pub gain: [Option<f64>; 2],
    /// The gain of the nearest hot zone; 0 without one on that side, `None` as before.
    pub zone: [Option<f64>; 2],
    /// Log prices of that zone's near edge and of the end.
    pub end: [Option<[f64; 2]>; 2],
}

/// One minute that was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    /// Its number since the epoch.
    pub at: i64,
    /// What was said last before it.
    pub said: Option<Said>,
    /// Highest log price of the mark within it.
    pub high: f64,
    /// Lowest.
    pub low: f64,
}

fn ln(price: i64) -> Option<f64> {
    (price > 0).then(|| path::ln(Px::new(price)))
}

/// Reads a record; `None` before there is a mark.
#[must_use]
pub fn said(wide: &Wide) -> Option<Said> {
    let mark = ln(wide.mark_e10)?;
    let has_book = wide.bid_e10 > 0 && wide.ask_e10 > 0;
    let has_map = wide.map.long_interval_usd[0] != NO_USD;
    let by = [wide.map.cascade_down, wide.map.cascade_up];
    let e4 = |gain: u32| (has_book && has_map && gain != NO_SHARE).then(|| f64::from(gain) / 1e4);
    let zone = |of: CascadeRecord| match of.zone {
        0 => e4(0),
        _ => e4(of.gain_e4),
    };
    let edge = |of: CascadeRecord| {
        let below = wide.hot_below.iter().map(|zone| (zone.id, zone.high_e10));
        let above = wide.hot_above.iter().map(|zone| (zone.id, zone.low_e10));
        let mut all = below
            .chain(above)
            .filter(|(id, _)| *id != 0 && *id == of.zone);
        all.next().and_then(|(_, price)| ln(price))
    };
    Some(Said {
        mark,
        sigma: (wide.sigma_1h_q32 > 0).then(|| wide.sigma_1h_q32 as f64 / (1i64 << 32) as f64),
        gain: by.map(|of| e4(of.path_gain_e4)),
        zone: by.map(zone),
        end: by.map(|of| zone(of).and(edge(of).zip(ln(of.end_e10)).map(<[f64; 2]>::from))),
    })
}

/// Listens to the page of one symbol.
#[derive(Debug, Default)]
pub struct Eye {
    last: Option<(Nanos, Said)>,
    minutes: Vec<Minute>,
}

impl Eye {
    /// A run begins; what was said in another is not said in it.
    pub const fn begin(&mut self) {
        self.last = None;
    }

    /// Takes a record of the page.
    pub fn take(&mut self, wide: &Wide) {
        let Some(said) = said(wide) else {
            return;
        };
        let now = Nanos::new(wide.recv_ns);
        let at = now.get().div_euclid(Nanos::MINUTE.get());
        let before = self.last.replace((now, said));
        match self.minutes.last_mut() {
            Some(own) if own.at == at => {
                own.high = own.high.max(said.mark);
                own.low = own.low.min(said.mark);
            }
            _ => {
                let begin = at * Nanos::MINUTE.get();
                let is_fresh = |(then, _): &(Nanos, Said)| {
                    begin - then.get() <= Nanos::MINUTE.get() && then.get() < begin
                };
                self.minutes.push(Minute {
                    at,
                    said: before.filter(is_fresh).map(|(_, said)| said),
                    high: said.mark,
                    low: said.mark,
                });
            }
        }
    }

    /// All minutes in the order of time, once each; of one that several tapes hold, that of which more was said.
    #[must_use]
    pub fn close(mut self) -> Vec<Minute> {
        let known = |minute: &Minute| {
            let said = minute.said.map_or([None; 2], |said| said.gain);
            Holder::BOTH.map(|holder| said[holder as usize].is_none())
        };
        let minutes = &mut self.minutes;
        minutes.sort_by_key(|minute| (minute.at, known(minute), minute.said.is_none()));
        minutes.dedup_by_key(|minute| minute.at);
        self.minutes
    }
}
