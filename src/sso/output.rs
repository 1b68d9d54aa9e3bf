//! A file that is there whole, or not at all.
//!
//! Owns its name: it has none until it is complete, and then never that of a file that is there. Where a file system knows
//! no files without names, it has another one until then, and is deleted when it is given up.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, OFlags, linkat};
use sso_dump::error::Error;
use tempfile::NamedTempFile;

/// Only its owner may read it.
const MODE: u32 = 0o600;

/// A file that is being written.
pub struct Output(Inner);

enum Inner {
    Nameless(File),
    Named(NamedTempFile),
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

impl Output {
    /// In the folder of the path, at which nothing may be.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        if path.symlink_metadata().is_ok() {
            return Err(Error::io(name)(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "is there already, and is not overwritten: name another file",
            )));
        }
        let nameless = OpenOptions::new()
            .write(true)
            .mode(MODE)
            .custom_flags(OFlags::TMPFILE.bits().cast_signed())
            .open(folder(path));
        if let Ok(file) = nameless {
            return Ok(Self(Inner::Nameless(file)));
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".sso.").permissions(Permissions::from_mode(MODE));
        let file = builder.tempfile_in(folder(path)).map_err(Error::io(name))?;
        Ok(Self(Inner::Named(file)))
    }

    /// Gives it its name, when all of it is on the disk.
    pub fn publish(self, path: &Path) -> Result<(), Error> {
        let failed = Error::io(path.display().to_string());
        self.link(path)
            .and_then(|()| File::open(folder(path))?.sync_all())
            .map_err(failed)
    }

    fn link(self, path: &Path) -> io::Result<()> {
        match self.0 {
            Inner::Nameless(file) => {
                file.sync_all()?;
                let own = format!("/proc/self/fd/{}", file.as_raw_fd());
                Ok(linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
            }
            Inner::Named(file) => {
                file.as_file().sync_all()?;
                file.persist_noclobber(path)
                    .map(drop)
                    .map_err(|error| error.error)
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Nameless(file) => file.write(bytes),
            Inner::Named(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Nameless(file) => file.flush(),
            Inner::Named(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive");
        let names = || folder.path().read_dir().unwrap().count();
        let mut given_up = Output::create(&path).unwrap();
        given_up.write_all(b"half").unwrap();
        drop(given_up);
        assert_eq!(names(), 0);
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"whole").unwrap();
        let late = Output::create(&path).unwrap();
        output.publish(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, MODE);
        // What is there stays, whoever was first.
        assert!(late.publish(&path).is_err() && Output::create(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
    }
}
