//! The shim below the C library (`tests/disk_shim/`): how it is compiled.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::source_text::root;

/// The shim, and the folder in which it is while that is kept.
pub(crate) struct Shim {
    pub(crate) library: PathBuf,
    _folder: TempDir,
}

impl Shim {
    /// What a shell says so that what it starts has the shim below it, for one folder, as the system
    /// names it. `variable` says what the shim is to do.
    pub(crate) fn exports(&self, folder: &Path, variable: &str) -> String {
        let library = &self.library;
        format!("export EVERSTEP_SHIM_FOLDER={folder:?} {variable} LD_PRELOAD={library:?}")
    }
}

/// Compiles it, which takes half a second.
pub(crate) fn build() -> Shim {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("shim.so");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let mut command = Command::new(compiler);
    command.args(["--edition", "2024", "--crate-type", "cdylib", "-O", "-D", "warnings", "-o"]);
    command.arg(&library).arg(root().join("tests/disk_shim/shim.rs"));
    let built = command.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Shim { library, _folder: folder }
}
