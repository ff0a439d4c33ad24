// Tasks and timers in Go, asked one line at a time: `what size laps` -> nanoseconds, or `no`. The loops are
// those of src/tasks.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const (
	far     = 10 * time.Second
	members = 100
)

// Processor time of the process, since goroutines change threads.
func cpuTime() time.Duration {
	const processCPUTime = 2
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, processCPUTime, uintptr(unsafe.Pointer(&now)), 0)
	return time.Duration(now.Nano())
}

// One channel per task is the nearest to a handle to join.
func batches(size, laps int) {
	tasks := make([]chan int, size)
	for lap := 0; lap < laps; lap++ {
		for i := range tasks {
			done := make(chan int, 1)
			tasks[i] = done
			go func(value int) { done <- value }(lap)
		}
		for _, done := range tasks {
			<-done
		}
	}
}

func all(size int, run func(task int)) {
	done := make(chan int, size)
	for i := 0; i < size; i++ {
		go func(task int) {
			run(task)
			done <- task
		}(i)
	}
	for i := 0; i < size; i++ {
		<-done
	}
}

func yields(size, laps int) {
	all(size, func(int) {
		for lap := 0; lap < laps; lap++ {
			runtime.Gosched()
		}
	})
}

func sleepLength(task, lap int) time.Duration {
	mixed := (uint64(task)*0x9e3779b9 + uint64(lap)*0x85ebca6b) >> 3
	return time.Duration(1+mixed%10) * time.Millisecond
}

func sleeps(size, laps int) {
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	all(size, func(task int) {
		for lap := 0; lap < laps; lap++ {
			time.Sleep(sleepLength(task, lap))
		}
	})
}

func timeouts(size, laps int) {
	all(size, func(int) {
		for lap := 0; lap < laps; lap++ {
			within, cancel := context.WithTimeout(context.Background(), far)
			runtime.Gosched()
			if within.Err() != nil {
				panic("it does not fire")
			}
			cancel()
		}
	})
}

func handOff(capacity, laps int) {
	items := make(chan int, capacity)
	all(2, func(task int) {
		for lap := 0; lap < laps; lap++ {
			if task == 0 {
				<-items
			} else {
				items <- lap
			}
		}
	})
}

func contend(size, laps int, take, give func()) {
	all(size, func(int) {
		for lap := 0; lap < laps; lap++ {
			take()
			if size > 1 {
				runtime.Gosched()
			}
			give()
		}
	})
}

func mutexes(size, laps int) {
	var mutex sync.Mutex
	contend(size, laps, mutex.Lock, mutex.Unlock)
}

// A channel with room for as many as there are permits.
func semaphores(size, laps int) {
	taken := make(chan struct{}, (size+1)/2)
	contend(size, laps, func() { taken <- struct{}{} }, func() { <-taken })
}

func broadcasts(size, laps int) {
	var mutex sync.Mutex
	told := sync.NewCond(&mutex)
	here, lapsTold := 0, 0
	allHere := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		all(size, func(int) {
			for lap := 0; lap < laps; lap++ {
				mutex.Lock()
				here++
				if here == size {
					allHere <- struct{}{}
				}
				for lapsTold == lap {
					told.Wait()
				}
				mutex.Unlock()
			}
		})
		close(done)
	}()
	for lap := 0; lap < laps; lap++ {
		<-allHere
		mutex.Lock()
		here, lapsTold = 0, lap+1
		mutex.Unlock()
		told.Broadcast()
	}
	<-done
}

// What is nearest to a pool's map: as many goroutines as it has members, fed by a channel.
func mapped(size, laps int) {
	for lap := 0; lap < laps; lap++ {
		items := make(chan int)
		results := make([]int, size)
		var working sync.WaitGroup
		for member := 0; member < members; member++ {
			working.Add(1)
			go func() {
				defer working.Done()
				for item := range items {
					results[item] = item
				}
			}()
		}
		for item := range results {
			items <- item
		}
		close(items)
		working.Wait()
	}
}

func peakBytes() string {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "VmHWM:" {
			kilobytes, _ := strconv.Atoi(words[1])
			return strconv.Itoa(kilobytes * 1024)
		}
	}
	return "no"
}

func main() {
	loops := map[string]func(size, laps int){
		"spawn": batches, "yield": yields, "sleep": sleeps, "timeout": timeouts,
		"queue": handOff, "mutex": mutexes, "semaphore": semaphores, "event": broadcasts,
		"pool": mapped,
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if words[0] == "version" {
			fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
			continue
		}
		if words[0] == "peak" {
			fmt.Println(peakBytes())
			continue
		}
		size, _ := strconv.Atoi(words[1])
		laps, _ := strconv.Atoi(words[2])
		run := loops[words[0]]
		if run == nil {
			fmt.Println("no")
			continue
		}
		began := cpuTime()
		run(size, laps)
		fmt.Println((cpuTime() - began).Nanoseconds())
	}
}
