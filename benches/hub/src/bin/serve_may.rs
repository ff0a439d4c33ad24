//! may with one worker.

use std::io::{Read, Write};

use greenlet_hub_benches::serve::{Answers, Arguments, BUFFER, Mode, announce, deepen_backlog};
use may::net::{TcpListener, TcpStream};

fn main() {
    let arguments = Arguments::read();
    may::config().set_workers(1);
    let serving = may::go!(move || {
        let listener = TcpListener::bind(arguments.address).expect("a free port");
        deepen_backlog(&listener);
        announce();
        loop {
            let Ok((stream, _)) = listener.accept() else { continue };
            let _ = stream.set_nodelay(true);
            may::go!(move || connection(stream, arguments.mode));
        }
    });
    let _ = serving.join();
}

fn connection(mut stream: TcpStream, mode: Mode) {
    let mut answers = Answers::new(mode);
    let mut buffer = [0; BUFFER];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        let Some(reply) = answers.reply(&buffer[..length]) else { return };
        if stream.write_all(reply).is_err() {
            return;
        }
    }
}
