"""How it is said: bytes in, values out (`values`); one file an API, `apis` has them. Pure: no clock, no socket.

Out: `body`, by what `openai`, `ollama`, `embeddings`, `images` and `tool_ids` share. In: `framing` cuts frames,
`reading` reads them one by one, `stretch` and `alike` many at once; `lenient`, `odd_frames`, `errors`, `endings` and
`habits` are what servers do otherwise; `watch` looks while a body still comes. In each process with users, and in the
preflight.
"""
