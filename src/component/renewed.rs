//! What is made of files that are renewed while the agent runs: certificates, their keys, authorities.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::files::{Files, Input};
use super::meters::Meters;

/// Between two looks at the files. In tests each look counts.
const PAUSE: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_secs(10) };
/// The kind of error that is counted.
const ERROR: &str = "tls_renewal";

/// Made of files, and made anew when they hold something else. What cannot be made of them leaves what was before in use.
/// A clone is the same one.
pub struct Renewed<T>(Arc<Inner<T>>);

struct Inner<T> {
    current: ArcSwap<T>,
    /// None where no file is named: then it stays what it is.
    keeper: Option<Mutex<Keeper<T>>>,
}

type Make<T> = Box<dyn Fn(&Files) -> Result<T, String> + Send>;

struct Keeper<T> {
    make: Make<T>,
    files: Files,
    /// As they were at the last look, whatever came of it.
    seen: Vec<Input>,
    looked: Instant,
    meters: Option<Meters>,
}

impl<T> Renewed<T> {
    /// What `make` makes of the files at `paths`, now and whenever they change. What cannot be renewed is counted in
    /// `meters`.
    ///
    /// # Errors
    ///
    /// It cannot be made of them now.
    pub fn new(
        make: impl Fn(&Files) -> Result<T, String> + Send + 'static,
        (files, paths): (&Files, Vec<PathBuf>),
        meters: Option<Meters>,
    ) -> Result<Self, String> {
        let current = ArcSwap::from_pointee(make(files)?);
        let files = files.only(paths.iter().map(PathBuf::as_path));
        let seen = paths.iter().map(|path| files.input(path)).collect();
        let keeper = Keeper { make: Box::new(make), files, seen, looked: Instant::now(), meters };
        let keeper = (!paths.is_empty()).then(|| Mutex::new(keeper));
        Ok(Self(Arc::new(Inner { current, keeper })))
    }

    /// As the files have it: they are looked at here, every ten seconds at most, so this is for whoever opens a connection,
    /// and not for each record.
    pub fn current(&self) -> Arc<T> {
        if let Some(new) = self.0.keeper.as_ref().and_then(renew) {
            self.0.current.store(Arc::new(new));
        }
        self.0.current.load_full()
    }
}

/// Whoever comes while another looks gets what was before.
fn renew<T>(keeper: &Mutex<Keeper<T>>) -> Option<T> {
    let mut keeper = match keeper.try_lock() {
        Ok(keeper) => keeper,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    let now = Instant::now();
    if now.duration_since(keeper.looked) < PAUSE {
        return None;
    }
    keeper.looked = now;
    keeper.look()
}

impl<T> Keeper<T> {
    /// What the files make now, if they are others and make anything. Contents that make nothing are told once.
    fn look(&mut self) -> Option<T> {
        let files = self.files.anew();
        let seen: Vec<_> = self.seen.iter().map(|input| files.input(&input.path)).collect();
        if seen == self.seen {
            return None;
        }
        let changed = seen.iter().zip(&self.seen).filter(|(new, old)| new != old);
        let changed: Vec<_> = changed.map(|(new, _)| new.path.display().to_string()).collect();
        self.seen = seen;
        let made = (self.make)(&files);
        let _span = self.meters.as_ref().map(|meters| meters.label().span().entered());
        match &made {
            Ok(_) => tracing::info!(files = changed.join(", "), "renewed: new connections are opened with these"),
            Err(why) => {
                tracing::warn!(
                    files = changed.join(", "),
                    "not renewed, new connections are opened with what was there before: {why}"
                );
                self.meters.iter().for_each(|meters| meters.error(ERROR));
            }
        }
        made.ok()
    }
}

impl<T> Clone for Renewed<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// One that stays as it is.
impl<T> From<T> for Renewed<T> {
    fn from(it: T) -> Self {
        Self(Arc::new(Inner { current: ArcSwap::from_pointee(it), keeper: None }))
    }
}

/// Nothing of what it is: that may hold a key.
impl<T> fmt::Debug for Renewed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::component::meters::{Families, Label};

    fn meters() -> Meters {
        Families::default().meters(&Label { id: "it".into(), kind: "sink", type_name: "http" })
    }

    fn number(path: PathBuf, meters: &Meters) -> Renewed<u32> {
        let paths = vec![path.clone()];
        let make = move |files: &Files| files.text(&path)?.parse().map_err(|_| "no number".to_owned());
        Renewed::new(make, (&Files::default(), paths), Some(meters.clone())).unwrap()
    }

    #[test]
    fn what_changed_counts_and_what_makes_nothing_is_told_once() {
        let (folder, meters) = (tempfile::tempdir().unwrap(), meters());
        let path = folder.path().join("it");
        fs::write(&path, "1").unwrap();
        let renewed = number(path.clone(), &meters);
        let clone = renewed.clone();
        let now = || (*renewed.current(), *clone.current(), meters.error_count(ERROR));
        assert_eq!(now(), (1, 1, 0));
        fs::write(&path, "2").unwrap();
        assert_eq!(now(), (2, 2, 0));
        fs::write(&path, "x").unwrap();
        assert_eq!((now(), now()), ((2, 2, 1), (2, 2, 1)));
        fs::remove_file(&path).unwrap();
        assert_eq!((now(), now()), ((2, 2, 2), (2, 2, 2)), "another fault");
        fs::write(&path, "3").unwrap();
        assert_eq!(now(), (3, 3, 2));
    }

    #[test]
    fn a_swap_of_the_folder_behind_a_link_is_a_change() {
        let (folder, meters) = (tempfile::tempdir().unwrap(), meters());
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("v1", "1"), ("v2", "2")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("it"), text).unwrap();
        }
        symlink("v1", at("..data")).unwrap();
        symlink("..data/it", at("it")).unwrap();
        let renewed = number(at("it"), &meters);
        assert_eq!(*renewed.current(), 1);
        symlink("v2", at("..new")).unwrap();
        fs::rename(at("..new"), at("..data")).unwrap();
        assert_eq!((*renewed.current(), meters.error_count(ERROR)), (2, 0));
    }

    #[test]
    fn a_file_of_a_team_is_renewed_within_its_folder_only() {
        let (folder, meters) = (tempfile::tempdir().unwrap(), meters());
        let team = folder.path().join("team");
        fs::create_dir(&team).unwrap();
        let path = team.join("it");
        fs::write(&path, "1").unwrap();
        fs::write(folder.path().join("of another"), "2").unwrap();
        let (all, own) = (Files::default(), Files::within(&team));
        own.private(&path).unwrap();
        all.adopt(&own);
        let text = path.clone();
        let make = move |files: &Files| files.text(&text)?.parse::<u32>().map_err(|why| why.to_string());
        let renewed = Renewed::new(make, (&all, vec![path.clone()]), Some(meters.clone())).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(folder.path().join("of another"), &path).unwrap();
        assert_eq!((*renewed.current(), meters.error_count(ERROR)), (1, 1));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "3").unwrap();
        assert_eq!(*renewed.current(), 3);
    }
}
