//! Control: the slow thread. REST, handshakes, backoff; never in the way of a feed.
//!
//! A feed asks for a connection through a bounded channel and gets a ready, nonblocking socket back; it goes on
//! polling its channel meanwhile. REST answers travel to the shard through a ring of their own, as any frame does,
//! and are taped there. Reconnects back off exponentially from 100 ms to 30 s; a connection that lived for a minute
//! starts over. Of REST at most one request is asked a turn, so that no wish waits for more than one; what failed is
//! asked again later and later, what was answered every hour, and a table's next pages are followed.

use crate::event::Event;
use crate::feed::taped::{Piece, Taped};
use crate::feed::{Ready, Wish};
use crate::ring::Producer;
use crate::time::{Clock, Nanos};
use crate::venue::Venue;
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
    /// Whose answers they are.
    pub venue: &'static Venue,
    /// Decoder of the answers.
    pub lane: Lane,
    /// To the shard.
    pub events: Producer<Event>,
    /// To the tape.
    pub taped: Taped,
    /// What to ask, path and query.
    pub requests: Vec<String>,
}

/// A request that is to be asked.
#[derive(Debug)]
struct Asked {
    path: String,
    due: Instant,
    /// Times it failed since it was last answered.
    fails: u32,
    /// Its number among the pages of one table, 0 = the first.
    page: u32,
}

/// How often REST tables (instruments, tiers) are asked for again.
const REFRESH: Duration = Duration::from_secs(3_600);
/// The wait before a failed request is asked again; doubles to the second.
const RETRY_FIRST: Duration = Duration::from_secs(10);
const RETRY_MAX: Duration = Duration::from_secs(600);
/// Everything of a request, its connection included.
const REST_TIMEOUT: Duration = Duration::from_secs(2);
// LIMIT: pages of one table; a venue that goes on naming next pages is not followed for ever.
const PAGES_MAX: u32 = 64;
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

/// The wait before a request that failed `fails` times (at least once) is asked again.
#[must_use]
pub fn retry(fails: u32) -> Duration {
    RETRY_FIRST
        .saturating_mul(1 << fails.saturating_sub(1).min(10))
        .min(RETRY_MAX)
}

/// Runs until every wish channel is closed or `stop` says so. Messages for people go to `say`.
pub fn run(
    mut lines: Vec<Line>,
    wishes: &Receiver<Wish>,
    rest: Option<RestRing>,
    clock: &impl Clock,
    stop: &dyn Fn() -> bool,
    say: &mut dyn FnMut(String),
) {
    let mut due: Vec<(Instant, usize)> = Vec::new();
    let mut rest = rest.map(Rest::new);
    while !stop() {
        // Feeds first: whatever REST does, one request a turn is all that a wish waits for.
        match wishes.recv_timeout(Duration::from_millis(20)) {
            Ok(wish) => {
                hear(&mut lines, wish, &mut due, say);
                for wish in wishes.try_iter() {
                    hear(&mut lines, wish, &mut due, say);
                }
            }
            Err(crossbeam::channel::RecvTimeoutError::Timeout) => {}
            Err(crossbeam::channel::RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        let mut at = 0;
        while at < due.len() && !stop() {
            if due[at].0 > now {
                at += 1;
                continue;
            }
            let (_, feed) = due.swap_remove(at);
            connect(&mut lines[feed], feed, &mut due, say);
        }
        if let Some(rest) = rest.as_mut()
            && !stop()
        {
            rest.turn(clock, say);
        }
    }
}

/// Notes what a feed wants, or says what it heard.
fn hear(
    lines: &mut [Line],
    wish: Wish,
    due: &mut Vec<(Instant, usize)>,
    say: &mut dyn FnMut(String),
) {
    let feed = match wish {
        Wish::Connection { feed, .. } => feed,
        Wish::Refused { feed, said } => {
            say(format!(
                "feed {feed}: a subscription was refused: {}",
                said.text()
            ));
            return;
        }
    };
    if let Some(line) = lines.get_mut(feed) {
        let lived = line.since.take();
        if lived.is_some_and(|since| since.elapsed() > HEALTHY) {
            line.attempts = 0;
        }
        due.push((Instant::now() + backoff(line.attempts), feed));
        line.attempts = line.attempts.saturating_add(1);
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

/// The requests and their way.
struct Rest {
    ring: RestRing,
    agent: ureq::Agent,
    queue: Vec<Asked>,
}

impl Rest {
    fn new(mut ring: RestRing) -> Self {
        let now = Instant::now();
        let first = |path| Asked {
            path,
            due: now,
            fails: 0,
            page: 0,
        };
        let queue = ring.requests.drain(..).map(first).collect();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(REST_TIMEOUT))
            .build()
            .into();
        Self { ring, agent, queue }
    }

    /// Asks the request that has been due for longest, if one is.
    fn turn(&mut self, clock: &impl Clock, say: &mut dyn FnMut(String)) {
        let due = |asked: &&mut Asked| asked.due <= Instant::now();
        let next = self.queue.iter_mut().filter(due).min_by_key(|a| a.due);
        let Some(asked) = next else { return };
        let mut follow = None;
        match ask(&mut self.ring, &self.agent, &asked.path, clock, say) {
            Ok(next) => {
                asked.fails = 0;
                asked.due = Instant::now() + REFRESH;
                let page = asked.page + 1;
                follow = next
                    .filter(|path| page < PAGES_MAX && *path != asked.path)
                    .map(|path| (path, page));
            }
            Err(fault) => {
                asked.fails = asked.fails.saturating_add(1);
                let wait = retry(asked.fails);
                asked.due = Instant::now() + wait;
                let path = &asked.path;
                say(format!(
                    "rest: {}{path}: {fault}; trying again in {wait:?}",
                    self.ring.base
                ));
            }
        }
        // Where a table's later pages begin is for its first one to say: they are not refreshed themselves.
        self.queue
            .retain(|asked| asked.page == 0 || asked.fails > 0 || asked.due <= Instant::now());
        if let Some((path, page)) = follow
            && self.queue.iter().all(|asked| asked.path != path)
        {
            self.queue.push(Asked {
                path,
                due: Instant::now(),
                fails: 0,
                page,
            });
        }
    }
}

/// Asks once: tapes the answer, decodes it, hands its events over. Gives the request of the next page.
fn ask(
    ring: &mut RestRing,
    agent: &ureq::Agent,
    path: &str,
    clock: &impl Clock,
    say: &mut dyn FnMut(String),
) -> Result<Option<String>, String> {
    let url = format!("{}{path}", ring.base);
    let body = agent
        .get(&url)
        .call()
        .and_then(|mut answer| {
            let body = answer.body_mut().with_config();
            body.limit(64 << 20).read_to_vec()
        })
        .map_err(|fault| fault.to_string())?;
    let recv: Nanos = clock.now();
    let split = u32::try_from(path.len()).unwrap_or(u32::MAX);
    let whole = [path.as_bytes(), &body].concat();
    if !ring.taped.put(Piece::Rest, split, recv, &whole) {
        say("tape: an answer did not fit its ring, the tape ends here".to_string());
    }
    let faults = ring.lane.counts.faults;
    let events = ring.lane.rest(recv, path, &body);
    let some = !events.is_empty();
    // The answer is on the tape, so it must reach the shard, which drains its rings after this thread has ended.
    while !ring.events.push_all(events) {
        if ring.events.is_abandoned() {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let spoiled = ring.lane.counts.faults - faults;
    if let Some(said) = (ring.venue.refusal)(&body) {
        return Err(said);
    }
    if spoiled > 0 && !some {
        return Err(format!("the answer does not fit ({} bytes)", body.len()));
    }
    if spoiled > 0 {
        say(format!("rest: {url}: {spoiled} row(s) do not fit"));
    }
    Ok((ring.venue.next_page)(path, &body))
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
        assert_eq!(retry(1), Duration::from_secs(10));
        assert_eq!(retry(3), Duration::from_secs(40));
        assert_eq!(retry(9), RETRY_MAX);
    }
}
