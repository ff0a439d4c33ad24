fn main() {
    let text = String::new();
    greenlet::spawn(|| text.len()).join().unwrap();
}
