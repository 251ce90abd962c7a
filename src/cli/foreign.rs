//! Other tools, and their options that a command here does not have: what to do instead.

/// A command, the option, and what says the same here.
const FOREIGN: &[(&str, &str, &str)] = &[
    ("ping", "-l", "to send without waiting for replies: --flood, or --rate 0"),
    (
        "ping",
        "-p",
        "the payload cannot be chosen: each probe has its own, and each reply is compared with it",
    ),
    ("ping", "-S", "source address: --source ADDR; netdiag sizes its socket buffers itself"),
    ("ping", "-A", "to send the next probe as soon as a reply comes: --flood"),
    ("ping", "-b", "broadcast is not supported; sweep the prefix: netdiag ping 192.0.2.0/24"),
    ("ping", "-B", "source address: --source ADDR"),
    ("ping", "-r", "source interface: --interface IF"),
    ("ping", "-R", "record route is obsolete (RFC 7126); probe each hop with -t 1, -t 2 ..."),
    ("ping", "-T", "kernel time stamps are always used where available"),
    ("ping", "-U", "kernel time stamps are always used where available"),
    ("ping", "-m", "firewall marks are not supported; --source and --interface choose the route"),
    ("ping", "-g", "sweep a range by its prefix: netdiag ping 192.0.2.0/28"),
    ("ifaces", "-a", "not needed: all interfaces are listed; --up lists only those that are up"),
    ("ifaces", "-s", "counters: --details; rates: --watch 1"),
    ("ifaces", "-j", "JSON: --json"),
    ("ifaces", "-d", "all details: --details"),
    ("ifaces", "-b", "one line per interface: --brief"),
    ("ifaces", "-o", "piped output has one address per line; --brief has one interface per line"),
    ("ifaces", "-S", "addresses only: --brief"),
    ("port", "-t", "TCP only: --proto tcp"),
    ("port", "-u", "UDP only: --proto udp"),
    ("port", "-n", "not needed: ports are always numbers, with service names beside them"),
    ("port", "-p", "not needed: processes are always shown"),
    ("port", "-a", "sockets in every state: netdiag port 1-65535 --details"),
    ("port", "-e", "all details: --details"),
    ("port", "-i", "write the port itself: netdiag port 443 or netdiag port tcp:443"),
    ("port", "-s", "summary counts are in the JSON: netdiag port --list --json"),
    (
        "tcp-echo",
        "-u",
        "UDP services are not probed; netdiag port shows who receives on a UDP port of this machine",
    ),
    ("tcp-echo", "-n", "not needed: only target names are resolved"),
    ("tcp-echo", "-p", "source port: --source ADDR:PORT"),
    ("tcp-echo", "-l", "to listen: netdiag tcp-serve ADDR:PORT"),
    ("tcp-echo", "-k", "to listen: netdiag tcp-serve ADDR:PORT"),
    ("tcp-echo", "-N", "not needed: the sending side is always closed after the last byte"),
    ("tcp-serve", "-l", "not needed: it always listens; write the port: netdiag tcp-serve 7777"),
    ("tcp-serve", "-p", "write the port itself: netdiag tcp-serve 7777"),
    (
        "tcp-serve",
        "-k",
        "not needed: it serves clients in parallel and until stopped; --single serves one at a time",
    ),
    ("tcp-serve", "-e", "it runs no program: it echoes every byte"),
    ("tcp-serve", "-u", "it serves TCP only"),
    ("doctor", "-c", "it runs once; to watch a host: netdiag ping HOST"),
    ("doctor", "-w", "time limit: --timeout SECS"),
];

/// What an option that a command does not have is called here.
pub(super) fn hint(command: &str, option: &str) -> Option<&'static str> {
    // Of `-tlnp` it is one letter that is unknown.
    let found = FOREIGN.iter().find(|(its, name, _)| *its == command && *name == option);
    found.map(|(_, _, hint)| *hint)
}

/// A tool that people know, and what to type here for what they most use it for.
const TOOLS: &[(&str, &str)] = &[
    ("ip", "interfaces, addresses and routes: netdiag ifaces"),
    ("arp", "whether a neighbor answers: netdiag ping ADDR"),
    ("route", "routes: netdiag ifaces --details"),
    ("fping", "many hosts at once: netdiag ping HOST HOST, or a prefix"),
    ("ping6", "IPv6: netdiag ping -6 HOST"),
    ("netstat", "listening sockets: netdiag port --list; interfaces and routes: netdiag ifaces --details"),
    ("lsof", "who has a port: netdiag port PORT; all listening sockets: netdiag port --list"),
    ("nc", "to connect: netdiag tcp-echo HOST PORT; to listen: netdiag tcp-serve PORT"),
    ("ncat", "to connect: netdiag tcp-echo HOST PORT; to listen: netdiag tcp-serve PORT"),
    ("telnet", "whether a port is open: netdiag tcp-echo --connect-only HOST PORT"),
    (
        "nmap",
        "one port: netdiag tcp-echo --connect-only HOST PORT; the hosts of a network: netdiag ping PREFIX",
    ),
    ("dig", "whether a name resolves, and why not: netdiag doctor NAME"),
    ("nslookup", "whether a name resolves, and why not: netdiag doctor NAME"),
    ("host", "whether a name resolves, and why not: netdiag doctor NAME"),
    ("curl", "why a page cannot be had: netdiag doctor URL"),
    ("wget", "why a page cannot be had: netdiag doctor URL"),
    ("traceroute", "where a path breaks: netdiag doctor HOST"),
    ("tracert", "where a path breaks: netdiag doctor HOST"),
    ("tracepath", "where a path breaks: netdiag doctor HOST; its MTU: netdiag ping --pmtu HOST"),
    ("mtr", "where a path breaks: netdiag doctor HOST"),
];

/// What to type here for what another tool does.
pub(super) fn command(tool: &str) -> Option<&'static str> {
    TOOLS.iter().find(|(name, _)| *name == tool).map(|(_, hint)| *hint)
}
