//! glommio with one executor.

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutorBuilder, Placement};
use greenlet_hub_benches::serve::{Answers, Arguments, BUFFER, Mode, announce};

fn main() {
    let arguments = Arguments::read();
    let executor = LocalExecutorBuilder::new(Placement::Unbound).make().expect("an executor");
    executor.run(async move {
        let listener = TcpListener::bind(arguments.address).expect("a free port");
        announce();
        loop {
            let Ok(stream) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            glommio::spawn_local(connection(stream, arguments.mode)).detach();
        }
    });
}

async fn connection(mut stream: TcpStream, mode: Mode) {
    let mut answers = Answers::new(mode);
    let mut buffer = [0; BUFFER];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let Some(reply) = answers.reply(&buffer[..length]) else { return };
        if stream.write_all(reply).await.is_err() {
            return;
        }
    }
}
