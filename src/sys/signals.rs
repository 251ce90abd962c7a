//! Being asked to stop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::error::Result;

/// How long the program may take to end after a second request before it is ended.
const GRACE: Duration = Duration::from_secs(1);
/// The exit code of a program that had to be ended: 128 and SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Tells everybody who holds it how often this run has been asked to stop.
#[derive(Clone)]
pub struct StopRequests {
    count: watch::Receiver<u32>,
    sender: Arc<watch::Sender<u32>>,
}

impl StopRequests {
    /// Starts to listen for Ctrl-C (SIGINT) and, where there is one, SIGTERM.
    ///
    /// It listens on a thread of its own: a run that hangs, because nobody reads its output say, is ended a
    /// moment after the second request.
    ///
    /// Errors: the system does not let this process handle signals, or start a thread.
    pub fn listen() -> Result<Self> {
        Self::start().map_err(|source| super::lacks("cannot listen for signals", source))
    }

    fn start() -> io::Result<Self> {
        let (sender, count) = watch::channel(0);
        let sender = Arc::new(sender);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::new()?
        };
        let told = sender.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                while signals.next().await {
                    told.send_modify(|count| *count += 1);
                    if *told.borrow() >= 2 {
                        tokio::time::sleep(GRACE).await;
                        std::process::exit(INTERRUPTED);
                    }
                }
            });
        })?;
        Ok(Self { count, sender })
    }

    /// Asks the run to stop, as a signal would: nobody reads what it says any more.
    pub fn ask(&self) {
        self.sender.send_modify(|count| *count += 1);
    }

    /// Waits until the run has been asked at least so many times.
    pub async fn at_least(&mut self, times: u32) {
        // The sender lives as long as this, so waiting cannot fail.
        let _ = self.count.wait_for(|count| *count >= times).await;
    }

    /// Whether the run has been asked.
    pub fn is_stopping(&self) -> bool {
        *self.count.borrow() > 0
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> bool {
        tokio::select! {
            got = self.interrupt.recv() => got.is_some(),
            got = self.terminate.recv() => got.is_some(),
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> bool {
        self.0.recv().await.is_some()
    }
}
