"""How many schemas a checker may have to try on a value, at most: what it does in native code nobody can interrupt."""

from typing import Any, NamedTuple
from urllib.parse import unquote

MOST = 10**9
ALL_PAIRS = 10  # what it costs, by item, to see that no two are the same


class Extent(NamedTuple):
    """A value's size: values in it, itself included; how deep they lie; characters of its longest text."""

    nodes: int
    depth: int
    longest: int


# Keywords whose schemas are tried on the value itself; on each of its children; and those of which a child meets one.
_HERE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies")
_EACH_CHILD = (
    *("additionalProperties", "unevaluatedProperties", "propertyNames", "patternProperties"),
    *("contains", "additionalItems", "unevaluatedItems"),
)
_ONE_CHILD = ("properties", "prefixItems", "items")
_NAMED = ("properties", "patternProperties", "dependentSchemas", "dependencies")  # maps of any name to a schema
_REFS = ("$ref", "$dynamicRef", "$recursiveRef")
_NAMES = ("$id", "id", "$anchor", "$dynamicAnchor")


class Cost:
    """An upper bound, by the value's depth: a schema that holds itself twice takes 2^depth."""

    def __init__(self, schema: Any) -> None:
        self._root, self._names = schema, _names(schema)
        self._here: dict[int, list[Any]] = {}  # by the schema's id
        self._children: dict[int, list[list[Any]]] = {}  # groups of which a child meets one each
        self._schemas: dict[int, Any] = {}
        self._read(schema)
        self._last: dict[int, int] = {}
        self._by_depth: list[int] = []

    @property
    def alternatives(self) -> bool:
        """Is there more than one way to fit?"""
        return any(word in schema for schema in self._schemas.values() for word in ("anyOf", "oneOf"))

    def of(self, extent: Extent) -> int:
        """Schemas tried on the whole value."""
        return min(extent.nodes * self._at(extent.depth), MOST)

    def _at(self, depth: int) -> int:
        """Schemas tried on the way from the value down to one of its leaves."""
        while len(self._by_depth) <= depth:
            now: dict[int, int] = {}
            for key in self._schemas:
                self._count(key, now)
            if self._by_depth and now == self._last:
                return self._by_depth[-1]  # it does not hold itself: deeper is no more
            self._last = now
            self._by_depth.append(now.get(id(self._root), 1))
        return self._by_depth[depth]

    def _count(self, key: int, now: dict[int, int]) -> int:
        if key not in now:
            now[key] = 0  # where it comes back to itself on the same value, there is nothing more to try
            here = sum(self._count(id(one), now) for one in self._here.get(key, ()))
            below = sum(max(self._last.get(id(one), 0) for one in group) for group in self._children.get(key, ()))
            own = ALL_PAIRS if self._schemas[key].get("uniqueItems") else 1
            now[key] = min(own + here + below, MOST)
        return now[key]

    def _read(self, root: Any) -> None:
        left = [root]
        while left:
            schema = left.pop()
            if not isinstance(schema, dict) or id(schema) in self._schemas:
                continue
            self._schemas[id(schema)] = schema
            here = [one for word in _HERE for one in _members(schema, word)]
            here += [self._named(schema[word]) for word in _REFS if word in schema]
            groups = [[one] for word in _EACH_CHILD for one in _members(schema, word)]
            groups += [found for word in _ONE_CHILD if (found := _members(schema, word))]
            self._here[id(schema)], self._children[id(schema)] = here, groups
            left += [*here, *(one for group in groups for one in group)]

    def _named(self, ref: Any) -> Any:
        """The schema that a $ref names, by $id, anchor or pointer; the root where it is not found."""
        base, _, fragment = unquote(str(ref)).partition("#")
        at = self._names.get(_last_part(base), self._root)
        if fragment and not fragment.startswith("/"):
            return self._names.get(fragment, self._root)
        for part in fragment.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(at, dict) and key in at:
                at = at[key]
            elif isinstance(at, list) and key.isdecimal() and int(key) < len(at):
                at = at[int(key)]
            else:
                return self._root
        return at


def _names(root: Any) -> dict[str, Any]:
    """Schemas by their anchors, and by the last part of their $id, which is how most are referred to."""
    found: dict[str, Any] = {}
    left = [root]
    while left:
        at = left.pop()
        if isinstance(at, dict):
            for name in (at[word] for word in _NAMES if isinstance(at.get(word), str)):
                found.setdefault(_last_part(name), at)
            left += at.values()
        elif isinstance(at, list):
            left += at
    return found


def _last_part(name: str) -> str:
    return name.rstrip("#").rsplit("/", 1)[-1].removeprefix("#")


def _members(schema: dict[str, Any], word: str) -> list[Any]:
    """The schemas in a keyword's value: itself, those of a list, or those of a map of names."""
    value = schema.get(word)
    if isinstance(value, dict):
        value = [*value.values()] if word in _NAMED else [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def measure(value: object, texts: bool = True) -> Extent:
    """How much there is to check; the longest text only where it is asked for."""
    nodes, depth, longest, level = 0, -1, 0, [value]
    while level:
        nodes, depth = nodes + len(level), depth + 1
        holders: list[Any] = [one for one in level if type(one) in (dict, list)]
        if texts:
            named = (name for one in holders if isinstance(one, dict) for name in one)
            longest = max(longest, *(len(one) for one in (*level, *named) if isinstance(one, str)), 0)
        level = [child for one in holders for child in (one.values() if isinstance(one, dict) else one)]
    return Extent(nodes, depth, longest)
