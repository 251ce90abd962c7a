//! `netdiag port`.

use clap::Args;

use crate::port::{Query, Request};

/// Tells what a port is: its class, its services, and what this system does with it
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  netdiag port 443                        class, IANA's range, services
  netdiag port https smtp ftp             the ports of services
  netdiag port 20-25                      a range
  netdiag port 443 --columns port,class,services --no-header")]
pub(super) struct PortArgs {
    /// Ports, ranges or service names
    #[arg(value_name = "PORT|FROM-TO|NAME", required = true, allow_negative_numbers = true)]
    queries: Vec<Query>,
}

impl PortArgs {
    pub(super) fn request(self) -> Request {
        Request { queries: self.queries }
    }
}
