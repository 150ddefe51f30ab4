"""How it is said: bytes in, values out; one file per API. Pure: no clock, no socket, no Locust."""
