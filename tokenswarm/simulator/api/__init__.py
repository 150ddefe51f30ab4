"""What the simulator speaks: one dialect a file, request readers, replies, management."""
