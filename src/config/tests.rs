//! Config files as operators write them.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::worker::command::{DEFAULT_ENV, DEFAULT_GRACE, DEFAULT_OUTPUT_LIMIT};
use crate::worker::files::Access;

fn load(text: &str) -> (TempDir, Result<Config, ConfigError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    fs::write(&path, text).unwrap();
    let config = Config::load(&path);
    (folder, config)
}

fn refused(text: &str) -> ConfigError {
    load(text).1.unwrap_err()
}

#[test]
fn every_key_is_read() {
    let (folder, config) = load(
        r#"
        [engine]
        data = "state"
        shards = 4
        grace_seconds = 30

        [server]
        listen = "127.0.0.1:0"
        hosts = ["jobs.example.org"]
        tokens = "tokens.json"
        tls_cert = "cert.pem"
        tls_key = "key.pem"
        region = "eu-west-1"
        account = "123456789012"
        connections = 10
        streams = 9
        streams_of_one = 8
        requests_per_second = 7

        [jobs.validate_import]
        command = ["bin/validate", "--all", "x/y"]
        folder = "work"
        env = ["PATH", "DATABASE_URL"]
        set = { MODE = "fast" }
        timeout_seconds = 60
        output_limit_bytes = 2048
        grace_seconds = 0
        concurrency = 2
        "#,
    );
    let (base, config) = (folder.path(), config.unwrap());
    assert_eq!(
        config.engine,
        EngineConfig {
            data: Some(base.join("state")),
            shards: Some(4),
            grace: Some(Duration::from_secs(30)),
        }
    );
    assert_eq!(
        config.server,
        ServerConfig {
            listen: Some(Listen::At("127.0.0.1:0".parse().unwrap())),
            hosts: vec!["jobs.example.org".into()],
            tokens: Some(base.join("tokens.json")),
            tls_cert: Some(base.join("cert.pem")),
            tls_key: Some(base.join("key.pem")),
            region: Some("eu-west-1".into()),
            account: Some("123456789012".into()),
            connections: Some(10),
            streams: Some(9),
            streams_of_one: Some(8),
            requests_per_second: Some(7),
        }
    );
    let program = base.join("bin/validate").to_str().unwrap().to_owned();
    assert_eq!(
        config.jobs["validate_import"],
        CommandSettings {
            argv: vec![program, "--all".into(), "x/y".into()],
            folder: base.join("work"),
            env: vec!["PATH".into(), "DATABASE_URL".into()],
            set: BTreeMap::from([("MODE".into(), "fast".into())]),
            timeout: Some(Duration::from_secs(60)),
            output_limit: 2048,
            grace: Duration::ZERO,
            concurrency: 2,
        }
    );
}

#[test]
fn what_is_left_out_has_defaults() {
    let (folder, config) = load("[jobs.a]\ncommand = [\"sh\", \"jobs/a.sh\"]");
    let config = config.unwrap();
    let job = &config.jobs["a"];
    assert_eq!(job.argv, ["sh", "jobs/a.sh"]);
    assert_eq!(job.folder, folder.path());
    assert_eq!((job.timeout, job.grace), (None, DEFAULT_GRACE));
    assert_eq!((job.output_limit, job.env.len()), (DEFAULT_OUTPUT_LIMIT, DEFAULT_ENV.len()));
    assert_eq!(config.engine, EngineConfig::default());
    assert_eq!(load("").1.unwrap().jobs.len(), 0);
}

#[test]
fn an_unknown_key_is_shown_with_the_known_ones() {
    let error = refused("[jobs.a]\ncommand = [\"a\"]\n  timeout = 3\n");
    assert_eq!((error.code, error.place), ("CONFIG_UNKNOWN_KEY", Some((3, 3))));
    assert_eq!(&*error.what, "unknown key `timeout`");
    assert!(error.advice.starts_with("did you mean `timeout_seconds`?"), "{}", error.advice);
    assert!(error.advice.contains("grace_seconds, concurrency"), "{}", error.advice);
    let error = refused("[engin]\n");
    assert!(error.advice.starts_with("did you mean `engine`?"), "{}", error.advice);
    let error = refused("[engine]\nsards = 1\n");
    assert!(error.advice.starts_with("did you mean `shards`?"), "{}", error.advice);
    let error = refused("[engine]\ncolour = 1\n");
    assert_eq!(&*error.advice, "take it out; known here: data, shards, grace_seconds");
}

#[test]
fn a_job_type_that_the_program_serves_itself_cannot_be_bound() {
    let error = refused("[jobs.\"everstep:read-items\"]\ncommand = [\"a\"]\n");
    assert_eq!((error.code, error.place), ("CONFIG_INVALID_VALUE", Some((1, 7))));
}

#[test]
fn a_fault_has_a_place_and_three_parts() {
    let error =
        refused("[jobs.\"é\"]\ncommand = [\"a\"]\nset = { \"é\" = \"\" }\nconcurrency = 0\n");
    let shown = error.to_string();
    assert!(
        shown.contains("everstep.toml:4:15: `concurrency` is 0 [CONFIG_INVALID_VALUE]"),
        "{shown}"
    );
    assert!(shown.contains("\n  why: it has to be from 1 to 4096\n  do:  write"), "{shown}");
}

#[test]
fn values_that_cannot_work_are_refused_where_they_stand() {
    let cases = [
        ("command = []", (2, 11)),
        ("command = [\"\"]", (2, 11)),
        ("command = [\"a\\u0000\"]", (2, 11)),
        ("command = \"sh a.sh\"", (2, 11)),
        ("command = [\"a\"]\nenv = [\"A=b\"]", (3, 7)),
        ("command = [\"a\"]\nset = { \"\" = \"x\" }", (3, 7)),
        ("command = [\"a\"]\nset = { A = 1 }", (3, 13)),
        ("command = [\"a\"]\nfolder = \"\"", (3, 10)),
        ("command = [\"a\"]\ntimeout_seconds = 0", (3, 19)),
        ("command = [\"a\"]\ntimeout_seconds = -1", (3, 19)),
        ("command = [\"a\"]\noutput_limit_bytes = 100_000_000", (3, 22)),
    ];
    for (text, place) in cases {
        let error = refused(&format!("[jobs.a]\n{text}\n"));
        assert_eq!((error.code, error.place), ("CONFIG_INVALID_VALUE", Some(place)), "{error}");
    }
    let error = refused("[jobs.a]\nfolder = \"x\"\n");
    assert!(error.what.contains("missing field `command`"), "{error}");
    assert_eq!(refused("[jobs.\"\"]\ncommand = [\"a\"]\n").code, "CONFIG_INVALID_VALUE");
}

#[test]
fn what_is_no_toml_is_shown_where_it_breaks() {
    let error = refused("[engine]\nshards = = 3\n");
    assert_eq!((error.code, error.place), ("CONFIG_SYNTAX", Some((2, 10))), "{error}");
    let error = refused("[engine]\nshards = 1\nshards = 2\n");
    assert_eq!((error.code, error.place), ("CONFIG_SYNTAX", Some((3, 1))), "{error}");
    // Depth is limited by the reader, which does not fall over.
    assert_eq!(refused(&format!("a = {}", "[".repeat(100_000))).code, "CONFIG_SYNTAX");
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let code = |path: &Path| Config::load(path).unwrap_err().code;
    assert_eq!(code(&folder.path().join("absent.toml")), "CONFIG_NOT_FOUND");
    assert_eq!(code(folder.path()), "CONFIG_UNREADABLE");
    let path = folder.path().join("x.toml");
    fs::write(&path, b"a = \"\xff\"").unwrap();
    assert_eq!(code(&path), "CONFIG_SYNTAX");
    fs::write(&path, "#".repeat(1024 * 1024 + 1)).unwrap();
    assert_eq!(code(&path), "CONFIG_TOO_LARGE");
    fs::write(&path, "#".repeat(1024 * 1024)).unwrap();
    assert!(Config::load(&path).is_ok());
}

#[test]
fn the_file_beside_the_definition_comes_first() {
    let current = tempfile::tempdir().unwrap();
    let found = |definition: Option<&str>| {
        let config = discover_in(definition.map(Path::new), current.path()).unwrap();
        config.map(|config| config.engine.shards.unwrap())
    };
    fs::create_dir(current.path().join("flows")).unwrap();
    assert_eq!(found(Some("flows/a.yaml")), None);
    fs::write(current.path().join(FILE_NAME), "[engine]\nshards = 1\n").unwrap();
    assert_eq!(found(Some("flows/a.yaml")), Some(1));
    fs::write(current.path().join("flows").join(FILE_NAME), "[engine]\nshards = 2\n").unwrap();
    assert_eq!(found(Some("flows/a.yaml")), Some(2));
    assert_eq!(found(Some("a.yaml")), Some(1));
    assert_eq!(found(None), Some(1));
    // A broken file beside the definition is not passed over for the other.
    fs::write(current.path().join("flows").join(FILE_NAME), "[").unwrap();
    assert!(discover_in(Some(Path::new("flows/a.yaml")), current.path()).is_err());
}

#[test]
fn commands_are_bound_with_their_limits() {
    let config = load("[jobs.a]\ncommand = [\"a\"]\nconcurrency = 3\n").1.unwrap();
    let mut registry = Registry::new();
    config.bind(&mut registry, None);
    assert_eq!(registry.concurrency("a"), Some(3));
}

#[test]
fn limits_are_set_where_the_file_sets_them() {
    let text = "[limits]\npayload_bytes = 2048\nhistory_events = 500\nmap_items = 7\nfork_concurrency = 3\nmap_run_concurrency = 4\nitems_bytes = 5000\nchild_depth = 6\nlost_attempts = 0\nrunning_jobs = 9\nwaiting_executions = 8\n";
    let mut limits = Limits::default();
    load(text).1.unwrap().limits.set(&mut limits);
    let engine = &limits.engine;
    assert_eq!((engine.payload_bytes, engine.history_events), (2048, 500));
    assert_eq!((engine.map_items, engine.fork_concurrency, engine.lost_attempts), (7, 3, 0));
    assert_eq!((limits.running_jobs, limits.waiting_executions), (9, 8));
    let children = (engine.map_run_concurrency, engine.items_bytes, engine.child_depth);
    assert_eq!(children, (4, 5000, 6));
    let mut limits = Limits::default();
    load("").1.unwrap().limits.set(&mut limits);
    assert_eq!(limits, Limits::default());
    let error = refused("[limits]\npayload_bytes = 1\n");
    assert_eq!((error.code, error.place), ("CONFIG_INVALID_VALUE", Some((2, 17))), "{error}");
    let error = refused("[limits]\nhistory = 1\n");
    assert!(error.advice.starts_with("did you mean `history_events`?"), "{error}");
}

#[test]
fn a_bucket_is_a_folder_or_a_table() {
    let text = "[buckets]\nincoming = \"data/in\"\nresults = { folder = \"out\", write = true }\n[buckets.\"day 1\"]\nfolder = \"/srv/day1\"\n";
    let (folder, config) = load(text);
    let buckets = config.unwrap().buckets;
    let base = folder.path();
    assert_eq!(buckets.get("incoming"), Some((base.join("data/in").as_path(), Access::Read)));
    assert_eq!(buckets.get("results"), Some((base.join("out").as_path(), Access::ReadWrite)));
    assert_eq!(buckets.get("day 1"), Some((Path::new("/srv/day1"), Access::Read)));
    assert_eq!(load("").1.unwrap().buckets, Buckets::new());
}

#[test]
fn a_bucket_that_cannot_work_is_refused_where_it_stands() {
    let cases = [
        ("a = \"\"", (2, 5)),
        ("a = \"x\\u0000\"", (2, 5)),
        ("a = 3", (2, 5)),
        ("a = [\"x\"]", (2, 5)),
        ("a = { folder = 3 }", (2, 16)),
        ("a = { folder = \"x\", write = \"yes\" }", (2, 29)),
        ("a = { write = true }", (2, 5)),
        ("\"\" = \"x\"", (2, 1)),
    ];
    for (text, place) in cases {
        let error = refused(&format!("[buckets]\n{text}\n"));
        assert_eq!((error.code, error.place), ("CONFIG_INVALID_VALUE", Some(place)), "{error}");
    }
    let error = refused("[buckets]\na = { folder = \"x\", writes = true }\n");
    assert_eq!((error.code, error.place), ("CONFIG_UNKNOWN_KEY", Some((2, 21))), "{error}");
    assert!(error.advice.starts_with("did you mean `write`?"), "{error}");
    let error = refused("[bucket]\na = \"x\"\n");
    assert!(error.advice.starts_with("did you mean `buckets`?"), "{error}");
}

#[test]
fn executions_that_have_ended_stay_as_long_as_retention_says() {
    let folder = tempfile::tempdir().unwrap();
    let load = |text: &str| {
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, text).unwrap();
        Config::load(&path)
    };
    assert_eq!(load("").unwrap().retention, None);
    let kept = load("[retention]\ndays = 30\n").unwrap().retention;
    assert_eq!(kept, Some(Duration::from_hours(720)));
    let never = load("[retention]\ndays = 0\n").unwrap_err();
    assert_eq!((never.code, never.place), ("CONFIG_INVALID_VALUE", Some((2, 8))));
}
