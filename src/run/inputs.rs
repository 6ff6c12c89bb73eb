//! Inputs: from a plan's feeds to feed threads, control lines and the rings of the venues' REST answers.
//!
//! Ring numbers: feeds in the plan's order, then one ring a venue in the order the feeds name them.

use super::RunError;
use crate::config::{Channel, Feed as FeedPlan, Plan};
use crate::control::{Line, RestRing, polls};
use crate::event::{Event, Stream};
use crate::feed::{Handed, Script};
use crate::market::VenueId;
use crate::ring::Producer;
use crate::venue::lane::Lane;
use crate::venue::{self, Venue, VenueError, texts};
use crate::wire::socket::Target;
use crate::wire::tls::Trust;
use crossbeam::channel::Sender;

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

const fn stream(channel: Channel) -> Stream {
    match channel {
        Channel::Book => Stream::Book,
        Channel::Trades => Stream::Trades,
        Channel::Tickers => Stream::Ticker,
        Channel::Liquidations => Stream::Liquidations,
    }
}

/// What a feed says, and by what it judges its connections.
pub(super) fn script(row: &Venue, feed: &FeedPlan, symbols: &[String]) -> Script {
    let streams: Vec<Stream> = feed.channels.iter().map(|c| stream(*c)).collect();
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
        images: has_book && row.image.is_some(),
        renew: symbols.iter().map(renew).collect(),
        silence: silence.filter(|(stream, _)| wanted(*stream)).collect(),
        ping: row.ping.to_string(),
        ping_every: row.ping_every,
        lifetime: row.lifetime,
        pair: false,
    }
}

/// The legs of a feed as control sees them.
pub(super) fn lines(
    plan: &Plan,
    number: usize,
    handed: &Sender<Handed>,
    trust: &Trust,
) -> Result<Vec<Line>, RunError> {
    let Some(feed) = plan.feeds.get(number) else {
        return Ok(Vec::new());
    };
    let place = venues(plan).iter().position(|id| *id == feed.venue);
    let line = |leg| Line {
        feed: number,
        leg,
        venue: place.unwrap_or_default(),
        target: Target::new(feed.url.clone()),
        trust: trust.clone(),
        handed: handed.clone(),
    };
    Ok(vec![line(0), line(1)])
}

/// What is asked of a venue by REST, and where the answers go.
pub(super) fn rest_ring(
    plan: &Plan,
    id: VenueId,
    number: usize,
    events: Producer<Event>,
    taped: crate::feed::taped::Taped,
) -> Result<RestRing, RunError> {
    let row = row(id)?;
    let symbols = &plan.engine.symbols;
    let base = plan
        .feeds
        .iter()
        .find(|feed| feed.venue == id && !feed.rest.is_empty());
    Ok(RestRing {
        base: base.map_or(String::new(), |feed| feed.rest.clone()),
        venue: row,
        assets: symbols.clone(),
        lane: Lane::new(id, symbols, u16::try_from(number).unwrap_or(u16::MAX))?,
        events,
        taped,
        polls: polls(row, symbols, false),
        share: 100,
        agent: String::new(),
    })
}
