//! The names of addresses (PTR records, the hosts file), for those who ask for them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::output::record::Untrusted;
use crate::sys::StopRequests;

/// How long all names together may take: the resolver itself waits 5 s for a dead server.
const PATIENCE: Duration = Duration::from_secs(6);
/// So many are asked for at once.
const MOST_THREADS: usize = 16;

/// Looks up the names of addresses, with the system's resolver; those that have none, or are not told in time,
/// are left out.
pub(super) fn look_up(
    addresses: Vec<IpAddr>,
    deadline: Option<Instant>,
    stop: &StopRequests,
) -> HashMap<IpAddr, Untrusted> {
    /// How soon a request to stop is seen.
    const GLANCE: Duration = Duration::from_millis(50);
    let patience = Instant::now() + PATIENCE;
    let end = deadline.map_or(patience, |deadline| deadline.min(patience));
    let threads = addresses.len().min(MOST_THREADS);
    let mut open = addresses.len();
    let todo = Arc::new(Mutex::new(addresses));
    let (sender, answers) = mpsc::channel();
    for _ in 0..threads {
        let (todo, sender) = (todo.clone(), sender.clone());
        let ask = move || {
            loop {
                let next = todo.lock().map(|mut todo| todo.pop());
                let Ok(Some(ip)) = next else { return };
                let name = dns_lookup::lookup_addr(&ip).ok().filter(|name| name.parse::<IpAddr>().is_err());
                // Nobody waits any more: the time is up.
                if sender.send((ip, name)).is_err() {
                    return;
                }
            }
        };
        // A thread less only costs time.
        let _ = std::thread::Builder::new().name("names".to_owned()).spawn(ask);
    }
    drop(sender);
    let mut names = HashMap::new();
    while open > 0 && !stop.is_stopping() {
        let left = end.saturating_duration_since(Instant::now());
        match answers.recv_timeout(left.min(GLANCE)) {
            Ok((ip, name)) => {
                open -= 1;
                names.extend(name.map(|name| (ip, Untrusted::from(name))));
            }
            Err(mpsc::RecvTimeoutError::Timeout) if !left.is_zero() => {}
            Err(_) => break,
        }
    }
    names
}
