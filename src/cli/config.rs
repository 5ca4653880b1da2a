//! `everstep config show`: which value counts, and where it came from.

use std::path::PathBuf;

use serde::Serialize;

use super::exit::Exit;
use super::fault::Outcome;
use super::listen::tokens;
use super::ui::{Cell, Role, Table};
use super::{Context, data};
use crate::config::Config;
use crate::runtime::Limits;
use crate::server::http::{HttpLimits, Settings};
use crate::traces::{ENDPOINT_VARIABLE, ENDPOINT_VARIABLE_OF_TRACES, SERVICE_VARIABLE};

#[derive(clap::Subcommand)]
pub(super) enum ConfigCommand {
    /// Show every setting with the place it came from
    Show {
        /// The config file [default: everstep.toml here]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Where a value came from: the first of these that says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Origin {
    Flag,
    Environment,
    File,
    Default,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

#[derive(Serialize)]
struct Setting {
    key: &'static str,
    value: String,
    from: Origin,
    /// The environment variable that goes before the file.
    variable: Option<&'static str>,
}

/// What each place says, the first that says something wins.
struct Said {
    key: &'static str,
    variable: Option<&'static str>,
    file: Option<String>,
    usual: String,
}

impl Said {
    fn setting(self) -> Setting {
        let variable = self.variable.and_then(|name| std::env::var(name).ok());
        let (value, from) = match (variable, self.file) {
            (Some(value), _) => (value, Origin::Environment),
            (None, Some(value)) => (value, Origin::File),
            (None, None) => (self.usual, Origin::Default),
        };
        Setting { key: self.key, value, from, variable: self.variable }
    }
}

pub(super) fn run(context: &Context, command: &ConfigCommand) -> Outcome {
    let ConfigCommand::Show { config } = command;
    let config = Config::choose(config.as_deref(), None)?;
    let mut settings = vec![data_folder(context, config.as_ref())];
    settings.extend(engine(config.as_ref()));
    settings.extend(limits(config.as_ref()));
    settings.extend(server(context, config.as_ref()));
    settings.extend(traces(config.as_ref()));
    let ui = &context.ui;
    if ui.is_json() {
        ui.items("everstep.settings/v1", &settings)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["KEY", "VALUE", "FROM"]);
    for setting in settings {
        let role = if setting.from == Origin::Default { Role::Faint } else { Role::Plain };
        let from = match (setting.from, setting.variable, &config) {
            (Origin::Environment, Some(name), _) => name.to_owned(),
            (Origin::File, _, Some(config)) => config.path.display().to_string(),
            (from, ..) => from.as_str().to_owned(),
        };
        table.row(vec![
            Cell::painted(Role::Strong, setting.key),
            Cell::painted(role, setting.value),
            Cell::painted(role, from),
        ]);
    }
    ui.print(&table.text(ui))?;
    Ok(Exit::Done)
}

fn data_folder(context: &Context, config: Option<&Config>) -> Setting {
    let variable = "EVERSTEP_DATA";
    let is_variable = std::env::var_os(variable).map(PathBuf::from) == context.data;
    let from = match (&context.data, config.and_then(|config| config.engine.data.as_ref())) {
        (Some(_), _) if is_variable => Origin::Environment,
        (Some(_), _) => Origin::Flag,
        (None, Some(_)) => Origin::File,
        (None, None) => Origin::Default,
    };
    let value = data::folder(context.data.as_deref(), config).display().to_string();
    Setting { key: "engine.data", value, from, variable: Some(variable) }
}

fn of_file(key: &'static str, file: Option<String>, usual: String) -> Setting {
    Said { key, variable: None, file, usual }.setting()
}

fn engine(config: Option<&Config>) -> Vec<Setting> {
    let engine = config.map(|config| config.engine.clone()).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let grace = Limits::default().stop_grace.as_secs().to_string();
    let seconds = engine.grace.map(|grace| grace.as_secs().to_string());
    vec![
        of_file("engine.shards", engine.shards.map(|n| n.to_string()), cores.to_string()),
        of_file("engine.grace_seconds", seconds, grace),
    ]
}

fn limits(config: Option<&Config>) -> Vec<Setting> {
    let file = config.map(|config| config.limits.clone()).unwrap_or_default();
    let system = Limits::default();
    let usual = &system.engine;
    macro_rules! all {
        ($($usual:ident: $key:literal $field:ident,)*) => {
            vec![$(of_file($key, file.$field.map(|n| n.to_string()), $usual.$field.to_string()),)*]
        };
    }
    all! {
        usual: "limits.payload_bytes" payload_bytes,
        usual: "limits.history_events" history_events,
        usual: "limits.map_items" map_items,
        usual: "limits.fork_concurrency" fork_concurrency,
        usual: "limits.map_run_concurrency" map_run_concurrency,
        usual: "limits.items_bytes" items_bytes,
        usual: "limits.child_depth" child_depth,
        usual: "limits.lost_attempts" lost_attempts,
        system: "limits.running_jobs" running_jobs,
        system: "limits.waiting_executions" waiting_executions,
    }
}

fn server(context: &Context, config: Option<&Config>) -> Vec<Setting> {
    let file = config.map(|config| config.server.clone()).unwrap_or_default();
    let (usual, limits) = (Settings::default(), HttpLimits::default());
    let said = |key, variable, file, usual: &str| {
        Said { key, variable: Some(variable), file, usual: usual.to_owned() }.setting()
    };
    let path = |path: &PathBuf| path.display().to_string();
    let folder = data::folder(context.data.as_deref(), config);
    let tokens_usual = path(&tokens(None, None, &folder));
    let hosts = (!file.hosts.is_empty()).then(|| file.hosts.join(","));
    let listen = file.listen.map(|listen| listen.to_string());
    let number = |n: Option<usize>| n.map(|n| n.to_string());
    vec![
        said("server.listen", "EVERSTEP_LISTEN", listen, &usual.listen.to_string()),
        said("server.hosts", "EVERSTEP_HOSTS", hosts, ""),
        said("server.tokens", "EVERSTEP_TOKENS", file.tokens.as_ref().map(path), &tokens_usual),
        said("server.tls_cert", "EVERSTEP_TLS_CERT", file.tls_cert.as_ref().map(path), ""),
        said("server.tls_key", "EVERSTEP_TLS_KEY", file.tls_key.as_ref().map(path), ""),
        of_file("server.connections", number(file.connections), limits.connections.to_string()),
        of_file("server.streams", number(file.streams), limits.streams.to_string()),
        of_file(
            "server.streams_of_one",
            number(file.streams_of_one),
            limits.streams_of_one.to_string(),
        ),
        of_file(
            "server.requests_per_second",
            file.requests_per_second.map(|n| n.to_string()),
            limits.requests_per_second.to_string(),
        ),
    ]
}

fn traces(config: Option<&Config>) -> Vec<Setting> {
    let file = config.map(|config| config.traces.clone()).unwrap_or_default();
    let is_said = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    // An empty one says nothing.
    let first = |names: &[&'static str]| names.iter().copied().find(|name| is_said(name));
    let endpoint = first(&[ENDPOINT_VARIABLE_OF_TRACES, ENDPOINT_VARIABLE]);
    let service = first(&[SERVICE_VARIABLE]);
    let said = |key, variable, file, usual: &str| {
        Said { key, variable, file, usual: usual.to_owned() }.setting()
    };
    vec![
        said("traces.endpoint", endpoint, file.endpoint, ""),
        said("traces.service", service, file.service, "everstep"),
    ]
}
