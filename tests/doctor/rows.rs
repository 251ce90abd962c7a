//! Every fault, and every healthy oddity: what is done to the town, what is asked for, and what the doctor should say.

use std::net::IpAddr;
use std::time::Duration;

use crate::servers::{Answers, Manner, Page};
use crate::town::{Town, Validity, certificate};
use crate::wire::Fault;

/// One row.
pub(crate) struct Row {
    /// Its name.
    pub(crate) id: &'static str,
    /// What is wrong, in words.
    pub(crate) what: &'static str,
    /// What the doctor is asked for.
    pub(crate) target: &'static str,
    /// The codes that are right; the first is the one that is meant. `OK` is none.
    pub(crate) right: &'static [&'static str],
    /// What is done to the town.
    pub(crate) inject: fn(&mut Town),
    /// What it takes to be seen.
    pub(crate) needs: Needs,
    /// Where chance decides what is lost, how often the verdict has to be right.
    pub(crate) chance: Option<Chance>,
}

/// How a row is judged whose evidence is chance by nature: so many runs are right, of at most so many; no other verdict is
/// certain.
#[derive(Clone, Copy)]
pub(crate) struct Chance {
    pub(crate) right: u8,
    pub(crate) runs: u8,
}

/// What it takes to be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing.
    Nothing,
    /// A look at frames: nobody cannot have it.
    Frames,
    /// TUN devices in the lab.
    Tun,
}

const fn row(
    id: &'static str,
    what: &'static str,
    target: &'static str,
    right: &'static [&'static str],
    inject: fn(&mut Town),
) -> Row {
    Row { id, what, target, right, inject, needs: Needs::Nothing, chance: None }
}

impl Row {
    const fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// Says that chance decides, and that so many of so many runs are right.
    const fn by_chance(mut self, right: u8, runs: u8) -> Self {
        self.chance = Some(Chance { right, runs });
        self
    }
}

const E: &str = "shop.lab:7";
const H: &str = "http://shop.lab/";
const S: &str = "https://shop.lab/";
const D: &str = "dual.lab:7";
const N: &str = "192.168.7.30:7";

/// A table of nftables with one rule in one chain.
fn rule(host: &crate::net::Host, hook: &str, rule: &str) {
    let priority = if hook == "prerouting" { "-100" } else { "0" };
    let kind = if hook == "prerouting" { "nat" } else { "filter" };
    host.sh(&format!(
        "nft 'add table inet t; add chain inet t c {{ type {kind} hook {hook} priority {priority}; }}; add rule inet t c {rule}'"
    ));
}

/// Drops some of what comes in by a device.
fn lossy(host: &crate::net::Host, device: &str, what: &str) {
    host.sh(&format!(
        "nft 'add table netdev l; add chain netdev l c {{ type filter hook ingress device {device} priority 0; }}; add rule netdev l c {what} drop'"
    ));
}

fn echo_at_neighbour(town: &mut Town) {
    town.serve("neighbour", (IpAddr::from([192, 168, 7, 30]), 7), Manner::Echo);
}

fn portal(town: &mut Town, at: &str, port: u16) {
    let page = Page { status: 302, head: "Location: http://login.portal.lab/\r\n".to_owned(), ahead_s: 0 };
    town.serve("box", (at.parse().expect("an address"), port), Manner::Http(page));
}

/// A world whose clocks are so many days ahead.
fn future(town: &mut Town, days: u64) {
    let page = Page { ahead_s: days * 86_400, ..Page::good() };
    let days = i64::try_from(days).expect("not so many");
    town.web(&page, &certificate("shop.lab", &Validity::From(days - 1)));
}

const ROUTER_ONLY: &[&str] = &["GW.NOT_FORWARDING", "GW.UPSTREAM_DOWN", "PATH.BLACKHOLE"];

/// All of them.
pub(crate) const ROWS: &[Row] = &[
    row("OK-BASE", "nothing: both families", D, &["OK"], |_| ()),
    row("OK-NOTARGET", "nothing, and no target", "", &["OK"], |_| ()),
    row("OK-V4NAME", "nothing: the name has IPv4 alone", E, &["OK"], |_| ()),
    row("OK-HTTPS", "nothing: the web through TLS", S, &["OK"], |_| ()),
    row("OK-NOICMP", "the box lets no ICMP through, nor answers any", E, &["OK"], |town| {
        rule(&town.router, "forward", "ip protocol icmp drop");
        town.router.sh("nft 'add chain inet t i { type filter hook input priority 0; }; add rule inet t i ip protocol icmp drop'");
    }),
    row("OK-NOV6", "no IPv6 at all", D, &["OK"], |town| {
        town.client.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
    }),
    row("OK-MTU", "a smaller MTU on the way, and routers that say so", E, &["OK"], |town| {
        town.core.sh("ip link set out0 mtu 1400");
        town.world.sh("ip link set eth0 mtu 1400");
    }),
    row("OK-SILENTHOP", "a hop that says nothing", E, &["OK"], |town| {
        rule(&town.provider, "output", "icmp type time-exceeded drop");
    }),
    row("OK-RATELIMIT", "a router that says little", E, &["OK"], |town| {
        town.core.sh("sysctl -qw net.ipv4.icmp_ratelimit=5000");
    }),
    row("OK-ONLINK32", "a single address, and a gateway beside it, as in clouds", E, &["OK"], |town| {
        town.client.sh("ip -4 addr flush dev eth0; ip addr add 192.168.7.20/32 dev eth0; ip route add 192.168.7.1 dev eth0; ip route add default via 192.168.7.1");
    }),
    row("OK-LOONLY", "a machine without a network, and a target on itself", "127.0.0.1:7", &["OK"], |town| {
        town.client.sh("ip link del eth0");
        town.resolv.clear();
        town.serve("client", (IpAddr::from([127, 0, 0, 1]), 7), Manner::Echo);
    }),
    row("OK-FWALLOW", "a filter of its own that lets answers in", E, &["OK"], |town| {
        town.client.sh(
            "nft 'add table inet t; add chain inet t c { type filter hook input priority 0; policy drop; }; \
             add rule inet t c ct state established,related accept; add rule inet t c iifname lo accept; \
             add rule inet t c meta l4proto ipv6-icmp accept'",
        );
    }),
    row("OK-GWNOPING", "a gateway that answers no echo request", E, &["OK"], |town| {
        rule(&town.router, "input", "icmp type echo-request drop");
    }),
    row("OK-STUB", "a resolver on the machine itself", E, &["OK"], |town| {
        town.name_server("client", "127.0.0.53", Answers::Forward(([192, 168, 7, 1], 53).into()));
        town.resolv = String::from("nameserver 127.0.0.53\n");
    }),
    row("OK-HTTPREDIR", "a site that sends one to its own secure page", H, &["OK"], |town| {
        let head = "Location: https://shop.lab/\r\n".to_owned();
        town.shop(80, Manner::Http(Page { status: 301, head, ahead_s: 0 }));
    }),
    row("OK-SPAREDOWN", "a second interface that is switched off", E, &["OK"], |town| {
        town.client.sh("ip link add spare0 type veth peer name spare1; ip link set spare1 up");
    }),
    row("OK-LANONLY", "no default route, and a target on the LAN", N, &["OK"], |town| {
        echo_at_neighbour(town);
        town.client.sh("ip route del default; ip -6 route del default");
    }),
    row("OK-HOSTSFILE", "a name that only the hosts file knows", "private.lab:7", &["OK"], |town| {
        town.hosts.push_str("203.0.113.80 private.lab\n");
    }),
    row("H-LO-DOWN", "the loopback is down", E, &["HOST.LOOPBACK"], |town| {
        town.client.sh("ip link set lo down");
    }),
    row("H-LO-NOADDR", "the loopback has lost its address", E, &["HOST.LOOPBACK"], |town| {
        town.client.sh("ip addr del 127.0.0.1/8 dev lo");
    }),
    row("H-FD", "a dozen descriptors and no more", E, &["HOST.RESOURCES"], |town| {
        town.wrap = ["prlimit", "--nofile=12", "--"].map(str::to_owned).to_vec();
    }),
    row("H-EPHEM", "no port left to connect from", E, &["HOST.RESOURCES"], |town| {
        town.client.sh("sysctl -qw net.ipv4.ip_local_port_range='41000 41003'");
        town.hold("client", 4);
    }),
    row("H-CLOCK", "a clock 900 days behind, seen by a certificate", S, &["HOST.CLOCK"], |town| future(town, 900)),
    row("H-CLOCK-HTTP", "the same, seen by the web's dates", H, &["HOST.CLOCK"], |town| future(town, 900)),
    row("L-DOWN", "the interface is switched off", E, &["LINK.DOWN"], |town| {
        town.client.sh("ip link set eth0 down");
    }),
    row("L-NOCARRIER", "the cable is out", E, &["LINK.NO_CARRIER"], |town| {
        town.switch.sh("ip link set to-client down");
    }),
    row("L-NONE", "no interface at all", E, &["LINK.NONE"], |town| {
        town.client.sh("ip link del eth0");
    }),
    row("L-SWPORT", "a switch port that passes nothing", E, &["NEIGH.GATEWAY_SILENT"], |town| {
        town.switch.sh("bridge link set dev to-client state 0");
    }),
    row("L-LOSS", "one in three frames of the LAN is lost", E, &["PATH.LOSS"], |town| {
        lossy(&town.switch, "to-client", "numgen random mod 100 < 30");
    })
    .by_chance(2, 5),
    row("L-FLAP", "the link comes and goes", E, &["LINK.FLAPPING"], |town| {
        town.beside("switch", "for i in $(seq 400); do ip link set to-client down; sleep 0.2; ip link set to-client up; sleep 0.4; done");
        std::thread::sleep(Duration::from_millis(700));
    })
    // 40 of 40 runs are right, half of them on a busy machine.
    .by_chance(3, 5),
    row("L-NOARP", "the interface asks for nobody", E, &["NEIGH.BAD_ENTRY", "NEIGH.GATEWAY_SILENT"], |town| {
        town.client.sh("ip link set eth0 arp off");
    }),
    row("N-ARPSILENT", "the gateway answers no ARP", E, &["NEIGH.GATEWAY_SILENT"], |town| {
        town.router.sh("nft 'add table arp t; add chain arp t c { type filter hook input priority 0; policy drop; }'");
    }),
    row("N-DUPIP", "another host has this machine's address", E, &["ADDR.DUPLICATE"], |town| {
        town.neighbour.sh("ip addr add 192.168.7.20/24 dev eth0");
    })
    .needs(Needs::Frames),
    row("N-DUPGW", "another host has the gateway's", E, &["NEIGH.SPOOFED"], |town| {
        town.neighbour.sh("ip addr add 192.168.7.1/24 dev eth0");
    })
    .needs(Needs::Frames),
    row("N-STATIC", "a wrong hardware address for the gateway, set by hand", E, &["NEIGH.BAD_ENTRY"], |town| {
        town.client.sh("ip neigh replace 192.168.7.1 lladdr 02:00:00:00:00:99 nud permanent dev eth0");
    }),
    row("N-DUPMAC", "another host has this machine's hardware address", E, &["ADDR.DUPLICATE"], |town| {
        let mac = town.client.sh("ip -br link show eth0 | awk '{print $3}'");
        let mac = mac.trim();
        town.neighbour.sh(&format!("ip link set eth0 down; ip link set eth0 address {mac}; ip link set eth0 up; ip route add default via 192.168.7.1"));
        // It talks to the gateway, and looks for some that are not there, as hosts do. With -w ping would end at the first
        // error that a router, or its own kernel, tells it of.
        town.beside("neighbour", "ping -i 0.002 -q -c 120000 192.168.7.1");
        town.beside("neighbour", "for i in $(seq 70 85); do ping -q -c 240 192.168.7.$i & sleep 0.06; done; wait");
        std::thread::sleep(Duration::from_secs(1));
    })
    .needs(Needs::Frames)
    // 9 of 12 runs are right on one core: the others see no frame of the other host's, and lose nothing.
    .by_chance(2, 8),
    row("A-NONE", "no address", E, &["ADDR.NONE"], |town| {
        town.client.sh("ip addr flush dev eth0");
    }),
    row("A-APIPA", "only an address of its own making", E, &["ADDR.NONE"], |town| {
        town.client.sh("ip addr flush dev eth0; ip addr add 169.254.9.9/16 dev eth0");
    }),
    row("A-WRONGNET", "an address of another network", E, &["ADDR.MISMATCH"], |town| {
        town.client.sh("ip addr del 192.168.7.20/24 dev eth0; ip addr add 192.168.8.20/24 dev eth0; ip route replace default via 192.168.7.1 dev eth0 onlink");
    }),
    row("A-WIDEMASK", "a mask that takes the target for a neighbour", "192.168.99.80:7", &["ADDR.MISMATCH"], |town| {
        town.world.sh("ip addr add 192.168.99.80/32 dev lo");
        town.serve("world", (IpAddr::from([192, 168, 99, 80]), 7), Manner::Echo);
        town.client.sh("ip addr del 192.168.7.20/24 dev eth0; ip addr add 192.168.7.20/16 dev eth0; ip route replace default via 192.168.7.1");
    }),
    row("R-NODEF", "no default route", E, &["ROUTE.NO_DEFAULT"], |town| {
        town.client.sh("ip route del default; ip -6 route del default");
    }),
    row("R-NOTROUTER", "a default route to a host that is no router", E, &["ROUTE.WRONG_GATEWAY"], |town| {
        town.client.sh("ip route replace default via 192.168.7.30; ip -6 route del default");
    }),
    row("R-GHOSTGW", "a default route to nobody", E, &["ROUTE.WRONG_GATEWAY", "NEIGH.GATEWAY_SILENT"], |town| {
        town.client.sh("ip route replace default via 192.168.7.99; ip -6 route del default");
    }),
    row("R-BLACKHOLE", "a blackhole route", E, &["ROUTE.LOCAL_BLOCK"], |town| {
        town.client.sh("ip route add blackhole 203.0.113.80/32");
    }),
    row("R-PROHIBIT", "a prohibit route", E, &["ROUTE.LOCAL_BLOCK"], |town| {
        town.client.sh("ip route add prohibit 203.0.113.80/32");
    }),
    row("R-RULE", "a routing rule that refuses everything", E, &["ROUTE.RULE_BLOCK"], |town| {
        town.client.sh("ip rule add priority 100 unreachable; ip -6 rule add priority 100 unreachable");
    }),
    row("R-UNREACH", "an unreachable route", E, &["ROUTE.LOCAL_BLOCK"], |town| {
        town.client.sh("ip route add unreachable 203.0.113.80/32");
    }),
    row("R-STALEVPN", "a dead tunnel that still has the route", E, &["ROUTE.WRONG_INTERFACE"], |town| {
        town.client.sh("ip link add vpn9 type vxlan id 9 remote 192.168.7.30 dstport 4789 dev eth0 && ip addr add 172.29.0.2/32 dev vpn9 && ip link set vpn9 arp off up && ip route add 203.0.113.80/32 dev vpn9");
    }),
    row("R-WRONGDEF", "a better default route by a dead interface", E, &["ROUTE.WRONG_INTERFACE"], |town| {
        crate::net::cable((&town.client, "eth1", &["192.168.50.2/24"]), (&town.neighbour, "eth9", &[]));
        town.client.sh("ip route del default; ip route add default via 192.168.7.1 metric 100; ip route add default via 192.168.50.1 metric 10");
    }),
    row("R-BADSRC", "a source that no answer finds", E, &["ROUTE.BAD_SOURCE"], |town| {
        town.client.sh("ip addr add 172.31.77.7/32 dev lo; ip route replace default via 192.168.7.1 src 172.31.77.7");
    }),
    row("R-RPF", "answers by another interface, which are dropped", E, &["ROUTE.BAD_SOURCE"], |town| {
        crate::net::cable((&town.client, "eth1", &["192.168.60.20/24"]), (&town.router, "lan1", &["192.168.60.1/24"]));
        town.client.sh("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1 net.ipv4.conf.eth1.rp_filter=1");
        town.router.sh("ip route add 192.168.7.20/32 via 192.168.60.20 dev lan1 table 77; ip rule add from 203.0.113.80 lookup 77");
    }),
    row("G-NOFWD", "a gateway that passes nothing on", E, ROUTER_ONLY, |town| {
        town.router.sh("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
    }),
    row("G-WANDOWN", "a gateway without its uplink", E, &["GW.UPSTREAM_DOWN"], |town| {
        town.router.sh("ip link set wan0 down");
    }),
    row("G-NONAT", "a gateway that translates no more", E, &["NAT.MISSING", "GW.UPSTREAM_DOWN", "PATH.BLACKHOLE"], |town| {
        town.router.sh("nft flush chain ip nat post");
    }),
    row("G-NATPOOL", "a gateway out of ports", E, &["NAT.EXHAUSTED", "FW.DROP"], |town| {
        town.router.sh("nft flush chain ip nat post; nft add rule ip nat post oifname wan0 ip protocol tcp masquerade to :40000-40003; nft add rule ip nat post oifname wan0 masquerade");
        town.hold("neighbour", 4);
    }),
    row("G-CTLIMIT", "a gateway that lets only some connections be", E, &["NAT.EXHAUSTED", "FW.DROP", "GW.UPSTREAM_DOWN", "NAT.MISSING", "PATH.BLACKHOLE"], |town| {
        town.router.sh("nft 'add table ip f; add chain ip f c { type filter hook forward priority 0; }; add rule ip f c ct state new ct count over 3 drop'");
        town.hold("neighbour", 3);
    }),
    row("P-BLACKHOLE", "a provider that drops everything", E, &["PATH.BLACKHOLE"], |town| {
        town.provider.sh("nft 'add table inet t; add chain inet t c { type filter hook forward priority 0; policy drop; }'");
    }),
    row("P-BHTARGET", "a router that drops what is for the target", E, &["PATH.BLACKHOLE"], |town| {
        town.core.sh("ip route add blackhole 203.0.113.80/32");
    }),
    row("P-NETUNREACH", "a router without a way to the target", E, &["PATH.UNREACHABLE"], |town| {
        town.core.sh("ip route add unreachable 203.0.113.80/32");
    }),
    row("P-HOSTDOWN", "a target that is off", E, &["PATH.UNREACHABLE"], |town| {
        town.core.sh("ip route add 203.0.113.80/32 via 198.51.100.9");
    }),
    row("P-LOOP", "two routers that hold each other for the way", E, &["PATH.LOOP"], |town| {
        town.core.sh("ip route replace default via 100.64.8.1");
    }),
    row("P-LOOPTGT", "the same for the target alone", E, &["PATH.LOOP"], |town| {
        town.core.sh("ip route add 203.0.113.80/32 via 100.64.8.1");
    }),
    row("P-LOSSBIG", "large packets are lost", E, &["PATH.LOSS"], |town| {
        lossy(&town.provider, "out0", "meta length > 1000 numgen random mod 100 < 60");
    })
    .by_chance(2, 5),
    row("P-MTU", "a smaller MTU on the way, and nobody says so", E, &["PATH.MTU"], |town| {
        town.core.sh("ip link set out0 mtu 1280; nft 'add table ip t; add chain ip t c { type filter hook output priority 0; }; add rule ip t c icmp type destination-unreachable icmp code 4 drop'");
        town.world.sh("ip link set eth0 mtu 1280; ip route change 100.64.0.0/16 via 198.51.100.1 advmss 1460");
    }),
    row("P-DELAY", "every packet takes 200 ms each way", E, &["PATH.LATENCY"], |town| {
        town.faulty(Fault { delay_ms: 200, ..Fault::default() });
    })
    .needs(Needs::Tun),
    row("P-JITTER", "packets take very differently long", E, &["PATH.LATENCY"], |town| {
        town.faulty(Fault { delay_ms: 60, jitter_ms: 55, ..Fault::default() });
    })
    .needs(Needs::Tun)
    .by_chance(2, 5),
    row("P-DUP", "packets come twice", E, &["PATH.LATENCY"], |town| {
        town.faulty(Fault { doubled: 60, ..Fault::default() });
    })
    .needs(Needs::Tun)
    .by_chance(2, 5),
    row("P-CORRUPT", "packets come damaged", E, &["PATH.LOSS"], |town| {
        town.faulty(Fault { damaged: 40, ..Fault::default() });
    })
    .needs(Needs::Tun)
    .by_chance(2, 5),
    row("P-THROTTLE", "64 kbit/s and no more", H, &["PATH.BANDWIDTH"], |town| {
        town.provider.sh("tc qdisc add dev in0 root tbf rate 64kbit burst 3kb latency 2s");
    })
    .by_chance(2, 5),
    row("P-BLACKOUT", "nothing passes for a second of each two", E, &["PATH.INTERMITTENT"], |town| {
        town.faulty(Fault { dead_ms: 1_000, ..Fault::default() });
    })
    .needs(Needs::Tun)
    // 28 of 40 runs are right, on an idle machine and on a busy one: the others pass while packets do.
    .by_chance(2, 12),
    row("P-ECMP", "one of two ways is dead", E, &["PATH.ECMP_PARTIAL"], |town| {
        crate::net::cable((&town.provider, "v0", &["100.64.9.1/30"]), (&town.core, "v1", &["100.64.9.2/30"]));
        town.provider.sh("sysctl -qw net.ipv4.fib_multipath_hash_policy=1; ip route replace default nexthop via 100.64.8.2 nexthop via 100.64.9.2");
        lossy(&town.core, "v1", "ip protocol { tcp, udp, icmp }");
    })
    // 13 of 20 runs are right: the others happen to take ports that tell nothing.
    .by_chance(2, 10),
    row("F-OUTDROP", "this machine's filter drops what goes out", E, &["FW.LOCAL"], |town| rule(&town.client, "output", "tcp dport 7 drop")),
    row("F-OUTREJ", "it rejects that", E, &["FW.LOCAL"], |town| rule(&town.client, "output", "tcp dport 7 reject")),
    row("F-OUTRST", "it resets that", E, &["FW.LOCAL"], |town| rule(&town.client, "output", "tcp dport 7 reject with tcp reset")),
    row("F-INDROP", "it drops what comes back", E, &["FW.LOCAL"], |town| rule(&town.client, "input", "ip saddr 203.0.113.80 drop")),
    row("F-DNSOUT", "it drops questions of DNS", E, &["FW.LOCAL"], |town| rule(&town.client, "output", "meta l4proto { tcp, udp } th dport 53 drop")),
    row("F-RDROP", "the box drops connections to the port", E, &["FW.DROP"], |town| rule(&town.router, "forward", "tcp dport 7 drop")),
    row("F-REJ-HOST", "a router rejects them: host unreachable", E, &["FW.REJECT"], |town| rule(&town.core, "forward", "meta nfproto ipv4 tcp dport 7 reject with icmp type host-unreachable")),
    row("F-REJ-NET", "the same: net unreachable", E, &["FW.REJECT"], |town| rule(&town.core, "forward", "meta nfproto ipv4 tcp dport 7 reject with icmp type net-unreachable")),
    row("F-REJ-HPROH", "the same: host prohibited", E, &["FW.REJECT"], |town| rule(&town.core, "forward", "meta nfproto ipv4 tcp dport 7 reject with icmp type host-prohibited")),
    row("F-REJ-NPROH", "the same: net prohibited", E, &["FW.REJECT"], |town| rule(&town.core, "forward", "meta nfproto ipv4 tcp dport 7 reject with icmp type net-prohibited")),
    row("F-REJ-APROH", "the same: administratively prohibited", E, &["FW.REJECT"], |town| rule(&town.core, "forward", "meta nfproto ipv4 tcp dport 7 reject with icmp type admin-prohibited")),
    row("F-REJ-RST", "the same: by a reset", E, &["FW.REJECT", "TCP.REFUSED"], |town| rule(&town.core, "forward", "tcp dport 7 reject with tcp reset")),
    row("F-DATADROP", "a router drops what is said on connections", E, &["FW.DROP"], |town| rule(&town.core, "forward", "tcp dport 7 tcp flags & psh == psh drop")),
    row("F-SYNLIMIT", "the box lets one connection a second through", E, &["FW.DROP"], |town| {
        town.router.sh("nft 'add table inet t; add chain inet t c { type filter hook forward priority 0; }; add rule inet t c tcp flags syn limit rate 1/second burst 1 packets accept; add rule inet t c tcp flags & (syn|ack) == syn drop'");
    })
    .by_chance(2, 5),
    row("P-UDPBLOCK", "the box passes no UDP", E, &["FW.DROP"], |town| rule(&town.router, "forward", "meta l4proto udp drop")),
    row("D-EMPTY", "no name server", E, &["DNS.NO_RESOLVER"], |town| town.resolv.clear()),
    row("D-OFFNET", "a name server far away that is silent", E, &["DNS.SERVER_DOWN"], |town| town.resolv = String::from("nameserver 203.0.113.99\n")),
    row("D-PORTCLOSED", "nobody at the name server's port", E, &["DNS.SERVER_DOWN"], Town::no_resolver),
    row("D-SERVFAIL", "a name server that fails", E, &["DNS.SERVER_ERROR"], |town| town.resolver(Answers::Code(2))),
    row("D-REFUSED", "a name server that refuses", E, &["DNS.SERVER_ERROR"], |town| town.resolver(Answers::Code(5))),
    row("D-FORMERR", "a name server that does not understand", E, &["DNS.SERVER_ERROR"], |town| town.resolver(Answers::Code(1))),
    row("D-NODATA", "a name server that knows no address", E, &["DNS.SERVER_ERROR"], |town| town.resolver(Answers::NoData)),
    row("D-GARBAGE", "a name server that answers nonsense", E, &["DNS.SERVER_ERROR"], |town| town.resolver(Answers::Garbage)),
    row("D-FLAKY", "a name server that answers each third question", E, &["DNS.SLOW"], |town| town.resolver(Answers::Third))
    .by_chance(2, 5),
    row("D-NXLOCAL", "a name server that denies the name", E, &["DNS.WRONG_ANSWER"], |town| town.resolver(Answers::Code(3))),
    row("D-NX", "a name that is none", "shopp.lab:7", &["DNS.NO_SUCH_NAME"], |_| ()),
    row("D-SINK", "a name server that sends one nowhere", E, &["DNS.WRONG_ANSWER"], |town| town.resolver(Answers::Address([0, 0, 0, 0].into()))),
    row("D-SLOW", "a name server that takes 1.2 s", E, &["DNS.SLOW"], |town| town.resolver(Answers::Slow(Duration::from_millis(1_200)))),
    row("D-TC", "answers that need TCP, and no TCP", E, &["DNS.TCP_BLOCKED"], |town| {
        town.resolver(Answers::Truncated);
        rule(&town.router, "input", "tcp dport 53 drop");
    }),
    row("D-UPSTREAM", "a name server that hears nothing itself", E, &["DNS.SERVER_DOWN", "DNS.SERVER_ERROR"], |town| {
        rule(&town.world, "input", "ip daddr 203.0.113.53 udp dport 53 drop");
    }),
    row("D-HOSTS", "a hosts file that leads astray", E, &["NAME.HOSTS_OVERRIDE"], |town| town.hosts.push_str("198.18.0.67 shop.lab\n")),
    row("D-INTERCEPT", "somebody else answers for the name server", E, &["MBOX.INTERCEPT"], |town| {
        town.router.sh("nft 'add chain ip nat pre { type nat hook prerouting priority -100; }; add rule ip nat pre iifname lan0 meta l4proto { tcp, udp } th dport 53 dnat to 192.168.7.1'");
        town.resolv = String::from("nameserver 198.18.0.53\n");
    }),
    row("D-NDOTS", "a search list before each name", E, &["DNS.SLOW"], |town| {
        town.resolver(Answers::Slow(Duration::from_millis(600)));
        town.resolv.push_str("search a.corp.lab b.corp.lab c.corp.lab\noptions ndots:5\n");
    }),
    row("D-AAAAHANG", "questions for IPv6 addresses are dropped", D, &["DNS.SLOW"], |town| {
        town.resolver(Answers::NoAaaa(([203, 0, 113, 53], 53).into()));
    }),
    row("D-FIRSTDEAD", "the first of two name servers is dead", E, &["DNS.SLOW"], |town| {
        town.core.sh("ip route add blackhole 203.0.113.99/32");
        town.resolv = String::from("nameserver 203.0.113.99\nnameserver 192.168.7.1\n");
    }),
    row("M-PORTAL", "a portal that wants a login", H, &["MBOX.PORTAL"], |town| {
        portal(town, "0.0.0.0", 8080);
        town.router.sh("nft 'add chain ip nat pre { type nat hook prerouting priority -100; }; add rule ip nat pre iifname lan0 tcp dport 80 redirect to :8080'");
        rule(&town.router, "forward", "tcp dport 443 reject with tcp reset");
    }),
    row("M-PORTALDNS", "the same by names", H, &["MBOX.PORTAL"], |town| {
        town.resolver(Answers::Address([192, 168, 7, 1].into()));
        portal(town, "192.168.7.1", 80);
        town.router.sh("nft 'add table inet t; add chain inet t c { type filter hook forward priority 0; policy drop; }'");
    }),
    row("M-WRONGSVC", "the web behind the port of echo", E, &["APP.WRONG_REPLY", "APP.SILENT"], |town| town.shop(7, Manner::Http(Page::good()))),
    row("T-REFUSED", "nobody listens", "shop.lab:4242", &["TCP.REFUSED"], |_| ()),
    row("T-BACKLOG", "a server that accepts nobody", E, &["TCP.BACKLOG_FULL", "FW.DROP"], |town| town.shop(7, Manner::NeverAccepts)),
    row("T-RST", "a server that resets at once", E, &["TCP.RESET"], |town| town.shop(7, Manner::Reset)),
    row("T-RSTDATA", "a server that resets at the first data", E, &["TCP.RESET"], |town| town.shop(7, Manner::ResetAfterData)),
    row("T-ZEROWIN", "a server that never reads", E, &["APP.SILENT"], |town| town.shop(7, Manner::NeverReads)),
    row("AP-SILENT", "a server that says nothing", E, &["APP.SILENT"], |town| town.shop(7, Manner::Silent)),
    row("AP-SLOW", "a server that thinks for 1.5 s", E, &["APP.SLOW"], |town| town.shop(7, Manner::Slow(Duration::from_millis(1_500)))),
    row("AP-MISMATCH", "a server that sends back something else", E, &["APP.WRONG_REPLY"], |town| town.shop(7, Manner::Different)),
    row("AP-TRUNC", "a server that sends back the half", E, &["APP.CLOSED_EARLY"], |town| town.shop(7, Manner::Half)),
    row("AP-CLOSE", "a server that closes at once", E, &["APP.CLOSED_EARLY"], |town| town.shop(7, Manner::Close)),
    row("AP-TARPIT", "a server that sends a byte a second", E, &["APP.SLOW"], |town| town.shop(7, Manner::Trickle)),
    row("AP-500", "status 500", H, &["APP.HTTP_ERROR"], |town| town.shop(80, Manner::Http(Page::status(500)))),
    row("AP-503", "status 503", H, &["APP.HTTP_ERROR"], |town| town.shop(80, Manner::Http(Page::status(503)))),
    row("X-TLS-EXPIRED", "a certificate of the past", S, &["TLS.CERT"], |town| {
        town.shop(443, Manner::Https(certificate("shop.lab", &Validity::Past), Page::good()));
    }),
    row("X-TLS-FUTURE", "one of the future", S, &["TLS.CERT"], |town| {
        town.shop(443, Manner::Https(certificate("shop.lab", &Validity::From(900)), Page::good()));
    }),
    row("X-TLS-WRONGNAME", "one for another name", S, &["TLS.CERT"], |town| {
        town.shop(443, Manner::Https(certificate("other.lab", &Validity::Good), Page::good()));
    }),
    row("X-TLS-SELFSIGNED", "one that nobody signed", S, &["TLS.CERT"], |town| {
        town.shop(443, Manner::Https(certificate("shop.lab", &Validity::SelfSigned), Page::good()));
    }),
    row("X-PLAIN", "no TLS where it should be", S, &["TLS.HANDSHAKE"], |town| town.shop(443, Manner::Http(Page::good()))),
    row("V6-BROKEN", "IPv6 is dropped on the way", D, &["V6.BROKEN"], |town| {
        town.core.sh("nft 'add table ip6 t; add chain ip6 t c { type filter hook forward priority 0; policy drop; }'");
    }),
    row("V6-NOROUTE", "no way for IPv6", D, &["OK", "V6.BROKEN"], |town| {
        town.client.sh("ip -6 route del default");
    }),
    row("V4-BROKEN", "IPv4 is dropped on the way, but for names", D, &["V4.BROKEN"], |town| {
        town.core.sh("nft 'add table ip t; add chain ip t c { type filter hook forward priority 0; policy drop; }; add rule ip t c ip saddr 203.0.113.53 accept; add rule ip t c ip daddr 203.0.113.53 accept'");
    }),
    row("E-PROXYDEAD", "a proxy that is none", H, &["PROXY.BROKEN"], |town| {
        town.env.push(("http_proxy".to_owned(), "http://192.168.7.30:3128".to_owned()));
    }),
    row("F-NDIRTY", "a network that keeps its clients apart", N, &["NEIGH.TARGET_SILENT"], |town| {
        echo_at_neighbour(town);
        town.switch.sh("bridge link set dev to-client isolated on; bridge link set dev to-neighbour isolated on");
    }),
    row("T-PEERDOWN", "a neighbour that is off", N, &["NEIGH.TARGET_SILENT"], |town| {
        town.neighbour.sh("ip link set eth0 down");
    }),
    row("P-MTULAN", "jumbo hosts at a switch that is none", N, &["PATH.MTU"], |town| {
        echo_at_neighbour(town);
        for host in [&town.client, &town.neighbour] {
            host.sh("ip link set eth0 mtu 9000; ethtool -K eth0 tso off gso off gro off >/dev/null");
        }
    }),
    row("2-LINKDNS", "two at once: no link, and a dead name server", E, &["LINK.NO_CARRIER"], |town| {
        town.no_resolver();
        town.switch.sh("ip link set to-client down");
    }),
    row("2-PORTDNS", "two at once: nobody listens, and names take long", "shop.lab:4242", &["TCP.REFUSED", "DNS.SLOW"], |town| {
        town.resolver(Answers::Slow(Duration::from_millis(900)));
    }),
];
