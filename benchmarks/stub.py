"""An endpoint that takes events as fast as it can be sent them, for whatever speaks HTTP.

    python benchmarks/stub.py 0.05

It prints its port, answers 200 after that many seconds, and counts the events of each body by a
word that each sender writes once for every event. ``GET /count`` tells how many there were.
A process of its own, so that its work is not the sender's.
"""

from __future__ import annotations

import asyncio
import gzip
import sys

ANSWER = b'{"events_received":%d,"messages":[],"fbtrace_id":"A"}'
WORDS = (b"event_name", b'"messageId"', b'"distinct_id"')


class Stub(asyncio.Protocol):
    counted = 0
    latency = 0.0

    def connection_made(self, transport):
        self.transport = transport
        self.received = bytearray()
        self.needed = 0

    def data_received(self, data):
        self.received += data
        while self.received and len(self.received) >= self.needed:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.received[:end]).lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            self.needed = end + 4 + length
            if len(self.received) < self.needed:
                return
            body = self.received[end + 4 : self.needed]
            del self.received[: self.needed]
            self.needed = 0
            self.take(head, gzip.decompress(body) if b"content-encoding: gzip" in head else body)

    def take(self, head, body):
        if head.startswith(b"get /count"):
            self.answer(str(Stub.counted).encode())
            return
        if Stub.latency:
            loop = asyncio.get_running_loop()
            loop.call_later(Stub.latency, self.accept, body)
        else:
            self.accept(body)

    def accept(self, body):
        count = next((found for word in WORDS if (found := body.count(word))), 0)
        Stub.counted += count
        self.answer(ANSWER % count)

    def answer(self, body):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)


async def main(latency: float) -> None:
    Stub.latency = latency
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0, backlog=500)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # ends with whoever started it


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
