"""The parts of a report, one file a part."""
