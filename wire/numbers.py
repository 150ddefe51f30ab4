"""Numbers as servers give them, checked before anyone computes with them."""


def count(name: str, value: object) -> int:
    """A count or a duration: whole, not negative, within 63 bits as files hold them. Raises TypeError."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise TypeError(f"{name} is {value!r:.40}, not a count")
    return value
