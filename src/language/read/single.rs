//! A definition of one state alone, as tests of single states take it.

use super::{Checked, Options, Reader};
use crate::language::source::{self, Content, Faults, Format, Member, Node};

/// Reads the definition of one state, called `name`, and gives everything that is to be said about
/// it. The workflow also has a Succeed state for each one that the state leads to.
#[must_use]
pub fn check_state(text: &str, format: Format, name: &str, options: &Options) -> Checked {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = &Options { max_depth: options.max_depth.min(100), ..options.clone() };
    let mut faults = Faults::new(text, options.max_diagnostics);
    let tree = source::tree(text, format, options, &mut faults);
    let tree = tree.map(|state| machine_around(state, name));
    let workflow = tree.and_then(|tree| Reader::new(options, &mut faults).workflow(&tree));
    let workflow = workflow.filter(|_| !faults.any_error());
    let mut diagnostics = faults.finish();
    let around = format!("/States/{}", source::escaped(name));
    for found in &mut diagnostics {
        if let Some(inside) = found.pointer.strip_prefix(&around) {
            found.pointer = inside.to_owned();
        }
    }
    Checked { workflow, diagnostics }
}

/// Whether the text defines one state and no machine: it has a `Type` and no `States`.
#[must_use]
pub fn is_state(text: &str, format: Format, options: &Options) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut faults = Faults::new(text, options.max_diagnostics);
    let tree = source::tree(text, format, options, &mut faults);
    tree.is_some_and(|tree| tree.find("/Type").is_some() && tree.find("/States").is_none())
}

/// A machine of the state and the states that it leads to. All of it stands where the state stands.
fn machine_around(state: Node, name: &str) -> Node {
    let span = state.span;
    let text = |text: &str| Node { content: Content::Text(text.to_owned()), span };
    let object = |fields: Vec<(String, Node)>| {
        let member = |(key, node)| Member { key, key_span: span, node };
        Node { content: Content::Object(fields.into_iter().map(member).collect()), span }
    };
    let mut targets = Vec::new();
    gather_targets(&state, &mut targets);
    targets.retain(|target| target != name);
    targets.sort();
    targets.dedup();
    let mut states = vec![(name.to_owned(), state)];
    for target in targets {
        states.push((target, object(vec![("Type".to_owned(), text("Succeed"))])));
    }
    object(vec![("StartAt".to_owned(), text(name)), ("States".to_owned(), object(states))])
}

/// The names in a state's own transitions and its `Cleanup`, those of its rules and those of its catchers.
fn gather_targets(state: &Node, targets: &mut Vec<String>) {
    let Content::Object(members) = &state.content else { return };
    for Member { key, node, .. } in members {
        match (key.as_str(), &node.content) {
            ("Next" | "Default" | "Cleanup", Content::Text(target)) => targets.push(target.clone()),
            ("Choices" | "Catch", Content::Array(entries)) => {
                entries.iter().for_each(|entry| gather_targets(entry, targets));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_state_is_read_with_stubs_for_its_targets() {
        let text = r#"{"Type":"Choice","Default":"D","Cleanup":"U","Choices":[
            {"Variable":"$.a","IsNull":true,"Next":"N"}, {"Variable":"$.b","IsNull":true,"Next":"D"}]}"#;
        let options = Options::default();
        assert!(is_state(text, Format::Json, &options));
        let checked = check_state(text, Format::Json, "Here", &options);
        let workflow = checked.workflow.unwrap();
        let names: Vec<&str> = workflow.states.keys().map(|name| &**name).collect();
        assert_eq!(names, ["Here", "D", "N", "U"]);
    }

    #[test]
    fn faults_of_one_state_are_told_where_they_stand() {
        let text = "{\"Type\":\"Pass\",\n \"Next\":3}";
        let checked = check_state(text, Format::Json, "a/b", &Options::default());
        assert!(checked.workflow.is_none());
        let found = checked.diagnostics.first().unwrap();
        assert_eq!((found.pointer.as_str(), found.line), ("/Next", 2));
        assert!(!is_state(r#"{"StartAt":"A","States":{}}"#, Format::Json, &Options::default()));
    }
}
