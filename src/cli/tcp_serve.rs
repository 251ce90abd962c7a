//! `netdiag tcp-serve`.

use std::time::Duration;

use clap::Args;

use super::manual::{self, Manual};
use super::{SocketArgs, number, seconds, seconds_or_none, size};
use crate::address::{Family, HostPort};
use crate::error::{Error, Result};
use crate::tcp::serve::{Cut, Faults, Request};

/// What help and the manual page say besides the options.
pub(super) const MANUAL: Manual = Manual {
    notes: &[
        "On a terminal the connections are a live table. Piped, each event is a line of JSON (--format table: a line of text). Ctrl-C lets live connections finish; a second Ctrl-C stops at once.",
    ],
    examples: &[
        ("netdiag tcp-serve", "on 127.0.0.1, on a port the system chooses"),
        ("netdiag tcp-serve 127.0.0.1:7777", "on this port"),
        ("netdiag tcp-serve '[::1]:7777' --single", "one client at a time"),
        ("netdiag tcp-serve localhost:7777", "on all addresses of a name, IPv4 and IPv6"),
        ("netdiag tcp-serve --format ndjson", "one event per line, for a script"),
        ("netdiag tcp-serve 127.0.0.1:7777 --explain", ""),
        ("netdiag tcp-serve 127.0.0.1:7777 --delay 200 --truncate-after 1k", ""),
        ("netdiag tcp-serve 127.0.0.1:7777 --no-accept --backlog 2", ""),
    ],
    exit: &[
        (0, "stopped by Ctrl-C or SIGTERM"),
        manual::USAGE,
        (3, "cannot listen: the address is in use, or a permission is missing"),
        manual::UNWRITTEN,
    ],
    see_also: &["tcp(7)", "listen(2)"],
};

/// Serves TCP echo: sends back every byte, to many clients in parallel
#[derive(Args)]
pub(super) struct TcpServeArgs {
    /// Address and port to listen on; a port alone listens on 127.0.0.1; port 0 lets the system choose [default: 127.0.0.1:0]
    #[arg(value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Serve one client at a time
    #[arg(long)]
    single: bool,
    /// Backlog: connections that may wait to be accepted
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 128, value_parser = number::<i32>(0, i32::MAX))]
    backlog: i32,
    /// Do not set SO_REUSEADDR: shows how TIME-WAIT holds a port after its server has ended
    #[arg(long)]
    no_reuse_address: bool,
    /// Time that live connections get to finish when the server is stopped, in seconds
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, default_value = "5", value_parser = seconds_or_none)]
    drain: Duration,
    /// Largest number of parallel connections; more are reset
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with = "single", value_parser = number::<u32>(1, u32::MAX))]
    max_connections: Option<u32>,
    /// Close a connection after this long without traffic, in seconds
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = seconds)]
    idle_timeout: Option<Duration>,
    /// Close a connection after echoing this many bytes, with k, M or G for powers of 1024
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, value_parser = some_bytes)]
    max_bytes: Option<u64>,
    /// Explain each step: call, connection state, buffers
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    socket: SocketArgs,
    #[command(flatten)]
    faults: FaultArgs,
}

/// Faults to inject, to test clients with.
#[derive(Args)]
#[command(next_help_heading = "Injected faults, to test clients")]
struct FaultArgs {
    /// Delay each reply, in milliseconds
    #[arg(long, value_name = "MS", allow_negative_numbers = true, value_parser = number::<u32>(1, 3_600_000))]
    delay: Option<u32>,
    /// Reset a connection after echoing this many bytes, with k, M or G; 0: at once
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, conflicts_with = "truncate_after", value_parser = size)]
    reset_after: Option<u64>,
    /// Close the sending side after echoing this many bytes, with k, M or G; 0: at once
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, value_parser = size)]
    truncate_after: Option<u64>,
    /// Invert one bit of every thousandth byte, beginning with the first
    #[arg(long)]
    corrupt: bool,
    /// Read at most this many bytes per second from each connection
    #[arg(long, value_name = "BYTES_PER_SECOND", allow_negative_numbers = true, value_parser = some_bytes)]
    slow_read: Option<u64>,
    /// Never accept: connections stay in the kernel's queue until it is full
    #[arg(long, conflicts_with_all = ["delay", "reset_after", "truncate_after", "corrupt", "slow_read", "close_on_accept", "single", "max_connections", "idle_timeout", "max_bytes"])]
    no_accept: bool,
    /// Close each connection as soon as it is accepted
    #[arg(long, conflicts_with_all = ["delay", "reset_after", "truncate_after", "corrupt", "slow_read", "idle_timeout", "max_bytes"])]
    close_on_accept: bool,
}

impl TcpServeArgs {
    pub(super) fn request(self) -> Result<Request> {
        let faults = self.faults.faults();
        if self.explain && faults != Faults::default() {
            return Err(Error::usage("--explain cannot be combined with injected faults")
                .hint(format!("omit {}", faults.names().join(", "))));
        }
        Ok(Request {
            listen: listen_on(self.listen.as_deref().unwrap_or("0"), self.socket.address_family)?,
            family: self.socket.address_family,
            buffers: self.socket.buffers(),
            single: self.single,
            backlog: self.backlog,
            reuse_address: !self.no_reuse_address,
            drain: self.drain,
            max_connections: self.max_connections.and_then(|most| usize::try_from(most).ok()),
            idle_timeout: self.idle_timeout,
            max_bytes: self.max_bytes,
            faults,
            explain: self.explain,
        })
    }
}

/// Where to listen: a port alone is on the loopback of the family.
fn listen_on(text: &str, family: Option<Family>) -> Result<HostPort> {
    let is_port = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = match family {
        Some(Family::Ipv6) if is_port => format!("[::1]:{text}"),
        _ => text.to_owned(),
    };
    let listen = HostPort::to_listen(&text)
        .map_err(|error| Error::usage(format!("'{text}' is not an address to listen on: {error}")))?;
    crate::address::check_family(family, listen.host.family(), &listen.host)?;
    Ok(listen)
}

impl FaultArgs {
    fn faults(&self) -> Faults {
        let reset = self.reset_after.map(|bytes| (Cut::Reset, bytes));
        let truncate = self.truncate_after.map(|bytes| (Cut::Truncate, bytes));
        Faults {
            delay: Duration::from_millis(self.delay.unwrap_or(0).into()),
            cut: reset.or(truncate),
            corrupt: self.corrupt,
            slow_read: self.slow_read,
            no_accept: self.no_accept,
            close_on_accept: self.close_on_accept,
        }
    }
}

fn some_bytes(text: &str) -> std::result::Result<u64, String> {
    match size(text)? {
        0 => Err("at least one byte is needed".to_owned()),
        bytes => Ok(bytes),
    }
}
