//! A server's connection step by step.

use std::io::{self, ErrorKind};
use std::time::SystemTime;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::super::explain::{self, Observation, Step};
use super::session::{self, CHUNK, Counts, Ended};
use super::{Event, What};
use crate::address::Endpoint;

/// So many calls of a connection are told; the rest would be the same again.
const TOLD: usize = 40;

/// Tells of every call on a connection.
pub(super) struct Narrator {
    events: mpsc::Sender<Event>,
}

impl Narrator {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events }
    }

    async fn tell(&self, step: Step) {
        let at = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        // Nobody may be listening any more.
        let _ = self.events.send(Event { at, what: What::Step(Box::new(step)) }).await;
    }

    /// Echoes as an honest server does.
    pub(super) async fn serve(&self, stream: TcpStream, counts: &Counts, most: Option<u64>) -> Ended {
        match self.echo(stream, counts, most).await {
            Ok(reason) => Ended { reason, error: None },
            Err(error) => session::broken(&error),
        }
    }

    async fn echo(&self, stream: TcpStream, counts: &Counts, most: Option<u64>) -> io::Result<&'static str> {
        let _ = stream.set_nodelay(true);
        let mut observation = Observation::new("server");
        let peer = stream.peer_addr()?;
        observation.before();
        observation.connects(stream.local_addr()?, peer);
        let accepted = observation.after(
            Some(&stream),
            "accept",
            String::new(),
            &Ok(Endpoint(peer).unmapped().to_string()),
        );
        self.tell(accepted.draws(["<- SYN", "SYN,ACK ->", "<- ACK"]).infers(
            "the kernel has already completed the handshake with this client; accept returns the connection as a new socket",
        ))
        .await;
        let mut buffer = vec![0; CHUNK];
        let mut told = 0;
        let reason = loop {
            observation.before();
            stream.readable().await?;
            let read = stream.try_read(&mut buffer);
            if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                continue;
            }
            told += 1;
            if told <= TOLD {
                let result = read.as_ref().map(ToString::to_string).map_err(explain::copy);
                let step = observation.after(Some(&stream), "recv", CHUNK.to_string(), &result);
                self.tell(match &read {
                    Ok(0) => step
                        .draws_received("FIN")
                        .meaning("0 bytes: the client has closed its side and sends no more"),
                    Ok(length) => step.draws_received(&format!("{length} bytes")).meaning(
                        "took the received bytes out of the receive buffer: TCP is a byte stream without message boundaries",
                    ),
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                        step.draws(["<- RST"]).meaning("the client reset the connection")
                    }
                    Err(_) => step.meaning("this machine could not receive"),
                })
                .await;
            }
            let length = match read? {
                0 => break "eof",
                length => length,
            };
            counts.came_in(length);
            let left = most.map_or(u64::MAX, |most| most.saturating_sub(counts.bytes().1));
            let length = usize::try_from(left).map_or(length, |left| length.min(left));
            observation.before();
            session::write_all(&stream, &buffer[..length], counts).await?;
            if told <= TOLD {
                let step =
                    observation.after(Some(&stream), "send", length.to_string(), &Ok(length.to_string()));
                let step = step.draws_sent(&format!("{length} bytes"));
                self.tell(step.meaning("copied the bytes into the send buffer; the kernel sends them")).await;
            }
            if most.is_some_and(|most| counts.bytes().1 >= most) {
                session::part(&stream, counts).await?;
                break "limit";
            }
        };
        observation.before();
        drop(stream);
        let step = observation.after::<TcpStream>(None, "close", String::new(), &Ok("0".to_owned()));
        self.tell(
            step.draws(["FIN ->", "<- ACK"])
                .infers("this end sends a FIN; when it is acknowledged the connection is gone here"),
        )
        .await;
        Ok(reason)
    }
}
