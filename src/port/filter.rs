//! Which sockets of a listing are wanted.

use glob::Pattern;

use crate::error::{Error, Result};
use crate::sys::{self, InetSocket, Process};

/// Only sockets of these processes, and of these users; empty admits all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    processes: Vec<OfProcess>,
    users: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum OfProcess {
    Pid(u32),
    Name(Pattern),
}

impl Filter {
    /// Takes processes by their id, or by their name or a pattern of it, and users by their name or number.
    ///
    /// Errors: a pattern that is none; a user that there is not.
    pub fn parse(processes: &[String], users: &[String]) -> Result<Self> {
        let process = |text: &String| {
            if text.is_empty() {
                return Err(Error::usage("a process is missing").hint("write a process id or a name"));
            }
            if let Ok(pid) = text.parse() {
                return Ok(OfProcess::Pid(pid));
            }
            Pattern::new(text).map(OfProcess::Name).map_err(|error| {
                let what = format!(
                    "'{text}' is not a valid name pattern: {} at character {}",
                    error.msg,
                    error.pos + 1
                );
                Error::usage(what).hint("patterns work as in a shell: nginx*, [ab]*; [*] matches a star")
            })
        };
        if !users.is_empty() && !sys::LISTS_EVERY_SOCKET {
            return Err(Error::untested("this system does not show the user of a socket")
                .hint("--process selects by process"));
        }
        let user = |text: &String| {
            text.parse().ok().or_else(|| sys::user_id(text)).ok_or_else(|| {
                Error::usage(format!("unknown user '{text}'"))
                    .hint("write a user name, or an id as id -u NAME shows it")
            })
        };
        Ok(Self {
            processes: processes.iter().map(process).collect::<Result<_>>()?,
            users: users.iter().map(user).collect::<Result<_>>()?,
        })
    }

    /// Whether anything is left out.
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.users.is_empty()
    }

    /// Whether only some processes are asked for.
    pub(super) fn names_processes(&self) -> bool {
        !self.processes.is_empty()
    }

    /// Whether a socket is wanted, by the processes that have it and the user it belongs to.
    pub(super) fn admits(&self, socket: &InetSocket, processes: &[&Process]) -> bool {
        let is_of = |process: &Process| {
            self.processes.iter().any(|wanted| match wanted {
                OfProcess::Pid(pid) => process.pid == *pid,
                OfProcess::Name(name) => names(process).iter().any(|own| name.matches(own)),
            })
        };
        (self.processes.is_empty() || processes.iter().any(|process| is_of(process)))
            && (self.users.is_empty() || socket.uid.is_some_and(|uid| self.users.contains(&uid)))
    }
}

/// What a process may be called: the name the kernel has for it, which is cut to 15 bytes, and that of its program.
fn names(process: &Process) -> [String; 2] {
    let program = process.command.split(|byte| *byte == b' ').next().unwrap_or_default();
    let program = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    [&process.name, program].map(|name| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_name_and_by_its_program() {
        let process = |name: &str, command: &str| Process {
            name: name.into(),
            command: command.into(),
            ..Process::default()
        };
        let admits = |wanted: &str, process: &Process| {
            let filter = Filter::parse(&[wanted.to_owned()], &[]).expect("a name");
            filter.processes.iter().any(|it| match it {
                OfProcess::Pid(pid) => process.pid == *pid,
                OfProcess::Name(name) => names(process).iter().any(|own| name.matches(own)),
            })
        };
        let resolved = process("systemd-resolve", "/lib/systemd/systemd-resolved");
        assert!(admits("systemd-resolved", &resolved) && admits("systemd-resolve", &resolved));
        assert!(admits("systemd-*", &resolved) && !admits("systemd", &resolved));
        assert!(admits("nginx", &process("nginx", "nginx: master process nginx")));
        assert!(Filter::parse(&[String::new()], &[]).is_err());
    }
}
