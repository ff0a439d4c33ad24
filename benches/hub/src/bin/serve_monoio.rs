//! monoio on a ring with SINGLE_ISSUER and DEFER_TASKRUN, which it does not set by itself.

use greenlet_hub_benches::serve::{Answers, Arguments, BUFFER, Mode, announce};
use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::{IoUringDriver, RuntimeBuilder};

fn main() {
    let arguments = Arguments::read();
    let mut flags = io_uring_of_monoio::IoUring::builder();
    flags.setup_single_issuer().setup_defer_taskrun();
    let runtime = RuntimeBuilder::<IoUringDriver>::new().uring_builder(flags).build();
    let mut runtime = runtime.expect("a runtime on a ring with DEFER_TASKRUN");
    runtime.block_on(async move {
        let listener = TcpListener::from_std(arguments.listen()).expect("the runtime's listener");
        announce();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            monoio::spawn(connection(stream, arguments.mode));
        }
    });
}

async fn connection(mut stream: TcpStream, mode: Mode) {
    let mut answers = Answers::new(mode);
    let mut buffer = vec![0; BUFFER];
    loop {
        let (received, whole) = stream.read(buffer).await;
        buffer = whole;
        let Ok(length @ 1..) = received else { return };
        let Some(reply) = answers.reply_owned(&buffer[..length]) else { return };
        let sent = match reply {
            Some(text) => stream.write_all(text).await.0,
            None => {
                let (sent, slice) = stream.write_all(buffer.slice(..length)).await;
                buffer = slice.into_inner();
                sent
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
