//! From path and data to values.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::session::Session;
use super::{Path, PathFailure, Root, Segment};

/// How deep `..` looks into data. Parsed JSON is never deeper than 128.
const MAX_DATA_DEPTH: usize = 512;

impl Path {
    /// What the path selects. `current` is what `@` means.
    pub(in super::super) fn resolve<'a>(
        &self,
        session: &Session<'a>,
        current: Option<&'a Value>,
    ) -> Result<Cow<'a, Value>, PathFailure> {
        let root = self.root_value(session, current).ok_or(PathFailure::Absent)?;
        let value = if self.definite {
            self.walk(session, root)?
        } else {
            Cow::Owned(Value::Array(self.collect(session, root)?))
        };
        match &self.function {
            Some(function) => {
                self.within(session.work(function.effort(&value)))?;
                function.apply(&value, &self.source).map(Cow::Owned)
            }
            None => Ok(value),
        }
    }

    /// Whether an indefinite path leads anywhere. Nothing of what it finds is copied.
    pub(super) fn finds<'a>(
        &self,
        session: &Session<'a>,
        current: Option<&'a Value>,
    ) -> Result<bool, PathFailure> {
        let root = self.root_value(session, current).ok_or(PathFailure::Absent)?;
        let (nodes, names) = self.nodes(session, root)?;
        Ok(if names.is_some() {
            nodes.into_iter().any(Value::is_object)
        } else {
            !nodes.is_empty()
        })
    }

    /// A failure unless a limit is kept.
    pub(super) fn within(&self, is_kept: bool) -> Result<(), PathFailure> {
        if is_kept {
            return Ok(());
        }
        let source = &self.source;
        Err(PathFailure::Unfit(format!(
            "The JSONPath '{source}' compares and copies too much; make it more selective"
        )))
    }

    pub(super) fn root_value<'a>(
        &self,
        session: &Session<'a>,
        current: Option<&'a Value>,
    ) -> Option<&'a Value> {
        match &self.root {
            Root::Input => Some(session.scope.input),
            Root::Context => Some(session.scope.context),
            Root::Variable(name) => session.scope.variables.get(&**name),
            Root::Current => current,
        }
    }

    /// Follows a definite path.
    fn walk<'a>(
        &self,
        session: &Session<'a>,
        root: &'a Value,
    ) -> Result<Cow<'a, Value>, PathFailure> {
        let mut at = root;
        for segment in &self.segments {
            let next = match segment {
                Segment::Names(names) => {
                    let merged = merged(at, names).ok_or(PathFailure::Absent)?;
                    self.within(session.copy(&merged))?;
                    return Ok(Cow::Owned(merged));
                }
                segment => segment.step(at),
            };
            at = next.ok_or(PathFailure::Absent)?;
        }
        Ok(Cow::Borrowed(at))
    }

    /// Copies all that an indefinite path selects.
    fn collect<'a>(
        &self,
        session: &Session<'a>,
        root: &'a Value,
    ) -> Result<Vec<Value>, PathFailure> {
        let (nodes, names) = self.nodes(session, root)?;
        let mut found = Vec::new();
        for node in nodes {
            let value = match names {
                Some(names) => merged(node, names),
                None => Some(node.clone()),
            };
            let Some(value) = value else { continue };
            self.within(session.copy(&value))?;
            found.push(value);
        }
        Ok(found)
    }

    /// Finds the nodes that an indefinite path selects, and the names of which only those fields are
    /// meant.
    fn nodes<'a>(
        &self,
        session: &Session<'a>,
        root: &'a Value,
    ) -> Result<(Vec<&'a Value>, Option<&[String]>), PathFailure> {
        let mut nodes = vec![root];
        let mut search = Search { session, definite: true, descended: false, path: self };
        let (last, init) = match self.segments.split_last() {
            Some((Segment::Names(names), init)) => (Some(&**names), init),
            _ => (None, &*self.segments),
        };
        for segment in init {
            nodes = search.step(segment, &nodes)?;
        }
        Ok((nodes, last))
    }
}

/// The state of a search along an indefinite path.
struct Search<'s, 'a> {
    session: &'s Session<'a>,
    path: &'s Path,
    /// All segments so far were names and single indexes: what is missing is an error.
    definite: bool,
    /// The segment before was `..`.
    descended: bool,
}

impl<'a> Search<'_, 'a> {
    fn step(
        &mut self,
        segment: &Segment,
        nodes: &[&'a Value],
    ) -> Result<Vec<&'a Value>, PathFailure> {
        let mut found = Vec::new();
        for node in nodes {
            let before = found.len();
            let fits = self.apply(segment, node, &mut found)?;
            if self.definite && !fits {
                return Err(PathFailure::Absent);
            }
            self.count(1 + found.len() - before)?;
        }
        self.definite &= matches!(segment, Segment::Name(_) | Segment::Index(_));
        self.descended = matches!(segment, Segment::Descend);
        Ok(found)
    }

    fn count(&self, nodes: usize) -> Result<(), PathFailure> {
        if self.session.visit(nodes) {
            return Ok(());
        }
        let source = &self.path.source;
        Err(PathFailure::Unfit(format!(
            "The JSONPath '{source}' visits too many nodes; make it more selective"
        )))
    }

    /// Adds what `segment` selects below `node`; false when the node does not fit the segment.
    fn apply(
        &self,
        segment: &Segment,
        node: &'a Value,
        found: &mut Vec<&'a Value>,
    ) -> Result<bool, PathFailure> {
        match segment {
            Segment::Name(name) => {
                let value = node.as_object().and_then(|fields| fields.get(name));
                found.extend(value);
                Ok(value.is_some())
            }
            Segment::Names(names) => {
                let Some(fields) = node.as_object() else { return Ok(false) };
                found.extend(names.iter().filter_map(|name| fields.get(name)));
                Ok(true)
            }
            Segment::Index(index) => {
                let value = node.as_array().and_then(|items| item(items, *index));
                found.extend(value);
                Ok(value.is_some())
            }
            Segment::Indexes(indexes) => {
                let Some(items) = node.as_array() else { return Ok(false) };
                found.extend(indexes.iter().filter_map(|index| item(items, *index)));
                Ok(true)
            }
            Segment::Slice { start, end, step } => {
                let Some(items) = node.as_array() else { return Ok(false) };
                let (skip, take) = slice_bounds(items.len(), *start, *end);
                let step = usize::try_from(*step).unwrap_or(usize::MAX).max(1);
                found.extend(items.iter().take(take).skip(skip).step_by(step));
                Ok(true)
            }
            Segment::Wildcard => {
                found.extend(children(node));
                Ok(true)
            }
            Segment::Descend => {
                self.descend(node, found, 0)?;
                Ok(true)
            }
            Segment::Filter(filter) => {
                let Value::Array(items) = node else {
                    // A filter on an object tests the object itself.
                    if node.is_object() && filter.holds(self.session, node)? {
                        found.push(node);
                    }
                    return Ok(node.is_object());
                };
                // `..` has already given every item of its own.
                if !self.descended {
                    for item in items {
                        self.count(1)?;
                        if filter.holds(self.session, item)? {
                            found.push(item);
                        }
                    }
                }
                Ok(true)
            }
        }
    }

    fn descend(
        &self,
        node: &'a Value,
        found: &mut Vec<&'a Value>,
        depth: usize,
    ) -> Result<(), PathFailure> {
        self.count(1)?;
        if depth > MAX_DATA_DEPTH {
            return Err(PathFailure::Unfit(format!(
                "The data is nested deeper than {MAX_DATA_DEPTH} levels"
            )));
        }
        found.push(node);
        children(node).try_for_each(|child| self.descend(child, found, depth + 1))
    }
}

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    let items = node.as_array().into_iter().flatten();
    items.chain(node.as_object().into_iter().flat_map(Map::values))
}

/// The item at `index`, from the end when negative.
pub(in super::super) fn item(items: &[Value], index: i64) -> Option<&Value> {
    items.get(position(items.len(), index)?)
}

impl Segment {
    /// The value that a name or an index leads to.
    pub(super) fn step<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Name(name) => value.as_object()?.get(name),
            Self::Index(index) => item(value.as_array()?, *index),
            _ => None,
        }
    }
}

/// Where `index` points in an array of `length` items, from the end when negative.
pub(in super::super) fn position(length: usize, index: i64) -> Option<usize> {
    let distance = usize::try_from(index.unsigned_abs()).ok()?;
    if index < 0 { length.checked_sub(distance) } else { Some(distance) }
}

/// How many items to skip and up to where to take.
fn slice_bounds(length: usize, start: Option<i64>, end: Option<i64>) -> (usize, usize) {
    let clamp = |index: i64| {
        let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        if index < 0 { length.saturating_sub(distance) } else { distance.min(length) }
    };
    (start.map_or(0, clamp), end.map_or(length, clamp))
}

/// Those of an object's fields that have one of the names; `None` when `node` is no object.
fn merged(node: &Value, names: &[String]) -> Option<Value> {
    let fields = node.as_object()?;
    let picked = names.iter().filter_map(|name| fields.get_key_value(name));
    Some(Value::Object(picked.map(|(name, value)| (name.clone(), value.clone())).collect()))
}
