"""Who asks, and when: Locust User classes, the transport, the preflight. The only room with sockets and gevent."""
