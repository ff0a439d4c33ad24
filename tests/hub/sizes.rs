//! Closures and results of any size and alignment.

use greenlet::spawn;

#[repr(align(128))]
#[derive(Clone, Copy, PartialEq, Debug)]
struct Wide([u8; 128]);

#[repr(align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

fn there_and_back<const N: usize>() {
    let bytes: [u8; N] = std::array::from_fn(|i| i as u8);
    let back = spawn(move || bytes).join().unwrap();
    assert!(back == bytes);
}

#[test]
fn closures_and_results_of_every_size_arrive_whole() {
    there_and_back::<0>();
    there_and_back::<1>();
    there_and_back::<63>();
    there_and_back::<400>();
    there_and_back::<1015>();
    there_and_back::<1016>();
    there_and_back::<1017>();
    there_and_back::<1024>();
    there_and_back::<5000>();
}

#[test]
fn alignment_is_kept() {
    let wide = Wide([7; 128]);
    let check = move || {
        assert_eq!((&raw const wide).addr() % 128, 0);
        wide
    };
    let back = spawn(check).join().unwrap();
    assert_eq!(back, wide);
    let lines = [Line([1; 64]); 15];
    let sum = spawn(move || {
        assert_eq!((&raw const lines).addr() % 64, 0);
        lines.iter().map(|line| u32::from(line.0[63])).sum::<u32>()
    });
    assert_eq!(sum.join().unwrap(), 15);
}

#[test]
fn a_value_can_be_looked_at_in_place() {
    let task = spawn(|| Wide([3; 128]));
    assert!(task.value().is_none());
    task.wait();
    let value = task.value().unwrap();
    assert_eq!((&raw const *value).addr() % 128, 0);
    assert_eq!(value.0[127], 3);
}
