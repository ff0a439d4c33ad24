"""The servers of the comparison on gevent: `serve.py <echo|http> <address:port>`; http parses by hand."""

import socket
import sys

import gevent
from gevent import socket as green

BUFFER = 4096
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!"
)


def echo(connection):
    while received := connection.recv(BUFFER):
        connection.sendall(received)


def http(connection):
    kept = b""
    while received := connection.recv(BUFFER):
        kept += received
        count = kept.count(b"\r\n\r\n")
        if count:
            kept = kept[kept.rindex(b"\r\n\r\n") + 4 :]
            connection.sendall(RESPONSE * count)


def guarded(serve, connection):
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serve(connection)
    except OSError:
        pass
    finally:
        connection.close()


def main():
    serve = {"echo": echo, "http": http}[sys.argv[1]]
    host, port = sys.argv[2].rsplit(":", 1)
    listener = green.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, int(port)))
    listener.listen(4096)
    print("listening", flush=True)
    while True:
        connection, _ = listener.accept()
        gevent.spawn(guarded, serve, connection)


main()
