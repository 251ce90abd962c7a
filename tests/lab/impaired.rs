//! Delay, jitter, reordering, repetition and corruption between two hosts, made by a bridge of the tests' own.

use std::time::Duration;

use serde_json::Value;

use crate::common::{Test, expect_code};
use crate::net::{Host, can_become_nobody};
use crate::tun::{self, Link, Out, Packet};

pub(crate) const TESTS: &[Test] = &[
    ("impaired::delay_and_order", delay_and_order),
    ("impaired::repeated_late_and_corrupted", repeated_late_and_corrupted),
    ("impaired::an_outage_has_a_beginning_and_an_end", outage),
    ("impaired::path_mtu_told_and_untold", path_mtu),
];

/// Two hosts, 10.77.0.1 and 10.77.0.2, fd77::1 and fd77::2, and a bridge between that treats the n-th echo reply
/// on its way back, from 0; everything else passes.
fn bridged(treat: impl Fn(u64, Vec<u8>) -> Vec<Out> + Send + 'static) -> (Host, Host, Link) {
    let (client, far) = (Host::new("client"), Host::new("far"));
    let mut count = 0;
    let link = tun::link(
        &[
            (&client, "imp0", &["10.77.0.1/24", "fd77::1/64"]),
            (&far, "imp0", &["10.77.0.2/24", "fd77::2/64"]),
        ],
        move |end, packet| {
            let is_reply = Packet::parse(packet).is_some_and(|parsed| matches!(parsed.icmp[0], 0 | 129));
            if end == 0 || !is_reply {
                return vec![Out::now(1 - end, packet.to_vec())];
            }
            count += 1;
            treat(count - 1, packet.to_vec())
        },
    );
    client.allow_icmp_sockets();
    (client, far, link)
}

fn after(ms: u64, packet: Vec<u8>) -> Out {
    Out { after: Duration::from_millis(ms), end: 0, packet }
}

fn row(run: &crate::common::Run) -> Value {
    run.json()["data"]["targets"][0].clone()
}

fn delay_and_order() -> Result<(), String> {
    tun::available()?;
    // Every fifth is held up by half a second more than the others' 20 ms, so that the next overtake it, also where a busy
    // machine lets some of them leave late.
    let (client, _far, _link) =
        bridged(|count, packet| vec![after(if count % 5 == 0 { 520 } else { 20 }, packet)]);
    for transport in ["auto", "portable"] {
        for target in ["10.77.0.2", "fd77::2"] {
            let args = format!("ping -c 20 -i 0.02 --json --transport {transport} {target}");
            let run = client.netdiag(&args);
            expect_code(&run, 0);
            let row = row(&run);
            assert_eq!(
                (&row["received"], &row["lost"], &row["reordered"]),
                (&20.into(), &0.into(), &4.into()),
                "{row}"
            );
            let rtt = |key: &str| row["rtt_us"][key].as_f64().expect("a time") / 1000.0;
            // The bridge never sends early; how late a loaded machine lets it be is not netdiag's to say.
            assert!(rtt("min") >= 20.0 && rtt("max") >= 520.0 && rtt("p50") < 520.0, "{row}");
            assert!(
                rtt("min") <= rtt("p50") && rtt("p50") <= rtt("p95") && rtt("p95") <= rtt("max"),
                "{row}"
            );
            assert!(rtt("jitter") > 1.0 && rtt("stddev") > 5.0, "{row}");
        }
    }
    Ok(())
}

fn repeated_late_and_corrupted() -> Result<(), String> {
    tun::available()?;
    let (client, _far, _link) = bridged(|count, packet| match count % 4 {
        // The late replies come long before the run's end.
        0 => vec![after(3_400, packet)],
        1 => vec![after(1, packet.clone()), after(2, packet)],
        2 => {
            let parsed = Packet::parse(&packet).expect("a reply");
            let mut icmp = parsed.icmp.to_vec();
            *icmp.last_mut().expect("a body") ^= 0x80;
            vec![after(1, tun::wrap(parsed.from, parsed.to, icmp))]
        }
        _ => vec![after(1, packet)],
    });
    for as_nobody in [false, true] {
        if as_nobody && !can_become_nobody() {
            continue;
        }
        for (transport, target) in [("auto", "10.77.0.2"), ("auto", "fd77::2"), ("portable", "10.77.0.2")] {
            let args = format!("ping -c 8 -i 0.6 -W 2.5 --format ndjson --transport {transport} {target}");
            let run = if as_nobody { client.netdiag_as_nobody(&args) } else { client.netdiag(&args) };
            expect_code(&run, 0);
            let events = run.ndjson();
            let row = events.last().expect("a summary")["data"]["targets"][0].clone();
            let counts = ["sent", "received", "lost", "duplicates", "late", "corrupted", "rejected"]
                .map(|key| row[key].as_u64().expect("a count"));
            assert_eq!(counts, [8, 4, 4, 2, 2, 2, 0], "{transport} {target}: {row}");
            assert_eq!((&row["outcome"], &row["loss_percent"]), (&"partial".into(), &50.0.into()), "{row}");
            let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
            assert_eq!(
                [count("reply"), count("duplicate"), count("late"), count("corrupt"), count("timeout")],
                [4, 2, 2, 2, 4],
                "{run:?}"
            );
            let late = events.iter().find(|event| event["event"] == "late").expect("a late one");
            assert!(late["rtt_us"].as_f64().is_some_and(|rtt| rtt >= 3_400_000.0), "{late}");
        }
    }
    Ok(())
}

fn outage() -> Result<(), String> {
    tun::available()?;
    let (client, _far, _link) = bridged(|count, packet| match count {
        3 | 10..=19 => Vec::new(),
        _ => vec![after(0, packet)],
    });
    let row = row(&client.netdiag("ping -c 30 -i 0.05 -W 3 --json 10.77.0.2"));
    let outage = &row["longest_outage"];
    assert_eq!((&row["lost"], &outage["probes"]), (&11.into(), &10.into()), "{row}");
    let lasted = outage["duration_s"].as_f64().expect("a time");
    // From the first that was lost to the next that was answered: ten intervals, each a little longer or shorter.
    assert!(lasted >= 0.4, "{row}");
    let (began, ended) = (outage["began_at"].as_str(), outage["ended_at"].as_str());
    assert!(began.zip(ended).is_some_and(|(began, ended)| began < ended), "{row}");
    Ok(())
}

fn path_mtu() -> Result<(), String> {
    tun::available()?;
    for (mtu, tells) in [(1400, true), (1400, false), (1280, true), (9000, false)] {
        let (client, far) = (Host::new("client"), Host::new("far"));
        let link = tun::link(
            &[
                (&client, "imp0", &["10.77.0.1/24", "fd77::1/64"]),
                (&far, "imp0", &["10.77.0.2/24", "fd77::2/64"]),
            ],
            move |end, packet| {
                if packet.len() <= mtu {
                    return vec![Out::now(1 - end, packet.to_vec())];
                }
                let Some(parsed) = Packet::parse(packet).filter(|_| tells && end == 0) else {
                    return Vec::new();
                };
                let word = u32::try_from(mtu).expect("an MTU");
                let (router, error) = if parsed.is_v4 {
                    (vec![10, 77, 0, 250], Packet::error(3, 4, word, packet))
                } else {
                    let mut router = parsed.to.to_vec();
                    router[15] = 250;
                    (router, Packet::error(2, 0, word, packet))
                };
                vec![Out::now(0, tun::wrap(&router, parsed.from, error))]
            },
        );
        client.allow_icmp_sockets();
        for (target, headers, router) in [("10.77.0.2", 28, "10.77.0.250"), ("fd77::2", 48, "fd77::fa")] {
            let row = row(&client.netdiag(&format!("ping --pmtu -W 1 --json {target}")));
            let found = &row["path_mtu"];
            assert_eq!(
                (&found["mtu_bytes"], &found["payload_bytes"]),
                (&mtu.into(), &(mtu - headers).into()),
                "{row}"
            );
            let by = if tells { router.into() } else { Value::Null };
            assert_eq!((&found["limited_by"], &found["is_told"]), (&by, &tells.into()), "{row}");
        }
        // A probe that may not be cut is refused with the MTU.
        if tells {
            let row = row(&client.netdiag("ping -D -c 1 -s 1473 -W 0.5 --json 10.77.0.2"));
            assert_eq!((&row["outcome"], &row["errors"][0]["mtu"]), (&"error".into(), &mtu.into()), "{row}");
        }
        drop(link);
    }
    Ok(())
}
