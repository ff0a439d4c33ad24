//! What is wanted of a hub: by code, by the environment, or by default; and what came of it.

use crate::driver::{Capabilities, Kind, Settings};
use crate::stack::{Shape, StackReuse};
use crate::worker::{self, Latest};
use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

/// The kinds of hub: which interface of the kernel it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HubKind {
    /// io_uring: operations are handed to the kernel, which reports when they are complete.
    Uring,
    /// epoll: operations are tried, and tried again when their descriptor is ready.
    #[doc(alias = "epolls")]
    Epoll,
    /// poll: as epoll, but each wait names every descriptor for which somebody waits, which costs time
    /// for each of them.
    Poll,
    /// select: as poll, with descriptor numbers below 1,024 (`FD_SETSIZE`). An operation that would have
    /// to wait for another one is an error, [`Unsupported`](io::ErrorKind::Unsupported).
    #[doc(alias = "selects")]
    Select,
    /// No kernel: the world of [`sim`](crate::sim). Cannot be asked for.
    #[cfg(feature = "sim")]
    Sim,
}

/// The names that `GREENLET_HUB` takes: `uring`, `epoll`, `poll`, `select`, and those of eventlet for
/// the same (`epolls`, `selects`).
///
/// ```
/// use greenlet::HubKind;
/// assert_eq!("epolls".parse::<HubKind>().unwrap(), HubKind::Epoll);
/// assert!("kqueue".parse::<HubKind>().is_err()); // not on Linux
/// ```
impl FromStr for HubKind {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<HubKind, ConfigError> {
        let why = match name {
            "uring" | "io_uring" | "linux_iouring" => return Ok(HubKind::Uring),
            "epoll" | "epolls" => return Ok(HubKind::Epoll),
            "poll" => return Ok(HubKind::Poll),
            "select" | "selects" => return Ok(HubKind::Select),
            "kqueue" => "is of other systems than Linux",
            "asyncio" => "is Python's",
            "pyevent" | "libevent" | "libev" | "libuv" => {
                "is a library that this crate does not use"
            }
            _ => "is not known",
        };
        Err(ConfigError::Value(format!(
            "the hub '{name}' {why}; there are uring, epoll, poll and select"
        )))
    }
}

impl fmt::Display for HubKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl From<Kind> for HubKind {
    fn from(kind: Kind) -> HubKind {
        match kind {
            Kind::Uring => HubKind::Uring,
            Kind::Epoll => HubKind::Epoll,
            Kind::Poll => HubKind::Poll,
            Kind::Select => HubKind::Select,
            #[cfg(feature = "sim")]
            Kind::Sim => HubKind::Sim,
        }
    }
}

impl HubKind {
    fn kind(self) -> Kind {
        match self {
            HubKind::Uring => Kind::Uring,
            HubKind::Epoll => Kind::Epoll,
            HubKind::Poll => Kind::Poll,
            HubKind::Select => Kind::Select,
            #[cfg(feature = "sim")]
            HubKind::Sim => Kind::Sim,
        }
    }
}

/// Why a [`Config`] was not applied.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// This thread's hub exists already.
    TooLate,
    /// A setting has a value that it cannot have; the text names it.
    Value(String),
    /// The hub that was asked for cannot be made here.
    Refused(io::Error),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::TooLate => f.write_str("this thread's hub was made already"),
            ConfigError::Value(text) => f.write_str(text),
            ConfigError::Refused(error) => write!(f, "the hub cannot be made: {error}"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Refused(error) => Some(error),
            _ => None,
        }
    }
}

/// Settings for hubs that are made later. What is not set here is read from the environment; what is not set
/// there either has a default.
///
/// | setting | variable | default |
/// |---|---|---|
/// | [`hub`](Config::hub) | `GREENLET_HUB=uring`, `epoll`, `poll`, `select` | the first of these that is allowed |
/// | [`ring_entries`](Config::ring_entries) | `GREENLET_RING_ENTRIES` | 256 |
/// | [`stack_size`](Config::stack_size) | `GREENLET_STACK_SIZE` | 64 KiB |
/// | [`round`](Config::round) | `GREENLET_ROUND` | 64 |
/// | [`offload_threads`](Config::offload_threads) | `GREENLET_OFFLOAD_THREADS` | 20 |
/// | [`disable`](Config::disable) | `GREENLET_DISABLE=name,name` | nothing |
/// | [`monitor`](crate::monitor) | `GREENLET_MONITOR=100`: its limit in milliseconds | 0: none |
/// | how stacks are [guarded](crate::StackError::Limit) | `GREENLET_GUARD=madvise`, `mprotect` | `madvise`, if the kernel can (Linux 6.13) |
///
/// ```
/// use greenlet::{Config, HubKind};
/// std::thread::spawn(|| {
///     Config::new().hub(HubKind::Epoll).round(32).apply().unwrap();
///     println!("{}", greenlet::config()); // what is in force here, and why
///     greenlet::spawn(|| ()).join().unwrap();
/// })
/// .join()
/// .unwrap();
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "settings do nothing until they are applied"]
pub struct Config {
    hub: Option<HubKind>,
    ring_entries: Option<u32>,
    stack_bytes: Option<usize>,
    round: Option<u32>,
    offload_threads: Option<u32>,
    disable: Option<String>,
}

impl Config {
    /// Settings that change nothing yet.
    pub const fn new() -> Config {
        Config {
            hub: None,
            ring_entries: None,
            stack_bytes: None,
            round: None,
            offload_threads: None,
            disable: None,
        }
    }

    /// The kind of hub. If it is refused by the system, that is an error; no other kind takes its place.
    #[doc(alias("use_hub", "GEVENT_LOOP"))]
    pub fn hub(mut self, kind: HubKind) -> Config {
        self.hub = Some(kind);
        self
    }

    /// Submission entries of the ring: 2 to 32,768, rounded up to a power of two. It is made smaller
    /// where memory may not be locked.
    pub fn ring_entries(mut self, entries: u32) -> Config {
        self.ring_entries = Some(entries);
        self
    }

    /// Usable stack of a task, in bytes: 32 KiB to 8 MiB, rounded up to a power of two.
    pub fn stack_size(mut self, bytes: usize) -> Config {
        self.stack_bytes = Some(bytes);
        self
    }

    /// How many greenlets run, at most, before the hub looks at the kernel: 1 to 65,536. The hub lowers it
    /// by itself while they run long.
    #[doc(alias("setswitchinterval", "getswitchinterval"))]
    pub fn round(mut self, switches: u32) -> Config {
        self.round = Some(switches);
        self
    }

    /// How many threads [`offload`](crate::offload()) may use: 1 to 4,096. They are shared by the whole
    /// process, so this takes effect for all of it, also by [`apply`](Config::apply).
    #[doc(alias = "set_num_threads")]
    pub fn offload_threads(mut self, threads: u32) -> Config {
        self.offload_threads = Some(threads);
        self
    }

    /// Treats features of the kernel as if they were missing, for tests: their names, separated by commas.
    ///
    /// - Kinds of hub: `uring`, `epoll`, `poll`.
    /// - Features of io_uring: `single_issuer`, `defer_taskrun`, `coop_taskrun`, `submit_all`, `no_sqarray`,
    ///   `registered_ring`, `no_iowait`, `ext_arg`, `multishot_accept`, `buffer_ring`, `poll_first`,
    ///   `sync_msg_ring`.
    /// - Operations of io_uring, which are then done by system calls: `accept`, `connect`, `recv`, `send`,
    ///   `recvmsg`, `sendmsg`, `read`, `write`.
    ///
    /// Any other name makes [`apply`](Config::apply) return [`ConfigError::Value`].
    pub fn disable(mut self, names: impl Into<String>) -> Config {
        self.disable = Some(names.into());
        self
    }

    /// Makes this thread's hub with these settings.
    ///
    /// # Errors
    /// [`ConfigError`]; then no hub is made.
    pub fn apply(self) -> Result<(), ConfigError> {
        super::life::make(&self)?;
        self.apply_to_process();
        Ok(())
    }

    /// Makes these settings the default of all hubs that are made later, on any thread.
    ///
    /// # Errors
    /// [`ConfigError::Value`]; then the old defaults stay.
    pub fn apply_to_all(self) -> Result<(), ConfigError> {
        Wanted::gather(&self)?;
        self.apply_to_process();
        DEFAULT.set(self);
        Ok(())
    }
}

impl Config {
    fn apply_to_process(&self) {
        if let Some(threads) = self.offload_threads {
            worker::set_most(threads);
        }
    }
}

/// What [`Config::apply_to_all`] was told.
static DEFAULT: Latest<Config> = Latest::none();

static NOTHING: Config = Config::new();

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Code,
    Environment,
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Code => "set by the program",
            Source::Environment => "set by the environment",
            Source::Default => "default",
        })
    }
}

/// A setting and where it comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    pub(super) source: Source,
}

/// All settings of a hub that is about to be made.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) kind: Setting<Option<Kind>>,
    pub(super) ring_entries: Setting<u32>,
    pub(super) stack: Setting<Shape>,
    pub(super) round: Setting<u32>,
    pub(super) offload_threads: Setting<u32>,
    pub(super) disabled: Setting<Capabilities>,
    /// The limit of the monitor that the environment asks for.
    pub(super) monitor: Option<Duration>,
}

impl Wanted {
    /// Code first, then the default for all, then the environment, then what is built in.
    pub(super) fn gather(config: &Config) -> Result<Wanted, ConfigError> {
        let general = DEFAULT.get().unwrap_or(&NOTHING);
        let kind = choose(
            config.hub.or(general.hub).map(|kind| Some(kind.kind())),
            "GREENLET_HUB",
            |text| match text {
                "auto" | "" => Ok(None),
                name => name.parse().map(|kind: HubKind| Some(kind.kind())),
            },
            None,
        )?;
        let see = |_| ConfigError::Value("see greenlet::Config".to_owned());
        let number = |text: &str| text.parse::<u32>().map_err(see);
        let mut ring_entries = choose(
            config.ring_entries.or(general.ring_entries),
            "GREENLET_RING_ENTRIES",
            number,
            256,
        )?;
        let stack_bytes = choose(
            config.stack_bytes.or(general.stack_bytes),
            "GREENLET_STACK_SIZE",
            |text| text.parse::<usize>().map_err(see),
            Shape::DEFAULT.stack_bytes,
        )?;
        let round = choose(config.round.or(general.round), "GREENLET_ROUND", number, 64)?;
        let offload_threads = choose(
            config.offload_threads.or(worker::most_by_code()),
            "GREENLET_OFFLOAD_THREADS",
            number,
            worker::DEFAULT_MOST,
        )?;
        let monitor = choose(None, "GREENLET_MONITOR", number, 0)?.value;
        let monitor = (monitor > 0).then(|| Duration::from_millis(monitor.into()));
        let capabilities = |text: &str| {
            Capabilities::parse(text).map_err(|name| {
                let names: Vec<&str> = Capabilities::NAMES.iter().map(|(name, _)| *name).collect();
                let known = names.join(", ");
                ConfigError::Value(format!("nothing called '{name}' can be disabled, but {known}"))
            })
        };
        let by_code = config.disable.clone().or_else(|| general.disable.clone());
        let disabled = choose(
            by_code.map(|text| capabilities(&text)).transpose()?,
            "GREENLET_DISABLE",
            capabilities,
            Capabilities::NONE,
        )?;
        within("ring entries", ring_entries.value, 2, 32_768)?;
        within("switches in a round", round.value, 1, 65_536)?;
        within("offload threads", offload_threads.value, 1, worker::LARGEST_MOST)?;
        ring_entries.value = ring_entries.value.next_power_of_two();
        let shape =
            Shape::new(stack_bytes.value, Shape::DEFAULT.guard_bytes, StackReuse::default())
                .map_err(|error| ConfigError::Value(error.to_string()))?;
        Ok(Wanted {
            kind,
            ring_entries,
            stack: Setting { value: shape, source: stack_bytes.source },
            round,
            offload_threads,
            disabled,
            monitor,
        })
    }

    /// What the driver needs to know.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            kind: self.kind.value,
            ring_entries: self.ring_entries.value,
            disabled: self.disabled.value,
            ..Settings::default()
        }
    }
}

fn choose<T>(
    by_code: Option<T>,
    variable: &str,
    parse: impl FnOnce(&str) -> Result<T, ConfigError>,
    default: T,
) -> Result<Setting<T>, ConfigError> {
    if let Some(value) = by_code {
        return Ok(Setting { value, source: Source::Code });
    }
    let Some(text) = std::env::var_os(variable) else {
        return Ok(Setting { value: default, source: Source::Default });
    };
    let parsed = match text.to_str() {
        Some(text) => parse(text),
        None => Err(ConfigError::Value("it is not UTF-8".to_owned())),
    };
    match parsed {
        Ok(value) => Ok(Setting { value, source: Source::Environment }),
        Err(why) => Err(ConfigError::Value(format!(
            "{variable}={} is not understood: {why}",
            text.display()
        ))),
    }
}

fn within(what: &str, value: u32, least: u32, most: u32) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Value(format!("{value} {what}: must be {least} to {most}")))
}

/// What is in force for one hub, and why.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    pub(super) wanted: Wanted,
    /// Why the hub is not the one that would have been best.
    pub(super) refused: Option<String>,
}

impl InForce {
    /// Lines of `name  value  (source)`; `driver` describes the driver as it was made.
    pub(super) fn describe(
        &self,
        driver: &dyn fmt::Display,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let Wanted { kind, ring_entries, stack, round, offload_threads, disabled, monitor: _ } =
            &self.wanted;
        let kind_source = match (&self.refused, kind.source, kind.value) {
            (Some(why), ..) => why.as_str(),
            (None, Source::Code, Some(_)) => "named by the program",
            (None, Source::Environment, Some(_)) => "named by the environment",
            (None, ..) => "the best that works here",
        };
        writeln!(f, "hub           {driver} ({kind_source})")?;
        writeln!(f, "ring entries  {} ({})", ring_entries.value, ring_entries.source)?;
        writeln!(f, "stack         {} bytes ({})", stack.value.stack_bytes, stack.source)?;
        writeln!(f, "round         {} switches ({})", round.value, round.source)?;
        let offload_threads = match worker::most_by_code() {
            Some(value) => &Setting { value, source: Source::Code },
            None => offload_threads,
        };
        writeln!(
            f,
            "offload       {} threads ({})",
            offload_threads.value, offload_threads.source
        )?;
        write!(f, "disabled      {} ({})", disabled.value, disabled.source)
    }
}
