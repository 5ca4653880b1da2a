//! Writing the results of a Map into a bucket.
//!
//! Each file is written under a name of its own, synced, and only then renamed; the manifest comes
//! last. So a file that is there is complete, results with a manifest are complete, and writing the
//! same results again, after a crash, gives the same files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::buckets::Buckets;
use super::results::{ChildResult, Kind, records};
use super::unwritten;
use crate::engine::Failure;
use crate::language::Json;
use crate::language::distributed::{OutputType, WriterConfig};
use crate::worker::registry::{HANDLER_PANICKED, JobError};

/// Tells the parts that this process writes from each other.
static NEXT_PART: AtomicU64 = AtomicU64::new(0);

/// The end of the names of files that are not complete yet.
pub(super) const PART_SUFFIX: &str = ".everstep-part";

const MANIFEST: &str = "manifest.json";

/// Whether results can be written to `arguments`, as far as can be said without writing: the bucket
/// is known and may be written, and the prefix leads somewhere. Worth asking before a Map begins.
///
/// # Errors
/// `States.ResultWriterFailed`.
pub fn check_destination(buckets: &Buckets, arguments: &Value) -> Result<(), JobError> {
    let (bucket, key) = destination(arguments, "run")?;
    buckets.check_write(&bucket, &key).map_err(unwritten)
}

/// The files of results of one Map, as they are written: `SUCCEEDED_0.json`, `FAILED_0.json` and
/// `PENDING_0.json`, each with successors where it grew too large, and `manifest.json`, all in the
/// folder `<Prefix>/<last part of the Map run's name>` of the bucket.
///
/// After an error nothing is left but complete files without a manifest.
#[derive(Debug)]
pub struct ResultFiles {
    place: Place,
    config: WriterConfig,
    series: [Series; 3],
}

/// Where the files go.
#[derive(Debug)]
struct Place {
    bucket: String,
    key: String,
    map_run: String,
    folder: PathBuf,
    limit: u64,
}

impl ResultFiles {
    /// Makes the folder. `arguments` is an object with `Bucket` and, if wanted, `Prefix`; `map_run`
    /// names the run of the Map, and what follows its last `:` or `/` is the name of the folder;
    /// `limit` is the most bytes of one file, see [`super::RESULT_FILE_BYTES`].
    ///
    /// # Errors
    /// `States.ResultWriterFailed`: the bucket is not known, or may not be written, or the prefix
    /// leads out of it, or the folder cannot be made.
    pub async fn begin(
        buckets: &Buckets,
        arguments: &Value,
        config: WriterConfig,
        map_run: &str,
        limit: u64,
    ) -> Result<Self, Failure> {
        let run = map_run.rsplit([':', '/']).next().unwrap_or(map_run);
        let (bucket, key) = destination(arguments, run)?;
        let (buckets, map_run) = (buckets.clone(), map_run.to_owned());
        blocking(move || {
            let folder = buckets.make_folder(&bucket, &key).map_err(unwritten)?;
            let place = Place { bucket, key, map_run, folder, limit };
            place.remove_manifest().map_err(|error| place.failed(&error))?;
            Ok(Self { place, config, series: Kind::ALL.map(Series::new) })
        })
        .await
    }

    /// Writes the results of more children, which come in the order of the Map's items.
    ///
    /// # Errors
    /// `States.ResultWriterFailed`: the disk is full, or the like.
    pub async fn add(mut self, children: Vec<ChildResult>) -> Result<Self, Failure> {
        blocking(move || {
            for child in &children {
                self.add_child(child)?;
            }
            Ok(self)
        })
        .await
    }

    /// Completes the files, writes the manifest, and gives the result of the Map.
    ///
    /// # Errors
    /// As [`ResultFiles::add`].
    pub async fn finish(self) -> Result<Json, Failure> {
        blocking(move || self.close()).await
    }

    fn add_child(&mut self, child: &ChildResult) -> Result<(), JobError> {
        let Self { place, config, series } = self;
        let kind = child.status.kind();
        let Some(series) = series.iter_mut().find(|series| series.kind == kind) else {
            return Ok(());
        };
        records(child, config.transformation, |record| {
            series.add(place, config.output_type, record).map_err(|error| place.failed(&error))
        })
    }

    fn close(self) -> Result<Json, JobError> {
        let Self { place, config, series } = self;
        let (mut listed, mut names) = (serde_json::Map::new(), Vec::new());
        for mut series in series {
            series.seal(&place, config.output_type).map_err(|error| place.failed(&error))?;
            names
                .extend((0..series.sealed.len()).map(|n| name(series.kind, n, config.output_type)));
            listed.insert(series.kind.name().to_owned(), Value::Array(series.sealed));
        }
        let manifest = json!({
            "DestinationBucket": place.bucket,
            "MapRunArn": place.map_run,
            "ResultFiles": listed,
        });
        place.write_manifest(&manifest).map_err(|error| place.failed(&error))?;
        place.sweep(&names);
        Ok(Json::from(json!({
            "MapRunArn": place.map_run,
            "ResultWriterDetails": {
                "Bucket": place.bucket,
                "Key": format!("{}/{MANIFEST}", place.key),
            },
        })))
    }
}

impl Place {
    /// A Map that was retried may write again, and other results: those before are complete no longer.
    fn remove_manifest(&self) -> io::Result<()> {
        match fs::remove_file(self.folder.join(MANIFEST)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes parts that processes left which have ended, and files of earlier results that are not
    /// among the files of these. One that cannot be removed does no harm.
    fn sweep(&self, names: &[String]) {
        let ours = format!(".{}-", std::process::id());
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_part = name.ends_with(PART_SUFFIX);
            let is_result = Kind::ALL.iter().any(|kind| name.starts_with(kind.name()));
            let is_old = is_result && !names.iter().any(|listed| **listed == *name);
            if if is_part { !name.contains(&ours) } else { is_old } {
                drop(fs::remove_file(entry.path()));
            }
        }
    }

    fn write_manifest(&self, manifest: &Value) -> io::Result<()> {
        // The names of the files it lists are on the disk before its own is.
        let folder = File::open(&self.folder)?;
        folder.sync_all()?;
        let mut part = Part::create(&self.folder, MANIFEST)?;
        part.write(manifest.to_string().as_bytes())?;
        part.complete()?;
        folder.sync_all()
    }

    fn failed(&self, error: &io::Error) -> JobError {
        unwritten(format!(
            "the results cannot be written to {:?} in the bucket {:?}: {error}",
            self.key, self.bucket
        ))
    }
}

/// The files of one kind, one after the other.
#[derive(Debug)]
struct Series {
    kind: Kind,
    open: Option<Part>,
    /// Those that are complete, as the manifest lists them.
    sealed: Vec<Value>,
}

impl Series {
    fn new(kind: Kind) -> Self {
        Self { kind, open: None, sealed: Vec::new() }
    }

    fn add(&mut self, place: &Place, form: OutputType, record: &str) -> io::Result<()> {
        let (begin, between, end): (&[u8], &[u8], &[u8]) = match form {
            OutputType::Json => (b"[", b",", b"]"),
            OutputType::Jsonl => (b"", b"", b"\n"),
        };
        let grown = |part: &Part| {
            [between.len(), record.len(), end.len()]
                .iter()
                .fold(part.size, |size, more| size.saturating_add(to_u64(*more)))
        };
        // A file is begun with a record for it, so that even one that is too large finds a place.
        if self.open.as_ref().is_some_and(|part| grown(part) > place.limit) {
            self.seal(place, form)?;
        }
        let part = match &mut self.open {
            Some(part) => {
                part.write(between)?;
                part
            }
            none => {
                let part = none.insert(Part::create(
                    &place.folder,
                    &name(self.kind, self.sealed.len(), form),
                )?);
                part.write(begin)?;
                part
            }
        };
        part.write(record.as_bytes())?;
        if form == OutputType::Jsonl {
            part.write(end)?;
        }
        Ok(())
    }

    /// Completes the file at hand, if there is one.
    fn seal(&mut self, place: &Place, form: OutputType) -> io::Result<()> {
        let Some(mut part) = self.open.take() else { return Ok(()) };
        if form == OutputType::Json {
            part.write(b"]")?;
        }
        let key = format!("{}/{}", place.key, name(self.kind, self.sealed.len(), form));
        let size = part.complete()?;
        self.sealed.push(json!({"Key": key, "Size": size}));
        Ok(())
    }
}

fn name(kind: Kind, index: usize, form: OutputType) -> String {
    let ending = match form {
        OutputType::Json => "json",
        OutputType::Jsonl => "jsonl",
    };
    format!("{}_{index}.{ending}", kind.name())
}

/// A file that is not complete yet; it goes when this is dropped.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    target: PathBuf,
    file: BufWriter<File>,
    size: u64,
}

impl Part {
    fn create(folder: &Path, name: &str) -> io::Result<Self> {
        // A name of its own: a writer that was cut off may still be at work on another one.
        let own = NEXT_PART.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{name}.{}-{own}{PART_SUFFIX}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { path, target: folder.join(name), file: BufWriter::new(file), size: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size = self.size.saturating_add(to_u64(bytes.len()));
        Ok(())
    }

    /// Makes it durable and gives it its name. Gives its size.
    fn complete(mut self) -> io::Result<u64> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.path, &self.target)?;
        Ok(self.size)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a rename there is nothing of this name.
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "a part of a result file is left");
        }
    }
}

/// The bucket, and the key of the folder in it.
fn destination(arguments: &Value, run: &str) -> Result<(String, String), JobError> {
    let bucket = arguments.get("Bucket").and_then(Value::as_str).ok_or_else(|| {
        unwritten("the `ResultWriter` has no text `Bucket`, so where the results go is not known")
    })?;
    let prefix = match arguments.get("Prefix") {
        None | Some(Value::Null) => "",
        Some(Value::String(prefix)) => prefix.trim_end_matches('/'),
        Some(_) => return Err(unwritten("the `Prefix` of the `ResultWriter` is not a text")),
    };
    let key = if prefix.is_empty() { run.to_owned() } else { format!("{prefix}/{run}") };
    Ok((bucket.to_owned(), key))
}

/// Runs what waits for the disk where that may be done.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(JobError::new(HANDLER_PANICKED, format!("writing the results failed: {error}")))
    });
    done.map_err(Failure::from)
}

fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
