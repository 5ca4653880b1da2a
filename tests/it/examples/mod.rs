//! The examples, run as people run them: by the real program, with their own commands.
#![expect(clippy::indexing_slicing, reason = "of JSON; what lacks is a failure like any other")]

mod import;
mod interrupted;
mod process_new_scenes;
mod retried;
mod scenarios;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::crash::history::History;
use crate::crash::place::{Ended, Place, Program};
use crate::folder::copy;
use crate::source_text::root;

const WORKFLOW: &str = "examples/process_new_scenes/process_new_scenes.yaml";

/// A folder with the example in it, and folders for it to work on.
struct Scenes(Place);

impl Scenes {
    fn new() -> Self {
        let place = Place::new();
        for folder in ["examples/lib", "examples/process_new_scenes"] {
            copy(&root().join(folder), &place.path().join(folder));
        }
        fs::create_dir(place.path().join("downloads")).unwrap();
        Self(place)
    }

    /// With files as the example's script makes them.
    fn with_downloads(count: usize, broken: usize, short: usize) -> Self {
        let scenes = Self::new();
        let numbers = [count, broken, short].map(|number| number.to_string());
        let made = Command::new("sh")
            .arg("examples/process_new_scenes/make_downloads.sh")
            .arg("downloads")
            .args(numbers)
            .current_dir(scenes.0.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        scenes
    }

    /// A media file among the downloads.
    fn download(&self, name: &str, head: &str) {
        let text = format!("EVERSTEP-MEDIA 1 {head}\nfiller\n");
        fs::write(self.0.path().join("downloads").join(name), text).unwrap();
    }

    /// Makes jobs of a type wait at each tenth thing.
    fn slow(&self, job_type: &str, ms: u32) {
        let file = self.0.path().join("examples/process_new_scenes/everstep.toml");
        let text = fs::read_to_string(&file).unwrap();
        let head = format!("[jobs.{job_type}]\n");
        let slowed = format!("{head}set = {{ EVERSTEP_SCENES_DELAY_MS = \"{ms}\" }}\n");
        assert!(text.contains(&head));
        fs::write(file, text.replace(&head, &slowed)).unwrap();
    }

    fn input(&self) -> Value {
        json!({ "downloads": "downloads", "library": "library" })
    }

    /// Runs the workflow, insists on the exit code, and gives the whole result.
    fn run(&self, input: &Value, code: i32) -> Value {
        self.0.ran(&["run", WORKFLOW, "--result", "--input", &input.to_string()], code).json()
    }

    /// Begins, or goes on after a kill.
    fn begin(&self) -> Program {
        let input = self.input().to_string();
        self.0.spawn(&["run", WORKFLOW, "--resume", "--result", "--input", &input])
    }

    fn library(&self, name: &str) -> PathBuf {
        self.0.path().join("library").join(name)
    }

    /// The lines of a file in the library.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.library(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The jobs of a type that began, as their own log tells: the job's number, each time.
    fn begun(&self, job_type: &str) -> Vec<u64> {
        let log = self.lines("jobs.log");
        let words = log.iter().map(|line| line.split(' ').collect::<Vec<&str>>());
        words.filter(|words| words[0] == job_type).map(|words| words[2].parse().unwrap()).collect()
    }

    /// How many scenes the catalogue says were analysed.
    fn analyzed(&self) -> usize {
        self.lines("catalogue.tsv").iter().filter(|line| line.ends_with("\tyes")).count()
    }

    /// The texts of all plans.
    fn plans(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.library("plans")) else { return Vec::new() };
        entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }
}

/// The whole result that a program printed at its end.
fn result(ended: &Ended, code: i32) -> Value {
    assert_eq!(ended.status.code(), Some(code), "{}", ended.said);
    ended.json()
}

/// The percents of the newest execution, as its events tell them, in order.
fn progress(history: &History) -> Vec<u64> {
    let newest = history.executions().into_iter().next_back().unwrap();
    let events = history.0.iter().filter(|event| event["execution"] == newest.as_str());
    let percents = events.filter_map(|event| match event["event"].as_str() {
        Some("ExecutionCompleted") => Some(100),
        _ => event["data"]["progress"].as_u64(),
    });
    percents.collect()
}

/// The job types of an execution's jobs, in the order in which they were scheduled.
fn job_types(history: &History) -> Vec<&str> {
    history.named("JobScheduled").map(|event| event["data"]["job_type"].as_str().unwrap()).collect()
}

/// The names of an object's fields.
fn fields(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
