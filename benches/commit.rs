//! The commit path: writers that each wait until their event is durable, through the same group
//! committer into sled and into a plain file that is only appended to and synced.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use async_channel::Sender;
use everstep::engine::event::JobSucceeded;
use everstep::engine::{Event, JobId, Timestamp};
use everstep::language::Json;
use everstep::store::{EventStore, SledOptions, SledStore, Transition};
use tokio::sync::oneshot;

use crate::disk::{Folder, bytes_of, fdatasync, row_time};
use crate::report::{ms, percentile, rate, row};

/// Bytes of an event's payload, so that an event has about 300.
const PAYLOAD: usize = 220;

type Waiting = (Transition, oneshot::Sender<()>);

pub fn run() {
    for writers in [1, 16, 256, 2048] {
        let (median, _) = fdatasync();
        let plain = Folder::new("plain");
        let file = File::create(plain.path().join("segment")).unwrap();
        let file_rate = measure(writers, "plain file", plain.path(), median, append_plain(file));
        let sled = Folder::new("sled");
        let store = SledStore::open(sled.path(), SledOptions::default()).unwrap();
        let sled_rate = measure(writers, "sled", sled.path(), median, append_sled(store));
        row("", &[("sled/plain", format!("{:.2}", sled_rate / file_rate))]);
    }
}

/// Appends a group as frames with a checksum, and syncs.
fn append_plain(mut file: File) -> impl FnMut(Vec<Transition>) + Send {
    let mut buffer = Vec::new();
    let mut body = Vec::new();
    let mut position = 0_u64;
    move |group| {
        buffer.clear();
        for transition in &group {
            for event in &transition.events {
                body.clear();
                let (tag, schema) = everstep::store::codec::encode_body(event, &mut body).unwrap();
                position += 1;
                let crc = crc32c::crc32c(&body);
                buffer.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
                buffer.extend_from_slice(&tag.to_le_bytes());
                buffer.extend_from_slice(&schema.to_le_bytes());
                buffer.extend_from_slice(&crc.to_le_bytes());
                buffer.extend_from_slice(transition.stream.as_bytes());
                buffer.extend_from_slice(&position.to_le_bytes());
                buffer.extend_from_slice(&body);
            }
        }
        file.write_all(&buffer).unwrap();
        file.sync_data().unwrap();
    }
}

fn append_sled(store: SledStore) -> impl FnMut(Vec<Transition>) + Send {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let epoch = runtime.block_on(store.acquire()).unwrap();
    move |group| {
        runtime.block_on(store.append(epoch, group)).unwrap();
    }
}

/// Runs closed-loop writers for a while; gives events per second.
fn measure(
    writers: u64,
    name: &str,
    folder: &std::path::Path,
    fdatasync: Duration,
    mut append: impl FnMut(Vec<Transition>) + Send + 'static,
) -> f64 {
    let (sender, receiver) = async_channel::bounded::<Waiting>(4096);
    let committer = std::thread::spawn(move || {
        let mut groups = 0_u64;
        while let Ok(first) = receiver.recv_blocking() {
            let (mut group, mut replies) = (vec![first.0], vec![first.1]);
            while group.len() < 4096
                && let Ok((transition, reply)) = receiver.try_recv()
            {
                group.push(transition);
                replies.push(reply);
            }
            append(group);
            groups += 1;
            for reply in replies {
                let _: Result<(), ()> = reply.send(());
            }
        }
        groups
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let began = Instant::now();
    let mut times = runtime.block_on(write(writers, &sender, began + row_time()));
    let took = began.elapsed();
    drop(sender);
    let groups = committer.join().unwrap();
    times.sort();
    let events = times.len() as u64;
    let p50 = percentile(&times, 0.5);
    row(
        &format!("{writers} writers, {name}"),
        &[
            ("events", rate(events, took)),
            ("ack p50", ms(p50)),
            ("p99", ms(percentile(&times, 0.99))),
            ("p50/fdatasync", format!("{:.1}", p50.as_secs_f64() / fdatasync.as_secs_f64())),
            ("group", format!("{:.0}", events as f64 / groups.max(1) as f64)),
            ("disk/event", format!("{} B", bytes_of(folder) / events.max(1))),
        ],
    );
    events as f64 / took.as_secs_f64()
}

async fn write(writers: u64, sender: &Sender<Waiting>, until: Instant) -> Vec<Duration> {
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                let stream =
                    uuid::Builder::from_unix_timestamp_millis(1_700_000_000_000 + writer, &[7; 10])
                        .into_uuid();
                let output = payload(writer);
                while Instant::now() < until {
                    let each = Instant::now();
                    let (reply, done) = oneshot::channel();
                    let event: Event = JobSucceeded {
                        job: JobId(1),
                        attempt: 1,
                        output: output.clone(),
                        errors: 0,
                    }
                    .into();
                    let transition = Transition {
                        stream,
                        first_sequence: times.len() as u64 + 1,
                        time: Timestamp(1_700_000_000_000),
                        events: vec![event],
                    };
                    sender.send((transition, reply)).await.unwrap();
                    done.await.unwrap();
                    times.push(each.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times
}

/// Half text that repeats, half that does not, as JSON is.
fn payload(writer: u64) -> Json {
    let mut state = writer.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    })
    .take(PAYLOAD / 2)
    .collect();
    let text = format!("{}{noise}", "status ok ".repeat(PAYLOAD / 20));
    Json::from(serde_json::Value::from(text))
}
