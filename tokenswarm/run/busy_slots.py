"""llama.cpp's `/slots`: how many of them are at work, by its own word and without `--metrics`."""

from tokenswarm.run.scraper import PATIENCE_S, NoReading, Sample
from tokenswarm.settings.redaction import clean_line
from tokenswarm.settings.settings import Settings
from tokenswarm.transport.control import ControlClient, Unanswered, question
from tokenswarm.wire.decoding import decode

ENGINE, PATH = "llama.cpp", "/slots"
BUSY = "llamacpp_slots_processing"


class BusySlots:
    """The slots of the server under load."""

    def __init__(self, checked: Settings) -> None:
        self.name = f"{checked.target.url.rstrip('/')}{PATH}"
        self._client = ControlClient(checked, PATIENCE_S)

    def look(self) -> list[Sample]:
        """How many process a request. Raises NoReading."""
        at_work, slots = busy(self._client)
        return [Sample(BUSY, f"of={slots}", float(at_work))]

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()


def busy(client: ControlClient) -> tuple[int, int]:
    """How many slots process a request, and how many there are. Raises NoReading."""
    try:
        reply = client.send(question("GET", PATH))
    except Unanswered as error:
        raise NoReading(clean_line(str(error))) from None
    if not 200 <= reply.status < 300:
        raise NoReading(clean_line(reply.describe()))
    try:
        found = decode(reply.body)
    except ValueError:
        raise NoReading("not JSON") from None
    slots = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    if not slots or not all(type(one.get("is_processing")) is bool for one in slots):
        raise NoReading("it lists no slots")
    return sum(one["is_processing"] for one in slots), len(slots)
