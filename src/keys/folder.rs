//! The state folder (mode 0700): keys that were generated at the first start, and the sealing key.
//!
//! The demo has none and keeps nothing.
//!
//! `keys/{realm}-{alg}.pem` (0600) and `sealing.key` (0600, 32 bytes). A key that is there is used; one that is missing is
//! made, written beside its place and renamed, so that a crash leaves either nothing or a whole key.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Algorithm, KeyFault, SigningKey};
use crate::{
    random::{NoRandomness, Random},
    secret::Secret,
};

/// Why the state folder or something in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFault {
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("{path}: {fault}")]
    Key { path: PathBuf, fault: KeyFault },
    #[error("{path}: it must hold 32 bytes; move it away and start again to have a new one made")]
    SealingKey { path: PathBuf },
    #[error(transparent)]
    NotGenerated(KeyFault),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// The state folder, or none: then everything is made anew and forgotten.
#[derive(Clone, Debug)]
pub struct StateFolder {
    path: Option<PathBuf>,
    random: Random,
}

impl StateFolder {
    /// Creates the folder (mode 0700) where it is missing.
    pub fn open(path: &Path, random: Random) -> Result<Self, StateFault> {
        let make = |path: &Path| {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(|error| StateFault::File { path: path.to_owned(), error })
        };
        make(path)?;
        make(&path.join("keys"))?;
        Ok(Self { path: Some(path.to_owned()), random })
    }

    /// No folder: keys are made when they are asked for and never written.
    pub const fn none(random: Random) -> Self {
        Self { path: None, random }
    }

    /// The key with which cookies are sealed: read, or made.
    pub fn sealing_key(&self) -> Result<[u8; 32], StateFault> {
        let Some(folder) = &self.path else { return Ok(self.random.bytes()?) };
        let path = folder.join("sealing.key");
        match fs::read(&path) {
            Ok(bytes) => bytes.try_into().map_err(|_| StateFault::SealingKey { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = self.random.bytes::<32>()?;
                write(&path, &key)?;
                Ok(key)
            }
            Err(error) => Err(StateFault::File { path, error }),
        }
    }

    /// The realm's own keys for `algorithms`: read, or generated, each on a thread of its own. Blocking.
    pub fn realm_keys(&self, realm: &str, algorithms: &[Algorithm]) -> Result<Vec<Arc<SigningKey>>, StateFault> {
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                algorithms.iter().map(|&algorithm| scope.spawn(move || self.realm_key(realm, algorithm))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(StateFault::NotGenerated(KeyFault::NotGenerated))))
                .collect()
        })
    }

    fn realm_key(&self, realm: &str, algorithm: Algorithm) -> Result<Arc<SigningKey>, StateFault> {
        let Some(folder) = &self.path else {
            return Ok(Arc::new(SigningKey::generate(algorithm).map_err(StateFault::NotGenerated)?.0));
        };
        let path = folder.join("keys").join(format!("{realm}-{}.pem", algorithm.as_str().to_lowercase()));
        let fault = |fault| StateFault::Key { path: path.clone(), fault };
        match fs::read_to_string(&path) {
            Ok(pem) => Ok(Arc::new(SigningKey::from_pem(algorithm, &Secret::new(pem)).map_err(fault)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (key, pem) = SigningKey::generate(algorithm).map_err(fault)?;
                write(&path, pem.reveal().as_bytes())?;
                Ok(Arc::new(key))
            }
            Err(error) => Err(StateFault::File { path, error }),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StateFault> {
    let fault = |error| StateFault::File { path: path.to_owned(), error };
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(fault)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault)?;
    fs::rename(&beside, path).map_err(fault)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let state = StateFolder::open(&path, Random::system()).unwrap();
        let algorithms = [Algorithm::RS256, Algorithm::ES256];
        let first = state.realm_keys("acme", &algorithms).unwrap();
        let second = StateFolder::open(&path, Random::system()).unwrap().realm_keys("acme", &algorithms).unwrap();
        assert_eq!(first[0].kid(), second[0].kid());
        assert_eq!(first[1].kid(), second[1].kid());
        assert_eq!(state.sealing_key().unwrap(), state.sealing_key().unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("keys/acme-rs256.pem")), 0o600);
        assert_eq!(mode(&path.join("sealing.key")), 0o600);
    }
}
