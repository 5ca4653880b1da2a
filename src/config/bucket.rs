//! A bucket as it is written: a folder alone, or a table.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use toml::Spanned;

/// `"./data"`, or `{ folder = "./out", write = true }`.
pub(super) struct RawBucket {
    pub(super) folder: Spanned<String>,
    pub(super) write: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    folder: Spanned<String>,
    #[serde(default)]
    write: bool,
}

/// By hand: serde's untagged enums would keep neither the place of a fault nor the known keys.
impl<'de> Deserialize<'de> for RawBucket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned: Spanned<Form> = Spanned::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(match spanned.into_inner() {
            Form::Folder(folder) => Self { folder: Spanned::new(span, folder), write: false },
            Form::Table(table) => Self { folder: table.folder, write: table.write },
        })
    }
}

enum Form {
    Folder(String),
    Table(Table),
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FormVisitor)
    }
}

struct FormVisitor;

impl<'de> Visitor<'de> for FormVisitor {
    type Value = Form;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a folder, or a table with `folder` and `write`")
    }

    fn visit_str<E: Error>(self, folder: &str) -> Result<Form, E> {
        Ok(Form::Folder(folder.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Form, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(map)).map(Form::Table)
    }
}
