"""What is asked: prompts, the corpora they come from, and the seeded choice among them."""

if __name__ == "payloads":  # a second module for the same file would make every class twice
    raise ImportError("say tokenswarm.payloads")
