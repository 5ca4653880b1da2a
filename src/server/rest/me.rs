//! Who asks, as the server sees them.

use serde::Serialize;

use super::super::http::{Access, Answer, Call, Given, Role, Route, document};

#[derive(Serialize)]
struct Me<'m> {
    name: &'m str,
    role: Role,
    /// Whether it may change something.
    may_operate: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(Access::Role(Role::Viewer), "/api/v1/me", "show_me", me)
            .about("Whose token it is, and what its role may.")
            .gives(Given::Document("everstep.me/v1")),
    ]
}

async fn me(call: Call) -> Answer {
    let (name, role) = (&*call.principal.name, call.principal.role);
    document("everstep.me/v1", &Me { name, role, may_operate: role.may(Role::Operator) })
}
