//! `everstep serve`, killed while it runs many executions and is asked for more.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::chain::{self, FILE, JOBS};
use super::chance::{Chance, kills};
use super::history::{History, Witness};
use super::place::{Place, Program};
use super::until;

/// Executions that are started, at most: enough to have some under way at every kill.
const EXECUTIONS: u64 = 14;

/// Ids of acknowledged starts, with their inputs.
type Acknowledged = BTreeMap<String, u64>;

#[test]
fn serve_survives_kill_9_and_keeps_every_acknowledged_start() {
    let mut chance = Chance::new();
    let place = chain::place();
    let over = AtomicBool::new(false);
    let (acknowledged, witness) = std::thread::scope(|scope| {
        let starter = scope.spawn(|| start_many(&place, &over));
        let witness = kill_many(&place, &mut chance);
        over.store(true, Ordering::SeqCst);
        (starter.join().unwrap(), witness)
    });
    assert!(!acknowledged.is_empty(), "no start was ever acknowledged");
    let server = serve(&place);
    until("all executions end", || {
        let list = place.list();
        list.iter().all(|row| row["ended_at"].is_string()).then_some(())
    });
    server.terminate();
    let ended = server.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    let inputs = inputs(&place.history());
    for (id, n) in &acknowledged {
        assert_eq!(inputs.get(id), Some(n), "{id} was acknowledged");
    }
    for (id, n) in inputs {
        let result = place.ran(&["show", &id, "--result"], 0).json();
        assert_eq!(result["status"], "completed");
        assert_eq!(result["output"], chain::expected(n), "{id}");
    }
    witness.judge(&place, JOBS);
}

/// Starts executions one after the other, whether a server answers or not.
fn start_many(place: &Place, over: &AtomicBool) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    let definition = format!("./{FILE}");
    for n in 1_u64.. {
        let enough = u64::try_from(acknowledged.len()).unwrap() >= EXECUTIONS;
        if enough || over.load(Ordering::SeqCst) {
            break;
        }
        let arguments = ["start", &definition, "--input", &chain::input(n)];
        let ended = place.spawn_as("start", &arguments).ended();
        if ended.status.success() {
            acknowledged.insert(ended.printed.trim().to_owned(), n);
        }
        std::thread::sleep(std::time::Duration::from_millis(150));
    }
    acknowledged
}

/// Kills the server at random moments, and looks at what it left each time.
fn kill_many(place: &Place, chance: &mut Chance) -> Witness {
    let mut witness = Witness::default();
    for _ in 0..kills(15) {
        let mut server = serve(place);
        let endangered = witness.last().endangered();
        until("jobs end that were cut off before", || {
            if endangered.is_empty() {
                return Some(());
            }
            let done = place.live_history()?.jobs("JobSucceeded");
            endangered.iter().all(|job| done.contains_key(job)).then_some(())
        });
        std::thread::sleep(chance.within_ms(500));
        assert!(server.kill(), "{}", server.said());
        witness.look(place);
    }
    witness
}

fn serve(place: &Place) -> Program {
    let mut server = place.spawn(&["serve"]);
    server.says("is ready");
    assert!(server.is_running(), "{}", server.said());
    server
}

/// What each execution was started with.
fn inputs(log: &History) -> Acknowledged {
    let inputs = log.named("ExecutionStarted").map(|event| {
        let id = event["execution"].as_str().unwrap().to_owned();
        (id, event["data"]["input"]["n"].as_u64().unwrap())
    });
    inputs.collect()
}
