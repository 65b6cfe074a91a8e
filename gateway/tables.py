"""All tables: the schema of the call path, and what single packages add to it. A package with tables is named here."""

from gateway.admin import tables as _admin
from gateway.phones import tables as _phones
from gateway.recordings import tables as _recordings
from gateway.schema import metadata
from gateway.tones import tables as _tones
from gateway.tracing import tables as _tracing

__all__ = ["metadata"]
PACKAGES = (_admin, _tones, _recordings, _tracing, _phones)
