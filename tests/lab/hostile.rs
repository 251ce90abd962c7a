//! A host that answers everything wrongly, each of its addresses in another way: nothing of it may count.

use serde_json::Value;

use crate::common::Test;
use crate::net::{Host, can_become_nobody};
use crate::tun::{self, Out, Packet, wrap, wrap_raw};

pub(crate) const TESTS: &[Test] = &[
    ("hostile::ipv4_over_a_raw_socket", || over("10.66.0", false, false)),
    ("hostile::ipv4_over_an_unprivileged_socket", || over("10.66.0", true, false)),
    ("hostile::ipv4_as_nobody", || over("10.66.0", true, true)),
    ("hostile::ipv6_over_a_raw_socket", || over("fd66:", false, false)),
    ("hostile::ipv6_over_an_unprivileged_socket", || over("fd66:", true, false)),
    ("hostile::ipv6_as_nobody", || over("fd66:", true, true)),
];

/// What a reply that is none may be counted as, besides not being seen at all.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    /// A true reply.
    Reply,
    /// Not what was sent.
    Corrupted,
    /// Nothing that was asked for.
    Rejected,
    /// An error.
    Error(u8),
    /// Not at all, or as rejected: the kernel keeps it away from some sockets.
    NoReply,
}

/// An address' last number, what it does, and as what that may be seen.
const WAYS: &[(u8, &str, Seen)] = &[
    (1, "honest", Seen::Reply),
    (2, "another source", Seen::Rejected),
    (3, "another identifier", Seen::NoReply),
    (4, "the next sequence number", Seen::Rejected),
    (5, "a changed body", Seen::Corrupted),
    (6, "a wrong checksum", Seen::NoReply),
    (7, "half of the body", Seen::Corrupted),
    (8, "an error about another target", Seen::NoReply),
    (9, "a giant", Seen::Corrupted),
    (10, "a redirect, then the reply", Seen::Reply),
    (12, "the reply three times", Seen::Reply),
    (14, "an error", Seen::Error(13)),
    (17, "the request itself", Seen::NoReply),
    (18, "no body", Seen::Corrupted),
    (19, "an error about UDP", Seen::NoReply),
    (20, "an error about another probe", Seen::NoReply),
    (21, "an error with another body", Seen::NoReply),
    (22, "a reply with a code", Seen::NoReply),
    (23, "an error cut before the sequence number", Seen::NoReply),
    (24, "a body of another run", Seen::Corrupted),
];

fn answers(packet: &[u8]) -> Vec<Out> {
    let Some(asked) = Packet::parse(packet).filter(Packet::is_request) else { return Vec::new() };
    let (is_v4, own, peer) = (asked.is_v4, asked.to, asked.from);
    let way = own[own.len() - 1];
    let reply = asked.reply();
    let header = if is_v4 { 20 } else { 40 };
    let unreachable =
        |quote: &[u8]| if is_v4 { Packet::error(3, 13, 0, quote) } else { Packet::error(1, 1, 0, quote) };
    let now = |icmp: Vec<u8>| Out::now(0, wrap(own, peer, icmp));
    let changed = |at: usize, bytes: &[u8]| {
        let mut reply = reply.clone();
        reply[at..at + bytes.len()].copy_from_slice(bytes);
        now(reply)
    };
    let quoting = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut quote = packet.to_vec();
        change(&mut quote);
        now(unreachable(&quote))
    };
    match way {
        2 => {
            let mut other = own.to_vec();
            *other.last_mut().expect("an address") = 99;
            vec![Out::now(0, wrap(&other, peer, reply))]
        }
        3 => vec![changed(4, &[reply[4] ^ 0x55, reply[5] ^ 0x55])],
        4 => vec![changed(6, &u16::from_be_bytes([reply[6], reply[7]]).wrapping_add(1).to_be_bytes())],
        5 => vec![changed(reply.len() - 5, &[reply[reply.len() - 5] ^ 0xff])],
        6 => {
            let Out { mut packet, .. } = now(reply.clone());
            packet[header + 2] ^= 0xff;
            vec![Out::now(0, packet)]
        }
        7 => vec![now(reply[..8 + (reply.len() - 8) / 2].to_vec())],
        8 => vec![quoting(&|quote| quote[header - 1] ^= 0x40)],
        9 => vec![now([reply.clone(), vec![7; 9_000]].concat())],
        10 if is_v4 => {
            let redirect = Packet::error(5, 1, u32::from_be_bytes([10, 66, 0, 77]), packet);
            vec![now(redirect), now(reply)]
        }
        // Over IPv6 a redirect is only taken from a router, and there is no source quench.
        1 | 10 => vec![now(reply)],
        12 => vec![now(reply.clone()), now(reply.clone()), now(reply)],
        14 => vec![now(unreachable(packet))],
        17 => vec![Out::now(0, wrap_raw(own, peer, asked.icmp.to_vec()))],
        18 => vec![now(reply[..8].to_vec())],
        19 => vec![quoting(&|quote| quote[if is_v4 { 9 } else { 6 }] = 17)],
        20 => vec![quoting(&|quote| quote[header + 7] ^= 0x20)],
        21 => vec![quoting(&|quote| quote[header + 8 + 20] ^= 1)],
        22 => vec![changed(1, &[1])],
        23 => vec![quoting(&|quote| quote.truncate(header + 5))],
        24 => vec![changed(8, &[1, 2, 3, 4, 5, 6, 7, 8])],
        _ => Vec::new(),
    }
}

fn over(prefix: &str, unprivileged: bool, as_nobody: bool) -> Result<(), String> {
    tun::available()?;
    if as_nobody && !can_become_nobody() {
        return Err("only root can become nobody; this whole run is an ordinary user's already".to_owned());
    }
    let client = Host::new("client");
    let own: &[&str] = if prefix.contains(':') { &["fd66::fe/64"] } else { &["10.66.0.254/24"] };
    let _link = tun::link(&[(&client, "evil0", own)], |_, packet| answers(packet));
    if unprivileged {
        client.allow_icmp_sockets();
    }
    let separator = if prefix.contains(':') { ":" } else { "." };
    // IPv6 writes its last number in hexadecimal.
    let address = |way: u8| match separator {
        ":" => format!("{prefix}:{way:x}"),
        _ => format!("{prefix}.{way}"),
    };
    let targets: Vec<String> = WAYS.iter().map(|(way, ..)| address(*way)).collect();
    for transport in ["auto", "portable"] {
        let args = format!("ping -c 2 -i 0.3 -W 4 --json --transport {transport} {}", targets.join(" "));
        let run = if as_nobody { client.netdiag_as_nobody(&args) } else { client.netdiag(&args) };
        let json = run.json();
        for ((way, what, seen), row) in WAYS.iter().zip(json["data"]["targets"].as_array().expect("rows")) {
            let context = format!("{transport}, {way}, {what}: {row}\n{}\n{json}", json["warnings"]);
            check(row, *way, *seen, transport, unprivileged, &context);
        }
    }
    Ok(())
}

fn check(row: &Value, way: u8, seen: Seen, transport: &str, unprivileged: bool, context: &str) {
    let count = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("{key}: {context}"));
    assert_eq!(count("sent"), 2, "{context}");
    let is_kernel = transport == "auto";
    if seen == Seen::Reply {
        assert_eq!((count("received"), row["outcome"].as_str()), (2, Some("alive")), "{context}");
        assert_eq!((count("corrupted"), count("rejected"), count("late")), (0, 0, 0), "{context}");
        assert_eq!(count("duplicates"), if way == 12 { 4 } else { 0 }, "{context}");
        let is_told = way == 10 && row["target"].as_str().is_some_and(|target| target.contains('.'));
        // An unprivileged socket of the portable transport sees no ICMP messages but replies.
        let notices = if is_told && (is_kernel || !unprivileged) { 2 } else { 0 };
        assert_eq!(count("notices"), notices, "{context}");
        assert_eq!(row["timestamps"], if is_kernel { "kernel" } else { "user" }, "{context}");
        return;
    }
    assert_eq!((count("received"), &row["rtt_us"]), (0, &Value::Null), "{context}");
    match seen {
        // The second probe has the number that the first one's false reply claims.
        Seen::Rejected => assert!(count("rejected") + count("corrupted") >= 1, "{context}"),
        Seen::Corrupted => assert_eq!(count("corrupted"), 2, "{context}"),
        Seen::Error(code) if is_kernel || !unprivileged => {
            let code =
                if row["target"].as_str().is_some_and(|target| target.contains(':')) { 1 } else { code };
            assert_eq!(row["errors"][0]["code"], code, "{context}");
            assert_eq!(count("lost"), 2, "{context}");
        }
        _ => assert_eq!(row["errors"].as_array().map(Vec::len), Some(0), "{context}"),
    }
}
