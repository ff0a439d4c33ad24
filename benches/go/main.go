// Go, asked one line at a time: `what size laps` -> nanoseconds, or `no`.
//
// Go has no coroutines to switch between; a pair of unbuffered channels is the nearest to a switch with a
// value, Gosched the nearest to a switch to the next sibling. The loops are those of src/work.rs.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Processor time, as src/measure.rs takes it; of the process, since goroutines change threads.
func cpuTime() time.Duration {
	const processCPUTime = 2
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, processCPUTime, uintptr(unsafe.Pointer(&now)), 0)
	return time.Duration(now.Nano())
}

type pair struct{ in, out chan uint }

func (p pair) resume(value uint) uint {
	p.in <- value
	return <-p.out
}

func (p pair) suspend(value uint) uint {
	p.out <- value
	return <-p.in
}

//go:noinline
func one(p pair, value uint) uint { return p.suspend(value+1) + 1 }

//go:noinline
func two(p pair, value uint) uint { return one(p, value+1) + 1 }

//go:noinline
func three(p pair, value uint) uint { return two(p, value+1) + 1 }

//go:noinline
func four(p pair, value uint) uint { return three(p, value+1) + 1 }

//go:noinline
func otherOne(p pair, value uint) uint { return p.suspend(value+3) + 3 }

//go:noinline
func otherTwo(p pair, value uint) uint { return otherOne(p, value+3) + 3 }

func zero(p pair, value uint) uint { return p.suspend(value) }

func start(step func(pair, uint) uint) pair {
	p := pair{make(chan uint), make(chan uint)}
	go func() {
		value := <-p.in
		for {
			value = step(p, value)
		}
	}()
	p.resume(0)
	return p
}

//go:noinline
func resumerOne(p pair, value uint) uint { return p.resume(value+1) + 1 }

//go:noinline
func resumerTwo(p pair, value uint) uint { return resumerOne(p, value+1) + 1 }

type loop func(laps int) time.Duration

func timed(run func(laps int)) loop {
	return func(laps int) time.Duration {
		began := cpuTime()
		run(laps)
		return cpuTime() - began
	}
}

func roundTrip(depth int) loop {
	p := start(map[int]func(pair, uint) uint{0: zero, 2: two, 4: four}[depth])
	return timed(func(laps int) {
		var value uint
		for ; laps > 0; laps-- {
			value = p.resume(value)
		}
	})
}

func resumerTwoDeep(int) loop {
	p := start(four)
	return timed(func(laps int) {
		var value uint
		for ; laps > 0; laps-- {
			value = resumerTwo(p, value)
		}
	})
}

func inTurn(count int, odd func(pair, uint) uint) loop {
	pairs := make([]pair, count)
	for i := range pairs {
		if i%2 == 0 {
			pairs[i] = start(two)
		} else {
			pairs[i] = start(odd)
		}
	}
	return timed(func(laps int) {
		var value uint
		for ; laps > 0; laps-- {
			for i := range pairs {
				value = pairs[i].resume(value)
			}
		}
	})
}

//go:noinline
func yieldOne() int { runtime.Gosched(); return 1 }

//go:noinline
func yieldTwo() int { return yieldOne() + 1 }

// The goroutines outlive a measurement, parked: starting 10,000 of them would be most of it.
func direct(count int) loop {
	starts := make([]chan int, count)
	took := make(chan time.Duration)
	finished := make(chan int, count)
	for i := range starts {
		starts[i] = make(chan int, 1)
		go func(i int) {
			for laps := range starts[i] {
				// One lap more, in which the others wake up; the first goroutine holds the clock.
				sum := yieldTwo()
				began := cpuTime()
				for lap := 0; lap < laps; lap++ {
					sum += yieldTwo()
				}
				if i == 0 {
					took <- cpuTime() - began
				}
				finished <- sum
			}
		}(i)
	}
	return func(laps int) time.Duration {
		for _, start := range starts {
			start <- laps
		}
		result := <-took
		for range starts {
			<-finished
		}
		return result
	}
}

func createFinish(int) loop {
	return timed(func(laps int) {
		done := make(chan uint)
		var value uint
		for ; laps > 0; laps-- {
			go func(first uint) { done <- first + 1 }(value)
			value = <-done
		}
	})
}

func find(what string, size int) loop {
	switch what {
	case "round_trip":
		return roundTrip(size)
	case "resumer_two_deep":
		return resumerTwoDeep(size)
	case "two_chains":
		return inTurn(size, otherTwo)
	case "ring":
		return inTurn(size, two)
	case "direct":
		return direct(size)
	case "create_finish":
		return createFinish(size)
	}
	return nil
}

func main() {
	asked, run := "", loop(nil)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if words[0] == "version" {
			fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
			continue
		}
		size, _ := strconv.Atoi(words[1])
		laps, _ := strconv.Atoi(words[2])
		if asked != words[0]+words[1] {
			asked, run = words[0]+words[1], find(words[0], size)
		}
		if run == nil {
			fmt.Println("no")
			continue
		}
		fmt.Println(run(laps).Nanoseconds())
	}
}
