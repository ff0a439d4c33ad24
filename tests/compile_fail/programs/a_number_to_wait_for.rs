fn main() {
    greenlet::wait(&[&7]).first();
}
