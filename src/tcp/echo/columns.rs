//! The columns of an address's row.

use super::super::Outcome;
use super::report::AddressReport;
use crate::output::record::{Cell, Column, Record, Role};

impl Record for AddressReport {
    #[expect(clippy::too_many_lines, reason = "a list")]
    fn columns() -> &'static [Column<Self>] {
        type Col = Column<AddressReport>;
        static COLUMNS: [Col; 28] = [
            Col::new("target", "TARGET", |row| Cell::text(row.target.as_str())).if_so(is_named).dropped_at(5),
            Col::new("address", "ADDRESS", |row| Cell::address(row.address.as_str())),
            Col::new("outcome", "OUTCOME", |row| Cell::maybe(row.outcome, Outcome::cell)),
            Col::new("is_client_choice", "CLIENT", |row| match row.is_client_choice {
                Some(true) => Cell::word("takes this").role(Role::Good),
                _ => Cell::MISSING,
            })
            .if_any()
            .dropped_at(4),
            Col::new("phases_us.connect", "CONNECT ms", |row| time(row.phases_us.connect))
                .right()
                .if_any()
                .dropped_at(3),
            Col::new("phases_us.send", "SEND ms", |row| time(row.phases_us.send))
                .right()
                .if_so(is_single)
                .dropped_at(6),
            Col::new("phases_us.first_byte", "FIRST BYTE ms", |row| time(row.phases_us.first_byte))
                .right()
                .if_so(is_single)
                .dropped_at(4),
            Col::new("phases_us.echo", "ECHO ms", |row| time(row.phases_us.echo))
                .right()
                .if_so(is_single)
                .dropped_at(2),
            Col::new("phases_us.close", "CLOSE ms", |row| time(row.phases_us.close))
                .right()
                .if_any()
                .dropped_at(6),
            Col::new("tcp_info.rtt_us", "KERNEL RTT ms", |row| {
                Cell::maybe(row.tcp_info.as_ref(), |info| Cell::millis(f64::from(info.rtt_us)))
            })
            .right()
            .if_any()
            .dropped_at(5),
            Col::new("sent_bytes", "SENT", |row| Cell::integer(row.sent_bytes))
                .right()
                .if_so(|row| row.sent_bytes > 0)
                .dropped_at(7),
            Col::new("received_bytes", "RECEIVED", |row| Cell::integer(row.received_bytes))
                .right()
                .if_so(|row| row.sent_bytes > 0)
                .dropped_at(7),
            Col::new("verified", "VERIFIED", |row| Cell::maybe(row.verified, Cell::flag))
                .if_any()
                .dropped_at(2),
            Col::new("rounds", "ROUNDS", |row| Cell::integer(row.rounds))
                .right()
                .if_so(is_repeated)
                .dropped_at(2),
            Col::new("rtt_us.min", "MIN ms", |row| time(row.rtt_us.map(|rtt| rtt.min)))
                .right()
                .if_so(is_repeated)
                .dropped_at(5),
            Col::new("rtt_us.avg", "AVG ms", |row| time(row.rtt_us.map(|rtt| rtt.avg)))
                .right()
                .if_so(is_repeated)
                .dropped_at(3),
            Col::new("rtt_us.max", "MAX ms", |row| time(row.rtt_us.map(|rtt| rtt.max)))
                .right()
                .if_so(is_repeated)
                .dropped_at(4),
            Col::new("rtt_us.stddev", "STDDEV ms", |row| time(row.rtt_us.map(|rtt| rtt.stddev)))
                .right()
                .verbose()
                .dropped_at(8),
            Col::new("rtt_us.p50", "P50 ms", |row| time(row.rtt_us.map(|rtt| rtt.p50)))
                .right()
                .if_so(is_repeated)
                .dropped_at(1),
            Col::new("rtt_us.p95", "P95 ms", |row| time(row.rtt_us.map(|rtt| rtt.p95)))
                .right()
                .verbose()
                .dropped_at(8),
            Col::new("rtt_us.p99", "P99 ms", |row| time(row.rtt_us.map(|rtt| rtt.p99)))
                .right()
                .if_so(is_repeated)
                .dropped_at(2),
            Col::new("rounds_per_s", "ROUNDS/s", |row| {
                Cell::maybe(row.rounds_per_s, |rate| Cell::real(rate, 0))
            })
            .right()
            .if_so(|row| row.rounds > 1 && row.rounds_per_s.is_some_and(|rate| rate >= 10.0))
            .dropped_at(4),
            Col::new("connections", "CONNECTIONS", |row| Cell::integer(row.connections))
                .right()
                .if_so(|row| row.connections > 1)
                .dropped_at(4),
            Col::new("connects_us.p50", "CONNECT P50 ms", |row| time(row.connects_us.map(|times| times.p50)))
                .right()
                .if_any()
                .dropped_at(6),
            Col::new("time_wait.after", "TIME-WAIT", |row| {
                Cell::maybe(row.time_wait, |held| Cell::integer(held.after))
            })
            .right()
            .if_any()
            .dropped_at(6),
            Col::new("tcp_info.retransmissions", "RETRANSMITS", |row| {
                let count = row.tcp_info.as_ref().and_then(|info| info.retransmissions);
                Cell::maybe(count, Cell::integer)
            })
            .right()
            .verbose()
            .dropped_at(9),
            Col::new("failure.from", "SAID BY", |row| {
                Cell::maybe(row.failure.as_ref().and_then(|failure| failure.from), |from| {
                    Cell::text(from.to_string())
                })
            })
            .verbose()
            .dropped_at(9),
            Col::new("failure.message", "WHY", |row| {
                Cell::maybe(row.failure.as_ref(), |failure| Cell::text(failure.message.as_str()))
            })
            .if_any()
            .wrapping(),
        ];
        &COLUMNS
    }
}

/// Whether the target is written otherwise than its address.
fn is_named(row: &AddressReport) -> bool {
    let host = row.target.rsplit_once(':').map_or(row.target.as_str(), |(host, _)| host);
    row.address.strip_prefix(host).is_none_or(|rest| !rest.starts_with(':'))
}

fn is_repeated(row: &AddressReport) -> bool {
    row.rounds > 1
}

fn is_single(row: &AddressReport) -> bool {
    row.rounds == 1
}

fn time(us: Option<f64>) -> Cell {
    Cell::maybe(us, Cell::millis)
}
