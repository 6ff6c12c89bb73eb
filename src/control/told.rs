//! Told: what control knows of venues and faults, as the page shows it.
//!
//! Twice a second the counts of the feeds are summed up by venue and written to the page's margin, with the clocks'
//! offset and the age of every channel; the distinct error log goes there whenever it changed. A venue's clock that
//! jumps is noticed here: the least delay of its messages is compared with the last one. So are frames that could not
//! be read, gaps, and a recording that has stopped, or beside which something went wrong.

use crate::feed::count;
use crate::log::{Level, Log};
use crate::shm::record::{CHANNELS, VenueRecord};
use crate::shm::writer::Margin;
use crate::sync::Tally;
use crate::tape;
use crate::time::Nanos;
use crate::venue::Venue;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// What a venue's feeds missed: the code of its line, and what it counts.
const MISSED: [(&str, &str); 2] = [
    ("frames", "frame(s) that could not be read"),
    ("gaps", "gap(s) in what it told"),
];
/// A venue's clock that moved by more than this between looks was stepped, nanoseconds.
const STEP: i64 = 500_000_000;

/// The feeds of one venue.
#[derive(Debug)]
pub struct Seat {
    /// The venue.
    pub venue: &'static Venue,
    /// What its feeds count.
    pub tallies: Vec<Arc<Tally<{ count::ALL }>>>,
}

/// Keeps the page's margin.
#[derive(Debug)]
pub(super) struct Told {
    seats: Vec<Seat>,
    /// The least delay at the last look, by seat; `i64::MAX` = not known.
    delays: Vec<i64>,
    /// Frames that could not be read and gaps at the last look, by seat.
    missed: Vec<[u64; 2]>,
    /// The least round trip to each venue, by seat; zero = not measured.
    trips: Vec<Nanos>,
    margin: Option<Margin>,
    tape: Arc<tape::Told>,
    /// What was said of the tape: that it stopped, that something beside it went wrong.
    said: [bool; 2],
    looked: Instant,
}

impl Told {
    pub(super) fn new(seats: Vec<Seat>, margin: Option<Margin>, tape: Arc<tape::Told>) -> Self {
        Self {
            // One that could not be begun was said when it was tried.
            said: [tape.failed().is_some(), false],
            tape,
            delays: vec![i64::MAX; seats.len()],
            missed: vec![[0; 2]; seats.len()],
            trips: vec![Nanos::ZERO; seats.len()],
            seats,
            margin,
            looked: Instant::now(),
        }
    }

    /// Notes the least time that a question to a venue and its answer took; zero = none was answered.
    pub(super) fn round_trip(&mut self, seat: usize, least: Nanos) {
        if let Some(trip) = self.trips.get_mut(seat) {
            *trip = least;
        }
    }

    /// Writes what is due; true when a venue's clock was seen to step.
    pub(super) fn turn(&mut self, log: &mut Log) -> u64 {
        if self.looked.elapsed() < EVERY {
            return 0;
        }
        self.looked = Instant::now();
        self.of_the_tape(log);
        let mut steps = 0;
        for (slot, seat) in self.seats.iter().enumerate() {
            let record = seat.record(self.trips[slot]);
            if let Some(margin) = &self.margin {
                margin.venue(slot, &record);
            }
            let missed = [record.faults, record.gaps];
            let before = core::mem::replace(&mut self.missed[slot], missed);
            for ((code, what), (now, before)) in MISSED.iter().zip(missed.iter().zip(before)) {
                if *now > before {
                    let text = format!("{} {what}, {now} since the start", now - before);
                    log.say(Level::Warn, code, seat.venue.name, &text);
                }
            }
            let (before, delay) = (self.delays[slot], seat.delay());
            self.delays[slot] = delay;
            if before != i64::MAX && delay != i64::MAX && (delay - before).abs() > STEP {
                steps += 1;
                let text = format!(
                    "its clock moved by {} ms against ours",
                    (before - delay) / 1_000_000
                );
                log.say(Level::Warn, "clock_step", seat.venue.name, &text);
            }
        }
        if let Some(margin) = &self.margin {
            log.changed(|place, record| margin.error(place, record));
        }
        steps
    }

    /// Says once why the recording has stopped, and what first went wrong beside it.
    fn of_the_tape(&mut self, log: &mut Log) {
        if let (Some(why), false) = (self.tape.failed(), self.said[0]) {
            self.said[0] = true;
            let text = format!("the tape ends here, the engine goes on without it: {why}");
            log.say(Level::Error, "tape", "recording", &text);
        }
        // Of a tape that has stopped it is no news.
        if let (Some(what), [false, false]) = (self.tape.troubled(), self.said) {
            self.said[1] = true;
            let text = format!("the tape goes on, but: {what}");
            log.say(Level::Warn, "tape", "segments", &text);
        }
    }
}

impl Seat {
    fn sum(&self, place: usize) -> u64 {
        self.tallies.iter().map(|tally| tally.get(place)).sum()
    }

    /// The least delay of its feeds, nanoseconds; `i64::MAX` = not known.
    fn delay(&self) -> i64 {
        let delays = self
            .tallies
            .iter()
            .filter(|tally| tally.get(count::FRAMES) > 0);
        let delays = delays.map(|tally| tally.get(count::DELAY) as i64);
        delays.min().unwrap_or(i64::MAX)
    }

    /// `trip` is the least round trip to the venue, zero = not measured.
    fn record(&self, trip: Nanos) -> VenueRecord {
        let feeds = self.tallies.len() as u32;
        let up = self.sum(count::UP) as u32;
        let mut record = VenueRecord {
            up: u32::from(up == feeds),
            feeds_up: up,
            feeds,
            frames: self.sum(count::FRAMES),
            faults: self.sum(count::FAULTS),
            gaps: self.sum(count::GAPS),
            reconnects: self.sum(count::RECONNECTS),
            duplicates: self.sum(count::DUPLICATES),
            ..VenueRecord::new(self.venue.name, self.venue.id.0)
        };
        for (at, heard) in record
            .heard_mono_ns
            .iter_mut()
            .enumerate()
            .take(CHANNELS.len())
        {
            let newest = self
                .tallies
                .iter()
                .map(|tally| tally.get(count::HEARD + at));
            *heard = newest.max().unwrap_or(0) as i64;
        }
        let delay = self.delay();
        if delay != i64::MAX {
            // Its clock less ours: the shortest way here makes it look late by that much. That way is no longer than
            // the shortest there and back, so it is half of that, give or take the half.
            let half = trip.get() / 2;
            record.offset_ns = delay.saturating_neg().saturating_add(half);
            record.offset_error_ns = if half > 0 { half } else { -1 };
        }
        record
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::log::Form;

    pub(in crate::control) fn log() -> Log {
        Log::to(Level::Error, Form::Text, Box::new(std::io::sink()), || {
            Nanos::ZERO
        })
    }

    /// What entered the distinct error log since the last look, with its text where it is of frames or gaps.
    fn kinds(log: &mut Log) -> Vec<String> {
        let mut all = Vec::new();
        log.changed(|_, record| {
            let [code, subject, text] = record.texts();
            all.push(match code == "clock_step" {
                true => format!("{code} {subject}"),
                false => format!("{code} {subject}: {text}"),
            });
        });
        all
    }

    #[test]
    fn a_venue_s_record_sums_its_feeds_and_a_step_is_said() {
        let tally = || Arc::new(Tally::<{ count::ALL }>::default());
        let (one, two) = (tally(), tally());
        for (tally, delay) in [(&one, 3_000_000i64), (&two, 2_000_000)] {
            tally.set(count::FRAMES, 5);
            tally.set(count::UP, 1);
            tally.set(count::DELAY, delay as u64);
        }
        two.set(count::HEARD + 1, 77);
        let venue = crate::venue::by_name("bybit").unwrap();
        let seat = Seat {
            venue,
            tallies: vec![one.clone(), two],
        };
        let record = seat.record(Nanos::ZERO);
        assert_eq!((record.frames, record.feeds_up, record.up), (10, 2, 1));
        assert_eq!(record.offset_error_ns, -1, "no round trip was measured");
        // At best a message came at once, at worst it took the whole 800 us.
        let record = seat.record(Nanos::new(800_000));
        assert_eq!(
            (record.offset_ns, record.offset_error_ns),
            (-1_600_000, 400_000)
        );
        assert_eq!(record.heard_mono_ns, [0, 77, 0, 0]);
        let mut told = Told::new(vec![seat], None, Arc::default());
        let mut log = log();
        let past = || Instant::now().checked_sub(EVERY * 2).unwrap();
        told.looked = past();
        assert_eq!(told.turn(&mut log), 0);
        one.set(count::DELAY, (-2_000_000_000i64) as u64);
        told.looked = past();
        assert_eq!(told.turn(&mut log), 1);
        assert_eq!(kinds(&mut log), ["clock_step bybit"]);
        one.set(count::FAULTS, 2);
        one.set(count::GAPS, 1);
        for _ in 0..3 {
            told.looked = past();
            told.turn(&mut log);
        }
        assert_eq!(
            kinds(&mut log),
            [
                "frames bybit: 2 frame(s) that could not be read, 2 since the start",
                "gaps bybit: 1 gap(s) in what it told, 1 since the start"
            ]
        );
    }
}
