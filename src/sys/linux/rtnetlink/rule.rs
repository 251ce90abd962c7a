//! The rules of policy routing (RTM_GETRULE; `linux/fib_rules.h`).

use std::io;

use super::super::netlink::{Attributes, Netlink, u32_at};
use crate::sys::{PolicyRule, RuleAction};

const RTM_GETRULE: u16 = 34;
/// The bytes of a `fib_rule_hdr`.
const HEADER: usize = 12;

/// All rules, in the order in which the kernel asks them.
pub(in crate::sys) fn policy_rules() -> io::Result<Vec<PolicyRule>> {
    let mut rules = Netlink::route()?.dump(RTM_GETRULE, &[0; HEADER], parse)?;
    rules.sort_by_key(|rule| (rule.is_v6, rule.priority));
    Ok(rules)
}

/// Parses a rule; `None` if the message is cut short, or is of a family that is not IP's. Never panics, whatever the bytes.
pub(super) fn parse(bytes: &[u8]) -> Option<PolicyRule> {
    /// FIB_RULE_INVERT: the rule holds for what its selectors do not name.
    const INVERT: u32 = 2;
    let family = i32::from(*bytes.first()?);
    let is_v6 = family == libc::AF_INET6;
    if !is_v6 && family != libc::AF_INET {
        return None;
    }
    let (to_len, from_len, tos) = (*bytes.get(1)?, *bytes.get(2)?, *bytes.get(3)?);
    let (short_table, action, flags) = (*bytes.get(4)?, *bytes.get(7)?, u32_at(bytes, 8)?);
    let (mut table, mut target, mut priority) = (u32::from(short_table), 0, 0);
    let mut is_for_all = to_len == 0 && from_len == 0 && tos == 0 && flags & INVERT == 0;
    for (attribute, payload) in Attributes(bytes.get(HEADER..)?) {
        match attribute {
            // FRA_GOTO, FRA_PRIORITY, FRA_TABLE.
            4 => target = u32_at(payload, 0)?,
            6 => priority = u32_at(payload, 0)?,
            15 => table = u32_at(payload, 0)?,
            // FRA_FLOW, FRA_SUPPRESS_IFGROUP, FRA_SUPPRESS_PREFIXLEN, FRA_PAD, FRA_PROTOCOL: no selectors.
            11 | 13 | 14 | 18 | 21 => {}
            // FRA_FWMARK and FRA_FWMASK select nothing where they are 0.
            10 | 16 => is_for_all &= u32_at(payload, 0) == Some(0),
            // Whatever else a rule has, an interface, a user or a port, it selects by.
            _ => is_for_all = false,
        }
    }
    let action = match action {
        1 => RuleAction::Table(table),
        2 => RuleAction::Goto(target),
        3 => RuleAction::Nothing,
        6 => RuleAction::Blackhole,
        7 => RuleAction::Unreachable,
        8 => RuleAction::Prohibit,
        _ => RuleAction::Other,
    };
    Some(PolicyRule { is_v6, priority, action, is_for_all })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule of IPv4 with these attributes, each four bytes long.
    fn rule(from_len: u8, action: u8, attributes: &[(u16, u32)]) -> Vec<u8> {
        let mut bytes = vec![2, 0, from_len, 0, 254, 0, 0, action, 0, 0, 0, 0];
        for (kind, value) in attributes {
            bytes.extend(8_u16.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(value.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn rules_are_read_with_whom_they_are_for() {
        let main = parse(&rule(0, 1, &[(6, 32_766), (15, 254), (14, u32::MAX)])).expect("whole");
        assert_eq!((main.priority, main.action, main.is_for_all), (32_766, RuleAction::Table(254), true));
        let refusal = parse(&rule(0, 7, &[(6, 100)])).expect("whole");
        assert_eq!((refusal.action, refusal.is_for_all), (RuleAction::Unreachable, true));
        for selective in [rule(24, 7, &[(6, 1)]), rule(0, 8, &[(10, 7)]), rule(0, 6, &[(17, 0)])] {
            assert!(!parse(&selective).expect("whole").is_for_all);
        }
    }

    #[test]
    fn what_is_cut_short_is_none() {
        let whole = rule(0, 7, &[(6, 100)]);
        for end in 0..HEADER {
            assert_eq!(parse(&whole[..end]), None);
        }
    }
}
