"""Rule for partial results with stabilisation: the first items of a line do not change any more.

The speech model computes a line's text anew after each piece of audio, and revises its last words often. So an item is
stable once it and all items before it have not changed for `STABLE_SECONDS`. Later partial versions keep the stable
items, as those of Amazon Transcribe do. The final version is the model's own text. It differs from the real service's
in that it may correct a stable item, because a kept mistake would double the number of wrong words.
"""

from collections.abc import Sequence

STABLE_SECONDS = 0.2
"""Length of the audio after which an unchanged item is stable. It is shorter than the time between two updates, so one
unchanged update suffices. With two, the last two words would be unstable while somebody speaks. Then the handlers, which
ask for high stability, would show few partial captions."""


class StablePrefix:
    """Stable items of one line."""

    def __init__(self) -> None:
        self._versions: list[tuple[float, Sequence[str]]] = []
        """Versions with the length of the audio at which they were computed."""
        self.stable: list[str] = []

    def add(self, version: Sequence[str], audio_seconds: float) -> list[str]:
        """Return the items of the next partial version, in which the stable items are kept.

        If the model has changed a stable item, the rest of its version is appended to the stable items.
        """
        kept = [*self.stable, *version[_find_rest(self.stable, version) :]]
        self._versions.append((audio_seconds, kept))
        old_enough = [at for at, (seconds, _) in enumerate(self._versions) if audio_seconds - seconds >= STABLE_SECONDS]
        if old_enough:
            self._versions = self._versions[old_enough[-1] :]
            self.stable = _common_prefix([items for _, items in self._versions])
        return kept


def _find_rest(stable: Sequence[str], version: Sequence[str]) -> int:
    """Return the index in `version` of the first item after the stable items.

    The last stable item may have moved by a few places, because the model inserted or removed an item before it.
    """
    if not stable:
        return 0
    nearest = sorted(range(len(version)), key=lambda at: (abs(at - len(stable) + 1), at))
    return next((at + 1 for at in nearest[:5] if version[at] == stable[-1]), len(stable))


def _common_prefix(versions: Sequence[Sequence[str]]) -> list[str]:
    prefix = []
    for items in zip(*versions, strict=False):
        if len(set(items)) > 1:
            break
        prefix.append(items[0])
    return prefix
