//! A collector of traces: takes what is posted, and reads the protobuf of OTLP byte by byte, so that
//! what is on the wire is looked at by other eyes than those that wrote it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What nothing here takes.
const PATIENCE: Duration = Duration::from_secs(60);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A collector under way.
pub(super) struct Collector {
    address: SocketAddr,
    got: Arc<(Mutex<Vec<Vec<u8>>>, Condvar)>,
    /// How many of them came compressed.
    compressed: Arc<AtomicUsize>,
}

/// A span, with attributes as texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) name: String,
    pub(super) kind: u64,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) attributes: BTreeMap<String, String>,
    /// Trace and span of each.
    pub(super) links: Vec<(String, String)>,
    /// 2 is an error.
    pub(super) status: u64,
    /// Whose it is.
    pub(super) service: String,
}

impl Span {
    pub(super) fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.get(name);
        found.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

impl Collector {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::<(Mutex<Vec<Vec<u8>>>, Condvar)>::default();
        let (keep, compressed) = (got.clone(), Arc::<AtomicUsize>::default());
        let count = compressed.clone();
        drop(std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if let Some((body, is_compressed)) = request(&mut stream) {
                    count.fetch_add(usize::from(is_compressed), Ordering::SeqCst);
                    // Before the answer: whoever has that may be gone at once.
                    keep.0.lock().unwrap().push(body);
                    keep.1.notify_all();
                    // A server that was killed does not want it.
                    drop(stream.write_all(ANSWER));
                }
            }
        }));
        Self { address, got, compressed }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All bodies that came.
    pub(super) fn bodies(&self) -> Vec<Vec<u8>> {
        self.got.0.lock().unwrap().clone()
    }

    /// How many of them were compressed on their way.
    pub(super) fn compressed(&self) -> usize {
        self.compressed.load(Ordering::SeqCst)
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.bodies().iter().flat_map(|body| spans(body)).collect()
    }

    /// Waits until such a span has come.
    pub(super) fn until(&self, fits: impl Fn(&Span) -> bool) -> Span {
        let mut bodies = self.got.0.lock().unwrap();
        loop {
            if let Some(span) = bodies.iter().flat_map(|body| spans(body)).find(&fits) {
                return span;
            }
            let (next, late) = self.got.1.wait_timeout(bodies, PATIENCE).unwrap();
            assert!(!late.timed_out(), "it never came");
            bodies = next;
        }
    }
}

/// Reads a request, and whether it was compressed; nothing when the other end hung up.
fn request(stream: &mut TcpStream) -> Option<(Vec<u8>, bool)> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut read, mut part) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&part[..count]);
        let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(read[..end].to_vec()).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if read.len() < end + 4 + length.unwrap().parse::<usize>().unwrap() {
            continue;
        }
        assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        let (body, is_compressed) = (&read[end + 4..], head.contains("content-encoding: gzip"));
        let mut plain = body.to_vec();
        if is_compressed {
            plain.clear();
            flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap();
        }
        return Some((plain, is_compressed));
    }
}

/// The fields of a message: their numbers, and numbers or bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let mut take = |count: usize| {
            let (taken, rest) = bytes.split_at(count);
            bytes = rest;
            taken
        };
        let (number, value) = match key & 7 {
            1 => (u64::from_le_bytes(take(8).try_into().unwrap()), &[][..]),
            5 => (u64::from(u32::from_le_bytes(take(4).try_into().unwrap())), &[][..]),
            0 => (varint(&mut bytes), &[][..]),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                (0, value)
            }
            kind => panic!("no such kind of field: {kind}"),
        };
        fields.push((key >> 3, number, value));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
        shift += 7;
    }
}

/// The messages in the fields with this number.
fn inner(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    fields(bytes).into_iter().filter(|field| field.0 == number).map(|field| field.2).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of an `ExportTraceServiceRequest`.
fn spans(body: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_resource in inner(body, 1) {
        let attributes: BTreeMap<_, _> = inner(of_resource, 1)
            .iter()
            .flat_map(|resource| inner(resource, 1))
            .map(attribute)
            .collect();
        let service = attributes.get("service.name").cloned().unwrap_or_default();
        for of_scope in inner(of_resource, 2) {
            let all = inner(of_scope, 2).into_iter().map(span);
            spans.extend(all.map(|span| Span { service: service.clone(), ..span }));
        }
    }
    spans
}

fn span(bytes: &[u8]) -> Span {
    let mut span = Span::default();
    for (number, value, bytes) in fields(bytes) {
        match number {
            1 => span.trace = hex(bytes),
            2 => span.id = hex(bytes),
            4 => span.parent = hex(bytes),
            5 => span.name = text(bytes),
            6 => span.kind = value,
            7 => span.start_ns = value,
            8 => span.end_ns = value,
            9 => span.attributes.extend([attribute(bytes)]),
            13 => span.links.push((hex(inner(bytes, 1)[0]), hex(inner(bytes, 2)[0]))),
            15 => span.status = fields(bytes).iter().find(|f| f.0 == 3).map_or(0, |f| f.1),
            _ => {}
        }
    }
    span
}

fn attribute(bytes: &[u8]) -> (String, String) {
    let value = inner(bytes, 2)[0];
    let value = fields(value).first().map(|(kind, number, bytes)| match kind {
        1 => text(bytes),
        _ => number.to_string(),
    });
    (text(inner(bytes, 1)[0]), value.unwrap_or_default())
}
