//! What is wanted of a hub, and what is said when it cannot be had.

use crate::in_child::{Outcome, in_child_with, this_test};
use greenlet::{Config, ConfigError, HubKind, config, sleep, spawn};
use std::fmt::Write;
use std::time::Duration;

/// On a thread without a hub.
fn fresh<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    std::thread::spawn(f).join().unwrap()
}

#[test]
fn settings_are_in_force_and_say_where_they_come_from() {
    let text = fresh(|| {
        Config::new().hub(HubKind::Epoll).round(32).stack_size(128 << 10).apply().unwrap();
        spawn(|| assert!(greenlet::stack_remaining().unwrap() > 100 << 10)).join().unwrap();
        config().to_string()
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert!(lines[0].starts_with("hub ") && lines[0].contains("epoll"), "{text}");
    assert!(lines[0].contains("named by the program"), "{text}");
    assert!(lines[2].contains("131072 bytes (set by the program)"), "{text}");
    assert!(lines[3].contains("32 switches (set by the program)"), "{text}");
}

#[test]
fn a_hub_that_exists_is_not_configured_again() {
    let errors = fresh(|| {
        sleep(Duration::from_micros(1));
        Config::new().round(1).apply().unwrap_err().to_string()
    });
    assert_eq!(errors, "this thread's hub was made already");
}

#[test]
fn values_that_cannot_be_are_refused_by_name() {
    fresh(|| {
        let refused = |config: Config| match config.apply().unwrap_err() {
            ConfigError::Value(text) => text,
            other => panic!("{other}"),
        };
        assert_eq!(refused(Config::new().round(0)), "0 switches in a round: must be 1 to 65536");
        let entries = refused(Config::new().ring_entries(1));
        assert_eq!(entries, "1 ring entries: must be 2 to 32768");
        refused(Config::new().ring_entries(40_000));
        assert_eq!(
            refused(Config::new().offload_threads(0)),
            "0 offload threads: must be 1 to 4096"
        );
        refused(Config::new().stack_size(1));
        refused(Config::new().stack_size(usize::MAX));
        let unknown = refused(Config::new().disable("nonsense"));
        assert!(unknown.contains("'nonsense'"), "{unknown}");
        // Nothing was made: the next one is not too late.
        Config::new().apply().unwrap();
    });
}

#[test]
fn who_prints_the_configuration_may_wait_meanwhile() {
    struct Slow(String);
    impl Write for Slow {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            sleep(Duration::from_micros(10));
            self.0.push_str(text);
            Ok(())
        }
    }
    let mut slow = Slow(String::new());
    sleep(Duration::from_millis(5)); // a poller may first have to see how it can wait
    write!(slow, "{}", config()).unwrap();
    assert_eq!(slow.0, config().to_string());
}

fn with_environment(test: &str, variables: &[(&str, &str)], body: fn()) -> Outcome {
    in_child_with(test, variables, body)
}

#[test]
fn the_environment_is_obeyed() {
    let variables = [
        ("GREENLET_HUB", "epoll"),
        ("GREENLET_ROUND", "7"),
        ("GREENLET_RING_ENTRIES", "100"),
        ("GREENLET_STACK_SIZE", "262144"),
        ("GREENLET_OFFLOAD_THREADS", "3"),
    ];
    let outcome = with_environment(this_test!(), &variables, || print!("{}", config()));
    outcome.exited_with(0).says_only(&[]);
    for piece in [
        "(named by the environment)",
        "ring entries  128 (set by the environment)",
        "stack         262144 bytes (set by the environment)",
        "round         7 switches (set by the environment)",
        "offload       3 threads (set by the environment)",
    ] {
        assert!(outcome.stdout.contains(piece), "{piece}\n{outcome}");
    }
}

#[test]
fn the_program_goes_before_the_environment() {
    let variables = [("GREENLET_HUB", "epoll"), ("GREENLET_ROUND", "7")];
    let outcome = with_environment(this_test!(), &variables, || {
        Config::new().round(9).apply_to_all().unwrap();
        std::thread::spawn(|| print!("{}", config())).join().unwrap();
    });
    assert!(outcome.stdout.contains("9 switches (set by the program)"), "{outcome}");
}

#[test]
fn an_environment_that_cannot_be_is_a_panic_that_names_the_variable() {
    let cases = [
        (
            "GREENLET_HUB",
            "kqueue",
            "the hub 'kqueue' is of other systems than Linux; there are uring,",
        ),
        (
            "GREENLET_DISABLE",
            "epoll,urng",
            "nothing called 'urng' can be disabled, but uring, epoll,",
        ),
    ];
    // One child runs both: which of them is the environment's to say.
    for (variable, value, says) in cases {
        let outcome = with_environment(this_test!(), &[(variable, value)], || {
            let refused = std::panic::catch_unwind(|| sleep(Duration::from_micros(1)));
            assert!(refused.is_err());
            let refused = Config::new().round(3).apply_to_all();
            assert!(matches!(refused, Err(ConfigError::Value(_))));
        });
        outcome.exited_with(0).says(&format!("{variable}={value} is not understood"));
        outcome.says(says);
    }
}

#[test]
fn names_of_eventlet_and_gevent_are_taken() {
    let names = [
        ("epolls", HubKind::Epoll),
        ("poll", HubKind::Poll),
        ("select", HubKind::Select),
        ("selects", HubKind::Select),
        ("io_uring", HubKind::Uring),
    ];
    for (name, kind) in names {
        assert_eq!(name.parse::<HubKind>().unwrap(), kind);
    }
    for (name, why) in [("asyncio", "Python's"), ("pyevent", "a library"), ("Epoll", "not known")] {
        let error = name.parse::<HubKind>().unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(why), "{error}");
    }
}

#[test]
fn every_kind_that_is_named_is_made() {
    for kind in [HubKind::Epoll, HubKind::Poll, HubKind::Select] {
        let text = fresh(move || {
            Config::new().hub(kind).apply().unwrap();
            sleep(Duration::from_micros(1));
            assert_eq!(greenlet::stats().hub, kind);
            config().to_string()
        });
        assert!(text.contains(&kind.to_string()), "{text}");
    }
}

#[test]
fn the_next_hub_is_taken_where_epoll_is_refused_and_says_why() {
    let cases: [(_, _, &[&str]); 2] = [
        ("uring,epoll", "poll", &["epoll refused: epoll is disabled"]),
        ("uring,epoll,poll", "select", &["epoll refused", "poll refused: poll is disabled"]),
    ];
    // One child runs both: which of them is the environment's to say.
    for (disabled, kind, says) in cases {
        let variables = [("GREENLET_DISABLE", disabled), ("GREENLET_HUB", "auto")];
        let outcome = with_environment(this_test!(), &variables, || {
            sleep(Duration::from_millis(1));
            std::thread::spawn(|| print!("{}", config())).join().unwrap();
        });
        outcome.exited_with(0);
        assert_eq!(outcome.stderr.lines().count(), 1, "said once\n{outcome}");
        for text in says {
            outcome.says(text);
        }
        assert!(outcome.stdout.contains(&format!("hub           {kind} (")), "{outcome}");
    }
}

#[test]
fn the_best_hub_is_taken_again_after_a_bad_configuration() {
    let outcome = with_environment(this_test!(), &[("GREENLET_ROUND", "-1")], || {
        assert!(std::panic::catch_unwind(|| spawn(|| ())).is_err());
        Config::new().round(5).apply().unwrap();
        spawn(|| ()).join().unwrap();
    });
    outcome.exited_with(0);
}

#[test]
fn what_one_thread_disables_is_not_refused_to_others() {
    let environment = [("GREENLET_HUB", "auto"), ("GREENLET_DISABLE", "")];
    let outcome = with_environment(this_test!(), &environment, || {
        let kind = |disabled: &'static str| {
            fresh(move || {
                Config::new().disable(disabled).apply().unwrap();
                greenlet::stats().hub
            })
        };
        assert_eq!(kind("uring,epoll"), HubKind::Poll);
        assert_eq!(kind("uring"), HubKind::Epoll);
        assert_eq!(kind("uring,epoll,poll"), HubKind::Select);
        assert_eq!(kind("uring"), HubKind::Epoll);
        let best = fresh(|| (greenlet::stats().hub, config().to_string()));
        assert!(matches!(best.0, HubKind::Uring | HubKind::Epoll), "{best:?}");
        assert!(!best.1.contains("disabled by the settings"), "{best:?}");
    });
    outcome.exited_with(0);
    let said = |line: &&str| line.contains("disabled by the settings");
    let lines = 2 + usize::from(cfg!(feature = "uring"));
    assert_eq!(outcome.stderr.lines().filter(said).count(), lines, "each once\n{outcome}");
}
