//! What clients of the Step Functions API said beside definitions: how machines are set up, versions
//! that were published, aliases, activities, tags; as the fold of the events that say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::{AliasSettled, Event, MachineSettled, VersionPublished};
use super::id::Timestamp;
use crate::language::{DefinitionHash, Json};

/// Everything that is in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    /// The sequence of the last event that this knows of.
    pub sequence: u64,
    /// By the name of the workflow. Workflows of which nothing was said are not here.
    pub machines: BTreeMap<Arc<str>, Machine>,
    /// Workflows that were removed, with how many versions they had then: with another one they are
    /// back.
    pub removed: BTreeMap<Arc<str>, u64>,
    /// When each activity was created.
    pub activities: BTreeMap<Arc<str>, Timestamp>,
    /// By the resource, as `activity:NAME`.
    pub tags: BTreeMap<Arc<str>, Vec<Tag>>,
}

/// What was said of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// How it is set up.
    pub settings: Option<Settings>,
    /// The number of the version that was published last; 0 before the first.
    pub last_version: u64,
    /// Versions that were published, by number.
    pub versions: BTreeMap<u64, Version>,
    /// By name.
    pub aliases: BTreeMap<Arc<str>, Alias>,
}

/// How a workflow is set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Since when the workflow is there.
    pub created_at: Timestamp,
    /// When this was said last.
    pub updated_at: Timestamp,
    /// Which words about it were the last, from 1.
    pub revision: u64,
    /// How.
    pub setup: Setup,
}

/// What a client says of how a workflow is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Whether its type is EXPRESS.
    pub is_express: bool,
    /// The ARN of its role.
    pub role: Arc<str>,
    /// Its logging configuration.
    pub logging: Option<Json>,
    /// Its tracing configuration.
    pub tracing: Option<Json>,
}

/// A version that was published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// What it runs.
    pub definition: DefinitionHash,
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// The revision that was published.
    pub revision: Arc<str>,
    /// When it was published.
    pub published_at: Timestamp,
}

/// A name for one or two versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// To which versions it leads, and how often.
    pub routes: Vec<Routing>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// How often an alias leads to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// The version's number.
    pub version: u64,
    /// In how many of 100 starts.
    pub weight: u8,
}

/// How an execution was started, when not as the newest version of its workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedAs {
    /// The number of the published version that it runs.
    pub version: u64,
    /// The alias that led there.
    pub alias: Option<Arc<str>>,
}

/// A word about a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its name.
    pub key: Arc<str>,
    /// What it says.
    pub value: Arc<str>,
}

impl Alias {
    /// The version for a start, by chance: the same for the same `seed`.
    #[must_use]
    pub fn choose(&self, seed: u64) -> Option<u64> {
        // Seeds may be near each other: the finish of splitmix64 spreads them.
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mut place = (mixed ^ (mixed >> 31)) % 100;
        for route in &self.routes {
            match place.checked_sub(u64::from(route.weight)) {
                Some(left) => place = left,
                None => return Some(route.version),
            }
        }
        self.routes.last().map(|route| route.version)
    }
}

impl Catalogue {
    /// Believes an event, decided at `at`, with this sequence. One that it knows changes nothing.
    pub fn apply(&mut self, event: &Event, sequence: u64, at: Timestamp) {
        if sequence <= self.sequence {
            return;
        }
        self.sequence = sequence;
        match event {
            Event::MachineSettled(body) => self.machine_settled(body, at),
            Event::MachineRemoved(body) => {
                self.machines.remove(&body.workflow);
                self.removed.insert(body.workflow.clone(), body.deployed);
            }
            Event::VersionPublished(body) => self.version_published(body, at),
            Event::VersionRetired(body) => {
                if let Some(machine) = self.machines.get_mut(&body.workflow) {
                    machine.versions.remove(&body.version);
                }
            }
            Event::AliasSettled(body) => self.alias_settled(body, at),
            Event::AliasRemoved(body) => {
                if let Some(machine) = self.machines.get_mut(&body.workflow) {
                    machine.aliases.remove(&body.alias);
                }
            }
            Event::ActivityCreated(body) => {
                self.activities.entry(body.activity.clone()).or_insert(at);
            }
            Event::ActivityRemoved(body) => drop(self.activities.remove(&body.activity)),
            Event::TagsSettled(body) if body.tags.is_empty() => {
                self.tags.remove(&body.resource);
            }
            Event::TagsSettled(body) => {
                self.tags.insert(body.resource.clone(), body.tags.clone());
            }
            _ => {}
        }
    }

    fn machine_settled(&mut self, body: &MachineSettled, at: Timestamp) {
        self.removed.remove(&body.workflow);
        let machine = self.machines.entry(body.workflow.clone()).or_default();
        let before = machine.settings.as_ref();
        machine.settings = Some(Settings {
            created_at: before.map_or(at, |before| before.created_at),
            updated_at: at,
            revision: before.map_or(0, |before| before.revision) + 1,
            setup: body.setup.clone(),
        });
    }

    fn version_published(&mut self, body: &VersionPublished, at: Timestamp) {
        let machine = self.machines.entry(body.workflow.clone()).or_default();
        machine.last_version = machine.last_version.max(body.version);
        let version = Version {
            definition: body.definition,
            description: body.description.clone(),
            revision: body.revision.clone(),
            published_at: at,
        };
        machine.versions.insert(body.version, version);
    }

    fn alias_settled(&mut self, body: &AliasSettled, at: Timestamp) {
        let machine = self.machines.entry(body.workflow.clone()).or_default();
        let created_at = machine.aliases.get(&body.alias).map_or(at, |before| before.created_at);
        let alias = Alias {
            description: body.description.clone(),
            routes: body.routes.clone(),
            created_at,
            updated_at: at,
        };
        machine.aliases.insert(body.alias.clone(), alias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{ActivityCreated, MachineRemoved};

    fn settled(role: &str) -> Event {
        let (workflow, role) = ("w".into(), role.into());
        let setup = Setup { is_express: false, role, logging: None, tracing: None };
        MachineSettled { workflow, setup }.into()
    }

    #[test]
    fn a_machine_that_is_set_up_again_keeps_its_date_until_it_is_removed() {
        let mut catalogue = Catalogue::default();
        catalogue.apply(&settled("a"), 1, Timestamp(10));
        catalogue.apply(&settled("b"), 2, Timestamp(20));
        let dates = |catalogue: &Catalogue| {
            let settings = catalogue.machines.get("w")?.settings.as_ref()?;
            Some((settings.created_at.0, settings.updated_at.0, settings.revision))
        };
        assert_eq!(dates(&catalogue), Some((10, 20, 2)));
        let removed = MachineRemoved { workflow: "w".into(), deployed: 1 };
        catalogue.apply(&removed.into(), 3, Timestamp(30));
        assert_eq!((dates(&catalogue), catalogue.removed.get("w")), (None, Some(&1)));
        catalogue.apply(&settled("c"), 4, Timestamp(40));
        assert_eq!((dates(&catalogue), catalogue.removed.len()), (Some((40, 40, 1)), 0));
    }

    #[test]
    fn an_event_that_is_known_changes_nothing() {
        let mut catalogue = Catalogue::default();
        let created = Event::from(ActivityCreated { activity: "a".into() });
        catalogue.apply(&created, 1, Timestamp(10));
        let before = catalogue.clone();
        catalogue.apply(&settled("a"), 1, Timestamp(20));
        assert_eq!(catalogue, before);
        catalogue.apply(&created, 2, Timestamp(20));
        assert_eq!(catalogue.activities.get("a"), Some(&Timestamp(10)), "it keeps its date");
    }

    #[test]
    fn an_alias_leads_to_its_versions_as_often_as_their_weights_say() {
        let route = |version, weight| Routing { version, weight };
        let alias = |routes| Alias {
            description: None,
            routes,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        let split = alias(vec![route(1, 90), route(2, 10)]);
        let second = (0..10_000).filter(|seed| split.choose(*seed) == Some(2)).count();
        assert!((800..1200).contains(&second), "{second} of 10000");
        let one = alias(vec![route(3, 100), route(4, 0)]);
        assert!((0..1000).all(|seed| one.choose(seed) == Some(3)));
    }
}
