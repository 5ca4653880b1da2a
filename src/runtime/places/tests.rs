//! Any order of asking, ending, cancelling and deploying: never too many, and each in its turn.

use std::collections::VecDeque;

use uuid::Uuid;

use super::*;
use crate::testing::random::Random;

fn execution(n: u64) -> ExecutionId {
    ExecutionId(Uuid::from_u128(u128::from(n)))
}

fn asking(n: u64, key: &str) -> Asking {
    let id = PlaceId { workflow: "w".into(), key: key.into() };
    Asking { execution: execution(n), parent: None, id, limit: 1 }
}

const QUEUE: Ask = Ask::ToStart(WhenFull::Queue);
const REFUSE: Ask = Ask::ToStart(WhenFull::Refuse);

/// What the register should be, told as simply as can be.
#[derive(Default)]
struct Model {
    held: Vec<u64>,
    waiting: VecDeque<u64>,
}

impl Model {
    fn fill(&mut self, limit: usize) -> Vec<ExecutionId> {
        let mut next = Vec::new();
        while self.held.len() < limit
            && let Some(first) = self.waiting.pop_front()
        {
            self.held.push(first);
            next.push(execution(first));
        }
        next
    }
}

/// Does made-up things and holds the register against the model.
fn drive(seed: u64) {
    let mut random = Random::new(seed);
    let keys = ["a", "b"];
    let mut models = [Model::default(), Model::default()];
    let mut book = Book::default();
    let mut limit = 1 + random.below(3);
    for n in 0..300 {
        let at = random.index(2);
        let (key, model) = (keys[at], &mut models[at]);
        let most = usize::try_from(limit).unwrap();
        match random.below(8) {
            0..4 => {
                let is_free = model.held.len() < most && model.waiting.is_empty();
                let ask = if random.one_in(3) { REFUSE } else { QUEUE };
                let answer = book.take(&asking(n, key), u32::try_from(limit).unwrap(), ask, 5);
                let fits = model.waiting.len() < 5 && ask == QUEUE;
                match answer {
                    Ok(given) => {
                        assert!(given == is_free && (is_free || fits));
                        if given { model.held.push(n) } else { model.waiting.push_back(n) }
                    }
                    Err(rejection) => assert!(!is_free && !fits, "{rejection}"),
                }
            }
            4..7 => {
                // One that ends, or is cancelled while it waits.
                let known: Vec<u64> = model.held.iter().chain(&model.waiting).copied().collect();
                let gone = random.pick(&known).copied().unwrap_or(999);
                model.held.retain(|other| *other != gone);
                model.waiting.retain(|other| *other != gone);
                assert_eq!(book.free(execution(gone)), model.fill(most));
                assert_eq!(book.free(execution(gone)), []);
            }
            _ => {
                limit = 1 + random.below(3);
                let most = usize::try_from(limit).unwrap();
                let mut given = book.set_limit("w", u32::try_from(limit).unwrap());
                let mut expected: Vec<ExecutionId> =
                    models.iter_mut().flat_map(|model| model.fill(most)).collect();
                given.sort();
                expected.sort();
                assert_eq!(given, expected);
            }
        }
        for (key, model) in keys.iter().zip(&models) {
            let id = PlaceId { workflow: "w".into(), key: (*key).into() };
            let held = book.queues.get(&id).map_or(0, |queue| queue.holders.len());
            assert_eq!(held, model.held.len());
            for (ahead, waits) in model.waiting.iter().enumerate() {
                assert_eq!(book.queue_of(execution(*waits)).unwrap().ahead, ahead);
            }
        }
    }
    for model in &mut models {
        for n in model.held.drain(..).chain(model.waiting.drain(..)) {
            book.free(execution(n));
        }
    }
    assert!(book.queues.is_empty() && book.known.is_empty(), "nothing is left behind");
}

#[test]
fn never_more_than_the_limit_have_places_and_each_gets_one_in_its_turn() {
    (0..200).for_each(drive);
}

#[test]
fn who_asks_again_is_told_the_same() {
    let mut book = Book::default();
    let take = |book: &mut Book, n| book.take(&asking(n, "k"), 1, QUEUE, 9).unwrap();
    assert!(take(&mut book, 1));
    assert!(!take(&mut book, 2));
    assert!(take(&mut book, 1) && !take(&mut book, 2));
    assert_eq!(book.free(execution(1)), [execution(2)]);
    assert!(take(&mut book, 2));
}

#[test]
fn a_refusal_names_who_has_the_places() {
    let mut book = Book::default();
    for n in 0..7 {
        book.hold(&asking(n, "k"), 7);
    }
    let refused = book.take(&asking(9, "k"), 7, REFUSE, 9).unwrap_err();
    assert_eq!(refused.code(), "PLACE_TAKEN");
    let told = refused.to_string();
    assert!(told.contains(&execution(0).short()) && told.contains("and 2 more"), "{told}");
    assert!(book.take(&asking(9, "other"), 7, REFUSE, 9).unwrap());
}

#[test]
fn no_ring_is_closed_of_those_that_wait_for_each_other() {
    let mut book = Book::default();
    let take = |book: &mut Book, n, parent: Option<u64>, key: &str| {
        let asking = Asking { parent: parent.map(execution), ..asking(n, key) };
        book.take(&asking, 2, QUEUE, 9)
    };
    assert!(take(&mut book, 1, None, "k").unwrap());
    assert!(take(&mut book, 2, None, "k").unwrap());
    // The other one may end.
    assert!(!take(&mut book, 11, Some(1), "k").unwrap());
    // Now it waits too, and nobody would go on.
    let refused = take(&mut book, 12, Some(2), "k").unwrap_err();
    assert_eq!(refused, Rejection::PlaceHeldByParent { holder: execution(2) });
    assert!(take(&mut book, 12, Some(2), "other").unwrap());
    assert_eq!(book.free(execution(2)), [execution(11)]);
}
