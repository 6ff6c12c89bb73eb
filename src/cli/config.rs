//! `isotherm config`: check, show or write plans.

use crate::config::Plan;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  isotherm config example > isotherm.toml        a commented plan with every key at its default
  isotherm config check isotherm.toml            all faults in one pass, each with line and column
  isotherm config show isotherm.toml             effective values and where each comes from";

/// Check, show or write plans.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
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
    match &args.what {
        What::Check { file } => {
            let plan = load(file)?;
            say!(
                "{}: good: instance {}, {} symbol(s), {} feed(s)",
                file.display(),
                plan.engine.instance,
                plan.engine.symbols.len(),
                plan.feeds.len()
            );
        }
        What::Show { file: Some(file) } => show!("{}", load(file)?.show()),
        What::Show { file: None } => show!("{}", Plan::default().show()),
        What::Example => show!("{}", Plan::example()),
    }
    Ok(())
}
