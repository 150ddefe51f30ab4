"""What the simulator speaks: its paths (`routes`), one dialect a file, request readers, replies, management."""
