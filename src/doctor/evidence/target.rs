//! The target's addresses, and what its service said.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Connect, Route, WebReply};

/// An address that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// Who gave the address.
    pub source: Source,
    /// What the kernel does with packets to it.
    pub route: Option<Route>,
    /// How the connection went.
    pub connect: Connect,
    /// What the service said.
    pub exchange: Option<Exchange>,
    /// The state of the next hop's entry in the table of neighbours, the host's own if it is on the link.
    pub neighbour: Option<String>,
    /// Whether it answers echo requests, if it was asked.
    pub answers_ping: Option<bool>,
}

/// Who gave an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The user.
    Asked,
    /// The hosts file.
    Hosts,
    /// The system's own name servers, or whatever it looks names up with.
    Own,
    /// Name servers of the internet.
    Others,
}

/// What a service said on a connection that stood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exchange {
    /// A small round: what is sent fits a packet.
    pub small: Option<Round>,
    /// A large one, of several packets.
    pub large: Option<Round>,
    /// What HTTP answered.
    pub http: Option<WebReply>,
    /// What became of TLS.
    pub tls: Option<Tls>,
    /// A second request without the target's name, after a reset.
    pub unnamed: Option<Round>,
    /// A plain request on the port of TLS, after something that was no TLS.
    pub plain: Option<Round>,
}

/// Something sent, and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// What became of it.
    pub outcome: RoundOutcome,
    /// The bytes sent.
    pub sent_bytes: u64,
    /// The bytes that came back.
    pub received_bytes: u64,
    /// The time to the first, in microseconds.
    pub first_byte_us: Option<u64>,
    /// The time it all took, in microseconds.
    pub elapsed_us: u64,
    /// How often something came.
    pub pieces: u32,
    /// Where it differs first.
    pub differs_at: Option<u64>,
    /// The segments the other end has not acknowledged.
    pub unacked: Option<u32>,
    /// The segments sent again.
    pub retransmissions: Option<u32>,
    /// The kernel's own round-trip time, in microseconds.
    pub rtt_us: Option<u32>,
    /// How what came begins.
    pub begins: String,
}

/// What became of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundOutcome {
    /// All came back.
    Whole,
    /// As many bytes came back, or more, but others.
    Different,
    /// The other end closed after a part, or before any.
    Closed,
    /// The other end reset the connection.
    Reset,
    /// Nothing came.
    Silent,
    /// A part came, and then nothing more in time.
    Stalled,
}

/// What became of TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tls {
    /// What became of it.
    pub outcome: TlsOutcome,
    /// In words.
    pub detail: String,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// The segments the other end has not acknowledged.
    pub unacked: Option<u32>,
    /// Whether anything came at all.
    pub has_bytes: bool,
}

/// What became of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsOutcome {
    /// It stands, and the certificate is good.
    Good,
    /// The certificate is no longer valid.
    Expired,
    /// It is not yet valid.
    NotYetValid,
    /// It is for another name.
    WrongName,
    /// Nobody this system trusts has signed it.
    Untrusted,
    /// It is wrong in another way.
    BadCertificate,
    /// The two ends have no version or method in common, or one said that something is wrong.
    Alert,
    /// What came is no TLS.
    NotTls,
    /// Nothing came.
    Silent,
    /// The other end closed.
    Closed,
    /// The other end reset the connection.
    Reset,
}

impl TlsOutcome {
    /// Whether the certificate is what is wrong.
    pub fn is_certificate(self) -> bool {
        matches!(
            self,
            Self::Expired | Self::NotYetValid | Self::WrongName | Self::Untrusted | Self::BadCertificate
        )
    }
}
