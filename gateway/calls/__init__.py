"""Calls. Read: events, record, outputs, settings (values); identity, privacy, admission; leg, media_session; call and
its phases (phase, resolving, refusing, ringing, talking, closing); exchange (all calls, pure); journal, journal_rows,
media_pool and switchboard (the rim)."""
