//! What happens while pinging.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::measure::Summary;
use crate::output::record::{self, Line, Role, Untrusted};

/// One thing that happened, mostly to one probe.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// The target as it was written; `None` where it concerns all.
    pub target: Option<Untrusted>,
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
    /// Whether only somebody who asked for every detail wants to read it.
    #[serde(skip)]
    pub is_detail: bool,
    /// Whether the terminal's bell rings with it.
    #[serde(skip)]
    pub rings: bool,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum What {
    /// A probe was answered.
    Reply {},
    /// A probe was answered after the time-out.
    Late {},
    /// A probe was answered once more.
    Duplicate {},
    /// An answer had another content than was sent, or a wrong checksum.
    Corrupt {},
    /// A message looked like an answer or an error and was none.
    Rejected {},
    /// A probe was not answered in time.
    TimeOut {
        /// How long it was waited for, in milliseconds.
        timeout_ms: u64,
    },
    /// A probe is still not answered when the next one leaves.
    Outstanding {},
    /// There is no address to probe.
    Unresolved {
        /// Why.
        meaning: String,
    },
    /// A probe met an error.
    Error {
        /// The ICMP type; `None` where this machine could not send at all.
        #[serde(rename = "type")]
        icmp_type: Option<u8>,
        /// The ICMP code.
        code: Option<u8>,
        /// Both in words, or what the system said.
        meaning: String,
        /// What would pass, in bytes, where the error tells.
        mtu: Option<u32>,
    },
    /// A redirect or a source quench came, which ends nothing.
    Notice {
        /// The ICMP type.
        #[serde(rename = "type")]
        icmp_type: Option<u8>,
        /// The ICMP code.
        code: Option<u8>,
        /// Both in words.
        meaning: String,
    },
    /// How it goes so far, because somebody asked (SIGQUIT).
    Interim {
        /// Probes that went out.
        sent: u64,
        /// Probes that were answered.
        received: u64,
        /// Probes that were not, or met an error.
        lost: u64,
        /// The lost of those whose fate is known.
        loss_percent: Option<f64>,
        /// The round-trip times so far, in microseconds.
        summary_us: Option<Summary>,
    },
    /// Something that limits what can be known from here on.
    Warning {
        /// The warning's code.
        code: &'static str,
        /// What it is.
        message: String,
    },
}

impl record::Event for Event {
    fn name(&self) -> &'static str {
        match self.what {
            What::Reply {} => "reply",
            What::Late {} => "late",
            What::Duplicate {} => "duplicate",
            What::Corrupt {} => "corrupt",
            What::Rejected {} => "rejected",
            What::TimeOut { .. } => "timeout",
            What::Outstanding {} => "outstanding",
            What::Unresolved { .. } => "unresolved",
            What::Error { .. } => "error",
            What::Notice { .. } => "notice",
            What::Interim { .. } => "interim",
            What::Warning { .. } => "warning",
        }
    }

    fn keys() -> &'static [&'static str] {
        &[
            "event", "target", "address", "seq", "at", "rtt_us", "ttl", "bytes", "from", "type", "code",
            "meaning",
        ]
    }

    fn is_detail(&self) -> bool {
        self.is_detail
    }

    fn rings(&self) -> bool {
        self.rings
    }

    fn is_answer(&self) -> bool {
        matches!(self.what, What::Interim { .. })
    }

    fn warning(&self) -> Option<&str> {
        match &self.what {
            What::Warning { message, .. } => Some(message),
            _ => None,
        }
    }

    fn line(&self) -> Option<Line> {
        let target = self.target.as_ref()?.to_lossy();
        let who = match &self.address {
            Some(address) if *address != target => format!("{target} ({address})"),
            _ => target.into_owned(),
        };
        let seq = self.seq.map(|seq| format!(": seq={seq}")).unwrap_or_default();
        let from = self.from.map(|from| format!(" from {from}")).unwrap_or_default();
        Some(match &self.what {
            What::Reply {} => self.answer(Role::Good, "reply", &who, &seq),
            What::Late {} => self.answer(Role::Caution, "late reply", &who, &seq),
            What::Duplicate {} => self.answer(Role::Caution, "duplicate reply", &who, &seq),
            What::Corrupt {} => {
                let bytes = self.bytes.map(|bytes| format!(" bytes={bytes}")).unwrap_or_default();
                let rest = format!(" reply from {who}{seq}{bytes}: payload differs, not counted");
                Line::default().with(Role::Bad, "corrupt").plain(rest)
            }
            What::Rejected {} => {
                Line::default().with(Role::Bad, "rejected").plain(format!(" a false reply about {who}"))
            }
            What::TimeOut { timeout_ms } => {
                let waited = humantime::format_duration(Duration::from_millis(*timeout_ms));
                Line::default().with(Role::Bad, "no reply").plain(format!(" from {who}{seq} within {waited}"))
            }
            What::Outstanding {} => {
                Line::default().with(Role::Caution, "no reply yet").plain(format!(" from {who}{seq}"))
            }
            What::Unresolved { meaning } => {
                Line::default().with(Role::Bad, "unresolved").plain(format!(" {who}: {meaning}"))
            }
            What::Error { meaning, mtu, .. } => {
                let mtu = self.from.and(*mtu).map(|mtu| format!(" (MTU {mtu})")).unwrap_or_default();
                Line::default()
                    .with(Role::Bad, "error")
                    .plain(format!("{from} for {who}{seq} {meaning}{mtu}"))
            }
            What::Notice { meaning, .. } => Line::default()
                .with(Role::Caution, "notice")
                .plain(format!("{from} for {who}{seq} {meaning}")),
            What::Interim { sent, received, lost, loss_percent, summary_us } => {
                let loss = loss_percent.map(|loss| format!(" ({loss} %)")).unwrap_or_default();
                let times = summary_us.map(|times| {
                    let ms = |us: f64| us / 1000.0;
                    let (p50, max) = (ms(times.p50), ms(times.max));
                    format!(
                        ", min/p50/avg/max {:.3}/{p50:.3}/{:.3}/{max:.3} ms",
                        ms(times.min),
                        ms(times.avg)
                    )
                });
                let times = times.unwrap_or_default();
                Line::default()
                    .strong("so far")
                    .plain(format!(" {who}: {sent} sent, {received} received, {lost} lost{loss}{times}"))
            }
            What::Warning { .. } => return None,
        })
    }
}

impl Event {
    /// An event of this time of day, without what only a reply has.
    pub(super) fn new(target: Option<Untrusted>, at: SystemTime, what: What) -> Self {
        let at = humantime::format_rfc3339_micros(at).to_string();
        Self {
            target,
            address: None,
            seq: None,
            at,
            rtt_us: None,
            ttl: None,
            bytes: None,
            from: None,
            what,
            is_detail: false,
            rings: false,
        }
    }

    /// An answer in words.
    fn answer(&self, role: Role, what: &'static str, who: &str, seq: &str) -> Line {
        let ttl = self.ttl.map(|ttl| format!(" ttl={ttl}")).unwrap_or_default();
        let bytes = self.bytes.map(|bytes| format!(" bytes={bytes}")).unwrap_or_default();
        let line = Line::default().with(role, what).plain(format!(" from {who}{seq}{bytes}{ttl}"));
        match self.rtt_us {
            Some(rtt) => line.plain(" time=").strong(format!("{:.3} ms", rtt / 1000.0)),
            None => line,
        }
    }
}
