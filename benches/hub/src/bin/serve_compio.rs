//! compio on a ring with SINGLE_ISSUER and DEFER_TASKRUN, which it does not set by itself.

use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::driver::ProactorBuilder;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::RuntimeBuilder;
use greenlet_hub_benches::serve::{Answers, Arguments, BUFFER, Mode, announce};

fn main() {
    let arguments = Arguments::read();
    let mut driver = ProactorBuilder::new();
    driver.single_issuer(true).defer_taskrun(true);
    let runtime = RuntimeBuilder::new().with_proactor(driver).build();
    let runtime = runtime.expect("a runtime on a ring with DEFER_TASKRUN");
    runtime.block_on(async move {
        let listener = TcpListener::from_std(arguments.listen()).expect("the runtime's listener");
        announce();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            compio::runtime::spawn(connection(stream, arguments.mode)).detach();
        }
    });
}

async fn connection(mut stream: TcpStream, mode: Mode) {
    let mut answers = Answers::new(mode);
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        buffer.clear();
        let BufResult(received, whole) = stream.read(buffer).await;
        buffer = whole;
        let Ok(length @ 1..) = received else { return };
        let Some(reply) = answers.reply_owned(&buffer[..length]) else { return };
        let sent = match reply {
            Some(text) => stream.write_all(text).await.0,
            None => {
                let BufResult(sent, slice) = stream.write_all(buffer.slice(..length)).await;
                buffer = slice.into_inner();
                sent
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
