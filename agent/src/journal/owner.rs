//! Whose journal is in a data folder.

use std::path::Path;

use tripline_agent_core::segment::{HEADERS_LEN, read_header};
use tripline_protocol::id::DeviceId;

use super::catalog::parse_name;
use super::disk::Disk as _;
use super::folder::Folder;
use super::image;

/// The device whose journal is in the data folder; `None` if there is none, or nothing of it can be read.
/// It changes nothing, and works beside a running agent.
pub fn owner(data_dir: &Path) -> Option<DeviceId> {
    let disk = Folder::new(data_dir);
    let names = disk.list().ok()?;
    names.iter().filter(|name| parse_name(name).is_some()).find_map(|name| {
        let mut head = vec![0; HEADERS_LEN];
        let len = image::read_at(disk.open(name).ok()?.as_ref(), &mut head, 0).ok()?;
        head.truncate(len);
        Some(read_header(&head)?.device)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config;
    use crate::journal::Journal;
    use tripline_protocol::id::JournalEpoch;

    #[test]
    fn a_journal_tells_whose_it_is_once_it_has_a_record_and_an_empty_folder_nobodys() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(owner(dir.path()), None);
        let device: DeviceId = "ka-01-ab-1234".parse().expect("valid");
        let limits = config::Journal::default().limits();
        let disk = Arc::new(Folder::new(dir.path()));
        let opened = Journal::open(disk, &device, JournalEpoch(1), limits).expect("opened");
        drop(opened);
        assert!(owner(dir.path()).is_none_or(|owner| owner == device));
    }
}
