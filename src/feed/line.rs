//! Line: one leg of a feed, its socket and what was heard on it.
//!
//! Liveness is judged by data that was understood, a stream and symbol at a time: a connection that is up, and a
//! subscription that was acknowledged, prove nothing. The table of cells says when each stream of each symbol was last
//! heard on this leg; [`Line::silent`] finds one that has said nothing for longer than the venue's rule.

use super::Script;
use crate::event::Stream;
use crate::market::SymbolId;
use crate::time::Nanos;
use crate::wire::socket::Stream as Socket;
use crate::wire::websocket;

/// Bytes a connection may have queued for sending.
const SEND_MAX: usize = 1 << 20;
/// Streams that cells are kept of: by number, without `All`.
const STREAMS: usize = 4;
const ALL: [Stream; STREAMS] = [
    Stream::Book,
    Stream::Trades,
    Stream::Ticker,
    Stream::Liquidations,
];
/// A silent subscription is renewed this often before its connection is given up.
const TRIES: u8 = 2;
/// One that stayed silent over a new connection as well is renewed this seldom.
const SELDOM: Nanos = Nanos::MINUTE;
/// Trades may rest for as long as they like, but a subscription that has not brought one on this connection by then may
/// have been refused or forgotten: it is renewed, each time after twice as long, and nothing else is made of it.
const FIRST_TRADE: Nanos = Nanos::seconds(20);
/// Doublings of that.
const DOUBLINGS: u8 = 6;

/// One stream of one symbol on one leg.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// When it was last heard, monotonic; zero = not on this connection.
    heard: Nanos,
    /// When it was last renewed.
    asked: Nanos,
    tries: u8,
    /// A connection was given up for it already.
    blamed: bool,
}

/// What is to be done about a silent stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Subscribe to it anew.
    Renew(Stream, usize),
    /// The whole connection says nothing.
    Connection,
    /// It stays silent: give the connection up.
    GiveUp(Stream, usize),
}

/// A leg.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: Option<Socket>,
    /// First bytes of the connection, used up.
    pub(super) early: Vec<u8>,
    pub(super) receiver: websocket::Receiver,
    pub(super) sender: websocket::Sender,
    pub(super) mask: u32,
    pub(super) pinged: Nanos,
    /// When it came up, monotonic.
    pub(super) since: Nanos,
    /// When bytes last came, and when data that was understood.
    pub(super) bytes_at: Nanos,
    pub(super) data_at: Nanos,
    pub(super) wished: bool,
    pub(super) ups: u64,
    /// The subscription text that is sent next, and when the last one was.
    pub(super) text: usize,
    pub(super) text_at: Nanos,
    /// Refusals before this connection, and whether people know of one on it.
    pub(super) refused: u64,
    pub(super) told: bool,
    /// Refusals that were looked at, and whether one of this connection said that it will be closed.
    pub(super) heeded: u64,
    pub(super) leaving: bool,
    /// What follows a refusal.
    mend: Mend,
    cells: Vec<Cell>,
}

/// After a refusal: which of many topics was meant is not known, so those that were not heard are asked for one by one.
#[derive(Debug, Clone, Copy)]
struct Mend {
    /// Refusals that are being seen to.
    seen: u64,
    /// When the next topic is asked for; zero = nothing to mend.
    at: Nanos,
    /// The next cell to look at.
    cell: usize,
    /// The wait before the next round; doubles.
    wait: Nanos,
}

/// Between a refusal and the first round of mending, and at most between rounds.
const MEND_FIRST: Nanos = Nanos::seconds(3);
const MEND_MAX: Nanos = Nanos::seconds(300);
/// Between two topics of a round, at least.
const MEND_PACE: Nanos = Nanos::new(100_000_000);

impl Line {
    pub(super) fn new(seed: u32, symbols: usize) -> Self {
        Self {
            stream: None,
            early: Vec::new(),
            receiver: websocket::Receiver::new(websocket::MESSAGE_MAX),
            sender: websocket::Sender::new(SEND_MAX),
            mask: 0x9e37_79b9 ^ (seed + 1),
            pinged: Nanos::ZERO,
            since: Nanos::ZERO,
            bytes_at: Nanos::ZERO,
            data_at: Nanos::ZERO,
            wished: false,
            ups: 0,
            text: 0,
            text_at: Nanos::ZERO,
            refused: 0,
            told: false,
            heeded: 0,
            leaving: false,
            mend: Mend {
                seen: 0,
                at: Nanos::ZERO,
                cell: 0,
                wait: MEND_FIRST,
            },
            cells: vec![Cell::default(); STREAMS * symbols],
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        self.stream.is_some()
    }

    fn cell(&mut self, stream: Stream, symbol: usize) -> Option<&mut Cell> {
        let at = (stream as usize).checked_sub(1)?;
        self.cells.get_mut(symbol * STREAMS + at)
    }

    /// A connection begins.
    pub(super) fn begin(&mut self, now: Nanos) {
        self.sender.clear();
        self.pinged = now;
        self.since = now;
        self.bytes_at = now;
        self.data_at = now;
        self.wished = false;
        self.told = false;
        self.heeded = self.refused;
        self.leaving = false;
        self.text = 0;
        self.text_at = Nanos::ZERO;
        self.mend = Mend {
            seen: self.refused,
            at: Nanos::ZERO,
            cell: 0,
            wait: MEND_FIRST,
        };
        self.ups += 1;
        for cell in &mut self.cells {
            cell.heard = Nanos::ZERO;
            cell.asked = now;
            cell.tries = 0;
        }
    }

    /// A stream of a symbol was heard.
    #[inline]
    pub(super) fn hear(&mut self, now: Nanos, stream: Stream, symbol: SymbolId) {
        self.data_at = now;
        if let Some(cell) = self.cell(stream, usize::from(symbol.0)) {
            cell.heard = now;
            cell.tries = 0;
            cell.blamed = false;
        }
    }

    /// The stream and symbol that is to be subscribed to alone, because something was refused and it was not heard;
    /// `refusals` is their number so far.
    pub(super) fn mend(
        &mut self,
        now: Nanos,
        refusals: u64,
        script: &Script,
    ) -> Option<(Stream, usize)> {
        if self.mend.at == Nanos::ZERO {
            if refusals > self.mend.seen {
                self.mend.seen = refusals;
                self.mend.at = now.plus(self.mend.wait);
                self.mend.cell = 0;
                self.mend.wait = Nanos::new(2 * self.mend.wait.get()).min(MEND_MAX);
            }
            return None;
        }
        if now < self.mend.at {
            return None;
        }
        self.mend.at = now.plus(script.pace.max(MEND_PACE));
        while self.mend.cell < self.cells.len() {
            let at = self.mend.cell;
            self.mend.cell += 1;
            let (symbol, stream) = (at / STREAMS, at % STREAMS);
            let texts = script.renew.get(symbol).map(|texts| &texts[stream]);
            let silent = self.cells[at].heard == Nanos::ZERO;
            if silent && texts.is_some_and(|texts| !texts.is_empty()) {
                return Some((ALL[stream], symbol));
            }
        }
        self.mend.at = Nanos::ZERO;
        None
    }

    /// True when every stream that never rests was heard on this connection.
    pub(super) fn is_complete(&self, script: &Script) -> bool {
        script.silence.iter().all(|(stream, _)| {
            let cells = self.cells.iter().skip(*stream as usize - 1);
            cells
                .step_by(STREAMS)
                .all(|cell| cell.heard != Nanos::ZERO || cell.blamed)
        })
    }

    /// One connection is given up for everything that is silent on it: what a new one does not bring either is not
    /// there, and many of those must not cost one connection each.
    fn blame(&mut self, now: Nanos, script: &Script) {
        for (stream, most) in &script.silence {
            let cells = self.cells.iter_mut().skip(*stream as usize - 1);
            for cell in cells.step_by(STREAMS) {
                cell.blamed |= now.since(cell.heard.max(self.since)) > *most;
            }
        }
    }

    /// The first stream that has been silent for too long, noted as asked for. Streams are judged once all of them were
    /// subscribed to, which takes minutes where a venue admits few texts.
    pub(super) fn silent(&mut self, now: Nanos, script: &Script) -> Option<Silence> {
        let most = script.silence.iter().map(|(_, most)| *most).max();
        if most.is_some_and(|most| now.since(self.data_at.max(self.since)) > most) {
            return Some(Silence::Connection);
        }
        if self.text < script.subscribe.len() {
            return None;
        }
        let since = self.since.max(self.text_at);
        for symbol in 0..self.cells.len() / STREAMS {
            if self.lacks_trades(now, symbol, script) {
                return Some(Silence::Renew(Stream::Trades, symbol));
            }
            for (stream, most) in &script.silence {
                let Some(cell) = self.cell(*stream, symbol) else {
                    continue;
                };
                let quiet = now.since(cell.heard.max(since));
                let again = if cell.blamed { SELDOM } else { *most };
                if quiet <= *most || now.since(cell.asked) <= again {
                    continue;
                }
                cell.asked = now;
                if cell.tries >= TRIES && !cell.blamed {
                    self.blame(now, script);
                    return Some(Silence::GiveUp(*stream, symbol));
                }
                cell.tries = cell.tries.saturating_add(1);
                return Some(Silence::Renew(*stream, symbol));
            }
        }
        None
    }

    /// True when a symbol's trades are due to be subscribed to anew, noted as asked for.
    fn lacks_trades(&mut self, now: Nanos, symbol: usize, script: &Script) -> bool {
        let at = Stream::Trades as usize - 1;
        let wanted = script
            .renew
            .get(symbol)
            .is_some_and(|texts| !texts[at].is_empty());
        let subscribed = self.text_at;
        let Some(cell) = self.cell(Stream::Trades, symbol) else {
            return false;
        };
        let wait = FIRST_TRADE.get() << cell.tries.min(DOUBLINGS);
        let asked = cell.asked.max(subscribed);
        if !wanted || cell.heard != Nanos::ZERO || now.since(asked).get() <= wait {
            return false;
        }
        cell.asked = now;
        cell.tries = cell.tries.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> Script {
        Script {
            silence: vec![
                (Stream::Book, Nanos::seconds(10)),
                (Stream::Ticker, Nanos::seconds(10)),
            ],
            ..Script::default()
        }
    }

    #[test]
    fn a_subscription_that_stays_silent_is_renewed_then_its_connection_given_up_once() {
        let (script, mut line) = (script(), Line::new(0, 2));
        let mut found = Vec::new();
        line.begin(Nanos::seconds(100));
        for second in 100..400 {
            let now = Nanos::seconds(second);
            // Everything speaks but the ticker of symbol 1.
            line.hear(now, Stream::Book, SymbolId(0));
            line.hear(now, Stream::Book, SymbolId(1));
            line.hear(now, Stream::Ticker, SymbolId(0));
            if let Some(what) = line.silent(now, &script) {
                if matches!(what, Silence::GiveUp(..)) {
                    line.begin(now);
                }
                found.push((second, what));
            }
        }
        assert_eq!(found[0], (111, Silence::Renew(Stream::Ticker, 1)));
        assert_eq!(found[1], (122, Silence::Renew(Stream::Ticker, 1)));
        assert_eq!(found[2], (133, Silence::GiveUp(Stream::Ticker, 1)));
        // From here on seldom, and never for the connection again.
        assert_eq!(found[3], (194, Silence::Renew(Stream::Ticker, 1)));
        assert!(
            found[3..]
                .iter()
                .all(|(_, what)| *what == Silence::Renew(Stream::Ticker, 1))
        );
        assert!(found.len() < 9, "{found:?}");
    }

    #[test]
    fn trades_that_never_came_are_asked_for_ever_more_seldom_and_nothing_else_is_done() {
        let script = Script {
            renew: vec![
                [const { Vec::new() }; 4],
                std::array::from_fn(|_| vec![String::new()]),
            ],
            ..script()
        };
        let mut line = Line::new(0, 2);
        line.begin(Nanos::seconds(100));
        let mut found = Vec::new();
        for second in 100..700 {
            let now = Nanos::seconds(second);
            for symbol in [SymbolId(0), SymbolId(1)] {
                line.hear(now, Stream::Book, symbol);
                line.hear(now, Stream::Ticker, symbol);
            }
            if second == 550 {
                line.hear(now, Stream::Trades, SymbolId(1));
            }
            found.extend(line.silent(now, &script).map(|what| (second, what)));
        }
        // Symbol 0 was not subscribed to; a stream that has spoken may rest.
        let trades = Silence::Renew(Stream::Trades, 1);
        assert_eq!(found, [121, 162, 243, 404].map(|second| (second, trades)));
    }

    #[test]
    fn many_subscriptions_that_stay_silent_cost_one_connection() {
        let (script, mut line) = (script(), Line::new(0, 4));
        let mut given_up = Vec::new();
        line.begin(Nanos::seconds(100));
        for second in 100..700 {
            let now = Nanos::seconds(second);
            // Symbols 1 to 3 are not listed there.
            line.hear(now, Stream::Book, SymbolId(0));
            line.hear(now, Stream::Ticker, SymbolId(0));
            if let Some(Silence::GiveUp(stream, symbol)) = line.silent(now, &script) {
                line.begin(now);
                given_up.push((second, stream, symbol));
            }
        }
        assert_eq!(given_up.len(), 1, "{given_up:?}");
        assert!(line.is_complete(&script), "nothing else is waited for");
    }

    #[test]
    fn after_a_refusal_what_was_not_heard_is_asked_for_one_by_one_and_ever_less_often() {
        let texts = || {
            ["b", "t", "k", ""].map(|text| match text {
                "" => Vec::new(),
                text => vec![text.to_owned()],
            })
        };
        let script = Script {
            renew: vec![texts(), texts()],
            ..script()
        };
        let mut line = Line::new(0, 2);
        line.refused = 5;
        line.begin(Nanos::seconds(100));
        line.hear(Nanos::seconds(100), Stream::Trades, SymbolId(1));
        let mut asked = Vec::new();
        let mut refusals = 5;
        for tenth in 0..3_000 {
            let now = Nanos::new(100_000_000_000 + tenth * 100_000_000);
            if tenth == 10 {
                refusals = 6;
            }
            if let Some((stream, symbol)) = line.mend(now, refusals, &script) {
                asked.push((tenth, stream, symbol));
                // Symbol 0 is refused each time, the book of symbol 1 comes.
                refusals += u64::from(symbol == 0);
                if symbol == 1 {
                    line.hear(now, stream, SymbolId(1));
                }
            }
        }
        let first: Vec<_> = asked
            .iter()
            .take(5)
            .map(|(_, stream, symbol)| (*stream, *symbol))
            .collect();
        let all = [
            (Stream::Book, 0),
            (Stream::Trades, 0),
            (Stream::Ticker, 0),
            (Stream::Book, 1),
            (Stream::Ticker, 1),
        ];
        assert_eq!(first, all);
        assert!(
            asked[0].0 >= 40,
            "three seconds after the refusal: {asked:?}"
        );
        assert!(asked[5..].iter().all(|(_, _, symbol)| *symbol == 0));
        assert!(asked.len() < 5 + 3 * 8, "{}", asked.len());
    }

    #[test]
    fn a_connection_without_data_is_dead_whatever_it_sends() {
        let (script, mut line) = (script(), Line::new(0, 1));
        line.begin(Nanos::seconds(100));
        line.bytes_at = Nanos::seconds(111);
        assert_eq!(line.silent(Nanos::seconds(105), &script), None);
        assert_eq!(
            line.silent(Nanos::seconds(111), &script),
            Some(Silence::Connection)
        );
        assert!(!line.is_complete(&script));
        line.hear(Nanos::seconds(111), Stream::Book, SymbolId(0));
        line.hear(Nanos::seconds(111), Stream::Ticker, SymbolId(0));
        assert!(line.is_complete(&script));
    }
}
