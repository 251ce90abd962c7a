//! The bytes that are sent: random-looking, and known again at any offset without being kept.

/// A stream of bytes that nobody can guess and that needs no memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    seed: u64,
}

impl Payload {
    /// A stream unlike any other run's.
    pub(super) fn random() -> Self {
        Self { seed: crate::sys::random() }
    }

    /// The stream of a connection's round: each is another.
    pub(super) fn of_round(self, connection: u64, round: u64) -> Self {
        Self { seed: mixed(self.seed ^ mixed(round ^ mixed(connection))) }
    }

    /// Writes the bytes from an offset on.
    pub(super) fn fill(self, offset: u64, buffer: &mut [u8]) {
        let mut at = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let word = mixed(self.seed.wrapping_add(at / 8)).to_le_bytes();
            let from = usize::try_from(at % 8).expect("a remainder of 8 is small");
            let length = rest.len().min(8 - from);
            let (now, later) = rest.split_at_mut(length);
            now.copy_from_slice(&word[from..from + length]);
            at += length as u64;
            rest = later;
        }
    }

    /// The offset of the first of these bytes that is not the stream's, if one is not.
    pub(super) fn first_difference(self, offset: u64, bytes: &[u8], scratch: &mut [u8]) -> Option<u64> {
        let mut at = offset;
        for chunk in bytes.chunks(scratch.len().max(1)) {
            let expected = &mut scratch[..chunk.len()];
            self.fill(at, expected);
            if chunk != expected {
                let index = chunk.iter().zip(expected.iter()).position(|(got, sent)| got != sent)?;
                return Some(at + index as u64);
            }
            at += chunk.len() as u64;
        }
        None
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_piece_is_the_same_wherever_it_is_cut() {
        let payload = Payload { seed: 42 };
        let mut whole = [0; 100];
        payload.fill(0, &mut whole);
        for start in 0..100 {
            for end in start..100 {
                let mut piece = vec![0; end - start];
                payload.fill(start as u64, &mut piece);
                assert_eq!(piece, whole[start..end]);
            }
        }
    }

    #[test]
    fn the_first_wrong_byte_is_found_at_its_offset() {
        let payload = Payload::random();
        let mut bytes = vec![0; 1000];
        payload.fill(5000, &mut bytes);
        let mut scratch = [0; 64];
        assert_eq!(payload.first_difference(5000, &bytes, &mut scratch), None);
        bytes[777] ^= 1;
        bytes[900] ^= 1;
        assert_eq!(payload.first_difference(5000, &bytes, &mut scratch), Some(5777));
    }
}
