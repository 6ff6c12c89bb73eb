//! Control: the slow thread. REST, connections, backoff, budgets; never in the way of a feed.
//!
//! A feed asks for a connection through a bounded channel and gets a ready, nonblocking socket back; it goes on
//! polling meanwhile. Names, TCP, TLS and handshakes run on a thread of the attempt's own, so that a host that does not
//! answer holds up nobody. Attempts that fail are repeated after a wait that doubles from 100 ms to 30 s, with jitter
//! so that many connections lost at once do not all come back at once; a connection that lived for a minute starts
//! over. No venue is connected to, or asked by REST, more often than it admits (`budget`). Of REST one request a
//! venue is out at a time, on a thread of the venue's own (`fetch`): nothing here waits for an answer. Answers travel
//! to the shard through a ring of the venue's own and are taped there (`rest`). Where accounts are public, those that
//! trade are asked about (`accounts`).

pub mod accounts;
mod budget;
mod fetch;
mod outside;
mod rest;
mod told;

pub use outside::Outside;
pub use rest::{Poll, Renamed, RestRing, polls, retry};
pub use told::Seat;

use crate::event::Event;
use crate::feed::{Handed, Ready, Wish};
use crate::log::{Level, Log};
use crate::ring::Producer;
use crate::shm::writer::Margin;
use crate::sync::Tally;
use crate::time::{Clock, Nanos, WallClock, mono_now};
use crate::wire::socket::{Attempt, SocketFault, Target};
use crate::wire::tls::Trust;
use crossbeam::channel::{Receiver, Sender, TrySendError};
use rest::Rest;
use std::sync::Arc;
use std::time::{Duration, Instant};
use told::Told;

/// One leg of a feed as control sees it.
#[derive(Debug)]
pub struct Line {
    /// The feed's number.
    pub feed: usize,
    /// The leg, 0 or 1.
    pub leg: usize,
    /// The venue's place among the [`RestRing`]s.
    pub venue: usize,
    /// Where to connect, and how.
    pub target: Target,
    /// Whom to trust there.
    pub trust: Trust,
    /// Where the feed waits for its socket.
    pub handed: Sender<Handed>,
}

/// A line and where its connection stands.
#[derive(Debug)]
struct Way {
    line: Line,
    /// Attempts since the last connection that lived.
    attempts: u32,
    /// When it last came up.
    since: Option<Instant>,
    /// When it is to be tried.
    due: Option<Instant>,
    trying: Option<Attempt>,
}

const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const HEALTHY: Duration = Duration::from_secs(60);
/// The wall clock is compared with the monotonic one this often; a difference beyond `STEP` is a step.
const LOOK: Duration = Duration::from_secs(1);
const STEP: Nanos = Nanos::new(50_000_000);

/// The wait before attempt number `attempts` (0 = at once), without jitter.
#[must_use]
pub fn backoff(attempts: u32) -> Duration {
    match attempts {
        0 => Duration::ZERO,
        n => BACKOFF_FIRST
            .saturating_mul(1 << (n - 1).min(10))
            .min(BACKOFF_MAX),
    }
}

/// Between half of a wait and all of it, by a number that differs from one connection and moment to the next.
fn jittered(wait: Duration, line: &Line) -> Duration {
    let mix = (mono_now().get().unsigned_abs() ^ (line.feed * 2 + line.leg) as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let part = ((wait / 2).as_nanos() * u128::from(mix >> 44)) >> 20;
    wait / 2 + Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}

/// Notices steps of the wall clock: it and the monotonic one must go on together.
#[derive(Debug)]
struct Steps {
    offset: Nanos,
    looked: Instant,
}

impl Steps {
    fn offset() -> Nanos {
        WallClock.now().since(mono_now())
    }
    fn new() -> Self {
        Self {
            offset: Self::offset(),
            looked: Instant::now(),
        }
    }
    /// The step since the last look, if there was one.
    fn look(&mut self, now: Instant) -> Option<Nanos> {
        if now.duration_since(self.looked) < LOOK {
            return None;
        }
        self.looked = now;
        let offset = Self::offset();
        let step = offset.since(self.offset);
        self.offset = offset;
        (step.get().abs() > STEP.get()).then_some(step)
    }
}

/// Everything the control thread owns.
#[derive(Debug)]
pub struct Control {
    /// Every leg of every feed.
    pub lines: Vec<Line>,
    /// One a venue.
    pub venues: Vec<RestRing>,
    /// What feeds want.
    pub wishes: Receiver<Wish>,
    /// One a venue, in the page's order.
    pub seats: Vec<Seat>,
    /// External series, when the plan has any.
    pub outside: Option<Outside>,
    /// Where people are told.
    pub log: Log,
    /// The page's part that is written here.
    pub margin: Option<Margin>,
    /// What is known of the recording.
    pub tape: Arc<crate::tape::Told>,
    /// What it counts.
    pub tally: Arc<Tally<{ count::ALL }>>,
}

/// Places of control's [`Tally`].
pub mod count {
    /// REST requests that failed or were refused.
    pub const REST_REFUSED: usize = 0;
    /// Answers that said we ask too much.
    pub const RATE_LIMITED: usize = 1;
    /// Steps of our wall clock or a venue's.
    pub const CLOCK_STEPS: usize = 2;
    /// 1 once our wall clock was stepped.
    pub const STEPPED: usize = 3;
    /// Values of external series taken in.
    pub const SERIES: usize = 4;
    /// Datagrams of external series that were ignored.
    pub const SERIES_DROPPED: usize = 5;
    /// How many there are.
    pub const ALL: usize = 6;
}

/// Runs until every wish channel is closed or `stop` says so.
pub fn run(control: Control, clock: &impl Clock, stop: &dyn Fn() -> bool) {
    let Control {
        lines,
        venues,
        wishes,
        seats,
        mut outside,
        mut log,
        margin,
        tape,
        tally,
    } = control;
    let now = Instant::now();
    let mut rests: Vec<Rest> = venues
        .into_iter()
        .enumerate()
        .map(|(venue, ring)| {
            let first_legs = lines
                .iter()
                .filter(|line| line.venue == venue && line.leg == 0);
            let feeds = first_legs.map(|line| line.handed.clone()).collect();
            Rest::new(ring, feeds, now, Arc::clone(&tally))
        })
        .collect();
    let mut ways: Vec<Way> = lines
        .into_iter()
        .map(|line| Way {
            line,
            attempts: 0,
            since: None,
            due: None,
            trying: None,
        })
        .collect();
    let (mut steps, mut told) = (Steps::new(), Told::new(seats, margin, tape));
    for rest in &mut rests {
        rest.give(clock, &mut log);
    }
    while !stop() {
        // Feeds first.
        match wishes.recv_timeout(Duration::from_millis(20)) {
            Ok(wish) => {
                hear(&mut ways, &mut rests, wish, &mut log);
                for wish in wishes.try_iter() {
                    hear(&mut ways, &mut rests, wish, &mut log);
                }
            }
            Err(crossbeam::channel::RecvTimeoutError::Timeout) => {}
            Err(crossbeam::channel::RecvTimeoutError::Disconnected) => return,
        }
        // Before a connection is made: who asks for one because of a rename finds its decoder's answers asked for.
        for rest in &mut rests {
            rest.rename(clock, &mut log);
        }
        for way in &mut ways {
            if let Some(rest) = rests.get_mut(way.line.venue) {
                way.turn(rest, &mut log);
            }
        }
        for (seat, rest) in rests.iter_mut().enumerate() {
            rest.turn(clock, &mut log);
            told.round_trip(seat, rest.round_trip());
        }
        if let Some(outside) = outside.as_mut() {
            outside.turn(clock, &tally, &mut log);
        }
        tally.add(count::CLOCK_STEPS, told.turn(&mut log));
        if let Some(step) = steps.look(Instant::now()) {
            tally.add(count::CLOCK_STEPS, 1);
            tally.set(count::STEPPED, 1);
            let text = format!(
                "the wall clock stepped by {} ms; nothing here depends on it, the names of new recordings do",
                step.get() / 1_000_000
            );
            log.say(Level::Warn, "clock_step", "this host", &text);
        }
    }
}

/// Hands a group to the shard: it is on the tape, so it must reach it. The shard drains its rings after this thread
/// has ended; one that is gone takes nothing any more.
fn push(ring: &mut Producer<Event>, group: &[Event]) {
    while !ring.push_all(group) && !ring.is_abandoned() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Notes what a feed wants, or says what it heard.
fn hear(ways: &mut [Way], rests: &mut [Rest], wish: Wish, log: &mut Log) {
    let feed_name = |feed: usize| format!("feed {feed}");
    match wish {
        Wish::Connection { feed, leg, .. } => {
            if let Some(way) = find(ways, feed, leg) {
                let lived = way.since.take();
                if lived.is_some_and(|since| since.elapsed() > HEALTHY) {
                    way.attempts = 0;
                }
                way.later();
            }
        }
        Wish::Image { feed, symbol } => {
            if let Some(way) = find(ways, feed, 0)
                && let Some(rest) = rests.get_mut(way.line.venue)
                && !rest.image(symbol, &way.line.handed)
            {
                let text = format!(
                    "the plan has rest = \"\": the image of {} cannot be asked for, its book stays untrusted",
                    rest.asset(symbol)
                );
                log.say(Level::Warn, "no_rest", rest.venue().name, &text);
            }
        }
        Wish::Refused { feed, said } => {
            let text = format!("a subscription was refused: {}", said.text());
            log.say(Level::Warn, "refused", &feed_name(feed), &text);
        }
        Wish::Down { feed, leg, reason } => {
            let text = format!("leg {}: connection down: {reason}", leg_name(leg));
            log.say(Level::Warn, "down", &feed_name(feed), &text);
        }
        Wish::Silent {
            feed,
            stream,
            symbol,
        } => {
            let asset = find(ways, feed, 0)
                .and_then(|way| rests.get(way.line.venue))
                .map_or("?", |rest| rest.asset(symbol));
            let text =
                format!("{stream:?} of {asset} was subscribed to, acknowledged, and stays silent");
            log.say(Level::Warn, "silent", &feed_name(feed), &text);
        }
        // Its memory is released here.
        Wish::Spent(answer) => drop(answer),
    }
}

fn find(ways: &mut [Way], feed: usize, leg: usize) -> Option<&mut Way> {
    ways.iter_mut()
        .find(|way| way.line.feed == feed && way.line.leg == leg)
}

const fn leg_name(leg: usize) -> &'static str {
    if leg == 0 { "A" } else { "B" }
}

impl Way {
    /// To be tried after the wait that is due; answers the wait.
    fn later(&mut self) -> Duration {
        let wait = jittered(backoff(self.attempts), &self.line);
        self.due = Some(Instant::now() + wait);
        self.attempts = self.attempts.saturating_add(1);
        wait
    }

    /// Begins what is due, and hands over what is ready.
    fn turn(&mut self, rest: &mut Rest, log: &mut Log) {
        if let Some(attempt) = self.trying.as_mut() {
            if let Some(outcome) = attempt.poll() {
                self.trying = None;
                self.settle(outcome, rest, log);
            }
            return;
        }
        let now = Instant::now();
        // A decoder that does not know contracts' values yet would have to throw everything away.
        if self.due.is_some_and(|due| due <= now) && rest.is_primed() && rest.budget.connect(now) {
            self.due = None;
            self.trying = Some(Attempt::start(
                self.line.target.clone(),
                &self.line.trust,
                CONNECT_TIMEOUT,
            ));
        }
    }

    fn settle(
        &mut self,
        outcome: Result<(crate::wire::socket::Stream, Vec<u8>), SocketFault>,
        rest: &mut Rest,
        log: &mut Log,
    ) {
        let (feed, leg) = (self.line.feed, self.line.leg);
        match outcome {
            Ok((stream, early)) => {
                let ready = Handed::Ready(Ready { leg, stream, early });
                match self.line.handed.try_send(ready) {
                    Ok(()) => {
                        self.since = Some(Instant::now());
                        let (venue, leg) = (rest.venue().name, leg_name(leg));
                        let text =
                            format!("{venue}, leg {leg}: connected to {}", self.line.target.url);
                        log.say(Level::Info, "up", &format!("feed {feed}"), &text);
                    }
                    // The feed has asked once and waits: without this its leg would stay down for ever.
                    Err(TrySendError::Full(_)) => {
                        let wait = self.later();
                        let leg = leg_name(leg);
                        let text = format!(
                            "leg {leg}: takes nothing; its connection is dropped and made again in {wait:?}"
                        );
                        log.say(Level::Warn, "full", &format!("feed {feed}"), &text);
                    }
                    // A feed that is gone no longer wants its socket.
                    Err(TrySendError::Disconnected(_)) => {}
                }
            }
            Err(fault) => {
                let mut wait = self.later();
                if let SocketFault::Refused {
                    status: status @ (403 | 418 | 429 | 451),
                    retry_after,
                    ..
                } = fault
                {
                    // The whole address is meant: nothing else is tried there meanwhile.
                    wait = rest
                        .budget
                        .turned_away(status, retry_after, Instant::now())
                        .max(wait);
                    self.due = Some(Instant::now() + wait);
                }
                let (venue, leg) = (rest.venue().name, leg_name(leg));
                let text = format!(
                    "{venue}, leg {leg}: {}: {fault}; trying again in {wait:?}",
                    self.line.target.url
                );
                log.say(Level::Warn, "connect", &format!("feed {feed}"), &text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(handed: Sender<Handed>) -> Line {
        Line {
            feed: 3,
            leg: 1,
            venue: 0,
            target: Target::new("ws://localhost/"),
            trust: Trust::new(&[]).unwrap(),
            handed,
        }
    }

    #[test]
    fn a_connection_that_its_feed_cannot_take_is_made_again() {
        let (handed, _keep) = crossbeam::channel::bounded(1);
        let mut way = Way {
            line: line(handed),
            attempts: 0,
            since: None,
            due: None,
            trying: None,
        };
        let (mut rest, mut log) = (rest::tests::rest("http://127.0.0.1:1"), told::tests::log());
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut settle = |way: &mut Way| {
            let socket = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
            let stream = crate::wire::socket::Stream::Plain(socket);
            way.settle(Ok((stream, Vec::new())), &mut rest, &mut log);
        };
        settle(&mut way);
        assert_eq!(way.due, None);
        settle(&mut way);
        assert!(way.due.is_some(), "nobody asks for it again");
    }

    #[test]
    fn backoff_doubles_to_a_limit() {
        assert_eq!(backoff(0), Duration::ZERO);
        assert_eq!(backoff(1), Duration::from_millis(100));
        assert_eq!(backoff(4), Duration::from_millis(800));
        assert_eq!(backoff(40), BACKOFF_MAX);
    }

    #[test]
    fn jitter_stays_between_half_and_all() {
        let (handed, _keep) = crossbeam::channel::bounded(1);
        let line = line(handed);
        for _ in 0..1_000 {
            let wait = jittered(Duration::from_secs(10), &line);
            assert!((Duration::from_secs(5)..=Duration::from_secs(10)).contains(&wait));
        }
    }
}
