//! The page for people: its files are part of the program.
//!
//! They are built from `web/` and committed as `web/dist`. The names of those below `/assets/` hold a
//! digest of what is in them, so a browser may keep them for ever; `index.html` names the newest of
//! them, and is asked for anew each time. Whatever the page shows comes from the routes below `/api/v1`,
//! so its files need no role. The build packs them too, so that nothing is packed while somebody waits.

mod codings;
mod files;

use axum::http::{StatusCode, header};

use self::files::INDEX;
use super::http::{
    Access, Answer, Call, Given, Kind, Param, Problem, Route, of_type, tagged, with,
};

/// Only what comes from here is run, shown or asked, and nobody may frame the page.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The longest value in the address of a view.
const MOST_TEXT: usize = 1024;

const fn shown(name: &'static str, about: &'static str) -> Param {
    Param::new(name, Kind::Text(MOST_TEXT), about)
}

/// What an address of the page may say about what it shows. The page reads it; the server does not.
const VIEW: &[Param] = &[
    shown("at", "The event after which an execution is shown."),
    shown("status", "Which executions are listed."),
    shown("workflow", "Those of which workflow."),
    shown("q", "What their names or messages hold."),
    shown("parent", "The execution that began those that a list shows."),
    shown("since", "How long ago they began at most, as `1h`, `24h` or `7d`."),
    shown("left", "The one of two executions that are compared."),
    shown("right", "The other one."),
    shown("version", "Which version of a workflow."),
    shown("from", "The version from which changes count."),
    shown("next", "Where to go after the token was given."),
];

/// Where the page is, each with its name for the table of routes.
const VIEWS: &[(&str, &str)] = &[
    ("/", "page"),
    ("/executions", "page_executions"),
    ("/executions/{id}", "page_execution"),
    ("/executions/{id}/{view}", "page_execution_view"),
    ("/compare", "page_compare"),
    ("/workflows", "page_workflows"),
    ("/workflows/{name}", "page_workflow"),
    ("/workers", "page_workers"),
    ("/log", "page_log"),
    ("/login", "page_login"),
];

pub(super) fn routes() -> Vec<Route> {
    let mut routes: Vec<Route> = VIEWS
        .iter()
        .map(|(path, name)| {
            Route::get(Access::Open, path, name, index)
                .about("The page for people.")
                .query(VIEW)
                .gives(Given::Other("text/html"))
        })
        .collect();
    routes.push(
        Route::get(Access::Open, "/assets/{file}", "page_asset", asset)
            .about("A file of the page; what it holds never changes.")
            .gives(Given::Other("application/octet-stream")),
    );
    routes.push(
        Route::get(Access::Open, "/favicon.svg", "page_icon", icon)
            .about("The icon of the page.")
            .gives(Given::Other("image/svg+xml")),
    );
    routes
}

async fn index(call: Call) -> Answer {
    fresh(&call, INDEX)
}

async fn icon(call: Call) -> Answer {
    fresh(&call, "favicon.svg")
}

/// A file that is asked for anew each time, and sent only if it is another one.
fn fresh(call: &Call, path: &str) -> Answer {
    sent(call, path, "no-cache")
}

async fn asset(call: Call) -> Answer {
    let path = format!("assets/{}", call.path("file"));
    sent(&call, &path, "public, max-age=31536000, immutable")
}

/// A file, packed as the browser takes it. Each coding has its own tag, and caches are told that what
/// the browser takes made the difference.
fn sent(call: &Call, path: &str, keeping: &'static str) -> Answer {
    let file = files::find(path, |coding| codings::takes(&call.headers, coding));
    let file = file.ok_or_else(no_such_file)?;
    let mut response =
        tagged(&call.headers, &file.tag, || Ok(of_type(file.content_type, file.bytes)))?;
    if let Some(coding) = file.coding.filter(|_| response.status() == StatusCode::OK) {
        response = with(response, header::CONTENT_ENCODING, coding);
    }
    response = with(response, header::VARY, "Accept-Encoding");
    response = with(response, header::CACHE_CONTROL, keeping);
    Ok(with(response, header::CONTENT_SECURITY_POLICY, POLICY))
}

fn no_such_file() -> Problem {
    let detail = "the page has no such file";
    Problem::new("NO_SUCH_ROUTE", StatusCode::NOT_FOUND, detail)
        .hint("load the page again: the server may have been brought up to date")
}
