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

use super::codec::{self, CodecError};
use crate::engine::Event;

/// Reads a body of any version that was ever released.
pub(super) fn decode(tag: u16, schema: u16, raw: &[u8]) -> Result<Event, CodecError> {
    let current = codec::EVENTS.iter().find(|event| event.0 == tag).map(|event| event.1);
    match current {
        Some(current) if current == schema => codec::decode_current(tag, raw),
        _ => older(tag, schema, raw),
    }
}

/// The versions before the current ones. There are none yet.
fn older(tag: u16, schema: u16, raw: &[u8]) -> Result<Event, CodecError> {
    Err(CodecError::Unknown { tag, schema, raw: raw.to_vec() })
}
