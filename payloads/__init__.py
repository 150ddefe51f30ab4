"""What is asked: prompts, the corpora they come from, and the seeded choice among them."""
