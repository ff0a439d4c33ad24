//! `examples/seeds`: each program prints what its page says; where a page leaves the order open, what
//! it says of it.

use super::client::{connect, exchange, half_close};
use super::program::{PATIENCE, Server, command, output};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Programs that print `examples/expected/NAME.txt`, every time.
macro_rules! same_every_time {
    ($($name:ident)*) => {
        const SAME_EVERY_TIME: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            prints_what_is_expected(stringify!($name));
        })*
    };
}

same_every_time! {
    timeout_basic timeout_three_ways subclass_run spawn_variants func1_func2
    event_baz event_exception event_resend event_result event_waiter
    foo_bar gethostbyname_jobs green_pool_imap_files greenlet_state greenlet_switch_xy
    greenlet_test1_test2 queue_put_get queue_put_get_yield web_crawler
}

/// The others, each with a test of its own.
const OTHERS: [&str; 8] = [
    "fetch_many",
    "pile_geturl",
    "pool_determinism",
    "select_polling",
    "shutdown_on_sigquit",
    "socket_echo_server",
    "sync_async_tasks",
    "timeout_with",
];

/// Brought by later parts of the crate.
const LATER: [&str; 2] = ["patch_before_after", "redis_patched"];

#[track_caller]
fn prints_what_is_expected(name: &str) {
    let path = examples().join("expected").join(name).with_extension("txt");
    let expected = std::fs::read_to_string(path).expect("what is expected");
    assert_eq!(output(&mut command(name)), expected);
}

/// The lines that a program prints.
#[track_caller]
fn lines(name: &str) -> Vec<String> {
    output(&mut command(name)).lines().map(str::to_owned).collect()
}

fn set<'a>(lines: impl IntoIterator<Item = &'a String>) -> BTreeSet<&'a str> {
    lines.into_iter().map(String::as_str).collect()
}

#[test]
fn every_program_is_listed_and_tested() {
    let folder = std::fs::read_dir(examples().join("seeds")).expect("a folder");
    let files: BTreeSet<String> = folder
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
        .filter(|name| name != "outside")
        .collect();
    let tested = SAME_EVERY_TIME.iter().chain(&OTHERS);
    assert_eq!(files, tested.map(|&name| name.to_owned()).collect());

    let readme = std::fs::read_to_string(examples().join("seeds/README.md")).expect("a README");
    let column = readme.lines().filter_map(|row| row.strip_prefix('|')?.split('|').nth(2));
    let words = column.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let listed: BTreeSet<&str> = words.filter(|&name| name != "hello_servers").collect();
    assert_eq!(listed, files.iter().map(String::as_str).chain(LATER).collect());
}

#[test]
fn select_polling() {
    let lines = lines("select_polling");
    let texts: Vec<&str> =
        lines.iter().filter_map(|line| Some(line.split_once("at ")?.0)).collect();
    let (started, ended) = ("Started Polling: ", "Ended Polling: ");
    let meanwhile = "Hey lets do some stuff while the greenlets poll, ";
    assert_eq!(texts, [started, started, meanwhile, ended, ended]);
    assert!(lines[2].starts_with(&format!("{meanwhile}at at ")), "{lines:?}");
    for line in &lines {
        let (rest, unit) = line.rsplit_once(' ').expect("a unit");
        let seconds = rest.rsplit_once(' ').and_then(|(_, seconds)| seconds.parse().ok());
        let seconds: f64 = seconds.expect("a number");
        assert!(unit == "seconds" && (seconds >= 2.0 || !line.starts_with(ended)), "{lines:?}");
    }
}

#[test]
fn sync_async_tasks() {
    let lines = lines("sync_async_tasks");
    let done: Vec<String> = (0..10).map(|pid| format!("Task {pid} done")).collect();
    assert_eq!(lines[0], "Synchronous:");
    assert_eq!(lines[1..10], done[1..]);
    assert_eq!(lines[10], "Asynchronous:");
    assert_eq!((lines.len(), set(&lines[11..])), (21, set(&done)));
}

#[test]
fn fetch_many() {
    let lines = lines("fetch_many");
    let processes: Vec<String> = lines
        .iter()
        .map(|line| match line.rsplit_once(' ') {
            Some((process, time)) => {
                let parts: Vec<&str> = time.split(':').collect();
                assert!(parts.len() == 3 && parts.iter().all(|part| part.parse::<u8>().is_ok()));
                process.to_owned()
            }
            None => line.clone(),
        })
        .collect();
    let all: Vec<String> = (1..10).map(|pid| format!("Process  {pid}")).collect();
    assert_eq!(processes[0], "Synchronous:");
    assert_eq!(processes[1..10], all);
    assert_eq!(processes[10], "Asynchronous:");
    assert_eq!((processes.len(), set(&processes[11..])), (20, set(&all)));
}

/// Threads seldom end in the same order four times, but they may.
#[test]
fn pool_determinism() {
    let lines = lines("pool_determinism");
    assert!(lines == ["false", "true"] || lines == ["true", "true"], "{lines:?}");
}

#[test]
fn timeout_with() {
    let output = command("timeout_with").output().expect("the example starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    // Before it, perhaps, why there is no io_uring.
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().last(), Some("Error: TooLong"));
    assert_eq!(output.status.code(), Some(1));
}

/// A shell ignores the signal and says so, then becomes the program: so it may be sent before the
/// program waits for it.
#[test]
fn shutdown_on_sigquit() {
    let plain = command("shutdown_on_sigquit");
    let mut ignoring = Command::new("sh");
    ignoring.arg("-c").arg("trap '' QUIT; echo ignored; exec \"$0\" \"$@\"");
    ignoring.arg(plain.get_program()).args(plain.get_args()).stdout(Stdio::piped());
    let mut child = ignoring.spawn().expect("the example starts");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = String::new();
    output.read_line(&mut said).expect("text");
    let began = Instant::now();
    while child.try_wait().expect("a child of ours").is_none() {
        assert!(began.elapsed() < PATIENCE, "it does not end: {:?}", child.kill());
        let kill = format!("kill -QUIT {}", child.id());
        Command::new("sh").arg("-c").arg(kill).status().expect("a shell");
        thread::sleep(Duration::from_millis(5));
    }
    output.read_to_string(&mut said).expect("text");
    assert_eq!(said, "ignored\n");
    assert!(child.wait().expect("ended").success());
}

#[test]
fn socket_echo_server() {
    let server = Server::run_where(command("socket_echo_server").arg("127.0.0.1:0"), |line| {
        let port = line.strip_prefix("server socket listening on port ")?.parse().ok()?;
        Some(([127, 0, 0, 1], port).into())
    });
    let (one, other) = (connect(server.address), connect(server.address));
    exchange(&one, b"a line\nand ", b"a line\n");
    exchange(&other, b"from another\n", b"from another\n");
    exchange(&one, b"one more\n", b"and one more\n");
    assert_eq!(half_close(&one), b"");
    server.says("client disconnected");

    let accepted = [&one, &other].map(|client| {
        let port = client.local_addr().expect("connected").port();
        format!("accepted ('127.0.0.1', {port})")
    });
    let said = server.lines();
    assert_eq!(said.iter().filter(|line| accepted.contains(line)).count(), 2, "{said:?}");
    assert_eq!(said.iter().filter(|line| *line == "client connected").count(), 2, "{said:?}");
    let echoed: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix("echoed ")).collect();
    // Each client's in order. Between an answer and its line the hub may look at the kernel, where the
    // other client's is by then.
    let (others, own): (Vec<_>, Vec<_>) = echoed.iter().partition(|line| **line == "from another");
    assert_eq!((own, others.len()), (vec!["a line", "and one more"], 1));
    assert_eq!((said.len(), said[7].as_str()), (8, "client disconnected"));
}

#[test]
fn pile_geturl() {
    let lines = lines("pile_geturl");
    let urls = ["www.google.com", "www.yandex.ru", "www.python.org"];
    let place = |wanted: String| lines.iter().position(|line| *line == wanted);
    let result = r"'HTTP/1.0 200 OK\r\nContent-Length: 18\r\n\r\n<html";
    let places = urls.map(|url| place(format!("{url}: {result:.50}")).expect("a result"));
    assert!(places.is_sorted(), "{lines:#?}");
    for (url, result) in urls.iter().zip(places) {
        assert!(
            place(format!("{url} connected")).is_some_and(|place| place < result),
            "{lines:#?}"
        );
    }
    assert_eq!(lines.len(), 6);
}
