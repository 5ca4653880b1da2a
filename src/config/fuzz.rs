//! What must hold of any text of a config file: a body of the fuzz targets.

use std::path::Path;

use super::check::Checker;
use super::{Config, ConfigError};
use crate::testing::fuzz::taken;

/// Config files: a config, or the first fault with a place in the text, never a panic. An empty line
/// before everything else changes nothing but the place.
///
/// # Panics
/// When that does not hold.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = read(text);
    if read.is_ok() {
        taken();
    }
    if let Err(fault) = &read {
        assert!(fault.to_string().contains(fault.code), "{fault}");
        if let Some((line, column)) = fault.place {
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&line) && column >= 1, "{fault}\nof {text:?}");
        }
    }
    // Only at the very beginning a byte-order mark is one.
    if !text.starts_with('\u{feff}') {
        let lower = self::read(&format!("\n{text}"));
        assert_eq!(lower.map_err(higher), read, "of {text:?}");
    }
}

fn read(text: &str) -> Result<Config, ConfigError> {
    Checker { path: Path::new("/everstep/everstep.toml"), text }.config()
}

/// The fault, one line further up.
fn higher(fault: ConfigError) -> ConfigError {
    let place = fault.place.map(|(line, column)| (line.saturating_sub(1), column));
    ConfigError { place, ..fault }
}
