//! The command line: serve by default, and a few small helpers.

use std::io::{self, IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
#[cfg(target_env = "gnu")]
use std::{env, os::unix::process::CommandExt, process};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Given};
use crate::numeric::catalogue;
use crate::service::Service;
use crate::service::keys::file::{Scope, Table};
use crate::service::keys::issue::{Issued, append, issue};
use crate::wire;
use crate::wire::tls::Tls;

/// The loss-function server. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "lossd", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// A TOML file with settings under the names of the flags, with underscores
    #[arg(long, env = "LOSSD_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the catalogue of losses
    Losses,
    /// Ask a server whether it is ready; the exit code tells
    Probe,
    /// Make API keys
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key and print it, once, with the table for the keys file, which has only its hash
    New(NewKey),
}

#[derive(Debug, clap::Args)]
struct NewKey {
    /// The name of the key in the file, the metrics and the log
    #[arg(long)]
    name: String,
    /// What the key may be used for: evaluate, metrics or admin; may be said again
    #[arg(long = "scope", default_value = "evaluate")]
    scopes: Vec<Scope>,
    /// Cost units per second: numbers in the inputs; without it there is no limit
    #[arg(long)]
    rate: Option<f64>,
    /// Cost units at once [default: twice the rate]
    #[arg(long)]
    burst: Option<f64>,
    /// The largest share of the jobs at once, above 0 and at most 1 [default: 1]
    #[arg(long)]
    share: Option<f64>,
    /// A keys file to append the table to, instead of printing it
    #[arg(long)]
    file: Option<PathBuf>,
}

/// The exit code for a command line or settings that are wrong.
const USAGE: u8 = 64;

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let config = match Config::load(cli.given, cli.config.as_ref()) {
        Ok(config) => config,
        Err(error) => return fail(&error, USAGE),
    };
    match cli.command {
        None => serve(config),
        Some(Command::Losses) => {
            match io::stdout().write_all(wire::catalogue::table(catalogue::all()).as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error.to_string(), 1),
            }
        }
        Some(Command::Probe) => match probed(&config).and_then(probe) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        },
        Some(Command::Key { command: KeyCommand::New(wanted) }) => match new_key(wanted) {
            Ok(text) => match io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error.to_string(), 1),
            },
            Err(error) => fail(&error, USAGE),
        },
    }
}

/// Makes a key, and says what to do with it.
fn new_key(wanted: NewKey) -> Result<String, String> {
    let NewKey { name, scopes, rate, burst, share, file } = wanted;
    let Issued { key, table } =
        issue(Table { name, scopes, rate, burst, share, ..Table::default() })?;
    match file {
        Some(path) => {
            append(&path, &table)?;
            Ok(format!("{key}\n\n# Its hash is in {} now.\n", path.display()))
        }
        None => Ok(format!("{key}\n\n# For the keys file:\n\n{}", table.to_toml())),
    }
}

fn fail(error: &str, code: u8) -> ExitCode {
    // Nothing is left to do if even this cannot be written.
    let _ = writeln!(io::stderr(), "lossd: {error}");
    ExitCode::from(code)
}

/// Begins again with an allocator that gives large buffers back to the system when they are freed.
/// glibc learns to keep them, by itself a few hundred megabytes after a spike, and reads its
/// settings only when a process starts. What the operator has set stays as it is.
#[cfg(target_env = "gnu")]
fn return_large_buffers() {
    const NAME: &str = "GLIBC_TUNABLES";
    // Four and eight MiB. Less, and what connections read into would be fresh memory each time.
    // And a request needs more than seven pieces of a size, which is what a thread keeps at hand.
    const LIMITS: &str = "glibc.malloc.mmap_threshold=4194304:glibc.malloc.trim_threshold=8388608\
        :glibc.malloc.tcache_count=100";
    if env::var_os(NAME).is_some() {
        return;
    }
    let mut words = env::args_os();
    let (Ok(program), Some(name)) = (env::current_exe(), words.next()) else { return };
    let mut again = process::Command::new(program);
    again.arg0(name).args(words).env(NAME, LIMITS);
    // It only comes back if it failed, and then the memory is the only difference.
    drop(again.exec());
}

fn serve(config: Config) -> ExitCode {
    #[cfg(target_env = "gnu")]
    return_large_buffers();
    let is_open = match start_log(&config).and_then(|()| config.is_open()) {
        Ok(is_open) => is_open,
        Err(error) => return fail(&error, USAGE),
    };
    let service = match Service::new(config) {
        Ok(service) => service,
        Err(error) => return fail(&error, USAGE),
    };
    let tls = match Tls::open(&service.config) {
        Ok(tls) => tls,
        Err(error) => return fail(&error, USAGE),
    };
    if is_open {
        let listen = &service.config.listen;
        tracing::warn!("everyone who reaches {listen} is served, without keys, as --open says");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(service.threads.max(2))
        .max_blocking_threads(service.threads)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string(), 1),
    };
    let served = runtime.block_on(wire::serve::serve(service, tls));
    // Work that nobody waits for any more must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string(), 1),
    }
}

fn start_log(config: &Config) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.log_level)
        .map_err(|error| format!("log_level is wrong: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if config.log_format == "json" {
        log.json().flatten_event(true).init();
    } else {
        log.with_target(false).with_ansi(io::stderr().is_terminal()).init();
    }
    Ok(())
}

/// The address that answers a probe.
fn probed(config: &Config) -> Result<&str, String> {
    if !config.operations_listen.is_empty() {
        return Ok(&config.operations_listen);
    }
    if config.is_secure() {
        let listen = &config.listen;
        return Err(format!(
            "{listen} speaks TLS, which the probe does not: set operations_listen to have health \
             and readiness on a port without it"
        ));
    }
    Ok(&config.listen)
}

/// Asks the server at an address for `/readyz`.
fn probe(listen: &str) -> Result<(), String> {
    const PATIENCE: Duration = Duration::from_secs(3);
    let mut address = listen
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| format!("`{listen}` is not an address"))?;
    if address.ip().is_unspecified() {
        address = SocketAddr::from(([127, 0, 0, 1], address.port()));
    }
    let ask = || -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = ask().map_err(|error| format!("{address} does not answer: {error}"))?;
    let status = answer.lines().next().unwrap_or_default();
    if status.starts_with("HTTP/1.1 200") {
        return Ok(());
    }
    Err(format!("{address} is not ready: {status}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
