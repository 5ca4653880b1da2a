//! What the server can do, for programs (OpenAPI) and for people: made from the table of routes.
//!
//! The parameters that are told here are those that requests are checked against, so the two cannot
//! part. Of answers the name of their schema is told; `docs/SERVER.md` says what is in them.

use axum::http::header;
use serde_json::{Map, Value, json};

use super::reply::{of_type, with};
use super::role::Role;
use super::route::{Access, Answer, Call, Given, Kind, Param, Route, Taken};
use crate::server::sfn;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(Access::Role(Role::Viewer), "/openapi.json", "openapi", openapi)
            .about("What the server can do, as OpenAPI 3.1.")
            .gives(Given::Other("application/json")),
        Route::get(Access::Role(Role::Viewer), "/docs", "docs", docs)
            .about("What the server can do, for people.")
            .gives(Given::Other("text/html")),
    ]
}

async fn openapi(call: Call) -> Answer {
    Ok(of_type("application/json", document(&call.app.routes).to_string()))
}

/// The OpenAPI document of some routes.
pub(super) fn document(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Everstep",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        // One path for all of them, so they are no operations of OpenAPI.
        "x-everstep-operations": wire_operations(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": problem(), "Items": items(), "Totals": totals()},
        },
    })
}

/// The operations of the Step Functions API, with their inputs and what they refuse with.
fn wire_operations() -> Map<String, Value> {
    sfn::operations().iter().map(|one| (one.name.to_owned(), one.told())).collect()
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = path_parameters(route.path)
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
        })
        .collect();
    parameters.extend(route.query.iter().map(|param| {
        json!({
            "name": param.name,
            "in": "query",
            "required": param.is_required,
            "description": param.about,
            "explode": false,
            "schema": schema(param.kind, true),
        })
    }));
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.about,
        "parameters": parameters,
        "responses": responses(route),
    });
    let mut set = |name: &str, value: Value| {
        if let Some(fields) = operation.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    };
    match route.access {
        Access::Open => set("security", json!([])),
        Access::Role(role) => {
            set("security", json!([{"token": []}]));
            set("x-everstep-role", json!(role));
        }
    }
    match route.taken {
        Taken::Nothing => {}
        Taken::Fields(fields) => {
            let content = json!({"application/json": {"schema": object(fields)}});
            // Even when no field is: without its content type a request is refused.
            set("requestBody", json!({"required": true, "content": content}));
        }
        Taken::Text(types) => {
            let content: Map<String, Value> =
                types.iter().map(|name| ((*name).to_owned(), json!({"schema": {}}))).collect();
            set("requestBody", json!({"required": true, "content": content}));
        }
    }
    operation
}

/// The names between braces.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn responses(route: &Route) -> Value {
    let document = |name: &str| {
        json!({"schema": {
            "type": "object",
            "required": ["schema"],
            "properties": {"schema": {"const": name}},
        }})
    };
    let content = match route.given {
        Given::Document(name) => json!({"application/json": document(name)}),
        Given::DocumentOrText(name) => {
            json!({"application/json": document(name), "text/plain": {"schema": {}}})
        }
        Given::Items(name) => {
            let schema = json!({
                "allOf": [{"$ref": "#/components/schemas/Items"}],
                "properties": {"schema": {"const": name}},
            });
            json!({"application/json": {"schema": schema}})
        }
        Given::Other(content_type) => json!({content_type: {"schema": {}}}),
    };
    let problem = json!({
        "description": "Why not.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        },
    });
    json!({
        "2XX": {"description": "Done.", "content": content},
        "4XX": problem,
        "5XX": problem,
    })
}

fn object(fields: &[Param]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = schema(field.kind, false);
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("description".to_owned(), json!(field.about));
            }
            (field.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn schema(kind: Kind, in_query: bool) -> Value {
    // In a document, what may be left out may be null, too.
    let of = |name: &str| if in_query { json!(name) } else { json!([name, "null"]) };
    match kind {
        Kind::Text(most) => json!({"type": of("string"), "maxLength": most}),
        Kind::Number(most) => json!({"type": of("integer"), "minimum": 0, "maximum": most}),
        Kind::Flag => json!({"type": of("boolean")}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Words(words) => {
            json!({"type": "array", "items": {"type": "string", "enum": words}})
        }
        Kind::Json => json!({}),
    }
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "instance", "code"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "code": {"type": "string", "description": "Stable; docs/ERRORS.md explains each."},
            "hint": {"type": "string", "description": "What to do."},
            "current": {"type": "object", "description": "How things stand."},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": {"type": "string", "description": "A JSON pointer."},
                        "detail": {"type": "string"},
                        "code": {"type": "string"},
                        "line": {"type": "integer"},
                    },
                },
            },
        },
    })
}

fn items() -> Value {
    json!({
        "type": "object",
        "required": ["schema", "items", "next_cursor"],
        "properties": {
            "schema": {"type": "string"},
            "items": {"type": "array", "items": {"type": "object"}},
            "next_cursor": {"type": ["string", "null"]},
            "totals": {"$ref": "#/components/schemas/Totals"},
        },
    })
}

/// How many there are on all pages of a list, where it tells that when it is asked to.
fn totals() -> Value {
    let count = json!({"type": "integer", "minimum": 0});
    json!({
        "type": "object",
        "required": ["total", "is_exact", "by_status"],
        "properties": {
            "total": count,
            "is_exact": {
                "type": "boolean",
                "description": "Whether these are all; if not, there are at least so many.",
            },
            "by_status": {"type": "object", "additionalProperties": count},
        },
    })
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
    padding:0 1rem;color-scheme:light dark}code{font-family:ui-monospace,monospace}\
    section{border-top:1px solid #8886;padding:.5rem 0}dt{font-weight:600}dd{margin:0 0 .3rem 1rem}";

async fn docs(call: Call) -> Answer {
    let response = of_type("text/html; charset=utf-8", page(&call.app.routes));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    Ok(with(response, header::CONTENT_SECURITY_POLICY, policy))
}

/// A page that lists all routes. It needs nothing but itself.
fn page(routes: &[Route]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Everstep: what the server can do</title><style>{STYLE}</style>\
         <h1>Everstep {version}</h1>\
         <p>The same for programs: <a href=\"/openapi.json\">/openapi.json</a>.</p>"
    );
    for route in routes {
        let who = match route.access {
            Access::Open => "anybody".to_owned(),
            Access::Role(role) => format!("role {role}"),
        };
        let (method, path) = (&route.method, escaped(route.path));
        page.push_str(&format!(
            "<section id=\"{}\"><h2><code>{method} {path}</code></h2><p>{}</p><p>{who}</p><dl>",
            route.name,
            escaped(route.about)
        ));
        let fields = match route.taken {
            Taken::Fields(fields) => fields,
            Taken::Nothing | Taken::Text(_) => &[],
        };
        for (place, params) in [("query", route.query), ("document", fields)] {
            for param in params {
                let must = if param.is_required { ", must be given" } else { "" };
                let about = escaped(param.about);
                let name = param.name;
                page.push_str(&format!(
                    "<dt><code>{name}</code> ({place}{must})</dt><dd>{about}</dd>"
                ));
            }
        }
        page.push_str("</dl></section>");
    }
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_told_with_all_of_its_parameters() {
        let routes = super::super::routes();
        let document = document(&routes);
        let mut names = BTreeSet::new();
        for route in &routes {
            let method = route.method.as_str().to_lowercase();
            let operation = &document["paths"][route.path][&method];
            assert_eq!(operation["operationId"], route.name);
            assert!(names.insert(route.name), "two routes are called {}", route.name);
            assert!(route.about.len() > 10, "{} says nothing about itself", route.name);
            let told = operation["parameters"].as_array().unwrap();
            for param in route.query {
                assert!(!param.about.is_empty() && told.iter().any(|t| t["name"] == param.name));
            }
            for name in path_parameters(route.path) {
                assert!(told.iter().any(|t| t["name"] == name && t["in"] == "path"));
            }
            assert!(page(&routes).contains(&escaped(route.path)));
        }
        let told: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|p| p.as_object().unwrap().len())
            .sum();
        assert_eq!(told, routes.len(), "nothing is told that is not there");
    }

    #[test]
    fn whatever_changes_something_needs_a_role_that_may() {
        for route in super::super::routes() {
            let open = ["health", "readiness"];
            match route.access {
                // The files of the page are the same for all, and say nothing of what is here.
                Access::Open => assert!(
                    open.contains(&route.name)
                        || (route.name.starts_with("page") && !route.is_mutation()),
                    "{} is open",
                    route.name
                ),
                Access::Role(Role::Viewer) => assert!(
                    !route.is_mutation() || route.name == "validate_definition",
                    "{} lets viewers change something",
                    route.name
                ),
                Access::Role(_) => {}
            }
        }
    }
}
