//! Run: wires plan, threads, rings and page into a running instance.
//!
//! Threads: one feed a connection, the control thread, the tape thread when there is a tape, one that looks at the kill
//! switch, one at the ledger of proofs when there is one, and the shard's. Ring
//! numbers are feed numbers; the ring behind the last feed carries REST answers. `Live::stop` ends them in the order
//! the data flows: feeds and control first, then the shard when its rings are empty, then the tape with its End.

pub mod bench;
pub mod engine;
pub mod inputs;
pub mod proof;
pub mod recording;
pub mod switch;
pub mod taping;
pub mod warm;

use crate::config::{Feed as FeedPlan, Plan};
use crate::control::{self, Control, Outside, Seat};
use crate::event::Event;
use crate::feed::Feed;
use crate::feed::sighting::{self, Sighting};
use crate::log::{Level, Log};
use crate::market::VenueId;
use crate::ring::{Consumer, channel};
use crate::series::{Decoder, Input, SeriesError};
use crate::shard::{Setup, Shard, ShardError};
use crate::shm::record::{FNV_START, fnv_words};
use crate::shm::writer::{PageError, PageWriter};
use crate::sync::{Flag, Tally};
use crate::tape::{self, End, Header, Recorder, RingPlan, RunPlan, Told};
use crate::time::Clock;
use crate::venue::lane::Lane;
use crate::venue::names::names;
use crate::venue::{self, VenueError};
use crate::wire::tls::TrustFault;
use engine::{Engine, Finished};
use proof::{Ledger, Verdicts};
use recording::Begin;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use switch::{Said, Watch};
use taping::{Taping, Ways};

/// Events a ring holds: 4 MiB, a hundred of the largest frames.
const RING: usize = 1 << 16;
/// Bytes a feed's tape ring holds.
const TAPE_RING: usize = 16 << 20;
/// Bytes the journal's ring holds.
const JOURNAL_RING: usize = 4 << 20;

/// Why an instance cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The page.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The tape.
    #[error(transparent)]
    Tape(#[from] tape::Error),
    /// The shard's plan.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// A venue or symbol that is not known.
    #[error(transparent)]
    Venue(#[from] VenueError),
    /// The socket of external series.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// Certificates to trust.
    #[error(transparent)]
    Trust(#[from] TrustFault),
    /// The state to start from.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::CheckpointError),
    /// The calibrations to begin with.
    #[error(
        "key \"calibration\" in [engine]: {0}; isotherm calibration show FILE --save NEW keeps the rows that are good"
    )]
    Calibration(String),
    /// Nothing to listen to.
    #[error("the plan has no [[feed]]")]
    NoFeed,
    /// The machine gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A thread ended by a fault of ours.
    #[error("the {0} thread died; this is a defect, please report it")]
    Died(&'static str),
}

/// A running instance.
#[derive(Debug)]
pub struct Live {
    shard: JoinHandle<Finished>,
    inputs: Vec<JoinHandle<()>>,
    tape: Option<Taping>,
    told: Arc<Told>,
    wanted: bool,
    flags: Flags,
    /// Where its page lies.
    pub page: PathBuf,
}

/// What threads look at, in the order they are raised.
#[derive(Debug, Default)]
struct Flags {
    stop_inputs: Arc<Flag>,
    stop_shard: Arc<Flag>,
}

/// What runs already while an instance is being put together.
#[derive(Debug, Default)]
struct Begun {
    flags: Flags,
    inputs: Vec<JoinHandle<()>>,
    /// The recording until its thread has it.
    recorder: Option<Recorder>,
    tape: Option<Taping>,
}

impl Begun {
    /// Ends what runs and takes back what was made.
    fn undo(self) {
        for flag in [&self.flags.stop_inputs, &self.flags.stop_shard] {
            flag.raise();
        }
        for input in self.inputs {
            // A thread that died has ended too; why the start failed is told already.
            let _ = input.join();
        }
        if let Some(tape) = self.tape {
            tape.discard();
        }
        if let Some(recorder) = self.recorder {
            recorder.discard();
        }
    }
}

/// How an instance ended.
#[derive(Debug)]
pub struct Ended {
    /// The model and its latencies.
    pub finished: Finished,
    /// `None` = no tape was wanted; `Some(false)` = it has a hole and no End.
    pub tape_whole: Option<bool>,
    /// Why it has.
    pub tape_failed: Option<String>,
}

/// Starts an instance of `plan` around `shard` (fresh, or warmed). `log` hears what people should know.
///
/// # Errors
/// See [`RunError`]; nothing keeps running, and no tape is left behind.
pub fn start<C: Clock + Copy + Send + 'static>(
    plan: &Plan,
    shard: Shard,
    clock: C,
    speed: u32,
    log: Log,
) -> Result<Live, RunError> {
    let begin = Begin::with(plan, shard, clock)?;
    start_from(plan, begin, clock, speed, log)
}

/// As [`start`], from what [`Begin::of`] settled.
///
/// # Errors
/// As [`start`].
pub fn start_from<C: Clock + Copy + Send + 'static>(
    plan: &Plan,
    begin: Begin,
    clock: C,
    speed: u32,
    mut log: Log,
) -> Result<Live, RunError> {
    let mut begun = Begun {
        recorder: begin.recorder,
        ..Begun::default()
    };
    let (told, wanted) = (begin.told, begin.wanted);
    for (level, note) in &begin.notes {
        log.say(*level, "tape", "start", note);
    }
    for core in missing_cores(plan) {
        let text =
            "not a core this process may run on: its thread is left where the system puts it";
        log.say(Level::Warn, "core", &format!("core {core}"), text);
    }
    match wire(plan, begin.shard, clock, speed, log, &told, &mut begun) {
        Ok(shard) => Ok(Live {
            shard,
            inputs: begun.inputs,
            tape: begun.tape,
            told,
            wanted,
            flags: begun.flags,
            page: plan.engine.page.clone(),
        }),
        Err(fault) => {
            begun.undo();
            Err(fault)
        }
    }
}

/// Starts the threads; what runs when this fails stands in `begun`.
fn wire<C: Clock + Copy + Send + 'static>(
    plan: &Plan,
    shard: Shard,
    clock: C,
    speed: u32,
    mut log: Log,
    told: &Arc<Told>,
    begun: &mut Begun,
) -> Result<JoinHandle<Finished>, RunError> {
    let symbols = &plan.engine.symbols;
    let lots: Vec<(&str, u32)> = symbols
        .iter()
        .map(|s| (s.as_str(), crate::market::lot_of(s)))
        .collect();
    let venues = inputs::venues(plan);
    let rows = venues
        .iter()
        .map(|id| inputs::row(*id))
        .collect::<Result<Vec<_>, _>>()?;
    let named: Vec<(&str, u8)> = rows.iter().map(|row| (row.name, row.id.0)).collect();
    let mut page = PageWriter::create_with(&plan.engine.page, &lots, &named, BUILD)?;
    page.hashes(plan_hash(plan), setup(plan)?.model_hash());
    let proof = watch_proof(plan, &mut log, begun)?;
    let said = watch_switch(plan, begun)?;
    let mut tapes = Ways::new(begun.recorder.is_some());
    let trusts = inputs::trusts(plan, &venues)?;
    let (wish, wishes) = crossbeam::channel::bounded(plan.feeds.len().max(1) * 64);
    let (mut rings, mut tallies, mut lines) = (vec![], vec![], vec![]);
    let mut seen: Vec<Vec<Consumer<Sighting>>> = venues.iter().map(|_| vec![]).collect();
    for (number, feed) in plan.feeds.iter().enumerate() {
        let (to_shard, from_feed) = channel::<Event>(RING);
        // A socket a leg, and every symbol's image.
        let (handed, to_take) = crossbeam::channel::bounded(4 + symbols.len());
        let tally = Arc::new(Tally::default());
        let mut sightings = None;
        if inputs::has_accounts(plan, feed, inputs::row(feed.venue)?)
            && let Some(at) = venues.iter().position(|id| *id == feed.venue)
        {
            let (to, from) = channel::<Sighting>(sighting::RING);
            sightings = Some(to);
            seen[at].push(from);
        }
        let number_u16 = u16::try_from(number).unwrap_or(u16::MAX);
        let names = names(symbols, feed.venue, &plan.renames);
        let thread = Feed {
            number,
            urls: inputs::legs(feed).map(|leg| leg.url.to_owned()),
            lane: Lane::named(feed.venue, &names, number_u16)?,
            events: to_shard,
            taped: tapes.ring(number, TAPE_RING),
            sightings,
            script: inputs::script(inputs::row(feed.venue)?, feed, &names, clock.now()),
            handed: to_take,
            wishes: wish.clone(),
            clock,
            idle: plan.engine.idle,
            tally: Arc::clone(&tally),
            stop: Arc::clone(&begun.flags.stop_inputs),
        };
        let core = feed.core;
        begun
            .inputs
            .push(spawn(&format!("feed-{number}"), core, move || {
                thread.run()
            })?);
        lines.extend(inputs::lines(plan, number, &handed, &trusts));
        rings.push(from_feed);
        tallies.push(tally);
    }
    drop(wish);
    // A shard that has stepped something knows its past already.
    let history = plan.engine.warm_start && shard.input_seq() == 0;
    let mut asked = Vec::new();
    for (at, venue) in venues.iter().enumerate() {
        let number = plan.feeds.len() + at;
        let (to_shard, from_rest) = channel::<Event>(RING);
        rings.push(from_rest);
        let taped = tapes.ring(number, TAPE_RING);
        let seen = core::mem::take(&mut seen[at]);
        let now = clock.now();
        let ring = inputs::rest_ring(plan, *venue, number, history, to_shard, taped, now, seen)?;
        asked.push(ring);
    }
    let mut outside = None;
    if inputs::has_series(plan)
        && let Some(input) = Input::open(&plan.external, Decoder::new(&plan.series))?
    {
        let (to_shard, events) = channel::<Event>(RING);
        let taped = tapes.ring(rings.len(), TAPE_RING);
        rings.push(events);
        outside = Some(Outside {
            input,
            events: to_shard,
            taped,
        });
    }
    let seats = rows.iter().map(|row| {
        let feeds = plan.feeds.iter().zip(&tallies);
        let own = feeds.filter(|(feed, _)| feed.venue == row.id);
        Seat {
            venue: row,
            tallies: own.map(|(_, tally)| Arc::clone(tally)).collect(),
        }
    });
    let slow = Arc::new(Tally::default());
    let control = Control {
        lines,
        venues: asked,
        wishes,
        seats: seats.collect(),
        outside,
        log,
        margin: page.take_margin(),
        tape: Arc::clone(told),
        tally: Arc::clone(&slow),
    };
    let stop = Arc::clone(&begun.flags.stop_inputs);
    begun.inputs.push(spawn("control", None, move || {
        control::run(control, &clock, &|| stop.is_up());
    })?);
    let engine = Engine {
        shard,
        rings,
        page,
        said,
        journal: tapes.journal(JOURNAL_RING),
        seats: plan
            .feeds
            .iter()
            .filter_map(|feed| venues.iter().position(|id| *id == feed.venue))
            .collect(),
        tallies,
        slow,
        proof,
        clock,
        speed,
        idle: plan.engine.idle,
        told: Arc::clone(told),
        taped: tapes.bytes(),
        stop: Arc::clone(&begun.flags.stop_shard),
    };
    if let Some(recorder) = begun.recorder.take() {
        begun.tape = Some(Taping::start(recorder, tapes)?);
    }
    spawn("shard", plan.engine.core, move || engine.run())
}

impl Live {
    /// True while the shard's thread runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.shard.is_finished()
    }

    /// Why the tape has ended before the run, or could not begin; `None` while it is whole, or when none is wanted.
    #[must_use]
    pub fn tape_failed(&self) -> Option<&str> {
        self.told.failed()
    }

    /// Ends the instance: inputs, then the shard once its rings are empty, then the tape.
    ///
    /// # Errors
    /// A thread that died.
    pub fn stop(self) -> Result<Ended, RunError> {
        self.flags.stop_inputs.raise();
        for input in self.inputs {
            input.join().map_err(|_| RunError::Died("input"))?;
        }
        self.flags.stop_shard.raise();
        let finished = self.shard.join().map_err(|_| RunError::Died("shard"))?;
        let end = End {
            at: finished.shard.now(),
            input_seq: finished.shard.input_seq(),
            state_hash: finished.shard.state_hash(),
        };
        if let Some(tape) = self.tape
            && let Err(why) = tape.close(Some(end))
        {
            self.told.fail(&why);
        }
        let tape_failed = self.told.failed().map(str::to_owned);
        Ok(Ended {
            finished,
            tape_whole: self.wanted.then_some(tape_failed.is_none()),
            tape_failed,
        })
    }
}

/// What a plan's shard is built for: its feeds' venues in order of first appearance, the first being the reference.
///
/// # Errors
/// A plan without a feed.
pub fn setup(plan: &Plan) -> Result<Setup, RunError> {
    let venues = inputs::venues(plan);
    if venues.is_empty() {
        return Err(RunError::NoFeed);
    }
    let mut setup = Setup::new(plan.engine.symbols.clone(), &venues);
    setup.choice = crate::replay::choice(&plan.model);
    let known = &plan.engine.evidence;
    setup.calibrations = crate::replay::calibrations(&known.theta, &setup.symbols, &venues)
        .map_err(RunError::Calibration)?;
    setup.taught =
        crate::replay::taught(&known.taught, &setup.symbols).map_err(RunError::Calibration)?;
    setup.memory_max = plan.engine.memory_max;
    Ok(setup)
}

/// Reads the plan's ledger, and begins to watch it: what it says of each map, now and later. Nothing without a ledger.
fn watch_proof(plan: &Plan, log: &mut Log, begun: &mut Begun) -> Result<Verdicts, RunError> {
    let Some(path) = &plan.engine.proof else {
        return Ok(Verdicts::default());
    };
    let model = crate::prove::model_hash(&crate::replay::choice(&plan.model));
    let mut ledger = Ledger::new(path.clone(), model, plan.engine.symbols.clone());
    ledger.look_and_tell(log);
    let verdicts = ledger.verdicts();
    // Control's log is control's; lines of this one go the same way.
    let own = Log::new(plan.engine.log_level, plan.engine.log_form);
    let stop = Arc::clone(&begun.flags.stop_inputs);
    begun
        .inputs
        .push(spawn("proof", None, move || ledger.watch(&stop, own))?);
    Ok(verdicts)
}

/// Reads the switch of the plan's page, and begins to watch it.
fn watch_switch(plan: &Plan, begun: &mut Begun) -> Result<Said, RunError> {
    let own = Log::new(plan.engine.log_level, plan.engine.log_form);
    let watch = Watch::new(plan.engine.page.clone(), own);
    let said = watch.said();
    let stop = Arc::clone(&begun.flags.stop_inputs);
    begun
        .inputs
        .push(spawn("switch", None, move || watch.watch(&stop))?);
    Ok(said)
}

/// What the page says it is.
pub const BUILD: &str = concat!("isotherm ", env!("CARGO_PKG_VERSION"));

fn spawn<T: Send + 'static>(
    name: &str,
    core: Option<u32>,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, RunError> {
    let thread = std::thread::Builder::new()
        .name(name.to_string())
        .spawn(move || {
            if let Some(id) = core {
                // A core that is not there leaves the thread where it is; `missing_cores` has said so.
                let _ = core_affinity::set_for_current(core_affinity::CoreId { id: id as usize });
            }
            body()
        })?;
    Ok(thread)
}

/// Cores the plan names that are not there, or not for us.
fn missing_cores(plan: &Plan) -> Vec<u32> {
    let Some(there) = core_affinity::get_core_ids() else {
        return Vec::new();
    };
    let named = plan.feeds.iter().filter_map(|feed| feed.core);
    named
        .chain(plan.engine.core)
        .filter(|core| there.iter().all(|id| id.id != *core as usize))
        .collect()
}

/// What of a plan would not go as it says on this machine, today; a sentence each. Nothing is touched.
#[must_use]
pub fn unfit(plan: &Plan) -> Vec<String> {
    let mut all: Vec<String> = (missing_cores(plan).into_iter())
        .map(|core| format!("core {core} is none that this process may run on"))
        .collect();
    let engine = &plan.engine;
    let parent = |path: &std::path::Path| {
        let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        parent.map_or(PathBuf::from("."), PathBuf::from)
    };
    let page = parent(&engine.page);
    if !page.is_dir() {
        all.push(format!("page: {} is no folder", page.display()));
    }
    if let Some(path) = engine.proof.as_ref().filter(|path| !path.exists()) {
        all.push(format!("proof: {} is not there (yet)", path.display()));
    }
    if let Some(tape) = &engine.tape {
        let ours = header(plan, crate::time::Nanos::ZERO).plan;
        if !parent(tape).is_dir() {
            all.push(format!("tape: {} is no folder", parent(tape).display()));
        } else if !tape::recorder::is_folder(tape) && tape.exists() {
            all.push(format!("tape: {} is there already", tape.display()));
        } else if engine.checkpoint
            && let Err(fault) = crate::checkpoint::fits(tape, &ours)
        {
            all.push(format!("tape: {fault}"));
        }
    }
    all
}

/// Hash of what the run was told: the same text that a tape's head carries.
fn plan_hash(plan: &Plan) -> u64 {
    let told = serde_json::to_vec(&header(plan, crate::time::Nanos::ZERO).plan).unwrap_or_default();
    told.iter()
        .fold(FNV_START, |hash, byte| fnv_words(hash, &[u64::from(*byte)]))
}

fn header(plan: &Plan, created: crate::time::Nanos) -> Header {
    let ring = |feed: &FeedPlan| RingPlan {
        venue: feed.venue_name().to_string(),
        url: feed.url.clone(),
        rest: feed.rest.clone(),
    };
    let asked = |id: VenueId| RingPlan {
        venue: venue::venue(id).map_or("", |row| row.name).to_string(),
        ..RingPlan::default()
    };
    let rings = plan.feeds.iter().map(ring);
    Header {
        created,
        journalled: true,
        continues: false,
        run: 0,
        segment: 0,
        plan: RunPlan {
            symbols: plan.engine.symbols.clone(),
            rings: rings
                .chain(inputs::venues(plan).into_iter().map(asked))
                .chain(inputs::has_series(plan).then(|| RingPlan {
                    venue: tape::SERIES.to_owned(),
                    ..RingPlan::default()
                }))
                .collect(),
            model: plan.model.texts(),
            calibration: plan.engine.evidence.theta.clone(),
            taught: plan.engine.evidence.taught.clone(),
            series: inputs::series(plan),
            renames: inputs::renames(plan),
        },
    }
}
