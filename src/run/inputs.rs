//! Inputs: from a plan's feeds to feed threads, control lines and the rings of the venues' REST answers.
//!
//! Ring numbers: feeds in the plan's order, then one ring a venue in the order the feeds name them, then the ring of
//! external series when the plan has any.

use super::RunError;
use crate::config::{Feed as FeedPlan, Leg, MarginRow, Plan, Series};
use crate::control::accounts::Accounts;
use crate::control::{Line, Renamed, RestRing, polls};
use crate::event::{Body, Event, Head, Stream};
use crate::feed::sighting::Sighting;
use crate::feed::taped::Taped;
use crate::feed::{Handed, Script};
use crate::market::{SymbolId, VenueId};
use crate::ring::{Consumer, Producer};
use crate::tape::{RenamePlan, SeriesPlan};
use crate::time::Nanos;
use crate::venue::lane::Lane;
use crate::venue::names::{Epoch, names};
use crate::venue::{self, Venue, VenueError, What, instrument_name, texts};
use crate::wire::socket::Target;
use crate::wire::tls::Trust;
use crossbeam::channel::Sender;
use std::time::Duration;

/// The venues of a plan's feeds, each once, in order; the first is the reference.
#[must_use]
pub fn venues(plan: &Plan) -> Vec<VenueId> {
    let mut venues = Vec::new();
    for feed in &plan.feeds {
        if !venues.contains(&feed.venue) {
            venues.push(feed.venue);
        }
    }
    venues
}

pub(super) fn row(id: VenueId) -> Result<&'static Venue, VenueError> {
    venue::venue(id).ok_or(VenueError::Unknown(id.0))
}

/// What a feed says, and by what it judges its connections: by the names of this moment, then by later ones.
pub(super) fn script(row: &Venue, feed: &FeedPlan, names: &[Epoch], now: Nanos) -> Script {
    let (names, later) = current(names, now);
    Script {
        later: later
            .iter()
            .map(|(from, names)| (*from, script_of(row, feed, names)))
            .collect(),
        ..script_of(row, feed, names)
    }
}

/// The names of a moment and the epochs behind it.
fn current(names: &[Epoch], now: Nanos) -> (&[String], &[Epoch]) {
    let behind = names.partition_point(|(from, _)| *from <= now).max(1);
    let (begun, later) = names.split_at(behind.min(names.len()));
    (begun.last().map_or(&[], |(_, names)| names), later)
}

fn script_of(row: &Venue, feed: &FeedPlan, symbols: &[String]) -> Script {
    let streams: Vec<Stream> = feed.channels.iter().map(|c| c.stream()).collect();
    let wanted = |stream: Stream| streams.contains(&stream);
    let has_book = wanted(Stream::Book);
    let resync = |symbol: &String| {
        if has_book {
            texts::resync(row, symbol)
        } else {
            Vec::new()
        }
    };
    let renew = |symbol: &String| {
        [
            Stream::Book,
            Stream::Trades,
            Stream::Ticker,
            Stream::Liquidations,
        ]
        .map(|stream| {
            if wanted(stream) {
                texts::renew(row, symbol, stream)
            } else {
                Vec::new()
            }
        })
    };
    let silence = row.silence.iter().copied();
    Script {
        subscribe: texts::subscribe(row, symbols, &streams),
        pace: row.pace,
        resync: symbols.iter().map(resync).collect(),
        books: has_book,
        images: has_book && row.image.is_some(),
        renew: symbols.iter().map(renew).collect(),
        silence: silence.filter(|(stream, _)| wanted(*stream)).collect(),
        ping: row.ping.to_string(),
        ping_every: row.ping_every,
        lifetime: row.lifetime,
        pair: feed.pair,
        later: Vec::new(),
    }
}

/// Whom to trust at each venue: the built-in authorities and the plan's.
///
/// # Errors
/// A file of the plan that holds no certificate.
pub(super) fn trusts(plan: &Plan, venues: &[VenueId]) -> Result<Vec<Trust>, RunError> {
    let trust = |id: &VenueId| Trust::new(plan.venue(*id).ca.as_slice());
    Ok(venues.iter().map(trust).collect::<Result<_, _>>()?)
}

/// Address of each leg; a feed that is no pair has the same for both.
pub(super) fn legs(feed: &FeedPlan) -> [Leg<'_>; 2] {
    let legs = feed.legs();
    let a = legs.first().copied().unwrap_or(Leg {
        url: &feed.url,
        bind: feed.bind,
    });
    [a, legs.get(1).copied().unwrap_or(a)]
}

/// The legs of a feed as control sees them; the second is also used while a connection is replaced.
pub(super) fn lines(
    plan: &Plan,
    number: usize,
    handed: &Sender<Handed>,
    trusts: &[Trust],
) -> Vec<Line> {
    let Some(feed) = plan.feeds.get(number) else {
        return Vec::new();
    };
    let place = venues(plan).iter().position(|id| *id == feed.venue);
    let place = place.unwrap_or_default();
    let Some(trust) = trusts.get(place) else {
        return Vec::new();
    };
    let headers = vec![("User-Agent".to_owned(), plan.venue(feed.venue).user_agent)];
    let line = |(leg, at): (usize, Leg<'_>)| Line {
        feed: number,
        leg,
        venue: place,
        target: Target {
            url: at.url.to_owned(),
            bind: at.bind,
            headers: headers.clone(),
        },
        trust: trust.clone(),
        handed: handed.clone(),
    };
    legs(feed).into_iter().enumerate().map(line).collect()
}

/// True when a feed's trades name accounts that the venue can be asked about.
pub(super) fn has_accounts(plan: &Plan, feed: &FeedPlan, row: &Venue) -> bool {
    row.asks.iter().any(|ask| ask.what == What::Accounts)
        && !plan.rest(feed.venue).is_empty()
        && feed.channels.iter().any(|c| c.stream() == Stream::Trades)
}

/// What is asked of a venue by REST, and where the answers go. `history` says whether its past is asked for, `seen` is
/// where its feeds tell who traded.
pub(super) fn rest_ring(
    plan: &Plan,
    id: VenueId,
    number: usize,
    history: bool,
    events: Producer<Event>,
    taped: Taped,
    now: Nanos,
    seen: Vec<Consumer<Sighting>>,
) -> Result<RestRing, RunError> {
    let row = row(id)?;
    let symbols = &plan.engine.symbols;
    let treated = plan.venue(id);
    let given = margin(&treated.margin, id, symbols);
    let asked = |names: &[String]| {
        let mut polls = polls(row, names, history);
        for poll in &mut polls {
            if let Some(every) = treated.poll(poll.what) {
                poll.every = Duration::from_nanos(every.get().max(0).unsigned_abs());
            }
        }
        // A table of the plan goes before the venue's.
        let given = symbols.iter().zip(names).filter(|(symbol, _)| {
            let mut rows = treated.margin.iter();
            rows.any(|row| row.symbol == **symbol)
        });
        let named: Vec<String> = given
            .filter_map(|(_, name)| instrument_name(id, name))
            .collect();
        polls.retain(|poll| {
            poll.what != What::Tiers
                || !named
                    .iter()
                    .any(|name| poll.request.contains(name.as_str()))
        });
        polls
    };
    let epochs = names(symbols, id, &plan.renames);
    let (begun, later) = current(&epochs, now);
    let later = later.iter().map(|(from, names)| Renamed {
        from: *from,
        assets: names.clone(),
        polls: asked(names),
    });
    let every = treated.poll(What::Accounts);
    let accounts = Accounts::new(row, u32::from(treated.budget), every, seen);
    Ok(RestRing {
        base: plan.rest(id).to_owned(),
        venue: row,
        assets: begun.to_vec(),
        lane: Lane::named(id, &epochs, u16::try_from(number).unwrap_or(u16::MAX))?,
        events,
        taped,
        polls: asked(begun),
        later: later.collect(),
        share: u32::from(treated.budget),
        agent: treated.user_agent,
        given,
        trust: Trust::new(treated.ca.as_slice())?,
        accounts,
    })
}

/// The margin rows of a plan's file as events; stamped when they are handed over.
fn margin(rows: &[MarginRow], venue: VenueId, symbols: &[String]) -> Vec<Event> {
    let event = |row: &MarginRow| {
        let symbol = symbols.iter().position(|name| *name == row.symbol)?;
        let head = Head {
            recv: Nanos::ZERO,
            exch: Nanos::ZERO,
            venue,
            symbol: SymbolId(u16::try_from(symbol).ok()?),
            bits: 0,
        };
        Some(Event::new(head, Body::Tier(row.tier)))
    };
    rows.iter().filter_map(event).collect()
}

/// Renames as a tape's head tells them.
pub(super) fn renames(plan: &Plan) -> Vec<RenamePlan> {
    let told = |rename: &venue::names::Rename| RenamePlan {
        venue: venue::venue(rename.venue)
            .map_or("", |row| row.name)
            .to_owned(),
        was: rename.was.clone(),
        now: rename.now.clone(),
        at_ns: rename.at.get(),
    };
    plan.renames.iter().map(told).collect()
}

/// External series as a tape's head tells them.
pub(super) fn series(plan: &Plan) -> Vec<SeriesPlan> {
    let told = |series: &Series| SeriesPlan {
        name: series.name.clone(),
        scale: series.scale,
        period_ns: series.period.get(),
        max_age_ns: series.max_age.get(),
    };
    plan.series.iter().map(told).collect()
}

/// True when the plan takes external series in.
pub(super) fn has_series(plan: &Plan) -> bool {
    !plan.series.is_empty() && plan.external.socket.is_some()
}
