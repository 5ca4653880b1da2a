//! The page's files, as browsers ask for them.

use everstep::server::http::Role;

use super::Server;
use super::access::Guarded;

/// The first file of the page that ends so.
fn named(index: &str, end: &str) -> String {
    let found = index.split('"').find(|part| part.starts_with("/assets/") && part.ends_with(end));
    found.unwrap_or_else(|| panic!("the page names no {end}: {index}")).to_owned()
}

#[test]
fn the_page_is_at_every_address_that_it_shows() {
    let server = Server::new();
    let first = server.get("/");
    assert_eq!((first.status, first.header("cache-control")), (200, Some("no-cache")));
    assert_eq!(first.header("content-type"), Some("text/html; charset=utf-8"));
    for path in ["/executions?status=failed&q=x", "/executions/abc/graph?at=3", "/log", "/login"] {
        assert_eq!(server.get(path).body, first.body, "{path}");
    }
    assert_eq!(server.get("/executions?unknown=1").status, 400);
}

#[test]
fn the_page_allows_nothing_inline_and_nothing_from_elsewhere() {
    let server = Server::new();
    let index = server.get("/");
    for path in ["/".to_owned(), named(&index.body, ".js"), named(&index.body, ".css")] {
        let answer = server.get(&path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[test]
fn what_a_browser_has_is_not_sent_again() {
    let server = Server::new();
    let index = server.get("/");
    let tag = index.header("etag").unwrap();
    let again = server.request("GET", "/").header("if-none-match", tag).send();
    assert_eq!((again.status, &*again.body), (304, ""));
    let script = server.get(&named(&index.body, ".js"));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(script.header("cache-control").unwrap().contains("immutable"));
    for path in ["/assets/none.js", "/assets/..%2findex.html", "/assets/%2e%2e%2fCargo.toml"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}

#[test]
fn the_page_needs_no_token_and_what_it_shows_does() {
    let guarded = Guarded::new();
    assert_eq!(guarded.server.get("/executions").status, 200);
    assert_eq!(guarded.server.get("/api/v1/me").code(), "UNAUTHORIZED");
    for (role, may) in [(Role::Viewer, false), (Role::Operator, true), (Role::Admin, true)] {
        let token = guarded.token(role.as_str(), role);
        let me = guarded.server.request("GET", "/api/v1/me").token(&token).send().json();
        assert_eq!((&me["role"], &me["may_operate"]), (&role.as_str().into(), &may.into()));
    }
}

#[test]
fn files_are_packed_as_the_browser_takes_them_and_each_way_has_its_own_tag() {
    let server = Server::new();
    let script = named(&server.get("/").body, ".js");
    let head = |accepts: Option<&str>, tag: Option<&str>| {
        let mut request = server.request("GET", &script);
        if let Some(accepts) = accepts {
            request = request.header("accept-encoding", accepts);
        }
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        request.open().head().unwrap()
    };
    let mut tags = Vec::new();
    let mut length = u64::MAX;
    for (accepts, coding) in
        [(None, None), (Some("gzip, deflate"), Some("gzip")), (Some("gzip, br"), Some("br"))]
    {
        let answer = head(accepts, None);
        assert_eq!((answer.status, answer.header("content-encoding")), (200, coding));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{accepts:?}");
        assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
        let shorter = answer.header("content-length").unwrap().parse().unwrap();
        assert!(shorter < length, "{accepts:?}: {shorter} is no less than {length} bytes");
        length = shorter;
        tags.push(answer.header("etag").unwrap().to_owned());
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "other bytes have another tag: {tags:?}");

    let packed = head(Some("br"), None).header("etag").unwrap().to_owned();
    let again = head(Some("br"), Some(&packed));
    assert_eq!((again.status, again.header("content-encoding")), (304, None), "nothing is sent");
    assert_eq!(again.header("vary"), Some("Accept-Encoding"));
    let other = head(None, Some(&packed));
    assert_eq!((other.status, other.header("content-encoding")), (200, None), "it has other bytes");
    for refused in ["br;q=0, gzip;q=0", "identity", "zstd"] {
        assert_eq!(head(Some(refused), None).header("content-encoding"), None, "{refused}");
    }
    for way in ["br", "gz"] {
        assert_eq!(server.get(&format!("{script}.{way}")).status, 404, "it has one address");
    }
}
