//! Conformance: one suite stamped on every row of `VENUES`.
//!
//! A row of [`ROWS`] is a venue's documented frames and answers with the events they mean, written as text: what it
//! says is what must come out, by every road. A venue without a row here, a stream without a frame and a request
//! without an answer all fail. What is only one venue's (images by REST, recordings) is in that venue's own test.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it fails"
)]

mod bend;
mod binance;
mod bybit;
mod golden;
mod hostile;
mod hyperliquid;
mod legs;
mod meaning;
mod memory;
mod okx;
mod texts;

use isotherm::event::{Body, Event, FIRST, HISTORY, LAST, SNAPSHOT, Stream};
use isotherm::health::FaultKind;
use isotherm::market::{Holder, Side, SymbolId};
use isotherm::time::Nanos;
use isotherm::venue::{Decoder, Road, VENUES, Venue, by_name};
use isotherm::wire::FrameBuffer;

/// What a decoder is given: a request and its answer, or a frame (no request).
type Step = (&'static str, &'static str);

/// A frame's step.
const fn frame(text: &'static str) -> Step {
    ("", text)
}

/// One channel's frame and what it means.
struct Channel {
    stream: Stream,
    /// What must have come before it.
    before: &'static [Step],
    frame: &'static str,
    /// The events, as [`told`] writes them.
    told: &'static [&'static str],
    /// False where the channel has the tolerant road only.
    fast: bool,
}

/// A request as the row writes it, its documented answer and what that means.
struct Answer {
    request: &'static str,
    /// Answers that must have come before it.
    before: &'static [Step],
    body: &'static str,
    told: &'static [&'static str],
}

/// How two connections of the same streams are tried.
struct Legs {
    /// Comes on both, or once by REST.
    first: &'static [Step],
    /// Comes on each, or is lost on one of them: levels, trades, liquidations.
    then: fn() -> Vec<String>,
    /// Their trades and liquidations.
    prints: usize,
}

/// The limits of venues.md 1.1 on what is sent.
struct Limits {
    /// The field of a text that holds its topics.
    field: &'static str,
    /// Most topics in a text.
    topics: usize,
    /// Most bytes of a text.
    bytes: usize,
    /// Least pause between two texts; zero = none is stated.
    pause_ms: i64,
}

/// A venue's part of the suite.
struct Row {
    venue: &'static str,
    /// Assets of its decoders; the first is the one the frames speak of.
    assets: &'static [&'static str],
    /// Needed before frames mean anything.
    primers: &'static [Step],
    channels: &'static [Channel],
    answers: &'static [Answer],
    /// An answer that refuses.
    refusing: &'static str,
    legs: Legs,
    limits: Limits,
}

const ROWS: [&Row; 4] = [&bybit::ROW, &binance::ROW, &okx::ROW, &hyperliquid::ROW];

/// When everything here is received.
const RECV: Nanos = Nanos::new(1_790_000_000_123_456_789);

impl Row {
    fn venue(&self) -> &'static Venue {
        by_name(self.venue).unwrap()
    }

    fn assets(&self) -> Vec<String> {
        self.assets.iter().map(|&name| name.to_owned()).collect()
    }

    /// A decoder that heard nothing.
    fn silent(&self) -> Decoder {
        Decoder::new(self.venue().id, &self.assets()).unwrap()
    }

    /// A decoder that is connected and has what it needs.
    fn decoder(&self) -> Decoder {
        let mut decoder = self.silent();
        let mut room = FrameBuffer::default();
        for step in self.primers {
            take(&mut decoder, &mut room, *step).unwrap();
        }
        decoder
    }
}

/// What came of a frame or answer, owned.
#[derive(Debug, Clone, PartialEq)]
struct Got {
    events: Vec<Event>,
    /// True when it was nothing for us.
    ignored: bool,
    gap: bool,
    resync: Option<SymbolId>,
}

/// Gives a decoder one step.
fn take(
    decoder: &mut Decoder,
    room: &mut FrameBuffer,
    step: (&str, &str),
) -> Result<Got, FaultKind> {
    let (request, text) = step;
    let said = match request {
        "" => decoder.decode(RECV, room.put(text.as_bytes())),
        _ => decoder.rest(RECV, request, text.as_bytes()),
    };
    let said = said.map_err(|fault| fault.kind)?;
    assert!(said.faults.is_empty(), "{request} {text} {:?}", said.faults);
    Ok(Got {
        events: said.events.to_vec(),
        ignored: said.road == Road::Ignored,
        gap: said.gap,
        resync: said.resync,
    })
}

/// The fast decoder, the plain one and the tolerant road, all with the same memory; they must agree.
struct Roads {
    decoders: [Decoder; 3],
    room: FrameBuffer,
    /// What they remember before each frame.
    memory: Vec<u8>,
}

impl Roads {
    /// The decoders of a row, behind these steps.
    fn new(row: &Row, before: &[Step]) -> Self {
        let mut first = row.decoder();
        let mut room = FrameBuffer::with_capacity(1 << 16);
        for step in before {
            take(&mut first, &mut room, *step).unwrap();
        }
        let mut memory = Vec::new();
        first.remember(&mut memory);
        let mut plain = row.silent();
        plain.use_plain();
        let mut roads = Self {
            decoders: [first, plain, row.silent()],
            room,
            memory,
        };
        roads.restore();
        roads
    }

    /// Back to where every frame begins.
    fn restore(&mut self) {
        for decoder in &mut self.decoders {
            let mut from = self.memory.as_slice();
            assert!(decoder.recall(&mut from).is_some() && from.is_empty());
        }
    }

    /// What one of them makes of a frame, and which road it took.
    fn one(&mut self, which: usize, bytes: &[u8]) -> Result<(Got, Road), FaultKind> {
        let frame = self.room.put(bytes);
        let decoder = &mut self.decoders[which];
        let said = match which {
            2 => decoder.decode_tolerant(RECV, frame),
            _ => decoder.decode(RECV, frame),
        };
        let said = said.map_err(|fault| fault.kind)?;
        let got = Got {
            events: said.events.to_vec(),
            ignored: said.road == Road::Ignored,
            gap: said.gap,
            resync: said.resync,
        };
        Ok((got, said.road))
    }

    /// What all of them make of a frame; the road is the fast decoder's.
    fn decode(&mut self, bytes: &[u8]) -> Result<(Got, Road), FaultKind> {
        let fast = self.one(0, bytes);
        let [plain, tolerant] = [1, 2].map(|which| self.one(which, bytes));
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(fast, plain, "instruction sets disagree: {text}");
        let got = |said: &Result<(Got, Road), FaultKind>| said.clone().map(|(got, _)| got);
        assert_eq!(got(&fast), got(&tolerant), "roads disagree: {text}");
        fast
    }

    /// The same from the beginning.
    fn afresh(&mut self, bytes: &[u8]) -> Result<(Got, Road), FaultKind> {
        self.restore();
        self.decode(bytes)
    }
}

/// An event as text: when it happened at the venue in milliseconds, of which asset, and what.
fn told(row: &Row, event: &Event) -> String {
    let at = event.exch.get() / Nanos::MILLI.get();
    let of = row.assets[usize::from(event.symbol.0)];
    let what = match event.body() {
        Body::Trade(t) => {
            let side = if t.side == Side::Buy {
                "bought"
            } else {
                "sold"
            };
            let by = match t.accounts {
                [0, 0] => String::new(),
                [buyer, seller] => format!(" {seller} to {buyer}"),
            };
            format!("{side} {} at {}{by}", t.qty, t.price)
        }
        Body::Level(l) => {
            let side = if l.side == Side::Buy { "bid" } else { "ask" };
            format!("{side} {} at {} in {}", l.qty, l.price, l.update)
        }
        Body::Bbo(b) => format!(
            "touch {} at {} and {} at {}",
            b.bid_qty, b.bid, b.ask_qty, b.ask
        ),
        Body::Mark(price) => format!("mark {price}"),
        Body::Index(price) => format!("index {price}"),
        Body::Interest(qty) => format!("interest {qty}"),
        Body::Funding(f) => {
            let (next, every) = (f.next.get() / Nanos::MILLI.get(), hours(f.interval));
            format!("funding {} next {next} every {every}", f.rate_e12)
        }
        Body::Liquidation(l) => {
            let died = if l.holder == Holder::Long {
                "long"
            } else {
                "short"
            };
            format!("{died} died {} at {}", l.qty, l.price)
        }
        Body::Ratio(r) => {
            let every = r.period.get() / Nanos::SECOND.get();
            format!(
                "ratio {} {} to {} over {every} s",
                r.which, r.long_e6, r.short_e6
            )
        }
        Body::Instrument(i) => format!(
            "terms tick {} lot {} leverage {} every {} status {} places {}",
            i.tick,
            i.lot,
            i.leverage_e2,
            hours(i.funding_interval),
            i.status,
            i.price_places
        ),
        Body::Tier(t) => format!(
            "tier {} from {} to {} leverage {} rate {} less {}",
            t.row, t.floor, t.cap, t.leverage_e2, t.maintenance_e6, t.deduction
        ),
        Body::Bar(b) => format!(
            "bar {} {} {} {} of {} over {} s",
            b.open, b.high, b.low, b.close, b.volume, b.seconds
        ),
        Body::Position(p) => format!(
            "{:016x} holds {} {:?} from {} to {}",
            p.account, p.qty, p.holder, p.entry, p.liquidation
        ),
        Body::Account(a) => format!(
            "account {} is {:02x} to {:02x}",
            a.id, a.address[0], a.address[19]
        ),
        other => format!("{other:?}"),
    };
    let image = if event.bits & SNAPSHOT != 0 {
        ", image"
    } else {
        ""
    };
    let past = if event.bits & HISTORY != 0 {
        ", past"
    } else {
        ""
    };
    format!("{at} {of} {what}{image}{past}")
}

fn hours(interval: Nanos) -> String {
    format!("{} h", interval.get() / Nanos::HOUR.get())
}

/// The events of a frame as text; they must be closed as one group.
fn lines(row: &Row, got: &Got) -> Vec<String> {
    for (at, event) in got.events.iter().enumerate() {
        let first = if at == 0 { FIRST } else { 0 };
        let last = if at + 1 == got.events.len() { LAST } else { 0 };
        assert_eq!(
            event.bits & (FIRST | LAST),
            first | last,
            "event {at} of {got:?}"
        );
        assert_eq!((event.recv, event.venue), (RECV, row.venue().id));
    }
    got.events.iter().map(|event| told(row, event)).collect()
}

/// The same without their order.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}
