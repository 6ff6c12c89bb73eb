//! Settle: what an answer of REST, or its absence, asks for: decoded, taped, handed over, asked for again.

use super::super::accounts::Due;
use super::super::fetch::Fetched;
use super::super::{count, push};
use super::{Asked, IMAGE_WEIGHT, Image, Out, PAGE_FAILS, PRIMER_RETRY, Rest, quiet, retry};
use crate::event::{Body, Kind};
use crate::feed::taped::Piece;
use crate::feed::{Answer, Handed};
use crate::log::{Level, Log};
use crate::num::{Round, Usd};
use crate::time::{Clock, Nanos};
use crate::venue::What;
use std::time::{Duration, Instant};

/// What an answer told beside its events.
struct Told {
    /// The request of the next page.
    next: Option<String>,
    /// Notional of the positions in it, at their entries.
    held: Usd,
}

impl Rest {
    /// Does what an answer, or its absence, asks for.
    pub(super) fn settle(
        &mut self,
        out: Out,
        got: Result<Fetched, String>,
        clock: &impl Clock,
        log: &mut Log,
    ) {
        let weight = match &out {
            Out::Poll(asked) => asked.poll.weight,
            Out::Image(_) => IMAGE_WEIGHT,
            Out::Account(_) => self.ring.accounts.as_ref().map_or(0, |all| all.weight),
            Out::Nothing(weight) => *weight,
        };
        let body = self.body(got, weight, log);
        match out {
            Out::Nothing(_) => {}
            Out::Image(image) => self.hand_image(&image, body, log),
            Out::Account(due) => self.settle_account(&due, body, clock, log),
            Out::Poll(asked) => self.settle_poll(asked, body, clock, log),
        }
    }

    fn settle_poll(
        &mut self,
        mut asked: Asked,
        body: Result<Vec<u8>, String>,
        clock: &impl Clock,
        log: &mut Log,
    ) {
        let primed = self.is_primed();
        let body = match body {
            Ok(body) if asked.poll.what.is_past() => match self.older(asked, body, clock, log) {
                Ok(()) => return,
                Err(refused) => {
                    let fault;
                    (asked, fault) = *refused;
                    Err(fault)
                }
            },
            body => body,
        };
        match body.and_then(|body| self.take(&asked.poll.request, &body, clock, log)) {
            Ok(told) => {
                asked.fails = 0;
                if let Some(next) = asked.behind(told.next) {
                    self.queue.push(next);
                } else if asked.poll.what == What::Instruments {
                    self.missing(log);
                }
                // Where a table's later pages begin is for its first one to say: they are not asked again themselves.
                if asked.page > 0 || asked.poll.every.is_zero() {
                    return;
                }
                asked.due += asked.poll.every;
                asked.due = asked.due.max(Instant::now());
            }
            Err(fault) => {
                // What the newer pages told is not held back for one that may never come.
                if !asked.newer.is_empty() {
                    let (venue, request) = (self.ring.venue.name, &asked.poll.request);
                    let text = format!("{request}: {fault}; the past begins behind it");
                    log.say(Level::Warn, "rest", venue, &text);
                    return self.tell(asked.newer, clock, log);
                }
                asked.fails = asked.fails.saturating_add(1);
                let wait = if primed {
                    retry(asked.fails)
                } else {
                    PRIMER_RETRY
                };
                asked.due = Instant::now() + wait;
                let (venue, request) = (self.ring.venue.name, &asked.poll.request);
                let text = format!("{request}: {fault}; trying again in {wait:?}");
                log.say(Level::Warn, "rest", venue, &text);
                // What a first page says of the next may hold for a while only.
                if asked.page > 0 && asked.fails >= PAGE_FAILS && !asked.poll.every.is_zero() {
                    return;
                }
            }
        }
        self.queue.push(asked);
    }

    /// Notes what an account's answer told, or that there was none.
    fn settle_account(
        &mut self,
        due: &Due,
        body: Result<Vec<u8>, String>,
        clock: &impl Clock,
        log: &mut Log,
    ) {
        let told = body.and_then(|body| self.take(&due.request, &body, clock, log));
        let at = self.age();
        let Some(accounts) = &mut self.ring.accounts else {
            return;
        };
        match told {
            Ok(told) => accounts.answered(at, &due.address, told.held),
            Err(fault) => {
                accounts.failed(at, &due.address);
                let text = format!("{}: {fault}", due.request);
                log.say(Level::Warn, "accounts", self.ring.venue.name, &text);
            }
        }
    }

    /// A page of the past: the older ones are asked for first, because rows are wanted oldest first; the last of them
    /// tells all. An answer that refuses is given back with what it says.
    fn older(
        &mut self,
        mut asked: Asked,
        body: Vec<u8>,
        clock: &impl Clock,
        log: &mut Log,
    ) -> Result<(), Box<(Asked, String)>> {
        if let Some(said) = (self.ring.venue.refusal)(&body) {
            return Err(Box::new((asked, said)));
        }
        let request = asked.poll.request.clone();
        let next = asked.behind((self.ring.venue.next_page)(&request, &body));
        asked.newer.push((request, body));
        match next {
            Some(next) => self.queue.push(Asked {
                newer: asked.newer,
                ..next
            }),
            None => self.tell(asked.newer, clock, log),
        }
        Ok(())
    }

    /// Takes pages of the past in, the oldest (which came last) first.
    fn tell(&mut self, pages: Vec<(String, Vec<u8>)>, clock: &impl Clock, log: &mut Log) {
        for (request, body) in pages.iter().rev() {
            if let Err(fault) = self.take(request, body, clock, log) {
                let text = format!("{request}: {fault}");
                log.say(Level::Warn, "rest", self.ring.venue.name, &text);
            }
        }
    }

    /// Says which of the plan's symbols the venue does not list.
    fn missing(&mut self, log: &mut Log) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let missing: Vec<&str> = self
            .ring
            .assets
            .iter()
            .zip(&self.listed)
            .filter(|(_, listed)| !**listed)
            .map(|(asset, _)| asset.as_str())
            .collect();
        if !missing.is_empty() {
            let (venue, missing) = (self.ring.venue.name, missing.join(", "));
            let text = format!(
                "lists no perpetual of {missing}: nothing is heard of it there until it does"
            );
            log.say(Level::Warn, "unlisted", venue, &text);
        }
    }

    fn hand_image(&self, image: &Image, body: Result<Vec<u8>, String>, log: &mut Log) {
        match body {
            // A feed that is gone, or whose channel is full, asks again.
            Ok(body) => {
                let _ = image.to.try_send(answer(&image.request, &body));
            }
            Err(fault) => {
                let text = format!("{}: {fault}", image.request);
                log.say(Level::Warn, "image", self.ring.venue.name, &text);
            }
        }
    }

    /// Takes an answer in: tapes it, decodes it, hands its events over.
    fn take(
        &mut self,
        request: &str,
        body: &[u8],
        clock: &impl Clock,
        log: &mut Log,
    ) -> Result<Told, String> {
        let recv: Nanos = clock.now();
        let ring = &mut self.ring;
        let split = u32::try_from(request.len()).unwrap_or(u32::MAX);
        let whole = [request.as_bytes(), body].concat();
        if !ring.taped.put(Piece::Rest, split, recv, &whole) {
            let text = "an answer found no room on its way to the tape: behind, or over; the tape ends here";
            log.say(Level::Error, "tape", ring.venue.name, text);
        }
        let faults = ring.lane.counts.faults;
        let events = ring.lane.rest(recv, request, body);
        let mut held = Usd::ZERO;
        for event in events {
            if let Body::Position(told) = event.body() {
                held = held.plus(told.entry.notional(told.qty, Round::Down));
            }
            if event.kind() == Kind::Instrument
                && let Some(listed) = self.listed.get_mut(usize::from(event.symbol.0))
            {
                *listed = true;
            }
        }
        let some = !events.is_empty();
        push(&mut ring.events, events);
        let spoiled = ring.lane.counts.faults - faults;
        if let Some(said) = (ring.venue.refusal)(body) {
            return Err(said);
        }
        if spoiled > 0 && !some {
            return Err(format!("the answer does not fit ({} bytes)", body.len()));
        }
        if spoiled > 0 {
            let text = format!("{request}: {spoiled} row(s) do not fit");
            log.say(Level::Warn, "rows", ring.venue.name, &text);
        }
        // Only an answer that is one: a page of HTML would let connections begin that can read nothing.
        if self.ring.venue.primers.contains(&request) {
            self.prime(request, body);
        }
        let next = (self.ring.venue.next_page)(request, body);
        Ok(Told { next, held })
    }

    /// Hands an answer to every feed whose decoder needs it before frames mean anything.
    fn prime(&mut self, request: &str, body: &[u8]) {
        for feed in &self.feeds {
            // A feed that is gone needs it no longer.
            let _ = feed.send_timeout(answer(request, body), Duration::from_millis(100));
        }
        if !self.primed.iter().any(|known| known == request) {
            self.primed.push(request.to_owned());
        }
    }

    /// The body of an answer that is one; budget and refusals are kept.
    fn body(
        &mut self,
        got: Result<Fetched, String>,
        weight: u32,
        log: &mut Log,
    ) -> Result<Vec<u8>, String> {
        let now = Instant::now();
        let used = got.as_ref().ok().and_then(|got| got.used);
        self.budget.spend(weight, used, now);
        let fine = got
            .as_ref()
            .is_ok_and(|got| matches!(got.status, 200..=299));
        self.tally.add(count::REST_REFUSED, u64::from(!fine));
        if got.is_ok() {
            (self.vain, self.quiet) = (0, None);
        } else {
            self.quiet = Some(now + quiet(self.vain));
            self.vain = self.vain.saturating_add(1);
        }
        let got = got?;
        match got.status {
            200..=299 => Ok(got.body),
            403 | 418 | 429 | 451 => {
                let wait = self.budget.refused(got.status, got.retry_after, now);
                self.tally.add(count::RATE_LIMITED, 1);
                let status = got.status;
                let text = format!(
                    "HTTP {status}: the venue refuses this address; nothing is asked for {wait:?}"
                );
                log.say(Level::Error, "limit", self.ring.venue.name, &text);
                Err(format!("HTTP {status}"))
            }
            status => {
                let said = (self.ring.venue.refusal)(&got.body);
                Err(said.unwrap_or_else(|| format!("HTTP {status}")))
            }
        }
    }
}

fn answer(request: &str, body: &[u8]) -> Handed {
    Handed::Answer(Answer {
        whole: [request.as_bytes(), body].concat(),
        split: request.len(),
    })
}
