//! Statistics of measured times, in bounded memory however many there are.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// An amount of bytes as people read it, three digits of it: `999 B`, `1.23 kB` (SI prefixes).
pub fn amount(bytes: f64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (bytes, 0);
    // What rounds to a thousand is one of the next unit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// The bits of precision within an octave: 128 buckets, so a percentile is off by at most 1/256, 0.4 %.
const PRECISION_BITS: u32 = 7;

/// Times so far, as a log-linear histogram with exact minimum, maximum, mean and deviation.
#[derive(Clone, Debug, Default)]
pub struct Times {
    buckets: BTreeMap<u16, u64>,
    count: u64,
    min: u64,
    max: u64,
    mean: f64,
    /// The sum of squared distances from the mean (Welford).
    squares: f64,
    last: Option<u64>,
    jitter: f64,
}

/// What times amount to, in microseconds with nanosecond decimals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The shortest.
    pub min: f64,
    /// The mean.
    pub avg: f64,
    /// The longest.
    pub max: f64,
    /// The standard deviation of all of them.
    pub stddev: f64,
    /// Half are no longer than this.
    pub p50: f64,
    /// 95 % are no longer than this.
    pub p95: f64,
    /// 99 % are no longer than this.
    pub p99: f64,
    /// The interarrival jitter of RFC 3550, 6.4.1, from one to the next.
    pub jitter: f64,
}

impl Times {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // A single time needs no histogram, and most targets of a sweep have no more.
        if self.count == 1 {
            self.buckets.insert(bucket(self.min), 1);
        }
        if self.count > 0 {
            *self.buckets.entry(bucket(ns)).or_default() += 1;
        }
        self.min = if self.count == 0 { ns } else { self.min.min(ns) };
        self.max = self.max.max(ns);
        self.count += 1;
        let delta = float(ns) - self.mean;
        self.mean += delta / float(self.count);
        self.squares += delta * (float(ns) - self.mean);
        if let Some(last) = self.last.replace(ns) {
            self.jitter += (float(last.abs_diff(ns)) - self.jitter) / 16.0;
        }
    }

    /// Adds those of another, as if they had come after.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = other.clone();
            return;
        }
        for times in [&*self, other].map(Self::single).into_iter().flatten() {
            *self.buckets.entry(times).or_default() += 1;
        }
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        let (mine, others) = (float(self.count), float(other.count));
        let delta = other.mean - self.mean;
        let total = mine + others;
        // The parallel form of Welford's method (Chan, Golub and LeVeque 1979).
        self.mean += delta * others / total;
        self.squares += other.squares + delta * delta * mine * others / total;
        // Each series has its own jitter: there is no step from the one to the other.
        self.jitter = (self.jitter * mine + other.jitter * others) / total;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.last = other.last;
    }

    /// The bucket of a time that is the only one, and is therefore in none yet.
    fn single(&self) -> Option<u16> {
        (self.count == 1).then(|| bucket(self.min))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What they amount to; `None` of none.
    pub fn summary(&self) -> Option<Summary> {
        (self.count > 0).then(|| Summary {
            min: us(float(self.min)),
            avg: us(self.mean),
            max: us(float(self.max)),
            stddev: us((self.squares / float(self.count)).max(0.0).sqrt()),
            p50: us(self.percentile(50)),
            p95: us(self.percentile(95)),
            p99: us(self.percentile(99)),
            jitter: us(self.jitter),
        })
    }

    /// The nearest-rank percentile in nanoseconds, off by at most 1/256 and never outside what was seen.
    fn percentile(&self, percent: u64) -> f64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        if rank == self.count {
            return float(self.max);
        }
        let mut seen = 0;
        for (bucket, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return middle(*bucket).clamp(float(self.min), float(self.max));
            }
        }
        float(self.max)
    }
}

/// A duration in microseconds with nanosecond decimals.
pub fn microseconds(time: Duration) -> f64 {
    us(float(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
}

#[expect(clippy::cast_precision_loss, reason = "times of months in nanoseconds still fit 53 bits")]
fn float(ns: u64) -> f64 {
    ns as f64
}

fn us(ns: f64) -> f64 {
    ns.round() / 1000.0
}

/// The bucket of a time: exact below 256 ns, then 128 for each doubling.
fn bucket(ns: u64) -> u16 {
    let octave = (ns | 1).ilog2().saturating_sub(PRECISION_BITS);
    let within = ns >> octave;
    u16::try_from((u64::from(octave) << PRECISION_BITS) + within).expect("57 octaves of 128 buckets fit")
}

/// The time in the middle of a bucket.
fn middle(bucket: u16) -> f64 {
    let octave = (bucket >> PRECISION_BITS).saturating_sub(1);
    let within = bucket - (octave << PRECISION_BITS);
    let width = f64::from(octave).exp2();
    f64::from(within) * width + (width - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits() {
        for (bytes, text) in [
            (0.0, "0 B"),
            (999.4, "999 B"),
            (999.6, "1.00 kB"),
            (1_234.0, "1.23 kB"),
            (99_960.0, "100 kB"),
            (999_600.0, "1.00 MB"),
            (12_345_678.0, "12.3 MB"),
            (5e18, "5000 PB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
    }

    #[test]
    fn every_bucket_is_within_half_a_percent_of_what_it_holds() {
        let mut ns = 1_u64;
        while ns < u64::MAX / 3 {
            for value in [ns, ns + ns / 3, ns + ns / 2, ns * 2 - 1] {
                let error = (middle(bucket(value)) - float(value)).abs() / float(value);
                assert!(error <= 1.0 / 256.0, "{value}: off by {error}");
            }
            ns = ns * 2 + 1;
        }
        assert!((0..2000).all(|ns| bucket(ns) <= bucket(ns + 1)), "buckets are in order");
    }

    #[test]
    fn the_summary_of_known_times() {
        let mut times = Times::default();
        assert_eq!(times.summary(), None);
        (1..=100).for_each(|ms| times.add(Duration::from_millis(ms)));
        let summary = times.summary().expect("there are some");
        assert_eq!((summary.min, summary.max, summary.avg), (1000.0, 100_000.0, 50_500.0));
        for (percentile, exact) in [(summary.p50, 50_000.0), (summary.p95, 95_000.0), (summary.p99, 99_000.0)]
        {
            assert!((percentile - exact).abs() / exact <= 1.0 / 256.0, "{percentile} is not {exact}");
        }
        // The population's deviation of 1..=100 is sqrt((100^2 - 1) / 12).
        assert!((summary.stddev - 28_866.07).abs() < 0.01, "{}", summary.stddev);
        // Every step is 1 ms: J = 1 - (15/16)^99.
        assert!((summary.jitter - 998.3).abs() < 0.1, "{}", summary.jitter);
    }

    #[test]
    fn merged_times_are_those_of_one_series() {
        let of = |range: std::ops::RangeInclusive<u64>| {
            let mut times = Times::default();
            range.for_each(|ms| times.add(Duration::from_millis(ms)));
            times
        };
        for cut in [0, 1, 2, 50, 99, 100] {
            let mut merged = of(1..=cut);
            merged.merge(&of(cut + 1..=100));
            let (merged, whole) = (merged.summary().expect("some"), of(1..=100).summary().expect("some"));
            for (one, other) in [
                (merged.min, whole.min),
                (merged.avg, whole.avg),
                (merged.max, whole.max),
                (merged.stddev, whole.stddev),
                (merged.p50, whole.p50),
                (merged.p99, whole.p99),
            ] {
                assert!((one - other).abs() < 0.01, "cut at {cut}: {merged:?} {whole:?}");
            }
        }
    }

    #[test]
    fn one_time_is_every_figure() {
        let mut times = Times::default();
        times.add(Duration::from_nanos(42_123));
        let summary = times.summary().expect("there is one");
        let figures = [summary.min, summary.avg, summary.max, summary.p50, summary.p99];
        assert!(figures.iter().all(|figure| (figure - 42.123).abs() < 1e-9), "{figures:?}");
        assert_eq!((summary.stddev, summary.jitter), (0.0, 0.0));
    }
}
