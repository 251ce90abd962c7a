//! The lab's town: a client, a neighbour and a box on a LAN; behind the box a provider, a core router, and a world with a
//! shop, name servers and well-known hosts.
//!
//! ```text
//! client --- switch --- box --- provider --- core --- world
//!              |
//!          neighbour
//! ```

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::common::{self, Run};
use crate::net::{self, Files, Host, assignments};
use crate::servers::{self, Answers, Manner, Page, SHOP, SHOP_V6, Server};
use crate::wire::{self, Fault};

/// The hosts that the doctor compares with.
const PUBLIC: [&str; 3] = ["1.1.1.1", "8.8.8.8", "9.9.9.9"];

/// What makes a router of a host.
const FORWARDS: &str =
    "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding";

/// A town.
pub(crate) struct Town {
    /// Servers end before their hosts do.
    pub(crate) servers: HashMap<(String, u16), Server>,
    wire: Option<wire::Link>,
    running: Vec<std::process::Child>,
    held: Vec<TcpStream>,
    pub(crate) client: Host,
    pub(crate) switch: Host,
    pub(crate) neighbour: Host,
    pub(crate) router: Host,
    pub(crate) provider: Host,
    pub(crate) core: Host,
    pub(crate) world: Host,
    /// There until the value goes.
    files: Option<Files>,
    pub(crate) resolv: String,
    pub(crate) hosts: String,
    pub(crate) env: Vec<(String, String)>,
    /// What stands before the program's name.
    pub(crate) wrap: Vec<String>,
}

impl Drop for Town {
    fn drop(&mut self) {
        for child in &mut self.running {
            // It leads a process group: what it started ends with it.
            let _ = std::process::Command::new("kill")
                .args(["-KILL", "--", &format!("-{}", child.id())])
                .stderr(Stdio::null())
                .status();
            let _ = child.wait();
        }
        self.servers.clear();
        drop(self.wire.take());
        self.files.take().into_iter().for_each(Files::give_back);
    }
}

impl Town {
    /// Builds it, in good health.
    pub(crate) fn new() -> Self {
        let [client, switch, neighbour, router, provider, core, world] =
            Host::several(["client", "switch", "neighbour", "box", "provider", "core", "world"]);
        let cable = |(one, its): (&Host, &str), (other, end): (&Host, &str)| {
            let (one, other) = (one.name(), other.name());
            format!("link add name {its} netns {one} type veth peer name {end} netns {other}\n")
        };
        let cables = [
            cable((&client, "eth0"), (&switch, "to-client")),
            cable((&neighbour, "eth0"), (&switch, "to-neighbour")),
            cable((&router, "lan0"), (&switch, "to-box")),
            cable((&router, "wan0"), (&provider, "in0")),
            cable((&provider, "out0"), (&core, "in0")),
            cable((&core, "out0"), (&world, "eth0")),
        ];
        client.sh(&format!("ip -batch - <<'END'\n{}END", cables.concat()));
        let interface = |name: &str, addresses: &[&str]| {
            format!("{}ip link set dev {name} up\n", assignments(addresses, name))
        };
        let mut loopback = String::new();
        for address in ["203.0.113.80", "203.0.113.53", "203.0.113.54"].iter().chain(&PUBLIC) {
            writeln!(loopback, "ip addr add {address}/32 dev lo").expect("memory");
        }
        for (host, script) in [
            (&client, interface("eth0", &["192.168.7.20/24", "fd07::20/64"])),
            (
                &switch,
                "ip link add br0 type bridge; ip link set br0 up
                 for p in to-client to-neighbour to-box; do ip link set $p up master br0; done"
                    .to_owned(),
            ),
            (&neighbour, interface("eth0", &["192.168.7.30/24"])),
            (
                &router,
                interface("lan0", &["192.168.7.1/24", "fd07::1/64"])
                    + &interface("wan0", &["100.64.7.2/30", "fd64::2/64"])
                    + FORWARDS,
            ),
            (
                &provider,
                interface("in0", &["100.64.7.1/30", "fd64::1/64"])
                    + &interface("out0", &["100.64.8.1/30", "fd65::1/64"])
                    + FORWARDS,
            ),
            (
                &core,
                interface("in0", &["100.64.8.2/30", "fd65::2/64"])
                    + &interface("out0", &["198.51.100.1/24", "fd66::1/64"])
                    + FORWARDS,
            ),
            (
                &world,
                interface("eth0", &["198.51.100.2/24", "fd66::2/64"])
                    + &loopback
                    + &format!("ip addr add {SHOP_V6}/128 dev lo nodad\n")
                    + FORWARDS,
            ),
        ] {
            host.sh(&script);
        }
        for (host, interfaces) in [
            (&client, "eth0"),
            (&switch, "to-client to-neighbour to-box"),
            (&neighbour, "eth0"),
            (&router, "lan0 wan0"),
            (&provider, "in0 out0"),
            (&core, "in0 out0"),
            (&world, "eth0"),
        ] {
            host.wait_until_up(interfaces);
        }
        world.wait_for_addresses("lo");
        client.sh("ip route add default via 192.168.7.1 && ip -6 route add default via fd07::1");
        neighbour.sh("ip route add default via 192.168.7.1");
        let town = Self {
            servers: HashMap::new(),
            wire: None,
            running: Vec::new(),
            held: Vec::new(),
            client,
            switch,
            neighbour,
            router,
            provider,
            core,
            world,
            files: Some(Files::take()),
            resolv: "nameserver 192.168.7.1\n".to_owned(),
            hosts: "127.0.0.1 localhost\n::1 localhost\n".to_owned(),
            env: Vec::new(),
            wrap: Vec::new(),
        };
        town.router.sh("ip route add default via 100.64.7.1 && ip -6 route add default via fd64::1");
        town.way_of_provider();
        town.way_of_core();
        town.world.sh("ip route add 100.64.0.0/16 via 198.51.100.1 && ip -6 route add fd00::/8 via fd66::1");
        town.router
            .sh("nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; \
             add rule ip nat post oifname wan0 masquerade'");
        town.client.allow_icmp_sockets();
        town.furnished()
    }

    fn way_of_provider(&self) {
        self.provider.sh("ip route replace default via 100.64.8.2; ip -6 route replace default via fd65::2
             ip -6 route replace fd07::/64 via fd64::2");
    }

    fn way_of_core(&self) {
        self.core.sh("ip route replace default via 198.51.100.2; ip -6 route replace default via fd66::2
             ip route replace 100.64.7.0/30 via 100.64.8.1; ip -6 route replace fd64::/64 via fd65::1
             ip -6 route replace fd07::/64 via fd65::1");
    }

    /// Puts the servers in place.
    fn furnished(mut self) -> Self {
        let upstream: IpAddr = [203, 0, 113, 53].into();
        self.name_server("box", "192.168.7.1", Answers::Forward((upstream, 53).into()));
        self.name_server("world", "203.0.113.53", Answers::Zone);
        for address in PUBLIC {
            self.name_server("world", address, Answers::Zone);
        }
        self.web(&Page::good(), &certificate("shop.lab", &Validity::Good));
        self.serve("world", (SHOP.into(), 7), Manner::Echo);
        self.serve("world", (SHOP_V6.into(), 7), Manner::Echo);
        for address in PUBLIC {
            let ip: IpAddr = address.parse().expect("an address");
            self.serve("world", (ip, 53), Manner::Silent);
        }
        self
    }

    /// Puts the web of the world in place, on every address of it.
    pub(crate) fn web(&mut self, page: &Page, config: &Arc<ServerConfig>) {
        let mut all: Vec<IpAddr> = vec![SHOP.into(), servers::CHECK.into()];
        all.extend(PUBLIC.map(|address| address.parse::<IpAddr>().expect("an address")));
        for ip in all {
            self.serve("world", (ip, 80), Manner::Http(page.clone()));
            self.serve("world", (ip, 443), Manner::Https(config.clone(), page.clone()));
        }
    }

    fn host(&self, name: &str) -> &Host {
        match name {
            "client" => &self.client,
            "neighbour" => &self.neighbour,
            "box" => &self.router,
            "world" => &self.world,
            other => panic!("no host {other}"),
        }
    }

    /// Starts a server, in the place of the one that is there.
    #[track_caller]
    pub(crate) fn serve(&mut self, host: &str, at: (IpAddr, u16), manner: Manner) {
        let key = (at.0.to_string(), at.1);
        drop(self.servers.remove(&key));
        let server = servers::serve(self.host(host), SocketAddr::from(at), manner);
        self.servers.insert(key, server);
    }

    /// Starts a server of the shop's echo port.
    #[track_caller]
    pub(crate) fn shop(&mut self, port: u16, manner: Manner) {
        self.serve("world", (SHOP.into(), port), manner);
    }

    /// Starts a name server, in the place of the one that is there.
    #[track_caller]
    pub(crate) fn name_server(&mut self, host: &str, at: &str, answers: Answers) {
        let key = (format!("dns {at}"), 53);
        drop(self.servers.remove(&key));
        let server = servers::name_server(self.host(host), at.parse().expect("an address"), answers);
        self.servers.insert(key, server);
    }

    /// Lets the box answer names otherwise.
    #[track_caller]
    pub(crate) fn resolver(&mut self, answers: Answers) {
        self.name_server("box", "192.168.7.1", answers);
    }

    /// Takes the box's name server away.
    pub(crate) fn no_resolver(&mut self) {
        drop(self.servers.remove(&("dns 192.168.7.1".to_owned(), 53)));
    }

    /// Lays the cable between provider and core anew, with a fault.
    pub(crate) fn faulty(&mut self, fault: Fault) {
        self.provider.sh("ip link del out0");
        self.wire = Some(wire::lay(
            [
                (&self.provider, "out0", &["100.64.8.1 peer 100.64.8.2", "fd65::1/64"]),
                (&self.core, "in0", &["100.64.8.2 peer 100.64.8.1", "fd65::2/64"]),
            ],
            fault,
        ));
        for host in [&self.provider, &self.core] {
            let device = if std::ptr::eq(host, &raw const self.provider) { "out0" } else { "in0" };
            host.sh(&format!("ip link set {device} mtu 1500"));
        }
        self.way_of_provider();
        self.way_of_core();
    }

    /// Starts a shell script that runs beside the rest, and ends with the town.
    pub(crate) fn beside(&mut self, host: &str, script: &str) {
        let mut command = match host {
            "switch" => self.switch.command("sh"),
            other => self.host(other).command("sh"),
        };
        command.args(["-c", &format!("exec 2>/dev/null; {script}")]);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.running.push(command.spawn().expect("sh starts"));
    }

    /// Holds connections from a host to the shop open, as long as the town stands.
    pub(crate) fn hold(&mut self, host: &str, count: usize) {
        for _ in 0..count {
            let held = self.host(host).inside(|| TcpStream::connect((SHOP, 7)));
            self.held.push(held);
        }
    }

    /// Lets this machine forget what it has learnt of the network: neighbours, MTUs, round-trip times.
    pub(crate) fn forget(&self) {
        self.client.sh(
            "ip neigh flush all; ip route flush cache; ip -6 route flush cache; ip tcp_metrics flush || true",
        );
    }

    /// Runs the doctor on the client, as root or as nobody.
    pub(crate) fn doctor(&self, target: &str, as_nobody: bool, more: &[&str]) -> Run {
        let files = self.files.as_ref().expect("it is there until the value goes");
        files.write("resolv.conf", &self.resolv);
        files.write("hosts", &self.hosts);
        files.write("roots.pem", &authority().pem());
        let mut command = files.command(&self.client, "env");
        if as_nobody {
            command.args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
        command.args(&self.wrap).arg(env!("CARGO_BIN_EXE_netdiag")).arg("doctor");
        command.args((!target.is_empty()).then_some(target)).arg("--json").args(more);
        for name in
            ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"]
        {
            command.env_remove(name);
        }
        command.env("SSL_CERT_FILE", files.path("roots.pem"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        common::finish(command)
    }
}

/// Whether somebody other than root can be had here.
pub(crate) fn has_nobody() -> bool {
    net::can_become_nobody()
}

/// From when to when a certificate holds, and by whom it is signed.
pub(crate) enum Validity {
    Good,
    Past,
    /// From so many days on.
    From(i64),
    SelfSigned,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

/// The lab's certificate authority.
fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
    })
}

/// A server's side of TLS with a certificate for a name.
pub(crate) fn certificate(name: &str, validity: &Validity) -> Arc<ServerConfig> {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let now = time::OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = match validity {
        Validity::Good | Validity::SelfSigned => {
            (now - time::Duration::days(2), now + time::Duration::days(90))
        }
        Validity::Past => (now - time::Duration::days(90), now - time::Duration::days(2)),
        Validity::From(days) => (now + time::Duration::days(*days), now + time::Duration::days(days + 90)),
    };
    let certificate = match validity {
        Validity::SelfSigned => params.self_signed(&key),
        _ => params.signed_by(&key, authority()),
    };
    let chain = vec![certificate.expect("a certificate").der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("usual versions")
        .with_no_client_auth()
        .with_single_cert(chain, key);
    Arc::new(config.expect("a certificate and its key"))
}
