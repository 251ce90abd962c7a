//! What a probe carries, so that its reply is known for true: who sent it, to which target, as which probe.

/// What tells one run's probes from every other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cookie([u8; 8]);

/// The bytes in front of the pattern: the cookie, the slot and the number.
const NAMED_BYTES: usize = 16;

/// How the body of a reply compares with what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every byte came back.
    Same,
    /// It is whole, and another probe's of this run.
    Another,
    /// It is something else.
    Different,
}

/// A probe that a body names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) slot: u32,
    /// The number modulo 2^32.
    pub(super) number: u32,
}

impl Cookie {
    /// Makes one that nobody can guess.
    pub(super) fn random() -> Self {
        Self(crate::sys::random().to_le_bytes())
    }

    #[cfg(test)]
    pub(super) fn of(number: u64) -> Self {
        Self(number.to_le_bytes())
    }

    /// Appends a probe's body of this many bytes.
    pub(super) fn emit(self, probe: Named, size: usize, out: &mut Vec<u8>) {
        let named = self.named(probe);
        out.extend_from_slice(&named[..size.min(NAMED_BYTES)]);
        out.extend_from_slice(PATTERN.get(NAMED_BYTES..size).unwrap_or_default());
    }

    /// Compares a body with the one that was sent with this many bytes.
    pub(super) fn compare(self, probe: Named, size: usize, body: &[u8]) -> Verdict {
        if body.len() == size && self.begins(probe, body) {
            return Verdict::Same;
        }
        match self.read(body) {
            Some(named) if named != probe && body.len() == size => Verdict::Another,
            _ => Verdict::Different,
        }
    }

    /// Whether bytes are how a probe's body begins, as errors quote it.
    pub(super) fn begins(self, probe: Named, bytes: &[u8]) -> bool {
        let named = self.named(probe);
        let (head, rest) = bytes.split_at(bytes.len().min(NAMED_BYTES));
        head == &named[..head.len()] && PATTERN[NAMED_BYTES..].starts_with(rest)
    }

    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only the kernel's stamps need it"))]
    /// The probe of this run that a packet carries, wherever its body begins: behind headers of any link.
    pub(super) fn find(self, packet: &[u8]) -> Option<Named> {
        /// Ethernet with IPv4 and IPv6, and both without.
        const USUAL: [usize; 4] = [42, 62, 28, 48];
        let usual = USUAL.into_iter().find_map(|at| self.read(packet.get(at..)?));
        usual.or_else(|| (0..packet.len()).find_map(|at| self.read(&packet[at..])))
    }

    /// The probe of this run that a body names, if it is long enough to name one.
    pub(super) fn read(self, body: &[u8]) -> Option<Named> {
        let named = body.get(..NAMED_BYTES)?;
        let word = |at: usize| Some(u32::from_be_bytes(named.get(at..at + 4)?.try_into().ok()?));
        (named.get(..8)? == self.0).then_some(Named { slot: word(8)?, number: word(12)? })
    }

    fn named(self, probe: Named) -> [u8; NAMED_BYTES] {
        let mut named = [0; NAMED_BYTES];
        named[..8].copy_from_slice(&self.0);
        named[8..12].copy_from_slice(&probe.slot.to_be_bytes());
        named[12..].copy_from_slice(&probe.number.to_be_bytes());
        named
    }
}

/// What stands behind the name: no two neighbours alike, and no period of a power of two.
#[expect(clippy::cast_possible_truncation, reason = "a remainder below 251")]
static PATTERN: [u8; 1 << 16] = {
    let mut pattern = [0; 1 << 16];
    let mut at = 0;
    while at < pattern.len() {
        pattern[at] = (at % 251) as u8;
        at += 1;
    }
    pattern
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_body_of_this_very_probe_is_the_same() {
        let cookie = Cookie::of(0x1122_3344_5566_7788);
        let probe = Named { slot: 65_533, number: 70_000 };
        for size in [0, 1, 7, 8, 15, 16, 17, 56, 1472, 65_507] {
            let mut body = Vec::new();
            cookie.emit(probe, size, &mut body);
            assert_eq!(body.len(), size);
            assert_eq!(cookie.compare(probe, size, &body), Verdict::Same);
            for cut in (0..size).step_by(1 + size / 7) {
                assert_ne!(cookie.compare(probe, size, &body[..cut]), Verdict::Same, "{cut} of {size}");
                assert!(cookie.begins(probe, &body[..cut]));
                let mut wrong = body.clone();
                wrong[cut] ^= 0x10;
                assert_ne!(cookie.compare(probe, size, &wrong), Verdict::Same, "{cut} of {size}");
            }
            body.push(0);
            assert_ne!(cookie.compare(probe, size, &body), Verdict::Same, "one too many");
        }
    }

    #[test]
    fn another_probe_of_this_run_is_told_from_rubbish() {
        let cookie = Cookie::of(1);
        let mut body = Vec::new();
        cookie.emit(Named { slot: 1, number: 5 }, 56, &mut body);
        assert_eq!(cookie.compare(Named { slot: 1, number: 6 }, 56, &body), Verdict::Another);
        assert_eq!(cookie.compare(Named { slot: 1, number: 6 }, 56, &[0; 56]), Verdict::Different);
        assert_eq!(Cookie::of(2).compare(Named { slot: 1, number: 6 }, 56, &body), Verdict::Different);
        assert_eq!(cookie.read(&body), Some(Named { slot: 1, number: 5 }));
        for headers in [0, 28, 33, 42, 62, 90] {
            let packet = [vec![9; headers], body.clone()].concat();
            assert_eq!(cookie.find(&packet), Some(Named { slot: 1, number: 5 }), "{headers}");
            assert_eq!(cookie.find(&packet[..headers + 15]), None);
        }
    }
}
