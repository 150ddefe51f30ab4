"""Who answers: an Ollama- and OpenAI-compatible server with a known schedule, for when no real one is given."""
