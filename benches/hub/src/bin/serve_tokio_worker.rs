//! tokio's multi-threaded runtime with one worker.

use greenlet_hub_benches::serve::{Arguments, announce, tokio_connections};

fn main() {
    let arguments = Arguments::read();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().build();
    let runtime = runtime.expect("a runtime");
    // Spawned, because what blocks on the main thread is no task of the worker.
    let serving = runtime.spawn(async move {
        let listener = arguments.listen();
        announce();
        tokio_connections(listener, arguments.mode).await;
    });
    runtime.block_on(serving).expect("the server goes on");
}
