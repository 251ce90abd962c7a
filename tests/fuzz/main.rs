//! Fuzzing of everything that reads packets: mutated messages, and what must hold for whatever is made of them.
//!
//! Each target begins with the messages in `corpus/`, in hexadecimal, and mutates them with numbers that are the
//! same in every run. `cargo test` takes 100,000 mutants of each; `NETDIAG_FUZZ_RUNS` says otherwise, and
//! `NETDIAG_FUZZ_SEED` begins with other numbers. A mutant that breaks a rule is printed in hexadecimal: put it
//! into the corpus.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use netdiag::address::Family;
use netdiag::wire::echo::{self as wire, Echo, HEADER_BYTES, Message, Quoted};

/// Mutants of each target, unless the environment says otherwise.
const RUNS: u64 = 100_000;
/// The largest mutant in bytes.
const MOST_BYTES: usize = 2_048;

#[test]
fn messages() {
    fuzz("message", |bytes| {
        for family in [Family::Ipv4, Family::Ipv6] {
            match Message::parse(family, bytes) {
                Some(Message::Request(echo)) => emits_the_same(family, &echo, bytes, true),
                Some(Message::Reply(echo)) => emits_the_same(family, &echo, bytes, false),
                Some(Message::Error { mtu, quote, .. }) => {
                    assert!(quote.is_empty() || bytes.ends_with(quote));
                    assert!(quote.len() <= bytes.len() - HEADER_BYTES);
                    assert_ne!(mtu, Some(0), "no MTU is none");
                }
                Some(Message::Other) => assert!(bytes.len() >= HEADER_BYTES),
                None => assert!(bytes.len() < HEADER_BYTES),
            }
        }
    });
}

/// What was parsed gives the same bytes again, but for the checksum, which is then right; and parses the same.
fn emits_the_same(family: Family, echo: &Echo<'_>, bytes: &[u8], is_request: bool) {
    let mut emitted = vec![0xee; 3];
    if is_request {
        echo.emit_request(family, &mut emitted);
    } else {
        echo.emit_reply(family, &mut emitted);
    }
    let emitted = &emitted[3..];
    assert_eq!(emitted.len(), echo.buffer_len());
    assert_eq!((&emitted[..2], &emitted[4..]), (&bytes[..2], &bytes[4..]));
    assert!(family == Family::Ipv6 || wire::checksum(emitted) == 0);
    let again = Message::parse(family, emitted);
    assert_eq!(again, Some(if is_request { Message::Request(*echo) } else { Message::Reply(*echo) }));
}

#[test]
fn quotes() {
    fuzz("quote", |bytes| {
        for family in [Family::Ipv4, Family::Ipv6] {
            let Some(quoted) = Quoted::parse(family, bytes) else { continue };
            assert_eq!(Family::of(quoted.to), family);
            assert!(bytes.ends_with(quoted.echo.body));
            let least = if family == Family::Ipv4 { 20 } else { 40 };
            assert!(bytes.len() >= least + quoted.echo.buffer_len());
            let icmp = &bytes[bytes.len() - quoted.echo.buffer_len()..];
            assert_eq!(Quoted::parse_icmp(family, quoted.to, icmp), Some(quoted));
            assert_eq!(Quoted::parse(family, &bytes[..least + 7]), None, "less than a whole ICMP header");
        }
    });
}

#[test]
fn ipv4_headers() {
    fuzz("ipv4", |bytes| {
        let Some((header, carried)) = wire::ipv4(bytes) else { return };
        let length = bytes.len() - carried.len();
        assert!(bytes.ends_with(carried) && (20..=60).contains(&length) && length % 4 == 0);
        assert_eq!((header.ttl, header.protocol), (bytes[8], bytes[9]));
        assert_eq!((&header.from.octets()[..], &header.to.octets()[..]), (&bytes[12..16], &bytes[16..20]));
        assert_eq!(wire::ipv4(&bytes[..length - 1]), None, "less than a whole header");
    });
}

#[test]
fn dns_answers() {
    use netdiag::doctor::{DnsKind, parse_dns};
    fuzz("dns", |bytes| {
        for kind in [DnsKind::A, DnsKind::Aaaa] {
            let Some(answer) = parse_dns(bytes, kind) else { continue };
            assert!(bytes[2] & 0x80 != 0, "a question is no answer");
            assert_eq!([bytes[0], bytes[1]], answer.id.to_be_bytes());
            assert!(answer.code < 16);
            assert!(answer.addresses.iter().all(|ip| ip.is_ipv4() == (kind == DnsKind::A)));
            // Each address takes its bytes, and a name, type, class, lifetime and length before them.
            let each = if kind == DnsKind::A { 15 } else { 27 };
            assert!(answer.addresses.len() * each <= bytes.len());
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn frames() {
    use netdiag::sys::{FrameSeen, parse_frame};
    fuzz("frame", |bytes| match parse_frame(bytes) {
        Some(FrameSeen::Arp(arp)) => {
            assert!(bytes.len() >= 32);
            assert_eq!((&bytes[6..12], &bytes[22..28]), (&arp.frame_source[..], &arp.sender_mac[..]));
        }
        Some(FrameSeen::Ipv4 { source, destination, .. }) => {
            assert_eq!((&bytes[26..30], &bytes[30..34]), (&source.octets()[..], &destination.octets()[..]));
        }
        Some(FrameSeen::Other(source)) => assert_eq!(&bytes[6..12], &source),
        None => assert!(bytes.len() < 42),
    });
}

#[test]
fn checksums() {
    fuzz("message", |bytes| {
        let (even, sum) = (&bytes[..bytes.len() & !1], wire::checksum(bytes));
        let whole = [even, &wire::checksum(even).to_be_bytes()].concat();
        assert_eq!(wire::checksum(&whole), 0, "with its checksum the sum is 0 (RFC 1071)");
        assert_eq!(wire::checksum(&[bytes, &[0]].concat()), sum, "an odd byte is as if 0 followed");
    });
}

#[test]
#[cfg(target_os = "linux")]
fn extended_errors() {
    fuzz("extended-error", |bytes| {
        let Some(error) = netdiag::sys::parse_extended_error(bytes) else { return };
        assert!(bytes.len() >= 16 && matches!(bytes[4], 2 | 3));
        assert_eq!((error.icmp_type, error.icmp_code), (bytes[5], bytes[6]));
        assert_ne!(error.mtu, Some(0));
        assert!(error.mtu.is_none() || matches!((bytes[4], bytes[5], bytes[6]), (2, 3, 4) | (3, 2, 0)));
        assert!(error.from.is_none_or(|from| bytes.len() >= if from.is_ipv4() { 24 } else { 40 }));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn tcp_infos() {
    fuzz("tcp-info", |bytes| {
        let info = netdiag::sys::parse_tcp_info(bytes);
        assert_eq!(info.is_some(), bytes.len() >= 104, "what every kernel fills is enough");
        let Some(info) = info else { return };
        assert_eq!(info.segments_in.is_some(), bytes.len() >= 144);
        assert_eq!(info.receive_window_bytes.is_some(), bytes.len() >= 236);
        assert!(info.ssthresh_segments.is_none_or(|segments| segments < 0x7fff_ffff));
        assert!(info.send_window_scale.is_none_or(|scale| scale < 16));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn sockets() {
    fuzz("socket", |bytes| {
        let Some(socket) = netdiag::sys::parse_socket(bytes, netdiag::sys::Transport::Udp) else { return };
        assert!(bytes.len() >= 72 && matches!(bytes[0], 2 | 10));
        assert_eq!(socket.local.is_ipv4(), bytes[0] == 2);
        assert_eq!(socket.local.is_ipv4(), socket.remote.is_ipv4());
        assert_eq!(socket.local.port().to_be_bytes(), bytes[4..6]);
        assert_eq!(socket.remaining.is_none(), bytes[2] == 0);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn links() {
    fuzz("link", |bytes| {
        let Some(link) = netdiag::sys::parse_link(bytes) else {
            assert!(bytes.len() < 16, "what has a whole header is a link");
            return;
        };
        assert_eq!(link.index.to_ne_bytes(), bytes[4..8]);
        assert_eq!((link.is_up, link.is_loopback), (bytes[8] & 1 != 0, bytes[8] & 8 != 0));
        assert_eq!(link.is_up, link.flags.contains(&"UP"));
        assert!(link.is_up || link.carrier.is_none(), "nobody looks at the line of what is down");
        let texts = [Some(&link.name), link.alias.as_ref(), link.qdisc.as_ref()];
        let mut texts = texts.into_iter().flatten().chain(&link.alt_names);
        let is_within =
            |text: &Vec<u8>| text.is_empty() || (!text.contains(&0) && bytes.len() >= 20 + text.len());
        assert!(texts.all(is_within));
        assert!(link.mtu_bounds.0 != Some(0) && link.mtu_bounds.1 != Some(0), "no bound is none");
        assert!(link.other.is_none_or(|other| other.index != 0));
        assert!(link.permanent_mac.is_none_or(|mac| !mac.as_bytes().is_empty()));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn link_addresses() {
    fuzz("link-address", |bytes| {
        let Some(address) = netdiag::sys::parse_link_address(bytes) else { return };
        assert!(bytes.len() >= 8 + 8, "there is no address without an attribute");
        assert_eq!(
            (address.prefix_len, address.index.to_ne_bytes()),
            (bytes[1], bytes[4..8].try_into().unwrap())
        );
        assert_ne!(address.peer, Some(address.ip), "the own address is no other end");
        assert_ne!(address.flags.contains(&"permanent"), address.flags.contains(&"dynamic"));
        assert!(
            address.valid_s != Some(u32::MAX) && address.preferred_s != Some(u32::MAX),
            "for ever is none"
        );
    });
}

#[test]
#[cfg(target_os = "linux")]
fn default_routes() {
    fuzz("route", |bytes| {
        for family in [Family::Ipv4, Family::Ipv6] {
            let routes = netdiag::sys::parse_default_routes(bytes, family);
            assert!(routes.len() <= bytes.len() / 8, "a next hop takes eight bytes at least");
            for route in &routes {
                assert_eq!((route.family, bytes[1]), (family, 0));
                assert_eq!(route.refusal.is_some(), bytes[7] != 1);
                assert!(bytes[2] == 0 || route.is_special, "one for some sources is not for all");
                assert!(route.refusal.is_none() || routes.len() == 1);
            }
        }
    });
}

/// Runs `check` on the corpus, and on mutants of it.
fn fuzz(corpus: &str, check: impl Fn(&[u8])) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let runs = number("NETDIAG_FUZZ_RUNS").unwrap_or(RUNS);
    let mut random = Random(number("NETDIAG_FUZZ_SEED").unwrap_or(0x9e37_79b9_7f4a_7c15));
    let seeds = read(corpus);
    let run = |bytes: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(bytes))) {
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let hex = hex.concat();
            eprintln!("{corpus}: this breaks a rule: {hex}");
            std::panic::resume_unwind(panic);
        }
    };
    for seed in &seeds {
        run(seed);
    }
    let mut mutant = Vec::new();
    for _ in 0..runs {
        mutant.clear();
        mutant.extend_from_slice(&seeds[random.below(seeds.len())]);
        for _ in 0..=random.below(4) {
            mutate(&mut mutant, &seeds, &mut random);
        }
        run(&mutant);
    }
}

/// The messages of a corpus.
fn read(corpus: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(corpus);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("hexadecimal text");
            let digits = text.trim().as_bytes().chunks(2);
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
            digits.map(byte).collect::<Result<_, _>>().expect("hexadecimal digits")
        })
        .collect();
    assert!(seeds.len() >= 4, "{corpus}: a corpus");
    seeds
}

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    /// Values at which lengths, types and flags turn.
    const EDGES: &[u8] =
        &[0, 1, 2, 3, 4, 5, 8, 11, 0x0f, 0x1f, 0x40, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0x81, 0xfe, 0xff];
    let at = random.below(bytes.len() + 1);
    match random.below(8) {
        0 => bytes.truncate(at),
        1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => bytes[at] = EDGES[random.below(EDGES.len())],
        3 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
        4 if bytes.len() < MOST_BYTES => bytes.insert(at, EDGES[random.below(EDGES.len())]),
        5 if at < bytes.len() => drop(bytes.remove(at)),
        6 => {
            // The head of one and the tail of another.
            let other = &seeds[random.below(seeds.len())];
            bytes.truncate(at);
            bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
            bytes.truncate(MOST_BYTES);
        }
        // The head is where everything is decided.
        _ if !bytes.is_empty() => {
            let at = random.below(bytes.len().min(24));
            bytes[at] = EDGES[random.below(EDGES.len())];
        }
        _ => bytes.push(0),
    }
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a length");
        usize::try_from(self.next() % end).expect("below a length")
    }
}
