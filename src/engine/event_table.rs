//! How the table of events in `event.rs` becomes an enum and its structs.

/// Declares the event enum and its structs in one table: variant, what it says, its fields.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        /// A recorded fact about one execution.
        ///
        /// Serializes for people and tools, as `{"WaitEnded": {…}}`; the log stores the bodies
        /// alone, under their tags.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Event {
            $($(#[$doc])* $name($name),)*
        }

        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            impl From<$name> for Event {
                fn from(body: $name) -> Self {
                    Self::$name(body)
                }
            }
        )*

        impl Event {
            /// The event's name, as people and `log grep` write it.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            /// The fields as JSON for people and tools. Tokens are left out.
            #[must_use]
            pub fn to_json(&self) -> serde_json::Value {
                let body = match self {
                    $(Self::$name(body) => serde_json::to_value(body),)*
                };
                let mut body = body.unwrap_or_default();
                if let Some(fields) = body.as_object_mut() {
                    fields.shift_remove("token");
                    fields.shift_remove("callback");
                }
                body
            }
        }
    };
}
pub(super) use events;
