"""[IO] Which file a tone's name means. The first that is there counts:

<approved>/<application>/<name>     uploaded by the customer and approved (shelf.py puts it there)
<folder>/<application>/<name>       laid there by the operator
<approved>/@/<name>                 likewise, for all customers
<folder>/<name>
the built-in one of that name
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.tones.names import is_key, is_name

SOUNDS = Path(__file__).parent.parent.parent / "media" / "sounds"
BUILT_IN = ("waiting.wav", "notice.wav", "last_minute.wav")
EVERYBODY = "@"
"""No application's key begins so."""


@dataclass(frozen=True, slots=True)
class ToneFolder:
    """``folder`` is the operator's, ``approved`` the shelf's; "" for none."""

    folder: str = ""
    approved: str = ""

    def find(self, application: str, name: str) -> str | None:
        """The absolute path of a tone, or None."""
        if not is_name(name) or not is_key(application):
            return None
        roots = [(Path(root).absolute(), root == self.approved) for root in (self.approved, self.folder) if root]
        places = [root / application / name for root, _ in roots]
        places += [root / EVERYBODY / name if approved else root / name for root, approved in roots]
        if name in BUILT_IN:
            places.append(SOUNDS / name)
        for place in places:
            # A link could lead out of the folder, so it is no tone (security.md "Files").
            if place.is_file() and not os.path.islink(place):
                return str(place)
        return None
