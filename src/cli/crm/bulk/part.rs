//! A file that appears once it is complete.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::cli::complain;

/// A file under another name; gone again unless it is kept.
pub(super) struct Part {
    path: PathBuf,
    to: PathBuf,
    out: Option<BufWriter<File>>,
}

impl Part {
    /// Refuses to write over a file.
    pub(super) fn of(to: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !to.exists(),
            "{} is there already: take it away first",
            to.display()
        );
        let mut path = to.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let file =
            File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self {
            path,
            to: to.to_owned(),
            out: Some(BufWriter::new(file)),
        })
    }

    /// Gives it its name.
    pub(super) fn keep(mut self) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.to.display());
        if let Some(out) = self.out.take() {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error);
            file.and_then(|it| it.sync_all()).with_context(cannot)?;
        }
        fs::rename(&self.path, &self.to).with_context(cannot)
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.out {
            Some(out) => out.write(bytes),
            None => Ok(0),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let path = self.path.display();
                complain(&format!("{path} is incomplete and stays: {error}"));
            }
            Ok(()) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_complete_does_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leads.csv");
        let mut part = Part::of(&path).unwrap();
        part.write_all(b"half").unwrap();
        drop(part);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut part = Part::of(&path).unwrap();
        part.write_all(b"whole").unwrap();
        part.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(Part::of(&path).is_err());
    }
}
