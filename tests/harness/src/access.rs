//! API keys and access files. Keys are put together here anew, after the documentation, so that tests compare two
//! implementations.

use std::{fs, path::PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// An API key.
#[derive(Clone, Debug)]
pub struct Key {
    /// What a client sends.
    pub text: String,
    /// What the access file has of it.
    pub hash: String,
}

/// An access file in a folder of its own.
pub struct AccessFile {
    folder: TempDir,
}

impl Key {
    /// The key with this secret, which is filled up to its length.
    pub fn new(secret: &str) -> Self {
        let body = format!("gorilla_{:0<8.8}_{secret:0<43}", secret);
        Self::of(format!("{body}{}", checksum(&body)))
    }

    /// A key of any form.
    pub fn of(text: String) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let hash = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Self { text, hash: format!("sha256:{hash}") }
    }

    /// The value of the header `Authorization`.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.text)
    }
}

/// CRC-32 of IEEE 802.3, in base62 with six digits.
fn checksum(text: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = text.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    }) ^ u32::MAX;
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    String::from_utf8_lossy(&digits).into_owned()
}

impl AccessFile {
    /// A file with this text.
    pub fn new(text: &str) -> Self {
        let file = Self { folder: tempfile::tempdir().expect("a folder") };
        file.write(text);
        file
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("access.toml")
    }

    /// Puts another text in its place, at once.
    pub fn write(&self, text: &str) {
        let new = self.folder.path().join("new.toml");
        fs::write(&new, text).expect("a folder that can be written");
        fs::rename(new, self.path()).expect("a file that can be replaced");
    }
}

/// A role as the access file has it. `rules` is TOML, such as `{prefix="orders:", verbs=["acquire"]}`.
pub fn role(name: &str, rules: &str) -> String {
    format!("[[role]]\nname = \"{name}\"\nrules = [{rules}]\n")
}

/// A key of the access file, with a name and a role. `more` is TOML.
pub fn key_entry(name: &str, role: &str, key: &Key, more: &str) -> String {
    format!("[[key]]\nname = \"{name}\"\nhashes = [\"{}\"]\nrole = \"{role}\"\n{more}\n", key.hash)
}
