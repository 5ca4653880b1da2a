//! Golden files: one record for every (tag, schema version) that was ever released.
//!
//! A record that was once written must be readable for ever. `EVERSTEP_BLESS=1` writes the files
//! that are missing; it never changes one that is there. After a release, never delete one.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use uuid::Uuid;

use super::codec::{self, EVENTS};
use super::frame::{Chunks, Entry, Frames, Ids, Piece};
use crate::testing::arbitrary;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

fn encoded(tag: u16) -> Vec<u8> {
    let mut body = Vec::new();
    let kind = codec::encode_body(&arbitrary::event(tag, 1).unwrap(), &mut body).unwrap();
    let ids = Ids {
        stream: Uuid::from_u128(0x0190_1111_2222_7333_8444_5555_6666_7777),
        sequence: 2,
        position: u64::from(tag),
        time: 1_700_000_000_123,
        previous: 1,
    };
    let mut chunks = Chunks::default();
    chunks.push(&Entry { kind, last: true, ids, body: &body }).unwrap();
    let values: Vec<Vec<u8>> = chunks.finish().map(|(_, value)| value.to_vec()).collect();
    assert_eq!(values.len(), 1);
    values.concat()
}

/// The names of golden files say what they hold: `003-1-StateEntered.bin`.
fn parse_name(name: &str) -> Option<(u16, u16)> {
    let mut parts = name.strip_suffix(".bin")?.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn bless_missing() {
    if std::env::var_os("EVERSTEP_BLESS").is_none() {
        return;
    }
    fs::create_dir_all(folder()).unwrap();
    for (tag, schema, name) in EVENTS {
        let path = folder().join(format!("{tag:03}-{schema}-{name}.bin"));
        if !path.exists() {
            fs::write(&path, encoded(*tag)).unwrap();
        }
    }
}

#[test]
fn every_record_ever_released_can_still_be_read() {
    bless_missing();
    let mut known = BTreeSet::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (tag, schema) = parse_name(&name).unwrap();
        let bytes = fs::read(&path).unwrap();
        let piece = Frames::new(&bytes).next().unwrap().unwrap();
        let Piece::Record(frame) = piece else { panic!("{name} is a gap") };
        assert!(frame.matches(frame.body), "{name}");
        assert_eq!((frame.tag, frame.schema), (tag, schema), "{name}");
        let event = codec::decode_body(tag, schema, frame.body).unwrap_or_else(|error| {
            panic!("{name}: {error}. If the struct was never released, delete the file and bless")
        });
        assert!(name.contains(event.name()), "{name}");
        known.insert((tag, schema));
    }
    for (tag, schema, name) in EVENTS {
        assert!(known.contains(&(*tag, *schema)), "{name} has no golden file: EVERSTEP_BLESS=1");
    }
}

#[test]
fn todays_bytes_are_those_of_the_golden_records() {
    bless_missing();
    for (tag, schema, name) in EVENTS {
        let path = folder().join(format!("{tag:03}-{schema}-{name}.bin"));
        let golden = fs::read(&path).unwrap_or_default();
        assert!(golden == encoded(*tag), "{name} is written differently: raise its schema version");
    }
}
