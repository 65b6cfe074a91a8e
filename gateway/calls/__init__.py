"""Calls. Read: events, record, outputs, settings, verdict (values); identity, privacy, info_digits; admission, quota,
barring; ways, peers, trunks, phones; leg, caller_leg, media_session; plant, forking; call and its phases (phase,
resolving, deciding, asking, opening, collecting, refusing, ringing, talking, closing); exchange (all calls, pure);
journal, journal_rows, media_pool and switchboard (the rim)."""
