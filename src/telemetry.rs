//! What the process says about itself while it works: `tracing`, to a writer of the caller's.

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Warnings too.
    Normal,
    /// What is going on.
    Verbose,
    /// Everything, for developers.
    Debug,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum LogFormat {
    /// For people: time, level, message, fields.
    #[default]
    Text,
    /// For programs: a JSON object on each line, with `timestamp`, `level`, `target`, `message` and
    /// the fields beside them.
    Json,
}

/// The environment variable that says it in detail, as `everstep::runtime=debug`.
pub const FILTER_VARIABLE: &str = "EVERSTEP_LOG";

#[cfg(feature = "cli")]
mod subscriber {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::fmt::MakeWriter;

    use super::{FILTER_VARIABLE, LogFormat, Verbosity};

    /// Begins to write log lines. Only the first call in a process has an effect.
    ///
    /// [`FILTER_VARIABLE`] goes before `verbosity`; of what cannot be understood in it nothing is
    /// used.
    pub fn init<W>(verbosity: Verbosity, format: LogFormat, writer: W)
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let usual = match verbosity {
            Verbosity::Quiet => "error",
            // Left-over commands are told in the program's own words.
            Verbosity::Normal => "warn,everstep::worker::command::leftovers=error",
            Verbosity::Verbose => "everstep=info,audit=info,warn",
            Verbosity::Debug => "everstep=debug,info",
        };
        let filter =
            EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new(usual));
        let subscriber =
            tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(writer);
        // Somebody else's subscriber stays.
        drop(match format {
            LogFormat::Text => subscriber.with_target(false).try_init(),
            LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
        });
    }
}

#[cfg(feature = "cli")]
pub use subscriber::init;
