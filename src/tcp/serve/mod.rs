//! The echo server: the honest other end of the echo probe, and on request a broken one.
//!
//! The server has a thread of its own: a reader of its events that stalls does not stall its clients.

mod faults;
mod listener;
mod live;
mod narrator;
mod report;
mod server;
mod session;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;

pub use faults::{Cut, Faults};
pub use report::{Served, ServedConnection};

use super::Buffers;
use super::explain::Step;
use crate::address::{Family, HostPort};
use crate::error::{Error, Result};
use crate::output::record::{self, Line, Observer, Role};
use crate::sys::{self, Listen, StopRequests};
use live::Board;
use server::Server;

/// The events that may wait for their reader before the server waits too.
const EVENTS: usize = 100_000;

/// Where and how to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The address and port to listen on; port 0 lets the system choose. A name means all its addresses.
    pub listen: HostPort,
    /// One client at a time, as a server that knows no better does.
    pub single: bool,
    /// How many connections the system keeps waiting for `accept` (`listen(2)`).
    pub backlog: i32,
    /// Whether a port in TIME_WAIT may be taken (SO_REUSEADDR, `socket(7)`).
    pub reuse_address: bool,
    /// How long live connections may go on once the server is asked to stop.
    pub drain: Duration,
    /// How many connections are served at once; more are reset.
    pub max_connections: Option<usize>,
    /// How long a connection may be silent.
    pub idle_timeout: Option<Duration>,
    /// How many bytes of a connection are echoed before it is closed.
    pub max_bytes: Option<u64>,
    /// Only addresses of this family.
    pub family: Option<Family>,
    /// The sizes of each connection's buffers.
    pub buffers: Buffers,
    /// What the server does wrong on purpose.
    pub faults: Faults,
    /// Whether each step is told.
    pub explain: bool,
}

impl Request {
    /// How much it gives at most, in words.
    fn limits(&self) -> Vec<String> {
        let mut limits = Vec::new();
        limits.extend(self.max_connections.map(|most| format!("at most {most} parallel connections")));
        limits.extend(
            self.idle_timeout.map(|most| format!("idle time-out {}", humantime::format_duration(most))),
        );
        limits.extend(self.max_bytes.map(|most| format!("at most {most} bytes per connection")));
        limits
    }
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
        /// What it does wrong on purpose.
        faults: Vec<String>,
        /// How much it gives at most: connections, idle time, bytes.
        limits: Vec<String>,
        /// Who else can reach it, where that is more than this machine.
        warning: Option<String>,
    },
    /// A client has connected.
    Accepted {
        /// The client.
        peer: String,
    },
    /// A client was turned away.
    RefusedOverLimit {
        /// The client.
        peer: String,
        /// How many are served at once.
        limit: usize,
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
    /// A call it made.
    Step(Box<Step>),
}

impl record::Event for Event {
    fn name(&self) -> &'static str {
        match self.what {
            What::Listening { .. } => "listening",
            What::Accepted { .. } => "accepted",
            What::RefusedOverLimit { .. } => "refused-over-limit",
            What::Closed(_) => "closed",
            What::Error { .. } => "error",
            What::Stopping { .. } => "stopping",
            What::Step(_) => "step",
        }
    }

    fn line(&self) -> Option<Line> {
        Some(match &self.what {
            What::Listening { address, mode, faults, limits, .. } => {
                let clients = if *mode == "single" { "one client at a time" } else { "clients in parallel" };
                let line =
                    Line::default().with(Role::Good, "listening").plain(" on ").strong(address.as_str());
                let line = line.plain(format!(", {clients}"));
                let line =
                    if limits.is_empty() { line } else { line.plain(format!("; {}", limits.join(", "))) };
                let line = if faults.is_empty() {
                    line
                } else {
                    line.plain("; ").with(Role::Caution, format!("on purpose: {}", faults.join(", ")))
                };
                line.plain("; Ctrl-C stops")
            }
            What::Accepted { peer } => Line::new(format!("accepted {peer}")),
            What::RefusedOverLimit { peer, limit } => Line::default()
                .with(Role::Caution, "refused")
                .plain(format!(" {peer}: the limit of {limit} parallel connections is reached")),
            What::Closed(connection) => connection.line(),
            What::Error { message } => Line::default().with(Role::Bad, "error").plain(format!(": {message}")),
            What::Stopping { active: 0 } => Line::new("stopping"),
            What::Stopping { active: 1 } => Line::new("stopping when 1 connection has finished"),
            What::Stopping { active } => {
                Line::new(format!("stopping when {active} connections have finished"))
            }
            What::Step(step) => step.line(),
        })
    }

    fn below(&self) -> Vec<Line> {
        if let What::Step(step) = &self.what { step.below() } else { Vec::new() }
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

impl Event {
    /// Whether a picture of the live connections shows it.
    fn is_in_the_picture(&self) -> bool {
        matches!(self.what, What::Accepted { .. })
    }
}

/// Serves until the user asks it to stop, then lets live connections finish; a second request ends at once.
///
/// Errors: the address cannot be bound, with who holds it, or who may bind it and how.
pub fn run(request: &Request, observer: &mut dyn Observer<Event>) -> Result<Served> {
    let stop = StopRequests::listen(Listen::Stop)?;
    // A connection takes a descriptor, and the usual limit of a shell is low.
    sys::raise_descriptor_limit();
    let (events, happened) = mpsc::channel(EVENTS);
    let board = Arc::new(Board::default());
    let is_drawn = observer.is_drawing() && !request.explain;
    let runtime = sys::runtime()?;
    let (request, asked, shown) = (request.clone(), stop.clone(), is_drawn.then(|| board.clone()));
    let server = std::thread::Builder::new().name("server".to_owned()).spawn(move || -> Result<Served> {
        sys::runtime()?.block_on(async {
            let mut waiting = asked.clone();
            let listeners = tokio::select! {
                listeners = listener::open_all(&request) => listeners?,
                () = waiting.at_least(1) => return Err(Error::interrupted()),
            };
            Server::new(&request, events, asked, shown).serve(listeners).await
        })
    });
    let server = server.map_err(|error| sys::lacks_thread("cannot start a thread", error))?;
    runtime.block_on(observe(happened, &board, is_drawn, &stop, observer));
    server.join().expect("serving does not panic")
}

/// Tells the observer, until the server has ended.
async fn observe(
    mut happened: mpsc::Receiver<Event>,
    board: &Board,
    is_drawn: bool,
    stop: &StopRequests,
    observer: &mut dyn Observer<Event>,
) {
    let mut redraws = tokio::time::interval(Board::PERIOD);
    loop {
        let flow = tokio::select! {
            biased;
            event = happened.recv() => match event {
                None => return,
                Some(event) if is_drawn && event.is_in_the_picture() => continue,
                Some(event) => observer.observe(event),
            },
            _ = redraws.tick(), if is_drawn => {
                if !board.has_changed() {
                    continue;
                }
                observer.draw(Some(board.frame()))
            }
        };
        if flow.is_break() {
            // Nobody can read what it says: it ends at once.
            happened.close();
            stop.ask();
            stop.ask();
            return;
        }
    }
}
