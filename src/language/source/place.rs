//! Where a value stands in the tree.

use std::fmt::Write as _;

/// One step of a [`Place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment<'a> {
    /// The document itself.
    Root,
    /// A member of an object.
    Key(&'a str),
    /// An element of an array.
    Index(usize),
}

/// The way from the document to a value, kept as a list on the stack: it costs nothing until a
/// fault has to be shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    /// The last step.
    pub(crate) segment: Segment<'a>,
}

impl<'a> Place<'a> {
    /// The document itself.
    pub(crate) const fn root() -> Self {
        Self { parent: None, segment: Segment::Root }
    }

    /// The member called `key`.
    pub(crate) const fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), segment: Segment::Key(key) }
    }

    /// The element number `index`.
    pub(crate) const fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), segment: Segment::Index(index) }
    }

    /// The last key on the way, for messages.
    pub(crate) fn nearest_key(&self) -> Option<&'a str> {
        match self.segment {
            Segment::Key(key) => Some(key),
            Segment::Root | Segment::Index(_) => self.parent.and_then(Place::nearest_key),
        }
    }

    /// Where in its state, as AWS writes it: `Choices[1]/Output`.
    pub(crate) fn field(&self) -> String {
        let mut segments = Vec::new();
        let mut place = Some(self);
        while let Some(current) = place {
            segments.push(current.segment);
            place = current.parent;
        }
        segments.reverse();
        let mut rest = segments.get(1..).unwrap_or_default();
        loop {
            rest = match rest {
                [Segment::Key("States"), Segment::Key(_), inner @ ..] => inner,
                [Segment::Key("ItemProcessor" | "Iterator"), inner @ ..]
                | [Segment::Key("Branches"), Segment::Index(_), inner @ ..]
                    if matches!(inner, [Segment::Key("States"), ..]) =>
                {
                    inner
                }
                _ => break,
            };
        }
        let mut field = String::new();
        for segment in rest {
            match segment {
                Segment::Root => {}
                Segment::Key(key) => {
                    field.push_str(if field.is_empty() { "" } else { "/" });
                    field.push_str(key);
                }
                // Writing to a String cannot fail.
                Segment::Index(index) => drop(write!(field, "[{index}]")),
            }
        }
        field
    }

    /// As a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        let mut segments = Vec::new();
        let mut place = Some(self);
        while let Some(current) = place {
            segments.push(current.segment);
            place = current.parent;
        }
        let mut pointer = String::new();
        for segment in segments.into_iter().rev() {
            push_segment(&mut pointer, segment);
        }
        pointer
    }
}

/// A key as a step of a JSON pointer (RFC 6901).
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Appends one step to a JSON pointer.
pub(super) fn push_segment(pointer: &mut String, segment: Segment<'_>) {
    match segment {
        Segment::Root => {}
        Segment::Key(key) => {
            pointer.push('/');
            pointer.push_str(&escaped(key));
        }
        Segment::Index(index) => {
            // Writing to a String cannot fail.
            let _ = write!(pointer, "/{index}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_counts_from_its_state() {
        let root = Place::root();
        assert_eq!(root.key("TimeoutSeconds").field(), "TimeoutSeconds");
        let states = root.key("States");
        let state = states.key("States");
        let output = state.key("Output");
        assert_eq!(output.key("a").index(2).field(), "Output/a[2]");
        let branches = state.key("Branches");
        let branch = branches.index(0);
        let inner = branch.key("States");
        let choice = inner.key("Choose");
        let choices = choice.key("Choices");
        assert_eq!(choices.index(1).key("Condition").field(), "Choices[1]/Condition");
    }

    #[test]
    fn a_pointer_escapes_what_it_must() {
        let root = Place::root();
        let states = root.key("a/b~c");
        assert_eq!(states.index(3).pointer(), "/a~1b~0c/3");
        assert_eq!(root.pointer(), "");
        assert_eq!(states.index(3).nearest_key(), Some("a/b~c"));
    }
}
