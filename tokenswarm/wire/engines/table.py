"""ENGINES: in which object of a frame an engine says its own numbers, and who reads them."""

from collections.abc import Callable, Mapping
from typing import Any

from tokenswarm.wire import lenient
from tokenswarm.wire.engines import llama_cpp, lm_studio, sglang, vllm
from tokenswarm.wire.values import Usage

ENGINES: dict[str, tuple[str, Callable[[Mapping[str, Any]], Usage]]] = {
    "timings": ("llama.cpp", llama_cpp.usage),
    "metrics": ("vLLM", vllm.usage),
    "stats": ("LM Studio", lm_studio.usage),
    "meta_info": ("SGLang", sglang.usage),
}


def own_numbers(*places: Mapping[str, Any]) -> Usage | None:
    """What an engine says of its own work in some objects (a frame, its choice); None if none says anything."""
    for name, (engine, read) in ENGINES.items():
        for place in places:
            if (said := lenient.as_mapping(place.get(name))) and (found := read(said)) != Usage():
                return found._replace(engine=engine) if found.has_durations else found
    return None
