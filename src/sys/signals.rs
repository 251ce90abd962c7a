//! Being asked to stop, or how it goes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
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
    /// How often it has been asked how it goes.
    asked: Arc<AtomicU32>,
    /// Can be read from once a signal has come.
    #[cfg(unix)]
    wake: Arc<io::PipeReader>,
}

/// Which signals a run listens for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// SIGINT and SIGTERM.
    Stop,
    /// SIGQUIT too, which then asks how it goes and does not end the program.
    StopAndStatus,
}

/// A runtime that may be dropped inside another one's task, as it is where its thread cannot be started.
struct Unawaited(Option<tokio::runtime::Runtime>);

impl Unawaited {
    fn get(&self) -> &tokio::runtime::Runtime {
        self.0.as_ref().expect("a runtime is taken only when it is dropped")
    }
}

impl Drop for Unawaited {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a signal asks for.
enum Asked {
    Stop,
    Status,
}

impl StopRequests {
    /// Starts to listen for Ctrl-C (SIGINT) and, where there is one, SIGTERM.
    ///
    /// It listens on a thread of its own: a run that hangs, because nobody reads its output say, is ended a
    /// moment after the second request.
    ///
    /// Errors: the system does not let this process handle signals, or start a thread.
    pub fn listen(to: Listen) -> Result<Self> {
        Self::start(to).map_err(|source| super::lacks_thread("cannot listen for signals", source))
    }

    fn start(to: Listen) -> io::Result<Self> {
        let (sender, count) = watch::channel(0);
        let (sender, asked) = (Arc::new(sender), Arc::new(AtomicU32::new(0)));
        #[cfg(unix)]
        let (wake, mut waker) = io::pipe()?;
        let runtime = Unawaited(Some(tokio::runtime::Builder::new_current_thread().enable_all().build()?));
        let mut signals = {
            let _inside = runtime.get().enter();
            Signals::new(to)?
        };
        let (told, status) = (sender.clone(), asked.clone());
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.get().block_on(async {
                while let Some(signal) = signals.next().await {
                    match signal {
                        Asked::Stop => told.send_modify(|count| *count += 1),
                        Asked::Status => {
                            status.fetch_add(1, Ordering::Relaxed);
                            // Whoever waits looks again.
                            told.send_modify(|_| ());
                        }
                    }
                    #[cfg(unix)]
                    {
                        // Nobody may be listening any more.
                        let _ = io::Write::write(&mut waker, &[0]);
                    }
                    if *told.borrow() >= 2 {
                        tokio::time::sleep(GRACE).await;
                        std::process::exit(INTERRUPTED);
                    }
                }
            });
        })?;
        Ok(Self {
            count,
            sender,
            asked,
            #[cfg(unix)]
            wake: Arc::new(wake),
        })
    }

    /// A descriptor that can be read from once a signal has come; [`StopRequests::rest`] makes it wait again.
    #[cfg(unix)]
    pub fn waker(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&*self.wake)
    }

    /// Takes one signal's byte from the waker, which must be readable.
    #[cfg(unix)]
    pub fn rest(&self) {
        let _ = io::Read::read(&mut &*self.wake, &mut [0]);
    }

    /// Waits until the run has been asked to stop, or how it goes more than so many times.
    pub async fn signalled(&mut self, status_requests: u32) {
        let asked = self.asked.clone();
        let stopped =
            self.count.wait_for(|count| *count > 0 || asked.load(Ordering::Relaxed) > status_requests);
        let _ = stopped.await;
    }

    /// How often it has been asked how it goes.
    pub fn status_requests(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
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
    quit: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new(listen: Listen) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let quit = match listen {
            Listen::Stop => None,
            Listen::StopAndStatus => Some(signal(SignalKind::quit())?),
        };
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, quit })
    }

    async fn next(&mut self) -> Option<Asked> {
        let quit = async {
            match &mut self.quit {
                Some(quit) => quit.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            got = self.interrupt.recv() => got.map(|()| Asked::Stop),
            got = self.terminate.recv() => got.map(|()| Asked::Stop),
            got = quit => got.map(|()| Asked::Status),
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC, Option<tokio::signal::windows::CtrlBreak>);

#[cfg(windows)]
impl Signals {
    fn new(listen: Listen) -> io::Result<Self> {
        let status = match listen {
            Listen::Stop => None,
            Listen::StopAndStatus => Some(tokio::signal::windows::ctrl_break()?),
        };
        Ok(Self(tokio::signal::windows::ctrl_c()?, status))
    }

    async fn next(&mut self) -> Option<Asked> {
        let status = async {
            match &mut self.1 {
                Some(status) => status.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            got = self.0.recv() => got.map(|()| Asked::Stop),
            got = status => got.map(|()| Asked::Status),
        }
    }
}
