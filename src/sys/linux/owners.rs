//! Which processes have a socket: `/proc/PID/fd` of every process that may be looked into (`proc_pid_fd(5)`).

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io;
use std::num::NonZero;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::netlink::u16_at;
use crate::sys::{Owner, Owners, Process, SocketOptions};

/// A thread is started for so many processes; fewer are quicker looked into than a thread is started.
const PROCESSES_A_THREAD: usize = 64;
/// More threads than this wait for each other in the kernel.
const MOST_THREADS: usize = 8;
/// Room for about a thousand directory entries a call.
const DIRECTORY_BUFFER: usize = 32 * 1024;

pub(in crate::sys) fn owners(inodes: &[u32]) -> Owners {
    let mut inodes: Vec<u32> = inodes.iter().copied().filter(|inode| *inode != 0).collect();
    inodes.sort_unstable();
    inodes.dedup();
    if inodes.is_empty() {
        return Owners { processes: Vec::new(), is_complete: true };
    }
    let Ok(proc) = File::open("/proc") else { return Owners::default() };
    let mut pids: Vec<u32> = Vec::new();
    let mut buffer = Vec::new();
    let listed = entries(proc.as_raw_fd(), &mut buffer, |name| pids.extend(number(name.to_bytes())));
    if listed.is_err() {
        return Owners::default();
    }
    let walk = Walk { proc: &proc, pids: &pids, inodes: &inodes, next: AtomicUsize::new(0) };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (pids.len() / PROCESSES_A_THREAD + 1).min(cores).min(MOST_THREADS);
    // With `hidepid` the processes of others are not even listed (`proc(5)`), the first of all among them.
    let found = Mutex::new(Owners { processes: Vec::new(), is_complete: pids.contains(&1) });
    thread::scope(|scope| {
        let work = || {
            let part = walk.run();
            let mut found = found.lock().expect("no thread panics while it holds this");
            found.processes.extend(part.processes);
            found.is_complete &= part.is_complete;
        };
        for _ in 1..threads {
            // Without a thread the others do its part.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut found = found.into_inner().expect("no thread panics while it holds this");
    found.processes.sort_unstable_by_key(|owner| owner.process.pid);
    found
}

/// The processes that are to be looked into, which several threads share.
struct Walk<'a> {
    proc: &'a File,
    pids: &'a [u32],
    /// What is looked for, sorted.
    inodes: &'a [u32],
    next: AtomicUsize,
}

impl Walk<'_> {
    /// Looks into one process after another until there are none left.
    fn run(&self) -> Owners {
        let mut found = Owners { processes: Vec::new(), is_complete: true };
        let mut buffer = Vec::new();
        let mut sockets = Vec::new();
        while let Some(pid) = self.pids.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            match self.sockets_of(*pid, &mut buffer, &mut sockets) {
                Ok(()) if !sockets.is_empty() => {
                    let sockets = std::mem::take(&mut sockets);
                    found.processes.push(Owner { process: process(*pid), sockets });
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => found.is_complete = false,
                // None that is wanted, or the process has ended.
                Ok(()) | Err(_) => {}
            }
        }
        found
    }

    /// The wanted sockets of a process: inode and descriptor.
    fn sockets_of(&self, pid: u32, buffer: &mut Vec<u8>, found: &mut Vec<(u32, i32)>) -> io::Result<()> {
        found.clear();
        let path = CString::new(format!("{pid}/fd")).expect("no NUL in a number");
        // SAFETY: the path is a C string for the length of the call.
        let folder = unsafe {
            libc::openat(
                self.proc.as_raw_fd(),
                path.as_ptr(),
                libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC,
            )
        };
        if folder < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just opened it, and nobody else has it.
        let folder = unsafe { OwnedFd::from_raw_fd(folder) };
        let folder = folder.as_raw_fd();
        let mut refusal = None;
        entries(folder, buffer, |name| match socket_inode(folder, name) {
            Ok(Some(inode)) => {
                let is_wanted = match self.inodes {
                    [only] => *only == inode,
                    several => several.binary_search(&inode).is_ok(),
                };
                if is_wanted && let Some(descriptor) = number(name.to_bytes()) {
                    found.push((inode, descriptor.cast_signed()));
                }
            }
            // Who may list descriptors may not always see where they lead to.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refusal = Some(error),
            Ok(None) | Err(_) => {}
        })?;
        refusal.map_or(Ok(()), Err)
    }
}

/// The inode of the socket that a descriptor leads to, if it is one: the link reads `socket:[INODE]`.
fn socket_inode(folder: RawFd, name: &CStr) -> io::Result<Option<u32>> {
    let mut link = [0_u8; 32];
    // SAFETY: the name is a C string, and the buffer has the length beside it.
    let length = unsafe { libc::readlinkat(folder, name.as_ptr(), link.as_mut_ptr().cast(), link.len()) };
    let Ok(length) = usize::try_from(length) else { return Err(io::Error::last_os_error()) };
    let inode = |link: &[u8]| number(link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?);
    Ok(link.get(..length).and_then(inode))
}

/// The name of each entry of an open directory (`getdents64(2)`).
fn entries(folder: RawFd, buffer: &mut Vec<u8>, mut each: impl FnMut(&CStr)) -> io::Result<()> {
    /// `d_ino`, `d_off`, `d_reclen` and `d_type` stand before the name.
    const NAME_AT: usize = 19;
    buffer.resize(DIRECTORY_BUFFER, 0);
    loop {
        // SAFETY: the buffer has the length beside it.
        let read = unsafe { libc::syscall(libc::SYS_getdents64, folder, buffer.as_mut_ptr(), buffer.len()) };
        let Ok(read) = usize::try_from(read) else { return Err(io::Error::last_os_error()) };
        if read == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..read];
        while let Some(length) = u16_at(rest, 16).map(usize::from).filter(|length| *length > NAME_AT) {
            let entry = rest.get(..length).unwrap_or_default();
            if let Some(name) = entry.get(NAME_AT..).and_then(|name| CStr::from_bytes_until_nul(name).ok()) {
                each(name);
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

/// A decimal number of nothing but digits.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// What is known of a process; everybody may read its name, its command line and its control group.
fn process(pid: u32) -> Process {
    let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).ok();
    let mut name = read("comm").unwrap_or_default();
    name.pop_if(|byte| *byte == b'\n');
    let mut command = read("cmdline").unwrap_or_default();
    while command.pop_if(|byte| *byte == 0).is_some() {}
    command.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
    let netns = fs::metadata(format!("/proc/{pid}/ns/net")).ok().map(|it| it.ino());
    let control_group = read("cgroup").and_then(|text| control_group(&text));
    let parent = read("stat").and_then(|text| parent(&text));
    let uid = fs::metadata(format!("/proc/{pid}")).ok().map(|it| it.uid());
    Process { pid, name, command, control_group, netns, parent, uid }
}

/// The parent in `/proc/PID/stat` (`proc_pid_stat(5)`): behind the name, which is in parentheses and may hold any bytes, stand
/// the state and the parent.
fn parent(text: &[u8]) -> Option<u32> {
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = text.get(end + 1..)?.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    number(fields.nth(1)?)
}

/// What is known of a process; `None` if it is gone.
pub(in crate::sys) fn known_process(pid: u32) -> Option<Process> {
    Some(process(pid)).filter(|process| !process.name.is_empty())
}

/// The path in `/proc/PID/cgroup`: that of version 2, or of version 1 the one systemd keeps (`cgroups(7)`).
fn control_group(text: &[u8]) -> Option<Vec<u8>> {
    let path = |line: &[u8]| -> Option<(bool, Vec<u8>)> {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        // In version 1 systemd's own hierarchy has no controller but its name.
        let is_systemd = controllers == b"name=systemd";
        (controllers.is_empty() || is_systemd).then(|| (is_systemd, path.to_vec()))
    };
    let mut paths: Vec<_> = text.split(|byte| *byte == b'\n').filter_map(path).collect();
    // Where both are mounted, version 2 may have but the root.
    paths.sort_by_key(|(is_systemd, path)| (path == b"/", *is_systemd));
    paths.into_iter().next().map(|(_, path)| path)
}

/// The network namespace of this process, as `stat(2)` numbers it.
pub(in crate::sys) fn own_netns() -> Option<u64> {
    fs::metadata("/proc/self/ns/net").ok().map(|it| it.ino())
}

/// The name that `ip netns` has given to a network namespace.
pub(in crate::sys) fn netns_name(inode: u64) -> Option<Vec<u8>> {
    let entries = fs::read_dir("/run/netns").ok()?;
    let is_it = |entry: &fs::DirEntry| fs::metadata(entry.path()).is_ok_and(|it| it.ino() == inode);
    entries.flatten().find(is_it).map(|entry| entry.file_name().as_bytes().to_vec())
}

/// The paths of control groups by their ids, which are the inodes of their folders.
pub(in crate::sys) fn control_groups(ids: &[u64]) -> Vec<(u64, Vec<u8>)> {
    /// Where version 2 is mounted: alone, or beside version 1.
    const ROOTS: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    /// Deeper than any manager makes them.
    const DEEPEST: usize = 24;
    let mut found = Vec::new();
    let Some(root) = ROOTS.iter().find(|root| Path::new(root).join("cgroup.controllers").exists()) else {
        return found;
    };
    let mut folders = vec![(Path::new(root).to_owned(), 0)];
    if let Ok(whole) = fs::metadata(root)
        && ids.contains(&whole.ino())
    {
        found.push((whole.ino(), b"/".to_vec()));
    }
    while let Some((folder, depth)) = folders.pop() {
        if found.len() == ids.len() || depth == DEEPEST {
            continue;
        }
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir())) {
            let path = entry.path();
            if ids.contains(&entry.ino()) {
                found.push((entry.ino(), path.as_os_str().as_bytes()[root.len()..].to_vec()));
            }
            folders.push((path, depth + 1));
        }
    }
    found
}

/// What is set of another process's socket, which a descriptor there led to; `None` where this user may not see it
/// (`pidfd_getfd(2)`, since Linux 5.6).
pub(in crate::sys) fn socket_options(pid: u32, descriptor: i32, inode: u32) -> Option<SocketOptions> {
    // SAFETY: the call takes numbers only, and gives a descriptor or a negative number.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    // SAFETY: the call has just opened it, and nobody else has it.
    let process = unsafe { OwnedFd::from_raw_fd(descriptor_of(process)?) };
    // SAFETY: as above.
    let socket = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0) };
    // SAFETY: as above.
    let socket = File::from(unsafe { OwnedFd::from_raw_fd(descriptor_of(socket)?) });
    // Meanwhile the number may have come to stand for something else.
    if socket.metadata().ok()?.ino() != u64::from(inode) {
        return None;
    }
    let socket = socket2::SockRef::from(&socket);
    Some(SocketOptions { reuse_address: socket.reuse_address().ok()?, v6only: socket.only_v6().ok() })
}

fn descriptor_of(result: libc::c_long) -> Option<RawFd> {
    RawFd::try_from(result).ok().filter(|descriptor| *descriptor >= 0)
}

/// Whether this process may bind privileged ports in its network namespace (`capabilities(7)`); `None` where that
/// cannot be told.
pub(in crate::sys) fn may_bind_privileged() -> Option<bool> {
    /// NS_GET_USERNS (`ioctl_ns(2)`).
    const NS_GET_USERNS: libc::Ioctl = 0xb701;
    const CAP_NET_BIND_SERVICE: u32 = 10;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let effective = u64::from_str_radix(effective.trim(), 16).ok()?;
    if effective >> CAP_NET_BIND_SERVICE & 1 == 0 {
        return Some(false);
    }
    // It counts only if the user namespace that owns the network namespace is this process's own, or below it: one
    // above is not told.
    let netns = File::open("/proc/self/ns/net").ok()?;
    // SAFETY: the call takes no argument, and gives a descriptor or a negative number.
    let owner = unsafe { libc::ioctl(netns.as_raw_fd(), NS_GET_USERNS) };
    if owner < 0 {
        return match io::Error::last_os_error().raw_os_error() {
            Some(libc::EPERM) => Some(false),
            _ => None,
        };
    }
    // SAFETY: the call has just opened it, and nobody else has it.
    drop(unsafe { OwnedFd::from_raw_fd(owner) });
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_and_nothing_else() {
        assert_eq!((number(b"0"), number(b"4294967295")), (Some(0), Some(u32::MAX)));
        for wrong in [&b""[..], b"4294967296", b"-1", b"+1", b"1 ", b"self", b"\xb9"] {
            assert_eq!(number(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_control_group_of_either_version() {
        for (text, path) in [
            ("0::/system.slice/nginx.service\n", Some("/system.slice/nginx.service")),
            (
                "12:cpu,cpuacct:/a\n1:name=systemd:/system.slice/x.service\n0::/\n",
                Some("/system.slice/x.service"),
            ),
            ("1:name=systemd:/a\n0::/b:c\n", Some("/b:c")),
            ("0::/\n", Some("/")),
            ("4:memory:/x\n", None),
            ("", None),
            ("0:", None),
        ] {
            assert_eq!(control_group(text.as_bytes()), path.map(|path| path.as_bytes().to_vec()), "{text:?}");
        }
    }

    #[test]
    fn the_parent_stands_behind_whatever_name() {
        for (text, expected) in [
            ("7 (nginx) S 5 7 7 0", Some(5)),
            ("7 (a) S 9 (b) S 5 7", Some(5)),
            ("7 (x", None),
            ("7 (x) S", None),
            ("", None),
        ] {
            assert_eq!(parent(text.as_bytes()), expected, "{text}");
        }
        let own = known_process(std::process::id()).expect("this one");
        assert!(own.parent.is_some_and(|parent| parent > 0) && own.uid.is_some(), "{own:?}");
    }

    #[test]
    fn a_directory_is_listed_whole() {
        let folder = File::open("/proc/self").expect("Linux has it");
        let mut names = Vec::new();
        entries(folder.as_raw_fd(), &mut Vec::new(), |name| names.push(name.to_owned())).expect("readable");
        for name in [c"fd", c"comm", c"cgroup"] {
            assert!(names.iter().any(|known| known.as_c_str() == name), "{name:?}");
        }
    }

    /// A socket of this very process is found with its descriptor, and whether it reuses its address is told.
    #[test]
    fn an_own_socket_is_found() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a loopback");
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("it is open");
        let link = link.to_string_lossy().into_owned();
        let inode = link.trim_start_matches("socket:[").trim_end_matches(']').parse().expect("an inode");
        let owners = owners(&[inode, 0]);
        let own =
            owners.processes.iter().find(|owner| owner.process.pid == std::process::id()).expect("found");
        assert_eq!(own.sockets, [(inode, socket.as_raw_fd())]);
        assert!(!own.process.name.is_empty() && !own.process.command.is_empty());
        assert_eq!(own.process.netns, own_netns());
        let ask = |inode| socket_options(std::process::id(), socket.as_raw_fd(), inode);
        if let Some(options) = ask(inode) {
            assert_eq!(options, SocketOptions { reuse_address: false, v6only: None });
            socket2::SockRef::from(&socket).set_reuse_address(true).expect("it can be set");
            assert_eq!(ask(inode), Some(SocketOptions { reuse_address: true, v6only: None }));
            assert_eq!(ask(inode + 1), None, "another socket than was meant");
        }
    }
}
