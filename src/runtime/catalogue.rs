//! The catalogue: what clients of the Step Functions API said beside definitions.
//!
//! The ground state is one history of its own, which no execution can have. What it says is so from
//! the moment it is durable.

use std::sync::Arc;

use super::definitions;
use super::error::Error;
use super::orchestrator::Orchestrator;
use super::told::{Fold, Told};
use crate::engine::{Catalogue as Said, Event, Timestamp};
use crate::language::DefinitionHash;

/// The catalogue, as it stands.
pub(super) type Catalogue = Told<Said>;

impl Fold for Said {
    const HISTORY: &str = "everstep catalogue";

    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn apply(&mut self, event: &Event, sequence: u64, at: Timestamp) {
        self.apply(event, sequence, at);
    }
}

impl Orchestrator {
    /// What clients of the Step Functions API said beside definitions.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Said> {
        self.tools().catalogue.now()
    }

    /// Changes the catalogue: `decide` sees it as it stands and gives events of it, or refuses;
    /// meanwhile nobody else changes it. On return they are durable, all or none. Gives what else
    /// `decide` gave.
    ///
    /// # Errors
    /// What `decide` refused with, or why the events could not be made durable.
    pub async fn catalogued<T, R, F>(
        &self,
        decide: impl FnOnce(Arc<Said>) -> F + Send + 'static,
    ) -> Result<T, R>
    where
        T: Send + 'static,
        R: From<Error> + Send + 'static,
        F: Future<Output = Result<(Vec<Event>, T), R>> + Send,
    {
        self.check_open()?;
        let this = self.clone();
        let changing = async move {
            let catalogue = &this.tools().catalogue;
            let said = catalogue.now();
            let first = said.sequence + 1;
            let (mut events, given) = match decide(said).await {
                Ok(decided) => decided,
                Err(refused) => return Ok(Err(refused)),
            };
            events.retain(Event::is_of_catalogue);
            if events.is_empty() {
                return Ok(Ok(given));
            }
            let now = this.tools().clock.now();
            this.record(Catalogue::stream(), first, now, events.clone()).await?;
            for (sequence, event) in (first..).zip(&events) {
                catalogue.apply(event, sequence, now);
            }
            Ok(Ok(given))
        };
        // An event in the log must not stay unknown here.
        self.in_turn(&self.inner.cataloguing, changing).await?
    }

    /// When a version of a workflow became known, with its content; nothing when there is none with
    /// the number.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn deployed_at(
        &self,
        workflow: &str,
        version: u64,
    ) -> Result<Option<(Timestamp, DefinitionHash)>, Error> {
        let stream = definitions::stream_of(workflow);
        let range = version..version.saturating_add(1);
        let records = self.store().read_history(stream, range).await?;
        Ok(records.first().and_then(|record| match &*record.event {
            Event::DefinitionStored(stored) => Some((record.time, stored.hash)),
            _ => None,
        }))
    }

    /// Chance for one decision.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.tools().ids.seed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{ActivityCreated, ActivityRemoved};

    #[test]
    fn what_was_saved_and_then_read_again_from_the_log_counts_once() {
        let catalogue = Catalogue::default();
        assert_eq!(catalogue.snapshot(), None);
        let created = Event::from(ActivityCreated { activity: "a".into() });
        catalogue.apply(&created, 1, Timestamp(10));
        let saved = catalogue.snapshot().unwrap();
        let restored = Catalogue::default();
        assert!(restored.restore(&saved.bytes));
        let removed = Event::from(ActivityRemoved { activity: "a".into() });
        restored.apply(&removed, 1, Timestamp(5));
        assert_eq!(restored.now().activities.len(), 1);
        restored.apply(&removed, 2, Timestamp(20));
        assert_eq!(restored.now().activities.len(), 0);
    }

    #[test]
    fn the_history_of_the_catalogue_is_nothing_else() {
        assert!(!definitions::is_execution_stream(Catalogue::stream()));
        assert!(!definitions::is_definition_stream(Catalogue::stream()));
    }
}
