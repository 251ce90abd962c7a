//! Running netdiag from a test, with a bound on how long it may take.

#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitCode, Stdio};
use std::sync::RwLock;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;

/// Whatever takes longer than this hangs, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(300);

/// A test: its name, and what it does. `Err` is the reason why it cannot run here.
pub type Test = (&'static str, fn() -> Result<(), String>);

/// Held by every test, and by nobody else while a test runs that needs all of something they share.
static OTHERS: RwLock<()> = RwLock::new(());

/// Runs tests as `cargo test` does, or ignores all of them for one reason. What cannot run says so and counts
/// as ignored, never as passed.
pub fn run_tests(arguments: &Arguments, tests: &[Test], unavailable: Option<&str>) -> ExitCode {
    if let Some(reason) = unavailable {
        eprintln!("\nSKIPPED: these tests are NOT run: {reason}\n");
    }
    let trial = |(name, test): &Test| {
        let (name, test, unavailable) = (*name, *test, unavailable.map(str::to_owned));
        Trial::ignorable_test(name, move || {
            if let Some(reason) = unavailable {
                return Ok(Completion::ignored_with(reason));
            }
            // What takes all of something that every test shares says so in its name.
            let (_shared, _alone) = if name.ends_with("_alone") {
                (None, OTHERS.write().ok())
            } else {
                (OTHERS.read().ok(), None)
            };
            match std::panic::catch_unwind(test) {
                Ok(Ok(())) => Ok(Completion::Completed),
                Ok(Err(reason)) => {
                    eprintln!("SKIPPED {name}: {reason}");
                    Ok(Completion::ignored_with(reason))
                }
                Err(_) => Err(Failed::without_message()),
            }
        })
    };
    libtest_mimic::run(arguments, tests.iter().map(trial).collect()).exit_code()
}

/// What a program left behind.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Run {
    /// The JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The JSON objects on standard output, a line each.
    #[track_caller]
    pub fn ndjson(&self) -> Vec<Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// netdiag in an environment that asks for nothing.
pub fn netdiag<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netdiag"));
    command.args(args);
    plain(&mut command);
    command
}

/// Takes away what the test's own environment asks of output.
pub fn plain(command: &mut Command) {
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LC_ALL", "LC_CTYPE", "RUST_BACKTRACE"]
    {
        command.env_remove(name);
    }
    command.env("LANG", "C.UTF-8").stdin(Stdio::null());
}

/// Runs netdiag with arguments separated by spaces.
pub fn run(args: &str) -> Run {
    finish(netdiag(args.split_whitespace()))
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Run {
    let start = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let stdout = collect(child.stdout.take().expect("standard output is piped"));
    let stderr = collect(child.stderr.take().expect("standard error is piped"));
    let code = wait(&mut child, &command);
    let text = |handle: std::thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&handle.join().expect("reading does not panic")).into_owned()
    };
    Run { code, stdout: text(stdout), stderr: text(stderr), took: start.elapsed() }
}

fn collect(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

fn wait(child: &mut Child, command: &Command) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("waiting for a child of ours") {
            return status.code();
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{command:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs netdiag, which streams NDJSON, interrupts it right after the event of this name, and gives its exit
/// code and its summary.
#[track_caller]
pub fn interrupt_after(event: &str, args: &str) -> (Option<i32>, Value) {
    let mut command = netdiag(args.split_whitespace().chain(["--format", "ndjson"]));
    let mut child = command.stdout(Stdio::piped()).spawn().expect("netdiag starts");
    let lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
    let (mut is_asked, mut last) = (false, Value::Null);
    for line in lines {
        last = serde_json::from_str(&line.expect("events are text")).expect("an event is JSON");
        if last["event"] == event && !is_asked {
            let status = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
            assert!(status.expect("kill is there").success());
            is_asked = true;
        }
    }
    let code = wait(&mut child, &command);
    assert!(is_asked, "netdiag {args} ended before any {event}: {last}");
    (code, last["data"].clone())
}

/// Asserts with everything that was printed.
#[track_caller]
pub fn expect_code(run: &Run, code: i32) {
    assert_eq!(run.code, Some(code), "{run:#?}");
}

/// A `tcp-serve` under way.
pub struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
    stderr: Option<ChildStderr>,
    pub address: String,
    pub port: u16,
    /// The event that says where it listens.
    pub listening: Value,
}

impl Server {
    /// Starts a server (give it `--format ndjson`), and waits until it listens.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("netdiag starts");
        let lines = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let stderr = child.stderr.take();
        let mut server =
            Self { child, lines, stderr, address: String::new(), port: 0, listening: Value::Null };
        let first = server.event();
        assert_eq!(first["event"], "listening", "{first}");
        first["address"].as_str().expect("an address").clone_into(&mut server.address);
        server.port = u16::try_from(first["port"].as_u64().expect("a port")).expect("a port");
        server.listening = first;
        server
    }

    /// Starts one on the loopback, on any port.
    #[track_caller]
    pub fn on_loopback(options: &str) -> Self {
        let args = ["tcp-serve", "--format", "ndjson"].into_iter().chain(options.split_whitespace());
        Self::start(netdiag(args))
    }

    /// The next event.
    #[track_caller]
    pub fn event(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("events are text");
        if line.is_empty() {
            let mut said = String::new();
            let _ = self.stderr.take().map(|mut stream| stream.read_to_string(&mut said));
            panic!("the server ended: {said}");
        }
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"))
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill is there").success());
    }

    /// Asks it to stop, and gives the events that still come, the summary last, and the exit code.
    #[track_caller]
    pub fn stop(mut self) -> (Vec<Value>, Option<i32>) {
        self.signal("TERM");
        let mut events = Vec::new();
        loop {
            events.push(self.event());
            if events.last().is_some_and(|event| event["event"] == "summary") {
                let code = self.child.wait().expect("waiting for a child of ours").code();
                return (events, code);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of the loopback on which nothing listens as long as the socket is held: it is bound, so that nobody else is given it.
pub fn silent_port() -> (socket2::Socket, std::net::SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).expect("a free port");
    let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
    (socket, address)
}

/// Whether a program of this name can be started.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(extra).any(|folder| folder.join(program).is_file())
}
