//! Building networks: hosts are network namespaces, cables are veth pairs.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::common::{self, Run, Server};

/// Set in the process that is already inside.
const INSIDE: &str = "NETDIAG_LAB_INSIDE";

/// Where this process stands.
pub(crate) enum Stage {
    /// It was outside; the tests have run in a child, which ended so.
    Outside(ExitCode),
    /// It is inside.
    Inside,
    /// There is no way inside.
    Unavailable(String),
}

/// Runs this program again inside namespaces of its own.
pub(crate) fn enter() -> Stage {
    if std::env::var_os(INSIDE).is_some() {
        return match prepare() {
            Ok(()) => Stage::Inside,
            Err(reason) => Stage::Unavailable(reason),
        };
    }
    for program in ["unshare", "nsenter", "ip", "nft"] {
        if !common::has(program) {
            return Stage::Unavailable(format!("'{program}' is not installed"));
        }
    }
    let flags: &[&str] =
        if is_root() { &["--net", "--mount"] } else { &["--user", "--map-root-user", "--net", "--mount"] };
    let tried = Command::new("unshare").args(flags).arg("true").stderr(Stdio::piped()).output();
    match tried {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            return Stage::Unavailable(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Err(error) => return Stage::Unavailable(format!("unshare: {error}")),
    }
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    let program = std::env::current_exe().expect("a test program knows where it is");
    let user = if is_root() { "root" } else { "user" };
    let mut inside = Command::new("unshare");
    inside
        .args(flags)
        .arg("--")
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, user)
        .env("PATH", path);
    match inside.status() {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            Stage::Outside(ExitCode::from(code))
        }
        Err(error) => Stage::Unavailable(format!("unshare: {error}")),
    }
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t0\t")))
}

/// Whether the lab was entered as root, who can become other users.
pub(crate) fn can_become_nobody() -> bool {
    std::env::var(INSIDE).as_deref() == Ok("root")
}

/// Makes `/run` and name resolution this lab's own, so that nothing outside is touched.
fn prepare() -> Result<(), String> {
    let hosts = "127.0.0.1 localhost\n::1 localhost\n127.0.0.1 dual.test\n::1 dual.test\n10.8.0.2 far.test\n";
    sh("mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/netns && ip link set lo up")?;
    std::fs::write("/run/hosts", hosts).map_err(|error| error.to_string())?;
    std::fs::write("/run/resolv.conf", "nameserver 127.0.0.1\n").map_err(|error| error.to_string())?;
    sh(
        "mount --bind /run/hosts /etc/hosts && mount --bind /run/resolv.conf \"$(readlink -f /etc/resolv.conf)\"",
    )
}

fn sh(script: &str) -> Result<(), String> {
    let output = Command::new("sh").args(["-ec", script]).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// One host: a network namespace, which is torn down some time after the value is gone.
pub(crate) struct Host {
    name: String,
}

impl Host {
    /// Makes a host with nothing but its loopback, up.
    pub(crate) fn new(role: &str) -> Self {
        let [host] = Self::several([role]);
        host
    }

    /// Makes several hosts at once, which takes fewer processes than one after the other.
    pub(crate) fn several<const N: usize>(roles: [&str; N]) -> [Self; N] {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let hosts =
            roles.map(|role| Self { name: format!("{role}-{}", COUNT.fetch_add(1, Ordering::Relaxed)) });
        let mut script = String::new();
        for Self { name } in &hosts {
            // Addresses are used at once; nobody else could have them.
            write!(
                script,
                "ip netns add {name}; nsenter --net=/run/netns/{name} sh -ec 'ip link set lo up
                 echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'\n"
            )
            .expect("memory");
        }
        sh(&script).expect("making namespaces");
        hosts
    }

    /// The name that `ip netns` has for its network namespace.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The file of its network namespace.
    pub(crate) fn namespace(&self) -> String {
        format!("/run/netns/{}", self.name)
    }

    /// A command inside this host.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg("--").arg(program);
        common::plain(&mut command);
        command
    }

    /// Runs a shell script inside this host; it must succeed.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        let output = self.command("sh").args(["-ec", script]).output().expect("sh starts");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until the kernel has noticed that the cables of these interfaces (names with blanks between) are whole, without
    /// which it does no neighbour discovery, and until their addresses work.
    #[track_caller]
    pub(crate) fn wait_until_up(&self, interfaces: &str) {
        for interface in interfaces.split(' ') {
            self.wait_until(interface, &format!("ip link show dev {interface} | grep -q 'state UP'"));
        }
        self.wait_for_addresses(interfaces);
    }

    /// Waits until what is sent to the IPv6 addresses of these interfaces (names with blanks between) is received. A work
    /// queue of the kernel has to run for that, which may wait for other namespaces: it ends the search for duplicates, and
    /// without one it still makes the local route of the address (`addrconf_dad_completed`, net/ipv6/addrconf.c).
    #[track_caller]
    pub(crate) fn wait_for_addresses(&self, interfaces: &str) {
        for interface in interfaces.split(' ') {
            let works = format!(
                "[ -z \"$(ip -6 address show dev {interface} tentative)\" ] &&
                 [ \"$(ip -6 -o address show dev {interface} | wc -l)\" = \
                   \"$(ip -6 route show table local dev {interface} type local | wc -l)\" ]"
            );
            self.wait_until(interface, &works);
        }
    }

    #[track_caller]
    fn wait_until(&self, interface: &str, condition: &str) {
        self.sh(&format!(
            "tries=20000
             until {condition}; do
               tries=$((tries - 1))
               [ $tries -gt 0 ] || {{ echo \"{interface} does not come up\" >&2; exit 1; }}
               sleep 0.01
             done"
        ));
    }

    /// Lets everybody here open unprivileged ICMP sockets; in a new namespace nobody may.
    pub(crate) fn allow_icmp_sockets(&self) {
        // A user namespace of one user has no other groups to name.
        let last = if can_become_nobody() { "2147483647" } else { "0" };
        self.sh(&format!("echo '0 {last}' > /proc/sys/net/ipv4/ping_group_range"));
    }

    /// Runs netdiag inside this host, with arguments separated by spaces.
    pub(crate) fn netdiag(&self, args: &str) -> Run {
        let mut command = self.command(env!("CARGO_BIN_EXE_netdiag"));
        command.args(args.split_whitespace());
        common::finish(command)
    }

    /// Runs netdiag inside this host as nobody.
    pub(crate) fn netdiag_as_nobody(&self, args: &str) -> Run {
        let mut command = self.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_netdiag")]);
        command.args(args.split_whitespace());
        common::finish(command)
    }

    /// Starts `tcp-serve` inside this host.
    pub(crate) fn serve(&self, options: &str) -> Server {
        let mut command = self.command(env!("CARGO_BIN_EXE_netdiag"));
        command.args(["tcp-serve", "--format", "ndjson"]).args(options.split_whitespace());
        Server::start(command)
    }

    /// Does something on a thread that is inside this host, and brings out what came of it: sockets stay where they were
    /// made.
    #[track_caller]
    pub(crate) fn inside<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> T {
        inside(&self.namespace(), run).unwrap_or_else(|error| panic!("inside {}: {error}", self.name))
    }

    /// A counter of `/proc/net/snmp` or `snmp6`: what the kernel itself has counted.
    #[track_caller]
    pub(crate) fn counter(&self, protocol: &str, name: &str) -> u64 {
        let table = self.sh("cat /proc/net/snmp /proc/net/snmp6");
        if let Some(value) = table.lines().find_map(|line| line.strip_prefix(&format!("{protocol}{name}"))) {
            return value.trim().parse().expect("a counter");
        }
        let mut lines = table.lines().filter_map(|line| line.strip_prefix(&format!("{protocol}: ")));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let index = names.split(' ').position(|known| known == name).expect("a known counter");
        values.split(' ').nth(index).expect("a value").parse().expect("a number")
    }
}

impl Drop for Host {
    /// Leaves the namespace to a thread of its own. Taking one down waits for all processors to have noticed, in the kernel,
    /// one namespace after the other; where they are busy that is long, and no test needs to wait for it.
    fn drop(&mut self) {
        let _ = undertaker().send(std::mem::take(&mut self.name));
    }
}

/// Whoever takes namespaces down. So many may wait for it; the next waits with its test, so that they do not pile up.
fn undertaker() -> &'static SyncSender<String> {
    const MOST_WAITING: usize = 64;
    static UNDERTAKER: OnceLock<SyncSender<String>> = OnceLock::new();
    UNDERTAKER.get_or_init(|| {
        let (sender, names) = sync_channel(MOST_WAITING);
        std::thread::spawn(move || take_down(&names));
        sender
    })
}

fn take_down(names: &Receiver<String>) {
    while let Ok(first) = names.recv() {
        // Those that end together are taken down together, which the kernel does in one go.
        let mut script = String::new();
        for name in std::iter::once(first).chain(names.try_iter()) {
            writeln!(script, "netns delete {name}").expect("memory");
        }
        let _ = sh(&format!("ip -force -batch - <<'END'\n{script}END"));
    }
}

/// A mount namespace in which programs find the resolver's and the hosts file that a test wrote.
///
/// It outlives the programs: the last process of a mount namespace waits in the kernel, when it ends, for all processors to
/// have noticed (`namespace_unlock`, fs/namespace.c), which takes tens of seconds where they are busy.
pub(crate) struct Files {
    holder: Child,
    folder: String,
}

impl Files {
    /// Takes one that is not in use, or makes another.
    pub(crate) fn take() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if let Some(files) = Self::spare().pop() {
            return files;
        }
        let folder = format!("/run/files-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let script = format!(
            "mkdir {folder}; touch {folder}/resolv.conf {folder}/hosts
             mount --bind {folder}/resolv.conf \"$(readlink -f /etc/resolv.conf)\"
             mount --bind {folder}/hosts /etc/hosts
             echo ready; exec cat"
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-ec", &script]);
        // It ends when this process does, and so the other end of its input is gone.
        let mut holder =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare starts");
        let mut line = String::new();
        let output = holder.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("it says when");
        assert_eq!(line, "ready\n", "making a mount namespace");
        Self { holder, folder }
    }

    fn spare() -> std::sync::MutexGuard<'static, Vec<Self>> {
        static SPARE: Mutex<Vec<Files>> = Mutex::new(Vec::new());
        SPARE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives it back, for another test.
    pub(crate) fn give_back(self) {
        Self::spare().push(self);
    }

    /// Writes a file of its folder; `resolv.conf` and `hosts` are the system's for the programs inside.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file of the lab");
    }

    /// The path of a file of its folder.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// A command inside a host, which finds these files.
    pub(crate) fn command(&self, host: &Host, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", host.namespace()))
            .arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id()))
            .arg("--")
            .arg(program);
        common::plain(&mut command);
        command
    }
}

/// Does something on a thread that is inside a network namespace.
pub(crate) fn inside<T: Send + 'static>(
    namespace: &str,
    run: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    use std::os::fd::AsRawFd;
    let namespace = namespace.to_owned();
    let thread = std::thread::spawn(move || {
        let namespace = std::fs::File::open(namespace)?;
        // SAFETY: the descriptor is open; only this thread moves.
        #[allow(unsafe_code, reason = "entering a namespace has no safe interface")]
        let moved = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
        if moved == 0 { run() } else { Err(std::io::Error::last_os_error()) }
    });
    thread.join().expect("nothing here panics")
}

/// Joins two hosts with a cable: interface `a` of the one, `b` of the other, both up, with these addresses.
#[track_caller]
pub(crate) fn cable(left: (&Host, &str, &[&str]), right: (&Host, &str, &[&str])) {
    let ((a, a_name, a_addresses), (b, b_name, b_addresses)) = (left, right);
    let script =
        format!("ip link add name {a_name} netns {} type veth peer name {b_name} netns {}", a.name, b.name);
    sh(&script).expect("laying a cable");
    for (host, name, addresses) in [(a, a_name, a_addresses), (b, b_name, b_addresses)] {
        host.sh(&format!("{}ip link set dev {name} up", assignments(addresses, name)));
    }
    a.wait_until_up(a_name);
    b.wait_until_up(b_name);
}

/// The lines of a script that give an interface its addresses. An IPv6 address would be tentative until a work queue of
/// the kernel has run, also where nobody is asked for duplicates, and could not be bound meanwhile.
pub(crate) fn assignments(addresses: &[&str], interface: &str) -> String {
    let mut script = String::new();
    for address in addresses {
        let nodad = if address.contains(':') { " nodad" } else { "" };
        writeln!(script, "ip addr add {address} dev {interface}{nodad}").expect("memory");
    }
    script
}

/// A client, a router and a far host: 10.7.0.2 - 10.7.0.1, 10.8.0.1 - 10.8.0.2, and the same in IPv6.
pub(crate) struct Routed {
    pub(crate) client: Host,
    pub(crate) router: Host,
    pub(crate) far: Host,
}

impl Routed {
    /// Builds it.
    pub(crate) fn new() -> Self {
        let [client, router, far] = Host::several(["client", "router", "far"]);
        router.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        cable(
            (&client, "eth0", &["10.7.0.2/24", "fd07::2/64"]),
            (&router, "lan0", &["10.7.0.1/24", "fd07::1/64"]),
        );
        cable(
            (&router, "wan0", &["10.8.0.1/24", "fd08::1/64"]),
            (&far, "eth0", &["10.8.0.2/24", "fd08::2/64"]),
        );
        client.sh("ip route add default via 10.7.0.1 && ip -6 route add default via fd07::1");
        far.sh("ip route add default via 10.8.0.1 && ip -6 route add default via fd08::1");
        Self { client, router, far }
    }
}
