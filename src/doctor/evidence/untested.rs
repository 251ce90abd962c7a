//! Why a fact is not known.

use serde::{Deserialize, Deserializer, Serialize};

/// Why something was not tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum Untested {
    /// Nothing that was known called for it.
    #[default]
    NoNeed,
    /// This user lacks a privilege that it takes.
    Privilege(Privilege),
    /// `--offline` forbids to ask anything beyond the LAN.
    Offline,
    /// The time was up before it was known.
    TimeUp,
    /// The target is an address, so there is no name to look up.
    TargetIsAddress,
    /// The target is `localhost`, which no server is asked for (RFC 6761, section 6.3).
    TargetIsLocalhost,
    /// No default route has a gateway.
    NoGateway,
    /// No interface leads to a link that could be asked.
    NoLink,
    /// The interface of this name has no Ethernet address.
    NoHardwareAddress(String),
    /// The interface of this name is gone.
    InterfaceGone(String),
    /// The system does not tell, or does not let it be tried; in its own words, where it has any.
    System(System),
    /// A sentence of a file that an earlier version wrote.
    Told(String),
}

/// A privilege that a test takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privilege {
    /// Frames of a link may not be watched without `CAP_NET_RAW` (packet(7)).
    Frames {
        /// The interface's name.
        interface: String,
        /// What the system said.
        error: String,
    },
    /// This user's groups are not in `net.ipv4.ping_group_range`, and `CAP_NET_RAW` is missing (icmp(7)).
    Echo {
        /// The range of groups, as the system writes it.
        group_range: String,
    },
}

/// What the system does not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// The list of interfaces, and what the system said.
    Interfaces(String),
    /// The addresses or the default routes.
    Configuration,
    /// The route to an address.
    RouteLookup,
    /// Sockets for ICMP, and what the system said.
    Icmp(String),
    /// Sockets for frames, and what the system said; `None` where it has no such sockets.
    Frames(Option<String>),
    /// Sockets that tell who answers along a path, and what the system said.
    Path(String),
}

impl Serialize for Untested {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Untested {
    /// Files of an earlier format have a sentence here.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        match (Self::deserialize(&value), value) {
            (Ok(typed), _) => Ok(typed),
            (Err(_), serde_json::Value::String(sentence)) => Ok(Self::of_sentence(sentence)),
            (Err(error), _) => Err(serde::de::Error::custom(error)),
        }
    }
}

impl Untested {
    /// Whether the test was called for, and could not be made.
    pub fn is_lack(&self) -> bool {
        match self {
            Self::NoNeed
            | Self::Offline
            | Self::TargetIsAddress
            | Self::TargetIsLocalhost
            | Self::NoGateway => false,
            Self::Privilege(_)
            | Self::TimeUp
            | Self::NoLink
            | Self::NoHardwareAddress(_)
            | Self::InterfaceGone(_)
            | Self::System(_)
            | Self::Told(_) => true,
        }
    }

    /// The reason that a sentence of an old file tells.
    fn of_sentence(sentence: String) -> Self {
        let between = |begin: &str, end: &str| sentence.strip_prefix(begin)?.strip_suffix(end);
        if let Some((interface, error)) =
            between("watching ", ")").and_then(|rest| rest.split_once(" takes CAP_NET_RAW ("))
        {
            return Self::Privilege(Privilege::Frames { interface: interface.into(), error: error.into() });
        }
        if let Some(range) = between(
            "this user may not send ICMP (net.ipv4.ping_group_range is ",
            ", and CAP_NET_RAW is missing)",
        ) {
            return Self::Privilege(Privilege::Echo { group_range: range.into() });
        }
        match sentence.as_str() {
            "there was no need" => Self::NoNeed,
            "the target is an address" => Self::TargetIsAddress,
            "no default route has a gateway" => Self::NoGateway,
            "there is no link to ask on" => Self::NoLink,
            "localhost is this machine (RFC 6761, 6.3)" => Self::TargetIsLocalhost,
            "--offline: nothing beyond the LAN is asked"
            | "--offline: names are looked up beyond the LAN, and there is no target" => Self::Offline,
            _ => Self::Told(sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Untested {
        serde_json::from_str(json).expect(json)
    }

    #[test]
    fn a_reason_is_written_and_read_again() {
        for reason in [
            Untested::NoNeed,
            Untested::TimeUp,
            Untested::Privilege(Privilege::Echo { group_range: "1 0".into() }),
            Untested::NoHardwareAddress("tun0".into()),
            Untested::System(System::Frames(None)),
            Untested::System(System::Icmp("no".into())),
            Untested::Told("of old".into()),
        ] {
            let text = serde_json::to_string(&reason).expect("plain data");
            assert_eq!(read(&text), reason, "{text}");
        }
    }

    #[test]
    fn the_sentences_of_old_files_are_understood() {
        assert_eq!(read("\"there was no need\""), Untested::NoNeed);
        assert_eq!(
            read("\"watching eth0 takes CAP_NET_RAW (Operation not permitted (os error 1))\""),
            Untested::Privilege(Privilege::Frames {
                interface: "eth0".into(),
                error: "Operation not permitted (os error 1)".into()
            })
        );
        assert_eq!(
            read(
                "\"this user may not send ICMP (net.ipv4.ping_group_range is 1 0, and CAP_NET_RAW is missing)\""
            ),
            Untested::Privilege(Privilege::Echo { group_range: "1 0".into() })
        );
        assert_eq!(read("\"whatever\""), Untested::Told("whatever".into()));
    }
}
