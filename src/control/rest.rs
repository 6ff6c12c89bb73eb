//! Rest: what is asked of one venue by REST, when, and where the answers go.
//!
//! A queue of requests with due times, one of which is out at a time (`fetch`). Images of books come first, because a
//! book waits for them; then whatever has been due for longest and fits the budget. An answer is taped and decoded on
//! its way to the shard through the venue's own ring; an image, or an answer the feeds' decoders need first (a
//! *primer*), goes to the feed instead, which tapes and decodes it in its own ring.
//! When nothing is due, an account is asked about that trades have named (`accounts`).

mod settle;

use super::accounts::{Accounts, Due};
use super::budget::Budget;
use super::fetch::Fetch;
use super::{count, push};
use crate::event::{Event, FIRST, LAST};
use crate::feed::Handed;
use crate::feed::taped::{Piece, Taped};
use crate::log::{Level, Log};
use crate::ring::Producer;
use crate::sync::Tally;
use crate::time::{Clock, Nanos};
use crate::venue::lane::Lane;
use crate::venue::{Venue, What, instrument_name, texts};
use crate::wire::{https, tls::Trust};
use crossbeam::channel::Sender;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The wait before a failed request is asked again; doubles to the second.
const RETRY_FIRST: Duration = Duration::from_secs(10);
const RETRY_MAX: Duration = Duration::from_secs(600);
/// The wait before a primer that failed is asked again: connections wait for it.
const PRIMER_RETRY: Duration = Duration::from_secs(2);
/// Everything of a request, its connection included.
const REST_TIMEOUT: Duration = Duration::from_secs(2);
/// A host that does not answer is left alone for this long, doubling.
const QUIET_FIRST: Duration = Duration::from_secs(1);
const QUIET_MAX: Duration = Duration::from_secs(10);
/// A later page that failed this often is given up where its first page is asked again anyway.
const PAGE_FAILS: u32 = 4;
/// Images that wait at most; a feed asks again.
const IMAGES_MAX: usize = 1_024;
/// What an image costs of the budget.
const IMAGE_WEIGHT: u32 = 20;

/// The wait before a request that failed `fails` times (at least once) is asked again.
#[must_use]
pub fn retry(fails: u32) -> Duration {
    RETRY_FIRST
        .saturating_mul(1 << fails.saturating_sub(1).min(10))
        .min(RETRY_MAX)
}

/// How long a host is left alone that did not answer after `vain` that were not answered either.
fn quiet(vain: u32) -> Duration {
    QUIET_FIRST.saturating_mul(1 << vain.min(10)).min(QUIET_MAX)
}

/// The ring that a venue's REST answers take.
#[derive(Debug)]
pub struct RestRing {
    /// Base address, `https://host`; empty = this venue is not asked.
    pub base: String,
    /// Whose answers they are.
    pub venue: &'static Venue,
    /// Assets of the plan, in order.
    pub assets: Vec<String>,
    /// Decoder of the answers.
    pub lane: Lane,
    /// To the shard.
    pub events: Producer<Event>,
    /// To the tape.
    pub taped: Taped,
    /// What to ask: what it is, path and query, how often, its weight.
    pub polls: Vec<Poll>,
    /// What is asked from later moments on, in order.
    pub later: Vec<Renamed>,
    /// Our percentage of the venue's budgets.
    pub share: u32,
    /// Sent as User-Agent; empty = the library's.
    pub agent: String,
    /// Events that go before every answer: margin tables of the plan's own file. One group.
    pub given: Vec<Event>,
    /// Whom to trust there.
    pub trust: Trust,
    /// Whom else to ask about; `None` where accounts are not public.
    pub accounts: Option<Accounts>,
}

/// What a venue calls the symbols from a moment on, and what is asked of it then.
#[derive(Debug)]
pub struct Renamed {
    /// The moment, Unix time.
    pub from: Nanos,
    /// Assets, in the plan's order.
    pub assets: Vec<String>,
    /// What to ask, in the order of what it replaces.
    pub polls: Vec<Poll>,
}

/// Something that is asked again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// What for.
    pub what: What,
    /// Path and query, an absolute address, or path, space and the body of a POST.
    pub request: String,
    /// How often; zero = once.
    pub every: Duration,
    /// What it costs.
    pub weight: u32,
    /// Most pages that are asked for.
    pub pages: u32,
}

/// The polls of a venue's row for these assets; history only when it is wanted. Accounts are not among them: whom to
/// ask about is learned from trades.
#[must_use]
pub fn polls(row: &Venue, assets: &[String], history: bool) -> Vec<Poll> {
    row.asks
        .iter()
        .filter(|ask| ask.what != What::Accounts && (history || !ask.what.is_past()))
        .flat_map(|ask| {
            texts::requests(row, ask, assets)
                .into_iter()
                .map(|request| Poll {
                    what: ask.what,
                    request,
                    every: Duration::from_nanos(ask.every.get().max(0).unsigned_abs()),
                    weight: ask.weight,
                    pages: ask.pages,
                })
        })
        .collect()
}

/// A request that is to be asked.
#[derive(Debug)]
struct Asked {
    poll: Poll,
    due: Instant,
    /// Times it failed since it was last answered.
    fails: u32,
    /// Its number among the pages of one table, 0 = the first.
    page: u32,
    /// Pages of the past that came before it and are newer: requests and bodies, told when the oldest is there.
    newer: Vec<(String, Vec<u8>)>,
}

/// A book's image that a feed waits for.
#[derive(Debug)]
struct Image {
    to: Sender<Handed>,
    request: String,
}

/// The requests of a venue and their way.
#[derive(Debug)]
pub(super) struct Rest {
    ring: RestRing,
    fetch: Fetch,
    /// What the answer to is awaited.
    out: Option<Out>,
    /// What is asked, in the row's order.
    polls: Vec<Poll>,
    queue: Vec<Asked>,
    images: Vec<Image>,
    pub(super) budget: Budget,
    /// Requests in a row that the host did not answer, and until when it is left alone.
    vain: u32,
    quiet: Option<Instant>,
    /// Where primers go.
    feeds: Vec<Sender<Handed>>,
    /// Primers that were answered; connections wait for all of them.
    primed: Vec<String>,
    /// Assets whose terms were heard, and whether people were told of the others.
    listed: Vec<bool>,
    told: bool,
    tally: Arc<Tally<{ count::ALL }>>,
    /// When it was made: accounts count from here.
    began: Instant,
}

/// The request that is out.
#[derive(Debug)]
enum Out {
    Poll(Asked),
    Image(Image),
    Account(Due),
    /// Nobody wants its answer any more; it costs this.
    Nothing(u32),
}

impl Asked {
    /// The page behind this one, when it is wanted: next in turn.
    fn behind(&self, request: Option<String>) -> Option<Self> {
        let page = self.page + 1;
        let request = request.filter(|r| page < self.poll.pages && *r != self.poll.request)?;
        let poll = Poll {
            request,
            ..self.poll.clone()
        };
        Some(Self {
            poll,
            due: self.due,
            fails: 0,
            page,
            newer: Vec::new(),
        })
    }
}

impl Rest {
    pub(super) fn new(
        mut ring: RestRing,
        feeds: Vec<Sender<Handed>>,
        now: Instant,
        tally: Arc<Tally<{ count::ALL }>>,
    ) -> Self {
        let mut polls = std::mem::take(&mut ring.polls);
        // What others need first is asked first.
        polls.sort_by_key(|poll| poll.what);
        for later in &mut ring.later {
            later.polls.sort_by_key(|poll| poll.what);
        }
        let queue = polls
            .iter()
            .cloned()
            .enumerate()
            .map(|(at, poll)| Asked {
                poll,
                // In order: of two that are due, the one that has been due for longest goes first.
                due: now + Duration::from_micros(at as u64),
                fails: 0,
                page: 0,
                newer: Vec::new(),
            })
            .collect();
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(REST_TIMEOUT))
            .http_status_as_error(false);
        if !ring.agent.is_empty() {
            config = config.user_agent(ring.agent.as_str());
        }
        Self {
            budget: Budget::new(ring.venue, ring.share, now),
            listed: vec![false; ring.assets.len()],
            told: false,
            began: now,
            tally,
            vain: 0,
            quiet: None,
            fetch: Fetch::new(
                ring.base.clone(),
                ring.venue,
                https::agent(config.build(), &ring.trust),
            ),
            out: None,
            polls,
            queue,
            images: Vec::new(),
            feeds,
            primed: Vec::new(),
            ring,
        }
    }

    /// The venue.
    pub(super) const fn venue(&self) -> &'static Venue {
        self.ring.venue
    }

    /// Name of a symbol by its place in the plan.
    pub(super) fn asset(&self, symbol: usize) -> &str {
        self.ring.assets.get(symbol).map_or("?", String::as_str)
    }

    /// True once connections may be made: their decoders have what they need.
    pub(super) fn is_primed(&self) -> bool {
        self.ring.base.is_empty() || self.primed.len() >= self.ring.venue.primers.len()
    }

    /// Asks for a book's image on behalf of a feed; false when the plan names no address to ask.
    pub(super) fn image(&mut self, symbol: usize, to: &Sender<Handed>) -> bool {
        if self.ring.base.is_empty() {
            return false;
        }
        let (Some(image), Some(asset)) = (self.ring.venue.image, self.ring.assets.get(symbol))
        else {
            return true;
        };
        let Some(instrument) = instrument_name(self.ring.venue.id, asset) else {
            return true;
        };
        let request = image(&instrument);
        let waits = self
            .images
            .iter()
            .any(|known| known.request == request && known.to.same_channel(to));
        // LIMIT: a feed that is not answered asks again.
        if !waits && self.images.len() < IMAGES_MAX {
            self.images.push(Image {
                to: to.clone(),
                request,
            });
        }
        true
    }

    /// Hands over what the plan itself says of contracts.
    pub(super) fn give(&mut self, clock: &impl Clock, log: &mut Log) {
        let venue = self.ring.venue;
        if self.ring.base.is_empty() && !venue.primers.is_empty() {
            let text = "the plan has rest = \"\": contracts' values are never heard, its frames cannot be read";
            log.say(Level::Warn, "no_rest", venue.name, text);
        }
        let mut given = std::mem::take(&mut self.ring.given);
        let recv = clock.now();
        for event in &mut given {
            event.recv = recv;
        }
        match given.as_mut_slice() {
            [] => return,
            [only] => only.bits |= FIRST | LAST,
            [first, .., last] => {
                first.bits |= FIRST;
                last.bits |= LAST;
            }
        }
        let bytes = bytemuck::cast_slice(&given);
        if !self.ring.taped.put(Piece::Events, 0, recv, bytes) {
            let text = "margin tables found no room on their way to the tape: behind, or over; the tape ends here";
            log.say(Level::Error, "tape", self.ring.venue.name, text);
        }
        push(&mut self.ring.events, &given);
    }

    /// From a moment of the plan on asks by other names: contracts' terms at once, and connections wait for what their
    /// decoders need, as at the start.
    pub(super) fn rename(&mut self, clock: &impl Clock, log: &mut Log) {
        let now = clock.now();
        while self.ring.later.first().is_some_and(|next| next.from <= now) {
            let next = self.ring.later.remove(0);
            // What is out speaks of the old names.
            self.out = match self.out.take() {
                Some(Out::Poll(asked)) => {
                    let weight = asked.poll.weight;
                    self.queue.push(asked);
                    Some(Out::Nothing(weight))
                }
                out => out,
            };
            for asked in &mut self.queue {
                let own = |poll: &&Poll| poll.request == asked.poll.request;
                if let Some(at) = self.polls.iter().position(|poll| own(&poll))
                    && let Some(poll) = next.polls.get(at)
                {
                    asked.poll = poll.clone();
                }
                if asked.poll.what == What::Instruments {
                    asked.due = Instant::now();
                }
            }
            let changed = self.ring.assets.iter().zip(&next.assets);
            for (was, is) in changed.filter(|(was, is)| was != is) {
                let text = format!("{was} is called {is} from now on; connections are made anew");
                log.say(Level::Warn, "renamed", self.ring.venue.name, &text);
            }
            (self.ring.assets, self.polls) = (next.assets, next.polls);
            self.primed.clear();
            self.images.clear();
            self.listed.fill(false);
            self.told = false;
        }
    }

    /// The least time between a request and its answer; zero = none came.
    pub(super) const fn round_trip(&self) -> Nanos {
        self.fetch.least()
    }

    /// Takes the answer that came, and sends out the next request that is due and admitted.
    pub(super) fn turn(&mut self, clock: &impl Clock, log: &mut Log) {
        if let Some(out) = self.out.take() {
            match self.fetch.take() {
                None => self.out = Some(out),
                Some(got) => self.settle(out, got, clock, log),
            }
        }
        let now = Instant::now();
        self.hear(log);
        if self.out.is_some()
            || self.ring.base.is_empty()
            || self.quiet.is_some_and(|until| now < until)
        {
            return;
        }
        let Some(mut out) = self.next(now) else {
            return;
        };
        let request = match &mut out {
            Out::Poll(asked) => {
                asked.poll.request = texts::dated(&asked.poll.request, clock.now());
                &asked.poll.request
            }
            Out::Image(image) => &image.request,
            Out::Account(due) => &due.request,
            Out::Nothing(_) => return,
        };
        match self.fetch.ask(request) {
            Ok(()) => self.out = Some(out),
            Err(fault) => self.settle(out, Err(fault), clock, log),
        }
    }

    /// What is to be asked now; taken out of what waits.
    fn next(&mut self, now: Instant) -> Option<Out> {
        if !self.images.is_empty() {
            let admitted = self.budget.admits(IMAGE_WEIGHT, now);
            return admitted.then(|| Out::Image(self.images.remove(0)));
        }
        // Connections wait for primers, so nothing goes before them.
        let primed = self.is_primed();
        let primers = self.ring.venue.primers;
        let first = |asked: &Asked| primed || primers.contains(&asked.poll.request.as_str());
        let at = self
            .queue
            .iter()
            .enumerate()
            .filter(|(_, asked)| asked.due <= now && first(asked))
            .min_by_key(|(_, asked)| asked.due)
            .map(|(at, _)| at);
        let Some(at) = at else {
            return self.next_account(now);
        };
        let admitted = self.budget.admits(self.queue[at].poll.weight, now);
        admitted.then(|| Out::Poll(self.queue.swap_remove(at)))
    }

    /// Notes who traded.
    fn hear(&mut self, log: &mut Log) {
        let Some(accounts) = &mut self.ring.accounts else {
            return;
        };
        let before = accounts.overflown;
        accounts.hear();
        if accounts.overflown != before {
            let text = "owners of trades came faster than they were noted: some are met later";
            log.say(Level::Warn, "accounts", self.ring.venue.name, text);
        }
    }

    /// Time since it was made, which accounts count by.
    fn age(&self) -> Nanos {
        Nanos::new(i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX))
    }

    /// The account to ask about, when nothing else is due.
    fn next_account(&mut self, now: Instant) -> Option<Out> {
        let at = self.age();
        let accounts = self.ring.accounts.as_ref()?;
        let admitted = self.budget.admits(accounts.weight, now);
        let due = accounts.next(at).filter(|_| admitted)?;
        Some(Out::Account(due))
    }
}

#[cfg(test)]
pub(super) mod tests;
