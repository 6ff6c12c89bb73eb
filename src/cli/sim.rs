//! `isotherm sim`: the built-in exchange as a server.

use super::{stop_signal, stopped};
use crate::sim::server::{Faults, Options, Server};
use crate::sim::{Params, World};
use crate::time::Nanos;
use anyhow::Result;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  isotherm sim                                   on ports 9001 (websocket) and 9002 (REST), real time
  isotherm sim --speed 10 --seed 3               ten times as fast, another world
  isotherm sim --book-gap-every 200              leave out one book delta in 200
  isotherm sim --disconnect-every 5000           drop a connection every 5,000 frames

Point a plan at it: url = \"ws://127.0.0.1:9001/v5/public/linear\", rest = \"http://127.0.0.1:9002\".";

/// Serve the built-in exchange.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Seed of the world
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Websocket port on 127.0.0.1; 0 = any
    #[arg(long, default_value_t = 9001)]
    port: u16,
    /// REST port on 127.0.0.1; 0 = any
    #[arg(long, default_value_t = 9002)]
    rest_port: u16,
    /// Virtual seconds per real second
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    speed: u32,
    /// Hours of virtual time before the doors open
    #[arg(long, default_value_t = 1)]
    hours: u32,
    /// On average one in so many book deltas is left out; 0 = none
    #[arg(long, default_value_t = 0)]
    book_gap_every: u32,
    /// On average a connection is dropped after so many frames; 0 = never
    #[arg(long, default_value_t = 0)]
    disconnect_every: u32,
    /// Stop after so many seconds; default: on Ctrl-C
    #[arg(long)]
    seconds: Option<u64>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let signal = stop_signal()?;
    let mut world = World::new(args.seed, Params::default())?;
    let open = world
        .now()
        .plus(Nanos::new(Nanos::HOUR.get() * i64::from(args.hours)));
    world.advance(open, &mut |_| {});
    let faults = Faults {
        book_gap_every: args.book_gap_every,
        disconnect_every: args.disconnect_every,
    };
    let options = Options {
        ws_port: args.port,
        rest_port: args.rest_port,
        speed: args.speed,
        faults,
    };
    let server = Server::start(world, options)?;
    say!("websocket {}", server.ws_url());
    say!("rest      {}", server.rest_url());
    let until = args
        .seconds
        .map(|s| Instant::now() + Duration::from_secs(s));
    while !stopped(&signal) && until.is_none_or(|until| Instant::now() < until) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let injected = server.injected();
    say!(
        "injected  {} gaps, {} disconnects",
        injected.gaps,
        injected.disconnects
    );
    server.stop()?;
    Ok(())
}
