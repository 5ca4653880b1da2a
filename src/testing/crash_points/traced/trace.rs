//! What the shim wrote down.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Something that was done to a file or folder, named by its path.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Write {
        path: String,
        at: usize,
        bytes: Arc<[u8]>,
    },
    Length {
        path: String,
        length: usize,
    },
    Sync {
        path: String,
    },
    /// What sled calls a flush: the system writes a part of a file, and the disk need not keep it.
    Range {
        path: String,
    },
    File {
        path: String,
    },
    Folder {
        path: String,
    },
    Rename {
        path: String,
        to: String,
    },
    Remove {
        path: String,
    },
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, at, bytes } => write!(f, "{} bytes of {path} at {at}", bytes.len()),
            Self::Length { path, length } => write!(f, "{path} was cut to {length}"),
            Self::Sync { path } => write!(f, "a sync of {path:?}"),
            Self::Range { path } => write!(f, "a flush of {path}"),
            Self::File { path } => write!(f, "{path} was made"),
            Self::Folder { path } => write!(f, "the folder {path} was made"),
            Self::Rename { path, to } => write!(f, "{path} became {to}"),
            Self::Remove { path } => write!(f, "{path} was removed"),
        }
    }
}

/// All that was done, each with the length of the trace up to it. What a killed process has not
/// written down whole is left out: it told nobody of it.
pub(super) fn read(trace: &Path) -> io::Result<Vec<(u64, Act)>> {
    let bytes = fs::read(trace)?;
    let mut rest = bytes.as_slice();
    let mut acts = Vec::new();
    while let Some(act) = next(&mut rest)? {
        let end = bytes.len() - rest.len();
        acts.push((end as u64, act));
    }
    Ok(acts)
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (first, others) = rest.split_at_checked(length)?;
    *rest = others;
    Some(first)
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// The next act, if it is there whole.
fn next(rest: &mut &[u8]) -> io::Result<Option<Act>> {
    let Some((kind, number, path, data)) = parts(rest) else { return Ok(None) };
    act(kind, number, path, data)
        .map(Some)
        .ok_or_else(|| io::Error::other(format!("the trace has an act of kind {kind}")))
}

/// A kind, the lengths of a path and of data around a number, then both.
fn parts<'b>(rest: &mut &'b [u8]) -> Option<(u8, usize, &'b [u8], &'b [u8])> {
    let kind = *take(rest, 1)?.first()?;
    let of_path = u16::from_le_bytes(take(rest, 2)?.try_into().ok()?);
    let number = usize::try_from(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?)).ok()?;
    let of_data = u32::from_le_bytes(take(rest, 4)?.try_into().ok()?);
    let path = take(rest, of_path.into())?;
    let data = take(rest, usize::try_from(of_data).ok()?)?;
    Some((kind, number, path, data))
}

fn act(kind: u8, number: usize, path: &[u8], data: &[u8]) -> Option<Act> {
    let path = text(path)?;
    Some(match kind {
        0 => Act::Write { path, at: number, bytes: data.into() },
        1 => Act::Length { path, length: number },
        2 => Act::Sync { path },
        3 => Act::Range { path },
        4 => Act::File { path },
        5 => Act::Folder { path },
        6 => Act::Rename { path, to: text(data)? },
        7 => Act::Remove { path },
        _ => return None,
    })
}
