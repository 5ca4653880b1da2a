//! The handler of the jobs that read the items of a Map.

use std::io::BufReader;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::buckets::Buckets;
use super::cut::cut_items;
use super::{ReadLimits, check_destination, list, unread};
use crate::language::Json;
use crate::language::distributed::{ItemSource, ReaderConfig};
use crate::worker::registry::{CANCELLED, HANDLER_PANICKED, JobError};
use crate::worker::{BoxFuture, JobContext, JobHandler, JobOutcome, ProgressReport};

/// Reads the items of a Map from a file or a list of files: runs the jobs of type
/// [`READ_ITEMS`](crate::engine::own_jobs::READ_ITEMS).
///
/// The input is `{"Resource": "s3:getObject", "Arguments": {"Bucket": …, "Key": …}, "ReaderConfig":
/// {…}}`, or with `s3:listObjectsV2` and a `Prefix` instead of the `Key`; the result is the array of
/// items. Every failure is a `States.ItemReaderFailed`, but for a `Destination`, the arguments of the
/// Map's writer, to which nothing can be written: that is a `States.ResultWriterFailed`.
#[derive(Debug, Clone)]
pub struct ReadItems {
    buckets: Arc<Buckets>,
    limits: ReadLimits,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Order {
    resource: ItemSource,
    arguments: Arguments,
    #[serde(default)]
    reader_config: ReaderConfig,
    /// Where the results of the Map will go, if into a bucket.
    #[serde(default)]
    destination: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Arguments {
    bucket: String,
    key: Option<String>,
    prefix: Option<String>,
    version_id: Option<String>,
}

impl ReadItems {
    /// A handler that reads from these buckets, within these limits.
    #[must_use]
    pub fn new(buckets: Arc<Buckets>, limits: ReadLimits) -> Self {
        Self { buckets, limits }
    }

    /// Reads; this waits for the disk.
    fn read(&self, job: &JobContext) -> Result<Json, JobError> {
        let order: Order = serde_json::from_str(job.input().as_str()).map_err(|error| {
            unread(format!("what the `ItemReader` asks for cannot be understood: {error}"))
        })?;
        let Order { resource, arguments, reader_config, destination } = order;
        if !destination.is_null() {
            check_destination(&self.buckets, &destination)?;
        }
        let mut watcher = Watcher { job, size: None, count: 0 };
        let items = match resource {
            ItemSource::Object => self.object(&arguments, &reader_config, &mut watcher)?,
            ItemSource::List => {
                let place = (&*arguments.bucket, arguments.prefix.as_deref().unwrap_or_default());
                let mut watch = |count, position| watcher.goes_on(count, position);
                list::list(&self.buckets, place, reader_config.max_items, self.limits, &mut watch)?
            }
        };
        let count = Some(watcher.count);
        job.report(ProgressReport {
            percent: Some(100),
            message: None,
            processed: count,
            total: count,
        });
        Ok(items)
    }

    fn object(
        &self,
        arguments: &Arguments,
        config: &ReaderConfig,
        watcher: &mut Watcher<'_>,
    ) -> Result<Json, JobError> {
        if arguments.version_id.is_some() {
            return Err(unread("files have no versions; leave out `VersionId`"));
        }
        let key = arguments.key.as_deref().ok_or_else(|| {
            unread("no `Key` says which file to read; add it beside the `Bucket`")
        })?;
        let file = self.buckets.open(&arguments.bucket, key).map_err(unread)?;
        watcher.size = file.metadata().ok().map(|metadata| metadata.len());
        let mut goes_on = |count, position| watcher.goes_on(count, position);
        let cut = cut_items(BufReader::new(file), config, self.limits, &mut goes_on);
        cut.map_err(|error| match error.error() {
            CANCELLED => error,
            name => JobError::new(
                name,
                format!("{key:?} in the bucket {:?}: {}", arguments.bucket, error.cause()),
            ),
        })
    }
}

/// Passes on how far reading is.
struct Watcher<'j> {
    job: &'j JobContext,
    /// Of the file, in bytes.
    size: Option<u64>,
    count: u64,
}

impl Watcher<'_> {
    fn goes_on(&mut self, count: u64, position: u64) -> bool {
        self.count = count;
        let percent = self.size.and_then(|size| position.saturating_mul(100).checked_div(size));
        let percent = percent.and_then(|percent| u8::try_from(percent.min(99)).ok());
        self.job.report(ProgressReport {
            percent,
            processed: Some(count),
            ..ProgressReport::default()
        });
        !self.job.cancel_token().is_cancelled()
    }
}

impl JobHandler for ReadItems {
    fn run(&self, job: JobContext) -> BoxFuture<'_, JobOutcome> {
        let reader = self.clone();
        Box::pin(async move {
            let cancel = job.cancel_token().clone();
            let reading = tokio::task::spawn_blocking(move || reader.read(&job));
            let read = reading.await.unwrap_or_else(|error| {
                Err(JobError::new(HANDLER_PANICKED, format!("reading the items failed: {error}")))
            });
            match read {
                Ok(items) => JobOutcome::succeeded(items),
                Err(error) if error.error() == CANCELLED && cancel.is_cancelled() => {
                    JobOutcome::Cancelled
                }
                Err(error) => JobOutcome::Failed(error.into()),
            }
        })
    }
}
