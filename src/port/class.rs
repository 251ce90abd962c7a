//! The two ways to divide the ports.

use serde::Serialize;

/// The lesson's two classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// 0 to 1023: given to services everybody knows.
    WellKnown,
    /// 1024 to 65535: for programs.
    Dynamic,
}

/// IANA's three ranges (RFC 6335, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IanaRange {
    /// 0 to 1023, assigned by standards action.
    System,
    /// 1024 to 49151, assigned on request.
    User,
    /// 49152 to 65535, never assigned.
    Dynamic,
}

impl Class {
    /// The class of a port.
    pub fn of(port: u16) -> Self {
        if port < 1024 { Self::WellKnown } else { Self::Dynamic }
    }

    /// The class's name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::WellKnown => "well-known",
            Self::Dynamic => "dynamic",
        }
    }
}

impl IanaRange {
    /// The range of a port.
    pub fn of(port: u16) -> Self {
        match port {
            0..=1023 => Self::System,
            1024..=49151 => Self::User,
            49152.. => Self::Dynamic,
        }
    }

    /// The range's name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Dynamic => "dynamic",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_every_range() {
        for (port, class, range) in [
            (0, Class::WellKnown, IanaRange::System),
            (1023, Class::WellKnown, IanaRange::System),
            (1024, Class::Dynamic, IanaRange::User),
            (49151, Class::Dynamic, IanaRange::User),
            (49152, Class::Dynamic, IanaRange::Dynamic),
            (65535, Class::Dynamic, IanaRange::Dynamic),
        ] {
            assert_eq!((Class::of(port), IanaRange::of(port)), (class, range), "{port}");
        }
    }
}
