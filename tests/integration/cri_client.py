# SPDX-License-Identifier: Apache-2.0
"""A client of the Container Runtime Interface: its calls, and the WebSockets of exec, attach and port-forward.

The messages are made of descriptors (tests/host/cri-proto); nothing here knows them.
"""
import base64
import os
import socket
import struct
import threading
import time
import urllib.parse

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


class Cri:
    """call("Status", {}) asks runtime.v1.RuntimeService; fields by their names in api.proto."""

    def __init__(self, address, descriptors):
        # A containerd that restarts is not to be waited for longer than it takes.
        patience = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
        self.channel = grpc.insecure_channel("unix://" + address, options=patience)
        self.pool = descriptor_pool.DescriptorPool()
        files = descriptor_pb2.FileDescriptorSet()
        with open(descriptors, "rb") as f:
            files.ParseFromString(f.read())
        for file in files.file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def call(self, method, request=None, service="RuntimeService", timeout=120):
        name = "runtime.v1." + service
        found = self.pool.FindServiceByName(name).FindMethodByName(method)
        message = self.factory.GetPrototype(found.input_type)()
        json_format.ParseDict(request or {}, message)
        ask = self.channel.unary_unary(
            f"/{name}/{method}",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=self.factory.GetPrototype(found.output_type).FromString,
        )
        return ask(message, timeout=timeout, wait_for_ready=True)

    def wait_ready(self, seconds):
        end = time.monotonic() + seconds
        while True:
            try:
                conditions = self.call("Status", timeout=5).status.conditions
                if all(c.status for c in conditions):
                    return True
            except grpc.RpcError:
                pass
            if time.monotonic() > end:
                return False
            time.sleep(0.2)


class Streams:
    """One streaming request: channels of bytes over a WebSocket (RFC 6455), the first byte of a frame
    being the channel. received[n] is what has come on channel n; closed is set at the end."""

    STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)

    def __init__(self, url, query=""):
        parts = urllib.parse.urlsplit(url)
        self.sock = socket.create_connection((parts.hostname, parts.port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET {parts.path}{query} HTTP/1.1\r\nHost: {parts.netloc}\r\nOrigin: http://{parts.netloc}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n".encode()
        )
        self.file = self.sock.makefile("rb")
        status = self.file.readline()
        while self.file.readline().strip():
            pass
        if b" 101 " not in status:
            raise ConnectionError(status.decode())
        self.sock.settimeout(None)
        self.received = {}
        self.closed = False
        self.changed = threading.Condition()
        threading.Thread(target=self._receive, daemon=True).start()

    def _frame(self):
        head = self.file.read(2)
        if len(head) < 2:
            return None, b""
        size = head[1] & 127
        if size > 125:
            size = struct.unpack(*((">H", self.file.read(2)) if size == 126 else (">Q", self.file.read(8))))[0]
        return head[0] & 15, self.file.read(size)

    def _receive(self):
        while True:
            try:
                kind, data = self._frame()
            except OSError:
                kind, data = None, b""
            with self.changed:
                if kind is None or kind == 8:
                    self.closed = True
                elif kind in (0, 1, 2) and data:
                    self.received[data[0]] = self.received.get(data[0], b"") + data[1:]
                self.changed.notify_all()
                if self.closed:
                    return

    def send(self, channel, data):
        payload = bytes([channel]) + data
        size = len(payload)
        head = struct.pack(">BBH", 0x82, 0x80 | 126, size) if size < 65536 else struct.pack(">BBQ", 0x82, 0x80 | 127, size)
        # A mask of zeros is a mask.
        self.sock.sendall(head + bytes(4) + payload)

    def wait(self, test, seconds=60):
        with self.changed:
            return self.changed.wait_for(lambda: test(self), seconds)

    def wait_text(self, channel, text, seconds=60):
        return self.wait(lambda s: text in s.received.get(channel, b""), seconds)

    def wait_end(self, seconds=60):
        return self.wait(lambda s: s.closed, seconds)

    def text(self, channel):
        return self.received.get(channel, b"").decode(errors="replace")

    def close(self):
        self.sock.close()
