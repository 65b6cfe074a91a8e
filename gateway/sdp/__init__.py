"""Session descriptions, pure. Read ``description`` (RFC 4566: what the lines say), then ``offer_answer`` (RFC 3264:
what two of them agree on; ``crypto``: keys for SRTP); ``browser`` turns those of browsers into plain ones and back."""
