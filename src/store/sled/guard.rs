//! Calls into sled: its errors as ours, its panics as errors.
//!
//! On a damaged file sled panics instead of saying so. Every call is caught, and the panic's
//! message becomes the reason of an error instead of a trace on standard error.

use std::cell::Cell;
use std::io::ErrorKind;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::{Error, Position};

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// How many stores are being opened: only then are panics of sled's own threads expected.
static OPENING: AtomicUsize = AtomicUsize::new(0);

static HOOK: Once = Once::new();

fn is_expected() -> bool {
    let of_sled = || {
        let thread = std::thread::current();
        thread.name().is_some_and(|name| name.starts_with("sled-"))
    };
    INSIDE.get() || (OPENING.load(Ordering::Relaxed) > 0 && of_sled())
}

/// Keeps expected panics off standard error. All others go where they went before.
fn quiet_hook() {
    if std::thread::panicking() {
        return;
    }
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if !is_expected() {
                before(info);
            }
        }));
    });
}

/// Counts as one store that is being opened, until dropped.
pub(super) struct Opening(());

impl Opening {
    pub(super) fn begin() -> Self {
        quiet_hook();
        OPENING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        OPENING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Does `work`, which touches the log at `position` or after.
pub(super) fn guard<T>(
    operation: &'static str,
    position: Position,
    work: impl FnOnce() -> ::sled::Result<T>,
) -> Result<T, Error> {
    let before = INSIDE.replace(true);
    // After a panic nothing that `work` touched is used again: the caller gives up on the store.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(before);
    match result {
        Ok(result) => result.map_err(|error| from_sled(operation, position, error)),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("it gave no reason");
            Err(Error::damaged(position, format!("{operation}: sled gave up: {text}"), None))
        }
    }
}

fn from_sled(operation: &'static str, position: Position, error: ::sled::Error) -> Error {
    match error {
        ::sled::Error::Io(error)
            if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) =>
        {
            Error::io(operation, &error)
        }
        error => Error::damaged(position, format!("{operation}: {error}"), None),
    }
}

/// Whether sled says that its file is still locked, as it does for a moment after a database was
/// dropped in the same process.
pub(super) fn is_lock_held(error: &Error) -> bool {
    matches!(error, Error::Io { message, .. } if message.contains("could not acquire lock"))
}
