//! A hook that lets the panics of the JSONata library pass.
//!
//! The library panics now and then. The language catches that and makes an error of it, but the
//! fuzzer's hook would end the process before: so that is taken out. What a body asserts still ends
//! it.

/// Takes the fuzzer's hook out.
pub(crate) fn set() {
    std::panic::set_hook(Box::new(|panic| {
        let of_library = panic.location().is_some_and(|at| at.file().contains("jsonata-core"));
        if !of_library {
            eprintln!("{panic}");
        }
    }));
}
