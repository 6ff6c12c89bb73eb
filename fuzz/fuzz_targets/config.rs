//! Hostile text as a plan: never a panic, every fault has a place in the text, and a plan that is sound is shown as
//! text that means the same.
#![no_main]

use isotherm::config::Plan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    match Plan::parse(text, "plan") {
        Ok(plan) => {
            let shown = plan.show();
            let again = Plan::parse(&shown, "shown");
            let again = again.unwrap_or_else(|faults| panic!("{faults:?}\n{shown}"));
            assert_eq!((again.engine, again.feeds), (plan.engine, plan.feeds));
            assert_eq!((again.venues, again.external), (plan.venues, plan.external));
            assert_eq!((again.series, again.model), (plan.series, plan.model));
            assert_eq!(again.renames, plan.renames);
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            let lines = text.split('\n').count();
            assert!(faults.iter().all(|fault| fault.line as usize <= lines));
        }
    }
});
