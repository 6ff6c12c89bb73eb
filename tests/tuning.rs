//! The tuning script on a made-up machine: it says what does not fit, sets it, and puts every value back.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Files of the machine, what stands in them, and what apply must leave there.
const MACHINE: &[(&str, &str, &str)] = &[
    ("sys/devices/system/cpu/online", "0-3", "0-3"),
    (
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
        "powersave",
        "performance",
    ),
    (
        "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
        "performance",
        "performance",
    ),
    (
        "sys/devices/system/cpu/cpu0/cpuidle/state0/latency",
        "1",
        "1",
    ),
    (
        "sys/devices/system/cpu/cpu0/cpuidle/state0/disable",
        "0",
        "0",
    ),
    (
        "sys/devices/system/cpu/cpu0/cpuidle/state3/latency",
        "133",
        "133",
    ),
    (
        "sys/devices/system/cpu/cpu0/cpuidle/state3/disable",
        "0",
        "1",
    ),
    (
        "sys/kernel/mm/transparent_hugepage/enabled",
        "[always] madvise never",
        "madvise",
    ),
    ("proc/sys/kernel/numa_balancing", "1", "0"),
    ("proc/sys/vm/swappiness", "60", "1"),
    ("proc/sys/net/core/busy_read", "100", "100"),
    ("proc/sys/net/core/rmem_max", "212992", "8388608"),
    ("proc/irq/7/smp_affinity_list", "0-3", "0,1"),
    ("proc/irq/8/smp_affinity_list", "0", "0"),
];

/// What undo writes back where a file shows a choice: the chosen word, as the kernel takes it.
fn chosen(value: &str) -> &str {
    value
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or(value, |(word, _)| word)
}

fn tune(root: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning/isotherm-tune");
    Command::new("sh")
        .arg(script)
        .args(arguments)
        .env("ISOTHERM_TUNE_ROOT", root)
        .output()
}

fn read(root: &Path, file: &str) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(root.join(file))?.trim().to_string())
}

fn machine() -> std::io::Result<tempfile::TempDir> {
    let machine = tempfile::tempdir()?;
    for (file, value, _) in MACHINE {
        let file: PathBuf = machine.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap_or(machine.path()))?;
        std::fs::write(file, format!("{value}\n"))?;
    }
    Ok(machine)
}

fn states(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .skip(1)
        .map(|line| line.get(..25).unwrap_or(line).trim_end().to_string())
        .collect()
}

#[test]
fn cores_that_are_no_list_are_refused() {
    let machine = machine().unwrap();
    for cores in ["3-", "-3", "1-2-3", "a", "1,", ",1", "1,,2"] {
        let output = tune(machine.path(), &["check", cores]).unwrap();
        assert_eq!(output.status.code(), Some(2), "{cores} {output:?}");
    }
}

#[test]
fn what_apply_sets_undo_puts_back() {
    let machine = machine().unwrap();
    let root = machine.path();
    let before = tune(root, &["check", "2-3"]).unwrap();
    assert_eq!(before.status.code(), Some(1));
    let said = states(&before);
    for want in [
        "no        governor",
        "no        c-states",
        "no        irq",
        "ok        busy-read",
    ] {
        assert!(
            said.iter().any(|line| line.starts_with(want)),
            "{want} in {said:#?}"
        );
    }
    assert!(
        said.iter().any(|line| line == "not here  busy-poll"),
        "{said:#?}"
    );

    for _ in 0..2 {
        let set = tune(root, &["apply", "2-3"]).unwrap();
        assert_eq!(set.status.code(), Some(0), "{set:?}");
        for (file, _, want) in MACHINE {
            assert_eq!(read(root, file).unwrap(), *want, "{file}");
        }
    }
    assert_eq!(
        tune(root, &["check", "2,3"]).unwrap().status.code(),
        Some(0)
    );

    assert_eq!(tune(root, &["undo"]).unwrap().status.code(), Some(0));
    for (file, value, _) in MACHINE {
        assert_eq!(read(root, file).unwrap(), chosen(value), "{file}");
    }
    assert!(!root.join("run/isotherm-tune").exists());
    assert_eq!(tune(root, &["undo"]).unwrap().status.code(), Some(0));
}

#[test]
fn an_empty_machine_is_no_error() {
    let machine = tempfile::tempdir().unwrap();
    let output = tune(machine.path(), &["check"]).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let said = states(&output);
    assert!(
        said.iter().all(|line| line.starts_with("not ")),
        "{said:#?}"
    );
}

#[test]
fn words_it_does_not_know_are_refused() {
    let machine = machine().unwrap();
    for arguments in [&["tune"][..], &[], &["apply", "2;3"], &["check", "all"]] {
        let output = tune(machine.path(), arguments).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    for (file, value, _) in MACHINE {
        assert_eq!(read(machine.path(), file).unwrap(), *value, "{file}");
    }
}
