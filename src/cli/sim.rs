//! `isotherm sim`: the built-in exchange as a server, one world a venue.

use super::{stop_signal, stopped};
use crate::sim::faults::FAULTS;
use crate::sim::server::{Handle, Options, Server};
use crate::sim::{Dialect, Faults, Injected, Params, World};
use crate::time::Nanos;
use crate::wire::tls;
use anyhow::{Context as _, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "\
Examples:
  isotherm sim                                   bybit on ports 9001 (websocket) and 9002 (REST), real time
  isotherm sim --speed 10 --seed 3               ten times as fast, another world
  isotherm sim --venue bybit --venue okx         two venues, on 9001, 9002 and 9003, 9004
  isotherm sim --gap-every 200 --cut-every 5000  a book delta in 200 left out, a connection lost every 5,000 frames
  isotherm sim --cruel 500 --flat-out            every fault, as fast as the clients read

It prints the feeds to put into a plan.";

/// How often is looked whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Which streams of a venue come from which path, in the plan's words.
const ROOTS: [(Dialect, &str, &str); 5] = [
    (Dialect::Bybit, "", ""),
    (Dialect::Binance, "/public", r#"["book"]"#),
    (
        Dialect::Binance,
        "/market",
        r#"["trades", "tickers", "liquidations"]"#,
    ),
    (Dialect::Okx, "", ""),
    (Dialect::Hyperliquid, "", r#"["book", "trades", "tickers"]"#),
];

/// Serve the built-in exchange.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Seed of the worlds
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Whose words to speak; repeat it for more venues
    #[arg(long, value_parser = dialect, default_value = "bybit")]
    venue: Vec<Dialect>,
    /// Contracts of each venue
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u16).range(3..=21))]
    symbols: u16,
    /// First port on 127.0.0.1: websocket, REST, then the next venue's; 0 = any
    #[arg(long, default_value_t = 9001)]
    port: u16,
    /// Virtual seconds per real second
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=100))]
    speed: u32,
    /// As fast as the slowest client reads, instead of by speed
    #[arg(long)]
    flat_out: bool,
    /// Hours of virtual time before the doors open
    #[arg(long, default_value_t = 1)]
    hours: u32,
    /// Certificate chain (PEM); everything is TLS then
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate (PEM)
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Every fault at once, one in so many frames; single rates go before it
    #[arg(long, default_value_t = 0)]
    cruel: u32,
    #[command(flatten)]
    dial: Dial,
    /// Stop after so many seconds; default: on Ctrl-C
    #[arg(long)]
    seconds: Option<u64>,
}

fn dialect(text: &str) -> Result<Dialect, String> {
    let mut all = Dialect::ALL.into_iter();
    all.find(|dialect| dialect.name() == text).ok_or_else(|| {
        let names = Dialect::ALL.map(Dialect::name);
        format!("one of {}", names.join(", "))
    })
}

/// One `--NAME-every N` for each row of the table of faults; what was given.
#[derive(Debug, Default)]
struct Dial(Vec<(usize, u32)>);

impl clap::Args for Dial {
    fn augment_args(mut command: Command) -> Command {
        for row in &FAULTS {
            let arg = Arg::new(row.name)
                .long(row.option)
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help_heading("Faults: on average one in N, 0 = never")
                .help(format!("{} (N {})", row.what, row.unit.name()));
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Dial {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut dial = Self::default();
        dial.update_from_arg_matches(matches)?;
        Ok(dial)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (place, row) in FAULTS.iter().enumerate() {
            if let Some(every) = matches.get_one::<u32>(row.name) {
                self.0.push((place, *every));
            }
        }
        Ok(())
    }
}

impl Args {
    fn faults(&self) -> Faults {
        let given = self.dial.0.iter();
        given.fold(Faults::cruel(self.cruel), |all, (place, every)| {
            all.with(FAULTS[*place].fault, *every)
        })
    }

    /// Opens the doors of one venue, the `place`-th of the command.
    fn open(&self, place: usize, dialect: Dialect, options: &Options) -> Result<Handle> {
        let params = Params::many(usize::from(self.symbols)).speaking(dialect);
        // Venues of one seed are different markets.
        let mut world = World::new(self.seed.wrapping_add(place as u64), params)?;
        let hours = Nanos::HOUR.get().saturating_mul(i64::from(self.hours));
        world.advance(world.now().plus(Nanos::new(hours)), &mut |_| {});
        let port = |next: usize| match self.port {
            0 => Ok(0),
            first => u16::try_from(usize::from(first) + 2 * place + next).with_context(|| {
                let ports = 2 * self.venue.len();
                format!("--port {first}: {ports} ports from there on, and 65535 is the last")
            }),
        };
        let options = Options {
            ws_port: port(0)?,
            rest_port: port(1)?,
            ..options.clone()
        };
        Ok(Server::start(world, options)?)
    }
}

pub(super) fn run(args: &Args) -> Result<()> {
    let signal = stop_signal()?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(tls::server(cert, key)?),
        _ => None,
    };
    let options = Options {
        speed: args.speed,
        is_flat_out: args.flat_out,
        faults: args.faults(),
        tls,
        ..Options::default()
    };
    let mut servers = Vec::new();
    for (place, dialect) in args.venue.iter().enumerate() {
        // Where the feeds that follow are written to a file this is a comment of it.
        say!(
            "# {}: {} h of {} contracts go by before the doors open",
            dialect.name(),
            args.hours,
            args.symbols
        );
        let server = args.open(place, *dialect, &options)?;
        print_feeds(*dialect, &server);
        servers.push((*dialect, server));
    }
    let until = args
        .seconds
        .map(|s| Instant::now() + Duration::from_secs(s));
    let (mut frames, mut busy) = (0, Duration::ZERO);
    while !stopped(&signal) && until.is_none_or(|until| Instant::now() < until) {
        let round = Instant::now();
        std::thread::sleep(LOOK);
        let now = servers.iter().map(|(_, server)| server.injected().frames);
        let now = now.sum();
        // A rate over the time in which nobody listened would say nothing.
        if now > frames {
            busy += round.elapsed();
        }
        frames = now;
    }
    for (dialect, server) in servers {
        print_injected(dialect, &server.injected());
        server.stop()?;
    }
    let rate = frames as f64 / busy.as_secs_f64().max(f64::MIN_POSITIVE);
    say!("{frames} frames in {busy:.1?}: {rate:.0} a second");
    Ok(())
}

/// The feeds of a plan that listen to this server.
fn print_feeds(dialect: Dialect, server: &Handle) {
    let urls: Vec<String> = server.ws_urls().collect();
    for (_, root, channels) in ROOTS.iter().filter(|(of, _, _)| *of == dialect) {
        let Some(url) = urls.iter().find(|url| url.contains(root)) else {
            continue;
        };
        say!("[[feed]]");
        say!("venue = \"{}\"", dialect.name());
        say!("url = \"{url}\"");
        say!("rest = \"{}\"", server.rest_url());
        if !channels.is_empty() {
            say!("channels = {channels}");
        }
        say!("");
    }
}

fn print_injected(dialect: Dialect, injected: &Injected) {
    say!(
        "{}: {} frames, {} told, {} connections, {} requests, {} too slow, {} unheeded",
        dialect.name(),
        injected.frames,
        injected.told,
        injected.connections,
        injected.requests,
        injected.slow,
        injected.unheeded,
    );
    for (row, count) in injected.faults() {
        say!("  {:<12} {count:>8}  {}", row.name, row.what);
    }
}
