"""Files of prompts as people have them: which format it is, and one reader a format."""
