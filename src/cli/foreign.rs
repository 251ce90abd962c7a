//! Options of other tools that a command here does not have: what to do instead.

/// A command, the option, and what says the same here.
const FOREIGN: &[(&str, &str, &str)] = &[
    ("ping", "-l", "to send without waiting for replies: --flood, or --rate 0"),
    (
        "ping",
        "-p",
        "there is no pattern to choose: every probe is filled with bytes of its own, and each reply is compared",
    ),
    ("ping", "-S", "to send from an address: --source ADDR; socket buffers are sized by netdiag itself"),
    ("ping", "-A", "to send the next probe as soon as a reply comes: --flood"),
    ("ping", "-b", "a broadcast address is no host: sweep its prefix, as in netdiag ping 192.0.2.0/24"),
    ("ping", "-B", "to send from one address only: --source ADDR"),
    ("ping", "-r", "to leave by an interface: --interface IF"),
    ("ping", "-R", "routers hardly record routes any more; -t 1, -t 2 and so on make each of them answer"),
    ("ping", "-T", "the kernel's time stamps are always used where there are any"),
    ("ping", "-U", "the kernel's time stamps are always used where there are any"),
    (
        "ping",
        "-m",
        "to send with a firewall mark is not possible here; --source and --interface choose the route",
    ),
    ("ping", "-g", "to sweep a range give its prefix, as in netdiag ping 192.0.2.0/28"),
    ("ifaces", "-a", "all interfaces are listed without it; --up lists only those that are up"),
    ("ifaces", "-s", "counters: --details; rates: --watch 1"),
    ("ifaces", "-j", "JSON: --json"),
    ("ifaces", "-d", "all that is known: --details"),
    ("ifaces", "-b", "a line each: --brief"),
    ("ifaces", "-o", "piped, every address has a line of its own; --brief has a line for each interface"),
    ("ifaces", "-S", "addresses only: --brief"),
    ("port", "-t", "TCP only: --proto tcp"),
    ("port", "-u", "UDP only: --proto udp"),
    ("port", "-n", "ports are always numbers; the services' names stand beside them"),
    ("port", "-p", "processes are always shown"),
    ("port", "-a", "every socket, whatever its state: netdiag port 1-65535 --details"),
    ("port", "-e", "all that is known: --details"),
    ("port", "-i", "give the port itself, as in netdiag port 443 or netdiag port tcp:443"),
    ("port", "-s", "counts of a listing: netdiag port --list --json"),
    (
        "tcp-echo",
        "-u",
        "UDP services are not probed; netdiag port tells who receives on a UDP port of this machine",
    ),
    ("tcp-echo", "-n", "names are only looked up for the target; an address stays an address"),
    ("tcp-echo", "-p", "to connect from a port: --source ADDR:PORT"),
    ("tcp-echo", "-l", "to listen: netdiag tcp-serve ADDR:PORT"),
    ("tcp-echo", "-k", "to listen: netdiag tcp-serve ADDR:PORT"),
    ("tcp-echo", "-N", "the sending side is always closed after the last byte"),
    ("tcp-serve", "-l", "it always listens; give the port, as in netdiag tcp-serve 7777"),
    ("tcp-serve", "-p", "give the port itself, as in netdiag tcp-serve 7777"),
    (
        "tcp-serve",
        "-k",
        "it serves one client after the other, and many at once; --single serves one at a time",
    ),
    ("tcp-serve", "-e", "it runs no program: it sends back what comes"),
    ("tcp-serve", "-u", "it serves TCP only"),
    ("doctor", "-c", "it looks once; to watch a host: netdiag ping HOST"),
    ("doctor", "-w", "how long it may take: --timeout SECS"),
];

/// What an option that a command does not have is called here.
pub(super) fn hint(command: &str, option: &str) -> Option<&'static str> {
    // Of `-tlnp` it is one letter that is unknown.
    let found = FOREIGN.iter().find(|(its, name, _)| *its == command && *name == option);
    found.map(|(_, _, hint)| *hint)
}
