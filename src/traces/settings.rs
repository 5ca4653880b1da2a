//! Where traces go, as somebody has set it.

/// The variable with the collector's address, to which the path of traces is added.
pub const ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The variable with the full address for traces. It goes before the other.
pub const ENDPOINT_VARIABLE_OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// The variable with the name under which the traces are shown.
pub const SERVICE_VARIABLE: &str = "OTEL_SERVICE_NAME";

/// The path of traces at a collector.
const TRACES_PATH: &str = "v1/traces";

/// Where traces go. By default nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceSettings {
    /// The full address, as `http://127.0.0.1:4318/v1/traces`; none when nothing is to be told.
    pub endpoint: Option<String>,
    /// The name under which they are shown; the environment's, or `everstep`, when there is none.
    pub service: Option<String>,
}

impl TraceSettings {
    /// What the environment says; where it says nothing, what a file says: the address of a collector,
    /// without the path of traces, and a name.
    #[must_use]
    pub fn choose(file_endpoint: Option<&str>, file_service: Option<&str>) -> Self {
        let is = |name: &str, word: &str| said(name).is_some_and(|said| said == word);
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Self::default();
        }
        let base = || said(ENDPOINT_VARIABLE).or_else(|| file_endpoint.map(str::to_owned));
        let endpoint =
            said(ENDPOINT_VARIABLE_OF_TRACES).or_else(|| base().map(|base| below(&base)));
        let service = said(SERVICE_VARIABLE).or_else(|| file_service.map(str::to_owned));
        Self { endpoint, service }
    }
}

/// What a variable says. An empty one says nothing.
fn said(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The address of traces at a collector.
fn below(base: &str) -> String {
    format!("{}/{TRACES_PATH}", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added_to_the_address_of_a_collector() {
        for base in ["http://localhost:4318", "http://localhost:4318/"] {
            assert_eq!(below(base), "http://localhost:4318/v1/traces");
        }
        assert_eq!(below("https://x.org/otlp"), "https://x.org/otlp/v1/traces");
    }
}
