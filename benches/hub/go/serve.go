// The servers of the comparison in Go: `serve <echo|http> <address>`; http is net/http.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

const bufferBytes = 4096

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, bufferBytes)
	for {
		length, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err = connection.Write(buffer[:length]); err != nil {
			return
		}
	}
}

func main() {
	if len(os.Args) != 3 || (os.Args[1] != "echo" && os.Args[1] != "http") {
		fmt.Fprintln(os.Stderr, "usage: serve <echo|http> <address:port>")
		os.Exit(2)
	}
	// Small messages leave at once: net sets TCP_NODELAY on every connection.
	listener, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println("listening")
	if os.Args[1] == "http" {
		body := []byte("Hello, world!")
		hello := http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			answer.Header().Set("Content-Type", "text/plain")
			answer.Write(body)
		})
		fmt.Fprintln(os.Stderr, http.Serve(listener, hello))
		os.Exit(2)
	}
	for {
		connection, err := listener.Accept()
		if err == nil {
			go echo(connection)
		}
	}
}
