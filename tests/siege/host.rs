//! Host: one exchange of the siege, what it is told to do wrong, and the books it has told.

use crate::Scale;
use isotherm::config::{Channel, Feed};
use isotherm::market::{Side, VenueId, lot_of};
use isotherm::shard::Shard;
use isotherm::sim::params::Contract;
use isotherm::sim::{Dialect, Fault, Faults, Handle, Options, Params, Server, TopicKind, World};
use isotherm::time::Nanos;
use isotherm::venue;
use std::fmt;

/// An exchange of the siege.
pub(crate) struct Planned {
    pub dialect: Dialect,
    pub venue: VenueId,
    /// Its feeds: channels, and whether each is a pair.
    feeds: &'static [(&'static [Channel], bool)],
    /// What it is struck by in the middle, on every connection: the dial of a brief siege cannot wait for it.
    pub strike: Option<Fault>,
    /// It admits a text in 700 ms: a connection that is lost again and again is not whole again in a brief siege.
    is_paced: bool,
    /// Its silence is judged after a minute only, which a brief siege does not have.
    is_patient: bool,
    /// Its frames, as a multiple of a connection's at Bybit.
    busy: u32,
    /// Its books are asked for by REST, which has a price: fewer are broken.
    is_dear: bool,
}

pub(crate) const PLANNED: &[Planned] = &[
    Planned {
        dialect: Dialect::Bybit,
        venue: VenueId::BYBIT,
        feeds: &[
            (&[Channel::Book, Channel::Trades], false),
            (&[Channel::Tickers, Channel::Liquidations], false),
        ],
        strike: None,
        is_paced: false,
        is_patient: false,
        busy: 1,
        is_dear: false,
    },
    Planned {
        dialect: Dialect::Binance,
        venue: VenueId::BINANCE,
        feeds: &[
            (&[Channel::Book], false),
            (
                &[Channel::Trades, Channel::Tickers, Channel::Liquidations],
                false,
            ),
        ],
        strike: Some(Fault::Maintenance),
        is_paced: false,
        is_patient: false,
        busy: 3,
        is_dear: true,
    },
    Planned {
        dialect: Dialect::Okx,
        venue: VenueId::OKX,
        feeds: &[
            (&[Channel::Book, Channel::Trades], true),
            (&[Channel::Tickers, Channel::Liquidations], false),
        ],
        strike: Some(Fault::Cut),
        is_paced: false,
        is_patient: true,
        busy: 3,
        is_dear: false,
    },
    Planned {
        dialect: Dialect::Hyperliquid,
        venue: VenueId::HYPERLIQUID,
        feeds: &[
            (&[Channel::Book, Channel::Trades], false),
            (&[Channel::Tickers], false),
        ],
        strike: Some(Fault::Close),
        is_paced: true,
        is_patient: true,
        busy: 1,
        is_dear: false,
    },
];

/// One exchange.
pub(crate) struct Host {
    pub planned: &'static Planned,
    pub handle: Handle,
    /// Virtual time at which it opened.
    pub open: Nanos,
    pub contracts: Vec<Contract>,
    /// Liquidations it had told then, by contract and holder.
    pub forced: Vec<[u64; 2]>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.planned.dialect.name())
    }
}

const SEED: u64 = 41;

impl Planned {
    /// The dial of the siege; `slow`: with the faults that only time uncovers.
    pub(crate) fn dial(&self, scale: &Scale, slow: bool) -> Faults {
        let all = scale.frames * self.busy;
        let rare = if self.is_dear { 4 } else { 1 };
        let brief = scale.enough == 0;
        // What ends a connection is to leave time to come back in.
        let end = if self.is_paced && brief { 0 } else { all * 4 };
        let mut dial = Faults::NONE
            .with(Fault::Gap, all * rare / 25)
            .with(Fault::Duplicate, all / 40)
            .with(Fault::Reorder, all * rare / 20)
            .with(Fault::Garbage, all / 15)
            .with(Fault::WrongType, all * rare / 15)
            .with(Fault::Dress, all / 100)
            .with(Fault::Dribble, all)
            .with(Fault::ClockStep, all)
            .with(Fault::HalfFrame, end)
            .with(Fault::Oversize, end / 2)
            .with(Fault::Close, end)
            .with(Fault::Cut, end)
            .with(Fault::Busy, 40)
            .with(Fault::Banned, 90)
            .with(Fault::Broken, 30)
            .with(Fault::ShortBody, 30)
            .with(Fault::NoJson, 30)
            .with(Fault::BadHello, 12)
            .with(Fault::SlowHello, 6)
            .with(Fault::TurnAway, 9);
        if slow && !(self.is_patient && brief) {
            dial = dial
                .with(Fault::Freeze, all / 8)
                .with(Fault::Silent, 30)
                .with(Fault::Late, 35)
                .with(Fault::Refuse, 90);
        }
        dial
    }

    /// Faults that cost no frame of a stream.
    pub(crate) fn harmless(&self, scale: &Scale) -> Faults {
        let all = scale.frames * self.busy;
        Faults::NONE
            .with(Fault::Duplicate, all / 100)
            .with(Fault::Dress, all / 200)
            .with(Fault::Garbage, all / 20)
            .with(Fault::Dribble, all / 4)
    }
}

/// A world as it was when the doors opened.
pub(crate) fn world(planned: &Planned, coins: usize) -> World {
    let params = Params::many(coins).stormy().speaking(planned.dialect);
    World::new(SEED, params).unwrap()
}

impl Host {
    pub(crate) fn start(planned: &'static Planned, scale: &Scale) -> Self {
        let mut world = world(planned, scale.coins);
        let open = world.now().plus(Nanos::seconds(30));
        world.advance(open, &mut |_| {});
        let contracts = world.params().contracts.clone();
        let options = Options {
            faults: planned.dial(scale, true),
            speed: scale.speed,
            drip: Nanos::millis(800),
            late: Nanos::seconds(4),
            away: Nanos::seconds(2),
            retry: Nanos::millis(300),
            ..Options::default()
        };
        let told = |c: &Contract| world.liquidations_told(&c.symbol).unwrap().rows;
        Self {
            planned,
            open,
            forced: contracts.iter().map(told).collect(),
            contracts,
            handle: Server::start(world, options).unwrap(),
        }
    }

    /// Liquidations of a contract told so far, by holder.
    pub(crate) fn forced(&self, symbol: usize) -> [u64; 2] {
        let name = &self.contracts[symbol].symbol;
        self.handle.check(name).unwrap().liquidations.rows
    }

    pub(crate) fn assets(&self) -> Vec<String> {
        self.contracts.iter().map(|c| c.asset.clone()).collect()
    }

    pub(crate) fn feeds(&self) -> Vec<Feed> {
        let row = venue::venue(self.planned.venue).unwrap();
        let feed = |(at, (channels, pair)): (usize, &(&[Channel], bool))| {
            let path = row.root(channels[0].stream()).unwrap().path;
            let url = self
                .handle
                .ws_urls()
                .find(|url| url.ends_with(path))
                .unwrap();
            let rest = if at == 0 {
                self.handle.rest_url()
            } else {
                String::new()
            };
            Feed {
                venue: self.planned.venue,
                url,
                rest,
                channels: channels.to_vec(),
                pair: *pair,
                ..Feed::default()
            }
        };
        self.planned.feeds.iter().enumerate().map(feed).collect()
    }

    /// True when a stream runs over a pair of connections.
    pub(crate) fn is_paired(&self, channel: Channel) -> bool {
        let feeds = self.planned.feeds.iter();
        feeds
            .into_iter()
            .any(|(channels, pair)| *pair && channels.contains(&channel))
    }

    /// False where every image of a book is whole, so that a lost one leaves no hole.
    pub(crate) fn is_numbered(&self) -> bool {
        self.planned.dialect != Dialect::Hyperliquid
    }

    pub(crate) fn injected(&self) -> Vec<(&'static str, u64)> {
        let injected = self.handle.injected();
        injected
            .faults()
            .map(|(row, count)| (row.name, count))
            .collect()
    }

    /// How often a book of a contract lost something on purpose.
    pub(crate) fn holes(&self, symbol: usize) -> u64 {
        let injected = self.handle.injected();
        let streams = injected.streams().filter(|(fault, topic, _)| {
            let costs = matches!(fault, Fault::Gap | Fault::Reorder | Fault::WrongType);
            costs && topic.kind == TopicKind::Book && usize::from(topic.symbol) == symbol
        });
        streams.map(|(_, _, count)| count).sum()
    }

    /// What tables of the shard refused: levels of books, price cells of volume.
    pub(crate) fn refused(&self, shard: &Shard) -> [u64; 2] {
        let venue = self.planned.venue;
        let all = 0..self.contracts.len();
        all.fold([0, 0], |[levels, cells], at| {
            let more = shard.book_at(at, venue).unwrap().dropped;
            [
                levels + more,
                cells + shard.inventory_at(at, venue).unwrap().merged,
            ]
        })
    }

    /// The engine's books and the told ones.
    pub(crate) fn compare_books(&self, shard: &Shard, wrong: &mut Vec<String>) {
        for (at, contract) in self.contracts.iter().enumerate() {
            let told = self.handle.check(&contract.symbol).unwrap().book;
            let book = shard.book_at(at, self.planned.venue).unwrap();
            for (side, told) in [(Side::Buy, told.bids), (Side::Sell, told.asks)] {
                let mine: Vec<_> = book
                    .rungs(side)
                    .map(|r| (r.price.get(), r.qty.get()))
                    .collect();
                let right: Vec<_> = told.iter().map(|level| steps(contract, level)).collect();
                if mine != right {
                    let differs = mine.iter().zip(&right).position(|(a, b)| a != b);
                    wrong.push(format!(
                        "{self:?} {} {side:?}: {} levels, told {}; first other level {differs:?}; trusted {}",
                        contract.symbol,
                        mine.len(),
                        right.len(),
                        book.is_trusted()
                    ));
                }
            }
        }
    }
}

/// A printed level in 1e-10 of a price of a canonical lot and 1e-6 of a canonical lot, exactly.
pub(crate) fn steps(contract: &Contract, (price, size): &(String, String)) -> (i64, i64) {
    let lot = (0..10)
        .find(|e| 10u32.pow(*e) == lot_of(&contract.asset))
        .unwrap() as i32;
    (
        shifted(price, 10 - contract.bundle + lot),
        shifted(size, 6 + contract.value_scale + contract.bundle - lot),
    )
}

/// A decimal text times ten to `places`, exactly.
pub(crate) fn shifted(text: &str, places: i32) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits: i128 = format!("{whole}{part}").parse().unwrap();
    let rest = places - part.len() as i32;
    let value = if rest >= 0 {
        digits * 10i128.pow(rest as u32)
    } else {
        let by = 10i128.pow(-rest as u32);
        assert_eq!(digits % by, 0, "{text} does not fit");
        digits / by
    };
    value.try_into().unwrap()
}
