"""An application as it is written down, in the configuration file or by the management API, as the call path has it."""

from __future__ import annotations

from gateway.bindings.models import Application, Mode
from gateway.config.tree import ApplicationEntry


def application_of(entry: ApplicationEntry) -> Application:
    """The same in the call path's words."""
    return Application(
        **entry.model_dump(exclude={"secret", "mode", "allowed_ips"}),
        secret=entry.secret.get_secret_value(),
        mode=Mode(entry.mode),
        allowed_ips=tuple(str(network) for network in entry.allowed_ips),
    )
