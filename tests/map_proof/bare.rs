//! The product's own map without the rest of the product: the real decoders before the real inventory and its
//! calibration, called in the shard's order. No books, no signals, no page: days cost seconds.
//!
//! Ticks of 10 ms like the shard's, of which only every so manieth is taken when that is asked for; with all of them
//! inventory and calibration are the shard's, byte for byte (`the_bare_map_is_the_shards`).

use isotherm::calibrate::{self, Calibration};
use isotherm::event::{Body, Event, Tier};
use isotherm::inventory::liquidation::BYBIT;
use isotherm::inventory::params::Choice;
use isotherm::inventory::{Inventory, Params};
use isotherm::market::VenueId;
use isotherm::num::Px;
use isotherm::sim::{Frame, TopicKind, World};
use isotherm::tape::Grid;
use isotherm::time::{Nanos, TICK};
use isotherm::venue::lane::Lane;
use isotherm::venue::{texts, venue};

pub(crate) struct Bare {
    lanes: [Lane; 3],
    grid: Grid,
    /// Ticks between two that are taken.
    every: i64,
    buffer: Vec<u8>,
    tiers: Vec<Tier>,
    fresh_tiers: bool,
    mark: Px,
    now: Nanos,
    pub(crate) params: Params,
    pub(crate) inventory: Box<Inventory>,
    pub(crate) calibration: Box<Calibration>,
}

impl Bare {
    /// Connects to a world as an engine does.
    pub(crate) fn connect(world: &mut World, every: i64) -> Self {
        let symbols = vec!["BTC".to_owned()];
        let lane = |number| Lane::new(VenueId::BYBIT, &symbols, number).unwrap();
        let mut bare = Self {
            lanes: [lane(0), lane(1), lane(2)],
            grid: Grid::default(),
            every,
            buffer: Vec::new(),
            tiers: Vec::new(),
            fresh_tiers: false,
            mark: Px::ZERO,
            now: Nanos::ZERO,
            params: Params::chosen(&Choice::default(), &BYBIT, &[]),
            inventory: bytemuck::allocation::zeroed_box(),
            calibration: bytemuck::allocation::zeroed_box(),
        };
        let now = world.now();
        for request in texts::rest_requests(venue(VenueId::BYBIT).unwrap(), &symbols) {
            let (_, _, body) = world.rest("GET", &request, "");
            let events = bare.lanes[2].rest(now, &request, body.as_bytes()).to_vec();
            events.iter().for_each(|event| bare.apply(event));
        }
        for at in 0..2 {
            let events = bare.lanes[at].connected(now).to_vec();
            events.iter().for_each(|event| bare.apply(event));
        }
        let topics: Vec<_> = world
            .topics()
            .filter(|t| t.kind != TopicKind::Kline)
            .collect();
        for topic in topics {
            world.snapshot_frames(topic, &mut |frame| bare.frame(frame));
        }
        bare
    }

    /// A frame of the world; of books only the time counts.
    pub(crate) fn frame(&mut self, frame: &Frame<'_>) {
        let lane = match frame.topic.kind {
            TopicKind::Trades => Some(0),
            TopicKind::Ticker | TopicKind::Liquidation => Some(1),
            TopicKind::Book => None,
            _ => return,
        };
        while let Some((first, count)) = self.grid.due(frame.at) {
            for turn in 0..i64::from(count) {
                self.tick(first.plus(Nanos::new(TICK.get() * turn)));
            }
        }
        let Some(lane) = lane else {
            return;
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let events = self.lanes[lane]
            .text(frame.at, frame.text.as_bytes(), &mut buffer)
            .to_vec();
        events.iter().for_each(|event| self.apply(event));
        self.buffer = buffer;
    }

    fn tick(&mut self, at: Nanos) {
        if at.get() / TICK.get() % self.every != 0 {
            return;
        }
        self.now = self.now.max(at);
        if std::mem::take(&mut self.fresh_tiers) {
            self.params = Params::chosen(&Choice::default(), &BYBIT, &self.tiers);
        }
        self.inventory.tick(self.now, &self.params);
        self.calibration
            .tick(self.now, &mut self.inventory, &self.params);
    }

    fn apply(&mut self, event: &Event) {
        self.now = self.now.max(event.recv);
        let (now, params) = (self.now, &self.params);
        match &event.body() {
            Body::Trade(trade) => self.inventory.trade(trade.price, trade.qty),
            Body::Mark(mark) => {
                self.mark = *mark;
                self.inventory.mark(now, *mark, params);
            }
            Body::Interest(interest) if self.mark.get() > 0 && interest.get() > 0 => {
                if self.inventory.is_seeded() {
                    self.inventory.interest(now, *interest, params);
                    self.calibration.interest(now, *interest);
                } else {
                    self.inventory.seed(now, *interest, &[], params);
                }
                assert!(self.inventory.conserved());
            }
            Body::Liquidation(print) => {
                let row = calibrate::observation(event.venue);
                self.calibration
                    .print(now, row, print, &self.inventory, params);
            }
            Body::Tier(tier) => {
                if tier.row == 0 {
                    self.tiers.clear();
                }
                self.tiers.push(*tier);
                self.fresh_tiers = true;
            }
            _ => {}
        }
    }

    /// Frames that no decoder understood.
    pub(crate) fn faults(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.counts.faults).sum()
    }
}
