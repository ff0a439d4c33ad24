//! What is wanted of a hub: by code, by the environment, or by default; and what came of it.

use crate::driver::{Capabilities, Kind, Settings};
use crate::stack::{Shape, StackReuse};
use crate::worker;
use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How a hub waits for the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HubKind {
    /// io_uring: operations are handed over and complete.
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
/// assert!("kqueue".parse::<HubKind>().is_err()); // it is of other systems
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

/// Why a configuration was not taken.
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

/// Settings for hubs that are made later. What is left open here is read from the environment, and
/// what is left open there has a default.
///
/// | setting | variable | default |
/// |---|---|---|
/// | [`hub`](Config::hub) | `GREENLET_HUB=uring`, `epoll`, `poll`, `select` | the first of these that is allowed |
/// | [`ring_entries`](Config::ring_entries) | `GREENLET_RING_ENTRIES` | 256 |
/// | [`stack_size`](Config::stack_size) | `GREENLET_STACK_SIZE` | 64 KiB |
/// | [`round`](Config::round) | `GREENLET_ROUND` | 64 |
/// | [`workers`](Config::workers) | `GREENLET_WORKERS` | 20 |
/// | [`disable`](Config::disable) | `GREENLET_DISABLE=name,name` | nothing |
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
    workers: Option<u32>,
    disable: Option<String>,
}

impl Config {
    /// Everything left open.
    pub const fn new() -> Config {
        Config {
            hub: None,
            ring_entries: None,
            stack_bytes: None,
            round: None,
            workers: None,
            disable: None,
        }
    }

    /// The kind of hub. One that is named and refused is an error, never replaced by another.
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

    /// How many greenlets run, at most, until the kernel is looked at: 1 to 65,536. It is lowered by
    /// itself where they run long.
    #[doc(alias("setswitchinterval", "getswitchinterval"))]
    pub fn round(mut self, switches: u32) -> Config {
        self.round = Some(switches);
        self
    }

    /// How many threads [`offload`](crate::offload()) may use: 1 to 4,096. They are shared by the whole
    /// process, whose number this is from now on, whether it is applied to one thread or to all.
    #[doc(alias = "set_num_threads")]
    pub fn workers(mut self, threads: u32) -> Config {
        self.workers = Some(threads);
        self
    }

    /// Names, separated by commas, of what shall be treated as if the kernel did not offer it.
    pub fn disable(mut self, names: impl Into<String>) -> Config {
        self.disable = Some(names.into());
        self
    }

    /// Makes this thread's hub.
    ///
    /// # Errors
    /// [`ConfigError`]; then nothing is made.
    pub fn apply(self) -> Result<(), ConfigError> {
        super::life::make(&self)?;
        self.apply_to_process();
        Ok(())
    }

    /// Becomes the default of all hubs that are made later, on any thread.
    ///
    /// # Errors
    /// [`ConfigError::Value`]; then the old default stays.
    pub fn apply_to_all(self) -> Result<(), ConfigError> {
        Wanted::gather(&self)?;
        self.apply_to_process();
        *DEFAULT.lock().unwrap_or_else(PoisonError::into_inner) = self;
        Ok(())
    }
}

impl Config {
    fn apply_to_process(&self) {
        if let Some(threads) = self.workers {
            worker::set_most(threads);
        }
    }
}

static DEFAULT: Mutex<Config> = Mutex::new(Config::new());

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
    pub(super) workers: Setting<u32>,
    pub(super) disabled: Setting<Capabilities>,
    /// The limit of the monitor that the environment asks for.
    pub(super) monitor: Option<Duration>,
}

impl Wanted {
    /// Code first, then the default for all, then the environment, then what is built in.
    pub(super) fn gather(config: &Config) -> Result<Wanted, ConfigError> {
        let general = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner).clone();
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
        let workers = choose(
            config.workers.or(worker::most_by_code()),
            "GREENLET_WORKERS",
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
        let by_code = config.disable.clone().or(general.disable);
        let disabled = choose(
            by_code.map(|text| capabilities(&text)).transpose()?,
            "GREENLET_DISABLE",
            capabilities,
            Capabilities::NONE,
        )?;
        within("ring entries", ring_entries.value, 2, 32_768)?;
        within("switches in a round", round.value, 1, 65_536)?;
        within("workers", workers.value, 1, worker::LARGEST_MOST)?;
        ring_entries.value = ring_entries.value.next_power_of_two();
        let shape =
            Shape::new(stack_bytes.value, Shape::DEFAULT.guard_bytes, StackReuse::default())
                .map_err(|error| ConfigError::Value(error.to_string()))?;
        Ok(Wanted {
            kind,
            ring_entries,
            stack: Setting { value: shape, source: stack_bytes.source },
            round,
            workers,
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
#[derive(Debug)]
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
        let Wanted { kind, ring_entries, stack, round, workers, disabled, monitor: _ } =
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
        let workers = match worker::most_by_code() {
            Some(value) => &Setting { value, source: Source::Code },
            None => workers,
        };
        writeln!(f, "workers       {} threads ({})", workers.value, workers.source)?;
        write!(f, "disabled      {} ({})", disabled.value, disabled.source)
    }
}
