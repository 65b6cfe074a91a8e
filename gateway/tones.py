"""Which file a tone's name means: a customer's own, one shared by all customers, or one that ships with Maskline."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"[0-9A-Za-z@_-][0-9A-Za-z@_.-]{0,127}\Z")
_KEY = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z_.-]{0,127}\Z")

SOUNDS = Path(__file__).parent.parent / "media" / "sounds"
BUILT_IN = ("waiting.wav", "notice.wav", "last_minute.wav")


@dataclass(frozen=True, slots=True)
class ToneFolder:
    """``<folder>/<application>/<name>``, else ``<folder>/<name>``, else a built-in one of that name."""

    folder: str = ""

    def find(self, application: str, name: str) -> str | None:
        """The absolute path of a tone, or None. Names are those of privatenumber.md section 11: never a path."""
        if not _NAME.match(name) or not _KEY.match(application):
            return None
        places = [SOUNDS / name] if name in BUILT_IN else []
        if self.folder:
            root = Path(self.folder).absolute()
            places = [root / application / name, root / name, *places]
        for place in places:
            # A link could lead out of the folder, so it is no tone (security.md "Files").
            if place.is_file() and not os.path.islink(place):
                return str(place)
        return None
