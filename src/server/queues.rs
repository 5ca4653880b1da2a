//! What an execution queues for, as views take it.

use crate::runtime;
use crate::view::{PlaceQueue, Queues, SlotQueue};

/// What the runtime says of queues, in the words of views.
#[must_use]
pub fn shown_queues(queues: runtime::Queues) -> Queues {
    let place = queues.place.map(|place| {
        let runtime::PlaceQueue { limit, holders, ahead, .. } = place;
        PlaceQueue { limit, holders, ahead }
    });
    let slot = |queue: runtime::JobQueue| {
        let of_process = queue.full == runtime::FullSlots::OfProcess;
        (queue.job, SlotQueue { of_process, limit: queue.limit, ahead: queue.ahead })
    };
    Queues { place, jobs: queues.jobs.into_iter().map(slot).collect() }
}
