//! The notes on eventlet, `GreenPool.imap`: something is done with each line of a file.

use greenlet::pool::GreenPool;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};

fn worker(line: String) -> String {
    do_something(line)
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = GreenPool::default();
    for result in pool.imap(open(FILENAME)?, worker) {
        println!("{}", result?);
    }
    Ok(())
}

const FILENAME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/seeds/filename");

/// The page leaves open what is done.
fn do_something(line: String) -> String {
    line.to_uppercase()
}

/// The lines of a file, as Python's `open` gives them.
fn open(filename: &str) -> Result<impl Iterator<Item = String>, std::io::Error> {
    Ok(BufReader::new(File::open(filename)?).lines().map_while(Result::ok))
}
