//! `isotherm config`: check, show or write plans.

use crate::config::Plan;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  isotherm config                                what `isotherm run` here would do: isotherm.toml, or the defaults
  isotherm config example > isotherm.toml        a commented plan with every key at its default
  isotherm config check isotherm.toml            all faults in one pass, each with line and column
  isotherm config show isotherm.toml             effective values and where each comes from";

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
            say!(
                "{}: good: instance {}, {} symbol(s), {} feed(s)",
                file.display(),
                plan.engine.instance,
                plan.engine.symbols.len(),
                plan.feeds.len()
            );
        }
        Some(What::Show { file: Some(file) }) => show!("{}", load(file)?.show()),
        Some(What::Show { file: None }) => show!("{}", Plan::default().show()),
        Some(What::Example) => show!("{}", Plan::example()),
    }
    Ok(())
}
