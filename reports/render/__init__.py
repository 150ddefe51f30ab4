"""A document as html, Markdown and terminal text; numbers and plots. In the report's process.

`document` is the value, `html` (page.html.j2, page.css), `markdown` and `console` its three forms; `plots` and
`numbers` how figures look, `chinese` every text by the table zh.txt.
"""
