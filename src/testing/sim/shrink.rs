//! Makes a life that fails smaller: without kinds of faults, then without actions, as long as it
//! still fails.

use super::life::Outcome;
use super::plan::Plan;
use super::report::live_safely;

/// Lives that are tried at most.
const TRIES: u32 = 400;

/// The smallest plan that was found which still fails, and its life.
#[must_use]
pub fn shrink(plan: &Plan) -> (Plan, Outcome) {
    let mut best = (plan.clone(), live_safely(plan));
    let mut tries = TRIES;
    let kinds = plan.faults.clone().kinds().len();
    for kind in 0..kinds {
        let mut smaller = best.0.clone();
        let rate = smaller.faults.kinds().into_iter().nth(kind);
        if rate.is_some_and(|(_, rate)| std::mem::take(rate) > 0) {
            keep_if_it_fails(&mut best, smaller, &mut tries);
        }
    }
    let mut chunk = best.0.actions.len().div_ceil(2);
    while chunk > 0 && tries > 0 {
        let mut from = 0;
        while from < best.0.actions.len() && tries > 0 {
            let mut smaller = best.0.clone();
            let until = (from + chunk).min(smaller.actions.len());
            smaller.actions.drain(from..until);
            if !keep_if_it_fails(&mut best, smaller, &mut tries) {
                from += chunk;
            }
        }
        chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
    }
    best
}

fn keep_if_it_fails(best: &mut (Plan, Outcome), smaller: Plan, tries: &mut u32) -> bool {
    if *tries == 0 {
        return false;
    }
    *tries -= 1;
    let outcome = live_safely(&smaller);
    let fails = outcome.fault.is_some();
    if fails {
        *best = (smaller, outcome);
    }
    fails
}
