//! `isotherm config`: check, show or write plans.

use crate::config::Plan;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  isotherm config                                what `isotherm run` here would do: isotherm.toml, or the defaults
  isotherm config example > isotherm.toml        a commented plan with every key at its default
  isotherm config check isotherm.toml            all faults in one pass, each with line and column
  isotherm config show isotherm.toml             effective values and where each comes from
  isotherm config schema > isotherm.schema.json  the plan's shape, for editors that know JSON schemas

A running engine never reads its plan again: restart it to change it.";

/// Check, show or write plans.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Say whether a plan holds together
    Check {
        /// The plan
        #[arg(default_value = "isotherm.toml")]
        file: PathBuf,
    },
    /// Print effective values with their source
    Show {
        /// The plan; without one, the defaults
        file: Option<PathBuf>,
    },
    /// Print a commented example
    Example,
    /// Print the plan's shape as a JSON schema
    Schema,
}

/// Loads a plan; every fault is printed before the answer is no.
pub(super) fn load(file: &Path) -> Result<Plan> {
    match Plan::load(file) {
        Ok(plan) => Ok(plan),
        Err(faults) => {
            for fault in &faults {
                eprintln!("{fault}");
            }
            bail!(
                "{}: {} fault{} in the plan; `isotherm config example` prints one that works",
                file.display(),
                faults.len(),
                if faults.len() == 1 { "" } else { "s" }
            )
        }
    }
}

pub(super) fn run(args: &Args) -> Result<()> {
    let here = PathBuf::from("isotherm.toml");
    match &args.what {
        // Alone it shows what a `run` here would do.
        None if here.exists() => show!("{}", load(&here)?.show()),
        None => show!("{}", Plan::default().show()),
        Some(What::Check { file }) => {
            let plan = load(file)?;
            // What only a start would find.
            let setup = crate::run::setup(&plan).with_context(|| file.display().to_string())?;
            setup.fits().with_context(|| file.display().to_string())?;
            for line in crate::run::unfit(&plan) {
                say!("{}: warning: {line}", file.display());
            }
            say!("{}: good: {}", file.display(), summary(&plan));
            say!(
                "A running instance keeps the plan it was started with: restart it to use this one."
            );
        }
        Some(What::Show { file: Some(file) }) => show!("{}", load(file)?.show()),
        Some(What::Show { file: None }) => show!("{}", Plan::default().show()),
        Some(What::Example) => show!("{}", Plan::example()),
        Some(What::Schema) => show!("{}", Plan::schema()),
    }
    Ok(())
}

/// What a plan asks for, in a line.
fn summary(plan: &Plan) -> String {
    let names: Vec<&str> = (plan.venues.iter())
        .filter_map(|venue| Some(crate::venue::venue(venue.venue)?.name))
        .collect();
    let connections: usize = plan.feeds.iter().map(|feed| feed.legs().len()).sum();
    let mut text = format!(
        "instance {}, {} symbol(s), {} feed(s) of {} over {connections} connection(s)",
        plan.engine.instance,
        plan.engine.symbols.len(),
        plan.feeds.len(),
        names.join(", "),
    );
    match &plan.engine.tape {
        Some(tape) => text.push_str(&format!(", recorded to {}", tape.display())),
        None => text.push_str(", nothing recorded"),
    }
    if !plan.series.is_empty() {
        text.push_str(&format!(", {} external series", plan.series.len()));
    }
    text
}
