//! tokio on the current thread.

use greenlet_hub_benches::serve::{Arguments, announce, tokio_connections};

fn main() {
    let arguments = Arguments::read();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let listener = arguments.listen();
        announce();
        tokio_connections(listener, arguments.mode).await;
    });
}
