//! One property suite, stamped on every instruction set: each primitive equals its scalar twin on
//! any bytes.

use super::super::decimal::{self, Shape};
use super::super::{FrameBuffer, SLACK, Window};
use super::*;
use proptest::prelude::*;

/// A window whose bytes are mostly what numbers are made of.
fn window() -> impl Strategy<Value = Window> {
    proptest::collection::vec(
        prop_oneof![8 => b'0'..=b'9', 2 => Just(b'.'), 2 => Just(b'"'), 1 => any::<u8>()],
        SLACK,
    )
    .prop_map(|bytes| bytes.try_into().unwrap())
}

struct Whole<'a> {
    window: &'a Window,
    at: usize,
    len: usize,
    other: (usize, usize),
    shapes: (Shape, Shape),
}

impl Job for Whole<'_> {
    type Out = (
        u64,
        u64,
        Option<Decimal>,
        Option<(u64, usize)>,
        Option<(i64, i64)>,
    );
    #[inline(always)]
    fn run<S: Scan>(self, scan: S) -> Self::Out {
        let mut bad = scan.clean();
        let pair = scan.pair(
            self.window,
            (self.at & 63, self.len),
            self.other,
            (&self.shapes.0, &self.shapes.1),
            &mut bad,
        );
        (
            scan.find(self.window, b'"'),
            scan.odd(self.window),
            scan.decimal(self.window, self.at, self.len),
            scan.uint(self.window, self.at),
            (!scan.spoiled(bad)).then_some(pair),
        )
    }
}

struct Levels<'a> {
    text: &'a [u8],
    shapes: (Shape, Shape),
}

impl Job for Levels<'_> {
    type Out = Option<(usize, Vec<(i64, i64)>)>;
    #[inline(always)]
    fn run<S: Scan>(self, scan: S) -> Self::Out {
        let mut room = FrameBuffer::default();
        let frame = room.put(self.text);
        let mut all = Vec::new();
        let shapes = (&self.shapes.0, &self.shapes.1);
        let end = levels(scan, &frame, 0, shapes, &mut all)?;
        Some((end, all))
    }
}

impl Sink for Vec<(i64, i64)> {
    fn level(&mut self, price: i64, qty: i64) {
        self.push((price, qty));
    }
}

fn shape(places: u32, target: u32) -> Shape {
    Shape::new(places, target, 0).unwrap()
}

macro_rules! suite {
    ($name:ident, $isa:expr) => {
        mod $name {
            use super::*;

            proptest! {
                #[test]
                fn every_primitive_equals_its_twin(
                    window in window(), at in 0usize..110, len in 0usize..40,
                    b in 0usize..64, b_len in 0usize..40, p in 0u32..11, q in 0u32..7,
                ) {
                    let Some(isa) = $isa else { return Ok(()) };
                    let job = || Whole {
                        window: &window, at, len, other: (b, b_len),
                        shapes: (shape(p, 10), shape(q, 6)),
                    };
                    prop_assert_eq!(isa.run(job()), Isa::plain().run(job()));
                }

                #[test]
                fn a_number_equals_the_slow_reader(
                    text in "[0-9]{0,12}\\.?[0-9]{0,12}", junk in any::<u8>(),
                    places in 0u32..9,
                ) {
                    let Some(isa) = $isa else { return Ok(()) };
                    let mut window = [junk; SLACK];
                    window[7..7 + text.len()].copy_from_slice(text.as_bytes());
                    window[7 + text.len()] = b'"';
                    let job = || Whole {
                        window: &window, at: 7, len: text.len(), other: (7, text.len()),
                        shapes: (shape(places, 10), shape(places.min(6), 6)),
                    };
                    let (_, _, got, _, pair) = isa.run(job());
                    let want = decimal::read(text.as_bytes());
                    if text.len() <= 16 {
                        prop_assert_eq!(got, want.ok());
                    }
                    // A shape may refuse what it does not know, but never gives another number.
                    if let Some((price, qty)) = pair {
                        prop_assert_eq!(Ok(price), decimal::parse(text.as_bytes(), 10));
                        prop_assert_eq!(Ok(qty), decimal::parse(text.as_bytes(), 6));
                    }
                    // What is written in the shape is accepted.
                    if let Ok(d) = want
                        && d.places == places && places <= 6
                        && text.len() <= 16 && d.mantissa < 10u64.pow(15)
                        && (text.contains('.') || places == 0)
                        && decimal::fix(d, 10).is_ok() && decimal::fix(d, 6).is_ok()
                    {
                        prop_assert!(pair.is_some(), "{}", text);
                    }
                }

                #[test]
                fn levels_come_out_as_written(
                    list in proptest::collection::vec((1u64..99_999_999, 0u64..9_999_999), 0..40),
                    tail in "[,}\\]a-z]{1,9}",
                ) {
                    let Some(isa) = $isa else { return Ok(()) };
                    let mut text = String::new();
                    for (p, q) in &list {
                        let comma = if text.is_empty() { "" } else { "," };
                        let qty = if *q == 0 { "0".into() }
                            else { format!("{}.{:03}", q / 1000, q % 1000) };
                        text += &format!("{comma}[\"{}.{:02}\",\"{qty}\"]", p / 100, p % 100);
                    }
                    text.push(']');
                    let end = text.len();
                    text += &tail;
                    let job = Levels { text: text.as_bytes(), shapes: (shape(2, 10), shape(3, 6)) };
                    let want: Vec<_> = list.iter()
                        .map(|(p, q)| (*p as i64 * 100_000_000, *q as i64 * 1000)).collect();
                    prop_assert_eq!(isa.run(job), Some((end, want)));
                }

                #[test]
                fn levels_on_damaged_text_agree_or_refuse(
                    at in 0usize..200, with in any::<u8>(), seed in 0u64..1000,
                ) {
                    let Some(isa) = $isa else { return Ok(()) };
                    let mut text = String::new();
                    for i in 0..6 {
                        let comma = if i == 0 { "" } else { "," };
                        text += &format!("{comma}[\"{}.{:02}\",\"0.{:03}\"]", 65_000 + seed, i, seed);
                    }
                    text += "],\"a\":";
                    let mut bytes = text.into_bytes();
                    let at = at % bytes.len();
                    bytes[at] = with;
                    let job = || Levels { text: &bytes, shapes: (shape(2, 10), shape(3, 6)) };
                    prop_assert_eq!(isa.run(job()), Isa::plain().run(job()));
                }
            }
        }
    };
}

suite!(scalar_suite, Some(Isa::plain()));
suite!(
    avx2_suite,
    Some(Isa::detect()).filter(|isa| isa.name() == "avx2")
);
