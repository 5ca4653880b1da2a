//! Where a damaged store is: in a folder, or on a simulated disk.

use std::fs;
use std::path::PathBuf;

use super::super::image::Image;
use super::{Random, text};
use crate::store::{Check, Crash, Error, SimDisk, SledOptions, SledStore};

pub(super) enum Place {
    Folder(PathBuf),
    Disk(SimDisk),
}

impl Place {
    pub(super) fn open(&self, check: Check) -> Result<SledStore, Error> {
        let options = SledOptions { check, ..SledOptions::default() };
        match self {
            Self::Folder(folder) => SledStore::open(folder, options),
            Self::Disk(disk) => SledStore::open_simulated(disk, options),
        }
    }

    /// Where the store goes on after its process was killed.
    pub(super) fn reopened(&self, store: SledStore, random: &mut Random) -> Result<Self, String> {
        match self {
            Self::Folder(folder) => {
                let again = folder.with_extension("again");
                Image::read(folder).and_then(|image| image.write(&again)).map_err(text)?;
                drop(store);
                Ok(Self::Folder(again))
            }
            Self::Disk(disk) => {
                drop(store);
                Ok(Self::Disk(disk.crash(Crash::PowerCut, random)))
            }
        }
    }

    /// Takes away what is there.
    pub(super) fn clear(&self) {
        if let Self::Folder(folder) = self {
            for name in [folder.clone(), folder.with_extension("again")] {
                // There need be none.
                drop(fs::remove_dir_all(name));
            }
        }
    }
}
