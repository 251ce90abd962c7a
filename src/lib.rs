//! netdiag tells what this machine's network looks like, what works, what does not, and why.
//!
//! Data flows one way: the command line becomes a request, a command's folder runs it and tells an observer
//! what happens, and its report describes itself to the one output layer. `docs/ARCHITECTURE.md` is the map.

pub mod address;
pub mod cli;
pub mod doctor;
pub mod error;
pub mod ifaces;
pub mod measure;
pub mod output;
pub mod ping;
pub mod port;
pub mod suggest;
pub mod sys;
pub mod tcp;
pub mod trace;
pub mod wire;

use std::ffi::OsString;

use cli::{Command, Invocation, Parsed};
use error::{Error, Exit, Result};
use output::{Emitter, Options};

/// Runs netdiag with a command line, the program's name first, and gives its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    match cli::parse(args) {
        Parsed::Run(invocation) => {
            let Invocation { command, options } = *invocation;
            let mut emitter = Emitter::new(options);
            dispatch(command, &mut emitter).unwrap_or_else(|error| fail(&mut emitter, &error))
        }
        Parsed::Text(text) => {
            let mut emitter = Emitter::new(Options::default());
            emitter
                .styled(&text.plain, &text.colored)
                .map_or_else(|error| fail(&mut emitter, &error), |()| Exit::Fine)
        }
        Parsed::Wrong(complaint) => {
            Emitter::new(Options::default()).complaint(&complaint);
            Exit::Usage
        }
        Parsed::Refused(options, error) => fail(&mut Emitter::new(options), &error),
    }
}

fn fail(emitter: &mut Emitter, error: &Error) -> Exit {
    emitter.error(error);
    error.exit()
}

/// Checks what is asked of the output, runs the command, and writes its report.
fn dispatch(command: Command, emitter: &mut Emitter) -> Result<Exit> {
    match command {
        Command::Ifaces(request) => {
            emitter.check::<ifaces::Iface>()?;
            let report = ifaces::run(&request, emitter)?;
            let exit = emitter.finish(&report);
            // The process ends here: taking thousands of interfaces apart would be of use to nobody.
            std::mem::forget(report);
            exit
        }
        Command::Ping(mut request, count) => {
            emitter.check::<ping::TargetReport>()?;
            let default = request.default_count(emitter.is_watched());
            request.count = count.or(default);
            let report = ping::run(&request, emitter)?;
            emitter.finish(&report)
        }
        Command::Port(request) => {
            emitter.check::<port::Port>()?;
            let report = port::run(&request, emitter)?;
            let exit = emitter.finish(&report);
            // The process ends here: taking thousands of ports apart would be of use to nobody.
            std::mem::forget(report);
            exit
        }
        Command::TcpEcho(request) => {
            emitter.check::<tcp::echo::AddressReport>()?;
            let mut report = sys::runtime()?.block_on(tcp::echo::run(&request, emitter))?;
            if emitter.is_for_people() && !request.lists_all {
                report.keep_connected();
            }
            emitter.finish(&report)
        }
        Command::TcpServe(request) => {
            emitter.check::<tcp::serve::Served>()?;
            if !request.explain {
                emitter.prefer_events();
            }
            let report = tcp::serve::run(&request, emitter)?;
            emitter.finish(&report)
        }
        Command::Doctor(request) => {
            emitter.check::<doctor::rules::Finding>()?;
            let report = doctor::run(&request, emitter)?;
            emitter.finish(&report)
        }
        Command::Generate(text) => emitter.verbatim(&text).map(|()| Exit::Fine),
        Command::GenerateFiles(files) => {
            for (path, text) in files {
                let folder = path.parent().unwrap_or(&path);
                std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text)).map_err(
                    |source| {
                        Error::output(format!("cannot write {}", path.display()))
                            .caused_by(source)
                            .hint("give --dir a folder that this user may write")
                    },
                )?;
            }
            Ok(Exit::Fine)
        }
    }
}
