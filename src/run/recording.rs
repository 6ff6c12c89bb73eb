//! Recording: where a run's state comes from and whether it is taped, settled before any thread is started.
//!
//! With a folder to record to, its lock is taken first; then, when the plan wants it, the state that the folder ends in
//! is taken up (newest checkpoint + tail, the outage stepped), and only then does the new run begin in it, which says
//! in its head that it continues. A state that cannot be taken up is said and the run begins with nothing, but for one
//! case: a folder recorded with another plan is refused, because only people know which of the two is meant. A tape
//! that cannot be begun is the plan's to judge (`tape_required`).

use super::{RunError, header, setup};
use crate::checkpoint::{self, CheckpointError};
use crate::config::Plan;
use crate::log::{Level, span};
use crate::shard::{Setup, Shard};
use crate::tape::{self, Limits, Lock, Recorder, Told, recorder};
use crate::time::Clock;
use std::path::Path;
use std::sync::Arc;

/// What a run begins with.
#[derive(Debug)]
pub struct Begin {
    /// The state.
    pub shard: Shard,
    /// The state is that of the run before it in the folder.
    pub continues: bool,
    /// What people should know, a sentence each.
    pub notes: Vec<(Level, String)>,
    pub(super) recorder: Option<Recorder>,
    pub(super) told: Arc<Told>,
    /// The plan wants a tape.
    pub(super) wanted: bool,
}

impl Begin {
    /// Takes up the state that the plan's folder ends in, or begins with nothing, and begins the recording.
    ///
    /// # Errors
    /// A folder recorded with another plan; a tape that the plan requires and that cannot be; the shard's plan.
    pub fn of<C: Clock>(plan: &Plan, clock: C) -> Result<Self, RunError> {
        let setup = setup(plan)?;
        let mut begin = Self::around(Shard::new(&setup)?, plan);
        let folder = plan
            .engine
            .tape
            .as_deref()
            .filter(|path| recorder::is_folder(path));
        let Some(folder) = folder else {
            begin.notes.extend(lent(plan, &setup, false));
            return begin.record(plan, clock, None);
        };
        let lock = match Lock::take(folder) {
            Ok(lock) => lock,
            Err(error) => {
                begin.notes.extend(lent(plan, &setup, false));
                return begin.without(plan, error);
            }
        };
        if plan.engine.checkpoint {
            begin.take_up(plan, &clock, folder)?;
        }
        let note = lent(plan, &setup, begin.continues);
        begin.notes.extend(note);
        begin.record(plan, clock, Some(lock))
    }

    /// Begins with a state from elsewhere (fresh, or warmed), and begins the recording.
    ///
    /// # Errors
    /// A tape that the plan requires and that cannot be.
    pub fn with<C: Clock>(plan: &Plan, shard: Shard, clock: C) -> Result<Self, RunError> {
        Self::around(shard, plan).record(plan, clock, None)
    }

    fn around(shard: Shard, plan: &Plan) -> Self {
        Self {
            shard,
            continues: false,
            notes: Vec::new(),
            recorder: None,
            told: Arc::default(),
            wanted: plan.engine.tape.is_some(),
        }
    }

    /// The state of the folder, if it has one of this plan.
    fn take_up<C: Clock>(&mut self, plan: &Plan, clock: &C, folder: &Path) -> Result<(), RunError> {
        let ours = header(plan, clock.now()).plan;
        match checkpoint::resume(folder, &ours) {
            Ok(None) => {}
            Ok(Some(resumed)) => {
                let passed = resumed.passed.into_iter();
                let passed = passed.map(|why| (Level::Warn, format!("passed over: {why}")));
                self.notes.extend(passed);
                let from = match &resumed.from {
                    Some(path) => path.display().to_string(),
                    None => "the beginning of the recording".to_owned(),
                };
                let note = format!(
                    "goes on from {from}, {} input(s) behind it, at input {}, {} old; {} connection(s) of the run before \
                     step down",
                    resumed.stepped,
                    resumed.shard.input_seq(),
                    span(clock.now().since(resumed.shard.now())),
                    resumed.down,
                );
                self.notes.push((Level::Info, note));
                self.shard = resumed.shard;
                self.continues = true;
            }
            Err(fault @ CheckpointError::OtherPlan { .. }) => return Err(fault.into()),
            Err(fault) => {
                let folder = folder.display();
                let note = format!(
                    "begins with nothing: the state of {folder} cannot be taken up: {fault}"
                );
                self.notes.push((Level::Error, note));
            }
        }
        Ok(())
    }

    fn record<C: Clock>(
        mut self,
        plan: &Plan,
        clock: C,
        lock: Option<Lock>,
    ) -> Result<Self, RunError> {
        let Some(path) = &plan.engine.tape else {
            return Ok(self);
        };
        let mut header = header(plan, clock.now());
        header.continues = self.continues;
        let limits = limits(plan);
        let begun = match lock {
            Some(lock) => Recorder::begin_in(lock, &header, &limits),
            None => Recorder::begin(path, &header, &limits),
        };
        match begun {
            Ok(recorder) => {
                self.told = recorder.told();
                self.recorder = Some(recorder);
                Ok(self)
            }
            Err(error) => self.without(plan, error),
        }
    }

    /// Goes on without a tape, if the plan allows it.
    fn without(mut self, plan: &Plan, error: tape::Error) -> Result<Self, RunError> {
        if plan.engine.tape_required {
            return Err(error.into());
        }
        let note = format!("{error}; the engine goes on without recording (tape_required = false)");
        self.told.fail(&note);
        self.notes.push((Level::Error, note));
        Ok(self)
    }
}

/// What a run has from the plan's file of calibrations: nothing when it goes on from a state of its own.
fn lent(plan: &Plan, setup: &Setup, continues: bool) -> Option<(Level, String)> {
    let path = plan.engine.calibration.as_ref()?;
    let evidence = &plan.engine.evidence;
    let all = evidence.theta.len() + evidence.taught.len();
    let taken = setup.calibrations.len() + setup.taught.len();
    let path = path.display();
    if continues {
        let note = format!("what was recorded goes on; {path} is not begun with");
        return Some((Level::Info, note));
    }
    let level = if taken == 0 && all > 0 {
        Level::Warn
    } else {
        Level::Info
    };
    let note = format!(
        "calibrations: {taken} of the {all} row(s) of {path}, those of this plan's coins and venues"
    );
    Some((level, note))
}

/// When the plan closes segments, and how many it keeps.
fn limits(plan: &Plan) -> Limits {
    Limits {
        segment_bytes: plan.engine.tape_segment,
        segment_time: plan.engine.tape_every,
        keep_bytes: plan.engine.tape_keep.unwrap_or(0),
        keep_days: plan.engine.tape_keep_days.unwrap_or(0),
    }
}
