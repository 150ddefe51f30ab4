"""Checks of answers: JSON, schemas, repetition, what was expected."""
