//! JSONata from anywhere: a value or an error within its limits, never a panic.
//!
//! The library panics now and then. The language catches that and makes an error of it, but the
//! fuzzer's hook would end the process before: so the hook is taken out. What the body asserts still
//! ends it.
#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        std::panic::set_hook(Box::new(|panic| {
            let of_library = panic.location().is_some_and(|at| at.file().contains("jsonata-core"));
            if !of_library {
                eprintln!("{panic}");
            }
        }));
    },
    |data: &[u8]| everstep::testing::fuzz::jsonata_template(data)
);
