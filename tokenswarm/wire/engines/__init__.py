"""What engines say of their own work beside OpenAI's `usage`: one file an engine, all mapped to the same Usage."""
