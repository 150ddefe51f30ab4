"""Load tests for LLM servers on Locust; importing this alone imports nothing, and patches nothing."""
