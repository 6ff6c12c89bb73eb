//! Tests of `reader`.

use super::*;
use crate::shm::page::{Layout, SHAPES};
use crate::shm::place;
use crate::shm::record::Publish;
use crate::shm::writer::PageWriter;
use crate::time::mono_now;
use bytemuck::Zeroable;
use proptest::prelude::*;

/// The bytes of a page with three symbols and something in every slot.
fn sample() -> Vec<u8> {
    let dir = place();
    let path = dir.path().join("page");
    let names = ["BTC", "ETH", "SOL"].map(String::from);
    let lots: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    let venues = [("okx", 3), ("bybit", 2)];
    let mut writer = PageWriter::create_with(&path, &lots, &venues, "sample").unwrap();
    writer.heartbeat(mono_now(), 1, 2);
    writer.error(64, &Zeroable::zeroed());
    for symbol in 0..3 {
        for mode in 0..MODES {
            writer.headline(
                symbol,
                mode,
                &Headline {
                    mark_e10: 5,
                    ..Zeroable::zeroed()
                },
            );
        }
        writer.wide(
            symbol,
            &Wide {
                mark_e10: 5,
                ..Zeroable::zeroed()
            },
        );
    }
    fs::read(&path).unwrap()
}

/// Asks everything there is to ask, twice around the borders; only has to come back.
fn ask_everything(path: &Path) {
    let Ok(reader) = PageReader::open(path) else {
        return;
    };
    for symbol in (0..reader.symbols().len() + 2).chain([usize::MAX]) {
        for mode in [0, 1, 2, 3, usize::MAX] {
            if let Ok(headline) = reader.headline(symbol, mode)
                && let Ok(header) = reader.header()
            {
                let _ = freshness(&header, &headline, mono_now());
            }
            let _ = reader.headline_turns(symbol, mode);
        }
        let _ = reader.wide(symbol);
    }
    for slot in [0, 1, 64, reader.venues(), reader.errors(), usize::MAX] {
        let _ = reader.venue(slot).map(|venue| venue.name_text());
        let _ = reader.error(slot).map(|error| error.texts());
    }
    let _ = reader.counters();
    let _ = reader.header().map(|header| header.build_text());
}

#[test]
fn every_truncation_is_refused_or_read_within_its_bounds() {
    let bytes = sample();
    let dir = place();
    let path = dir.path().join("page");
    for len in (0..bytes.len()).step_by(61) {
        fs::write(&path, &bytes[..len]).unwrap();
        assert!(PageReader::open(&path).is_err(), "{len}");
    }
}

#[test]
fn other_files_are_refused_without_waiting() {
    let dir = place();
    assert!(matches!(
        PageReader::open(dir.path()),
        Err(ReadFault::NotAPage)
    ));
    let missing = dir.path().join("missing");
    assert!(matches!(PageReader::open(&missing), Err(ReadFault::Io(_))));
    let text = dir.path().join("text");
    fs::write(&text, [b'x'; 4096]).unwrap();
    assert!(matches!(PageReader::open(&text), Err(ReadFault::NotAPage)));
}

#[test]
fn a_reader_names_the_version_it_cannot_read_and_reads_a_newer_minor() {
    let bytes = sample();
    let dir = place();
    let path = dir.path().join("page");
    let with = |at: usize, patch: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + patch.len()].copy_from_slice(patch);
        fs::write(&path, bytes).unwrap();
        PageReader::open(&path)
    };
    assert!(matches!(
        with(8, &[9, 0]),
        Err(ReadFault::Abi { major: 9, .. })
    ));
    assert!(matches!(
        with(10, &[1, 0]),
        Err(ReadFault::Abi { minor: 1, .. })
    ));
    assert!(matches!(with(16, &[0; 8]), Err(ReadFault::Layout(0))));
    assert!(matches!(with(0, &[0; 8]), Err(ReadFault::Gone)));
    assert!(
        with(10, &[99, 0, 128, 1, 0, 0, 1]).is_ok(),
        "a newer minor has another hash"
    );
}

#[test]
fn records_that_grew_are_found_by_the_pages_own_strides() {
    // A page of a later version: wide records two lines longer, and moved to its end.
    let old = sample();
    let layout = Layout::of(3, 2);
    let mut bytes = old.clone();
    let at = layout.wides.offset as usize;
    let stride = layout.wides.stride as usize;
    let moved = bytes.len() as u32;
    for symbol in 0..3 {
        bytes.extend_from_slice(&old[at + symbol * stride..at + (symbol + 1) * stride]);
        bytes.extend_from_slice(&[0xee; 128]);
    }
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    let field = |name: &str| {
        let fields = SHAPES.iter().find(|s| s.name == "header").unwrap().fields;
        fields.iter().find(|f| f.name == name).unwrap().offset
    };
    let stride = (layout.wides.stride + 128).to_le_bytes();
    bytes[field("wides")..field("wides") + 4].copy_from_slice(&moved.to_le_bytes());
    bytes[field("wides") + 4..field("wides") + 8].copy_from_slice(&stride);
    let len = (bytes.len() as u64).to_le_bytes();
    bytes[field("page_len")..field("page_len") + 8].copy_from_slice(&len);
    bytes[10] = ABI_MINOR as u8 + 1;
    let dir = place();
    let path = dir.path().join("page");
    fs::write(&path, &bytes).unwrap();
    let reader = PageReader::open(&path).unwrap();
    for symbol in 0..3 {
        assert_eq!(reader.wide(symbol).unwrap().mark_e10, 5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn hostile_bytes_neither_panic_nor_hang(
        patches in proptest::collection::vec(
            (prop_oneof![0usize..384, 384usize..9_000], any::<[u8; 8]>(), 1usize..=8, 0u8..3),
            1..12,
        ),
        cut in prop_oneof![3 => Just(usize::MAX), 1 => 0usize..9_000],
    ) {
        static SAMPLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(sample);
        let mut bytes = SAMPLE.clone();
        for (at, patch, len, how) in patches {
            // Whole words of extremes reach further than random bytes.
            let patch = [patch, [0xff; 8], [0; 8]][how as usize];
            let at = at.min(bytes.len() - len);
            bytes[at..at + len].copy_from_slice(&patch[..len]);
        }
        // Without these two the first checks would refuse nearly every page.
        bytes[..8].copy_from_slice(&SAMPLE[..8]);
        bytes[8..24].copy_from_slice(&SAMPLE[8..24]);
        bytes.truncate(cut);
        let dir = place();
        let path = dir.path().join("page");
        fs::write(&path, &bytes).unwrap();
        ask_everything(&path);
    }
}
