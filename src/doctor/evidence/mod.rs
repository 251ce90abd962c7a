//! What was found out, as typed facts: the only thing the rules know.
//!
//! A fact is recorded once and never changed. What was not tested is there too, with the reason: it is unknown, and not
//! false. All of it can be written to a file and read again, so a case can be judged later and elsewhere.

mod about;
mod address;
mod connect;
mod facts;
#[cfg(test)]
pub(in crate::doctor) mod healthy;
mod host;
mod internet;
mod lan;
mod link;
mod meanwhile;
mod names;
mod path;
mod route;
mod target;
mod untested;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use about::{About, Asked, Service};
pub use address::{LinkAddress, same_network};
pub use connect::{Connect, ConnectOutcome, Icmp};
pub(in crate::doctor) use facts::{Facts, is_localhost, is_on_link, percent, time};
pub use host::{Host, Loopback};
pub use internet::{Anchor, Proxy, WebAnswer, WebReply};
pub use lan::{Claim, Claims, Gateway};
pub use link::{CarrierChange, Link};
pub use meanwhile::{Meanwhile, Trying};
pub use names::{Names, Query, QueryOutcome, Resolver, ServerAnswer, SystemAnswer};
pub use path::{Burst, BurstConnect, SizeProbe};
pub use route::{DefaultRoute, Route, Ways};
pub use target::{Attempt, Exchange, Round, RoundOutcome, Source, Tls, TlsOutcome};
pub use untested::{Privilege, System, Untested};

use super::fact::{Fact, facts};
pub use crate::sys::{PolicyRule, RuleAction};
use crate::trace::{Path, Train};

macro_rules! define_evidence {
    ($($(#[$doc:meta])* $field:ident $fact:ident ($value:ty) $tier:ident $check:literal;)*) => {
        /// Everything that was found out.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Evidence {
            /// What was asked, and by whom.
            pub about: About,
            /// What is seen while probes run, and is no fact yet.
            #[serde(skip)]
            pub meanwhile: Meanwhile,
            $($(#[$doc])* pub $field: Item<$value>,)*
        }

        impl Evidence {
            /// Why a fact is not known; `None` of one that is.
            pub fn untested(&self, fact: Fact) -> Option<&Untested> {
                match fact {
                    $(Fact::$fact => self.$field.untested(),)*
                }
            }

            /// Notes why a fact will not be known.
            pub(super) fn rule_out(&mut self, fact: Fact, why: Untested) {
                match fact {
                    $(Fact::$fact => self.$field = Item::NotTested(why),)*
                }
            }

            /// How long it took to find a fact out, in microseconds; `None` of one that is not known.
            pub fn elapsed_us(&self, fact: Fact) -> Option<u64> {
                match fact {
                    $(Fact::$fact => self.$field.elapsed_us(),)*
                }
            }
        }
    };
}
facts!(define_evidence);

/// A fact, or why it is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item<T> {
    /// The fact was not tested, and why.
    NotTested(Untested),
    /// The fact was tested.
    Known {
        /// When the test began, in microseconds from the start.
        at_us: u64,
        /// How long the test took, in microseconds.
        elapsed_us: u64,
        /// What was found.
        value: T,
    },
}

impl<T> Default for Item<T> {
    fn default() -> Self {
        Self::NotTested(Untested::NoNeed)
    }
}

impl<T> Item<T> {
    /// What was found, if it was tested.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::NotTested(_) => None,
        }
    }

    /// Why it was not tested.
    pub fn untested(&self) -> Option<&Untested> {
        match self {
            Self::Known { .. } => None,
            Self::NotTested(why) => Some(why),
        }
    }

    /// How long the test took, in microseconds; `None` if there was none.
    pub fn elapsed_us(&self) -> Option<u64> {
        match self {
            Self::Known { elapsed_us, .. } => Some(*elapsed_us),
            Self::NotTested(_) => None,
        }
    }
}

impl<T> Item<Vec<T>> {
    /// The facts, none if it was not tested.
    pub fn all(&self) -> &[T] {
        self.get().map_or(&[], Vec::as_slice)
    }
}
