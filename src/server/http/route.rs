//! Routes: what can be asked, by whom, and with which parameters.
//!
//! A [`Route`] is the only way into the server, and cannot be made without saying who may take it.
//! Its parameters and fields are those that requests are checked against, and those that
//! `/openapi.json` tells: there is no other list.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Response};

use super::app::App;
use super::fields::Fields;
use super::problem::Problem;
use super::query::Query;
use super::role::{Principal, Role};
use crate::engine::ExecutionId;
use crate::traces::RequestNote;

/// What a route gives.
pub(in crate::server) type Answer = Result<Response<Body>, Problem>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;
type Handler = Arc<dyn Fn(Call) -> Answering + Send + Sync>;

/// Who may take a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Access {
    /// Anybody who can connect.
    Open,
    /// Whoever has a role that may do what this one may.
    Role(Role),
}

/// What kind of value a parameter has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Kind {
    /// Text of at most so many bytes.
    Text(usize),
    /// A whole number from 0 up to this.
    Number(u64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words, with commas between them.
    Words(&'static [&'static str]),
    /// Any JSON; only in documents.
    Json,
}

/// A parameter of the query, or a field of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) struct Param {
    pub(in crate::server) name: &'static str,
    pub(in crate::server) kind: Kind,
    pub(in crate::server) is_required: bool,
    pub(in crate::server) about: &'static str,
}

impl Param {
    /// One that may be left out.
    pub(in crate::server) const fn new(
        name: &'static str,
        kind: Kind,
        about: &'static str,
    ) -> Self {
        Self { name, kind, is_required: false, about }
    }

    /// One that must be given.
    pub(in crate::server) const fn required(
        name: &'static str,
        kind: Kind,
        about: &'static str,
    ) -> Self {
        Self { name, kind, is_required: true, about }
    }
}

/// What the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Taken {
    /// Nothing: a body is refused.
    Nothing,
    /// A JSON object with these fields and no others.
    Fields(&'static [Param]),
    /// Text of one of these content types.
    Text(&'static [&'static str]),
}

/// How large a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Size {
    /// As a document that holds no payload.
    Document,
    /// As a payload, with room around it.
    Payload,
    /// As a definition or a payload that is a text within a document, and so may be twice as long.
    Wire,
}

/// What the answer is, for the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum Given {
    /// A JSON document of this schema.
    Document(&'static str),
    /// Such a document, or text for people, as the query says.
    DocumentOrText(&'static str),
    /// A list of such documents, page by page.
    Items(&'static str),
    /// Something else, of this content type.
    Other(&'static str),
}

/// A way into the server.
#[derive(Clone)]
pub(in crate::server) struct Route {
    pub(in crate::server) method: Method,
    /// As `/api/v1/executions/{id}`.
    pub(in crate::server) path: &'static str,
    pub(in crate::server) access: Access,
    /// Its name, as `list_executions`: unique.
    pub(in crate::server) name: &'static str,
    pub(in crate::server) about: &'static str,
    pub(in crate::server) query: &'static [Param],
    pub(in crate::server) taken: Taken,
    pub(in crate::server) size: Size,
    pub(in crate::server) given: Given,
    /// Whether it changes nothing, whatever its method says.
    pub(in crate::server) only_shows: bool,
    /// Whether clients may sign their requests, as those of AWS do.
    pub(in crate::server) is_signed: bool,
    /// How it is told why not, to a request for a path.
    pub(in crate::server) refused: fn(&Problem, &str) -> Response<Body>,
    pub(super) handler: Handler,
}

impl Route {
    /// A route that shows something.
    pub(in crate::server) fn get<F, W>(
        access: Access,
        path: &'static str,
        name: &'static str,
        handler: F,
    ) -> Self
    where
        F: Fn(Call) -> W + Send + Sync + 'static,
        W: Future<Output = Answer> + Send + 'static,
    {
        Self::new(Method::GET, access, path, name, handler)
    }

    /// A route that does something.
    pub(in crate::server) fn new<F, W>(
        method: Method,
        access: Access,
        path: &'static str,
        name: &'static str,
        handler: F,
    ) -> Self
    where
        F: Fn(Call) -> W + Send + Sync + 'static,
        W: Future<Output = Answer> + Send + 'static,
    {
        Self {
            method,
            path,
            access,
            name,
            about: "",
            query: &[],
            taken: Taken::Nothing,
            size: Size::Document,
            given: Given::Other("text/plain"),
            only_shows: false,
            is_signed: false,
            refused: Problem::response,
            handler: Arc::new(move |call| Box::pin(handler(call))),
        }
    }

    /// Says what it is for.
    pub(in crate::server) fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Says which parameters its query may have.
    pub(in crate::server) fn query(mut self, query: &'static [Param]) -> Self {
        self.query = query;
        self
    }

    /// Says what its body is.
    pub(in crate::server) fn takes(mut self, taken: Taken, size: Size) -> Self {
        (self.taken, self.size) = (taken, size);
        self
    }

    /// Says what its answer is.
    pub(in crate::server) fn gives(mut self, given: Given) -> Self {
        self.given = given;
        self
    }

    /// Whether it is the way of requests for what is not there.
    pub(super) fn is_nowhere(&self) -> bool {
        self.path.is_empty()
    }

    /// Whether it changes something.
    pub(in crate::server) fn is_mutation(&self) -> bool {
        self.method != Method::GET && !self.only_shows
    }
}

/// What a request holds, read and checked.
pub(in crate::server) enum Document {
    Nothing,
    Fields(Fields),
    Text { text: String, content_type: &'static str },
}

/// A request that was let in.
pub(in crate::server) struct Call {
    pub(in crate::server) app: Arc<App>,
    pub(in crate::server) principal: Principal,
    pub(super) path: Vec<(String, String)>,
    pub(in crate::server) query: Query,
    pub(in crate::server) headers: HeaderMap,
    /// From where it comes.
    pub(in crate::server) peer: SocketAddr,
    pub(in crate::server) document: Document,
    /// What traces are told of it.
    pub(in crate::server) note: RequestNote,
}

impl Call {
    /// A part of the path.
    pub(in crate::server) fn path(&self, name: &str) -> &str {
        let found = self.path.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The fields of the document; none when the route takes none.
    pub(in crate::server) fn fields(&self) -> &Fields {
        static NONE: Fields = Fields::none();
        match &self.document {
            Document::Fields(fields) => fields,
            Document::Nothing | Document::Text { .. } => &NONE,
        }
    }

    /// The execution that the path names: by id, by a beginning of its handle, or by `@`.
    pub(in crate::server) async fn execution(&self) -> Result<ExecutionId, Problem> {
        Ok(self.app.engine.find(self.path("id")).await?)
    }

    /// Who asks, as events have it.
    pub(in crate::server) fn by(&self) -> String {
        self.principal.name.to_string()
    }
}
