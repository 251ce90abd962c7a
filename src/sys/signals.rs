//! Being asked to stop.

use std::io;

use tokio::sync::watch;

/// Tells everybody who holds it how often the user has asked this process to stop.
#[derive(Clone)]
pub struct StopRequests(watch::Receiver<u32>);

impl StopRequests {
    /// Starts to listen for Ctrl-C (SIGINT) and, where there is one, SIGTERM. Needs a runtime.
    ///
    /// Errors: the system does not let this process handle signals.
    pub fn listen() -> io::Result<Self> {
        let (sender, receiver) = watch::channel(0);
        let mut signals = Signals::new()?;
        tokio::spawn(async move {
            while signals.next().await {
                sender.send_modify(|count| *count += 1);
            }
        });
        Ok(Self(receiver))
    }

    /// Waits until the user has asked at least so many times.
    pub async fn at_least(&mut self, times: u32) {
        if self.0.wait_for(|count| *count >= times).await.is_err() {
            // Nobody listens for signals any more: none will come.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the user has asked.
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() > 0
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
