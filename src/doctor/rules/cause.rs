//! The causes of trouble, one line each: its code, its layer, what it shows by itself, whether it settles a case.

use super::Layer;
use super::symptom::Symptom;

/// Declares the causes, grouped by the file that finds them.
///
/// A line is `Variant "CODE" Layer`, then `shows Symptom` of a cause that nothing else would have told of, then `settles` of
/// one beyond which nothing could be tested, where it is certain and the target is not reached because of it.
macro_rules! causes {
    ($(
        $file:ident {$(
            $(#[doc = $doc:literal])+ $cause:ident $code:literal $layer:ident
            $(shows $symptom:ident)? $(, $settles:ident)?;
        )+}
    )+) => {
        /// A cause of trouble: owner and remedy are the same wherever it is found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $($($(#[doc = $doc])+ $cause,)+)+
            /// A box on the way has no room left in its table of translated connections. It cannot be told from others by what
            /// this machine sees, so it is named beside them only.
            NatExhausted,
        }

        /// The rules, in the order in which they are tried.
        pub(super) const RULES: &[super::Rule] = &[$(super::$file::findings),+];

        impl Cause {
            /// The causes that a rule may find, in the order in which they are told.
            pub const ALL: &[Self] = &[$($(Self::$cause),+),+];

            /// The cause's stable name, which others rely on.
            pub fn code(self) -> &'static str {
                match self {
                    $($(Self::$cause => $code,)+)+
                    Self::NatExhausted => "NAT.EXHAUSTED",
                }
            }

            /// What the cause means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $($(Self::$cause => concat!($($doc),+).trim_ascii(),)+)+
                    Self::NatExhausted => "A box on the way has no room left for translated connections.",
                }
            }

            /// The layer that the cause is in.
            pub fn layer(self) -> Layer {
                match self {
                    $($(Self::$cause => Layer::$layer,)+)+
                    Self::NatExhausted => Layer::Gateway,
                }
            }

            /// The symptom that this cause alone shows, whatever its detail; `None` if others show all that it explains.
            pub fn shows(self) -> Option<Symptom> {
                match self {
                    $($(Self::$cause => causes!(@shows $($symptom)?),)+)+
                    Self::NatExhausted => None,
                }
            }

            /// Whether nothing could be tested beyond this cause, where it is certain.
            pub fn settles(self) -> bool {
                match self {
                    $($(Self::$cause => causes!(@settles $($settles)?),)+)+
                    Self::NatExhausted => false,
                }
            }
        }
    };
    (@shows) => { None };
    (@shows $symptom:ident) => { Some(Symptom::$symptom) };
    (@settles) => { false };
    (@settles settles) => { true };
}

causes! {
    host_loopback {
        /// The loopback interface does not work.
        HostLoopback "HOST.LOOPBACK" Host shows Machine;
    }
    host_resources {
        /// Descriptors, ports, neighbour entries or tracked connections have run out.
        HostResources "HOST.RESOURCES" Host shows Machine;
    }
    host_clock {
        /// The clock is wrong.
        HostClock "HOST.CLOCK" Host shows Clock, settles;
    }
    link_state {
        /// There is no interface but the loopback.
        LinkNone "LINK.NONE" Link, settles;
        /// The interface is administratively down.
        LinkDown "LINK.DOWN" Link, settles;
        /// The interface has no carrier.
        LinkNoCarrier "LINK.NO_CARRIER" Link, settles;
    }
    link_flapping {
        /// The carrier comes and goes.
        LinkFlapping "LINK.FLAPPING" Link shows Carrier, settles;
    }
    addr_none {
        /// No interface that works has an address.
        AddrNone "ADDR.NONE" Address, settles;
    }
    addr_mismatch {
        /// The address or its mask does not fit the network.
        AddrMismatch "ADDR.MISMATCH" Address, settles;
    }
    addr_duplicate {
        /// Another host has this machine's address or hardware address.
        AddrDuplicate "ADDR.DUPLICATE" Address shows Claimed;
    }
    neigh_gateway_silent {
        /// Nobody answers for the gateway's address.
        NeighGatewaySilent "NEIGH.GATEWAY_SILENT" Neighbour, settles;
    }
    neigh_target_silent {
        /// Nobody answers for the target's address on its link.
        NeighTargetSilent "NEIGH.TARGET_SILENT" Neighbour, settles;
    }
    neigh_spoofed {
        /// Two hosts answer for the gateway's address.
        NeighSpoofed "NEIGH.SPOOFED" Neighbour shows Claimed;
    }
    neigh_bad_entry {
        /// A neighbour entry is wrong, or the link asks for nobody.
        NeighBadEntry "NEIGH.BAD_ENTRY" Neighbour, settles;
    }
    route_no_default {
        /// No route leads to the target or to the internet.
        RouteNoDefault "ROUTE.NO_DEFAULT" Route shows NoWayOut, settles;
    }
    route_local_block {
        /// A route of this machine refuses what takes it.
        RouteLocalBlock "ROUTE.LOCAL_BLOCK" Route, settles;
    }
    route_rule_block {
        /// A rule of policy routing refuses every packet.
        RouteRuleBlock "ROUTE.RULE_BLOCK" Route shows NoWayOut, settles;
    }
    route_wrong_gateway {
        /// A route leads to a host that passes nothing on, or to nobody.
        RouteWrongGateway "ROUTE.WRONG_GATEWAY" Route, settles;
    }
    route_wrong_interface {
        /// Packets leave by the wrong interface.
        RouteWrongInterface "ROUTE.WRONG_INTERFACE" Route, settles;
    }
    route_bad_source {
        /// Packets carry a source address that no answer comes back to.
        RouteBadSource "ROUTE.BAD_SOURCE" Route;
    }
    gw_not_forwarding {
        /// The gateway passes nothing on.
        GwNotForwarding "GW.NOT_FORWARDING" Gateway;
    }
    gw_upstream_down {
        /// The gateway has no way to the internet.
        GwUpstreamDown "GW.UPSTREAM_DOWN" Gateway;
    }
    nat_missing {
        /// The gateway does not translate addresses.
        NatMissing "NAT.MISSING" Gateway;
    }
    fw_local {
        /// A filter on this machine drops or rejects.
        FwLocal "FW.LOCAL" Filter, settles;
    }
    fw_reject {
        /// A filter on the way or at the target rejects.
        FwReject "FW.REJECT" Filter;
    }
    fw_drop {
        /// A filter on the way or at the target drops.
        FwDrop "FW.DROP" Filter;
    }
    fw_rst_injection {
        /// A filter on the way resets connections for what is said on them.
        FwRstInjection "FW.RST_INJECTION" Filter;
    }
    path_loop {
        /// Packets go round in a circle.
        PathLoop "PATH.LOOP" Path;
    }
    path_unreachable {
        /// A router says that it cannot reach the target.
        PathUnreachable "PATH.UNREACHABLE" Path;
    }
    path_blackhole {
        /// Packets vanish on the way.
        PathBlackhole "PATH.BLACKHOLE" Path;
    }
    path_mtu {
        /// Large packets vanish.
        PathMtu "PATH.MTU" Path;
    }
    path_loss {
        /// Packets are lost by chance.
        PathLoss "PATH.LOSS" Path shows Loss;
        /// The path is dead for moments.
        PathIntermittent "PATH.INTERMITTENT" Path;
    }
    path_latency {
        /// Packets take long, or very differently long, or come twice.
        PathLatency "PATH.LATENCY" Path shows Delay;
    }
    path_bandwidth {
        /// The path is narrow.
        PathBandwidth "PATH.BANDWIDTH" Path shows Narrow;
    }
    path_ecmp_partial {
        /// Of several paths one is dead.
        PathEcmpPartial "PATH.ECMP_PARTIAL" Path shows ServiceSlow;
    }
    family_broken {
        /// IPv6 does not work, and IPv4 does.
        V6Broken "V6.BROKEN" Family shows Target6;
        /// IPv4 does not work, and IPv6 does.
        V4Broken "V4.BROKEN" Family;
    }
    dns_no_resolver {
        /// No name server is configured.
        DnsNoResolver "DNS.NO_RESOLVER" Names;
    }
    dns_server_down {
        /// The name servers do not answer.
        DnsServerDown "DNS.SERVER_DOWN" Names;
    }
    dns_server_error {
        /// The name servers answer with an error.
        DnsServerError "DNS.SERVER_ERROR" Names;
    }
    dns_no_such_name {
        /// The name does not exist.
        DnsNoSuchName "DNS.NO_SUCH_NAME" Names;
    }
    dns_wrong_answer {
        /// The name servers answer with something that is not true.
        DnsWrongAnswer "DNS.WRONG_ANSWER" Names;
    }
    dns_slow {
        /// The name servers answer late or not always.
        DnsSlow "DNS.SLOW" Names shows NameSlow;
    }
    dns_tcp_blocked {
        /// A long answer needs TCP, which is blocked.
        DnsTcpBlocked "DNS.TCP_BLOCKED" Names shows NameSlow;
    }
    name_hosts_override {
        /// The hosts file leads astray.
        NameHostsOverride "NAME.HOSTS_OVERRIDE" Names;
    }
    mbox_portal {
        /// The network wants a login first.
        MboxPortal "MBOX.PORTAL" Between shows Between;
    }
    mbox_intercept {
        /// A host on the way answers in the place of others.
        MboxIntercept "MBOX.INTERCEPT" Between shows Between;
    }
    proxy_broken {
        /// The proxy does not work.
        ProxyBroken "PROXY.BROKEN" Between shows Proxy;
    }
    tcp_refused {
        /// Nobody listens on the port.
        TcpRefused "TCP.REFUSED" Service;
    }
    tcp_reset {
        /// The service resets connections.
        TcpReset "TCP.RESET" Service;
    }
    tcp_backlog_full {
        /// The queue of connections that wait to be accepted is full.
        TcpBacklogFull "TCP.BACKLOG_FULL" Service;
    }
    tls {
        /// The certificate is not good.
        TlsCert "TLS.CERT" Application shows Service;
        /// TLS does not come about.
        TlsHandshake "TLS.HANDSHAKE" Application shows Service;
    }
    app_answer {
        /// The service answers nothing.
        AppSilent "APP.SILENT" Application;
        /// The service answers late.
        AppSlow "APP.SLOW" Application shows ServiceSlow;
        /// The service answers something else.
        AppWrongReply "APP.WRONG_REPLY" Application;
        /// The service closes before its answer is complete.
        AppClosedEarly "APP.CLOSED_EARLY" Application;
    }
    app_http_error {
        /// The web server answers with an error.
        AppHttpError "APP.HTTP_ERROR" Application shows Service;
    }
}
