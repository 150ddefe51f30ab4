"""Service level objectives: their language, their judge, JUnit."""
