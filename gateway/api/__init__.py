"""The vendor's REST dialect. Files in reading order: errors, auth, limits, fields, context, gate, links, server."""
