//! Stands between a program and the C library (`LD_PRELOAD`): writes down, in order, all that the
//! program does to the files of one folder, and lets some of it fail as a broken disk would.
//!
//! Compiled by the tests that use it, with nothing but `rustc`: see `tests/it/shim.rs`.
//!
//! | variable | what |
//! |---|---|
//! | `EVERSTEP_SHIM_FOLDER` | the folder; everything else is left alone |
//! | `EVERSTEP_SHIM_TRACE` | the file to which it is written; `testing::crash_points::traced` reads it |
//! | `EVERSTEP_SHIM_FAULT` | `KIND:ENDING:AFTER:ERRNO`: calls of a kind (`read`, `write` or `sync`) to files whose path ends so fail with that number, for ever, after so many of them |
//!
//! What `std` and sled call is caught; calls that bypass the C library are not.
#![allow(clippy::missing_safety_doc, reason = "each is the function of the C library of that name")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

type Size = usize;
type Signed = isize;

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn readlink(path: *const c_char, to: *mut c_char, length: Size) -> Signed;
    fn lseek(file: c_int, offset: i64, whence: c_int) -> i64;
    fn access(path: *const c_char, mode: c_int) -> c_int;
    fn __errno_location() -> *mut c_int;
}

const NEXT: *mut c_void = -1isize as *mut c_void;
const FROM_HERE: c_int = 1;
const CURRENT_FOLDER: c_int = -100;
const O_WRONLY: c_int = 1;
const O_CREAT: c_int = 0o100;
const O_TRUNC: c_int = 0o1000;
const O_APPEND: c_int = 0o2000;

/// The function of the C library that the one here stands before.
macro_rules! next {
    ($name:ident as fn($($kind:ty),*) -> $result:ty) => {{
        static FOUND: OnceLock<usize> = OnceLock::new();
        let found = *FOUND.get_or_init(|| {
            let name = concat!(stringify!($name), "\0");
            // SAFETY: the name ends in a zero.
            unsafe { dlsym(NEXT, name.as_ptr().cast()) as usize }
        });
        // SAFETY: the function of that name has these arguments.
        unsafe { std::mem::transmute::<usize, unsafe extern "C" fn($($kind),*) -> $result>(found) }
    }};
}

/// What is written down, as numbers that the reader knows.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Write = 0,
    Length = 1,
    Sync = 2,
    Range = 3,
    File = 4,
    Folder = 5,
    Rename = 6,
    Remove = 7,
}

struct Fault {
    kind: String,
    ending: String,
    after: u64,
    number: c_int,
    seen: AtomicU64,
}

struct Shim {
    folder: Vec<u8>,
    /// Where it is written down, if it is.
    trace: Option<c_int>,
    fault: Option<Fault>,
}

fn shim() -> Option<&'static Shim> {
    static SHIM: OnceLock<Option<Shim>> = OnceLock::new();
    SHIM.get_or_init(|| {
        let folder = std::env::var_os("EVERSTEP_SHIM_FOLDER")?;
        let trace = std::env::var_os("EVERSTEP_SHIM_TRACE").map(|path| {
            let path = CString::new(path.as_bytes()).expect("a path has no zero in it");
            let open = next!(open as fn(*const c_char, c_int, c_uint) -> c_int);
            // SAFETY: the path ends in a zero.
            unsafe { open(path.as_ptr(), O_WRONLY | O_CREAT | O_APPEND, 0o600) }
        });
        let fault = std::env::var("EVERSTEP_SHIM_FAULT").ok().map(|text| {
            let mut words = text.split(':').map(str::to_owned);
            let mut word = || words.next().expect("KIND:ENDING:AFTER:ERRNO");
            let (kind, ending) = (word(), word());
            let after = word().parse().expect("AFTER is a number");
            let number = word().parse().expect("ERRNO is a number");
            Fault { kind, ending, after, number, seen: AtomicU64::new(0) }
        });
        Some(Shim { folder: folder.as_bytes().to_vec(), trace, fault })
    })
    .as_ref()
}

/// One call at a time is done and written down, so that their order is the true one.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn link(path: &CStr) -> Option<Vec<u8>> {
    let mut to = vec![0u8; 4096];
    // SAFETY: there is room for as much as is said.
    let length = unsafe { readlink(path.as_ptr(), to.as_mut_ptr().cast(), to.len()) };
    to.truncate(usize::try_from(length).ok()?);
    Some(to)
}

impl Shim {
    /// The path below the folder, if it is below it; nothing of it for the folder itself.
    fn below(&self, path: &[u8]) -> Option<Vec<u8>> {
        let rest = path.strip_prefix(self.folder.as_slice())?;
        if rest.is_empty() {
            return Some(Vec::new());
        }
        Some(rest.strip_prefix(b"/")?.to_vec())
    }

    fn of_file(&self, file: c_int) -> Option<Vec<u8>> {
        let path = link(&CString::new(format!("/proc/self/fd/{file}")).ok()?)?;
        self.below(&path)
    }

    unsafe fn of_path(&self, at: c_int, path: *const c_char) -> Option<Vec<u8>> {
        // SAFETY: the caller's path ends in a zero.
        let path = unsafe { CStr::from_ptr(path) }.to_bytes();
        if path.starts_with(b"/") {
            return self.below(path);
        }
        let folder = if at == CURRENT_FOLDER {
            link(c"/proc/self/cwd")?
        } else {
            link(&CString::new(format!("/proc/self/fd/{at}")).ok()?)?
        };
        self.below(&[folder.as_slice(), b"/", path].concat())
    }

    fn note(&self, kind: Kind, path: &[u8], number: u64, data: &[u8]) {
        let Some(trace) = self.trace else { return };
        let lengths = (u16::try_from(path.len()), u32::try_from(data.len()));
        let (Ok(of_path), Ok(of_data)) = lengths else { return };
        let mut line = vec![kind as u8];
        line.extend(of_path.to_le_bytes());
        line.extend(number.to_le_bytes());
        line.extend(of_data.to_le_bytes());
        line.extend(path);
        line.extend(data);
        let write = next!(write as fn(c_int, *const c_void, Size) -> Signed);
        // SAFETY: so many bytes are there.
        let written = unsafe { write(trace, line.as_ptr().cast(), line.len()) };
        assert_eq!(usize::try_from(written), Ok(line.len()), "the trace cannot be written");
    }

    /// Whether this call is to fail; the error is then set.
    fn fails(&self, kind: &str, path: &[u8]) -> bool {
        let Some(fault) = &self.fault else { return false };
        let is_it = kind == fault.kind && path.ends_with(fault.ending.as_bytes());
        if !is_it || fault.seen.fetch_add(1, Ordering::SeqCst) < fault.after {
            return false;
        }
        // SAFETY: it is this thread's own number.
        unsafe { *__errno_location() = fault.number };
        true
    }
}

/// Does `work` and then writes it down, unless it fails or is to fail.
fn with_file<T: PartialOrd + From<i8>>(
    file: c_int,
    kind: &str,
    work: impl FnOnce() -> T,
    note: impl FnOnce(&Shim, &[u8], &T),
) -> T {
    let found = shim().and_then(|shim| Some((shim, shim.of_file(file)?)));
    let Some((shim, path)) = found else { return work() };
    if shim.fails(kind, &path) {
        return T::from(-1);
    }
    let _turn = turn();
    let done = work();
    if done >= T::from(0) {
        note(shim, &path, &done);
    }
    done
}

fn written(shim: &Shim, path: &[u8], bytes: *const c_void, length: Signed, at: i64) {
    // SAFETY: so many were written from there.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize) };
    shim.note(Kind::Write, path, at as u64, bytes);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(file: c_int, bytes: *const c_void, length: Size) -> Signed {
    let next = next!(write as fn(c_int, *const c_void, Size) -> Signed);
    let work = || unsafe { next(file, bytes, length) };
    with_file(file, "write", work, |shim, path, done| {
        let end = unsafe { lseek(file, 0, FROM_HERE) };
        written(shim, path, bytes, *done, end - *done as i64);
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(f: c_int, bytes: *const c_void, length: Size, at: i64) -> Signed {
    unsafe { pwrite64(f, bytes, length, at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    file: c_int,
    bytes: *const c_void,
    length: Size,
    at: i64,
) -> Signed {
    let next = next!(pwrite64 as fn(c_int, *const c_void, Size, i64) -> Signed);
    let work = || unsafe { next(file, bytes, length, at) };
    let note = |shim: &Shim, path: &[u8], done: &Signed| written(shim, path, bytes, *done, at);
    with_file(file, "write", work, note)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(file: c_int, bytes: *mut c_void, length: Size) -> Signed {
    let next = next!(read as fn(c_int, *mut c_void, Size) -> Signed);
    with_file(file, "read", || unsafe { next(file, bytes, length) }, |_, _, _| {})
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread(file: c_int, bytes: *mut c_void, length: Size, at: i64) -> Signed {
    unsafe { pread64(file, bytes, length, at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread64(file: c_int, bytes: *mut c_void, length: Size, at: i64) -> Signed {
    let next = next!(pread64 as fn(c_int, *mut c_void, Size, i64) -> Signed);
    with_file(file, "read", || unsafe { next(file, bytes, length, at) }, |_, _, _| {})
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(file: c_int, length: i64) -> c_int {
    unsafe { ftruncate64(file, length) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(file: c_int, length: i64) -> c_int {
    let next = next!(ftruncate64 as fn(c_int, i64) -> c_int);
    with_file(file, "write", || unsafe { next(file, length) }, |shim, path, _| {
        shim.note(Kind::Length, path, length as u64, &[]);
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(file: c_int) -> c_int {
    let next = next!(fsync as fn(c_int) -> c_int);
    with_file(file, "sync", || unsafe { next(file) }, |shim, path, _| {
        shim.note(Kind::Sync, path, 0, &[]);
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(file: c_int) -> c_int {
    let next = next!(fdatasync as fn(c_int) -> c_int);
    with_file(file, "sync", || unsafe { next(file) }, |shim, path, _| {
        shim.note(Kind::Sync, path, 0, &[]);
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn sync_file_range(f: c_int, at: i64, length: i64, flags: c_uint) -> c_int {
    let next = next!(sync_file_range as fn(c_int, i64, i64, c_uint) -> c_int);
    with_file(f, "sync", || unsafe { next(f, at, length, flags) }, |shim, path, _| {
        shim.note(Kind::Range, path, at as u64, &length.to_le_bytes());
    })
}

/// Does `work` and then writes it down if it went well, for a path below the folder.
unsafe fn with_path(
    at: c_int,
    path: *const c_char,
    work: impl FnOnce() -> c_int,
    note: impl FnOnce(&Shim, &[u8]),
) -> c_int {
    let found = shim().and_then(|shim| Some((shim, unsafe { shim.of_path(at, path) }?)));
    let Some((shim, path)) = found else { return work() };
    let _turn = turn();
    let done = work();
    if done >= 0 {
        note(shim, &path);
    }
    done
}

unsafe fn opened(
    at: c_int,
    path: *const c_char,
    flags: c_int,
    work: impl FnOnce() -> c_int,
) -> c_int {
    // Only a path from the root is looked at before: nobody here makes files otherwise.
    let is_new = flags & O_CREAT != 0 && unsafe { access(path, 0) } != 0;
    let note = |shim: &Shim, path: &[u8]| {
        if is_new {
            shim.note(Kind::File, path, 0, &[]);
        } else if flags & O_TRUNC != 0 {
            shim.note(Kind::Length, path, 0, &[]);
        }
    };
    unsafe { with_path(at, path, work, note) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let next = next!(open as fn(*const c_char, c_int, c_uint) -> c_int);
    unsafe { opened(CURRENT_FOLDER, path, flags, || next(path, flags, mode)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let next = next!(open64 as fn(*const c_char, c_int, c_uint) -> c_int);
    unsafe { opened(CURRENT_FOLDER, path, flags, || next(path, flags, mode)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let next = next!(rename as fn(*const c_char, *const c_char) -> c_int);
    let new = shim().and_then(|shim| unsafe { shim.of_path(CURRENT_FOLDER, to) });
    let note = |shim: &Shim, path: &[u8]| {
        shim.note(Kind::Rename, path, 0, new.as_deref().unwrap_or_default());
    };
    unsafe { with_path(CURRENT_FOLDER, from, || next(from, to), note) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: c_uint) -> c_int {
    let next = next!(mkdir as fn(*const c_char, c_uint) -> c_int);
    let note = |shim: &Shim, path: &[u8]| shim.note(Kind::Folder, path, 0, &[]);
    unsafe { with_path(CURRENT_FOLDER, path, || next(path, mode), note) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    let next = next!(unlink as fn(*const c_char) -> c_int);
    let note = |shim: &Shim, path: &[u8]| shim.note(Kind::Remove, path, 0, &[]);
    unsafe { with_path(CURRENT_FOLDER, path, || next(path), note) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    let next = next!(rmdir as fn(*const c_char) -> c_int);
    let note = |shim: &Shim, path: &[u8]| shim.note(Kind::Remove, path, 0, &[]);
    unsafe { with_path(CURRENT_FOLDER, path, || next(path), note) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlinkat(at: c_int, path: *const c_char, flags: c_int) -> c_int {
    let next = next!(unlinkat as fn(c_int, *const c_char, c_int) -> c_int);
    let note = |shim: &Shim, path: &[u8]| shim.note(Kind::Remove, path, 0, &[]);
    unsafe { with_path(at, path, || next(at, path, flags), note) }
}
