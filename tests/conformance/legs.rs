//! Two connections of the same streams that both lose frames, and a decoder that goes on where another stopped.

use super::*;
use std::collections::BTreeMap;

/// What a shard would hold of the events: books, and every trade and liquidation.
#[derive(Debug, Default, Clone, PartialEq)]
struct Held {
    book: BTreeMap<(u8, i64), i64>,
    prints: Vec<String>,
    gaps: usize,
}

impl Held {
    fn take(&mut self, row: &Row, got: &Got) {
        for event in &got.events {
            if event.bits & (SNAPSHOT | FIRST) == SNAPSHOT | FIRST {
                self.book.clear();
            }
            match event.body() {
                Body::Level(l) => {
                    let at = (l.side as u8, l.price.get());
                    match l.qty.get() {
                        0 => self.book.remove(&at),
                        qty => self.book.insert(at, qty),
                    };
                }
                Body::Trade(t) => self
                    .prints
                    .push(format!("{:x} {} {}", t.id, t.price, t.qty)),
                Body::Liquidation(_) => self.prints.push(told(row, event)),
                Body::Gap(_) => self.gaps += 1,
                _ => {}
            }
        }
        self.gaps += usize::from(got.gap);
    }
}

/// A decoder with this many legs up, behind the first steps.
fn begun(row: &Row, legs: usize, held: &mut Held) -> Decoder {
    let mut decoder = row.decoder();
    let mut room = FrameBuffer::default();
    for leg in 0..legs {
        decoder.leg_up(leg, leg == 0);
    }
    for &(request, text) in row.legs.first {
        for leg in 0..legs {
            let got = match request {
                "" => leg_takes(&mut decoder, &mut room, leg, text),
                _ if leg == 0 => take(&mut decoder, &mut room, (request, text)).unwrap(),
                _ => continue,
            };
            held.take(row, &got);
        }
    }
    decoder
}

fn leg_takes(decoder: &mut Decoder, room: &mut FrameBuffer, leg: usize, text: &str) -> Got {
    let said = decoder
        .decode_leg(leg, RECV, room.put(text.as_bytes()))
        .unwrap();
    Got {
        events: said.events.to_vec(),
        ignored: said.road == Road::Ignored,
        gap: said.gap,
        resync: said.resync,
    }
}

/// What one of two legs loses, and how far the second is behind: nothing is missing, nothing is there twice.
#[test]
fn what_one_leg_loses_the_other_brings_once() {
    for row in ROWS {
        let frames = (row.legs.then)();
        let mut room = FrameBuffer::default();
        let mut want = Held::default();
        let mut single = begun(row, 1, &mut want);
        for frame in &frames {
            want.take(row, &leg_takes(&mut single, &mut room, 0, frame));
        }
        want.prints.sort();
        assert_eq!(
            (want.prints.len(), want.gaps),
            (row.legs.prints, 0),
            "{}",
            row.venue
        );
        assert!(want.book.len() > 1);
        let mut begin = Held::default();
        let mut pair = begun(row, 2, &mut begin);
        let mut memory = Vec::new();
        pair.remember(&mut memory);
        // Who loses a frame: nobody, one, or the other.
        let ways = 3usize.pow(frames.len() as u32);
        for behind in 0..3 {
            for way in (0..ways).step_by(1 + ways / 400) {
                let lost = |at: usize| way / 3usize.pow(at as u32) % 3;
                assert!(pair.recall(&mut memory.as_slice()).is_some());
                let mut held = begin.clone();
                let mut give = |leg: usize, at: usize| {
                    // The last comes on both, so that what is missing before it shows.
                    if lost(at) != leg + 1 || at + 1 == frames.len() {
                        held.take(row, &leg_takes(&mut pair, &mut room, leg, &frames[at]));
                    }
                };
                for at in 0..frames.len() + behind {
                    if at < frames.len() {
                        give(0, at);
                    }
                    if at >= behind {
                        give(1, at - behind);
                    }
                }
                held.prints.sort();
                let what = format!("{}: way {way}, {behind} behind", row.venue);
                assert_eq!(held.prints, want.prints, "{what}");
                // However far the legs are apart, and whatever each of them loses: what one brought is not lost.
                assert_eq!(held, want, "{what}");
            }
        }
    }
}

/// What both legs lose of a numbered book is a gap, told once.
#[test]
fn what_both_legs_lose_is_a_gap() {
    for row in ROWS.into_iter().filter(|row| row.venue != "hyperliquid") {
        let frames = (row.legs.then)();
        let books: Vec<_> = (0..frames.len())
            .filter(|&at| {
                let mut single = begun(row, 1, &mut Held::default());
                let mut room = FrameBuffer::default();
                let mut all = frames[..=at]
                    .iter()
                    .map(|f| leg_takes(&mut single, &mut room, 0, f));
                let last = all.nth(at).unwrap();
                last.events
                    .iter()
                    .any(|e| matches!(e.body(), Body::Level(_)))
            })
            .collect();
        assert!(books.len() > 2, "{}", row.venue);
        let mut held = Held::default();
        let mut pair = begun(row, 2, &mut held);
        let mut room = FrameBuffer::default();
        let mut asked = 0;
        for at in (0..frames.len()).filter(|&at| at != books[1]) {
            for leg in 0..2 {
                let got = leg_takes(&mut pair, &mut room, leg, &frames[at]);
                asked += usize::from(got.resync.is_some());
                held.take(row, &got);
            }
        }
        // The event and its mark.
        assert_eq!((held.gaps, asked), (2, 1), "{}", row.venue);
        assert!(pair.waits(SymbolId(0)));
    }
}

/// All that a row's tests feed, as one sequence.
fn everything(row: &Row) -> Vec<(String, String)> {
    let own = |step: &Step| (step.0.to_owned(), step.1.to_owned());
    let mut all: Vec<_> = row.primers.iter().chain(row.legs.first).map(own).collect();
    all.extend(
        (row.legs.then)()
            .into_iter()
            .map(|frame| (String::new(), frame)),
    );
    for channel in row.channels {
        all.extend(channel.before.iter().map(own));
        all.push((String::new(), channel.frame.to_owned()));
    }
    for answer in row.answers {
        all.extend(answer.before.iter().map(own));
        all.push((texts::filled(row, answer.request), answer.body.to_owned()));
    }
    all
}

#[test]
fn a_decoder_that_recalls_goes_on_as_the_one_that_remembered() {
    for row in ROWS {
        let steps = everything(row);
        let mut room = FrameBuffer::default();
        for cut in 0..steps.len() {
            let mut one = row.silent();
            for (request, text) in &steps[..cut] {
                take(&mut one, &mut room, (request, text)).unwrap();
            }
            let mut memory = Vec::new();
            one.remember(&mut memory);
            let mut other = row.silent();
            let mut from = memory.as_slice();
            assert!(other.recall(&mut from).is_some() && from.is_empty());
            let mut again = Vec::new();
            other.remember(&mut again);
            assert!(again == memory, "{}: cut at {cut}", row.venue);
            for (request, text) in &steps[cut..] {
                let want = take(&mut one, &mut room, (request, text)).unwrap();
                let got = take(&mut other, &mut room, (request, text)).unwrap();
                assert_eq!(got, want, "{}: cut at {cut}: {text}", row.venue);
            }
            for short in [0, 1, memory.len() / 2, memory.len() - 1] {
                assert!(
                    row.silent().recall(&mut &memory[..short]).is_none(),
                    "{short}"
                );
            }
        }
    }
}
