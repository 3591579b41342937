//! A disk that keeps no more than it promised: what was not synced may be gone after a power cut, in
//! any combination of sectors and folder entries, and any operation may fail.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use tripline_agent::journal::disk::{Disk, DiskFile};

/// What a disk writes whole or not at all, in bytes.
const SECTOR_LEN: usize = 512;

/// Up to so many things that may or may not have happened are enumerated; of more, samples are taken.
const ENUMERATED_MAX: u32 = 6;

/// Samples taken of more.
const SAMPLES: u64 = 14;

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    /// Nothing.
    Nothing,
    /// Everything that writes, as on a disk mounted read-only.
    ReadOnly,
    /// Everything that needs new space.
    Full,
    /// The operation with this number, once, as on a disk that dies.
    Once(u64),
    /// Every operation from this number on: the power is off.
    From(u64),
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
    Grow(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, new) => {
                bytes.resize(bytes.len().max(offset + new.len()), 0);
                bytes[*offset..offset + new.len()].copy_from_slice(new);
            }
            Self::Cut(len) => bytes.truncate(*len),
            Self::Grow(len) => bytes.resize(bytes.len().max(*len), 0),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct File {
    /// What a program reads.
    bytes: Vec<u8>,
    /// What is certainly there after a power cut.
    durable: Vec<u8>,
    /// What may be there besides, each on its own.
    unsynced: Vec<Change>,
    /// A failed sync left it unknown for ever.
    doubtful: bool,
}

#[derive(Debug, Clone)]
enum Entry {
    Link(String, usize),
    Unlink(String),
    Rename(String, String),
}

impl Entry {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, file) => drop(names.insert(name.clone(), *file)),
            Self::Unlink(name) => drop(names.remove(name)),
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
struct State {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    unsynced: Vec<Entry>,
    failing: Failing,
    operations: u64,
}

/// The disk; a clone is the same disk.
#[derive(Debug, Clone)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct Handle {
    disk: SimDisk,
    file: usize,
}

impl SimDisk {
    /// An empty disk.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced: Vec::new(),
            failing: Failing::Nothing,
            operations: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics with it")
    }

    /// Sets what fails.
    pub(crate) fn fail(&self, failing: Failing) {
        self.state().failing = failing;
    }

    /// How many changing operations there were.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Whether the power is off.
    pub(crate) fn is_off(&self) -> bool {
        let state = self.state();
        matches!(state.failing, Failing::From(from) if state.operations > from)
    }

    /// Whether this is the same disk.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The bytes of all files together, as a program sees them.
    pub(crate) fn used(&self, prefix: &str) -> usize {
        let state = self.state();
        let files = state.names.iter().filter(|(name, _)| name.starts_with(prefix));
        files.map(|(_, file)| state.files[*file].bytes.len()).sum()
    }

    /// The names of its files.
    pub(crate) fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[name]].bytes.clone()
    }

    /// A disk with this file changed.
    pub(crate) fn with(&self, name: &str, bytes: Vec<u8>) -> Self {
        let mut state = self.state().clone();
        let file = state.names[name];
        state.files[file] = File { durable: bytes.clone(), bytes, ..File::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The disk after the program was killed and the power stayed: everything written is there.
    pub(crate) fn after_kill(&self) -> Self {
        let mut state = self.state().clone();
        state.failing = Failing::Nothing;
        Self(Arc::new(Mutex::new(state)))
    }

    /// What a power cut may leave: every combination of what was not synced, or, where there are too
    /// many, none, all and a sample.
    pub(crate) fn after_power_cut(&self, seed: u64) -> Vec<Self> {
        let choices = {
            let state = self.state();
            let unsynced = |file: &File| file.unsynced.len();
            state.unsynced.len() + state.files.iter().map(unsynced).sum::<usize>()
        };
        let all = u32::try_from(choices).unwrap_or(u32::MAX);
        if all <= ENUMERATED_MAX {
            return (0..1_u64 << all).map(|mask| self.left_by(|at| mask >> at & 1 == 1)).collect();
        }
        let ends = [self.left_by(|_| false), self.left_by(|_| true)];
        let samples = (0..SAMPLES)
            .map(|sample| self.left_by(|at| mixed(seed ^ (sample << 32) ^ at as u64) & 1 == 1));
        ends.into_iter().chain(samples).collect()
    }

    fn left_by(&self, mut happened: impl FnMut(usize) -> bool) -> Self {
        let mut left = self.state().clone();
        let mut at = 0;
        let mut next = || {
            at += 1;
            happened(at - 1)
        };
        for file in &mut left.files {
            for change in std::mem::take(&mut file.unsynced) {
                if next() {
                    change.apply(&mut file.durable);
                }
            }
            file.bytes.clone_from(&file.durable);
            file.doubtful = false;
        }
        for entry in std::mem::take(&mut left.unsynced) {
            if next() {
                entry.apply(&mut left.durable_names);
            }
        }
        left.names.clone_from(&left.durable_names);
        left.failing = Failing::Nothing;
        Self(Arc::new(Mutex::new(left)))
    }

    /// Counts an operation and lets it fail if it is to.
    fn operate(&self, needs_space: bool) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let number = state.operations;
        state.operations += 1;
        match state.failing {
            Failing::ReadOnly => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            Failing::Full if needs_space => Err(io::ErrorKind::StorageFull.into()),
            Failing::Once(at) if at == number => Err(io::Error::other("input/output error")),
            Failing::From(from) if number >= from => Err(io::Error::other("the power is off")),
            Failing::Nothing | Failing::Full | Failing::Once(_) | Failing::From(_) => Ok(state),
        }
    }
}

/// Splitmix64.
pub(crate) fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Disk for SimDisk {
    fn make_ready(&self) -> io::Result<()> {
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn create(&self, name: &str, len: u64) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.operate(true)?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.files.len();
        let len = usize::try_from(len).expect("small");
        let unsynced = vec![Change::Grow(len)];
        state.files.push(File { bytes: vec![0; len], unsynced, ..File::default() });
        state.names.insert(name.into(), file);
        state.unsynced.push(Entry::Link(name.into(), file));
        drop(state);
        Ok(Box::new(Handle { disk: self.clone(), file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = *self.state().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Handle { disk: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.operate(false)?;
        let entry = Entry::Rename(from.into(), to.into());
        entry.apply(&mut state.names);
        state.unsynced.push(entry);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.operate(false)?;
        state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.unsynced.push(Entry::Unlink(name.into()));
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.operate(false)?;
        state.durable_names = state.names.clone();
        state.unsynced.clear();
        Ok(())
    }
}

impl DiskFile for Handle {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let offset = usize::try_from(offset).expect("small");
        let bytes = state.files[self.file].bytes.get(offset..).unwrap_or_default();
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.operate(false)?;
        let file = &mut state.files[self.file];
        let offset = usize::try_from(offset).expect("small");
        // Sector by sector; those it changes nothing in cannot be told from those that were lost.
        let mut at = 0;
        while at < bytes.len() {
            let len = (SECTOR_LEN - (offset + at) % SECTOR_LEN).min(bytes.len() - at);
            let piece = &bytes[at..at + len];
            let begin = offset + at;
            if file.bytes.get(begin..begin + len) != Some(piece) {
                let change = Change::Write(begin, piece.to_vec());
                change.apply(&mut file.bytes);
                file.unsynced.push(change);
            }
            at += len;
        }
        Ok(())
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.operate(false)?;
        let file = &mut state.files[self.file];
        let change = Change::Cut(usize::try_from(len).expect("small"));
        change.apply(&mut file.bytes);
        file.unsynced.push(change);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let operated = self.disk.operate(false);
        let Ok(mut state) = operated else {
            // What the kernel kept of it is unknown, and no later sync will write it.
            self.disk.state().files[self.file].doubtful = true;
            return operated.map(drop);
        };
        let file = &mut state.files[self.file];
        if !file.doubtful {
            file.durable = file.bytes.clone();
            file.unsynced.clear();
        }
        Ok(())
    }
}
