"""How long a prompt is, roughly, where nobody has counted yet: by its characters."""

from tokenswarm.payloads.prompt import Prompt

# Of the usual vocabularies: English within a tenth, Chinese within a third (their counts of it differ by 83 %).
LATIN_CHARACTERS, WIDE_TOKENS = 4.0, 0.7  # characters a token; tokens a character of Chinese, Japanese, Korean


def about_tokens(prompt: Prompt) -> float:
    """The tokens of a prompt's first request, estimated; those of one that is made up are known."""
    if prompt.recipe:
        return prompt.recipe.tokens.mean
    text = "".join(message.content for message in prompt.messages)
    # In UTF-8 a wide character has two bytes more than a letter.
    wide = 0 if text.isascii() else (len(text.encode("utf-8", "replace")) - len(text)) / 2
    return (len(text) - wide) / LATIN_CHARACTERS + wide * WIDE_TOKENS
