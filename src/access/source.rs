//! The text of an access file.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use super::finding::Problems;

/// The largest file that is read: several times what 10,000 keys take.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The text of the file at a path.
pub fn read(path: &Path) -> Result<String, Problems> {
    let unreadable = |error: io::Error| Problems::of_file(format!("can't be read: {error}"));
    // To open a pipe would wait for somebody who writes into it.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Problems::of_file("is not a file"));
    }
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text)).map_err(unreadable)?;
    if text.len() as u64 > LARGEST {
        return Err(Problems::of_file(format!("is larger than {} MiB", LARGEST >> 20)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_not_read() {
        for path in ["/dev/zero", "/dev/stdin/none", "/proc"] {
            assert!(read(Path::new(path)).is_err(), "{path}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.toml");
        File::create(&path).and_then(|file| file.set_len(LARGEST + 1)).expect("a file");
        assert_eq!(read(&path).expect_err("too large"), Problems::of_file("is larger than 16 MiB"));
    }
}
