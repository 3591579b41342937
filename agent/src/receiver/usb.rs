//! Which USB device is behind a serial port, as the kernel tells it under `/sys`. A receiver that is
//! unplugged and plugged in again may come back under another name; its vendor, product and serial
//! number stay.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the kernel lists serial ports.
pub(super) const SYS_TTY: &str = "/sys/class/tty";

/// How far above the port its USB device may stand: the interface, a converter's port, the device.
const LEVELS_MAX: usize = 6;

/// A USB device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsbId {
    vendor: String,
    product: String,
    /// Cheap converters have none.
    serial: Option<String>,
    /// One device may have several ports.
    interface: Option<String>,
}

impl UsbId {
    /// Of a port; `None` for ports that are not on USB.
    pub(super) fn of(sys_tty: &Path, port: &Path) -> Option<Self> {
        let name = fs::canonicalize(port).ok()?;
        Self::by_name(sys_tty, Path::new(name.file_name()?))
    }

    fn by_name(sys_tty: &Path, name: &Path) -> Option<Self> {
        let device = fs::canonicalize(sys_tty.join(name).join("device")).ok()?;
        let read = |folder: &Path, file: &str| {
            fs::read_to_string(folder.join(file)).ok().map(|text| text.trim().to_owned())
        };
        let mut above = device.ancestors().take(LEVELS_MAX);
        let usb = above.find(|folder| folder.join("idVendor").is_file())?;
        let interface =
            device.ancestors().take(LEVELS_MAX).find_map(|folder| read(folder, "bInterfaceNumber"));
        Some(Self {
            vendor: read(usb, "idVendor")?,
            product: read(usb, "idProduct")?,
            serial: read(usb, "serial"),
            interface,
        })
    }

    /// The port behind which this device is to be found, whatever it is called.
    pub(super) fn find(&self, sys_tty: &Path) -> Option<PathBuf> {
        let mut names: Vec<_> = fs::read_dir(sys_tty)
            .ok()?
            .filter_map(Result::ok)
            .map(|entry| entry.file_name())
            .collect();
        names.sort_unstable();
        let found = names.into_iter().find(|name| {
            Self::by_name(sys_tty, Path::new(name)).is_some_and(|other| other == *self)
        })?;
        Some(Path::new("/dev").join(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A piece of `/sys`: a USB device with one serial port, called `name`.
    fn plug(root: &Path, bus: &str, name: &str, serial: &str) {
        let usb = root.join("devices").join(bus);
        let interface = usb.join(format!("{bus}:1.0"));
        let port = interface.join(name);
        fs::create_dir_all(&port).expect("a folder");
        for (file, text) in [("idVendor", "1546\n"), ("idProduct", "01a8\n"), ("serial", serial)] {
            fs::write(usb.join(file), text).expect("written");
        }
        fs::write(interface.join("bInterfaceNumber"), "00\n").expect("written");
        let class = root.join("class").join(name);
        fs::create_dir_all(&class).expect("a folder");
        symlink(&port, class.join("device")).expect("a link");
    }

    #[test]
    fn a_device_is_found_again_under_another_name_and_not_mistaken_for_its_like() {
        let root = tempfile::tempdir().expect("a folder");
        let class = root.path().join("class");
        plug(root.path(), "1-1", "ttyACM0", "AB12\n");
        plug(root.path(), "1-2", "ttyACM1", "CD34\n");
        let id = UsbId::by_name(&class, Path::new("ttyACM0")).expect("on USB");
        fs::remove_dir_all(class.join("ttyACM0")).expect("unplugged");
        assert_eq!(id.find(&class), None);
        plug(root.path(), "1-3", "ttyACM7", "AB12\n");
        assert_eq!(id.find(&class), Some("/dev/ttyACM7".into()));
    }

    #[test]
    fn a_port_that_is_not_on_usb_has_no_usb_device() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("ttyS0/device")).expect("a folder");
        assert_eq!(UsbId::by_name(root.path(), Path::new("ttyS0")), None);
    }
}
