"""A server that misbehaves: `/NAME/…` where it should generate, `/all/NAME/…` whatever is asked; and by its ports.

`python tests/hostile/server.py` prints one line of JSON: the address of each behaviour, by its name.
"""

import contextlib
import json
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from behaviours import ANSWERS, CHUNKED, END, RESET, TOKEN, Steps, bomb, chunk, done, lines, nested, slug, whole

LONG_S = 1000.0
BOMB = "a-gzip-bomb-of-8-mb"
MODEL = {"name": "m", "size": 1, "size_vram": 1, "expires_at": "2026-01-01T00:00:00Z"}
HEALTHY = {
    "/api/version": {"version": "0.33.4"},
    "/api/tags": {"models": [MODEL]},
    "/api/ps": {"models": [MODEL]},
    "/api/show": {"model_info": {"x.context_length": 4096}},
}
# What a server says when it is asked what there is: the answer to one path, all others as they should be.
SAID: dict[str, tuple[str, bytes]] = {
    "models are a number": ("/api/tags", b'{"models": 7}'),
    "models are null": ("/api/tags", b'{"models": null}'),
    "models hold null": ("/api/tags", b'{"models": [null, {"name": "m"}, 3, []]}'),
    "an empty name": ("/api/tags", b'{"models": [{"name": ""}, {"name": "m"}]}'),
    "a name that is none": ("/api/tags", b'{"models": [{"name": ["m"]}, {"name": {"a": 1}}, {"name": "m"}]}'),
    "half a character in a name": ("/api/tags", b'{"models": [{"name": "m\\ud83d"}]}'),
    "a name with blanks and commas": ("/api/tags", b'{"models": [{"name": " a, b; c=3 "}]}'),
    "a name with line ends": ("/api/tags", b'{"models": [{"name": "a\\r\\nb\\u001b[2J"}]}'),
    "a name of 100,000 characters": ("/api/tags", b'{"models": [{"name": "%s"}]}' % (b"n" * 100_000)),
    "20,000 models": ("/api/tags", lines({"models": [{"name": f"m{n}"} for n in range(20_000)]})),
    "deep models": ("/api/tags", b'{"models": %s}' % nested(100_000)),
    "20,000 models in memory": ("/api/ps", lines({"models": [{**MODEL, "name": f"m{n}"} for n in range(20_000)]})),
    "a size of 401 digits": ("/api/ps", b'{"models": [{"name": "m", "size": 1%s, "size_vram": -1}]}' % (b"0" * 400)),
    "sizes that are none": ("/api/ps", b'{"models": [{"name": "m", "size": "big", "size_vram": null}]}'),
    "a version that is none": ("/api/version", b'{"version": {"major": 1}}'),
    "a version of 1 MB": ("/api/version", b'{"version": "%s"}' % (b"1" * (1 << 20))),
    "a version with terminal codes": ("/api/version", b'{"version": "1\\u001b[2J\\r\\n=cmd()"}'),
}


BY_SLUG = {slug(name): name for name in (*ANSWERS, *SAID)}


def request(sock: socket.socket, held: bytes) -> tuple[bytes, bytes, bytes]:
    """Method and path, the body, and what came after it; b"" if the client has closed."""
    while b"\r\n\r\n" not in held:
        if not (more := sock.recv(65536)):
            return b"", b"", b""
        held += more
    head, _, held = held.partition(b"\r\n\r\n")
    fields = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    length = next((int(value) for name, _, value in fields if name == b"content-length"), 0)
    while len(held) < length:
        if not (more := sock.recv(65536)):
            return b"", b"", b""
        held += more
    return head.split(b" ")[1], held[:length], held[length:]


def speak(sock: socket.socket, steps: Steps) -> None:
    """Take the steps of one answer; close, or reset, where they end."""
    for step in steps:
        if isinstance(step, bytes):
            sock.sendall(step)
        elif isinstance(step, float):
            time.sleep(step)
        elif step == RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        else:
            sock.settimeout(LONG_S)
            with contextlib.suppress(OSError):
                while sock.recv(65536):
                    pass


def healthy(path: str, body: bytes) -> Iterator[bytes]:
    if path in HEALTHY:
        yield whole(lines(HEALTHY[path]))
    elif b'"stream":false' in body or not body:
        yield whole(lines({**done(), "message": {"role": "assistant", "content": "a b c d e"}}))
    else:
        yield CHUNKED + chunk(TOKEN * 5 + lines(done())) + END


def serve(sock: socket.socket) -> None:
    """One connection: healthy where it may be, else as the first part of the path says."""
    held = b""
    while True:
        path, body, held = request(sock, held)
        if not path:
            return
        parts = path.decode("latin-1").strip("/").split("/")
        every = parts[0] == "all"
        name, rest = parts[every], "/" + "/".join(parts[every + 1 :])
        name = BY_SLUG.get(name, name)
        if name in SAID and rest == SAID[name][0]:
            sock.sendall(whole(SAID[name][1]))
        elif name == BOMB and rest == "/api/tags":
            sock.sendall(whole(bomb(8000), more="Content-Encoding: gzip\r\n"))
        elif name in ANSWERS and (every or (rest not in HEALTHY and b'"stream":false' not in body)):
            speak(sock, ANSWERS[name]())
            return
        else:
            speak(sock, healthy(rest, body))


def silent(sock: socket.socket) -> None:
    """Accept, and never read."""
    time.sleep(LONG_S)


def half(sock: socket.socket) -> None:
    """Every second connection is reset."""
    half.count = getattr(half, "count", 0) + 1  # type: ignore[attr-defined]
    if half.count % 2:  # type: ignore[attr-defined]
        speak(sock, iter([RESET]))
    else:
        serve(sock)


def listen(handle: Callable[[socket.socket], None], backlog: int = 256) -> int:
    """A port whose connections are handled so, each in a thread."""
    server = socket.create_server(("127.0.0.1", 0), backlog=backlog)

    def one(sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            handle(sock)

    def accept() -> None:
        while True:
            sock, _ = server.accept()
            threading.Thread(target=one, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(server.getsockname()[1])


def over_tls(certificate: Path, then: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def handle(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as wrapped:
            then(wrapped)

    return handle


def certificate(folder: Path, name: str, *options: str) -> Path:
    """A new key and its certificate, in one file."""
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    subprocess.run([*command.split(), "-keyout", key, "-out", made, *options], check=True, capture_output=True)
    made.write_text(key.read_text() + made.read_text())
    return made


def by_port(folder: Path) -> dict[str, str]:
    """Behaviours that begin before any request does."""
    ports = {"never reads": listen(silent), "half are reset": listen(half)}
    unheard = socket.create_server(("127.0.0.1", 0), backlog=0)  # its queue is soon full: nobody accepts
    ports["never accepts"] = int(unheard.getsockname()[1])
    threading.Thread(target=lambda: time.sleep(LONG_S) or unheard, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ports["nobody there"] = int(free.getsockname()[1])
    found = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    try:
        here = certificate(folder, "here", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1")
        other = certificate(folder, "other", "-subj", "/CN=other.example")
    except (OSError, subprocess.CalledProcessError):
        return found
    tls = {
        "TLS: a certificate of nobody's": listen(over_tls(here, serve)),
        "TLS: a certificate for another": listen(over_tls(other, serve)),
        "TLS: none": listen(serve),
        "TLS: no answer to the handshake": listen(silent),
        "TLS: garbage": listen(lambda sock: speak(sock, iter([b"\x15\x03\x01\x00\x02\x02\x50" + bytes(100)]))),
        "TLS: closed in the handshake": listen(lambda sock: speak(sock, iter([0.05, RESET]))),
    }
    found |= {name: f"https://127.0.0.1:{port}" for name, port in tls.items()}
    trusted = listen(over_tls(here, lambda sock: speak(sock, iter([CHUNKED, RESET]))))
    return found | {"TLS: broken after it was shaken": f"https://127.0.0.1:{trusted}", "ca": str(here)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        port = listen(serve)
        here = f"http://127.0.0.1:{port}/"
        found = {name: here + slug(name) for name in (*ANSWERS, *SAID, "a gzip bomb of 8 MB", "healthy")}
        found |= by_port(Path(folder))
        print(json.dumps(found), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == "__main__":
    main()
