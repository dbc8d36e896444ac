//! Settings: each declared once below, and read from flags, environment variables and a TOML file
//! under the same name. A flag wins over the environment, the environment over the file.

use std::fs;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::numeric::simd::Level;

/// One setting as the documents show it.
pub struct Described {
    /// The name in the file; the flag has hyphens for its underscores.
    pub name: &'static str,
    /// The environment variable.
    pub env: &'static str,
    /// The default.
    pub default: &'static str,
    /// What it sets.
    pub help: &'static str,
}

macro_rules! settings {
    ($( $(#[$parsed:meta])* $name:ident: $type:ty = $default:literal, $env:literal, $help:literal; )*) => {
        /// The settings as they were given; none where the default holds.
        #[derive(Clone, Debug, Default, clap::Args, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Given {
            $(
                #[doc = $help]
                #[arg(long, env = $env, global = true,
                      help = concat!($help, " [default: ", $default, "]"))]
                $(#[$parsed])*
                pub $name: Option<$type>,
            )*
        }

        impl Given {
            /// These settings, and the other ones where these have none.
            #[must_use]
            pub fn or(self, other: Given) -> Given {
                Given { $( $name: self.$name.or(other.$name), )* }
            }
        }

        /// The settings of a server.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $( #[doc = $help] pub $name: $type, )*
        }

        impl From<Given> for Config {
            fn from(given: Given) -> Config {
                Config { $( $name: given.$name.unwrap_or_else(|| $default.to_owned()), )* }
            }
        }

        /// Every setting, for the documents.
        pub const DESCRIBED: &[Described] = &[
            $( Described {
                name: stringify!($name),
                env: $env,
                default: stringify!($default),
                help: $help,
            }, )*
        ];
    };
}

settings! {
    listen: String = "127.0.0.1:8080", "LOSSD_LISTEN",
        "Address and port to listen on";
    keys_file: String = "", "LOSSD_KEYS_FILE",
        "TOML file with the API keys, which is read again when it changes; empty for none";
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = clap::builder::BoolishValueParser::new())]
    open: bool = false, "LOSSD_OPEN",
        "Serve everyone on an address that is not loopback, without keys";
    tls_certificate_file: String = "", "LOSSD_TLS_CERTIFICATE_FILE",
        "PEM file with the certificate and its chain, with which the main listener speaks TLS; empty for none";
    tls_key_file: String = "", "LOSSD_TLS_KEY_FILE",
        "PEM file with the private key of the certificate";
    tls_client_ca_file: String = "", "LOSSD_TLS_CLIENT_CA_FILE",
        "PEM file with authorities, one of which must have signed a client's certificate; empty for none";
    body_bytes_max: usize = 67_108_864, "LOSSD_BODY_BYTES_MAX",
        "Largest body that is read, in bytes, as it is sent and once it is decompressed";
    jobs_max: usize = 64, "LOSSD_JOBS_MAX",
        "Requests that may hold a body at once, small ones aside; more are refused with 503";
    memory_bytes_max: usize = 0, "LOSSD_MEMORY_BYTES_MAX",
        "Memory that bodies, numbers and answers of all requests may take; 0 for half of what there is";
    inline_bytes_max: usize = 16_384, "LOSSD_INLINE_BYTES_MAX",
        "Largest body that is worked on at once where it was read, in bytes; 0 for none";
    threads: usize = 0, "LOSSD_THREADS",
        "Threads that compute; 0 for one per core";
    simd: String = "auto", "LOSSD_SIMD",
        "CPU level of the kernels: auto, baseline, avx2, avx512 or neon";
    deadline_seconds: f64 = 30.0, "LOSSD_DEADLINE_SECONDS",
        "Longest time for answering a request once its body is there";
    header_seconds: f64 = 10.0, "LOSSD_HEADER_SECONDS",
        "Longest time for receiving a request's head; a new connection has half of it to send a byte";
    body_seconds: f64 = 5.0, "LOSSD_BODY_SECONDS",
        "Longest time for receiving a body, beside that of its bytes at 64 KiB a second";
    write_seconds: f64 = 10.0, "LOSSD_WRITE_SECONDS",
        "Longest time for a client to read its answer, beside that of its bytes at 16 KiB a second";
    keep_alive_seconds: f64 = 75.0, "LOSSD_KEEP_ALIVE_SECONDS",
        "Longest time that a connection waits for its next request";
    connections_max: usize = 0, "LOSSD_CONNECTIONS_MAX",
        "Connections at once, others wait to be accepted; 0 for half of the file descriptors, at most 4096";
    connections_per_address_max: usize = 1_024, "LOSSD_CONNECTIONS_PER_ADDRESS_MAX",
        "Connections at once from one address; more are closed";
    operations_listen: String = "", "LOSSD_OPERATIONS_LISTEN",
        "Address and port of a second listener for health, readiness and metrics; empty for none";
    operations_on_main: bool = true, "LOSSD_OPERATIONS_ON_MAIN",
        "Whether the main listener answers for health, readiness and metrics too";
    lame_duck_seconds: f64 = 5.0, "LOSSD_LAME_DUCK_SECONDS",
        "How long the server goes on after SIGTERM, not ready but serving";
    drain_seconds: f64 = 20.0, "LOSSD_DRAIN_SECONDS",
        "Longest time for finishing requests after SIGTERM";
    log_format: String = "human", "LOSSD_LOG_FORMAT",
        "Format of the log: human or json";
    log_level: String = "info", "LOSSD_LOG_LEVEL",
        "Least level that is logged: error, warn, info, debug or trace, or a filter of targets";
}

impl Default for Config {
    fn default() -> Config {
        Config::from(Given::default())
    }
}

impl Config {
    /// The settings from flags and environment, and from a file where one is named.
    ///
    /// # Errors
    /// A sentence that names the file or the setting that is wrong.
    pub fn load(given: Given, file: Option<&PathBuf>) -> Result<Config, String> {
        let from_file = match file {
            Some(path) => read_file(path)?,
            None => Given::default(),
        };
        let config = Config::from(given.or(from_file));
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.simd != "auto" && Level::named(&self.simd).is_none() {
            let names: Vec<&str> = Level::available().iter().map(|level| level.name()).collect();
            let names = names.join(", ");
            return Err(format!(
                "simd must be auto or one of {names} on this machine, got `{}`",
                self.simd
            ));
        }
        if !["human", "json"].contains(&self.log_format.as_str()) {
            return Err(format!("log_format must be human or json, got `{}`", self.log_format));
        }
        for (name, most) in [
            ("jobs_max", self.jobs_max),
            ("connections_per_address_max", self.connections_per_address_max),
        ] {
            if most == 0 {
                return Err(format!("{name} must be at least 1"));
            }
        }
        if self.tls_certificate_file.is_empty() != self.tls_key_file.is_empty() {
            return Err(
                "tls_certificate_file and tls_key_file go together: name both or none".to_owned()
            );
        }
        if !self.tls_client_ca_file.is_empty() && !self.is_secure() {
            return Err("tls_client_ca_file needs tls_certificate_file and tls_key_file".to_owned());
        }
        for (name, seconds, least) in [
            ("deadline_seconds", self.deadline_seconds, "above"),
            ("header_seconds", self.header_seconds, "above"),
            ("body_seconds", self.body_seconds, "above"),
            ("write_seconds", self.write_seconds, "above"),
            ("keep_alive_seconds", self.keep_alive_seconds, "above"),
            ("drain_seconds", self.drain_seconds, "at least"),
            ("lame_duck_seconds", self.lame_duck_seconds, "at least"),
        ] {
            if !(0.0..=86_400.0).contains(&seconds) || (seconds == 0.0 && least == "above") {
                return Err(format!("{name} must be {least} 0 and at most 86400, got {seconds}"));
            }
        }
        Ok(())
    }

    /// Whether everyone who reaches this machine is served.
    ///
    /// # Errors
    /// If that is so and nobody said that it shall be, or the address is none.
    pub fn is_open(&self) -> Result<bool, String> {
        let listen = &self.listen;
        let mut addresses = listen
            .to_socket_addrs()
            .map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        let is_local = addresses.all(|address| address.ip().to_canonical().is_loopback());
        if is_local || !self.keys_file.is_empty() {
            return Ok(false);
        }
        if self.open {
            return Ok(true);
        }
        Err(format!(
            "{listen} is not a loopback address, and there are no API keys: name a keys_file, or \
             serve everyone with --open (LOSSD_OPEN=true)"
        ))
    }

    /// Whether the main listener speaks TLS.
    pub fn is_secure(&self) -> bool {
        !self.tls_certificate_file.is_empty()
    }

    /// How many threads compute.
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// The CPU level of the kernels.
    pub fn simd_level(&self) -> Level {
        Level::named(&self.simd).unwrap_or_else(Level::best)
    }

    /// The longest time for answering a request.
    pub fn deadline(&self) -> Duration {
        Duration::from_secs_f64(self.deadline_seconds)
    }

    /// How many connections there may be at once.
    pub fn connections(&self) -> usize {
        match self.connections_max {
            0 => (file_descriptors() / 2).clamp(8, 4096),
            connections => connections,
        }
    }

    /// How long the server goes on after SIGTERM.
    pub fn lame_duck(&self) -> Duration {
        Duration::from_secs_f64(self.lame_duck_seconds)
    }

    /// The longest time for finishing requests.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_secs_f64(self.drain_seconds)
    }
}

/// How many files the process may have open, as far as the system says so.
fn file_descriptors() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.unwrap_or(8192)
}

fn read_file(path: &Path) -> Result<Given, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read the settings in {}: {error}", path.display()))?;
    toml::from_str(&text)
        .map_err(|error| format!("the settings in {} are wrong: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_everywhere() {
        for setting in DESCRIBED {
            assert_eq!(setting.env, format!("LOSSD_{}", setting.name.to_uppercase()));
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let directory = std::env::temp_dir().join(format!("lossd-config-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("lossd.toml");
        fs::write(&file, "jobs_max = 3\nlisten = \"[::1]:1\"\n").unwrap();
        let given = Given { jobs_max: Some(5), ..Given::default() };
        let config = Config::load(given, Some(&file)).unwrap();
        assert_eq!((config.jobs_max, config.listen.as_str()), (5, "[::1]:1"));
        assert_eq!(config.body_bytes_max, Config::default().body_bytes_max);
        fs::write(&file, "jobs_maximum = 3\n").unwrap();
        let error = Config::load(Given::default(), Some(&file)).unwrap_err();
        assert!(error.contains("jobs_maximum"), "{error}");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn other_machines_are_served_with_keys_or_when_told_so() {
        let is_open = |listen: &str, keys_file: &str, open| {
            let (listen, keys_file) = (Some(listen.to_owned()), Some(keys_file.to_owned()));
            Config::from(Given { listen, keys_file, open: Some(open), ..Given::default() })
                .is_open()
        };
        for listen in ["127.0.0.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
            assert_eq!(is_open(listen, "", false), Ok(false), "{listen}");
        }
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let error = is_open(listen, "", false).unwrap_err();
            assert!(error.contains(listen) && error.contains("--open"), "{error}");
            assert_eq!(is_open(listen, "", true), Ok(true));
            assert_eq!(is_open(listen, "keys.toml", false), Ok(false));
            assert_eq!(is_open(listen, "keys.toml", true), Ok(false));
        }
        assert!(is_open("nowhere", "", true).is_err());
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        let wrong = [
            Given { simd: Some("mmx".to_owned()), ..Given::default() },
            Given { log_format: Some("xml".to_owned()), ..Given::default() },
            Given { jobs_max: Some(0), ..Given::default() },
            Given { connections_per_address_max: Some(0), ..Given::default() },
            Given { deadline_seconds: Some(0.0), ..Given::default() },
            Given { drain_seconds: Some(-1.0), ..Given::default() },
            Given { tls_key_file: Some("key.pem".to_owned()), ..Given::default() },
            Given { tls_certificate_file: Some("cert.pem".to_owned()), ..Given::default() },
            Given { tls_client_ca_file: Some("ca.pem".to_owned()), ..Given::default() },
        ];
        for given in wrong {
            assert!(Config::load(given.clone(), None).is_err(), "{given:?}");
        }
    }
}
