//! Where the socket is, and whose it may be.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::Error;

/// The socket's name in the data folder.
const SOCKET: &str = "control.sock";
/// The file in the data folder that names a socket elsewhere.
const PATH_FILE: &str = "control.path";
/// The longest path of a socket, in bytes: systems allow 103 to 107.
const MAX_PATH_BYTES: usize = 100;
/// Where sockets go whose data folder has too long a path.
const SHORT_PARENT: &str = "/tmp";

/// The user whose rights this process has.
pub(super) fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The socket of one data folder, as the engine sees it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) socket: PathBuf,
    /// Set when the socket is not in the folder.
    path_file: Option<PathBuf>,
    /// Device and inode of the socket once it is there, so that only it is ever removed.
    made: Option<(u64, u64)>,
}

impl Place {
    /// Decides where the socket of `data` is to be, and makes that place ready.
    pub(super) fn prepare(data: &Path) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::Socket {
            socket: data.join(SOCKET),
            reason: error.to_string(),
        };
        let data = fs::canonicalize(data).map_err(failed)?;
        let (socket, path_file) = (data.join(SOCKET), data.join(PATH_FILE));
        if socket.as_os_str().len() <= MAX_PATH_BYTES {
            // An engine that ran here when the path was longer may have left one behind.
            remove_if_there(&path_file).map_err(failed)?;
            return Ok(Self { socket, path_file: None, made: None });
        }
        let folder = private_folder()?;
        let digest = Sha256::digest(data.as_os_str().as_bytes());
        let name: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let socket = folder.join(name).with_extension("sock");
        Ok(Self { socket, path_file: Some(path_file), made: None })
    }

    /// Removes a socket on which nobody answers any more.
    pub(super) fn remove_stale(&self) -> Result<(), Error> {
        let is_socket = match fs::symlink_metadata(&self.socket) {
            Ok(metadata) => metadata.file_type().is_socket(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.failed(&error)),
        };
        if !is_socket {
            return Err(self.failed(&"there is something else of that name"));
        }
        remove_if_there(&self.socket).map_err(|error| self.failed(&error))
    }

    /// Once the socket is bound: keeps others out, remembers which one it is and says where.
    pub(super) fn publish(&mut self) -> Result<(), Error> {
        let publish = || -> io::Result<(u64, u64)> {
            fs::set_permissions(&self.socket, fs::Permissions::from_mode(0o600))?;
            if let Some(path_file) = &self.path_file {
                remove_if_there(path_file)?;
                let mut options = OpenOptions::new();
                let mut file = options.write(true).create_new(true).mode(0o600).open(path_file)?;
                file.write_all(self.socket.as_os_str().as_bytes())?;
            }
            fs::symlink_metadata(&self.socket).map(|metadata| identity(&metadata))
        };
        self.made = Some(publish().map_err(|error| self.failed(&error))?);
        Ok(())
    }

    /// Removes the socket and the file that names it, unless another engine has taken the place.
    pub(super) fn remove(&mut self) {
        let Some(made) = self.made.take() else {
            return;
        };
        let is_ours =
            fs::symlink_metadata(&self.socket).is_ok_and(|metadata| identity(&metadata) == made);
        if !is_ours {
            return;
        }
        for file in std::iter::once(&self.socket).chain(&self.path_file) {
            if let Err(error) = remove_if_there(file) {
                tracing::warn!(file = %file.display(), %error, "cannot remove the control socket");
            }
        }
    }

    pub(super) fn failed(&self, reason: &dyn ToString) -> Error {
        Error::Socket { socket: self.socket.clone(), reason: reason.to_string() }
    }
}

/// Where the engine of `data` listens, and who owns the folder.
pub(super) fn find(data: &Path) -> Result<(PathBuf, u32), Error> {
    let unreachable = |error: io::Error| Error::Unreachable {
        socket: data.join(SOCKET),
        reason: error.to_string(),
    };
    let folder = fs::canonicalize(data).map_err(unreachable)?;
    let owner = fs::metadata(&folder).map_err(unreachable)?.uid();
    match File::open(folder.join(PATH_FILE)) {
        Ok(file) => {
            let mut text = Vec::new();
            let limit = u64::try_from(MAX_PATH_BYTES).unwrap_or(u64::MAX);
            file.take(limit).read_to_end(&mut text).map_err(unreachable)?;
            Ok((PathBuf::from(std::ffi::OsStr::from_bytes(&text)), owner))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((folder.join(SOCKET), owner)),
        Err(error) => Err(unreachable(error)),
    }
}

/// The folder of this user for short paths. Anybody may write to its parent, so it counts only if
/// it is ours and nobody else may enter.
fn private_folder() -> Result<PathBuf, Error> {
    let user = own_user();
    let folder = Path::new(SHORT_PARENT).join(format!("everstep-{user}"));
    let failed =
        |error: io::Error| Error::Socket { socket: folder.clone(), reason: error.to_string() };
    match DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let metadata = fs::symlink_metadata(&folder).map_err(failed)?;
    let reason = if !metadata.is_dir() {
        "it is not a folder".to_owned()
    } else if metadata.uid() != user {
        format!("it belongs to user {}, not to user {user}", metadata.uid())
    } else if metadata.mode() & 0o077 != 0 {
        format!("others may use it: its mode is {:o}, not 700", metadata.mode() & 0o777)
    } else {
        return Ok(folder);
    };
    Err(Error::Untrusted { socket: folder, reason })
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn remove_if_there(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
