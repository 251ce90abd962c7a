//! The command line: clap's types, each converted once into its command's request. No I/O.

mod doctor;
mod foreign;
mod generate;
mod ifaces;
mod manual;
mod names;
mod ping;
mod port;
mod tcp_echo;
mod tcp_serve;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use self::manual::Manual;
use crate::address::Family;
use crate::error::{Error, Result};
use crate::output::{ColorChoice, Format, Options};

/// What a command line asks for.
pub struct Invocation {
    /// The command.
    pub command: Command,
    /// How its result is to be written.
    pub options: Options,
}

/// A command with everything it needs.
pub enum Command {
    /// List interfaces.
    Ifaces(crate::ifaces::Request),
    /// Ping, so often if that was said.
    Ping(crate::ping::Request, Option<u32>),
    /// Tell about ports.
    Port(crate::port::Request),
    /// Probe TCP services.
    TcpEcho(crate::tcp::echo::Request),
    /// Serve TCP echo.
    TcpServe(crate::tcp::serve::Request),
    /// Find the cause of trouble.
    Doctor(crate::doctor::Request),
    /// Write a text of ours.
    Generate(String),
    /// Write texts of ours to files.
    GenerateFiles(Vec<(PathBuf, Vec<u8>)>),
}

/// What parsing a command line came to.
pub enum Parsed {
    /// Something to run.
    Run(Box<Invocation>),
    /// Help or a version to show, with and without colours.
    Text(Help),
    /// A complaint about the command line, in clap's words.
    Wrong(String),
    /// A complaint about the command line, in ours.
    Refused(Options, Error),
}

/// A text to show, with and without colours.
pub struct Help {
    /// Without.
    pub plain: String,
    /// With.
    pub colored: String,
}

/// Tells what this machine's network looks like, what works, what does not, and why.
#[derive(Parser)]
#[command(
    name = "netdiag",
    bin_name = "netdiag",
    version,
    about,
    long_about = None,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: CommandArgs,
}

/// What help and the manual page say besides the options.
const MANUAL: Manual = Manual {
    notes: &[],
    examples: &[
        ("netdiag ifaces", "this machine's interfaces and addresses"),
        ("netdiag ping", "loopback, LAN, internet: what works"),
        ("netdiag ping 127.0.0.1", "does this machine's network software work"),
        ("netdiag port 443", "what it is, who holds it, is it free"),
        ("netdiag tcp-serve 127.0.0.1:7777", "an echo server; then, in another terminal"),
        ("netdiag tcp-echo 127.0.0.1:7777", "does it send back every byte"),
        ("netdiag doctor https://example.org/", "why does this not work"),
    ],
    exit: &[
        (0, "success"),
        (1, "negative result"),
        manual::USAGE,
        (3, "could not test"),
        manual::UNWRITTEN,
        manual::INTERRUPTED,
    ],
    see_also: &[],
};

#[derive(Subcommand)]
enum CommandArgs {
    Ifaces(ifaces::IfacesArgs),
    Ping(ping::PingArgs),
    Port(port::PortArgs),
    TcpEcho(tcp_echo::TcpEchoArgs),
    TcpServe(tcp_serve::TcpServeArgs),
    Doctor(doctor::DoctorArgs),
    Generate(generate::GenerateArgs),
}

/// How the result is written; the same for every command.
#[derive(Args)]
#[command(next_help_heading = "Output")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct OutputArgs {
    /// The format of standard output
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    format: Option<FormatArg>,
    /// Short for --format json
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// Only these columns, in this order: JSON keys or headings, in any case
    #[arg(long, global = true, value_delimiter = ',', value_name = "A,B,C", value_parser = column_id)]
    columns: Option<Vec<String>>,
    /// Sort by this column; a leading - sorts descending: --sort=-mtu
    #[arg(long, global = true, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Omit the header row of a table or of CSV
    #[arg(long, global = true)]
    no_header: bool,
    /// Lay tables out for a terminal of this many columns [default: the terminal's width]
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true, value_parser = number::<u16>(1, u16::MAX))]
    width: Option<u16>,
    /// One line per row, lists joined with commas, without a limit on the width
    #[arg(long, global = true, conflicts_with = "width")]
    wide: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", hide_default_value = true)]
    color: ColorArg,
    /// Only the result or the verdict: no progress, notes or warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Every column that has a value, and every event as a line
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatArg {
    /// Tables for people, plain aligned columns when piped (default; tcp-serve: ndjson when piped)
    Table,
    /// One JSON object at the end
    Json,
    /// One JSON object per line, written as events happen
    Ndjson,
    /// Comma-separated rows with a header (RFC 4180)
    Csv,
    /// A page for a ticket or a pull request, as GitHub reads it
    Markdown,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum ColorArg {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Also when piped
    Always,
    /// Never
    Never,
}

/// One address family, or both.
#[derive(Args)]
struct FamilyArgs {
    /// Only IPv4
    #[arg(short = '4', long = "ipv4", conflicts_with = "ipv6")]
    ipv4: bool,
    /// Only IPv6
    #[arg(short = '6', long = "ipv6")]
    ipv6: bool,
}

/// The address family under the name that programs have for it, and the sizes of a socket's buffers.
#[derive(Args)]
#[command(next_help_heading = "Socket")]
struct SocketArgs {
    /// Address family, as in socket(2): inet (IPv4) or inet6 (IPv6)
    #[arg(long, value_name = "FAMILY", value_parser = address_family)]
    address_family: Option<Family>,
    /// Receive buffer size (SO_RCVBUF) in bytes, with k, M or G for powers of 1024 [default: the system's]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, visible_alias = "rcvbuf", value_parser = buffer_size)]
    receive_buffer: Option<usize>,
    /// Send buffer size (SO_SNDBUF) in bytes, with k, M or G for powers of 1024 [default: the system's]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, visible_alias = "sndbuf", value_parser = buffer_size)]
    send_buffer: Option<usize>,
}

impl SocketArgs {
    fn buffers(&self) -> crate::tcp::Buffers {
        crate::tcp::Buffers { send: self.send_buffer, receive: self.receive_buffer }
    }
}

fn address_family(text: &str) -> std::result::Result<Family, String> {
    match text.to_ascii_lowercase().as_str() {
        "inet" | "af_inet" | "ipv4" | "4" => Ok(Family::Ipv4),
        "inet6" | "af_inet6" | "ipv6" | "6" => Ok(Family::Ipv6),
        _ => Err("inet (IPv4) or inet6 (IPv6)".to_owned()),
    }
}

fn buffer_size(text: &str) -> std::result::Result<usize, String> {
    /// What socket options take: an `int` of C.
    const MOST: u64 = 1 << 30;
    let bytes = size(text)?;
    usize::try_from(bytes)
        .ok()
        .filter(|_| (1..=MOST).contains(&bytes))
        .ok_or_else(|| "a buffer is 1 byte to 1G".to_owned())
}

impl FamilyArgs {
    fn family(&self) -> Option<Family> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some(Family::Ipv4),
            (_, true) => Some(Family::Ipv6),
            _ => None,
        }
    }
}

impl OutputArgs {
    /// Whether an option was given that only a result of rows can follow.
    fn asks_for_rows(&self) -> bool {
        let is_table = matches!(self.format, None | Some(FormatArg::Table)) && !self.json;
        !is_table || self.no_header || self.columns.is_some() || self.sort.is_some()
    }

    fn options(self) -> Options {
        Options {
            format: match self.format {
                _ if self.json => Format::Json,
                None | Some(FormatArg::Table) => Format::Table,
                Some(FormatArg::Json) => Format::Json,
                Some(FormatArg::Ndjson) => Format::Ndjson,
                Some(FormatArg::Csv) => Format::Csv,
                Some(FormatArg::Markdown) => Format::Markdown,
            },
            is_format_given: self.json || self.format.is_some(),
            columns: self.columns,
            sort: self.sort,
            header: !self.no_header,
            width: self.width.map(usize::from),
            color: match self.color {
                ColorArg::Auto => ColorChoice::Auto,
                ColorArg::Always => ColorChoice::Always,
                ColorArg::Never => ColorChoice::Never,
            },
            quiet: self.quiet,
            verbose: self.verbose,
            events: false,
            wide: self.wide,
        }
    }
}

/// Parses a command line, the program's name first.
// Never inlined, so that its share can be measured.
#[inline(never)]
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let called = match names::resolve(&mut args) {
        Ok(called) => called,
        Err((word, commands)) => {
            let error = Error::usage(format!("'{word}' is ambiguous"));
            return Parsed::Refused(
                Options::default(),
                error.hint(format!("write more of one: {}", commands.join(", "))),
            );
        }
    };
    let cli = match read(&args, called.command) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error, called.command),
    };
    let is_rows = cli.output.asks_for_rows();
    let mut options = cli.output.options();
    if options.format == Format::Markdown && !options.header {
        let error = Error::usage("a table in Markdown has a header always");
        return Parsed::Refused(options, error.hint("omit --no-header"));
    }
    let command = match cli.command {
        CommandArgs::Ifaces(args) => args.request(&options).map(Command::Ifaces),
        CommandArgs::Ping(args) => args.request().and_then(|(request, count, events)| {
            options.events = events;
            check_events(&options)?;
            Ok(Command::Ping(request, count))
        }),
        CommandArgs::Port(args) => args.request(called.is_listing).map(Command::Port),
        CommandArgs::TcpEcho(args) => args.request().map(Command::TcpEcho),
        CommandArgs::TcpServe(args) => args.request().map(Command::TcpServe),
        CommandArgs::Doctor(args) => args.request().map(Command::Doctor),
        CommandArgs::Generate(_) if is_rows => {
            Err(Error::usage("generate writes a script or a page, without format, columns or rows")
                .hint("omit --format, --json, --columns, --sort and --no-header"))
        }
        CommandArgs::Generate(args) => args.command(),
    };
    match command {
        Ok(command) => Parsed::Run(Box::new(Invocation { command, options })),
        Err(error) => Parsed::Refused(options, error),
    }
}

/// Refuses events where there is no place for them.
fn check_events(options: &Options) -> Result<()> {
    if options.events && options.format != Format::Csv {
        return Err(Error::usage("--events is for --format csv")
            .hint("--format ndjson and the table show every event without it"));
    }
    if options.events && (options.columns.is_some() || options.sort.is_some()) {
        return Err(Error::usage("--events has its own columns and order").hint("omit --columns and --sort"));
    }
    Ok(())
}

/// clap's description of the whole command line, with all its texts.
fn command() -> clap::Command {
    let with = |command: clap::Command, manual: &Manual| {
        command.after_help(manual.short()).after_long_help(manual.long())
    };
    KNOWN.into_iter().fold(with(Cli::command(), &MANUAL), |whole, (name, _, manual)| {
        whole.mut_subcommand(name, |command| with(command, manual))
    })
}

/// Reads a command line that calls this command. Describing every command's options takes clap several times as long as
/// reading them, so at first only that one is described; what needs more, help or a complaint, gets it all.
fn read(args: &[OsString], called: Option<&str>) -> std::result::Result<Cli, clap::Error> {
    if let Some(mut lazy) = called.and_then(command_as_needed) {
        let matches = lazy.try_get_matches_from_mut(args);
        // Taking it apart takes as long as reading did, and the memory is not needed elsewhere.
        std::mem::forget(lazy);
        if let Ok(cli) = matches.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches)) {
            return Ok(cli);
        }
    }
    Cli::from_arg_matches(&command().try_get_matches_from(args)?)
}

/// A command as the command line knows it: its name, its options, and its texts.
type Known = (&'static str, fn(clap::Command) -> clap::Command, &'static Manual);

const KNOWN: [Known; 7] = [
    ("ifaces", ifaces::IfacesArgs::augment_args, &ifaces::MANUAL),
    ("ping", ping::PingArgs::augment_args, &ping::MANUAL),
    ("port", port::PortArgs::augment_args, &port::MANUAL),
    ("tcp-echo", tcp_echo::TcpEchoArgs::augment_args, &tcp_echo::MANUAL),
    ("tcp-serve", tcp_serve::TcpServeArgs::augment_args, &tcp_serve::MANUAL),
    ("doctor", doctor::DoctorArgs::augment_args, &doctor::MANUAL),
    ("generate", generate::GenerateArgs::augment_args, &generate::MANUAL),
];

/// The texts of a command.
fn manual_of(command: &str) -> &'static Manual {
    KNOWN.iter().find(|(name, ..)| *name == command).map_or(&MANUAL, |(_, _, manual)| *manual)
}

/// The same command line with one command only, and without its texts.
fn command_as_needed(called: &str) -> Option<clap::Command> {
    let (name, describe, _) = KNOWN.into_iter().find(|(name, ..)| *name == called)?;
    let whole = OutputArgs::augment_args(clap::Command::new("netdiag"))
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .disable_help_subcommand(true);
    Some(whole.subcommand(describe(clap::Command::new(name))))
}

fn unparsed(error: &clap::Error, command: Option<&'static str>) -> Parsed {
    let text = error.render();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let unknown = unknown_option(error, command);
            unknown
                .map_or_else(|| Parsed::Wrong(text.to_string()), |it| Parsed::Refused(Options::default(), it))
        }
        ErrorKind::InvalidSubcommand => {
            let word = match error.get(ContextKind::InvalidSubcommand) {
                Some(ContextValue::String(word)) => Some(word.as_str()),
                _ => None,
            };
            let hint = word.and_then(|word| Some((word, foreign::command(word)?)));
            hint.map_or_else(
                || Parsed::Wrong(text.to_string()),
                |(word, hint)| {
                    let error = Error::usage(format!("netdiag has no command '{word}'")).hint(hint);
                    Parsed::Refused(Options::default(), error)
                },
            )
        }
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Parsed::Text(Help { plain: text.to_string(), colored: text.ansi().to_string() })
        }
        _ => Parsed::Wrong(text.to_string()),
    }
}

/// The error of an option that there is not: what says the same here, or the nearest name. `None` of what is no option.
fn unknown_option(error: &clap::Error, command: Option<&'static str>) -> Option<Error> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(all)) => all.first().cloned(),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg)?;
    let name = option.split('=').next().unwrap_or(&option).to_owned();
    if !name.starts_with('-') {
        return None;
    }
    let of = command.map_or_else(|| "netdiag".to_owned(), |command| format!("netdiag {command}"));
    let error_of = Error::usage(format!("{of} has no option '{name}'"));
    let near = text(ContextKind::SuggestedArg);
    let hint = match (command.and_then(|command| foreign::hint(command, &name)), near) {
        (Some(hint), _) => hint.to_owned(),
        (None, Some(near)) => format!("did you mean {near}?"),
        (None, None) => format!("{of} --help lists its options"),
    };
    Some(error_of.hint(hint))
}

fn column_id(text: &str) -> std::result::Result<String, String> {
    if text.is_empty() { Err("a column's name is missing".to_owned()) } else { Ok(text.to_owned()) }
}

/// A parser of whole numbers from `least` to `most`, both included.
fn number<T: TryFrom<u64> + Into<i128>>(
    least: T,
    most: T,
) -> impl Fn(&str) -> std::result::Result<T, String> + Clone {
    let (least, most): (i128, i128) = (least.into(), most.into());
    // The largest number of a type is nobody's choice, and is not told.
    let has_limit = ![i32::MAX.into(), u32::MAX.into(), u64::MAX.into()].contains(&most);
    let range = if has_limit { format!("{least} to {most}") } else { format!("{least} or more") };
    move |text| {
        let given = text.parse::<u64>().ok().filter(|given| (least..=most).contains(&i128::from(*given)));
        given
            .and_then(|given| T::try_from(given).ok())
            .ok_or_else(|| format!("write a whole number, {range}"))
    }
}

/// A time in seconds, with decimals: more than nothing, at most a day.
fn seconds(text: &str) -> std::result::Result<Duration, String> {
    match duration(text) {
        Some(duration) if duration >= Duration::from_millis(1) => Ok(duration),
        _ => Err("a time is 0.001 to 86400 seconds".to_owned()),
    }
}

/// A time in seconds, with decimals: none to a day.
fn seconds_or_none(text: &str) -> std::result::Result<Duration, String> {
    duration(text).ok_or_else(|| "a time is 0 to 86400 seconds".to_owned())
}

fn duration(text: &str) -> Option<Duration> {
    const DAY: f64 = 86_400.0;
    let seconds: f64 = text.parse().ok()?;
    if (0.0..=DAY).contains(&seconds) { Duration::try_from_secs_f64(seconds).ok() } else { None }
}

/// A size in bytes, with an optional k, M or G for powers of 1024.
fn size(text: &str) -> std::result::Result<u64, String> {
    let units = [('k', 10), ('K', 10), ('M', 20), ('G', 30)];
    let (digits, shift) =
        units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(*unit)?, *shift))).unwrap_or((text, 0));
    let number: Option<u64> =
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "a size is a number of bytes, with k, M or G for powers of 1024".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_nothing_wrong_with_its_description() {
        command().debug_assert();
        let whole = command();
        let named: Vec<&str> = whole.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(named, KNOWN.map(|(name, ..)| name));
        for name in named {
            command_as_needed(name).expect("it is known").debug_assert();
        }
    }

    #[test]
    fn times_and_sizes() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "nan", "inf", "1e9", "", "1s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds_or_none("0"), Ok(Duration::ZERO));
        assert_eq!(size("64"), Ok(64));
        assert_eq!(size("16M"), Ok(16 << 20));
        let limited = number::<u16>(0, 65_507);
        assert_eq!(limited("65507"), Ok(65_507));
        for wrong in ["65508", "-1", "", "1.5", "99999999999999999999"] {
            assert_eq!(limited(wrong), Err("write a whole number, 0 to 65507".to_owned()), "{wrong}");
        }
        assert_eq!(number::<u32>(1, u32::MAX)("0"), Err("write a whole number, 1 or more".to_owned()));
        assert_eq!(number::<u64>(1, u64::MAX)("18446744073709551615"), Ok(u64::MAX));
        for wrong in ["", "k", "-1", "+1", "1T", "99999999999G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
