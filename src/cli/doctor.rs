//! `netdiag doctor`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::manual::{self, Manual};
use super::seconds;
use crate::address::Host;
use crate::doctor::{Request, Target};
use crate::error::{Error, Result};

/// What help and the manual page say besides the options.
pub(super) const MANUAL: Manual = Manual {
    notes: &[],
    examples: &[
        ("netdiag doctor", "can this machine use the network"),
        ("netdiag doctor example.org", "can it reach this host"),
        ("netdiag doctor example.org:22", "why is this port not reached"),
        ("netdiag doctor https://example.org/", "why does this page not load"),
        ("netdiag doctor example.org --explain", "which causes were considered, and why they lost"),
        ("netdiag doctor --offline 192.168.1.7", "send nothing beyond the LAN"),
        ("netdiag doctor example.org --save case.json; netdiag doctor --from case.json", ""),
        ("netdiag doctor example.org --json", ""),
    ],
    exit: &[
        (0, "nothing wrong"),
        (1, "something is wrong"),
        manual::USAGE,
        (3, "no verdict within the time"),
        manual::UNWRITTEN,
    ],
    see_also: &[],
};

/// Names the root cause: why this machine cannot use the network, or a target
///
/// Looks at this machine first (links, addresses, routes, name servers), then at the LAN, the internet, the target and the
/// way to it, side by side. The verdict is the smallest set of causes that explains everything that is seen to be wrong,
/// with the evidence it rests on, commands that show the same, and what to do. Nothing is changed.
#[derive(Args)]
pub(super) struct DoctorArgs {
    /// A name, an address, HOST:PORT, or a URL (http, https); none: the network at large
    #[arg(value_name = "TARGET", value_hint = clap::ValueHint::Hostname, value_parser = target)]
    target: Option<Target>,
    /// How long it may take, in seconds
    #[arg(long, value_name = "SECS", default_value = "8", allow_negative_numbers = true, value_parser = seconds)]
    timeout: Duration,
    /// Send nothing beyond the LAN, but to the target itself
    #[arg(long)]
    offline: bool,
    /// Compare with these hosts of the internet [default: 1.1.1.1, 8.8.8.8 and 9.9.9.9]
    #[arg(long, value_name = "HOST", num_args = 1..)]
    public: Vec<Host>,
    /// Tell which causes were considered, and why they lost
    #[arg(long)]
    explain: bool,
    /// Write the evidence to a file, for --from
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "from")]
    save: Option<PathBuf>,
    /// Judge evidence that --save wrote; nothing is sent
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["target", "offline", "public"])]
    from: Option<PathBuf>,
}

impl DoctorArgs {
    pub(super) fn request(self) -> Result<Request> {
        if self.offline && !self.public.is_empty() {
            return Err(Error::usage("--offline asks nobody of the internet, and --public says whom to ask")
                .hint("omit one of them"));
        }
        if let Some(host) = self.target.as_ref().map(|target| &target.host) {
            crate::address::check_zone(host, None)?;
        }
        Ok(Request {
            target: self.target,
            timeout: self.timeout,
            is_offline: self.offline,
            public: self.public,
            explains: self.explain,
            save: self.save,
            from: self.from,
        })
    }
}

fn target(text: &str) -> std::result::Result<Target, String> {
    text.parse().map_err(|error: crate::doctor::TargetError| error.to_string())
}
