//! A small disk of its own, mounted for one case: it can be full without anybody else's coming to harm.
#![expect(clippy::disallowed_methods, reason = "a test fills a disk")]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Says that the program is where its mounts are nobody else's, and go when it goes.
const APART: &str = "TALLYBOOK_MOUNTS_APART";

/// What a file system needs for itself.
const LOG_BYTES: u64 = 1_200 << 10;

/// Runs this program once more where its mounts are its own: whatever becomes of it, none is left behind. Comes back only
/// where that is so already, or is not possible.
pub(crate) fn go_apart() {
    if std::env::var_os(APART).is_some() {
        return;
    }
    // As root; else as one who is root only there.
    for flags in ["-m", "-rm"] {
        let is_possible = quietly(Command::new("unshare").args([flags, "true"])).is_ok();
        if let (true, Ok(program)) = (is_possible, std::env::current_exe()) {
            let mut command = Command::new("unshare");
            command.arg(flags).arg(program).args(std::env::args_os().skip(1)).env(APART, "1");
            // Comes back only when it fails; then the mounts say what is not possible.
            drop(command.exec());
        }
    }
}

/// Runs a command that says something only when it fails.
fn quietly(command: &mut Command) -> Result<(), String> {
    let what = || format!("{command:?}");
    let what = what();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// What kind of disk it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In memory.
    Memory,
    /// A real file system in a file: it promises room before it gives it.
    Ext4,
    /// The same in a file that has no room for all that the file system believes to have: a sync fails long after the
    /// write that was promised.
    Overdrawn,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Memory => "disks: tmpfs",
            Kind::Ext4 => "disks: ext4",
            Kind::Overdrawn => "disks: ext4 on less than it believes to have",
        }
    }
}

/// A mounted disk. It is unmounted when this is dropped.
pub(crate) struct Disk {
    kind: Kind,
    /// What is beside the disk, and goes last.
    home: TempDir,
}

impl Disk {
    /// A disk of about that many bytes; why not, where this machine does not allow it.
    pub(crate) fn mount(kind: Kind, bytes: u64) -> Result<Disk, String> {
        let home = tempfile::tempdir().map_err(|error| error.to_string())?;
        let disk = Disk { kind, home };
        for place in [disk.root(), disk.below()] {
            fs::create_dir(place).map_err(|error| error.to_string())?;
        }
        match kind {
            Kind::Memory => mount_tmpfs(bytes, &disk.root())?,
            Kind::Ext4 => {
                disk.make_image(bytes + LOG_BYTES)?;
                disk.mount_image()?;
            }
            Kind::Overdrawn => {
                mount_tmpfs(bytes, &disk.below())?;
                disk.make_image(bytes * 8)?;
                disk.mount_image()?;
            }
        }
        Ok(disk)
    }

    /// The root directory of the disk.
    pub(crate) fn root(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    /// A directory on another disk.
    pub(crate) fn beside(&self) -> &Path {
        self.home.path()
    }

    /// Where the image is that the disk is in.
    fn below(&self) -> PathBuf {
        self.home.path().join("below")
    }

    fn image(&self) -> PathBuf {
        self.below().join("image")
    }

    fn make_image(&self, bytes: u64) -> Result<(), String> {
        let image = File::create(self.image()).map_err(|error| error.to_string())?;
        image.set_len(bytes).map_err(|error| error.to_string())?;
        // Small blocks, no room kept for root, and a log as small as can be.
        let flags = ["-q", "-F", "-m", "0", "-b", "1024", "-J", "size=1", "-E", "nodiscard"];
        quietly(Command::new("mkfs.ext4").args(flags).arg(self.image()))
    }

    fn mount_image(&self) -> Result<(), String> {
        quietly(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.root()))
    }

    /// Takes the disk out and puts it in again, with as much below it as it believes to have: what comes back is what is
    /// really on it.
    pub(crate) fn mount_again_with_room(&self) {
        assert_eq!(self.kind, Kind::Overdrawn);
        quietly(Command::new("umount").arg(self.root())).unwrap();
        let below = self.below();
        quietly(Command::new("mount").args(["-o", "remount,size=256m"]).arg(below)).unwrap();
        self.mount_image().unwrap();
    }

    /// How many bytes are free.
    pub(crate) fn free(&self) -> u64 {
        let output = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(self.root()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (blocks, size) = text.trim().split_once(' ').unwrap();
        blocks.parse::<u64>().unwrap() * size.parse::<u64>().unwrap()
    }

    /// Makes a file grow by so many bytes, or until there is no more room: then it is `false`.
    pub(crate) fn grow(&self, name: &str, bytes: usize) -> bool {
        let mut file = OpenOptions::new().append(true).create(true).open(self.root().join(name)).unwrap();
        let block = vec![0x55; 4_096];
        let mut left = bytes;
        while left > 0 {
            match file.write(&block[..left.min(block.len())]) {
                Ok(written) => left -= written,
                Err(_) => return false,
            }
        }
        true
    }

    /// Makes a file grow until there is not a byte left, and then gives so many back.
    pub(crate) fn fill(&self, name: &str, leave: u64) {
        while self.grow(name, 1 << 20) {}
        while self.grow(name, 1) {}
        let file = OpenOptions::new().write(true).open(self.root().join(name)).unwrap();
        // Only now it is known whether there is room for all of that.
        drop(file.sync_all());
        if leave > 0 {
            let len = file.metadata().unwrap().len();
            file.set_len(len.saturating_sub(leave)).unwrap();
            file.sync_all().unwrap();
        }
        drop(file);
        if leave == 0 {
            while self.grow(name, 512) {}
        }
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &str) {
        drop(fs::remove_file(self.root().join(name)));
    }

    /// A file that has its length, and not a byte of room.
    pub(crate) fn make_hole(&self, path: &Path, len: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(path).unwrap().set_len(len).unwrap();
    }
}

fn mount_tmpfs(bytes: u64, at: &Path) -> Result<(), String> {
    quietly(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"]).arg(at))
}

impl Drop for Disk {
    fn drop(&mut self) {
        for place in [self.root(), self.below()] {
            let plainly = quietly(Command::new("umount").arg(&place));
            if plainly.is_err() {
                // Not mounted at all, or something is still busy there: then it goes as soon as that is over.
                drop(quietly(Command::new("umount").arg("-l").arg(&place)));
            }
        }
    }
}
