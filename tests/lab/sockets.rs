//! A process of its own that holds sockets of every kind, or tries what can be bound: what `port` is asked about.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Child, Command, ExitCode, Stdio};

use socket2::{Domain, Socket, Type};

use crate::net::Host;

/// Set in the process that holds, or tries.
const ROLE: &str = "NETDIAG_LAB_SOCKETS";

/// Does what this process was started for, if it was started by [`Held::new`] or [`try_all`].
pub(crate) fn play() -> Option<ExitCode> {
    let role = std::env::var(ROLE).ok()?;
    let mut words = role.split(' ');
    match words.next() {
        Some("hold") => hold(words),
        Some("try") => attempt(words.next().expect("a port").parse().expect("a port")),
        _ => panic!("{ROLE}={role}"),
    }
    Some(ExitCode::SUCCESS)
}

/// Sockets that another process holds until the value goes.
pub(crate) struct Held(Child);

impl Held {
    /// Starts a process in a host that holds sockets, a word each: `KIND,ADDRESS:PORT[,reuse][,v6only][,reuseport]`.
    pub(crate) fn new(host: &Host, sockets: &str) -> Self {
        Self::with(host.command(&itself()), sockets)
    }

    /// The same with a command that runs this program inside a host.
    pub(crate) fn with(mut command: Command, sockets: &str) -> Self {
        command.env(ROLE, format!("hold {sockets}")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it says when");
        assert_eq!(line, "ready\n", "{sockets}");
        Self(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The path of this program.
pub(crate) fn itself() -> String {
    std::env::current_exe().expect("a program knows where it is").to_str().expect("UTF-8").to_owned()
}

/// What the kernel itself says of every kind of socket on a port, asked by binding it: protocol, family, whether v6only was
/// set otherwise than by default, whether SO_REUSEADDR was set, and whether it was bound.
pub(crate) fn try_all(mut command: Command, port: u16) -> Vec<(String, String, Option<bool>, bool, bool)> {
    let output = command.env(ROLE, format!("try {port}")).output().expect("this program starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let tried: Vec<_> = text
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [protocol, family, v6only, reuse, bound] = words[..] else { panic!("{line}") };
            (protocol.to_owned(), family.to_owned(), v6only.parse().ok(), reuse == "true", bound == "true")
        })
        .collect();
    assert_eq!(tried.len(), 12, "{text}");
    tried
}

fn attempt(port: u16) {
    for (protocol, kind) in [("tcp", Type::STREAM), ("udp", Type::DGRAM)] {
        for (family, v6only) in [("ipv4", None), ("ipv6", None), ("ipv6", Some(true))] {
            for reuse in [false, true] {
                let (domain, address): (_, IpAddr) = match family {
                    "ipv4" => (Domain::IPV4, Ipv4Addr::UNSPECIFIED.into()),
                    _ => (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into()),
                };
                let socket = Socket::new(domain, kind, None).expect("a socket");
                socket.set_reuse_address(reuse).expect("an option");
                if let Some(v6only) = v6only {
                    socket.set_only_v6(v6only).expect("an option");
                }
                let bound = match socket.bind(&SocketAddr::from((address, port)).into()) {
                    Ok(()) => true,
                    Err(error)
                        if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) =>
                    {
                        false
                    }
                    Err(error) => panic!("{protocol} {family} {port}: {error}"),
                };
                let v6only = v6only.map_or("-".to_owned(), |v6only| v6only.to_string());
                println!("{protocol} {family} {v6only} {reuse} {bound}");
            }
        }
    }
}

fn hold<'a>(specifications: impl Iterator<Item = &'a str>) {
    let mut held: Vec<Socket> = Vec::new();
    let mut children: Vec<Child> = Vec::new();
    for specification in specifications.filter(|word| !word.is_empty()) {
        let mut words = specification.split(',');
        let (kind, address) = (words.next().expect("a kind"), words.next().expect("an address"));
        if kind == "name" {
            let name: Vec<u8> =
                address.split('.').map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect();
            std::fs::write("/proc/self/comm", name).expect("a process may name itself");
            continue;
        }
        let address: SocketAddr = address.parse().expect(specification);
        let options: Vec<&str> = words.collect();
        let socket = open(kind, address, &options);
        match kind {
            "listen" => socket.listen(16).expect(specification),
            "shared" => {
                socket.listen(16).expect(specification);
                // A child has it too, and ends when this process does.
                socket.set_cloexec(false).expect("an option");
                let cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
                socket.set_cloexec(true).expect("an option");
                children.push(cat.expect("cat starts"));
            }
            "unaccepted" => {
                socket.listen(16).expect(specification);
                let client = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
                client.connect(&address.into()).expect(specification);
                held.push(client);
            }
            "bound" | "udp" => {}
            "udp-connected" => {
                let other = SocketAddr::from((loopback(address), 9));
                socket.connect(&other.into()).expect(specification);
            }
            "established" | "time-wait" | "mapped" => {
                socket.listen(16).expect(specification);
                let to = if kind == "mapped" { Ipv4Addr::LOCALHOST.into() } else { loopback(address) };
                let client =
                    Socket::new(Domain::for_address((to, 0).into()), Type::STREAM, None).expect("a socket");
                client.connect(&SocketAddr::from((to, address.port())).into()).expect(specification);
                let (server, _) = socket.accept().expect(specification);
                if kind == "time-wait" {
                    // The server closes first, and the client once it has seen that.
                    drop(server);
                    assert_eq!((&client).read(&mut [0; 1]).expect("the end"), 0);
                } else {
                    held.extend([server, client]);
                }
                continue;
            }
            _ => panic!("{specification}"),
        }
        held.push(socket);
    }
    println!("ready");
    std::io::stdout().flush().expect("somebody reads");
    // Until the other end is gone.
    let _ = std::io::stdin().read(&mut [0; 1]);
    drop(held);
    drop(children);
}

fn open(kind: &str, address: SocketAddr, options: &[&str]) -> Socket {
    let is_datagram = kind.starts_with("udp");
    let socket_type = if is_datagram { Type::DGRAM } else { Type::STREAM };
    let socket = Socket::new(Domain::for_address(address), socket_type, None).expect("a socket");
    for option in options {
        match *option {
            "reuse" => socket.set_reuse_address(true),
            "reuseport" => socket.set_reuse_port(true),
            "v6only" => socket.set_only_v6(true),
            device => socket.bind_device(Some(device.as_bytes())),
        }
        .expect(option);
    }
    socket.bind(&address.into()).unwrap_or_else(|error| panic!("{kind} {address}: {error}"));
    socket
}

fn loopback(address: SocketAddr) -> IpAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}
