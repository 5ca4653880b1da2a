//! The `[traces]` table: where traces go.

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::check::Checker;

/// The `[traces]` table. What is missing is left to the environment, which goes before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TracesConfig {
    /// The address of a collector, to which the path of traces is added.
    pub endpoint: Option<String>,
    /// The name under which traces are shown.
    pub service: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTraces {
    endpoint: Option<Spanned<String>>,
    service: Option<Spanned<String>>,
}

impl Checker<'_> {
    pub(super) fn traces(&self, raw: &RawTraces) -> Result<TracesConfig, ConfigError> {
        let text = |value: &Option<Spanned<String>>, key| {
            let value = value.as_ref();
            value.map(|value| self.text_value(value, key).map(str::to_owned)).transpose()
        };
        let (endpoint, service) =
            (text(&raw.endpoint, "endpoint")?, text(&raw.service, "service")?);
        if let (Some(raw), Some(url)) = (&raw.endpoint, &endpoint)
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(self.invalid(
                &raw.span(),
                "`endpoint` begins with neither http:// nor https://",
                "traces go to a collector that speaks OTLP over HTTP",
                "write its address, as endpoint = \"http://127.0.0.1:4318\"",
            ));
        }
        Ok(TracesConfig { endpoint, service })
    }
}
