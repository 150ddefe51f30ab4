"""Images as the APIs of /v1 take them: a URL, mostly one that holds the image itself."""

# What base64 begins with, by the format of the image.
_TYPES = {"/9j/": "jpeg", "iVBORw0KGgo": "png", "UklGR": "webp", "R0lGOD": "gif"}


def url(image: str) -> str:
    """The URL of an image, which is one already or base64."""
    if image.startswith(("data:", "http://", "https://")):
        return image
    kind = next((kind for head, kind in _TYPES.items() if image.startswith(head)), "jpeg")
    return f"data:image/{kind};base64,{image}"
