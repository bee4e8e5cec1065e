# SPDX-License-Identifier: Apache-2.0
"""The client's end of a WebSocket (RFC 6455), as much as the tests need."""
import base64
import hashlib
import os
import struct


class WebSocket:
    def __init__(self, sock, path, headers=None):
        key = base64.b64encode(os.urandom(16)).decode()
        head = {"Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade",
                "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13", **(headers or {})}
        sock.sendall(f"GET {path} HTTP/1.1\r\n".encode() +
                     b"".join(f"{k}: {v}\r\n".encode() for k, v in head.items()) + b"\r\n")
        self.sock = sock
        self.file = sock.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()):
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        if self.status == 101:
            guid = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            want = base64.b64encode(hashlib.sha1(guid.encode()).digest()).decode()
            assert self.headers["sec-websocket-accept"] == want

    def body(self):
        return self.file.read(int(self.headers["content-length"]))

    def send(self, data, opcode=None):
        if opcode is None:
            opcode = 1 if isinstance(data, str) else 2
        data = data.encode() if isinstance(data, str) else data
        mask = os.urandom(4)
        n = len(data)
        size = (bytes([0x80 | n]) if n < 126 else
                b"\xfe" + struct.pack(">H", n) if n < 65536 else b"\xff" + struct.pack(">Q", n))
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        self.sock.sendall(bytes([0x80 | opcode]) + size + mask + masked)

    def receive(self):
        """(opcode, payload) of the next frame; (8, ...) is a close."""
        first, second = self.file.read(2)
        n = second & 0x7f
        if n == 126:
            n, = struct.unpack(">H", self.file.read(2))
        elif n == 127:
            n, = struct.unpack(">Q", self.file.read(8))
        return first & 0x0f, self.file.read(n)

    def close(self):
        self.file.close()
        self.sock.close()
