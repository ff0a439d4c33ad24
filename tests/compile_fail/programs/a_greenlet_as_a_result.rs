use greenlet::HubHandle;

fn fetch(there: &HubHandle) {
    let _ = there.spawn(greenlet::current);
}

fn main() {}
