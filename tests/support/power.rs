//! Power cuts: what programs had not yet synced is gone, or torn, or there by chance.
//!
//! A [`Disk`] is one folder. The programs that write there have `synced.c` preloaded, which keeps a copy of each file as
//! it was when it was last synced, and of the names in each folder. A cut comes after every one of them was killed: it
//! puts the copies in the place of the files, and adds what chance lets through of what was not synced, as a disk may.
//! Works on Linux, with a C compiler; needs no rights.
//!
//! What is simulated: a file's bytes are safe once it was synced, its name once its folder was; until then a file has any
//! of its older and newer sectors, any length between, and its older or newer name. What is not: a disk that lies about
//! syncs, and one that damages what is safe.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use tempfile::TempDir;

use crate::chance::Chance;
use crate::preload;

/// A disk writes a sector whole or not at all.
const SECTOR: usize = 512;

/// One folder whose files survive as far as they were synced.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    /// Copies, and the library that makes them.
    kept: TempDir,
    library: PathBuf,
    slow_ms: Option<u32>,
}

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// Nothing of it is there.
    Gone,
    /// For files that are written at their end alone: some of what came after is there, cut at any byte. One that was made
    /// shorter since may be as it was before that.
    Cut,
    /// For files that are written anywhere: sector by sector it is there or not, and some of it has other bits.
    Scrambled,
}

/// What a cut took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Bytes that programs had written and that are gone or other ones.
    pub bytes: u64,
    /// Whether names are those of the last syncs of their folders, and not the newest.
    pub names: bool,
}

/// A name of a file that holds whatever it is called.
type Key = String;
/// The files of one folder.
type Names = BTreeMap<String, Key>;

impl Disk {
    /// Over a folder that is there, and that no program uses yet.
    ///
    /// # Panics
    /// When there is no C compiler, or no place for the copies.
    #[must_use]
    pub fn over(root: &Path) -> Self {
        let kept = tempfile::tempdir().expect("a test can have a temporary folder");
        let library = preload::compile(kept.path(), "synced", include_str!("synced.c"));
        fs::create_dir(kept.path().join("copies")).expect("the folder can be written");
        // As the system says it: links followed.
        let root = root.canonicalize().expect("the folder is there");
        let disk = Self { root, kept, library, slow_ms: None };
        disk.take_as_synced();
        disk
    }

    /// The same, on which each sync takes so much longer.
    #[must_use]
    pub fn slow(mut self, by_ms: u32) -> Self {
        self.slow_ms = Some(by_ms);
        self
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the environment of every program that writes there must hold.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut environment = vec![
            ("LD_PRELOAD", self.library.clone().into()),
            ("SYNCED_ROOT", self.root.clone().into()),
            ("SYNCED_COPIES", self.copies().into()),
        ];
        environment.extend(self.slow_ms.map(|by_ms| ("SYNCED_SLOW_MS", by_ms.to_string().into())));
        environment
    }

    /// When each sync began that has ended, of files whose path contains `part`: in microseconds of the system's clock, in
    /// their order.
    #[must_use]
    pub fn syncs_us(&self, part: &str) -> Vec<u64> {
        let log = fs::read_to_string(self.copies().join("log")).unwrap_or_default();
        let lines = log.lines().filter_map(|line| line.split_once('\t'));
        let mut began: Vec<u64> =
            lines.filter(|(_, path)| path.contains(part)).filter_map(|(began, _)| began.parse().ok()).collect();
        began.sort_unstable();
        began
    }

    /// Cuts the power: every program that writes there has been killed.
    ///
    /// # Panics
    /// When the folder cannot be read and written.
    pub fn cut(&self, unsynced: Unsynced, chance: &mut Chance) -> Taken {
        let older_names = unsynced == Unsynced::Gone || chance.number().is_multiple_of(2);
        let mut taken = Taken { bytes: 0, names: older_names };
        for folder in folders(&self.root) {
            let newest = names(&folder);
            let synced = self.synced_names(&folder);
            let mut left = Vec::new();
            for (name, key) in if older_names { synced } else { newest.clone() } {
                let now = newest.iter().find(|(_, other)| **other == key).map(|(name, _)| folder.join(name));
                let now = now.map(|path| read(&path));
                let safe = self.synced_bytes(&key);
                let bytes = survive(safe, now.as_deref(), unsynced, chance);
                taken.bytes += now.map_or(0, |now| differing(&now, &bytes));
                left.push((folder.join(name), bytes));
            }
            for name in newest.keys() {
                fs::remove_file(folder.join(name)).expect("the file can be removed");
            }
            for (path, bytes) in left {
                fs::write(path, bytes).expect("the file can be written");
            }
        }
        self.take_as_synced();
        taken
    }

    /// What is there now is on the disk.
    fn take_as_synced(&self) {
        for file in files(&self.copies()) {
            fs::remove_file(file).expect("a copy can be removed");
        }
        for folder in folders(&self.root) {
            let mut listed = format!("{}\n", folder.display());
            for (name, key) in names(&folder) {
                fs::copy(folder.join(&name), self.copies().join(format!("base-{key}"))).expect("a file can be copied");
                listed.push_str(&format!("{key}\t{name}\n"));
            }
            fs::write(self.copies().join(format!("names-{}", key(&folder))), listed).expect("the names can be written");
        }
    }

    fn copies(&self) -> PathBuf {
        self.kept.path().join("copies")
    }

    /// The names of a folder when it was last synced.
    fn synced_names(&self, folder: &Path) -> Names {
        let listed = fs::read_to_string(self.copies().join(format!("names-{}", key(folder)))).unwrap_or_default();
        let lines = listed.lines().skip(1).filter_map(|line| line.split_once('\t'));
        lines.map(|(key, name)| (name.to_owned(), key.to_owned())).collect()
    }

    /// What a file held when it was last synced, nothing if it never was.
    fn synced_bytes(&self, key: &str) -> Vec<u8> {
        let copy = ["file", "base"].map(|kind| self.copies().join(format!("{kind}-{key}")));
        copy.iter().find_map(|copy| fs::read(copy).ok()).unwrap_or_default()
    }
}

/// What is on the disk of a file that held `safe` when it was last synced, and `now` when the power went; a file that is
/// gone by now holds what it held then.
fn survive(safe: Vec<u8>, now: Option<&[u8]>, unsynced: Unsynced, chance: &mut Chance) -> Vec<u8> {
    let Some(now) = now.filter(|_| unsynced != Unsynced::Gone) else { return safe };
    if unsynced == Unsynced::Cut {
        let same = safe.iter().zip(now).take_while(|(safe, now)| safe == now).count();
        let was_cut = same < safe.len();
        return match chance.number() % 4 {
            0 if was_cut => safe,
            0 => now[..same].to_vec(),
            1 => now.to_vec(),
            _ => now[..same + chance.index(now.len() - same + 1)].to_vec(),
        };
    }
    let (short, long) = (safe.len().min(now.len()), safe.len().max(now.len()));
    let length = if chance.number().is_multiple_of(2) { now.len() } else { short + chance.index(long - short + 1) };
    let mut bytes = vec![0; length];
    // Most of it made its way, or little of it did.
    let through = chance.within(0..5);
    for (index, sector) in bytes.chunks_mut(SECTOR).enumerate() {
        let at = |of: &'_ [u8]| -> Vec<u8> {
            let from = of.len().min(index * SECTOR);
            let mut part = of[from..of.len().min(from + sector.len())].to_vec();
            part.resize(sector.len(), 0);
            part
        };
        let (old, new) = (at(&safe), at(now));
        let newer = old != new && chance.within(0..4) < through;
        sector.copy_from_slice(if newer { &new } else { &old });
        if newer && unsynced == Unsynced::Scrambled && chance.within(0..8) == 0 {
            sector[chance.index(sector.len())] ^= 1 << chance.within(0..8);
        }
    }
    bytes
}

/// How many bytes of `now` are not in `left`.
fn differing(now: &[u8], left: &[u8]) -> u64 {
    let other = now.iter().zip(left).filter(|(now, left)| now != left).count();
    (other + now.len().saturating_sub(left.len())) as u64
}

/// The folder and all below it.
fn folders(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut looked = 0;
    while looked < found.len() {
        let entries = fs::read_dir(&found[looked]).expect("the folder can be read").flatten();
        found.extend(entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
        looked += 1;
    }
    found
}

/// The files of one folder: no sockets, no links.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be read").flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())).map(|entry| entry.path())
}

fn names(folder: &Path) -> Names {
    let name = |path: &Path| path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    files(folder).map(|path| (name(&path), key(&path))).collect()
}

/// As `synced.c` makes it.
fn key(path: &Path) -> Key {
    let metadata = fs::symlink_metadata(path).expect("the file is there");
    let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{}-{}-{}", metadata.ino(), born.as_secs(), born.subsec_nanos())
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// That the simulation is right: what is synced is kept, what is not is lost.
#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        folder: TempDir,
        disk: Disk,
        chance: Chance,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let disk = Disk::over(folder.path());
            Self { folder, disk, chance: Chance::new("a power cut") }
        }

        /// Runs a program of the system on that disk, and waits for its end.
        fn run(&self, line: &str) {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-ec", line]).current_dir(self.folder.path()).envs(self.disk.environment());
            assert!(shell.status().expect("a shell").success(), "{line}");
        }

        fn cut(&mut self, unsynced: Unsynced) -> Taken {
            self.disk.cut(unsynced, &mut self.chance)
        }

        fn holds(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.folder.path().join(name)).ok()
        }
    }

    #[test]
    fn what_a_program_syncs_is_kept_and_what_it_does_not_is_lost() {
        let mut scene = Scene::new();
        scene.run("printf synced > a; printf unsynced > b; sync a; sync -d .");
        assert_eq!(scene.cut(Unsynced::Gone), Taken { bytes: 8, names: true });
        assert_eq!((scene.holds("a").as_deref(), scene.holds("b").as_deref()), (Some("synced"), Some("")));
        // What survived is on the disk; what comes after that is not.
        scene.run("printf ' and more' >> a; printf lost >> b; sync -d b; printf ' again' >> b");
        assert_eq!(scene.cut(Unsynced::Gone).bytes, 9 + 6);
        assert_eq!((scene.holds("a").as_deref(), scene.holds("b").as_deref()), (Some("synced"), Some("lost")));
    }

    #[test]
    fn a_name_is_there_once_its_folder_was_synced() {
        let mut scene = Scene::new();
        scene.run("printf one > a; sync a");
        scene.cut(Unsynced::Gone);
        assert_eq!(scene.holds("a"), None, "nobody synced the folder");
        scene.run("printf old > a; sync a .; printf new > b; sync b; mv b a");
        scene.cut(Unsynced::Gone);
        assert_eq!(scene.holds("a").as_deref(), Some("old"), "the new name was not synced");
        scene.run("printf new > b; sync b; mv b a; sync .");
        scene.cut(Unsynced::Gone);
        assert_eq!((scene.holds("a").as_deref(), scene.holds("b")), (Some("new"), None));
        scene.run("rm a; printf other > c");
        scene.cut(Unsynced::Gone);
        assert_eq!((scene.holds("a").as_deref(), scene.holds("c")), (Some("new"), None));
    }

    #[test]
    fn what_grows_is_cut_at_any_byte_after_what_was_synced() {
        let mut scene = Scene::new();
        let mut lengths = std::collections::BTreeSet::new();
        for _ in 0..24 {
            scene.run("printf 12345 > a; sync a .; printf 6789 >> a");
            scene.cut(Unsynced::Cut);
            let left = scene.holds("a").expect("its name was synced");
            assert!("123456789".starts_with(&left) && left.len() >= 5, "{left}");
            lengths.insert(left.len());
        }
        assert!(lengths.len() > 2, "{lengths:?}");
    }

    #[test]
    fn what_is_overwritten_is_a_mixture_sector_by_sector_and_never_anything_else() {
        let mut chance = Chance::new("overwritten sectors");
        let (old, new) = (vec![1_u8; 8 * SECTOR], vec![2_u8; 10 * SECTOR]);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let left = survive(old.clone(), Some(&new), Unsynced::Scrambled, &mut chance);
            assert!(left.len() >= old.len() && left.len() <= new.len());
            for (index, sector) in left.chunks(SECTOR).enumerate() {
                let was = if index < 8 { 1 } else { 0 };
                let other = sector.iter().filter(|byte| **byte != 2).count();
                assert!(sector.iter().all(|byte| *byte == was) || other <= 1, "{sector:?}");
                seen.insert(if other == 1 { 3 } else { sector[0] });
            }
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3], "older, newer, and newer with another bit");
        assert_eq!(survive(old.clone(), Some(&new), Unsynced::Gone, &mut chance), old);
    }

    #[test]
    fn what_was_made_shorter_may_be_as_long_as_it_was() {
        let mut chance = Chance::new("a shorter file");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            seen.insert(survive(b"12345".to_vec(), Some(b"123ab"), Unsynced::Cut, &mut chance));
        }
        let seen: Vec<_> = seen.iter().map(|left| String::from_utf8_lossy(left)).collect();
        assert_eq!(seen, ["123", "12345", "123a", "123ab"]);
    }
}
