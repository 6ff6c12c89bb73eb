//! Model: from the words of a plan or of a tape's head to what a shard is built with, and back.

use super::ReplayError;
use crate::calibrate::Calibration;
use crate::config::evidence::{Evidence, Rows};
use crate::config::{Model, Plan};
use crate::inventory::params::Choice;
use crate::market::VenueId;
use crate::shard::Shard;
use crate::shm::record::MODE_NAMES;
use crate::tape::RunPlan;
use crate::time::Nanos;
use crate::venue;
use crate::zone::odds::Taught;
use std::collections::BTreeMap;

/// The model a plan chose.
#[must_use]
pub const fn choice(model: &Model) -> Choice {
    Choice {
        mix_e6: model.mix_e6,
        background_e6: model.background_e6,
        inert_e6: model.inert_share_e6,
        inert_leverage: model.inert_leverage,
        turnover_e6: model.psi_e6,
        alpha_e6: model.alpha_e6,
        theta_e6: model.theta_prior_e6,
        prior_e6: model.prior_sigma_e6.saturating_mul(model.daily_sigma_e6) / 1_000_000,
        carry_ns: Nanos::millis(model.carry_ms).get(),
        residual_half_life_ns: Nanos::seconds(model.residual_minutes.saturating_mul(60)).get(),
        theta_shape_e6: model.theta_shape_e6,
        theta_unit_e6: model.theta_unit_e6,
        theta_half_life_ns: Nanos::seconds(model.theta_hours.saturating_mul(3_600)).get(),
        theta_smooth_e6: model.theta_smooth_e6,
        match_ns: Nanos::millis(model.match_ms).get(),
        blur_e6: model.blur_e6,
        miss_e6: model.miss_e6,
    }
}

/// What a run begins with, by symbol's place: calibrations by venue, and what touches taught of runs by mode.
pub(super) type Known = (
    Vec<(usize, VenueId, Calibration)>,
    Vec<(usize, usize, Taught)>,
);

/// The same of a tape's head.
pub(super) fn known(
    plan: &RunPlan,
    symbols: &[String],
    venues: &[VenueId],
) -> Result<Known, String> {
    let calibrations = calibrations(&plan.calibration, symbols, venues)?;
    Ok((calibrations, taught(&plan.taught, symbols)?))
}

/// A row whose numbers are none.
fn damaged(name: &str) -> String {
    format!("calibration of \"{name}\": not of this build's form (of another version, or damaged)")
}

/// The calibrations of a plan or of a tape's head, for a shard of these symbols and venues; those of others are left
/// out.
///
/// # Errors
/// A row that is none, in words.
pub fn calibrations(
    evidence: &Rows,
    symbols: &[String],
    venues: &[VenueId],
) -> Result<Vec<(usize, VenueId, Calibration)>, String> {
    let mut found = Vec::new();
    for (name, words) in evidence {
        let known = Calibration::of_words(words).ok_or_else(|| damaged(name))?;
        let row = name.split_once(' ').and_then(|(symbol, venue)| {
            let row = venue::VENUES.iter().find(|row| row.name == venue)?;
            Some((symbol, row.id))
        });
        let Some((symbol, id)) = row else {
            return Err(format!(
                "calibration of \"{name}\": wants a symbol and a venue ({})",
                venue::VENUES.map(|row| row.name).join(", ")
            ));
        };
        let symbol = symbols.iter().position(|listed| listed == symbol);
        if let (Some(symbol), true) = (symbol, venues.contains(&id)) {
            found.push((symbol, id, known));
        }
    }
    Ok(found)
}

/// What touches taught of runs, of a plan or of a tape's head, for a shard of these symbols; that of others is left
/// out.
///
/// # Errors
/// A row that is none, in words.
pub fn taught(evidence: &Rows, symbols: &[String]) -> Result<Vec<(usize, usize, Taught)>, String> {
    let mut found = Vec::new();
    for (name, words) in evidence {
        let known = Taught::of_words(words).ok_or_else(|| damaged(name))?;
        let place = name.split_once(' ').and_then(|(symbol, mode)| {
            let mode = MODE_NAMES.iter().position(|listed| *listed == mode)?;
            Some((symbol, mode))
        });
        let Some((symbol, mode)) = place else {
            return Err(format!(
                "calibration of \"{name}\": wants a symbol and a mode ({})",
                MODE_NAMES.join(", ")
            ));
        };
        if let Some(symbol) = symbols.iter().position(|listed| listed == symbol) {
            found.push((symbol, mode, known));
        }
    }
    Ok(found)
}

/// What a shard has learned, as a file or a tape's head holds it; contracts without a print and modes without a touch
/// are left out.
#[must_use]
pub fn evidence_of(shard: &Shard, symbols: &[String], venues: &[VenueId]) -> Evidence {
    let mut all = Evidence::default();
    for (at, symbol) in symbols.iter().enumerate() {
        for id in venues {
            let known = shard
                .calibration_at(at, *id)
                .filter(|known| known.prints > 0);
            if let (Some(known), Some(row)) = (known, venue::venue(*id)) {
                all.theta
                    .insert(format!("{symbol} {}", row.name), known.words());
            }
        }
        for (mode, name) in MODE_NAMES.iter().enumerate() {
            if let Some(taught) = shard.taught(at, mode).filter(|taught| taught.touches > 0) {
                all.taught
                    .insert(format!("{symbol} {name}"), taught.words());
            }
        }
    }
    all
}

/// The model of a tape's head, read as a plan reads it.
pub(super) fn choice_of_texts(
    texts: &BTreeMap<String, String>,
    name: &str,
) -> Result<Choice, ReplayError> {
    let lines: String = texts
        .iter()
        .map(|(name, text)| format!("{name} = {text}\n"))
        .collect();
    match Plan::parse(&format!("[model]\n{lines}"), name) {
        Ok(plan) => Ok(choice(&plan.model)),
        Err(faults) => {
            let text = faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ");
            let name = name.to_owned();
            Err(ReplayError::Model { name, text })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_says_nothing_chooses_what_the_model_starts_with() {
        assert_eq!(choice(&Model::default()), Choice::default());
    }
}
