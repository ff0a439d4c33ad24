use greenlet::offload;
use greenlet::sync::Event;

fn set_there(event: &'static Event) {
    offload(move || event.set());
}

fn main() {}
