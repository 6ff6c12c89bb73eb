//! Warm-up in virtual time: days of the built-in exchange through the real decoders and the real shard, in memory.
//!
//! Two lanes, as a live instance has them: book and trades on ring 0, tickers and prints on ring 1, REST on ring 2.
//! Ticks come by the rule of tapes: every 10 ms, before what has the same or a later stamp. Nothing is taped: what is
//! handed over is the shard's state; what it publishes on the way goes where the caller says.

use crate::event::Event;
use crate::market::VenueId;
use crate::shard::Shard;
use crate::shm::record::{Nowhere, Publish};
use crate::sim::{TopicKind, World};
use crate::tape::Grid;
use crate::time::{Nanos, TICK};
use crate::venue::lane::{Counts, Lane};
use crate::venue::{self, VenueError, texts};

/// The engine's way into a world.
#[derive(Debug)]
pub struct Warm<P = Nowhere> {
    lanes: [Lane; 3],
    grid: Grid,
    buffer: Vec<u8>,
    /// Where records go.
    pub out: P,
}

impl Warm<Nowhere> {
    /// As [`Warm::connect_to`], records thrown away.
    ///
    /// # Errors
    /// A symbol the venue cannot name.
    pub fn connect(
        world: &mut World,
        shard: &mut Shard,
        symbols: &[String],
    ) -> Result<Self, VenueError> {
        Self::connect_to(world, shard, symbols, Nowhere)
    }
}

impl<P: Publish> Warm<P> {
    /// Connects to a world: subscriptions, connects and REST tables, stepped into `shard`.
    ///
    /// # Errors
    /// A symbol the venue cannot name.
    pub fn connect_to(
        world: &mut World,
        shard: &mut Shard,
        symbols: &[String],
        out: P,
    ) -> Result<Self, VenueError> {
        let lane = |number| Lane::new(VenueId::BYBIT, symbols, number);
        let lanes = [lane(0)?, lane(1)?, lane(2)?];
        let mut warm = Self {
            lanes,
            grid: Grid::default(),
            buffer: Vec::new(),
            out,
        };
        let now = world.now();
        let row = venue::venue(VenueId::BYBIT).ok_or(VenueError::Unknown(0))?;
        for request in texts::rest_requests(row, symbols) {
            let (_, _, body) = world.rest("GET", &request, "");
            let group = warm.lanes[2].rest(now, &request, body.as_bytes());
            step(shard, group, &mut warm.out);
        }
        for lane in &mut warm.lanes[..2] {
            step(shard, lane.connected(now), &mut warm.out);
        }
        // A subscription begins with the whole image.
        let topics: Vec<_> = world
            .topics()
            .filter(|t| t.kind != TopicKind::Kline)
            .collect();
        for topic in topics {
            world.snapshot_frames(topic, &mut |frame| {
                warm.frame(shard, frame.at, topic.kind, frame.text);
            });
        }
        Ok(warm)
    }

    /// Goes on until `until` of virtual time.
    pub fn advance(&mut self, world: &mut World, shard: &mut Shard, until: Nanos) {
        world.advance(until, &mut |frame| {
            self.frame(shard, frame.at, frame.topic.kind, frame.text)
        });
    }

    fn frame(&mut self, shard: &mut Shard, at: Nanos, kind: TopicKind, text: &str) {
        let lane = match kind {
            TopicKind::Book | TopicKind::Trades => 0,
            TopicKind::Ticker | TopicKind::Liquidation => 1,
            _ => return,
        };
        while let Some((first, count)) = self.grid.due(at) {
            for turn in 0..i64::from(count) {
                let stamp = first.plus(Nanos::new(TICK.get().saturating_mul(turn)));
                shard.step(&Event::tick(stamp), &mut self.out);
            }
        }
        let group = self.lanes[lane].text(at, text.as_bytes(), &mut self.buffer);
        step(shard, group, &mut self.out);
    }

    /// What the lanes have seen.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for lane in &self.lanes {
            all.add(&lane.counts);
        }
        all
    }

    /// The live connections take over: these ones are said to be down, so that nothing of them is believed further.
    pub fn hand_over(&mut self, shard: &mut Shard, at: Nanos) {
        for lane in &mut self.lanes[..2] {
            step(shard, lane.disconnected(at), &mut self.out);
        }
    }
}

fn step(shard: &mut Shard, group: &[Event], out: &mut impl Publish) {
    for event in group {
        shard.step(event, out);
    }
}
