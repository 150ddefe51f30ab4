"""TLS records in, what they hold out: all of each as soon as its last byte has come, however the stream is cut."""

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.transport.receiving import decrypt

Pair = tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.SSLObject, ssl.MemoryBIO]


def pair(certificate: Path, version: ssl.TLSVersion) -> Pair:
    """A server and a client that have shaken hands, each with what comes out of the one, and into the other."""
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(certificate))
    serving.load_cert_chain(certificate)
    serving.maximum_version = version
    to_server, to_client, from_client = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    out = ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, out, server_side=True)
    client = asking.wrap_bio(to_client, from_client, server_hostname="localhost")
    for _ in range(4):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            to_server.write(from_client.read())
            to_client.write(out.read())
    return server, out, client, to_client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@given(data=st.data())
def test_what_a_record_holds_is_there_with_its_last_byte(
    certificate: Path, version: ssl.TLSVersion, data: st.DataObject
) -> None:
    server, out, client, incoming = pair(certificate, version)
    sizes = data.draw(st.lists(st.integers(1, 16384) | st.integers(1, 200), min_size=1, max_size=6))
    closes = data.draw(st.booleans())
    stream, whole_at = out.read(), {0: 0}  # how much is clear after so many bytes of the stream
    for number, size in enumerate(sizes):
        server.write(bytes([number]) * size)
        stream += out.read()
        whole_at[len(stream)] = sum(sizes[: number + 1])
    records = len(stream)
    if closes:
        with pytest.raises(ssl.SSLWantReadError):
            server.unwrap()
        stream += out.read()
    cuts = data.draw(st.lists(st.integers(0, len(stream)) | st.sampled_from(sorted(whole_at)), max_size=8))
    clear, at = b"", 0
    for cut in [*sorted(cuts), len(stream)]:
        incoming.write(stream[at:cut])
        at = cut
        part, ended = decrypt(client, incoming)
        clear += part
        assert len(clear) == max(total for place, total in whole_at.items() if place <= at)
        assert isinstance(ended, ssl.SSLZeroReturnError) == (closes and at == len(stream))
        assert ended is None or at > records
    assert clear == b"".join(bytes([number]) * size for number, size in enumerate(sizes))
