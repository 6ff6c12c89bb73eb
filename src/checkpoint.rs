//! Checkpoint: the state at a place of a recording, so that a start need not play it from its beginning.
//!
//! A checkpoint is made beside the running engine, by a process that plays the tape: the newest one is taken up, the
//! records behind it are stepped, and what is then there is written. A start does the same and stops there, so that
//! state + tail equals never having stopped, byte for byte. Then what the outage cost is said: every connection that
//! was up steps down (`replay`), gaps are flagged, and the new connections heal them.
//!
//! ```text
//!   0         8         12         16         24      28   32
//!   | magic   | version | meta_len | body_len | crc   | 0  | meta: JSON | body, zstd
//!   "ISOCKPT\0"                      u64        crc32 of all but itself
//!
//!   body   the shard's bytes | of every lane u32 length and its memory | u32 length and what waits, as a tape
//! ```
//! Little-endian. The meta names the shard's layout and model, symbols and venues, the input number, the state hash and
//! the place on the tape. Written as `.part`, synced, renamed. One that does not hold together is passed over, said
//! aloud, and the one before it is taken, or the whole tape; one of another layout too. Another plan is refused: the
//! state is of other symbols, venues or another model, and no part of the tape would change that.

use crate::replay::{Cast, Pace, ReplayError};
use crate::shard::{Setup, Shard, layout_hash};
use crate::shm::record::Nowhere;
use crate::tape::folder::{self, PART, Segment};
use crate::tape::{self, Ordered, Position, RunPlan};
use crc32fast::Hasher;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// First bytes of every checkpoint.
pub const MAGIC: [u8; 8] = *b"ISOCKPT\0";
/// Version of the form and of what a lane remembers, whose layout no hash covers: memory of the same length can mean
/// something else (2: since a chain knows which leg numbers lower).
pub const VERSION: u32 = 5;
/// Bytes before the meta.
pub const HEAD_BYTES: usize = 32;
/// Checkpoints of a folder that are kept: the newest, and one to fall back on.
pub const KEPT: usize = 2;
/// Longest meta.
const META_MAX: usize = 1 << 20;
// LIMIT: unpacked bytes; the state of the most symbols a plan may have takes less than half of it.
const PLAIN_MAX: u64 = 2 << 30;
/// zstd's level: most of a state is zeros.
const LEVEL: i32 = 3;

/// Why there is no state to start from.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The recording.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The machine.
    #[error("{name}: {source}")]
    Io {
        /// File.
        name: String,
        /// What it said.
        source: io::Error,
    },
    /// No folder of segments.
    #[error("{name}: not a folder of segments, so there is nothing to resume from")]
    NoFolder {
        /// Path.
        name: String,
    },
    /// The recording begins in the middle, and no checkpoint stands before it.
    #[error(
        "{name}: the recording's beginning is gone and no checkpoint in it is usable{why}: its state is lost"
    )]
    Gone {
        /// Folder.
        name: String,
        /// What was wrong with those there were.
        why: String,
    },
    /// A checkpoint that was named cannot be used.
    #[error("{name}: {reason}")]
    Unusable {
        /// File.
        name: String,
        /// Why.
        reason: String,
    },
    /// The plan is another than the recording's.
    #[error(
        "{name}: recorded with {what} {theirs}, this plan has {ours}: run it with the plan it was recorded with, \
         record to another folder, or begin with nothing (checkpoint = false)"
    )]
    OtherPlan {
        /// Folder.
        name: String,
        /// What differs.
        what: &'static str,
        /// The recording's.
        theirs: String,
        /// This plan's.
        ours: String,
    },
}

impl From<tape::Error> for CheckpointError {
    fn from(error: tape::Error) -> Self {
        Self::Replay(error.into())
    }
}

fn failed(path: &Path, source: io::Error) -> CheckpointError {
    let name = path.display().to_string();
    CheckpointError::Io { name, source }
}

/// What a checkpoint says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meta {
    /// Build that wrote it, for people.
    pub build: String,
    /// [`layout_hash`] of that build, in hexadecimal.
    pub layout: String,
    /// Hash of the model, in hexadecimal.
    pub model: String,
    /// Canonical assets in symbol order.
    pub symbols: Vec<String>,
    /// Venue numbers by slot.
    pub venues: Vec<u8>,
    /// Number of the last input.
    pub input_seq: u64,
    /// The shard's hash there, in hexadecimal.
    pub state_hash: String,
    /// Shard time there, nanoseconds.
    pub now_ns: i64,
    /// Where the tape goes on.
    pub position: Position,
    /// Bytes of the shard in the body.
    pub state_bytes: u64,
    /// Lanes in the body.
    pub lanes: u32,
}

/// A state on its way along a recording.
struct Place {
    cast: Cast,
    ordered: Ordered,
    /// The checkpoint it began at.
    from: Option<PathBuf>,
    /// Checkpoints that were passed over, and why.
    passed: Vec<String>,
}

/// What [`make`] did.
#[derive(Debug)]
pub struct Made {
    /// The file written.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// What it says of itself.
    pub meta: Meta,
    /// The checkpoint it was built on; `None` = the whole tape was played.
    pub from: Option<PathBuf>,
    /// Checkpoints that were passed over, and why, a sentence each.
    pub passed: Vec<String>,
}

/// A state to start from.
#[derive(Debug)]
pub struct Resumed {
    /// The state, the outage stepped.
    pub shard: Shard,
    /// The checkpoint it began at; `None` = the whole tape was played.
    pub from: Option<PathBuf>,
    /// Inputs stepped behind it, those of the outage included.
    pub stepped: u64,
    /// Connections that were stepped down.
    pub down: usize,
    /// Checkpoints that were passed over, and why, a sentence each.
    pub passed: Vec<String>,
}

/// Plays a recording to its end from its newest checkpoint and writes the next, into the folder or to `out`. Meant to
/// run beside the engine that records; what it adds meanwhile is for the next one. In the folder, [`KEPT`] are kept.
///
/// # Errors
/// See [`CheckpointError`]; no file is then left.
pub fn make(folder: &Path, out: Option<&Path>) -> Result<Made, CheckpointError> {
    let mut place = take_up(folder)?;
    place.play()?;
    let meta = place.meta()?;
    let path = match out {
        Some(path) => path.to_path_buf(),
        None => folder.join(folder::checkpoint_name(
            meta.position.segment,
            meta.input_seq,
        )),
    };
    let (bytes, meta) = write(&path, meta, &place.cast)?;
    if out.is_none() {
        for (_, old) in folder::checkpoints(folder)?.into_iter().skip(KEPT) {
            fs::remove_file(&old).map_err(|source| failed(&old, source))?;
        }
    }
    Ok(Made {
        path,
        bytes,
        meta,
        from: place.from,
        passed: place.passed,
    })
}

/// The state that a recording ends in, for an engine of the plan `ours` to go on from, with the connections of the
/// last run stepped down. `None` when nothing was recorded yet. The caller holds the folder's lock, and says in the
/// head of its run that it continues.
///
/// # Errors
/// See [`CheckpointError`].
pub fn resume(folder: &Path, ours: &RunPlan) -> Result<Option<Resumed>, CheckpointError> {
    if !folder.is_dir() || folder::segments(folder)?.is_empty() {
        return Ok(None);
    }
    fits(folder, ours)?;
    let mut place = take_up(folder)?;
    let before = place.cast.shard.input_seq();
    place.play()?;
    let up = place.ordered.up();
    place.cast.down(&up, &mut Nowhere)?;
    Ok(Some(Resumed {
        stepped: place.cast.shard.input_seq() - before,
        shard: place.cast.shard,
        from: place.from,
        down: up.len(),
        passed: place.passed,
    }))
}

/// The state that a recording ends in, by its newest checkpoint and the tape behind it, and what it was built for: to
/// look at, while the engine that records goes on.
///
/// # Errors
/// See [`CheckpointError`].
pub fn look(folder: &Path) -> Result<(Shard, Setup), CheckpointError> {
    let mut place = take_up(folder)?;
    place.play()?;
    let setup = place.cast.setup().clone();
    Ok((place.cast.shard, setup))
}

/// The state in one checkpoint, read beside the recording it was made of, and what it was built for.
///
/// # Errors
/// See [`CheckpointError`]; most of all a checkpoint that does not stand in its folder.
pub fn look_at(path: &Path) -> Result<(Shard, Setup), CheckpointError> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let (cast, _) = at_checkpoint(parent.unwrap_or(Path::new(".")), path)?;
    let setup = cast.setup().clone();
    Ok((cast.shard, setup))
}

/// Refuses a plan whose engine would not go on from the other's state.
fn same_plan(name: &str, theirs: &RunPlan, ours: &RunPlan) -> Result<(), CheckpointError> {
    let venues = |plan: &RunPlan| {
        let names: Vec<&str> = plan.rings.iter().map(|ring| ring.venue.as_str()).collect();
        names.join(" ")
    };
    // Of many values only those that differ are of use.
    let differing = |these: &[String], those: &[String]| {
        let only = these.iter().filter(|value| !those.contains(value));
        let only: Vec<&str> = only.map(String::as_str).collect();
        match only.is_empty() {
            true => "no such value".to_owned(),
            false => only.join(", "),
        }
    };
    let model = |plan: &RunPlan| -> Vec<String> {
        let pairs = plan.model.iter();
        pairs.map(|(key, text)| format!("{key} = {text}")).collect()
    };
    let series = |plan: &RunPlan| -> Vec<String> {
        let all = plan.series.iter();
        all.map(|series| format!("{series:?}")).collect()
    };
    let whole = |these: String, those: String| [vec![these], vec![those]];
    for (what, [theirs, ours]) in [
        (
            "symbols",
            whole(theirs.symbols.join(" "), ours.symbols.join(" ")),
        ),
        ("the venues of rings", whole(venues(theirs), venues(ours))),
        ("the model's", [model(theirs), model(ours)]),
        ("external series", [series(theirs), series(ours)]),
    ] {
        if theirs != ours {
            return Err(CheckpointError::OtherPlan {
                name: name.to_owned(),
                what,
                theirs: differing(&theirs, &ours),
                ours: differing(&ours, &theirs),
            });
        }
    }
    Ok(())
}

/// Refuses a plan that would not go on from the recording in a folder, by the head of its newest segment: without
/// playing it. What is no folder or cannot be read is not judged here.
///
/// # Errors
/// [`CheckpointError::OtherPlan`].
pub fn fits(folder: &Path, ours: &RunPlan) -> Result<(), CheckpointError> {
    let segments = folder::segments(folder).unwrap_or_default();
    let heads = segments.iter().rev();
    let mut heads = heads.filter_map(|segment| tape::chain::open_segment(segment).ok().flatten());
    let Some(reader) = heads.next() else {
        return Ok(());
    };
    same_plan(&folder.display().to_string(), &reader.header().plan, ours)
}

impl Place {
    /// Plays to the end of what is recorded.
    fn play(&mut self) -> Result<(), CheckpointError> {
        Ok(self
            .cast
            .play_all(&mut self.ordered, &mut Pace::none(), &mut Nowhere)?)
    }

    fn meta(&self) -> Result<Meta, CheckpointError> {
        let (shard, setup) = (&self.cast.shard, self.cast.setup());
        Ok(Meta {
            build: concat!("isotherm ", env!("CARGO_PKG_VERSION")).to_owned(),
            layout: hex(layout_hash()),
            model: hex(setup.model_hash()),
            symbols: setup.symbols.clone(),
            venues: setup.venues.iter().map(|venue| venue.0).collect(),
            input_seq: shard.input_seq(),
            state_hash: hex(shard.state_hash()),
            now_ns: shard.now().get(),
            position: self.ordered.position()?,
            state_bytes: shard.bytes().len() as u64,
            lanes: 0,
        })
    }
}

fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

/// The newest usable checkpoint of a folder at its place on the tape, or the beginning of the last run that began with
/// nothing.
fn take_up(folder: &Path) -> Result<Place, CheckpointError> {
    let name = folder.display().to_string();
    if !folder.is_dir() || folder::segments(folder)?.is_empty() {
        return Err(CheckpointError::NoFolder { name });
    }
    let mut passed = Vec::new();
    let fresh = fresh(folder)?;
    for (number, path) in folder::checkpoints(folder)? {
        // A run that began with nothing has left what was before it behind: damaged there, perhaps.
        if fresh.is_some_and(|fresh| number < fresh) {
            break;
        }
        match at_checkpoint(folder, &path) {
            Ok((cast, ordered)) => {
                return Ok(Place {
                    cast,
                    ordered,
                    from: Some(path),
                    passed,
                });
            }
            Err(error) => passed.push(error.to_string()),
        }
    }
    let ordered = Ordered::new(tape::Source::Folder(Box::new(tape::Chain::open(
        folder,
        fresh.unwrap_or(0),
    )?)));
    let cast = match ordered.header() {
        Some(header) => Cast::of_run(&name, header, None)?,
        None => return Err(CheckpointError::NoFolder { name }),
    };
    if !cast.whole {
        let why = passed.iter().map(|why| format!("; {why}")).collect();
        return Err(CheckpointError::Gone { name, why });
    }
    Ok(Place {
        cast,
        ordered,
        from: None,
        passed,
    })
}

/// The last segment at which a run began with nothing: what is before it does not matter. Where a head cannot be read,
/// whoever plays it says so.
fn fresh(folder: &Path) -> Result<Option<u32>, CheckpointError> {
    let segments = folder::segments(folder)?;
    let begins = |segment: &&Segment| {
        let reader = tape::chain::open_segment(segment).ok().flatten();
        let header = reader.as_ref().map(|reader| reader.header());
        header.is_some_and(|header| !header.continues && header.segment <= 1)
    };
    let found = segments.iter().rev().find(begins);
    Ok(found.map(|segment| segment.number))
}

/// Reads a checkpoint, builds the engine of the run it is in, and gives it the state.
fn at_checkpoint(folder: &Path, path: &Path) -> Result<(Cast, Ordered), CheckpointError> {
    let unusable = |reason: String| CheckpointError::Unusable {
        name: path.display().to_string(),
        reason,
    };
    let (mut meta, body) = read(path)?;
    let layout = hex(layout_hash());
    if meta.layout != layout {
        return Err(unusable(format!(
            "of layout {} ({}), this build has {layout}",
            meta.layout, meta.build
        )));
    }
    let state = usize::try_from(meta.state_bytes).unwrap_or(usize::MAX);
    let split = body.split_at_checked(state).and_then(|(state, rest)| {
        let mut parts = parts_of(rest, meta.lanes)?;
        let pending = parts.pop()?;
        Some((state, parts, pending))
    });
    let Some((state, lanes, pending)) = split else {
        return Err(unusable(
            "its body is of another length than it says".to_owned(),
        ));
    };
    meta.position.pending = pending.to_vec();
    let ordered = Ordered::resume(folder, &meta.position)?;
    let Some(header) = ordered.header() else {
        return Err(unusable("its place on the tape has no head".to_owned()));
    };
    let mut cast = Cast::of_run(&path.display().to_string(), header, None)?;
    refuse_other(&meta, cast.setup()).map_err(unusable)?;
    if cast.recall(state, &lanes)?.is_none() {
        return Err(unusable(
            "its lanes are not of this build's decoders".to_owned(),
        ));
    }
    let told = (meta.input_seq, meta.state_hash.as_str());
    let (seq, hash) = (cast.shard.input_seq(), hex(cast.shard.state_hash()));
    if told != (seq, hash.as_str()) {
        return Err(unusable(format!(
            "it says input {} and state hash {}, its state is at {seq} with {hash}",
            told.0, told.1
        )));
    }
    Ok((cast, ordered))
}

/// What a checkpoint has that a setup has not.
fn refuse_other(meta: &Meta, setup: &Setup) -> Result<(), String> {
    let venues: Vec<u8> = setup.venues.iter().map(|venue| venue.0).collect();
    let model = hex(setup.model_hash());
    let (theirs, ours) = if meta.symbols != setup.symbols {
        (
            format!("symbols {}", meta.symbols.join(" ")),
            setup.symbols.join(" "),
        )
    } else if meta.venues != venues {
        (format!("venues {:?}", meta.venues), format!("{venues:?}"))
    } else if meta.model != model {
        (
            format!("model {}", meta.model),
            format!("{model} in this build"),
        )
    } else {
        return Ok(());
    };
    Err(format!("made with {theirs}, the run has {ours}"))
}

/// The memories of so many lanes, and the small tape behind them; `None` when the bytes are not that.
fn parts_of(mut from: &[u8], lanes: u32) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    for _ in 0..=lanes {
        let (len, rest) = from.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        parts.push(part);
        from = rest;
    }
    from.is_empty().then_some(parts)
}

/// Writes a checkpoint; gives its bytes and what it says of itself.
fn write(path: &Path, mut meta: Meta, cast: &Cast) -> Result<(u64, Meta), CheckpointError> {
    let fail = |source| failed(path, source);
    let mut body = zstd::Encoder::new(Vec::new(), LEVEL).map_err(fail)?;
    body.write_all(cast.shard.bytes()).map_err(fail)?;
    let lanes = cast.remember();
    for lane in lanes.iter().chain([&meta.position.pending]) {
        let len = u32::try_from(lane.len()).unwrap_or(u32::MAX);
        body.write_all(&len.to_le_bytes()).map_err(fail)?;
        body.write_all(lane).map_err(fail)?;
    }
    let body = body.finish().map_err(fail)?;
    meta.lanes = u32::try_from(lanes.len()).unwrap_or(u32::MAX);
    let told = serde_json::to_vec(&meta).map_err(|error| fail(error.into()))?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + told.len() + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(told.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&told);
    bytes.extend_from_slice(&body);
    let crc = crc_of(&bytes).to_le_bytes();
    bytes[24..28].copy_from_slice(&crc);
    let part = PathBuf::from(format!("{}.{}{PART}", path.display(), std::process::id()));
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    });
    if let Err(source) = written {
        let _ = fs::remove_file(&part);
        return Err(fail(source));
    }
    // A file without its name is no checkpoint yet; the name reaches the disk with the folder.
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
    synced.map_err(fail)?;
    Ok((bytes.len() as u64, meta))
}

/// Checksum of everything but the checksum's own place.
fn crc_of(bytes: &[u8]) -> u32 {
    let mut crc = Hasher::new();
    crc.update(bytes.get(..24).unwrap_or_default());
    crc.update(bytes.get(28..).unwrap_or_default());
    crc.finalize()
}

/// Reads a checkpoint: what it says of itself, and its body unpacked.
///
/// # Errors
/// The machine; [`CheckpointError::Unusable`] for anything that does not hold together.
pub fn read(path: &Path) -> Result<(Meta, Vec<u8>), CheckpointError> {
    let bytes = fs::read(path).map_err(|source| failed(path, source))?;
    parse(&bytes).map_err(|reason| CheckpointError::Unusable {
        name: path.display().to_string(),
        reason,
    })
}

/// As [`read`], from bytes.
///
/// # Errors
/// What does not hold together, in words.
pub fn parse(bytes: &[u8]) -> Result<(Meta, Vec<u8>), String> {
    parse_within(bytes, PLAIN_MAX)
}

fn parse_within(bytes: &[u8], most: u64) -> Result<(Meta, Vec<u8>), String> {
    let damaged = |what: &str| format!("not a usable checkpoint: {what}");
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return Err(damaged("it is cut short"));
    };
    let four = |at: usize| {
        let bytes = head.get(at..at + 4).and_then(|four| four.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    };
    if !head.starts_with(&MAGIC) {
        return Err(damaged("it does not begin like one"));
    }
    if four(8) != VERSION {
        return Err(damaged(&format!(
            "version {}, this program reads {VERSION}",
            four(8)
        )));
    }
    if crc_of(bytes) != four(24) {
        return Err(damaged("its checksum fails"));
    }
    let meta_len = four(12) as usize;
    let body_len = u64::from(four(16)) | u64::from(four(20)) << 32;
    let split = rest
        .split_at_checked(meta_len)
        .filter(|_| meta_len <= META_MAX);
    let Some((meta, body)) = split.filter(|(_, body)| body.len() as u64 == body_len) else {
        return Err(damaged("its lengths do not add up"));
    };
    let meta: Meta = serde_json::from_slice(meta).map_err(|error| damaged(&error.to_string()))?;
    let mut plain = Vec::new();
    zstd::Decoder::new(body)
        .and_then(|body| body.take(most + 1).read_to_end(&mut plain))
        .map_err(|error| damaged(&error.to_string()))?;
    if plain.len() as u64 > most {
        return Err(damaged("its state is larger than any"));
    }
    Ok((meta, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_another_model_only_what_differs_is_named() {
        let plan = |psi: &str, blur: &str| RunPlan {
            model: [("blur", blur), ("miss", "0.1"), ("psi", psi)]
                .map(|(key, text)| (key.into(), text.into()))
                .into(),
            ..RunPlan::default()
        };
        let of =
            |theirs, ours| same_plan("tape", &theirs, &ours).map_err(|fault| fault.to_string());
        assert!(of(plan("1", "2"), plan("1", "2")).is_ok());
        let why = of(plan("0.7", "2"), plan("0.5", "2")).unwrap_err();
        assert!(
            why.starts_with(
                "tape: recorded with the model's psi = 0.7, this plan has psi = 0.5: run it"
            ),
            "{why}"
        );
        let mut less = plan("0.7", "2");
        less.model.remove("miss");
        let why = of(plan("0.7", "2"), less).unwrap_err();
        assert!(
            why.contains("the model's miss = 0.1, this plan has no such value"),
            "{why}"
        );
    }

    #[test]
    fn a_body_that_unpacks_without_end_is_refused() {
        let body = zstd::encode_all(&vec![0u8; 1 << 20][..], 3).unwrap();
        let meta = serde_json::to_vec(&Meta::default()).unwrap();
        let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        bytes.extend_from_slice(&(meta.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&meta);
        bytes.extend_from_slice(&body);
        let crc = crc_of(&bytes).to_le_bytes();
        bytes[24..28].copy_from_slice(&crc);
        assert_eq!(parse_within(&bytes, 1 << 20).unwrap().1.len(), 1 << 20);
        let why = parse_within(&bytes, (1 << 20) - 1).unwrap_err();
        assert!(why.contains("larger than any"), "{why}");
    }
}
