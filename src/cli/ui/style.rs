//! Colours: by role, from the sixteen that a terminal's theme decides on.

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless the environment says no.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a colour is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing in particular.
    Plain,
    /// At work.
    Active,
    /// Waiting, or not quite well.
    Caution,
    /// Done.
    Good,
    /// Failed.
    Bad,
    /// Less important.
    Faint,
    /// More important.
    Strong,
}

impl Role {
    pub(crate) fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Active => "34",
            Self::Caution => "33",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Faint => "2",
            Self::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(super) fn is_dumb() -> bool {
    variable("TERM").is_some_and(|term| term == "dumb")
}

/// Whether a stream gets colours: the command line, then `NO_COLOR`, then `CLICOLOR_FORCE`, then
/// `TERM=dumb`, then whether it is a terminal.
pub(super) fn wants_color(choice: ColorChoice, is_terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if variable("NO_COLOR").is_some() => false,
        ColorChoice::Auto if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorChoice::Auto => is_terminal && !is_dumb(),
    }
}

/// Whether the locale says that text is UTF-8.
pub(super) fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}
