//! Control: the slow thread. REST, handshakes, backoff; never in the way of a feed.
//!
//! A feed asks for a connection through a bounded channel and gets a ready, nonblocking socket back; it goes on
//! polling its channel meanwhile. REST answers travel to the shard through a ring of their own, as any frame does,
//! and are taped there. Reconnects back off exponentially from 100 ms to 30 s; a connection that lived for a minute
//! starts over.

use crate::event::Event;
use crate::feed::taped::{Piece, Taped};
use crate::feed::{Ready, Wish};
use crate::ring::Producer;
use crate::time::{Clock, Nanos};
use crate::venue::lane::Lane;
use crate::wire::socket;
use crossbeam::channel::{Receiver, Sender};
use std::time::{Duration, Instant};

/// One feed as control sees it.
#[derive(Debug)]
pub struct Line {
    /// Where to connect.
    pub url: String,
    /// Where the feed waits for its socket.
    pub ready: Sender<Ready>,
    /// Attempts since the last connection that lived.
    pub attempts: u32,
    /// When it last came up.
    pub since: Option<Instant>,
}

impl Line {
    /// A feed that has not been connected yet.
    #[must_use]
    pub const fn new(url: String, ready: Sender<Ready>) -> Self {
        Self {
            url,
            ready,
            attempts: 0,
            since: None,
        }
    }
}

/// The ring that REST answers take.
#[derive(Debug)]
pub struct RestRing {
    /// Base address, `http://host:port`.
    pub base: String,
    /// Decoder of the answers.
    pub lane: Lane,
    /// To the shard.
    pub events: Producer<Event>,
    /// To the tape.
    pub taped: Taped,
    /// What to ask, path and query.
    pub requests: Vec<String>,
}

/// How often REST tables (instruments, tiers) are asked for again.
const REFRESH: Duration = Duration::from_secs(3_600);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const HEALTHY: Duration = Duration::from_secs(60);

/// The wait before attempt number `attempts` (0 = at once).
#[must_use]
pub fn backoff(attempts: u32) -> Duration {
    match attempts {
        0 => Duration::ZERO,
        n => BACKOFF_FIRST
            .saturating_mul(1 << (n - 1).min(10))
            .min(BACKOFF_MAX),
    }
}

/// Runs until every wish channel is closed or `stop` says so. Messages for people go to `say`.
pub fn run(
    mut lines: Vec<Line>,
    wishes: &Receiver<Wish>,
    mut rest: Option<RestRing>,
    clock: &impl Clock,
    stop: &dyn Fn() -> bool,
    say: &mut dyn FnMut(String),
) {
    let mut due: Vec<(Instant, usize)> = Vec::new();
    let mut rest_due = Instant::now();
    while !stop() {
        if let Some(ring) = rest.as_mut()
            && Instant::now() >= rest_due
        {
            let whole = ask(ring, clock, stop, say);
            rest_due = Instant::now()
                + if whole {
                    REFRESH
                } else {
                    Duration::from_secs(10)
                };
        }
        match wishes.recv_timeout(Duration::from_millis(20)) {
            Ok(wish) => {
                if let Some(line) = lines.get_mut(wish.feed) {
                    if line
                        .since
                        .take()
                        .is_some_and(|since| since.elapsed() > HEALTHY)
                    {
                        line.attempts = 0;
                    }
                    due.push((Instant::now() + backoff(line.attempts), wish.feed));
                    line.attempts = line.attempts.saturating_add(1);
                }
            }
            Err(crossbeam::channel::RecvTimeoutError::Timeout) => {}
            Err(crossbeam::channel::RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        let mut at = 0;
        while at < due.len() {
            if due[at].0 > now {
                at += 1;
                continue;
            }
            let (_, feed) = due.swap_remove(at);
            connect(&mut lines[feed], feed, &mut due, say);
        }
    }
}

fn connect(
    line: &mut Line,
    feed: usize,
    due: &mut Vec<(Instant, usize)>,
    say: &mut dyn FnMut(String),
) {
    match socket::connect(&line.url, CONNECT_TIMEOUT) {
        Ok((stream, early)) => {
            line.since = Some(Instant::now());
            // A feed that is gone no longer wants its socket.
            let _ = line.ready.try_send(Ready { stream, early });
        }
        Err(fault) => {
            let wait = backoff(line.attempts);
            say(format!(
                "feed {feed}: {}: {fault}; trying again in {wait:?}",
                line.url
            ));
            due.push((Instant::now() + wait, feed));
            line.attempts = line.attempts.saturating_add(1);
        }
    }
}

/// Asks every request once; true when all were answered.
fn ask(
    ring: &mut RestRing,
    clock: &impl Clock,
    stop: &dyn Fn() -> bool,
    say: &mut dyn FnMut(String),
) -> bool {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .build()
        .into();
    let mut whole = true;
    for request in &ring.requests {
        let url = format!("{}{request}", ring.base);
        let answer = agent.get(&url).call().and_then(|mut answer| {
            answer
                .body_mut()
                .with_config()
                .limit(64 << 20)
                .read_to_vec()
        });
        let body = match answer {
            Ok(body) => body,
            Err(fault) => {
                say(format!("rest: {url}: {fault}"));
                whole = false;
                continue;
            }
        };
        let recv: Nanos = clock.now();
        let split = u32::try_from(request.len()).unwrap_or(u32::MAX);
        let whole_answer = [request.as_bytes(), &body].concat();
        if !ring.taped.put(Piece::Rest, split, recv, &whole_answer) {
            say("tape: its ring is full, the tape ends here".to_string());
        }
        let faults = ring.lane.counts.faults;
        let events = ring.lane.rest(recv, request, &body);
        while !ring.events.push_all(events) {
            if stop() {
                return whole;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if ring.lane.counts.faults > faults {
            say(format!(
                "rest: {url}: the answer does not fit ({} bytes)",
                body.len()
            ));
            whole = false;
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_to_a_limit() {
        assert_eq!(backoff(0), Duration::ZERO);
        assert_eq!(backoff(1), Duration::from_millis(100));
        assert_eq!(backoff(4), Duration::from_millis(800));
        assert_eq!(backoff(40), BACKOFF_MAX);
    }
}
