//! Ear: the real decoders of Bybit on a world's frames, and a tape of what they told; books are read where they are
//! asked for.

use isotherm::event::{Event, Kind};
use isotherm::market::VenueId;
use isotherm::sim::{Frame, TopicKind, World};
use isotherm::tape::{End, Header, Record, RingPlan, RunPlan, Writer};
use isotherm::time::Nanos;
use isotherm::venue::lane::Lane;
use isotherm::venue::{texts, venue};
use std::path::Path;

pub(crate) struct Ear {
    lanes: [Lane; 3],
    buffer: Vec<u8>,
    /// Books are read too.
    has_book: bool,
}

impl Ear {
    /// Connects to a world as an engine does; `told` hears every group.
    pub(crate) fn connect(world: &mut World, told: &mut dyn FnMut(&[Event])) -> Self {
        Self::listening(world, false, told)
    }

    /// As [`Self::connect`], with books or without.
    fn listening(world: &mut World, has_book: bool, told: &mut dyn FnMut(&[Event])) -> Self {
        let symbols = vec!["BTC".to_owned()];
        let lane = |number| Lane::new(VenueId::BYBIT, &symbols, number).unwrap();
        let mut ear = Self {
            lanes: [lane(0), lane(1), lane(2)],
            buffer: Vec::new(),
            has_book,
        };
        let now = world.now();
        for request in texts::rest_requests(venue(VenueId::BYBIT).unwrap(), &symbols) {
            let (_, _, body) = world.rest("GET", &request, "");
            told(ear.lanes[2].rest(now, &request, body.as_bytes()));
        }
        for at in 0..2 {
            told(ear.lanes[at].connected(now));
        }
        let topics: Vec<_> = world.topics().collect();
        for topic in topics {
            world.snapshot_frames(topic, &mut |frame| ear.hear(frame, told));
        }
        ear
    }

    pub(crate) fn hear(&mut self, frame: &Frame<'_>, told: &mut dyn FnMut(&[Event])) {
        let lane = match frame.topic.kind {
            TopicKind::Trades => 0,
            TopicKind::Book if self.has_book => 0,
            TopicKind::Ticker | TopicKind::Liquidation => 1,
            _ => return,
        };
        told(self.lanes[lane].text(frame.at, frame.text.as_bytes(), &mut self.buffer));
    }

    /// Frames that no decoder understood.
    pub(crate) fn faults(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.counts.faults).sum()
    }
}

/// Writes a tape of a world, of the kinds that are kept; `told` sees the world so long after its begin, one after the
/// other.
pub(crate) fn recorded(
    path: &Path,
    mut world: World,
    has_book: bool,
    keeps: fn(Kind) -> bool,
    after: impl Iterator<Item = Nanos>,
    told: &mut dyn FnMut(Nanos, &World),
) {
    let begin = world.now();
    let header = Header {
        created: begin,
        run: 1,
        plan: RunPlan {
            symbols: vec!["BTC".to_owned()],
            rings: vec![RingPlan {
                venue: "bybit".to_owned(),
                ..RingPlan::default()
            }],
            ..RunPlan::default()
        },
        ..Header::default()
    };
    let mut writer = Writer::create(path, &header).unwrap();
    let mut write = |group: &[Event]| {
        let kept = group.iter().filter(|event| keeps(event.kind()));
        let kept: Vec<Event> = kept.copied().collect();
        if let Some(first) = kept.first() {
            let record = Record::Events {
                ring: 0,
                recv: first.recv,
                bytes: bytemuck::cast_slice(&kept),
            };
            writer.append(&record).unwrap();
        }
    };
    let mut ear = Ear::listening(&mut world, has_book, &mut write);
    for at in after.map(|span| begin.plus(span)) {
        world.advance(at, &mut |frame| ear.hear(frame, &mut write));
        told(at, &world);
    }
    assert_eq!(ear.faults(), 0);
    let end = End {
        at: world.now(),
        ..End::default()
    };
    writer.finish(end).unwrap();
}
