//! The facts that a diagnosis rests on, one line each: its field in the evidence, its place in the order a person reads
//! them, its tier and the name of its check.

use serde::Serialize;

/// A part of the network, from this machine outward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// This machine by itself: its limits, its loopback.
    Machine,
    /// The interfaces and their carriers.
    Link,
    /// The addresses of the interfaces.
    Address,
    /// The kernel's routes.
    Route,
    /// The hosts on the same link, the gateways first.
    Lan,
    /// Name servers and what they answer.
    Names,
    /// Well-known hosts of the internet.
    Internet,
    /// The target's addresses, ports and services.
    Target,
    /// The way to the target: loss, delay, sizes, hops.
    Path,
}

impl Tier {
    /// The tier's name in JSON and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Link => "link",
            Self::Address => "address",
            Self::Route => "route",
            Self::Lan => "lan",
            Self::Names => "names",
            Self::Internet => "internet",
            Self::Target => "target",
            Self::Path => "path",
        }
    }
}

/// Hands the list of all facts, in the order a person reads them, to a macro: what the fact is, its field, its variant, its
/// type, its tier and the name of its check.
macro_rules! facts {
    ($then:ident) => {
        $then! {
            /// The limits and tables of this machine.
            host Host (Host) Machine "limits";
            /// Whether this machine can talk to itself.
            loopback Loopback (Loopback) Machine "loopback";
            /// The interfaces.
            links Links (Vec<Link>) Link "interfaces";
            /// The addresses of the interfaces.
            addresses Addresses (Vec<LinkAddress>) Address "addresses";
            /// The default routes.
            routes Routes (Vec<DefaultRoute>) Route "default";
            /// The rules of policy routing, in the order in which the kernel asks them.
            rules Rules (Vec<PolicyRule>) Route "policy rules";
            /// The route that the kernel chooses for the rest of the world, by family.
            out Out (Ways) Route "way out";
            /// The name servers that this system asks, and its hosts file.
            resolver Resolver (Resolver) Names "servers";
            /// The gateways of the default routes.
            gateways Gateways (Vec<Gateway>) Lan "gateway";
            /// The hosts that use addresses which are this machine's or its gateway's; this takes CAP_NET_RAW.
            claims Claims (Claims) Lan "own and gateway's address";
            /// The target's name, as each server answers for it.
            names Names (Names) Names "name";
            /// The well-known hosts of the internet.
            public Public (Vec<Anchor>) Internet "internet";
            /// The answers of web servers that every network should let through.
            web Web (Vec<WebAnswer>) Internet "web";
            /// The proxy that the environment names for the target.
            proxy Proxy (Option<Proxy>) Target "proxy";
            /// The target's addresses, tried one by one.
            target Target (Vec<Attempt>) Target "target";
            /// The other ports of the target.
            control Control (Vec<Attempt>) Target "other ports";
            /// Several connections to the target's port at once.
            burst Burst (Burst) Path "side by side";
            /// The small echo requests to the target, or without one to a host of the internet.
            small_train SmallTrain (Train) Path "small echo";
            /// The large echo requests to the same host.
            large_train LargeTrain (Train) Path "large echo";
            /// The small echo requests to the same host over a longer time.
            long_train LongTrain (Train) Path "echo for longer";
            /// The small echo requests to the gateway.
            gateway_train GatewayTrain (Train) Path "echo to the gateway";
            /// The packet sizes that pass unfragmented.
            sizes Sizes (Vec<SizeProbe>) Path "sizes";
            /// The path to the target's port.
            path Path (Path) Path "to its port";
            /// The path to another port of the target.
            control_path ControlPath (Path) Path "to another port";
            /// The path to a host of the internet.
            public_path PublicPath (Path) Path "to the internet";
            /// The path of datagrams to a host of the internet.
            udp_path UdpPath (Path) Path "by UDP";
            /// The echo requests to a host of the internet, a few each second while the other probes run.
            beat Beat (Train) Path "echo all along";
            /// The changes of the carriers while the probes run.
            carrier Carrier (Vec<CarrierChange>) Link "carrier";
            /// The growth of the kernel's protocol counters while the probes run, by their names in /proc/net/snmp.
            counters Counters (BTreeMap<String, u64>) Machine "counters";
        }
    };
}
pub(super) use facts;

macro_rules! define_fact {
    ($($(#[$doc:meta])* $field:ident $fact:ident ($value:ty) $tier:ident $check:literal;)*) => {
        /// A fact that can be found out, in the order a person reads them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Fact {
            $($(#[$doc])* $fact,)*
        }

        impl Fact {
            /// All facts, in the order a person reads them.
            pub const ALL: &[Self] = &[$(Self::$fact),*];

            /// The fact's name in the evidence and in a finding's JSON.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$fact => stringify!($field),)*
                }
            }

            /// The tier that the fact belongs to.
            pub fn tier(self) -> Tier {
                match self {
                    $(Self::$fact => Tier::$tier,)*
                }
            }

            /// The name of the fact's check, where it does not have the name of what was checked.
            pub fn check(self) -> &'static str {
                match self {
                    $(Self::$fact => $check,)*
                }
            }
        }
    };
}
facts!(define_fact);
