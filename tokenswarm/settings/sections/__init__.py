"""The rows of our options, a file a section of the docs' page of them; `settings.options` joins them."""
