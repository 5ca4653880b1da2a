//! What requests for jobs are called, so that it can be said which of them got no answer.
//!
//! A server that is killed while it answers has started jobs that no worker knows of. Named by the
//! next request that reaches a server, they need not wait for the end of their lease. A request is
//! named by one other at a time, and no longer once that one is answered.

use super::http::Trouble;
use super::wire::MAX_UNANSWERED;

/// The names that a worker gives its requests.
pub(super) struct Requests {
    /// Chance, so that no other worker calls its requests so.
    prefix: u32,
    count: u64,
    /// Those without an answer that no request on its way names.
    unanswered: Vec<String>,
}

/// What a request is called, and the earlier ones that it names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) own: String,
    pub(super) unanswered: Vec<String>,
}

impl Requests {
    pub(super) fn new(seed: u64) -> Self {
        let [_, _, _, _, chance @ ..] = seed.to_be_bytes();
        Self { prefix: u32::from_be_bytes(chance), count: 0, unanswered: Vec::new() }
    }

    /// The next request.
    pub(super) fn next(&mut self) -> Named {
        self.count += 1;
        let own = format!("{:08x}-{}", self.prefix, self.count);
        Named { own, unanswered: std::mem::take(&mut self.unanswered) }
    }

    /// A request got no answer with jobs.
    pub(super) fn unanswered(&mut self, named: Named, trouble: &Trouble) {
        self.unanswered.extend(named.unanswered);
        match trouble {
            Trouble::Away(_) | Trouble::TooLarge => self.unanswered.push(named.own),
            // The server has not got it, or wants nothing of it.
            Trouble::Unreached(_) | Trouble::Refused { .. } => {}
        }
        // Jobs of the later ones have to wait for the end of their leases.
        self.unanswered.truncate(MAX_UNANSWERED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Trouble {
        Trouble::Away("cut off".to_owned())
    }

    #[test]
    fn a_request_without_an_answer_is_named_by_one_other_until_that_is_answered() {
        let mut requests = Requests::new(0xabcd);
        let (first, second) = (requests.next(), requests.next());
        let (names, none) = ((first.own.clone(), second.own.clone()), Vec::<String>::new());
        assert_eq!((&*first.own, &first.unanswered), ("0000abcd-1", &none));
        requests.unanswered(first, &away());
        let third = requests.next();
        assert_eq!(third.unanswered.first(), Some(&names.0));
        assert_eq!(requests.next().unanswered, none, "it is on its way");
        requests.unanswered(second, &away());
        // That one has not reached the server, so it has told nothing.
        requests.unanswered(third, &Trouble::Unreached("refused".to_owned()));
        let mut named = requests.next().unanswered;
        named.sort();
        assert_eq!(named, [names.0, names.1]);
        assert_eq!(requests.next().unanswered, none);
    }

    #[test]
    fn names_have_a_limit() {
        let mut requests = Requests::new(1);
        let all: Vec<Named> = (0..100).map(|_| requests.next()).collect();
        all.into_iter().for_each(|one| requests.unanswered(one, &away()));
        assert_eq!(requests.next().unanswered.len(), MAX_UNANSWERED);
    }
}
