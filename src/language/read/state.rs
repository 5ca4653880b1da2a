//! One state: what all types share.

use super::Reader;
use super::fields::{TYPES, state_has};
use super::object::{At, Object};
use super::reachability::Ways;
use crate::language::diagnostic::{codes, quoted};
use crate::language::model::{Flow, QueryLanguage, State, StateKind, StateName, Transition};
use crate::language::source::{Content, Fault};

/// The longest name of a state, in characters.
const LONGEST_NAME: usize = 80;
/// The longest `Title`, in characters.
const LONGEST_TITLE: usize = 200;

impl Reader<'_, '_> {
    /// Reads a state and keeps it, if it is sound.
    pub(super) fn state(&mut self, at: &At<'_>, ways: &mut Ways<'_>) {
        let order = self.met;
        self.met += 1;
        self.check_name(at);
        // Without a type, nothing is known of its ways.
        let Some((object, type_name)) = self.typed(at) else { return ways.break_off() };
        let state = self.read_state(&object, type_name, ways);
        self.states.extend(state.map(|state| (order, state)));
    }

    fn typed<'s>(&mut self, at: &At<'s>) -> Option<(Object<'s>, &'static str)> {
        let mut object = self.object(at)?;
        object.language = self.state_language(&object);
        let type_name = self.required(&object, "Type").and_then(|at| self.word(&at, TYPES))?;
        Some((object, type_name))
    }

    fn read_state(
        &mut self,
        object: &Object<'_>,
        type_name: &str,
        ways: &mut Ways<'_>,
    ) -> Option<State> {
        self.check_state_fields(object, type_name);
        let comment = self.text_field(object, "Comment");
        let title = self.title(object);
        let weight = self.decimal_field(object, "Weight", 0.0).unwrap_or(1.0);
        let cleanup = self.cleanup(object, ways);
        let flow = self.flow(object, type_name);
        let has = |name| state_has(type_name, object.language, name);
        let transition =
            if has("Next") { self.transition(object, ways, &flow) } else { Some(Transition::End) };
        let kind = self.kind(object, type_name, ways, &flow);
        let (retry, catch) = if has("Retry") {
            (self.retry(object), self.catch(object, ways))
        } else {
            (Vec::new(), Vec::new())
        };
        Some(State {
            name: StateName::from(object.place.nearest_key().unwrap_or_default()),
            comment,
            title,
            weight,
            cleanup,
            cleans_up: false,
            flow,
            kind: kind?,
            transition: transition?,
            retry,
            catch,
        })
    }

    fn kind(
        &mut self,
        object: &Object<'_>,
        type_name: &str,
        ways: &mut Ways<'_>,
        flow: &Flow,
    ) -> Option<StateKind> {
        match type_name {
            "Pass" => Some(self.pass(object)),
            "Task" => self.task(object).map(StateKind::Task),
            "Choice" => self.choice(object, ways, flow.assign()).map(StateKind::Choice),
            "Wait" => self.wait(object).map(StateKind::Wait),
            "Succeed" => {
                ways.end();
                Some(StateKind::Succeed)
            }
            "Fail" => {
                ways.end();
                let (error, cause) =
                    (self.text_or_path(object, "Error"), self.text_or_path(object, "Cause"));
                Some(StateKind::Fail { error, cause })
            }
            "Parallel" => self.parallel(object),
            _ => self.map(object).map(|map| StateKind::Map(Box::new(map))),
        }
    }

    fn pass(&mut self, object: &Object<'_>) -> StateKind {
        let result = object.get("Result").filter(|at| at.language == QueryLanguage::JsonPath);
        StateKind::Pass { result: result.map(|at| at.node.to_value().into()) }
    }

    fn parallel(&mut self, object: &Object<'_>) -> Option<StateKind> {
        let at = self.required(object, "Branches")?;
        let nodes = self.filled_array(&at)?;
        let mut branches = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let at = at.entry(index, node);
            branches.extend(self.undoing(false, |reader| reader.inner_machine(&at, &[])));
        }
        Some(StateKind::Parallel { branches })
    }

    /// `Next` or `End`.
    fn transition(
        &mut self,
        object: &Object<'_>,
        ways: &mut Ways<'_>,
        flow: &Flow,
    ) -> Option<Transition> {
        match (object.get("Next"), object.get("End")) {
            (None, None) => {
                let hint = "say where it leads with `Next`, or end the machine with `End: true`";
                self.missing(object, "`Next` or `End`", Some(hint));
                ways.break_off();
                None
            }
            (Some(next), None) => self.target(&next, ways, flow.assign()).map(Transition::Next),
            (None, Some(end)) => {
                let ends = self.is_end(&end);
                let note = if ends { Ways::end } else { Ways::break_off };
                note(ways);
                ends.then_some(Transition::End)
            }
            (Some(next), Some(end)) => {
                self.exclude(&end, "Next");
                self.target(&next, ways, flow.assign());
                ways.break_off();
                None
            }
        }
    }

    fn is_end(&mut self, at: &At<'_>) -> bool {
        match at.node.content {
            Content::Bool(true) => true,
            Content::Bool(false) => {
                let fault = Fault::new(codes::VALUE, at.node.span, "`End` can only be true")
                    .hint("say where the state leads with `Next` instead");
                self.faults.report(&at.place, fault);
                false
            }
            _ => {
                self.wrong_type(at, "true");
                false
            }
        }
    }

    /// The query language of a state: its own, or that of the definition.
    fn state_language(&mut self, object: &Object<'_>) -> QueryLanguage {
        let Some(at) = object.get("QueryLanguage") else { return self.language };
        let own = self.query_language(&at).unwrap_or(self.language);
        if own == QueryLanguage::JsonPath && self.language == QueryLanguage::Jsonata {
            let message = "a state of a JSONata definition cannot be written in JSONPath";
            let fault = Fault::new(codes::QUERY_LANGUAGE, at.node.span, message)
                .hint("set JSONata on the states that use it, not on the whole definition");
            self.faults.report(&at.place, fault);
        }
        own
    }

    /// Extension `Title`.
    pub(super) fn title(&mut self, object: &Object<'_>) -> Option<String> {
        let at = object.get("Title")?;
        let title = self.text(&at)?;
        if title.trim().is_empty() {
            self.fault(&at, codes::EMPTY, "`Title` must not be empty");
        } else if title.chars().nth(LONGEST_TITLE).is_some() {
            let message = format!("`Title` is longer than {LONGEST_TITLE} characters");
            self.fault(&at, codes::RANGE, message);
        }
        Some(title.to_owned())
    }

    fn check_name(&mut self, at: &At<'_>) {
        let name = at.key();
        let message = if name.trim().is_empty() {
            "the name of a state must not be empty".to_owned()
        } else if name.chars().nth(LONGEST_NAME).is_some() {
            format!("the name of a state is longer than {LONGEST_NAME} characters")
        } else if name.chars().any(char::is_control) {
            "the name of a state must not hold control characters".to_owned()
        } else {
            self.check_unique(at);
            return;
        };
        let fault = Fault::new(codes::NAME, at.key_span, message)
            .hint("keep names short; what people should read goes into `Title`");
        self.faults.report(&at.place, fault);
    }

    fn check_unique(&mut self, at: &At<'_>) {
        let Some(first) = self.names.insert(StateName::from(at.key()), at.key_span) else { return };
        // The first one stays the one that later ones are compared with.
        self.names.insert(StateName::from(at.key()), first);
        let message = format!("two states are called {}", quoted(at.key()));
        let line = self.faults.line(first.start);
        let fault = Fault::new(codes::DUPLICATE_STATE, at.key_span, message).hint(format!(
            "names are unique in the whole definition; the other one is in line {line}"
        ));
        self.faults.report(&at.place, fault);
    }
}
