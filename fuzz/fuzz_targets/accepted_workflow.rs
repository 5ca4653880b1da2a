//! Definitions from anywhere, once they are accepted: drawn, exported and run, all rules hold.
//!
//! A definition holds JSONata, and its library panics now and then: see `jsonata_template`.
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
    |data: &[u8]| everstep::testing::fuzz::accepted_workflow(data)
);
