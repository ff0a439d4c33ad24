//! The gevent tutorial, "Synchronous & Asynchronous Execution": asks a server for the time, nine times.

mod outside;

use greenlet::{join_all, spawn};
use outside::urlopen;
use std::io;

fn fetch(pid: u32) -> io::Result<String> {
    let response = urlopen("http://json-time.appspot.com/time.json")?;
    let result = io::read_to_string(response)?;
    let datetime = loads(&result, "datetime");

    println!("Process  {pid} {datetime}");
    Ok(datetime)
}

fn synchronous() -> io::Result<()> {
    for i in 1..10 {
        fetch(i)?;
    }
    Ok(())
}

fn asynchronous() {
    let mut threads = Vec::new();
    for i in 1..10 {
        threads.push(spawn(move || fetch(i)));
    }
    join_all(threads).join();
}

fn main() -> io::Result<()> {
    println!("Synchronous:");
    synchronous()?;

    println!("Asynchronous:");
    asynchronous();
    Ok(())
}

/// `json.loads(json)[key]`, where both are texts without escapes.
fn loads(json: &str, key: &str) -> String {
    let mut texts = json.split('"').skip_while(|&text| text != key);
    texts.nth(2).unwrap_or_default().to_owned()
}
