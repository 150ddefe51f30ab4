"""What the random inputs are made of: sound ones of each kind, the edits that mutate them, pieces that tend to hurt."""

import gzip
import random

from tokenswarm.folder.row import COLUMNS

CHAT = b'{"message":{"role":"assistant","content":"Blue <think>hm</think> \\u00e9"},"done":false}\n'
CALL = b'{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":[1,2.5e3]}}}]}}\n'
DONE = (
    b'{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":12,"eval_count":5,'
    b'"eval_duration":80000000,"load_duration":1,"total_duration":90000000,"context":[1,2,3]}\n'
)
DELTA = b'data: {"choices":[{"index":0,"delta":{"content":"Blue","reasoning":"hm"},"finish_reason":null}]}\n\n'
USAGE = (
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":5,'
    b'"total_tokens":17,"prompt_tokens_details":{"cached_tokens":3}},"timings":{"predicted_ms":80.5}}\n\n'
)
BODIES = [
    CHAT * 3 + CALL + DONE,
    b'{"response":"a","done":false}\n' + DONE,
    DELTA * 3 + USAGE + b"data: [DONE]\n\n",
    b': ping\r\nevent: error\r\ndata: {"error":{"message":"no","code":500}}\r\n\r\n',
    b'{"choices":[{"text":"a","message":{"content":[{"type":"text","text":"b"}]},"finish_reason":"length"}]}',
    b'{"embeddings":[[1.0,2.0],[0.5,1e-3]],"prompt_eval_count":4}',
    b'{"data":[{"index":0,"embedding":"AACAPwAAAEA="},{"index":1,"embedding":[1,2]}],"usage":{"total_tokens":3}}',
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>",
    b'{"error":"model \\"x\\" not found"}',
    b"",
]
HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\n{}\n\n\r\n3;x=y\r\n{}\n\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: x\r\n\r\n{}",
    b"HTTP/1.0 429 Too Many\r\nRetry-After: 5\r\nConnection: close\r\n\r\nslow down",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"a body"),
    b"HTTP/1.1 301 Moved\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n",
]
PAYLOADS: dict[str, bytes] = {
    "own.jsonl": b'{"prompt":"a","id":"x","max_tokens":5,"tags":["t"],"options":{"seed":1},"weight":2}\n'
    b'{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],"expect":{"contains":"a"}}\n'
    b'{"turns":["a",{"content":"b","delay_s":1}],"format":"json","images":["aGk="]}\n'
    b'{"prompt_tokens":"512","output_tokens":100}\n',
    "openai.jsonl": b'{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":'
    b'[{"role":"user","content":[{"type":"text","text":"a"}]}],"tools":[{"type":"function","function":{"name":"f",'
    b'"parameters":{"type":"object"}}}]}}\n',
    "share.json": b'[{"id":"a","conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]},'
    b'{"instruction":"do","input":"x","output":"y"}]',
    "bench.jsonl": b'{"question_id":81,"category":"writing","turns":["a","b"]}\n'
    b'{"id":"s","question":[[{"role":"user","content":"q"}]],"function":[{"name":"f","parameters":{"type":"dict"}}]}\n',
    "table.csv": b'prompt,max_tokens\r\n"a, b",5\r\nc,6\r\n',
    "lines.txt": b"one\n\ntwo\xc3\xa9\n# three\n",
}
TRACES: dict[str, bytes] = {
    "azure.csv": b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"
    b"2023-11-16 18:17:04.0319600,110,27\n",
    "burst.csv": b"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,x\n",
    "mooncake.jsonl": b'{"timestamp": 0, "input_length": 6755, "output_length": 500, "hash_ids": [0, 1]}\n'
    b'{"timestamp": 3000, "input_length": 7319, "output_length": 490, "hash_ids": [0]}\n',
    "own.csv": b"at_s,prompt_tokens,output_tokens\n0,100,10\n0.5,200,20\n",
    "requests.csv": (",".join(COLUMNS) + "\n").encode(),
}
TEXTS = """a=3,b=1|llama3.2:1b|OllamaChatUser=3,OllamaGenerateUser=1|1x60s, 2..16x5m|poisson 5/s
ramp 1/s..20/s over 5m|gamma 5/s cv=2|steps 1/s 2/s each 30s|lognormal 512 cv=0.5|100..1000|512±64|10m..20m|1h20m|64MB
ttft_ms p95 < 500; outcome ok > 99%|check json_invalid < 1 %|temperature=0,num_ctx=8192|{"seed": 1, "stop": ["a"]}
OllamaChatUser: think=true; seed=3|http://user:pw@127.0.0.1:11434/base/v1?key=1|https://[::1]:80|regex:^a+$
schema:x.json|contains:x|equals:|Name: value|0.0.0.0:9464|2x|+x=null|low|chat=3,code|a:3,b:1""".replace(
    "\n", "|"
).split("|")
SIGNS = (
    "\\ / \" ' { } [ ] , : = % .. <think> </think> null true NaN -1 1e999 0x1 1_0 \\ud83d data: [DONE] done 9 ² - + "
    "inf nan error message choices content usage 99999999999999999999h 1e309s ９ \u202e \x1b[2J"
)
PIECES = [
    *map(str.encode, SIGNS.split()),
    *(b"\x00", b"\r", b"\n", b"\r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"event: error\n", b"9" * 25, b"9" * 400),
    *(b"[" * 2000, b'{"a":' * 2000, b"x" * 5000, b" " * 3000),
]


def mutate(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Some edits at random: bits, slices, pieces that tend to hurt, and halves of something else."""
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 5, 9))):
        at, end = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
        end = min(end, at + chance.choice((1, 2, 8, 64, 10_000)))
        kind = chance.randrange(7)
        if kind == 0 and data:
            at = chance.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[end:]
        elif kind == 2:
            data = data[:end] + data[at:end] * chance.choice((1, 2, 5, 50)) + data[end:]
        elif kind in (3, 4):
            data = data[:at] + chance.choice(PIECES) + data[at if kind == 3 else end :]
        elif kind == 5:
            data = data[:at] + chance.randbytes(chance.randrange(20)) + data[end:]
        else:
            other = chance.choice(others)
            data = data[:at] + other[chance.randrange(len(other) + 1) :]
    return data[:100_000]


def cut(chance: random.Random, data: bytes) -> list[bytes]:
    size = chance.choice((1 << 20, 1 << 20, 4096, 100, 7))
    return [data[at : at + size] for at in range(0, len(data), size)]
