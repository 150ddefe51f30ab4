"""The rows of our options, a file a section of the docs' page of them; `settings.options` joins them.

Command line, web form, docs and tests come from these rows, in every process that parses options.
"""
