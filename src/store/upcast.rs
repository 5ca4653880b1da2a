//! Old shapes of events, read as today's.
//!
//! The rule: a struct that was released is frozen. To change `Foo`,
//!
//! 1. copy the old struct into this file as `FooV1`, never to be changed again;
//! 2. raise its version in the table of `codec.rs`;
//! 3. add the line `(tag, 1) => decode::<FooV1>("Foo", raw).map(Foo::from).map(Event::Foo)` to
//!    [`older`], with a `From` that is one step of the chain V1 → V2 → … → today;
//! 4. bless the golden file of the new version; those of old versions stay, and must still decode.
//!
//! The log is never rewritten: old records are read through this table for ever.

use std::sync::Arc;

use serde::Deserialize;

use super::codec::{self, CodecError, decode as read};
use crate::engine::event::ExecutionStarted;
use crate::engine::{Event, ExecutionId, Parent, Place, Timestamp};
use crate::language::{DefinitionHash, Json};

/// Before executions knew the published version that they were started as.
#[derive(Deserialize)]
struct ExecutionStartedV1 {
    workflow: Arc<str>,
    definition: DefinitionHash,
    name: Option<Arc<str>>,
    input: Json,
    deadline: Option<Timestamp>,
    parent: Option<Parent>,
    place: Option<Place>,
    rerun_of: Option<ExecutionId>,
}

impl From<ExecutionStartedV1> for ExecutionStarted {
    fn from(old: ExecutionStartedV1) -> Self {
        Self {
            workflow: old.workflow,
            definition: old.definition,
            name: old.name,
            input: old.input,
            deadline: old.deadline,
            parent: old.parent,
            place: old.place,
            rerun_of: old.rerun_of,
            started_as: None,
        }
    }
}

/// Reads a body of any version that was ever released.
pub(super) fn decode(tag: u16, schema: u16, raw: &[u8]) -> Result<Event, CodecError> {
    let current = codec::EVENTS.iter().find(|event| event.0 == tag).map(|event| event.1);
    match current {
        Some(current) if current == schema => codec::decode_current(tag, raw),
        _ => older(tag, schema, raw),
    }
}

/// The versions before the current ones.
fn older(tag: u16, schema: u16, raw: &[u8]) -> Result<Event, CodecError> {
    match (tag, schema) {
        (2, 1) => {
            let old = read::<ExecutionStartedV1>("ExecutionStarted", raw)?;
            Ok(ExecutionStarted::from(old).into())
        }
        _ => Err(CodecError::Unknown { tag, schema, raw: raw.to_vec() }),
    }
}
