//! Operations: what can be asked, by whom, and with which members.
//!
//! The members are those that requests are checked against, and those that `/openapi.json` tells below
//! `x-everstep-operations`: there is no other list.

use std::pin::Pin;
use std::sync::Arc;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::input::Input;
use super::refusal::{self, Refusal};
use super::reply;
use crate::server::http::{Access, App, Call, Document, Problem, Role, Route, Size, Taken};

/// The content type of every request and answer.
pub(in crate::server) const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// What an operation gives: the members of its output.
pub(super) type Output = Result<Value, Refusal>;
type Working = Pin<Box<dyn Future<Output = Output> + Send>>;

/// What kind of value a member has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::server) enum Shape {
    /// Text of at least and at most so many characters.
    Text(usize, usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number from and up to this.
    Whole(i64, i64),
    /// A number from and up to this.
    Real(f64, f64),
    /// `true` or `false`.
    Flag,
    /// An object with these members.
    Structure(&'static [Member]),
    /// A list of at least and at most so many of these.
    List(&'static Self, usize, usize),
}

/// A member of an operation's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::server) struct Member {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) is_required: bool,
}

impl Member {
    /// One that may be left out.
    pub(super) const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, is_required: false }
    }

    /// One that must be given.
    pub(super) const fn required(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, is_required: true }
    }
}

/// A request that was let in, with members that have their shapes.
pub(super) struct Request {
    pub(super) call: Call,
    pub(super) input: Input,
}

impl Request {
    /// What all requests share.
    pub(super) fn app(&self) -> &App {
        &self.call.app
    }

    /// Who asks, as events have it.
    pub(super) fn by(&self) -> String {
        self.call.by()
    }
}

/// Something that can be asked.
#[derive(Clone)]
pub(in crate::server) struct Operation {
    /// As AWS calls it.
    pub(in crate::server) name: &'static str,
    pub(in crate::server) role: Role,
    pub(in crate::server) members: &'static [Member],
    /// What it refuses with, besides what every operation may.
    pub(in crate::server) refusals: &'static [&'static str],
    only_shows: bool,
    handler: Arc<dyn Fn(Request) -> Working + Send + Sync>,
}

impl Operation {
    /// One that only shows something.
    pub(super) fn shows<F, W>(
        name: &'static str,
        role: Role,
        members: &'static [Member],
        handler: F,
    ) -> Self
    where
        F: Fn(Request) -> W + Send + Sync + 'static,
        W: Future<Output = Output> + Send + 'static,
    {
        let handler = Arc::new(move |request| -> Working { Box::pin(handler(request)) });
        Self { name, role, members, refusals: &[], only_shows: true, handler }
    }

    /// One that changes something.
    pub(super) fn does<F, W>(
        name: &'static str,
        role: Role,
        members: &'static [Member],
        handler: F,
    ) -> Self
    where
        F: Fn(Request) -> W + Send + Sync + 'static,
        W: Future<Output = Output> + Send + 'static,
    {
        Self { only_shows: false, ..Self::shows(name, role, members, handler) }
    }

    /// Says what it refuses with.
    pub(super) fn refuses(mut self, refusals: &'static [&'static str]) -> Self {
        self.refusals = refusals;
        self
    }

    /// The way to it through the gate.
    pub(super) fn into_route(self) -> Route {
        let (members, handler) = (self.members, self.handler);
        let answer = move |mut call: Call| {
            let handler = handler.clone();
            async move {
                let document = std::mem::replace(&mut call.document, Document::Nothing);
                let text = match document {
                    Document::Text { text, .. } => text,
                    Document::Nothing | Document::Fields(_) => String::new(),
                };
                let done = match Input::read(&text, members) {
                    Ok(input) => handler(Request { call, input }).await,
                    Err(refusal) => Err(refusal),
                };
                done.map(|output| reply::output(&output)).map_err(Problem::from)
            }
        };
        let mut route = Route::new(Method::POST, Access::Role(self.role), "/", self.name, answer)
            .takes(Taken::Text(&[CONTENT_TYPE]), Size::Wire);
        route.only_shows = self.only_shows;
        route.is_signed = true;
        route.refused = refusal::response_to;
        route
    }

    /// What it is, for programs.
    pub(in crate::server) fn told(&self) -> Value {
        json!({
            "x-everstep-role": self.role,
            "input": structure(self.members),
            "errors": self.refusals,
        })
    }
}

fn structure(members: &[Member]) -> Value {
    let told = |member: &Member| (member.name.to_owned(), shape(member.shape));
    let properties: Map<String, Value> = members.iter().map(told).collect();
    let required: Vec<&str> =
        members.iter().filter(|member| member.is_required).map(|member| member.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

/// The schema of a member.
fn shape(shape_of: Shape) -> Value {
    match shape_of {
        Shape::Text(least, most) => {
            json!({"type": "string", "minLength": least, "maxLength": most})
        }
        Shape::Word(words) => json!({"type": "string", "enum": words}),
        Shape::Whole(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Shape::Real(least, most) => json!({"type": "number", "minimum": least, "maximum": most}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Structure(members) => structure(members),
        Shape::List(item, least, most) => {
            json!({"type": "array", "items": shape(*item), "minItems": least, "maxItems": most})
        }
    }
}
