//! Accepting, counting, limiting, and ending.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::super::explain::Step;
use super::live::Board;
use super::narrator::Narrator;
use super::report::{Served, ServedConnection};
use super::session::{self, Counts, Ended};
use super::{Event, Request, What};
use crate::address::Endpoint;
use crate::error::{Error, Result};
use crate::measure::microseconds;
use crate::output::record::Warning;
use crate::sys::StopRequests;

/// How long to wait where the system has no descriptor left for one more connection.
const BACK_OFF: Duration = Duration::from_millis(50);

/// How long after a shortage of descriptors another one is news.
const ANOTHER: Duration = Duration::from_secs(5);

/// A server under way.
pub(super) struct Server<'a> {
    request: &'a Request,
    events: mpsc::Sender<Event>,
    /// What is drawn of it, if anybody looks.
    board: Option<Arc<Board>>,
    served: Served,
    /// The connections that have not ended, by the number they were accepted as.
    live: BTreeMap<u64, Live>,
    sessions: JoinSet<(u64, Ended)>,
    stop: StopRequests,
    /// When a shortage of descriptors was last felt: one is told once, not each time.
    short_at: Option<Instant>,
}

/// A connection that has not ended.
struct Live {
    peer: SocketAddr,
    counts: Arc<Counts>,
    start: Instant,
    session: AbortHandle,
    /// What had come and gone when it was last looked at, and since when nothing has.
    silent_since: (u64, Instant),
}

impl<'a> Server<'a> {
    pub(super) fn new(
        request: &'a Request,
        events: mpsc::Sender<Event>,
        stop: StopRequests,
        board: Option<Arc<Board>>,
    ) -> Self {
        Self {
            request,
            events,
            board,
            served: Served::default(),
            live: BTreeMap::new(),
            sessions: JoinSet::new(),
            stop,
            short_at: None,
        }
    }

    /// Serves until asked to stop, then lets live connections finish.
    pub(super) async fn serve(mut self, listeners: Vec<(TcpListener, Vec<Step>)>) -> Result<Served> {
        let mut open = Vec::new();
        for (listener, steps) in listeners {
            let local =
                listener.local_addr().map_err(|source| Error::untested("cannot listen").caused_by(source))?;
            let warning = bound_wide(local);
            let address = Endpoint(local).to_string();
            self.served.listens_on(&address);
            let listening = What::Listening {
                address,
                port: local.port(),
                mode: if self.request.single { "single" } else { "multi" },
                backlog: self.request.backlog,
                reuse_address: self.request.reuse_address,
                faults: self.request.faults.names(),
                limits: self.request.limits(),
                warning: warning.as_ref().map(|warning| warning.message.clone()),
            };
            self.served.warnings.extend(warning);
            for step in steps {
                self.tell(What::Step(Box::new(step))).await;
            }
            if !self.tell(listening).await {
                return Ok(self.served);
            }
            open.push(listener);
        }
        if self.accept(&open).await {
            // From here on new clients are refused, not left waiting.
            drop(open);
            self.drain(self.request.drain).await;
        }
        Ok(self.served)
    }

    /// Tells whoever listens; false once nobody does.
    async fn tell(&mut self, what: What) -> bool {
        let at = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        self.events.send(Event { at, what }).await.is_ok()
    }

    /// Accepts until asked to stop (true), or until nobody listens to the events any more (false).
    async fn accept(&mut self, listeners: &[TcpListener]) -> bool {
        let mut stop = self.stop.clone();
        let idle = self.request.idle_timeout;
        let period =
            idle.map_or(Duration::from_secs(3600), |idle| (idle / 10).clamp(MOMENT, Duration::from_secs(1)));
        let mut looks = tokio::time::interval(period);
        loop {
            let has_room = !self.request.faults.no_accept && (!self.request.single || self.live.is_empty());
            let goes_on = tokio::select! {
                biased;
                () = stop.at_least(1) => return true,
                Some(ended) = self.sessions.join_next() => self.note(ended).await,
                _ = looks.tick(), if idle.is_some() => self.end_idle(idle.unwrap_or_default()).await,
                accepted = accept_any(listeners), if has_room => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer).await,
                    Err(error) => self.back_off(&error).await,
                },
            };
            if !goes_on {
                return false;
            }
        }
    }

    /// Starts a session for a new connection, or turns it away.
    async fn admit(&mut self, stream: TcpStream, address: SocketAddr) -> bool {
        let peer = Endpoint(address).unmapped().to_string();
        if let Some(limit) = self.request.max_connections.filter(|limit| self.live.len() >= *limit) {
            self.served.refused += 1;
            // A reset, so that the client is not left to guess from an empty answer.
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            drop(stream);
            return self.tell(What::RefusedOverLimit { peer, limit }).await;
        }
        let number = self.served.connections;
        self.served.connections += 1;
        let counts = Arc::new(Counts::default());
        let most = self.request.max_bytes;
        let shared = counts.clone();
        let session = if self.request.faults.are_any() {
            let faults = self.request.faults.clone();
            self.sessions.spawn(async move {
                let ended = faults.echo(&stream, &shared, most).await;
                drop(stream);
                (number, ended)
            })
        } else if self.request.explain {
            let narrator = Narrator::new(self.events.clone());
            self.sessions.spawn(async move { (number, narrator.serve(stream, &shared, most).await) })
        } else {
            self.sessions.spawn(async move {
                let ended = session::echo(&stream, &shared, most).await;
                drop(stream);
                (number, ended)
            })
        };
        let now = Instant::now();
        if let Some(board) = &self.board {
            board.begins(number, &peer, &counts);
        }
        self.live.insert(number, Live { peer: address, counts, start: now, session, silent_since: (0, now) });
        self.tell(What::Accepted { peer }).await
    }

    /// Waits a moment where the system has no descriptor left for one more connection; sessions go on meanwhile.
    async fn back_off(&mut self, error: &io::Error) -> bool {
        self.served.errors += 1;
        let last = self.short_at.replace(Instant::now());
        let is_news = last.is_none_or(|last| last.elapsed() > ANOTHER);
        let message = format!("cannot accept a connection: {error}; retrying when a connection ends");
        if is_news && !self.tell(What::Error { message }).await {
            return false;
        }
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.at_least(1) => true,
            Some(ended) = self.sessions.join_next() => self.note(ended).await,
            () = tokio::time::sleep(BACK_OFF) => true,
        }
    }

    /// Ends the connections that have been silent for too long.
    async fn end_idle(&mut self, most: Duration) -> bool {
        let now = Instant::now();
        let mut idle = Vec::new();
        for (number, live) in &mut self.live {
            let (bytes_in, bytes_out) = live.counts.bytes();
            let moved = bytes_in + bytes_out;
            if moved != live.silent_since.0 {
                live.silent_since = (moved, now);
            } else if now.duration_since(live.silent_since.1) >= most {
                idle.push(*number);
            }
        }
        for number in idle {
            if let Some(live) = self.live.remove(&number) {
                // Dropping its socket closes the connection.
                live.session.abort();
                let goes_on = self.close(number, live, Ended { reason: "idle", error: None }).await;
                if !goes_on {
                    return false;
                }
            }
        }
        true
    }

    /// Tells that a session has ended.
    async fn note(&mut self, ended: std::result::Result<(u64, Ended), JoinError>) -> bool {
        // A session that was ended from here has been told of.
        let Ok((number, ended)) = ended else { return true };
        match self.live.remove(&number) {
            Some(live) => self.close(number, live, ended).await,
            None => true,
        }
    }

    async fn close(&mut self, number: u64, live: Live, ended: Ended) -> bool {
        let (bytes_in, bytes_out) = live.counts.bytes();
        self.served.bytes_in += bytes_in;
        self.served.bytes_out += bytes_out;
        let connection = ServedConnection {
            peer: Endpoint(live.peer).unmapped().to_string(),
            bytes_in,
            bytes_out,
            duration_us: microseconds(live.start.elapsed()),
            reason: ended.reason,
            error: ended.error,
        };
        if let Some(board) = &self.board {
            board.ends(number);
        }
        self.tell(What::Closed(connection)).await
    }

    /// Lets live connections finish, for so long or until asked a second time; the rest are cut.
    async fn drain(&mut self, patience: Duration) {
        let mut goes_on = self.tell(What::Stopping { active: self.live.len() }).await;
        let deadline = tokio::time::Instant::now() + patience;
        let mut stop = self.stop.clone();
        while goes_on && !self.live.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.sessions.join_next() => goes_on = self.note(ended).await,
                () = stop.at_least(2) => break,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        for (number, live) in std::mem::take(&mut self.live) {
            self.served.aborted += 1;
            self.close(number, live, Ended { reason: "aborted", error: None }).await;
        }
    }
}

/// The least time between two looks at all connections.
const MOMENT: Duration = Duration::from_millis(10);

/// The next connection to any of them.
async fn accept_any(listeners: &[TcpListener]) -> io::Result<(TcpStream, SocketAddr)> {
    match listeners {
        [] => pending().await,
        [only] => only.accept().await,
        many => {
            std::future::poll_fn(|context| {
                for listener in many {
                    if let std::task::Poll::Ready(accepted) = listener.poll_accept(context) {
                        return std::task::Poll::Ready(accepted);
                    }
                }
                std::task::Poll::Pending
            })
            .await
        }
    }
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
