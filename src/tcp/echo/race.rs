//! Which of several addresses a client would end up with: "Happy Eyeballs" (RFC 8305).

use std::time::Duration;

/// How long a client waits for one address before it tries the next beside it (RFC 8305, 5: 250 ms).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// What connecting to an address came to, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It stood after so long.
    Stood(Duration),
    /// It had failed after so long.
    Failed(Duration),
}

/// Which of them a client's connection would be to; the addresses are in the order in which the system gives them
/// (RFC 6724), and here the first family's and the other's take turns (RFC 8305, 4).
pub(super) fn winner(attempts: &[(bool, Attempt)]) -> Option<usize> {
    let order = interleaved(attempts);
    let mut start = Duration::ZERO;
    let mut best: Option<(Duration, usize)> = None;
    for index in order {
        let ends = match attempts[index].1 {
            Attempt::Stood(took) => {
                let at = start + took;
                if best.is_none_or(|(earliest, _)| at < earliest) {
                    best = Some((at, index));
                }
                at
            }
            Attempt::Failed(took) => start + took,
        };
        // The next begins when this one has failed, or has had its time.
        start = ends.min(start + ATTEMPT_DELAY);
        if best.is_some_and(|(earliest, _)| earliest <= start) {
            break;
        }
    }
    best.map(|(_, index)| index)
}

/// One of the first family, one of the other, and so on; `true` is IPv6.
fn interleaved(attempts: &[(bool, Attempt)]) -> Vec<usize> {
    let Some((first, _)) = attempts.first() else { return Vec::new() };
    let of = |wanted: bool| {
        attempts.iter().enumerate().filter(move |(_, (is_v6, _))| *is_v6 == wanted).map(|(index, _)| index)
    };
    let (mut one, mut other) = (of(*first), of(!*first));
    let mut order = Vec::new();
    while order.len() < attempts.len() {
        order.extend(one.next());
        order.extend(other.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_earliest_to_stand_wins_in_the_order_of_the_rfc() {
        use Attempt::{Failed, Stood};
        for (attempts, expected) in [
            (vec![], None),
            (vec![(true, Failed(ms(1)))], None),
            (vec![(true, Stood(ms(30))), (false, Stood(ms(1)))], Some(0)),
            // The second has only begun when the first's 250 ms were over.
            (vec![(true, Stood(ms(300))), (false, Stood(ms(20)))], Some(1)),
            (vec![(true, Stood(ms(260))), (false, Stood(ms(20)))], Some(0)),
            // A refusal lets the next begin at once.
            (vec![(true, Failed(ms(1))), (false, Stood(ms(240))), (false, Stood(ms(1)))], Some(1)),
            // Families take turns: the fourth is tried second.
            (
                vec![
                    (true, Failed(ms(5000))),
                    (true, Failed(ms(5000))),
                    (true, Failed(ms(5000))),
                    (false, Stood(ms(10))),
                ],
                Some(3),
            ),
        ] {
            assert_eq!(winner(&attempts), expected, "{attempts:?}");
        }
    }
}
