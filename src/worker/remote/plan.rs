//! Which jobs to ask for, so that none comes that could not begin at once.

use std::collections::HashMap;
use std::sync::Arc;

use super::wire::MAX_JOBS;

/// A request for jobs: any of these types, at most so many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) types: Vec<Arc<str>>,
    pub(super) most: usize,
}

/// What a worker may run at once, and what it has asked for.
pub(super) struct Plan {
    /// How many jobs of each type may run at once.
    types: Vec<(Arc<str>, usize)>,
    /// How many jobs of all types together.
    slots: usize,
    /// The most jobs that one request asks for: fewer when answers have grown too large.
    most: usize,
}

impl Plan {
    pub(super) fn new(types: Vec<(Arc<str>, usize)>, slots: usize) -> Self {
        Self { types, slots, most: MAX_JOBS }
    }

    /// An answer was too large: the next ones hold fewer jobs.
    pub(super) fn shrink(&mut self) {
        self.most = (self.most / 2).max(1);
    }

    /// An answer was not.
    pub(super) fn grow(&mut self) {
        self.most = self.most.saturating_add(1).min(MAX_JOBS);
    }

    /// What else to ask for while `running` jobs run and `asked` is on its way.
    ///
    /// Any answer may hold jobs of one type alone, so a request takes places of each of its types,
    /// and asks for as many jobs as the scarcest of them has. A type of which more could run than is
    /// asked for gets a request of its own, but only once that at least doubles what is asked.
    pub(super) fn next(&self, running: &HashMap<Arc<str>, usize>, asked: &[Ask]) -> Option<Ask> {
        let at_work: usize = running.values().sum();
        let on_their_way: usize = asked.iter().map(|ask| ask.most).sum();
        let free = self.slots.saturating_sub(at_work).saturating_sub(on_their_way);
        let mut types = Vec::new();
        let mut most = free.min(self.most);
        for (job_type, limit) in &self.types {
            let of_type = asked.iter().filter(|ask| ask.types.contains(job_type));
            let on_their_way: usize = of_type.map(|ask| ask.most).sum();
            let at_work = running.get(job_type).copied().unwrap_or_default();
            let left = limit.saturating_sub(at_work).saturating_sub(on_their_way);
            if left.min(free) > on_their_way {
                types.push(job_type.clone());
                most = most.min(left);
            }
        }
        (most > 0 && !types.is_empty()).then_some(Ask { types, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(types: &[&str], most: usize) -> Ask {
        Ask { types: types.iter().map(|name| Arc::from(*name)).collect(), most }
    }

    fn running(counts: &[(&str, usize)]) -> HashMap<Arc<str>, usize> {
        counts.iter().map(|(name, count)| (Arc::from(*name), *count)).collect()
    }

    /// All that is asked for in turn.
    fn asks(plan: &Plan, running: &HashMap<Arc<str>, usize>) -> Vec<Ask> {
        let mut asked = Vec::new();
        while let Some(ask) = plan.next(running, &asked) {
            asked.push(ask);
            assert!(asked.len() < 100, "{asked:?}");
        }
        asked
    }

    #[test]
    fn one_request_asks_for_all_types_when_all_are_free() {
        let plan = Plan::new(vec![("a".into(), 64), ("b".into(), 64)], 32);
        assert_eq!(asks(&plan, &HashMap::new()), [ask(&["a", "b"], 32)]);
        assert_eq!(asks(&plan, &running(&[("a", 30)])), [ask(&["a", "b"], 2)]);
        assert_eq!(asks(&plan, &running(&[("a", 20), ("b", 12)])), []);
    }

    #[test]
    fn no_more_is_asked_of_a_type_than_may_run_and_scarce_types_hold_up_no_other() {
        let plan = Plan::new(vec![("few".into(), 1), ("many".into(), 64)], 32);
        assert_eq!(asks(&plan, &HashMap::new()), [ask(&["few", "many"], 1), ask(&["many"], 31)]);
        assert_eq!(asks(&plan, &running(&[("few", 1)])), [ask(&["many"], 31)]);
    }

    #[test]
    fn places_that_come_free_one_by_one_make_few_requests() {
        let plan = Plan::new(vec![("a".into(), 512)], 512);
        let mut asked = Vec::new();
        for at_work in (0..512).rev() {
            asked.extend(plan.next(&running(&[("a", at_work)]), &asked));
        }
        assert!(asked.len() <= 9, "{asked:?}");
        let all: usize = asked.iter().map(|ask| ask.most).sum();
        assert!((256..=512).contains(&all), "{asked:?}");
    }

    #[test]
    fn a_request_has_a_limit() {
        let plan = Plan::new(vec![("a".into(), 4096)], 4096);
        assert_eq!(plan.next(&HashMap::new(), &[]), Some(ask(&["a"], MAX_JOBS)));
    }
}
