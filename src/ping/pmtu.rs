//! Finding the largest probe that passes unfragmented: path MTU discovery (RFC 1191, RFC 8201), with a search
//! where nobody tells (RFC 4821).

use std::net::IpAddr;

use serde::Serialize;

use crate::address::Family;
use crate::wire::echo::HEADER_BYTES;

/// How often a size must stay unanswered until it counts as too large: more than chance.
const TRIES: u8 = 3;
/// A search takes a few dozen probes where nobody tells, and never more than this.
const MOST_PROBES: usize = 200;
/// The largest body a probe can have.
pub(super) const MOST_BODY: u16 = 65_507;

/// What was found of a path's MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PathMtu {
    /// The largest packet that passed, in bytes with its IP header.
    pub mtu_bytes: u32,
    /// The same without the IP and ICMP headers, as `--size` has it.
    pub payload_bytes: u16,
    /// Who said that more does not pass; `None` if this machine did, or nobody.
    pub limited_by: Option<IpAddr>,
    /// Whether somebody said so: else larger ones vanish without a word (a black hole, RFC 2923).
    pub is_told: bool,
}

/// One target's search.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// The bytes of the IP and ICMP headers.
    headers: u16,
    /// The largest body that passed.
    passed: Option<u16>,
    /// The smallest body known not to pass; one more than the largest there is, at first.
    refused: u32,
    /// The body that is being tried.
    trying: u16,
    tries: u8,
    /// The body of each probe so far, the first one's first.
    sizes: Vec<u16>,
    limited_by: Option<IpAddr>,
    is_told: bool,
    is_over: bool,
}

impl Search {
    pub(super) fn new(family: Family) -> Self {
        let ip_header = if family == Family::Ipv4 { 20 } else { 40 };
        let headers = ip_header + u16::try_from(HEADER_BYTES).expect("8 bytes");
        Self {
            headers,
            passed: None,
            refused: u32::from(MOST_BODY) + 1,
            // What a healthy path over Ethernet takes, which is most often all there is to find.
            trying: 1500 - headers,
            tries: 0,
            sizes: Vec::new(),
            limited_by: None,
            is_told: false,
            is_over: false,
        }
    }

    /// The body of the next probe, which is recorded as its size.
    pub(super) fn next_size(&mut self) -> u16 {
        self.tries += 1;
        self.sizes.push(self.trying);
        self.trying
    }

    /// The body of a probe by its number.
    pub(super) fn size_of(&self, number: u64) -> u16 {
        let index = number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.sizes.get(index)).copied().unwrap_or_default()
    }

    /// A probe was answered.
    pub(super) fn passed(&mut self, number: u64) {
        let size = self.size_of(number);
        // The same reply once more, or a late one of a smaller probe, is no news.
        if self.passed.is_none_or(|passed| size > passed) {
            self.passed = Some(size);
            self.go_on();
        }
    }

    /// A probe met an error: too big for whoever sent it, if that tells an MTU; else nothing passes at all.
    pub(super) fn too_big(&mut self, number: u64, mtu: Option<u32>, from: Option<IpAddr>) {
        let size = u32::from(self.size_of(number));
        match mtu {
            None if self.passed.is_none() && mtu.is_none() => self.is_over = true,
            None => self.lost(number),
            Some(mtu) => {
                // An MTU no smaller than the probe is no help (RFC 1191, 5): then only the size is refused.
                self.refused = self.refused.min(size);
                let body = mtu.saturating_sub(self.headers.into()).min(self.refused.saturating_sub(1));
                self.refused = self.refused.min(body + 1);
                if size == 0 {
                    self.refused = 0;
                }
                (self.limited_by, self.is_told) = (from, true);
                self.tries = TRIES;
                // What is told is tried next, if it is less than what was refused; else the search goes on.
                let next = if mtu.saturating_sub(self.headers.into()) < size { body } else { self.refused };
                self.trying = u16::try_from(next).unwrap_or(MOST_BODY);
                self.go_on();
            }
        }
    }

    /// A probe was not answered.
    pub(super) fn lost(&mut self, number: u64) {
        if self.tries >= TRIES {
            let size = u32::from(self.size_of(number));
            if size < self.refused {
                self.refused = size;
                (self.limited_by, self.is_told) = (None, false);
            }
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        let low = self.passed.map_or(0, |passed| u32::from(passed) + 1);
        self.tries = 0;
        // Nothing at all passes, or somebody plays games.
        if low >= self.refused || self.refused == 0 || self.sizes.len() >= MOST_PROBES {
            self.is_over = true;
            return;
        }
        let next = match self.passed {
            // What a router said would pass is tried first; then the smallest, without which there is no search.
            None if self.is_told && u32::from(self.trying) + 1 == self.refused => u32::from(self.trying),
            None if self.refused > 1 && self.trying != 0 => 0,
            None => {
                self.is_over = true;
                return;
            }
            Some(_) if self.is_told && self.refused - low <= 1 => low,
            Some(_) if self.is_told && u32::from(self.trying) + 1 == self.refused => self.trying.into(),
            // All that passes on this machine's own link is the next guess; it says at once what is too large.
            Some(_) if self.refused > u32::from(MOST_BODY) => MOST_BODY.into(),
            Some(_) => low + (self.refused - 1 - low) / 2,
        };
        self.trying = u16::try_from(next).unwrap_or(MOST_BODY);
    }

    /// Whether there is nothing left to try.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What was found, once it is over.
    pub(super) fn found(&self) -> Option<PathMtu> {
        let payload_bytes = self.passed.filter(|_| self.is_over)?;
        Some(PathMtu {
            mtu_bytes: u32::from(payload_bytes) + u32::from(self.headers),
            payload_bytes,
            limited_by: self.limited_by,
            is_told: self.is_told,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a path that lets bodies of up to `most` through; `tells` where a router says its MTU.
    fn search(most: u16, own: u16, tells: bool) -> (Search, usize) {
        let mut search = Search::new(Family::Ipv4);
        let mut number = 0;
        while !search.is_over() {
            number += 1;
            assert!(number < 200, "it does not end: {search:?}");
            let size = search.next_size();
            let router = Some([10, 0, 0, 1].into());
            if size > own {
                search.too_big(number, Some(u32::from(own) + 28), None);
            } else if size <= most {
                search.passed(number);
            } else if tells {
                search.too_big(number, Some(u32::from(most) + 28), router);
            } else {
                search.lost(number);
            }
        }
        (search, usize::try_from(number).unwrap())
    }

    #[test]
    fn finds_the_largest_body_told_or_not() {
        for most in [0, 40, 548, 1272, 1372, 1471, 1472, 4000, 8972, 65_507] {
            for own in [1472, 8972, 65_507] {
                for tells in [true, false] {
                    let (search, probes) = search(most, own, tells);
                    let found = search.found().expect("something passes");
                    assert_eq!(found.payload_bytes, most.min(own), "{most} {own} {tells}: {search:?}");
                    assert_eq!(found.mtu_bytes, u32::from(most.min(own)) + 28);
                    assert_eq!(
                        found.is_told,
                        tells && most < own || own <= most && own < 65_507,
                        "{most} {own} {tells}"
                    );
                    assert!(probes <= if tells { 6 } else { 60 }, "{probes} probes for {most} {own} {tells}");
                }
            }
        }
    }

    #[test]
    fn games_end_it_too() {
        let router = Some([10, 0, 0, 1].into());
        // Whatever the size, less would pass.
        let mut search = Search::new(Family::Ipv4);
        let mut number = 0;
        while !search.is_over() {
            number += 1;
            assert!(number <= 10, "it does not end: {search:?}");
            search.next_size();
            search.too_big(number, Some(68), router);
        }
        assert_eq!(search.found(), None);
        // One old reply again and again.
        let mut search = Search::new(Family::Ipv4);
        search.next_size();
        search.passed(1);
        let mut number = 1;
        while !search.is_over() {
            number += 1;
            assert!(number < 200, "it does not end: {search:?}");
            search.next_size();
            search.passed(1);
            search.lost(number);
        }
        assert_eq!(search.found().map(|found| found.mtu_bytes), Some(1_500));
    }

    #[test]
    fn a_target_that_answers_nothing_ends_it() {
        let mut search = Search::new(Family::Ipv6);
        let mut number = 0;
        while !search.is_over() {
            number += 1;
            search.next_size();
            search.lost(number);
            assert!(number <= 2 * u64::from(TRIES), "it does not end");
        }
        assert_eq!(search.found(), None);
    }
}
