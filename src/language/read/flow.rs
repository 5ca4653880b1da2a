//! How data flows through a state.

use super::Reader;
use super::fields::state_has;
use super::object::{At, Object};
use super::scope::Sees;
use crate::language::expression::ReferencePath;
use crate::language::model::{
    Flow, JsonPathFlow, JsonataFlow, QueryLanguage, ResultPath, Selection,
};
use crate::language::source::Content;

impl Reader<'_, '_> {
    /// The fields of the flow that states of this type have.
    pub(super) fn flow(&mut self, object: &Object<'_>, type_name: &str) -> Flow {
        let has = |name| state_has(type_name, object.language, name);
        let sees = Sees::of_state(type_name);
        let assign = if has("Assign") {
            self.seeing(sees, |reader| reader.assign(object))
        } else {
            Vec::new()
        };
        match object.language {
            QueryLanguage::JsonPath => Flow::JsonPath(JsonPathFlow {
                input_path: if has("InputPath") {
                    self.selection(object, "InputPath")
                } else {
                    Selection::Whole
                },
                // On Map states it is the old name of ItemSelector.
                parameters: if has("Parameters") && type_name != "Map" {
                    self.payload(object, "Parameters")
                } else {
                    None
                },
                result_selector: if has("ResultSelector") {
                    self.payload(object, "ResultSelector")
                } else {
                    None
                },
                result_path: if has("ResultPath") {
                    self.result_path(object)
                } else {
                    ResultPath::Whole
                },
                output_path: if has("OutputPath") {
                    self.selection(object, "OutputPath")
                } else {
                    Selection::Whole
                },
                assign,
            }),
            QueryLanguage::Jsonata => Flow::Jsonata(JsonataFlow {
                arguments: if has("Arguments") { self.payload(object, "Arguments") } else { None },
                output: if has("Output") {
                    self.seeing(sees, |reader| reader.payload(object, "Output"))
                } else {
                    None
                },
                assign,
            }),
        }
    }

    fn selection(&mut self, object: &Object<'_>, name: &str) -> Selection {
        let Some(at) = object.get(name) else { return Selection::Whole };
        match &at.node.content {
            Content::Null => Selection::Nothing,
            Content::Text(text) if text == "$" => Selection::Whole,
            Content::Text(_) => self.path(&at).map_or(Selection::Whole, Selection::Path),
            _ => {
                self.wrong_type(&at, "a path or null");
                Selection::Whole
            }
        }
    }

    /// `ResultPath` of a state or a catcher.
    pub(super) fn result_path(&mut self, object: &Object<'_>) -> ResultPath {
        let Some(at) = object.get("ResultPath") else { return ResultPath::Whole };
        match &at.node.content {
            Content::Null => ResultPath::Discard,
            Content::Text(text) if text == "$" => ResultPath::Whole,
            Content::Text(text) => self.reference_path(&at, text),
            _ => {
                self.wrong_type(&at, "a path or null");
                ResultPath::Whole
            }
        }
    }

    fn reference_path(&mut self, at: &At<'_>, text: &str) -> ResultPath {
        match ReferencePath::parse(text) {
            Ok(path) => ResultPath::At(path),
            Err(fault) => {
                self.bad_expression(at, "", fault);
                ResultPath::Whole
            }
        }
    }
}
