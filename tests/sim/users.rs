//! A user's own test: that of the example.

#[path = "../../examples/simulated.rs"]
mod simulated;

#[test]
fn the_program_of_the_example_holds_under_every_seed() {
    let oldest = simulated::try_seeds(30);
    assert!((59..=70).contains(&oldest), "{oldest}");
}
