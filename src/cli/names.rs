//! The names a command may be called by: its own, those of other tools for the same, and any beginning that only one has.

use std::ffi::OsString;

/// The commands, each with the names that people know it by from elsewhere.
const COMMANDS: [(&str, &[&str]); 8] = [
    ("ifaces", &["interfaces", "ifconfig", "ipconfig"]),
    ("ping", &[]),
    ("port", &["ports", "ss"]),
    ("tcp-echo", &["echo"]),
    ("tcp-serve", &["serve"]),
    ("doctor", &[]),
    ("generate", &[]),
    ("help", &[]),
];

/// The names by which `port` without a port lists every listening socket, as the tools of these names do.
const LISTINGS: [&str; 2] = ["ports", "ss"];

/// What a word stands for, where a command's name belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meant {
    /// This command.
    Command(&'static str),
    /// One of several.
    Several(Vec<&'static str>),
    /// None.
    Nothing,
}

fn meant(word: &str) -> Meant {
    let is_called =
        |(name, others): &&(&'static str, &[&'static str])| *name == word || others.contains(&word);
    if let Some((name, _)) = COMMANDS.iter().find(is_called) {
        return Meant::Command(name);
    }
    let begins = |(name, others): &&(&'static str, &[&'static str])| {
        name.starts_with(word) || others.iter().any(|other| other.starts_with(word))
    };
    let mut found: Vec<&'static str> = COMMANDS.iter().filter(begins).map(|(name, _)| *name).collect();
    match (word.is_empty(), found.len()) {
        (true, _) | (_, 0) => Meant::Nothing,
        (_, 1) => Meant::Command(found.remove(0)),
        _ => Meant::Several(found),
    }
}

/// Puts the command's own name in the place of the one it was called by.
///
/// Errors: the word that could be several commands, and these.
pub(super) fn resolve(args: &mut Vec<OsString>) -> Result<Called, (String, Vec<&'static str>)> {
    let mut called = Called::default();
    let Some(place) = place(args) else { return Ok(called) };
    let mut is_ip = false;
    for arg in &mut args[place..] {
        let Some(word) = arg.to_str() else { break };
        match meant(word) {
            Meant::Command(name) => {
                called.is_listing = LISTINGS.contains(&word);
                called.is_ss = word == "ss";
                is_ip = word == "ip";
                called.command = Some(name);
                *arg = name.into();
                // The word behind `help` is a command too.
                if name == "help" {
                    continue;
                }
            }
            Meant::Several(names) => return Err((word.to_owned(), names)),
            Meant::Nothing => {}
        }
        break;
    }
    if called.is_ss {
        translate(args);
    }
    if is_ip {
        leave_out_objects(args, place + 1);
    }
    Ok(called)
}

/// Which command was called, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Called {
    /// The command's own name.
    pub(super) command: Option<&'static str>,
    /// Whether by a name that lists all sockets where no port is given.
    pub(super) is_listing: bool,
    /// Whether by the name of ss(8), whose letters are then understood.
    is_ss: bool,
}

/// Puts into the place of letters as ss(8) has them what means the same here: of -t and -u one is a protocol, -l is a
/// listing, and -n and -p say what is always so. Others stay, and are told of.
fn translate(args: &mut Vec<OsString>) {
    let is_letters = |arg: &OsString| {
        let letters = arg.to_str().and_then(|text| text.strip_prefix('-'));
        letters.is_some_and(|all| !all.is_empty() && all.bytes().all(|letter| b"tulnp".contains(&letter)))
    };
    let letters: String = args.iter().filter(|arg| is_letters(arg)).filter_map(|arg| arg.to_str()).collect();
    args.retain(|arg| !is_letters(arg));
    if letters.contains('l') {
        args.push("--list".into());
    }
    match (letters.contains('t'), letters.contains('u')) {
        (true, false) => args.extend(["--proto".into(), "tcp".into()]),
        (false, true) => args.extend(["--proto".into(), "udp".into()]),
        _ => {}
    }
}

/// Leaves out what ip(8) is told to show where all of it is shown anyway: of `ip addr show dev eth0`, `eth0` stays.
fn leave_out_objects(args: &mut Vec<OsString>, place: usize) {
    const OBJECTS: [&str; 5] = ["a", "addr", "address", "l", "link"];
    const VERBS: [&str; 5] = ["s", "show", "ls", "list", "lst"];
    for words in [&OBJECTS[..], &VERBS[..], &["dev"][..]] {
        if args.get(place).and_then(|arg| arg.to_str()).is_some_and(|arg| words.contains(&arg)) {
            args.remove(place);
        } else if words == OBJECTS {
            return;
        }
    }
}

/// Where the command's name stands: behind the options that all commands have, and their values.
fn place(args: &[OsString]) -> Option<usize> {
    /// The options before a command that have a value.
    const WITH_VALUE: [&str; 5] = ["--format", "--columns", "--sort", "--width", "--color"];
    let mut words = args.iter().enumerate().skip(1);
    while let Some((place, word)) = words.next() {
        let word = word.to_str()?;
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(place);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tools_names_and_beginnings_are_understood() {
        for (word, command) in [
            ("if", "ifaces"),
            ("i", "ifaces"),
            ("ip", "ifaces"),
            ("interfaces", "ifaces"),
            ("ifconfig", "ifaces"),
            ("ipconfig", "ifaces"),
            ("ports", "port"),
            ("ss", "port"),
            ("po", "port"),
            ("doc", "doctor"),
            ("serve", "tcp-serve"),
            ("tcp-s", "tcp-serve"),
            ("echo", "tcp-echo"),
        ] {
            assert_eq!(meant(word), Meant::Command(command), "{word}");
        }
        assert_eq!(meant("p"), Meant::Several(vec!["ping", "port"]));
        assert_eq!(meant("nonsense"), Meant::Nothing);
        assert_eq!(meant(""), Meant::Nothing);
    }

    #[test]
    fn the_name_stands_behind_options_and_their_values() {
        let resolved = |line: &str| {
            let mut args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let called = resolve(&mut args).expect(line);
            (args.join(&OsString::from(" ")).into_string().expect("text"), called.is_listing)
        };
        assert_eq!(
            resolved("netdiag --format csv -q if lo"),
            ("netdiag --format csv -q ifaces lo".into(), false)
        );
        for (line, means) in [
            ("netdiag ss -l", "netdiag port --list"),
            ("netdiag ss -tlnp", "netdiag port --list --proto tcp"),
            ("netdiag ss -tulpn --json", "netdiag port --json --list"),
            ("netdiag ss -un", "netdiag port --proto udp"),
            ("netdiag ss -tax", "netdiag port -tax"),
        ] {
            assert_eq!(resolved(line), (means.into(), true));
        }
        assert_eq!(resolved("netdiag port -tlnp"), ("netdiag port -tlnp".into(), false));
        for (line, means) in [
            ("netdiag ip", "netdiag ifaces"),
            ("netdiag ip a", "netdiag ifaces"),
            ("netdiag ip addr show dev eth0", "netdiag ifaces eth0"),
            ("netdiag ip link show eth0", "netdiag ifaces eth0"),
            ("netdiag ip show", "netdiag ifaces show"),
            ("netdiag ifaces a", "netdiag ifaces a"),
        ] {
            assert_eq!(resolved(line), (means.into(), false));
        }
        assert_eq!(resolved("netdiag help ss"), ("netdiag help port".into(), true));
        assert_eq!(resolved("netdiag ping if"), ("netdiag ping if".into(), false));
        assert_eq!(resolved("netdiag --help"), ("netdiag --help".into(), false));
    }
}
