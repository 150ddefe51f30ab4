"""Who answers: an Ollama- and OpenAI-compatible server with a known schedule, for when no real one is given.

`api/` reads requests and writes answers, `engine/` is its time (slots, steps, loads), `model/` what is said and what
goes wrong on purpose. Here: the process (`__main__`, `settings`), HTTP (`app`, `transport`), what all endpoints share
(`server`), what was really sent (`truth`); and `llama`, a real model instead. It imports nothing of the other rooms.
"""
