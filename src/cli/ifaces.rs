//! `netdiag ifaces`.

use clap::Args;

use super::FamilyArgs;
use crate::ifaces::Request;

/// Lists this machine's interfaces, with their state and addresses
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  netdiag ifaces                          all of them, with or without an address
  netdiag ifaces lo                       only this one
  netdiag ifaces --up -4                  those that are up and have an IPv4 address
  netdiag ifaces --columns name,mtu,mac --sort mtu
  netdiag ifaces --json")]
pub(super) struct IfacesArgs {
    /// Only these interfaces
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Only interfaces that are administratively up
    #[arg(long)]
    up: bool,
    /// Only interfaces of this kind: ethernet, loopback, bridge, veth, tun ...
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    #[command(flatten)]
    family: FamilyArgs,
}

impl IfacesArgs {
    pub(super) fn request(self) -> Request {
        Request { family: self.family.family(), names: self.names, up: self.up, kind: self.kind }
    }
}
