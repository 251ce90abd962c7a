//! What happens while pinging.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::output::record::{self, Line, Role, Untrusted};

/// One thing that happened to one probe.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// The target as it was written.
    pub target: Untrusted,
    /// The address that was probed; `None` where there is none.
    pub address: Option<String>,
    /// The probe's number, from 1.
    pub seq: Option<u64>,
    /// When it happened, RFC 3339.
    pub at: String,
    /// The round-trip time in microseconds, of a reply.
    pub rtt_us: Option<f64>,
    /// The time to live of a reply, where the socket tells it.
    pub ttl: Option<u8>,
    /// The bytes of a reply from the ICMP header on.
    pub bytes: Option<usize>,
    /// Who answered.
    pub from: Option<IpAddr>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened to a probe.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum What {
    /// It was answered.
    Reply {},
    /// It was not answered in time.
    TimeOut {
        /// How long it was waited for, in milliseconds.
        timeout_ms: u64,
    },
    /// There is no address to probe.
    Unresolved {
        /// Why.
        meaning: String,
    },
    /// It met an error.
    Error {
        /// The ICMP type; `None` where this machine could not send at all.
        #[serde(rename = "type")]
        icmp_type: Option<u8>,
        /// The ICMP code.
        code: Option<u8>,
        /// Both in words, or what the system said.
        meaning: String,
    },
}

impl record::Event for Event {
    fn name(&self) -> &'static str {
        match self.what {
            What::Reply {} => "reply",
            What::TimeOut { .. } => "timeout",
            What::Unresolved { .. } => "unresolved",
            What::Error { .. } => "error",
        }
    }

    fn line(&self) -> Option<Line> {
        let target = self.target.to_lossy();
        let who = match &self.address {
            Some(address) if *address != target => format!("{target} ({address})"),
            _ => target.into_owned(),
        };
        let seq = self.seq.map(|seq| format!(": seq={seq}")).unwrap_or_default();
        Some(match &self.what {
            What::Reply {} => {
                let ttl = self.ttl.map(|ttl| format!(" ttl={ttl}")).unwrap_or_default();
                let time = format!("{:.3} ms", self.rtt_us.unwrap_or_default() / 1000.0);
                let bytes = self.bytes.map(|bytes| format!(" bytes={bytes}")).unwrap_or_default();
                Line::default()
                    .with(Role::Good, "reply")
                    .plain(format!(" from {who}{seq}{bytes}{ttl} time="))
                    .strong(time)
            }
            What::TimeOut { timeout_ms } => {
                let waited = humantime::format_duration(Duration::from_millis(*timeout_ms));
                Line::default().with(Role::Bad, "no reply").plain(format!(" from {who}{seq} within {waited}"))
            }
            What::Unresolved { meaning } => {
                Line::default().with(Role::Bad, "unresolved").plain(format!(" {who}: {meaning}"))
            }
            What::Error { meaning, .. } => {
                let from = self.from.map(|from| format!(" from {from}")).unwrap_or_default();
                Line::default().with(Role::Bad, "error").plain(format!("{from} for {who}{seq} {meaning}"))
            }
        })
    }
}

impl Event {
    /// An event of this moment, without what only a reply has.
    pub(super) fn new(target: Untrusted, address: Option<String>, seq: Option<u64>, what: What) -> Self {
        let at = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        Self { target, address, seq, at, rtt_us: None, ttl: None, bytes: None, from: None, what }
    }
}
