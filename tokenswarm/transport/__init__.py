"""Bytes and their times: connections, kernel stamps, slices of the event loop."""
