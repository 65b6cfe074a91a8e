"""Who may call: headers, lock-out, key, digest, IP allow-list, time, status, flow control, mode - in this order.

The state of an application is told only to who has signed rightly; a wrong key and a wrong digest count against the
source, an IPv6 source by its /64. Flow control comes behind the digest, so a stranger can't use up a customer's rate.

| source is  | key     | digest | answer                                                        |
|------------|---------|--------|---------------------------------------------------------------|
| anywhere   | unknown | any    | 1010003                                                       |
| not listed | known   | wrong  | 1010003 as well: the list must not tell strangers which exist |
| not listed | known   | right  | 1020166                                                       |
| listed     | known   | wrong  | 1010010                                                       |
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import Request

from gateway.api import auth, errors
from gateway.api.context import ApiContext
from gateway.api.errors import ApiError
from gateway.api.limits import Lockout, RateLimit, counted_source
from gateway.bindings.models import Application, Mode


class Gate:
    """The check that every vendor request passes first."""

    def __init__(self, context: ApiContext) -> None:
        settings = context.settings
        self._context = context
        self._lockout = Lockout(settings.lockout_failures, settings.lockout_within, settings.lockout_seconds)
        self._rate = RateLimit(settings.requests_per_second)

    async def admit(self, request: Request, modes: Collection[Mode] = tuple(Mode)) -> Application:
        """The application that signed ``request``. ApiError says why not."""
        credentials = auth.read_credentials(request.headers)
        source = request.client.host if request.client else ""
        block = counted_source(source)
        if self._lockout.locked(block, self._context.monotonic()):
            raise ApiError(errors.LOCKED_OUT)
        application = await self._context.store.application(credentials.key)
        listed = application is not None and _allowed(source, application.allowed_ips)
        try:
            # For an unknown key too, so that the time of the answer tells nothing either.
            auth.check_digest(credentials, application.secret if application else "")
            if application is None:
                raise ApiError(errors.UNKNOWN_KEY)
        except ApiError as error:
            self._lockout.failed(block, self._context.monotonic())
            raise error if listed else ApiError(errors.UNKNOWN_KEY) from None
        if not listed:
            raise ApiError(errors.IP_NOT_ALLOWED)
        auth.check_created(credentials, self._context.clock(), self._context.settings.created_window)
        self._check_application(application, modes)
        return application

    def _check_application(self, application: Application, modes: Collection[Mode]) -> None:
        if not application.enabled:
            raise ApiError(errors.KEY_DISABLED)
        if application.frozen or application.suspended:
            raise ApiError(errors.FROZEN)
        if not self._rate.admits(application.key, self._context.monotonic()):
            raise ApiError(errors.FLOW_CONTROL)
        if application.mode not in modes:
            raise ApiError(errors.WRONG_API)


def _allowed(source: str, networks: Collection[str]) -> bool:
    """Whether ``source`` lies in one of ``networks``; no network means every source."""
    if not networks:
        return True
    try:
        address = ip_address(source)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ip_network(network, strict=False) for network in networks)
