//! A workflow as this API shows it: what was deployed, and what the catalogue says of it.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::arn::{self, Qualifier, Resource};
use super::refusal::Refusal;
use crate::engine::catalogue::{Machine, Settings, Setup, Version};
use crate::engine::{Catalogue, Timestamp};
use crate::language::DefinitionHash;
use crate::runtime::Orchestrator;
use crate::server::http::App;

/// A workflow that is there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) name: String,
    /// What was deployed, the oldest first; never empty.
    versions: Vec<DefinitionHash>,
    /// The newest of them.
    pub(super) newest: DefinitionHash,
    said: Arc<Catalogue>,
}

impl Found {
    /// A workflow by its name, unless there is none or it was removed.
    pub(super) fn of(engine: &Orchestrator, said: Arc<Catalogue>, name: &str) -> Option<Self> {
        let versions = engine.versions(name);
        let newest = *versions.last()?;
        let count = u64::try_from(versions.len()).unwrap_or(u64::MAX);
        if said.removed.get(name) == Some(&count) {
            return None;
        }
        Some(Self { name: name.to_owned(), versions, newest, said })
    }

    /// How many versions were deployed.
    pub(super) fn deployed(&self) -> u64 {
        u64::try_from(self.versions.len()).unwrap_or(u64::MAX)
    }

    /// The number, from 1, of the deployed version with this content.
    pub(super) fn number_of(&self, definition: DefinitionHash) -> Option<u64> {
        let place = self.versions.iter().rposition(|known| *known == definition)?;
        u64::try_from(place + 1).ok()
    }

    /// What the catalogue says, when it says anything.
    pub(super) fn said(&self) -> Option<&Machine> {
        self.said.machines.get(self.name.as_str())
    }

    fn said_settings(&self) -> Option<&Settings> {
        self.said()?.settings.as_ref()
    }

    /// A version that was published.
    pub(super) fn version(&self, number: u64) -> Option<&Version> {
        self.said()?.versions.get(&number)
    }

    /// How it is set up. A workflow that came another way is set up as is usual.
    pub(super) async fn settings(&self, app: &App) -> Result<Settings, Refusal> {
        if let Some(settings) = self.said_settings() {
            return Ok(settings.clone());
        }
        let at = |found: Option<(Timestamp, DefinitionHash)>| found.map_or(Timestamp(0), |it| it.0);
        let first = app.engine.deployed_at(&self.name, 1).await?;
        let last = app.engine.deployed_at(&self.name, self.deployed()).await?;
        Ok(Settings {
            created_at: at(first),
            updated_at: at(last),
            revision: self.deployed(),
            setup: Setup {
                is_express: false,
                role: app.arns.usual_role().into(),
                logging: None,
                tracing: None,
            },
        })
    }

    /// What stands for its definition and role as they are now.
    pub(super) fn revision(&self) -> String {
        let role = self.said_settings().map_or("", |settings| &*settings.setup.role);
        revision_of(&self.name, self.newest, role)
    }

    /// Whether it is as it was first made.
    pub(super) fn is_initial(&self) -> bool {
        self.deployed() == 1 && self.said_settings().is_none_or(|settings| settings.revision <= 1)
    }
}

/// What stands for a definition and a role.
pub(super) fn revision_of(name: &str, definition: DefinitionHash, role: &str) -> String {
    let digest = Sha256::digest(format!("{name}\n{definition}\n{role}"));
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// The refusal of a machine that is not there.
pub(super) fn missing(arn: &str) -> Refusal {
    let message = format!("State Machine Does Not Exist: '{arn}'");
    Refusal::of("StateMachineDoesNotExist", message)
}

/// The workflow that an ARN names, and what stands behind it.
///
/// # Errors
/// It is no ARN of a machine, or there is no such machine.
pub(super) fn find(app: &App, arn: &str) -> Result<(Found, Option<Qualifier>), Refusal> {
    let Resource::Machine { name, qualifier } = arn::read(arn)? else {
        return Err(arn::invalid(arn));
    };
    let found = Found::of(&app.engine, app.engine.catalogue(), &name);
    Ok((found.ok_or_else(|| missing(arn))?, qualifier))
}

/// The name in the ARN of a machine that has no version or alias behind it.
///
/// # Errors
/// It is another ARN, or none.
pub(super) fn plain_name(arn: &str) -> Result<String, Refusal> {
    match arn::read(arn)? {
        Resource::Machine { name, qualifier: None } => Ok(name),
        _ => Err(arn::invalid(arn)),
    }
}

/// The workflow that an ARN without anything behind the name names.
///
/// # Errors
/// As [`find`]; or it is the ARN of a version or an alias.
pub(super) fn find_plain(app: &App, arn: &str) -> Result<Found, Refusal> {
    plain_name(arn)?;
    Ok(find(app, arn)?.0)
}
