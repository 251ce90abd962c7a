//! What is seen to be wrong, whatever the cause.

use serde::Serialize;

use crate::doctor::evidence::{ConnectOutcome, Facts, Query, QueryOutcome, RoundOutcome};

/// Something that is seen to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symptom {
    /// This machine cannot talk to itself, or lacks something to talk with.
    Machine,
    /// No packet can leave by any link.
    NoWayOut,
    /// The gateway says nothing.
    GatewayMute,
    /// Nothing of the internet is reached over IPv4.
    Public,
    /// Nothing of the internet is reached by datagrams.
    Datagrams,
    /// A name has no address.
    Name,
    /// A name takes long, or is asked for in vain at times.
    NameSlow,
    /// The target is not reached over IPv4.
    Target4,
    /// The target is not reached over IPv6.
    Target6,
    /// The target is reached, and does not do what it should.
    Service,
    /// It does, but slowly.
    ServiceSlow,
    /// Packets are lost.
    Loss,
    /// Large packets are lost, or stay away.
    LargeLoss,
    /// Packets take long, or very differently long, or come twice.
    Delay,
    /// Little goes through.
    Narrow,
    /// A carrier comes and goes.
    Carrier,
    /// The clock is wrong.
    Clock,
    /// The proxy that the target would be asked by does not do.
    Proxy,
    /// Somebody in between answers for others.
    Between,
    /// An address or a neighbour is claimed by two.
    Claimed,
}

impl Symptom {
    /// All of them.
    pub(super) const ALL: [Self; 20] = [
        Self::Machine,
        Self::NoWayOut,
        Self::GatewayMute,
        Self::Public,
        Self::Datagrams,
        Self::Name,
        Self::NameSlow,
        Self::Target4,
        Self::Target6,
        Self::Service,
        Self::ServiceSlow,
        Self::Loss,
        Self::LargeLoss,
        Self::Delay,
        Self::Narrow,
        Self::Carrier,
        Self::Clock,
        Self::Proxy,
        Self::Between,
        Self::Claimed,
    ];
    /// The target is not reached, whichever family is tried.
    pub(super) const TARGET: [Self; 2] = [Self::Target4, Self::Target6];
    /// What goes wrong if no packet comes through at all.
    pub(super) const NOTHING_PASSES: [Self; 11] = [
        Self::NoWayOut,
        Self::GatewayMute,
        Self::Public,
        Self::Datagrams,
        Self::Name,
        Self::NameSlow,
        Self::Target4,
        Self::Target6,
        Self::Loss,
        Self::LargeLoss,
        Self::Proxy,
    ];

    /// Whether the target, or the network at large, cannot be used because of it.
    pub fn is_breakage(self) -> bool {
        matches!(
            self,
            Self::NoWayOut
                | Self::GatewayMute
                | Self::Public
                | Self::Name
                | Self::Target4
                | Self::Target6
                | Self::Service
                | Self::Proxy
        )
    }

    /// It in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Machine => "this machine itself lacks something",
            Self::NoWayOut => "no packet can leave this machine",
            Self::GatewayMute => "the gateway says nothing",
            Self::Public => "nothing of the internet is reached",
            Self::Datagrams => "nothing of the internet is reached by UDP",
            Self::Name => "the name has no address",
            Self::NameSlow => "looking up the name takes long",
            Self::Target4 => "the target is not reached over IPv4",
            Self::Target6 => "the target is not reached over IPv6",
            Self::Service => "the target does not do what it should",
            Self::ServiceSlow => "the target is slow",
            Self::Loss => "packets are lost",
            Self::LargeLoss => "large packets are lost",
            Self::Delay => "packets take long",
            Self::Narrow => "little goes through",
            Self::Carrier => "the carrier comes and goes",
            Self::Clock => "the clock is wrong",
            Self::Proxy => "the proxy does not do",
            Self::Between => "somebody in between answers for others",
            Self::Claimed => "an address is claimed by two",
        }
    }
}

/// What is seen to be wrong by itself; causes whose own signs these are add theirs.
pub(super) fn seen(facts: &Facts<'_>) -> Vec<Symptom> {
    let mut seen = Vec::new();
    if facts.has_no_way() {
        seen.push(Symptom::NoWayOut);
    }
    // A target that is reached shows that the gateway does its work, whatever it says.
    let works = facts.attempts().any(|attempt| facts.reaches(attempt));
    if facts.gateway_is_mute() && facts.beyond() != Some(true) && !works {
        seen.push(Symptom::GatewayMute);
    }
    if facts.needs_public() && facts.public_is_reached() == Some(false) {
        seen.push(Symptom::Public);
    }
    for (is_v6, symptom) in [(false, Symptom::Target4), (true, Symptom::Target6)] {
        // Without a way of one family, programs take the other at once.
        let misses = facts.attempts().any(|attempt| {
            attempt.address.is_ipv6() == is_v6
                && !matches!(attempt.connect.outcome, ConnectOutcome::NoRoute | ConnectOutcome::NoLocalPort)
        });
        if facts.target_fails(is_v6) == Some(true) && (misses || !works) {
            seen.push(symptom);
        }
    }
    if facts.name_fails() == Some(true) {
        seen.push(Symptom::Name);
    }
    let is_lame = |query: &Query| query.tries > 1 && query.outcome.is_answer();
    let own = facts.own_queries();
    if facts.name_fails() == Some(false)
        && own.iter().any(|query| is_lame(query) || query.outcome == QueryOutcome::Silent)
    {
        seen.push(Symptom::NameSlow);
    }
    let rounds = facts.rounds();
    if rounds.iter().any(|round| round.outcome != RoundOutcome::Whole) {
        seen.push(Symptom::Service);
    }
    if facts.loss().is_some_and(|loss| loss.is_felt) {
        seen.push(Symptom::Loss);
    }
    seen
}
