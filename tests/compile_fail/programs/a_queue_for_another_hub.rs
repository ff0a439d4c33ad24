use greenlet::HubHandle;
use greenlet::sync::queue::Queue;

fn pass_on(there: &HubHandle, queue: Queue<u32>) {
    let _ = there.spawn(move || queue.put(1));
}

fn main() {}
