//! executor: attach to the page of a running engine and print what an executor would act on.
//!
//!     cargo run --release --example executor -- /dev/shm/isotherm.main 10

#![allow(clippy::print_stderr, reason = "it talks to a person")]

use isotherm::shm::reader::{PageReader, ReadFault, age, freshness};
use isotherm::shm::record::{MODE_NAMES, verdict};
use isotherm::time::mono_now;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

fn zone(bps_e2: i32) -> String {
    match bps_e2 {
        i32::MAX => "none".into(),
        bps => format!("{}.{:02} bp", bps / 100, (bps % 100).abs()),
    }
}

/// One line per symbol and mode.
pub(crate) fn report(page: &PageReader, out: &mut impl Write) -> Result<(), ReadFault> {
    for (index, symbol) in page.symbols().iter().enumerate() {
        for (mode, name) in MODE_NAMES.iter().enumerate() {
            let both = page
                .headline(index, mode)
                .and_then(|headline| Ok((headline, page.header()?)));
            let (headline, header) = match both {
                // No data until the next round: the writer lost its processor, or died there.
                Err(ReadFault::WriterStalled) => {
                    writeln!(out, "{} {name} STALLED", symbol.name)?;
                    continue;
                }
                both => both?,
            };
            let now = mono_now();
            writeln!(
                out,
                "{} {name} {} bias {} confidence {} {} above {} below {} age {} ns",
                symbol.name,
                freshness(&header, &headline, now).name(),
                headline.bias,
                headline.confidence,
                verdict::NAMES
                    .get(usize::from(headline.verdict))
                    .unwrap_or(&"UNKNOWN"),
                zone(headline.above_bps_e2),
                zone(headline.below_bps_e2),
                age(headline.publish_mono_ns, now).get(),
            )?;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let Some(path) = args.get(1) else {
        eprintln!("usage: executor <page> [rounds]\n  e.g. executor /dev/shm/isotherm.main 10");
        return ExitCode::from(2);
    };
    let rounds = args.get(2).and_then(|n| n.parse().ok()).unwrap_or(1u32);
    let watch = || {
        let page = PageReader::open(Path::new(path))?;
        for round in 0..rounds {
            if round > 0 {
                std::thread::sleep(Duration::from_millis(100));
            }
            report(&page, &mut io::stdout())?;
        }
        Ok::<(), ReadFault>(())
    };
    match watch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{path}: {fault}");
            ExitCode::FAILURE
        }
    }
}
