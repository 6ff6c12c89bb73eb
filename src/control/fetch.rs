//! Fetch: the thread that asks one venue by HTTP, one request at a time.
//!
//! Every venue has its own, so that a host that is slow, or does not answer until its time is up, holds up nobody
//! else: not another venue's answers, not a feed's wish. It knows a base address and nothing of what is asked; what an
//! answer means, what it costs and when the next one goes out is `rest`'s. The least time that an answer took bounds
//! how long a message is on its way here. The thread ends when its owner does; a request that is out then is let go.

use crate::time::Nanos;
use crate::venue::Venue;
use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded};
use std::time::{Duration, Instant};

/// Largest answer: the contracts of a large venue are a few MiB.
const BODY_MAX: u64 = 64 << 20;

/// An answer and what it says of the budget.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) status: u16,
    pub(super) used: Option<u64>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// What a request came to; its time counts when it was answered.
type Outcome = (Result<Fetched, String>, Duration);

/// Where a venue is asked.
#[derive(Debug, Clone)]
struct Host {
    base: String,
    venue: &'static Venue,
    http: ureq::Agent,
}

/// The thread of one venue, and the way to it.
#[derive(Debug)]
pub(super) struct Fetch {
    host: Host,
    /// While the thread lives.
    way: Option<(Sender<String>, Receiver<Outcome>)>,
    /// The least time of an answer; zero = none came.
    least: Nanos,
}

impl Fetch {
    pub(super) const fn new(base: String, venue: &'static Venue, http: ureq::Agent) -> Self {
        Self {
            host: Host { base, venue, http },
            way: None,
            least: Nanos::ZERO,
        }
    }

    /// The least time between a request and its answer; zero = none came.
    pub(super) const fn least(&self) -> Nanos {
        self.least
    }

    /// Sends a request out; its outcome is taken with [`Fetch::take`] before the next one is sent.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub(super) fn ask(&mut self, request: &str) -> Result<(), String> {
        if self.way.is_none() {
            self.way = Some(self.host.start()?);
        }
        let sent = self
            .way
            .as_ref()
            .is_some_and(|(ask, _)| ask.try_send(request.to_owned()).is_ok());
        if sent {
            return Ok(());
        }
        self.way = None;
        Err(DIED.to_owned())
    }

    /// The outcome of what was asked; `None` while it is out.
    pub(super) fn take(&mut self) -> Option<Result<Fetched, String>> {
        let outcome = match &self.way {
            Some((_, answers)) => answers.try_recv(),
            None => Err(TryRecvError::Disconnected),
        };
        match outcome {
            Ok((outcome, took)) => {
                let took = Nanos::new(i64::try_from(took.as_nanos()).unwrap_or(i64::MAX));
                if outcome.is_ok() && (self.least == Nanos::ZERO || took < self.least) {
                    self.least = took;
                }
                Some(outcome)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                // The next request starts another.
                self.way = None;
                Some(Err(DIED.to_owned()))
            }
        }
    }
}

const DIED: &str = "the thread that asks died; this is a defect, please report it";

impl Host {
    /// Starts the thread; it ends when what is given here is dropped.
    fn start(&self) -> Result<(Sender<String>, Receiver<Outcome>), String> {
        let (ask, asked) = bounded::<String>(1);
        let (tell, told) = bounded(1);
        let host = self.clone();
        std::thread::Builder::new()
            .name(format!("rest-{}", self.venue.name))
            .spawn(move || {
                for request in asked {
                    let begun = Instant::now();
                    let outcome = host.get(&request);
                    if tell.send((outcome, begun.elapsed())).is_err() {
                        return;
                    }
                }
            })
            .map_err(|fault| format!("the machine gives no thread to ask with: {fault}"))?;
        Ok((ask, told))
    }

    /// The address of a path. One that names a host of its own goes there only when the venue itself is asked: a plan
    /// that points to a stand-in asks the stand-in for everything.
    fn url(&self, path: &str) -> String {
        let base = &self.base;
        match path.split_once("://") {
            None => format!("{base}{path}"),
            Some(_) if base.ends_with(self.venue.rest_host) => path.to_owned(),
            Some((_, rest)) => {
                let own = rest.find('/').map_or("", |at| &rest[at..]);
                format!("{base}{own}")
            }
        }
    }

    fn get(&self, request: &str) -> Result<Fetched, String> {
        let (path, posted) = match request.split_once(' ') {
            Some((path, body)) => (path, Some(body)),
            None => (request, None),
        };
        let url = self.url(path);
        let answer = match posted {
            Some(body) => self
                .http
                .post(&url)
                .header("Content-Type", "application/json")
                .send(body),
            None => self.http.get(&url).call(),
        };
        let mut answer = answer.map_err(|fault| fault.to_string())?;
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            value.trim().parse::<u64>().ok()
        };
        let used = match self.venue.rest_budget.used_header {
            "" => None,
            name => header(name),
        };
        let retry_after = header("retry-after").map(Duration::from_secs);
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .with_config()
            .limit(BODY_MAX)
            .read_to_vec()
            .map_err(|fault| fault.to_string())?;
        Ok(Fetched {
            status,
            used,
            retry_after,
            body,
        })
    }
}
