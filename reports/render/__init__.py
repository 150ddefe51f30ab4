"""A document as html, Markdown and terminal text; numbers and plots."""
