//! Small servers that do as they are told, well or badly; each lives in a host of the lab and ends with its value.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::net::Host;

/// How often a server looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);

/// A server under way. It waits in the kernel, and takes no time of a processor while nobody asks it.
pub(crate) struct Server {
    stop: Arc<AtomicBool>,
    /// The socket that its thread waits on.
    socket: Option<socket2::Socket>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Shut down, it wakes who waits on it, whatever the kernel says of one that is not connected.
        let _ = self.socket.take().map(|socket| socket.shutdown(std::net::Shutdown::Both));
        let deadline = Instant::now() + Duration::from_secs(120);
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
            // A second panic would end all the other tests too; the first one tells enough.
            assert!(thread.is_finished() || std::thread::panicking(), "a server does not end");
        }
    }
}

/// How a server of TCP behaves.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Sends back what comes.
    Echo,
    /// Sends back something else.
    Different,
    /// Sends back the half and closes.
    Half,
    /// Takes everything and says nothing.
    Silent,
    /// Sends back what comes, after a while.
    Slow(Duration),
    /// Sends a byte each second.
    Trickle,
    /// Resets at once.
    Reset,
    /// Resets after the first data.
    ResetAfterData,
    /// Never reads.
    NeverReads,
    /// Closes at once.
    Close,
    /// Never accepts, and has room for hardly anybody.
    NeverAccepts,
    /// Answers HTTP.
    Http(Page),
    /// The same through TLS.
    Https(Arc<ServerConfig>, Page),
}

/// What HTTP is answered.
#[derive(Clone)]
pub(crate) struct Page {
    /// The status.
    pub(crate) status: u16,
    /// Further lines of its head.
    pub(crate) head: String,
    /// How far the server's clock is ahead, in seconds.
    pub(crate) ahead_s: u64,
}

impl Page {
    /// One that is as it should be.
    pub(crate) fn good() -> Self {
        Self { status: 200, head: String::new(), ahead_s: 0 }
    }

    /// One with another status.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::good() }
    }
}

/// Starts a server of TCP in a host.
#[track_caller]
pub(crate) fn serve(host: &Host, at: SocketAddr, manner: Manner) -> Server {
    let backlog = if matches!(manner, Manner::NeverAccepts) { 0 } else { 128 };
    let listener: TcpListener = host.inside(move || {
        let domain = socket2::Domain::for_address(at);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Another test may just be starting a program, which holds the last server's socket until it is that program.
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Err(error) = socket.bind(&at.into()).and_then(|()| socket.listen(backlog)) {
            if error.kind() != ErrorKind::AddrInUse || Instant::now() > deadline {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(socket.into())
    });
    let stop = Arc::new(AtomicBool::new(false));
    let socket = Some(socket2::Socket::from(listener.try_clone().expect("a descriptor")));
    let mut threads = Vec::new();
    if matches!(manner, Manner::NeverAccepts) {
        // Somebody is waiting already, and there is no room for more.
        let waiting: Vec<socket2::Socket> = (0..4)
            .map(|_| {
                host.inside(move || {
                    let socket =
                        socket2::Socket::new(socket2::Domain::for_address(at), socket2::Type::STREAM, None)?;
                    socket.set_nonblocking(true)?;
                    let _ = socket.connect(&at.into());
                    Ok(socket)
                })
            })
            .collect();
        let stopped = stop.clone();
        threads.push(std::thread::spawn(move || {
            let (_listener, _waiting) = (listener, waiting);
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
            }
        }));
        return Server { stop, socket, threads };
    }
    let stopped = stop.clone();
    threads.push(std::thread::spawn(move || {
        let mut talks = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            // An error says that it was shut down, or that a client has left before it was accepted.
            if let Ok((stream, _)) = listener.accept() {
                let (manner, stopped) = (manner.clone(), stopped.clone());
                talks.push(std::thread::spawn(move || {
                    let _ = talk(stream, &manner, &stopped);
                }));
            }
            talks.retain(|talk: &JoinHandle<()>| !talk.is_finished());
        }
        for talk in talks {
            let _ = talk.join();
        }
    }));
    Server { stop, socket, threads }
}

/// Reads what comes next; `None` at the end.
fn next(stream: &mut TcpStream, stop: &AtomicBool) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 65536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => return Some(buffer[..length].to_vec()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if stop.load(Ordering::Relaxed) {
                    return None;
                }
            }
            Err(_) => return None,
        }
    }
}

fn pause(time: Duration, stop: &AtomicBool) {
    let mut left = time;
    while !left.is_zero() && !stop.load(Ordering::Relaxed) {
        let part = left.min(LOOK);
        std::thread::sleep(part);
        left -= part;
    }
}

fn talk(mut stream: TcpStream, manner: &Manner, stop: &AtomicBool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(LOOK))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let reset = |stream: &TcpStream| socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
    match manner {
        Manner::Echo => {
            while let Some(bytes) = next(&mut stream, stop) {
                stream.write_all(&bytes)?;
            }
        }
        Manner::Different => {
            while let Some(mut bytes) = next(&mut stream, stop) {
                bytes[0] ^= 1;
                stream.write_all(&bytes)?;
            }
        }
        Manner::Half => {
            if let Some(bytes) = next(&mut stream, stop) {
                stream.write_all(&bytes[..bytes.len() / 2])?;
            }
        }
        Manner::Silent => while next(&mut stream, stop).is_some() {},
        Manner::Slow(time) => {
            while let Some(bytes) = next(&mut stream, stop) {
                pause(*time, stop);
                stream.write_all(&bytes)?;
            }
        }
        Manner::Trickle => {
            while !stop.load(Ordering::Relaxed) {
                stream.write_all(b"x")?;
                pause(Duration::from_secs(1), stop);
            }
        }
        Manner::Reset => reset(&stream)?,
        Manner::ResetAfterData => {
            next(&mut stream, stop);
            reset(&stream)?;
        }
        Manner::NeverReads => pause(Duration::from_secs(60), stop),
        Manner::Close => {}
        Manner::NeverAccepts => unreachable!("it accepts nobody"),
        Manner::Http(page) => http(&mut stream, page, stop)?,
        Manner::Https(config, page) => {
            let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
            let mut secure = StreamOwned::new(connection, stream);
            http(&mut secure, page, stop)?;
            secure.conn.send_close_notify();
            let _ = secure.flush();
        }
    }
    Ok(())
}

fn http(stream: &mut (impl Read + Write), page: &Page, stop: &AtomicBool) -> std::io::Result<()> {
    let (mut request, mut buffer) = (Vec::<u8>::new(), [0_u8; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => request.extend(&buffer[..length]),
            // Whoever left by a reset that was lost on the way never says so.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
    let is_check = request.windows(12).any(|word| word == b"generate_204");
    let (status, body) = if is_check && page.status == 200 { (204, "") } else { (page.status, "hello\n") };
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(page.ahead_s));
    let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head =
        format!("HTTP/1.1 {status} X\r\nDate: {date}\r\n{length}Connection: close\r\n{}\r\n", page.head);
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    stream.flush()
}

/// How a name server behaves.
#[derive(Clone)]
pub(crate) enum Answers {
    /// It knows the names of the lab, and that there are no others.
    Zone,
    /// It asks another.
    Forward(SocketAddr),
    /// It answers by this response code.
    Code(u8),
    /// It says that the names exist, and have no addresses.
    NoData,
    /// It sends what is no answer.
    Garbage,
    /// It answers each third question.
    Third,
    /// It gives this address for every name.
    Address(Ipv4Addr),
    /// It knows one address, and takes its time.
    Slow(Duration),
    /// It says that its answers need TCP.
    Truncated,
    /// It never answers questions for IPv6 addresses.
    NoAaaa(SocketAddr),
}

/// The names of the lab.
pub(crate) const SHOP: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);
pub(crate) const SHOP_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x80, 0, 0, 0, 0, 0x80);
pub(crate) const CHECK: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 54);

fn zone(name: &str) -> Option<(Vec<Ipv4Addr>, Vec<Ipv6Addr>)> {
    match name.to_ascii_lowercase().as_str() {
        "shop.lab" => Some((vec![SHOP], vec![])),
        "dual.lab" => Some((vec![SHOP], vec![SHOP_V6])),
        "connectivitycheck.gstatic.com" => Some((vec![CHECK], vec![])),
        _ => None,
    }
}

/// Starts a name server in a host.
#[track_caller]
pub(crate) fn name_server(host: &Host, at: IpAddr, answers: Answers) -> Server {
    let socket: UdpSocket = host.inside(move || {
        let deadline = Instant::now() + Duration::from_secs(5);
        let socket = loop {
            match UdpSocket::bind((at, 53)) {
                Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                other => break other?,
            }
        };
        Ok(socket)
    });
    let waits_on = Some(socket2::Socket::from(socket.try_clone().expect("a descriptor")));
    let (namespace, stop) = (host.namespace(), Arc::new(AtomicBool::new(false)));
    let (stopped, count) = (stop.clone(), AtomicUsize::new(0));
    let thread = std::thread::spawn(move || {
        let socket = Arc::new(socket);
        let mut buffer = [0; 2048];
        let mut under_way: Vec<JoinHandle<()>> = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            under_way.retain(|thread| !thread.is_finished());
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            let question = buffer[..length].to_vec();
            let number = count.fetch_add(1, Ordering::Relaxed);
            let Some((name, kind)) = asked(&question) else { continue };
            let reply = match &answers {
                Answers::Zone => match zone(&name) {
                    None => answer(&question, 3, &[], false),
                    Some((v4, v6)) => {
                        let v4 = v4.into_iter().map(IpAddr::V4);
                        let all: Vec<IpAddr> = v4.chain(v6.into_iter().map(IpAddr::V6)).collect();
                        answer(&question, 0, &of_kind(&all, kind), false)
                    }
                },
                Answers::NoAaaa(_) if kind == 28 => continue,
                Answers::Forward(to) | Answers::NoAaaa(to) => {
                    let (to, socket, namespace) = (*to, socket.clone(), namespace.clone());
                    under_way.push(std::thread::spawn(move || {
                        let _ = forward(&namespace, to, &question, &socket, from);
                    }));
                    continue;
                }
                Answers::Code(code) => answer(&question, *code, &[], false),
                Answers::NoData => answer(&question, 0, &[], false),
                Answers::Garbage => vec![0; 7],
                Answers::Third if number % 3 != 2 => continue,
                Answers::Third => answer(&question, 0, &of_kind(&[SHOP.into()], kind), false),
                Answers::Address(ip) => answer(&question, 0, &of_kind(&[(*ip).into()], kind), false),
                Answers::Slow(time) => {
                    let (time, socket) = (*time, socket.clone());
                    let reply = answer(&question, 0, &of_kind(&[SHOP.into()], kind), false);
                    under_way.push(std::thread::spawn(move || {
                        std::thread::sleep(time);
                        let _ = socket.send_to(&reply, from);
                    }));
                    continue;
                }
                Answers::Truncated => answer(&question, 0, &[], true),
            };
            let _ = socket.send_to(&reply, from);
        }
        for thread in under_way {
            let _ = thread.join();
        }
    });
    Server { stop, socket: waits_on, threads: vec![thread] }
}

/// Asks another server from this host, on a port of its own, and hands on what it says.
fn forward(
    namespace: &str,
    to: SocketAddr,
    question: &[u8],
    back: &UdpSocket,
    from: SocketAddr,
) -> std::io::Result<()> {
    let any: SocketAddr = ([0; 4], 0).into();
    let socket = crate::net::inside(namespace, move || UdpSocket::bind(any))?;
    socket.set_read_timeout(Some(Duration::from_millis(900)))?;
    socket.send_to(question, to)?;
    let mut buffer = [0; 2048];
    let (length, _) = socket.recv_from(&mut buffer)?;
    back.send_to(&buffer[..length], from).map(drop)
}

/// The name and the kind of a question.
fn asked(question: &[u8]) -> Option<(String, u16)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        match usize::from(*question.get(at)?) {
            0 => break,
            length => {
                labels.push(String::from_utf8_lossy(question.get(at + 1..at + 1 + length)?).into_owned());
                at += 1 + length;
            }
        }
    }
    Some((labels.join("."), u16::from_be_bytes([*question.get(at + 1)?, *question.get(at + 2)?])))
}

fn of_kind(all: &[IpAddr], kind: u16) -> Vec<IpAddr> {
    all.iter().copied().filter(|ip| ip.is_ipv4() == (kind == 1)).filter(|_| kind == 1 || kind == 28).collect()
}

/// An answer to a question (RFC 1035, 4.1).
fn answer(question: &[u8], code: u8, addresses: &[IpAddr], is_truncated: bool) -> Vec<u8> {
    let mut bytes = question[..2].to_vec();
    bytes.extend([0x81 | if is_truncated { 2 } else { 0 }, 0x80 | code, 0, 1, 0]);
    bytes.push(u8::try_from(addresses.len()).expect("a few"));
    bytes.extend([0; 4]);
    bytes.extend(&question[12..]);
    for address in addresses {
        let (kind, data) = match address {
            IpAddr::V4(ip) => (1_u8, ip.octets().to_vec()),
            IpAddr::V6(ip) => (28, ip.octets().to_vec()),
        };
        bytes.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).expect("16")]);
        bytes.extend(data);
    }
    bytes
}
