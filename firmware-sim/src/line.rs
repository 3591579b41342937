//! The serial line: a pseudo-terminal behind a symbolic link, which behaves like a UART.
//!
//! A pseudo-terminal passes bytes at any baud rate and keeps them for whoever reads late. A wire does
//! neither: at the wrong rate it delivers garbage, and what nobody reads is gone.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, process};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    OptionalActions, QueueSelector, ioctl_tiocnxcl, tcflush, tcgetattr, tcsetattr,
};

use crate::chance::Chance;

/// A line that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The kernel refused a pseudo-terminal.
    #[error(
        "cannot make a pseudo-terminal ({0}); is /dev/pts mounted, and are any left (kernel.pty.max)?"
    )]
    NoPty(#[source] io::Error),
    /// Something that is not a symbolic link stands at the path.
    #[error("{} exists and is not a symbolic link; remove it or choose another path", .0.display())]
    NotASymlink(PathBuf),
    /// The file system refused the symbolic link.
    #[error("cannot make the symbolic link {} ({source}); does its directory exist, and may you write there?", path.display())]
    NoSymlink {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What became of bytes given to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that nobody will read: the buffer was full, and they or those before them were dropped.
    pub dropped_bytes: usize,
    /// The rate the reader's side is set to.
    pub port_baud: u32,
    /// Whether that rate differs from the one seen before.
    pub port_baud_changed: bool,
}

/// A plugged-in receiver. Dropping it unplugs it: the link goes, and readers see a hangup.
#[derive(Debug)]
pub struct SerialLine {
    master: OwnedFd,
    /// Ours, so that the master lives on while nobody else has the port open, and so that the
    /// reader's settings can be read.
    slave: OwnedFd,
    device: PathBuf,
    link: PathBuf,
    baud: u32,
    port_baud: u32,
}

impl SerialLine {
    /// Makes a pseudo-terminal and points the symbolic link `link` at it.
    pub fn open(link: &Path, baud: u32) -> Result<Self, LineError> {
        refuse_other_than_symlink(link)?;
        let (master, slave, device) = make_pty().map_err(|e| LineError::NoPty(e.into()))?;
        point(link, &device)
            .map_err(|source| LineError::NoSymlink { path: link.to_owned(), source })?;
        let port_baud = port_baud(&slave);
        Ok(Self { master, slave, device, link: link.to_owned(), baud, port_baud })
    }

    /// The real device, `/dev/pts/N`.
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// The rate the reader's side is set to, in baud.
    pub fn port_baud(&self) -> u32 {
        port_baud(&self.slave)
    }

    /// Sends bytes to whoever listens, without ever waiting. At the wrong rate as many garbage bytes
    /// arrive, the same for the same data.
    pub fn send(&mut self, bytes: &[u8]) -> Sent {
        // A reader takes the port for itself, and closing it gives it back. Since ours stays open, the
        // next reader would be refused, unless it is root.
        let _ = ioctl_tiocnxcl(&self.slave);
        let port_baud = self.port_baud();
        let port_baud_changed = port_baud != self.port_baud;
        self.port_baud = port_baud;
        if port_baud_changed {
            // What was sent at the old rate is past; the reader must not find it at the new one.
            self.flush();
        }
        let dropped_bytes = if port_baud == self.baud {
            self.put(bytes)
        } else {
            self.put(&Chance::from_bytes(bytes).bytes(bytes.len()))
        };
        Sent { dropped_bytes, port_baud, port_baud_changed }
    }

    /// What the agent wrote to the receiver, nothing of it if its port is at another rate. To be called
    /// now and then even if nobody cares, lest the agent's writes block some day.
    pub fn receive(&self) -> Vec<u8> {
        let mut received = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = rustix::io::read(&self.master, &mut buffer) {
            received.extend_from_slice(&buffer[..count]);
        }
        if self.port_baud() == self.baud { received } else { Vec::new() }
    }

    /// Returns how many bytes were dropped.
    fn put(&self, bytes: &[u8]) -> usize {
        let written = match rustix::io::write(&self.master, bytes) {
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(_) => return bytes.len(),
        };
        if written == bytes.len() {
            return 0;
        }
        // Full: nobody has read for seconds. The backlog would be served as news, so it goes too.
        let stale_bytes = rustix::io::ioctl_fionread(&self.slave).unwrap_or(0);
        self.flush();
        bytes.len() - written + usize::try_from(stale_bytes).unwrap_or(0)
    }

    /// Empties both buffers of the way to the reader: the driver's, then the line discipline's. Failing
    /// to leaves stale bytes, which a reader must cope with anyway.
    fn flush(&self) {
        let _ = tcflush(&self.master, QueueSelector::OFlush);
        let _ = tcflush(&self.slave, QueueSelector::IFlush);
    }
}

impl Drop for SerialLine {
    fn drop(&mut self) {
        // Another simulator may have taken the path over; its link stays.
        if fs::read_link(&self.link).is_ok_and(|target| target == self.device) {
            let _ = fs::remove_file(&self.link);
        }
    }
}

fn make_pty() -> Result<(OwnedFd, OwnedFd, PathBuf), Errno> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    rustix::io::ioctl_fionbio(&master, true)?;
    let name = ptsname(&master, Vec::new())?;
    let device = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(&device, flags, Mode::empty())?;
    let mut settings = tcgetattr(&slave)?;
    settings.make_raw();
    tcsetattr(&slave, OptionalActions::Now, &settings)?;
    Ok((master, slave, device))
}

/// The rate of the port, 0 if its two directions differ: no UART works like that.
fn port_baud(slave: &OwnedFd) -> u32 {
    let settings = tcgetattr(slave).ok();
    settings.filter(|s| s.input_speed() == s.output_speed()).map_or(0, |s| s.output_speed())
}

fn refuse_other_than_symlink(link: &Path) -> Result<(), LineError> {
    match fs::symlink_metadata(link) {
        Ok(found) if !found.is_symlink() => Err(LineError::NotASymlink(link.to_owned())),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// By way of a link beside it and a rename, so that the path never points nowhere.
fn point(link: &Path, device: &Path) -> io::Result<()> {
    let mut beside = link.as_os_str().to_owned();
    beside.push(format!(".{}", process::id()));
    let _ = fs::remove_file(&beside);
    std::os::unix::fs::symlink(device, &beside)?;
    fs::rename(&beside, link).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a new pseudo-terminal is set to.
    const FRESH_BAUD: u32 = 38_400;

    fn open(baud: u32) -> (tempfile::TempDir, SerialLine) {
        let dir = tempfile::tempdir().expect("a directory");
        let line = SerialLine::open(&dir.path().join("gnss"), baud).expect("a line");
        (dir, line)
    }

    fn read(line: &SerialLine) -> Vec<u8> {
        let mut buffer = [0; 4096];
        let count = rustix::io::read(&line.slave, &mut buffer).expect("bytes");
        buffer[..count].to_vec()
    }

    #[test]
    fn a_full_line_drops_its_backlog_so_that_the_next_bytes_are_fresh() {
        let (_dir, mut line) = open(FRESH_BAUD);
        while line.send(&[b'x'; 512]).dropped_bytes == 0 {}
        assert_eq!(line.send(b"fresh").dropped_bytes, 0);
        assert_eq!(read(&line), b"fresh");
    }

    #[test]
    fn what_was_sent_at_one_rate_is_not_read_at_another() {
        let (_dir, mut line) = open(9_600);
        line.send(b"garbled");
        let mut settings = tcgetattr(&line.slave).expect("settings");
        settings.set_speed(9_600).expect("a rate");
        tcsetattr(&line.slave, OptionalActions::Now, &settings).expect("settings");
        let sent = line.send(b"clear");
        assert_eq!((sent.port_baud, sent.port_baud_changed), (9_600, true));
        assert_eq!(read(&line), b"clear");
    }

    #[test]
    fn garbage_of_the_same_data_is_the_same() {
        let (_dir, mut line) = open(9_600);
        line.send(b"$GPTXT");
        let garbage = read(&line);
        line.send(b"$GPTXT");
        assert_eq!(read(&line), garbage);
        assert_eq!(garbage.len(), 6);
        assert_ne!(garbage, b"$GPTXT");
    }
}
