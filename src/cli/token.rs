//! `everstep token`: who may reach the server, and what they may do.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::Exit;
use super::fault::{Fault, Outcome};
use super::moment::span_ms;
use super::ui::{Cell, Role as Colour, Table};
use super::wait::now;
use super::{Context, data, listen};
use crate::config::Config;
use crate::engine::Timestamp;
use crate::server::http::{AccessKeyEntry, Role, TokenEntry, TokenFile};

#[derive(clap::Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token, and print it: this is the only time that it is seen
    Create {
        /// Whom it stands for, as audit events have it
        name: String,
        /// What that one may do: viewer, operator, worker or admin
        #[arg(long)]
        role: Role,
        /// Make an access key instead, for AWS SDKs: an id and a secret that requests are signed with
        #[arg(long)]
        aws: bool,
        /// For how long it is good: 12h, 90d
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List tokens: their names and roles, never the tokens
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Take a token back; a running server refuses it from the next request on
    Revoke {
        /// Whom it stands for
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(clap::Args)]
pub(super) struct PlaceArgs {
    /// The file of tokens [default: tokens.json in the data folder]
    #[arg(long, value_name = "FILE", env = "EVERSTEP_TOKENS")]
    tokens: Option<PathBuf>,
}

impl PlaceArgs {
    fn open(&self, context: &Context) -> Result<TokenFile, Box<Fault>> {
        let config = Config::discover(None)?;
        let folder = data::folder(context.data.as_deref(), config.as_ref());
        let path = listen::tokens(self.tokens.as_deref(), config.as_ref(), &folder);
        Ok(TokenFile::at(path))
    }
}

#[derive(Serialize)]
struct Created<'t> {
    name: &'t str,
    role: Role,
    token: &'t str,
    expires_at: Option<String>,
    file: String,
}

#[derive(Serialize)]
struct CreatedKey<'k> {
    name: &'k str,
    role: Role,
    access_key_id: &'k str,
    secret_access_key: &'k str,
    expires_at: Option<String>,
    file: String,
}

#[derive(Serialize)]
struct Row {
    name: String,
    role: Role,
    created_at: String,
    expires_at: Option<String>,
    is_expired: bool,
    /// Of an access key, what requests name it by.
    access_key_id: Option<String>,
}

pub(super) fn run(context: &Context, command: &TokenCommand) -> Outcome {
    match command {
        TokenCommand::Create { name, role, aws, expires, place } => {
            let wish = Wish { name, role: *role, aws: *aws };
            create(context, &wish, expires.as_deref(), &place.open(context)?)
        }
        TokenCommand::List { place } => list(context, &place.open(context)?),
        TokenCommand::Revoke { name, place } => revoke(context, name, &place.open(context)?),
    }
}

/// What is to be made.
struct Wish<'w> {
    name: &'w str,
    role: Role,
    aws: bool,
}

fn create(context: &Context, wish: &Wish<'_>, expires: Option<&str>, file: &TokenFile) -> Outcome {
    let Wish { name, role, aws } = *wish;
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    if !(1..=128).contains(&name.len()) || !name.bytes().all(is_good) {
        let message = format!("{name:?} is no name");
        return Err(Fault::new("BAD_NAME", Exit::Usage, message)
            .hint("write 1 to 128 letters, digits, '.', '_', '-' or '@'"));
    }
    let span = expires.map(|text| {
        span_ms(text).ok_or_else(|| {
            let message = format!("{text:?} is no time span");
            Fault::new("BAD_TIME", Exit::Usage, message).hint("write 12h or 90d")
        })
    });
    let expires = span.transpose()?.map(|ms| now().plus_ms(ms));
    if let Some(folder) = file.path().parent() {
        make_folder(folder)?;
    }
    let is_first = !file.exists();
    if aws {
        print_access_key(context, &file.create_access_key(name, role, now(), expires)?, file)?;
    } else {
        let token = file.create(name, role, now(), expires)?;
        print_token(context, wish, (&token, expires), file)?;
    }
    if is_first {
        context.ui.say("from now on everybody needs a token, also on this machine");
    }
    Ok(Exit::Done)
}

fn print_token(
    context: &Context,
    wish: &Wish<'_>,
    (token, expires): (&str, Option<Timestamp>),
    file: &TokenFile,
) -> Result<(), Box<Fault>> {
    let (ui, path) = (&context.ui, file.path().display());
    if ui.is_json() {
        let expires_at = expires.map(|at| at.to_string());
        let Wish { name, role, .. } = *wish;
        let created = Created { name, role, token, expires_at, file: path.to_string() };
        ui.document("everstep.token/v1", &created)?;
    } else {
        ui.print(&format!("{token}\n"))?;
    }
    ui.say(&format!("keep it: only its digest is in {path}"));
    Ok(())
}

/// As the environment of AWS SDKs has it.
fn print_access_key(
    context: &Context,
    key: &AccessKeyEntry,
    file: &TokenFile,
) -> Result<(), Box<Fault>> {
    let (ui, path) = (&context.ui, file.path().display());
    if ui.is_json() {
        let created = CreatedKey {
            name: &key.name,
            role: key.role,
            access_key_id: &key.access_key_id,
            secret_access_key: &key.secret_access_key,
            expires_at: key.expires_ms.map(|at| Timestamp(at).to_string()),
            file: path.to_string(),
        };
        ui.document("everstep.access_key/v1", &created)?;
    } else {
        let (id, secret) = (&key.access_key_id, &key.secret_access_key);
        ui.print(&format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n"))?;
    }
    ui.say(&format!(
        "the secret stands in {path}, because signatures cannot be checked without it"
    ));
    Ok(())
}

/// Makes the data folder, when there is none yet.
fn make_folder(folder: &Path) -> Result<(), Box<Fault>> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let message = format!("{} cannot be made", folder.display());
        Fault::new("STORE_IO", Exit::Other, message).why(error.to_string())
    })
}

fn list(context: &Context, file: &TokenFile) -> Outcome {
    let now = now();
    let row = |entry: TokenEntry| Row {
        name: entry.name,
        role: entry.role,
        created_at: Timestamp(entry.created_ms).to_string(),
        expires_at: entry.expires_ms.map(|at| Timestamp(at).to_string()),
        is_expired: entry.expires_ms.is_some_and(|at| at <= now.0),
        access_key_id: None,
    };
    let mut rows: Vec<Row> = file.list()?.into_iter().map(row).collect();
    rows.extend(file.access_keys()?.into_iter().map(|key| Row {
        name: key.name,
        role: key.role,
        created_at: Timestamp(key.created_ms).to_string(),
        expires_at: key.expires_ms.map(|at| Timestamp(at).to_string()),
        is_expired: key.expires_ms.is_some_and(|at| at <= now.0),
        access_key_id: Some(key.access_key_id),
    }));
    let ui = &context.ui;
    if ui.is_json() {
        ui.items("everstep.tokens/v1", &rows)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["NAME", "ROLE", "CREATED", "EXPIRES", "ACCESS KEY"]);
    for row in rows {
        let expires = row.expires_at.unwrap_or_else(|| "never".to_owned());
        let colour = if row.is_expired { Colour::Bad } else { Colour::Plain };
        let expires = if row.is_expired { format!("{expires} (expired)") } else { expires };
        table.row(vec![
            Cell::painted(Colour::Strong, row.name),
            Cell::new(row.role.as_str()),
            Cell::new(row.created_at),
            Cell::painted(colour, expires),
            Cell::new(row.access_key_id.unwrap_or_default()),
        ]);
    }
    ui.print(&table.text(ui))?;
    Ok(Exit::Done)
}

fn revoke(context: &Context, name: &str, file: &TokenFile) -> Outcome {
    if !file.revoke(name)? {
        let message = format!("there is no token called {name:?} in {}", file.path().display());
        return Err(
            Fault::new("NO_SUCH_TOKEN", Exit::NotFound, message).hint("everstep token list")
        );
    }
    context.ui.say(&format!("{name} is refused from now on"));
    Ok(Exit::Done)
}
