//! `netdiag tcp-serve`.

use std::time::Duration;

use clap::Args;

use super::seconds_or_none;
use crate::address::HostPort;
use crate::tcp::serve::Request;

/// Serves TCP echo: sends back every byte, to many clients at once
#[derive(Args)]
#[command(
    after_help = "Ctrl-C lets live connections finish; a second one ends at once.",
    after_long_help = "\
Ctrl-C lets live connections finish; a second one ends at once.

Examples:
  netdiag tcp-serve                       on 127.0.0.1, on a port the system chooses
  netdiag tcp-serve 127.0.0.1:7777        on this port
  netdiag tcp-serve '[::1]:7777' --single  one client at a time
  netdiag tcp-serve --format ndjson       an event a line, for a script"
)]
pub(super) struct TcpServeArgs {
    /// The address and port to listen on; port 0 lets the system choose
    #[arg(value_name = "ADDR:PORT", default_value = "127.0.0.1:0", value_parser = HostPort::to_listen)]
    listen: HostPort,
    /// One client at a time
    #[arg(long)]
    single: bool,
    /// How many connections may wait to be accepted
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 128, value_parser = clap::value_parser!(i32).range(0..))]
    backlog: i32,
    /// Do not set SO_REUSEADDR: see how a port is held after its server has gone
    #[arg(long)]
    no_reuse_address: bool,
    /// How long live connections may go on when it is stopped, in seconds
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, default_value = "5", value_parser = seconds_or_none)]
    drain: Duration,
}

impl TcpServeArgs {
    pub(super) fn request(self) -> Request {
        Request {
            listen: self.listen,
            single: self.single,
            backlog: self.backlog,
            reuse_address: !self.no_reuse_address,
            drain: self.drain,
        }
    }
}
