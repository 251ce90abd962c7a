//! The echo server: the honest other end of the echo probe.

mod listener;
mod report;
mod session;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub use report::{Served, ServedConnection};

use crate::address::{Endpoint, HostPort};
use crate::error::{Error, Result};
use crate::measure::microseconds;
use crate::output::record::{self, Line, Observer, Role, Warning};
use crate::sys::{Listen, StopRequests};
use session::{Counts, Ended};

/// Where and how to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The address and port to listen on; port 0 lets the system choose.
    pub listen: HostPort,
    /// One client at a time, as a server that knows no better does.
    pub single: bool,
    /// How many connections the system keeps waiting for `accept` (`listen(2)`).
    pub backlog: i32,
    /// Whether a port in TIME_WAIT may be taken (SO_REUSEADDR, `socket(7)`).
    pub reuse_address: bool,
    /// How long live connections may go on once the server is asked to stop.
    pub drain: Duration,
}

/// One thing that happened to the server.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When, RFC 3339.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened to the server.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum What {
    /// It listens.
    Listening {
        /// The address and port.
        address: String,
        /// The port alone.
        port: u16,
        /// One client at a time, or many.
        mode: &'static str,
        /// How many connections may wait.
        backlog: i32,
        /// Whether a port in TIME_WAIT may be taken.
        reuse_address: bool,
        /// Who else can reach it, where that is more than this machine.
        warning: Option<String>,
    },
    /// A client has connected.
    Accepted {
        /// The client.
        peer: String,
    },
    /// A connection has ended.
    Closed(ServedConnection),
    /// The system would not give it a connection.
    Error {
        /// What it said.
        message: String,
    },
    /// It was asked to stop.
    Stopping {
        /// The connections that may still finish.
        active: usize,
    },
}

impl record::Event for Event {
    fn name(&self) -> &'static str {
        match self.what {
            What::Listening { .. } => "listening",
            What::Accepted { .. } => "accepted",
            What::Closed(_) => "closed",
            What::Error { .. } => "error",
            What::Stopping { .. } => "stopping",
        }
    }

    fn line(&self) -> Option<Line> {
        Some(match &self.what {
            What::Listening { address, mode, .. } => {
                let clients = if *mode == "single" { "one client at a time" } else { "many clients at once" };
                let line =
                    Line::default().with(Role::Good, "listening").plain(" on ").strong(address.as_str());
                line.plain(format!(", {clients}; Ctrl-C ends it"))
            }
            What::Accepted { peer } => Line::new(format!("accepted {peer}")),
            What::Closed(connection) => connection.line(),
            What::Error { message } => Line::default().with(Role::Bad, "error").plain(format!(": {message}")),
            What::Stopping { active: 0 } => Line::new("stopping"),
            What::Stopping { active } => {
                Line::new(format!("stopping when {active} live connections have ended"))
            }
        })
    }

    fn warning(&self) -> Option<&str> {
        if let What::Listening { warning, .. } = &self.what { warning.as_deref() } else { None }
    }

    fn is_urgent(&self) -> bool {
        matches!(self.what, What::Listening { .. } | What::Error { .. })
    }

    fn is_detail(&self) -> bool {
        matches!(self.what, What::Accepted { .. })
    }
}

/// A server under way.
struct Server<'a> {
    observer: &'a mut dyn Observer<Event>,
    served: Served,
    /// The connections that have not ended, by the number they were accepted as.
    live: BTreeMap<u64, Live>,
    sessions: JoinSet<(u64, Ended)>,
    stop: StopRequests,
    single: bool,
    /// Whether the last attempt to accept failed: a shortage is told once, not each time.
    is_short: bool,
}

/// A connection that has not ended.
struct Live {
    peer: String,
    counts: Arc<Counts>,
    start: Instant,
}

/// Serves until the user asks it to stop, then lets live connections finish; a second request ends at once.
///
/// Errors: the address cannot be bound, with who may bind it and how.
pub async fn run(request: &Request, observer: &mut dyn Observer<Event>) -> Result<Served> {
    let stop = StopRequests::listen(Listen::Stop)?;
    let mut asked = stop.clone();
    let address = tokio::select! {
        address = listener::address(&request.listen) => address?,
        () = asked.at_least(1) => return Err(Error::interrupted()),
    };
    let listener = listener::open(address, request)?;
    let local = listener.local_addr().map_err(|source| Error::untested("cannot listen").caused_by(source))?;
    let mut server = Server {
        observer,
        served: Served::new(Endpoint(local), bound_wide(local).into_iter().collect()),
        live: BTreeMap::new(),
        sessions: JoinSet::new(),
        stop,
        single: request.single,
        is_short: false,
    };
    let listening = What::Listening {
        address: Endpoint(local).to_string(),
        port: local.port(),
        mode: if request.single { "single" } else { "multi" },
        backlog: request.backlog,
        reuse_address: request.reuse_address,
        warning: server.served.warnings.first().map(|warning| warning.message.clone()),
    };
    if server.tell(listening) && server.accept(&listener).await {
        // From here on new clients are refused, not left waiting.
        drop(listener);
        server.drain(request.drain).await;
    }
    Ok(server.served)
}

/// The warning for an address that others than this machine can reach.
fn bound_wide(local: SocketAddr) -> Option<Warning> {
    let reach = match local.ip().to_canonical() {
        ip if ip.is_loopback() => return None,
        ip if ip.is_unspecified() => "every network of this machine",
        _ => "its network",
    };
    Some(Warning::new("bound-wide", format!("{} can be reached from {reach}", Endpoint(local))))
}

impl Server<'_> {
    /// Tells the observer; false once nobody listens.
    fn tell(&mut self, what: What) -> bool {
        let at = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        self.observer.observe(Event { at, what }).is_continue()
    }

    /// Accepts until asked to stop (true), or until nobody listens to the events any more (false).
    async fn accept(&mut self, listener: &TcpListener) -> bool {
        let mut stop = self.stop.clone();
        loop {
            let has_room = !self.single || self.live.is_empty();
            let goes_on = tokio::select! {
                biased;
                () = stop.at_least(1) => return true,
                Some(ended) = self.sessions.join_next() => self.note(ended),
                accepted = listener.accept(), if has_room => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer),
                    Err(error) => self.back_off(&error).await,
                },
            };
            if !goes_on {
                return false;
            }
        }
    }

    /// Starts a session for a new connection.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) -> bool {
        let peer = Endpoint(peer).unmapped().to_string();
        let number = self.served.connections;
        self.served.connections += 1;
        self.is_short = false;
        let counts = Arc::new(Counts::default());
        self.live.insert(number, Live { peer: peer.clone(), counts: counts.clone(), start: Instant::now() });
        self.sessions.spawn(async move {
            let ended = session::echo(&stream, &counts).await;
            (number, ended)
        });
        self.tell(What::Accepted { peer })
    }

    /// Waits a moment where the system has no descriptor left for one more connection.
    async fn back_off(&mut self, error: &std::io::Error) -> bool {
        const BACK_OFF: Duration = Duration::from_millis(50);
        self.served.errors += 1;
        let is_news = !std::mem::replace(&mut self.is_short, true);
        let message = format!("cannot accept a connection: {error}; trying again until one ends");
        let goes_on = !is_news || self.tell(What::Error { message });
        tokio::time::sleep(BACK_OFF).await;
        goes_on
    }

    /// Tells that a session has ended.
    fn note(&mut self, ended: Result<(u64, Ended), tokio::task::JoinError>) -> bool {
        let (number, ended) = ended.expect("a session does not panic and is not aborted");
        match self.live.remove(&number) {
            Some(live) => self.close(live, ended),
            None => true,
        }
    }

    fn close(&mut self, live: Live, ended: Ended) -> bool {
        let (bytes_in, bytes_out) = live.counts.bytes();
        self.served.bytes_in += bytes_in;
        self.served.bytes_out += bytes_out;
        let duration_us = microseconds(live.start.elapsed());
        let Ended { reason, error } = ended;
        self.tell(What::Closed(ServedConnection {
            peer: live.peer,
            bytes_in,
            bytes_out,
            duration_us,
            reason,
            error,
        }))
    }

    /// Lets live connections finish, for so long or until asked a second time; the rest are cut.
    async fn drain(&mut self, patience: Duration) {
        let mut goes_on = self.tell(What::Stopping { active: self.live.len() });
        let deadline = tokio::time::Instant::now() + patience;
        let mut stop = self.stop.clone();
        while goes_on && !self.live.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.sessions.join_next() => goes_on = self.note(ended),
                () = stop.at_least(2) => break,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        for live in std::mem::take(&mut self.live).into_values() {
            self.served.aborted += 1;
            self.close(live, Ended { reason: "aborted", error: None });
        }
    }
}
